"""Holding one segment against what the checkpoint file says of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from troth.audit.verify.ledger import Signed
from troth.audit.verify.lines import Diagnosis, sound_lines
from troth.audit.verify.report import Finding, FindingKind

_ZERO = "0" * 64
K = FindingKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What became of one segment: findings, and how many of its lines stand under an entry."""

    findings: tuple[Finding, ...]
    lines: int
    anchored: int


def judge(name: str, data: bytes, entries: list[Signed], *, live: bool) -> Judged:
    """Judge the bytes of a listed segment. `entries` are its own, in order; `live` says that a writer holds it."""
    *lines, rest = data.split(b"\n")
    top = entries[-1]
    held = sound_lines(lines, _start(entries), entries)
    if held < 0:
        findings = Diagnosis(name, lines, _start(entries), entries).run()
    elif top.kind == "seal":
        findings = list(_behind_seal(name, data[top.size :], top))
    else:
        findings = list(_behind_checkpoint(name, lines, rest, entries, live=live))
        if held < len(lines):
            findings = Diagnosis(name, lines, _start(entries), entries).run() + findings
    findings += _said_by_seal(name, entries)
    return Judged(findings=tuple(findings), lines=len(lines), anchored=min(len(lines), top.lines) if held >= 0 else 0)


def _start(entries: list[Signed]) -> Signed:
    """Return where the segment began: its opening entry or, if that is lost, what a later one lets us conclude."""
    first = entries[0]
    if first.kind == "open":
        return first
    return msgspec.structs.replace(first, seq=first.seq - first.lines, lines=0, size=0, head=_ZERO)


def _behind_seal(name: str, behind: bytes, seal: Signed) -> Iterator[Finding]:
    """Compare what stands behind the last sealed line with the rest that the seal describes."""
    at = seal.lines + 1
    if seal.rest is None:
        if behind:
            yield Finding(file=name, line=at, kind=K.ADDED, message="bytes were added behind the seal")
    elif seal.rest.fits(behind):
        said = f"{seal.rest.size} bytes behind the last whole line, as the seal says"
        yield Finding(file=name, line=at, kind=K.TORN_DECLARED, message=said)
    else:
        kind = K.CUT if len(behind) < seal.rest.size else K.CHANGED
        yield Finding(file=name, line=at, kind=kind, message="the torn rest is not the one that was sealed")


def _behind_checkpoint(
    name: str, lines: list[bytes], rest: bytes, entries: list[Signed], *, live: bool
) -> Iterator[Finding]:
    """Say what stands behind the last checkpoint of a segment that has no seal."""
    top = entries[-1]
    waiting = len(lines) - top.lines
    if waiting:
        yield Finding(
            file=name, line=top.lines + 1, kind=K.UNANCHORED, message=f"{waiting} lines follow the last checkpoint"
        )
    if rest:
        yield Finding(file=name, line=len(lines) + 1, kind=K.TORN, message="the last line is cut off")
    if not (waiting or rest or live):
        said = "no seal and no writer: whether lines followed cannot be told"
        yield Finding(file=name, line=max(1, len(lines)), kind=K.UNANCHORED, message=said)


def _said_by_seal(name: str, entries: list[Signed]) -> Iterator[Finding]:
    """Repeat what the entries themselves admit."""
    top, before = entries[-1], entries[-2] if len(entries) > 1 else entries[-1]
    if any(entry.broken for entry in entries):
        said = "the segment had been changed, moved or cut before it could be sealed"
        yield Finding(file=name, line=max(1, top.lines), kind=K.BROKEN_WHEN_SEALED, message=said)
    elif top.recovered and top.lines > before.lines:
        said = f"lines {before.lines + 1} to {top.lines} were anchored only after their writer had died"
        yield Finding(file=name, line=before.lines + 1, kind=K.RECOVERED, message=said)
