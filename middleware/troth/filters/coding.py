"""Content codings: bodies that are gzipped or deflated are read within a limit, and no bomb goes off."""

from __future__ import annotations

import zlib
from typing import Final

from troth.errors import UnreadableBody

READABLE: Final = frozenset({b"gzip", b"x-gzip", b"deflate", b"identity"})
"""The codings that can be read."""
_GZIP: Final = 16 + zlib.MAX_WBITS
_MOST_LAYERS: Final = 2
_FIRST, _LARGEST = 256, 64 * 1024
"""Bytes given to a stream at once, the first time and at most: what it leaves over is copied, so it is never much."""


def codings_of(value: bytes | None) -> tuple[bytes, ...]:
    """Return the codings of a `Content-Encoding` value in the order in which they were applied, `identity` left out.

    Raises UnreadableBody (``coding``) for one that cannot be read, or for more than two.
    """
    if value is None:
        return ()
    found = tuple(name for part in value.split(b",") if (name := part.strip().lower()) and name != b"identity")
    if len(found) > _MOST_LAYERS or not READABLE.issuperset(found):
        raise UnreadableBody("coding")
    return found


def decode(body: bytes, content_encoding: bytes | None, *, limit: int) -> bytes:
    """Return the body with all its codings taken off; the same object if it has none.

    Raises UnreadableBody: ``coding`` for an unknown one, ``too-large`` past `limit` bytes at any layer, ``malformed``
    for a broken, cut or overlong stream.
    """
    for coding in reversed(codings_of(content_encoding)):
        body = _inflate(body, coding, limit)
    if len(body) > limit:
        raise UnreadableBody("too-large")
    return body


def _inflate(body: bytes, coding: bytes, limit: int) -> bytes:
    parts: list[bytes] = []
    room = limit
    window = _window(body, coding)
    at = 0
    while at < len(body):
        stream = zlib.decompressobj(window)
        size = _FIRST
        while not stream.eof:
            piece = body[at : at + size]
            try:
                part = stream.decompress(piece, room + 1)
            except zlib.error:
                raise UnreadableBody("malformed") from None
            room -= len(part)
            if room < 0:
                raise UnreadableBody("too-large")
            if not piece:
                raise UnreadableBody("malformed")
            parts.append(part)
            at += len(piece) - len(stream.unused_data)
            size = min(2 * size, _LARGEST)
        if at < len(body) and window != _GZIP:
            raise UnreadableBody("malformed")
    return b"".join(parts)


def _window(body: bytes, coding: bytes) -> int:
    """Return what zlib must expect: `deflate` comes with the zlib wrapper that RFC 9110 asks for, and bare."""
    if coding != b"deflate":
        return _GZIP
    wrapped = len(body) > 1 and body[0] & 15 == zlib.DEFLATED and int.from_bytes(body[:2]) % 31 == 0
    return zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS
