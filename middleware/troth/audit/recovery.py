"""What a starting process does about the segments of dead ones: it seals them, as they are.

A segment counts as orphaned if nobody holds its lock. Recovery anchors every whole line that the chain bears out and
states length and hash of what is behind; it moves, cuts and repairs nothing. A segment that does not agree with its own
checkpoints is sealed as broken, at its last checkpoint, so that nothing which was changed is ever signed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from troth.audit.chain import ZERO, link
from troth.audit.checkpoint import Checkpoints
from troth.audit.entries import Entry, EntryKind, Rest, Signing, Tip
from troth.audit.failures import failed
from troth.audit.opening import Orphan
from troth.audit.segment import NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    """The last entry of a segment that has no seal, and the tip at which the segment began."""

    stream: bytes
    retention: str
    number: int
    failed: int
    start: Tip
    tip: Tip


def recover(directory: Path, checkpoints: Checkpoints, signing: Signing, t: str) -> tuple[Orphan, ...]:
    """Seal every orphan of `directory` at the time `t` and return them. Several workers may do this at once.

    Raises `TrailError` where the directory cannot be read or a seal cannot be written.
    """
    try:
        with _only_one(directory):
            unsealed = _unsealed(checkpoints.lines(), signing)
            names = sorted(name for name in unsealed if (directory / name).exists())
            return tuple(filter(None, (_seal(directory / name, checkpoints, signing, t) for name in names)))
    except OSError as error:
        raise failed("recovery of a segment", error) from error


@contextlib.contextmanager
def _only_one(directory: Path) -> Iterator[None]:
    """Let one process at a time recover; the lock is on the directory itself, so that it leaves no file behind."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _unsealed(lines: list[bytes], signing: Signing) -> dict[str, _Open]:
    """Return the segments that were opened and not sealed, as far as entries with a good signature tell."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        entry = _plain(line)
        if entry and NAME.fullmatch(str(entry.get("segment"))):
            found.setdefault(entry["segment"], []).append(entry | {"line": line})
    return {
        name: _opened(trusted)
        for name, entries in found.items()
        if entries[-1].get("kind") != EntryKind.SEAL
        and (trusted := [said for entry in (entries[0], entries[-1]) if (said := signing.read(entry["line"]))])
    }


def _plain(line: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(line)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def _opened(entries: list[dict[str, Any]]) -> _Open:
    first, last = entries[0], entries[-1]
    start = _tip(first) if first["kind"] == EntryKind.OPEN else Tip(seq=0, lines=0, size=0, head=ZERO)
    return _Open(
        stream=bytes.fromhex(last["stream"]),
        retention=last["retention"],
        number=last["number"],
        failed=last.get("failed", 0),
        start=start,
        tip=_tip(last),
    )


def _tip(said: dict[str, Any]) -> Tip:
    return Tip(seq=said["seq"], lines=said["lines"], size=said["size"], head=bytes.fromhex(said["head"]))


def _seal(path: Path, checkpoints: Checkpoints, signing: Signing, t: str) -> Orphan | None:
    """Seal one segment if its writer is dead. The entries are read again under its lock: another may have sealed it."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        known = _unsealed(checkpoints.lines(), signing).get(path.name)
        return _sign(path, known, checkpoints, t) if known else None
    except BlockingIOError:
        return None
    finally:
        os.close(fd)


def _sign(path: Path, known: _Open, checkpoints: Checkpoints, t: str) -> Orphan:
    data = path.read_bytes()
    tip, anchored, denied = _walk(data, known)
    end = tip if anchored else known.tip
    broken = denied or not anchored
    entry = Entry(
        kind=EntryKind.SEAL,
        stream=known.stream,
        retention=known.retention,
        segment=path.name,
        number=known.number + 1,
        tip=end,
        t=t,
        failed=known.failed,
        rest=Rest.of(data[end.size :]),
        recovered=True,
        broken=broken,
    )
    checkpoints.append(entry)
    torn = max(0, len(data) - end.size)
    return Orphan(segment=path.name, stream=known.stream, head=end.head, lines=end.lines, torn=torn, broken=broken)


def _walk(data: bytes, known: _Open) -> tuple[Tip, bool, bool]:
    """Follow the chain as far as it holds.

    Returns how far that is, whether the last checkpoint was met on the way, and whether a whole line was denied.
    """
    tip, met = known.start, known.start == known.tip
    for line in data.split(b"\n")[:-1]:
        said = _plain(line)
        if said is None or (said.get("prev"), said.get("seq")) != (tip.head.hex(), tip.seq + 1):
            return tip, met, True
        tip = Tip(
            seq=tip.seq + 1,
            lines=tip.lines + 1,
            size=tip.size + len(line) + 1,
            head=link(known.stream, tip.head, line),
        )
        met = met or tip == known.tip
    return tip, met, False
