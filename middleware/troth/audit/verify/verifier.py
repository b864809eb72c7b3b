"""Putting a whole trail to the test, from bytes alone: the checkpoint file first, then each segment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from troth.audit.verify.ledger import LEDGER, Ledger, read
from troth.audit.verify.report import Finding, FindingKind, Report
from troth.audit.verify.segments import Judged, judge

K = FindingKind


class Source(Protocol):
    """Where the files of a trail come from."""

    def names(self) -> Sequence[str]:
        """Return the names of all segments that are there."""
        ...

    def data(self, name: str) -> bytes:
        """Return the bytes of a file that is there."""
        ...

    def is_live(self, name: str) -> bool:
        """Tell whether a writer holds the segment at this moment."""
        ...


@dataclass(frozen=True, slots=True)
class Files:
    """A trail held in memory: file names to bytes, and which segments are to count as being written."""

    files: Mapping[str, bytes]
    live: frozenset[str] = field(default=frozenset())

    def names(self) -> Sequence[str]:
        """Return the names of all segments."""
        return sorted(self.files.keys() - {LEDGER})

    def data(self, name: str) -> bytes:
        """Return the bytes of a file."""
        return self.files[name]

    def is_live(self, name: str) -> bool:
        """Tell whether the segment counts as being written."""
        return name in self.live


def check(source: Source, ledger_data: bytes | None, keys: Sequence[bytes]) -> Report:
    """Verify a trail under the 32-byte public `keys`. `ledger_data` is the checkpoint file, None where there is none.

    Raises ValueError for something that is no public key.
    """
    ledger = read(ledger_data or b"", keys)
    names = source.names()
    findings = [*ledger.findings, *_without_ledger(ledger_data, names), *_absent(ledger, names)]
    judged: list[Judged] = []
    for name in names:
        if name in ledger.segments:
            judged.append(judge(name, source.data(name), ledger.segments[name], live=source.is_live(name)))
        else:
            judged.append(_unlisted(name, source))
    findings += [finding for each in judged for finding in each.findings]
    return Report(
        findings=tuple(sorted(findings, key=lambda each: (each.file, each.line, each.kind))),
        segments=len(names),
        streams=len({entries[0].stream for entries in ledger.segments.values()}),
        lines=sum(each.lines for each in judged),
        anchored=sum(each.anchored for each in judged),
        entries=len(ledger.line_of),
    )


def _without_ledger(data: bytes | None, names: Sequence[str]) -> list[Finding]:
    if data:
        return []
    if names:
        return [
            Finding(file=LEDGER, line=1, kind=K.MISSING_CHECKPOINTS, message="there are segments but no checkpoint")
        ]
    return [Finding(file=LEDGER, line=1, kind=K.NOTHING, message="there is no trail here")]


def _absent(ledger: Ledger, names: Sequence[str]) -> list[Finding]:
    return [
        Finding(
            file=name,
            line=1,
            kind=K.MISSING_SEGMENT,
            message=f"{LEDGER}:{ledger.line_of[entries[-1].n]} vouches for {entries[-1].lines} lines",
        )
        for name, entries in ledger.segments.items()
        if name not in names
    ]


def _unlisted(name: str, source: Source) -> Judged:
    """Judge a segment of which no entry speaks. A writer that has just made its file has written nothing yet."""
    data = source.data(name)
    kind, said = K.UNLISTED, "no checkpoint lists the segment"
    if not data:
        kind, said = K.NEVER_USED, "the segment was made and never used"
    return Judged(findings=(Finding(file=name, line=1, kind=kind, message=said),), lines=data.count(b"\n"), anchored=0)
