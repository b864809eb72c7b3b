"""The hash chain of the trail, as pure functions.

The hash of a line is SHA-256(16-byte stream id ‖ 32-byte previous hash ‖ the line's bytes without LF). The first line
of a stream follows 32 zero bytes; the chain runs on through all segments of its stream.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import reduce

STREAM_BYTES = 16
HASH_BYTES = 32
ZERO = bytes(HASH_BYTES)
"""What the first line of a stream follows."""


def link(stream: bytes, previous: bytes, line: bytes) -> bytes:
    """Return the 32-byte hash of `line` (without LF) of the 16-byte `stream` after the 32-byte hash `previous`."""
    if len(stream) != STREAM_BYTES or len(previous) != HASH_BYTES:
        raise ValueError("a stream id has 16 bytes, a hash 32")
    return hashlib.sha256(stream + previous + line).digest()


def head(stream: bytes, lines: Iterable[bytes], previous: bytes = ZERO) -> bytes:
    """Return the hash of the last of `lines`, or `previous` where there are none."""
    return reduce(lambda before, line: link(stream, before, line), lines, previous)
