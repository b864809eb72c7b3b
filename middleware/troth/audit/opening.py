"""The first line of a segment: under which policy it was opened, and what the process found when it started."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

KIND = "trail.open"
"""The `kind` of every segment's first line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyStamp:
    """Which policy was in force when a segment was opened: its id, version, and a hash over rules and text."""

    id: str
    version: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """A segment that another process left unsealed and that this one has sealed: file, stream, last hash."""

    segment: str
    stream: bytes
    head: bytes
    lines: int
    torn: int = 0
    """Bytes behind the last whole line."""
    broken: bool = False
    """Whether the segment did not agree with its own checkpoints or chain; `troth.audit.verify` says where."""


def opening(retention: str, segment: int, stamp: PolicyStamp, orphans: Sequence[Orphan]) -> bytes:
    """Return the members of the first line of a stream's segment number `segment`."""
    said = {
        "kind": KIND,
        "retention": retention,
        "segment": segment,
        "policy": {"id": stamp.id, "version": stamp.version, "hash": stamp.hash},
        "orphans": [{"segment": o.segment, "lines": o.lines, "head": o.head.hex()} for o in orphans],
    }
    return json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()[1:-1]
