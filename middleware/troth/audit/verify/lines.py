"""Following the chain through a segment, and naming the line where it does not hold.

Whether a segment is sound is decided by one strict walk from its first line to its last checkpoint. Only where that
fails do the other functions look for the line to name; they cannot make a segment sound.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import pairwise

import msgspec

from troth.audit.verify.ledger import Signed
from troth.audit.verify.report import Finding, FindingKind

K = FindingKind


class Linked(msgspec.Struct, frozen=True, gc=False):
    """The members by which a line hangs in the chain."""

    stream: str
    seq: int
    prev: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One whole line: where, what it claims (None where it is no line of this stream), its hash by its own claim."""

    at: int
    raw: bytes
    said: Linked | None
    hash: str


_decoder = msgspec.json.Decoder(Linked)


def parse(raw: bytes, stream: str) -> Linked | None:
    """Return how a line hangs in the chain of `stream`, or None where it does not belong there."""
    try:
        said = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return said if said.stream == stream else None


def link(stream: str, previous: str, raw: bytes) -> str | None:
    """Return the hash of a line as hex; None where `previous` is no hash."""
    try:
        before = bytes.fromhex(previous)
    except ValueError:
        return None
    return hashlib.sha256(bytes.fromhex(stream) + before + raw).hexdigest() if len(before) == 32 else None


def sound_lines(lines: list[bytes], start: Signed, anchors: list[Signed]) -> int:
    """Walk strictly from `start`; return how many lines hold, -1 if the walk does not meet every one of `anchors`."""
    seq, head, size, held = start.seq, start.head, 0, 0
    open_anchors = {anchor.lines: anchor for anchor in anchors}
    if len(open_anchors) != len({(a.lines, a.size, a.head, a.seq) for a in anchors}):
        return -1
    for held in range(len(lines) + 1):
        anchor = open_anchors.pop(held, None)
        if anchor and (anchor.seq, anchor.size, anchor.head) != (seq, size, head):
            return -1
        if held == len(lines):
            break
        said = parse(lines[held], start.stream)
        if said is None or (said.seq, said.prev) != (seq + 1, head):
            break
        seq, size = seq + 1, size + len(lines[held]) + 1
        head = link(start.stream, head, lines[held]) or ""
    return -1 if open_anchors else held


class Diagnosis:
    """Names the lines of a segment at which the chain does not hold."""

    def __init__(self, name: str, lines: list[bytes], start: Signed, anchors: list[Signed]) -> None:
        self.name, self.start, self.anchors = name, start, anchors
        self.lines = [self._line(at, raw) for at, raw in enumerate(lines, 1)]
        self.numbers = {line.said.seq for line in self.lines if line.said}
        self.heads = {(anchor.seq, anchor.head) for anchor in anchors}
        self.anchored = {anchor.seq for anchor in anchors}
        self.top = anchors[-1]
        self.found: dict[int, Finding] = {}

    def _line(self, at: int, raw: bytes) -> Line:
        said = parse(raw, self.start.stream)
        hashed = link(said.stream, said.prev, raw) if said else None
        return Line(at=at, raw=raw, said=said if hashed else None, hash=hashed or "")

    def _name(self, line: Line, kind: FindingKind, message: str) -> None:
        if kind is K.CHANGED and (line.said.seq > self.top.seq if line.said else line.at > self.top.lines):
            kind = K.BROKEN_AFTER_ANCHOR
        self.found.setdefault(line.at, Finding(file=self.name, line=line.at, kind=kind, message=message))

    def run(self) -> list[Finding]:
        """Return the findings by line; never empty where lines under an anchor are not what they were."""
        self._walk()
        self._compare_with_anchors()
        return [self.found[at] for at in sorted(self.found)]

    def _walk(self) -> None:
        """Compare each line with the one before it, and with the highest so far where a line is out of place."""
        first: dict[bytes, int] = {}
        begin = Line(at=0, raw=b"", said=Linked(self.start.stream, self.start.seq, ""), hash=self.start.head)
        before, highest, lost = begin, begin, False
        for line, after in pairwise([*self.lines, None]):
            if line is None:
                break
            if line.said is None:
                self._unreadable(line, lost)
                lost = True
            elif line.raw in first:
                self._name(line, K.DUPLICATED, f"the line repeats line {first[line.raw]}")
            else:
                first[line.raw] = line.at
                kept = self._judge(line, before, highest, after, lost)
                lost = not kept
                before = line if kept else before
                highest = max(before, highest, key=lambda each: each.said.seq if each.said else 0)

    def _unreadable(self, line: Line, again: bool) -> None:
        if not again:
            self._name(line, K.CHANGED, "the line is no line of this stream")

    def _judge(self, line: Line, before: Line, highest: Line, after: Line | None, lost: bool) -> bool:
        """Judge one readable line; return whether its number is to be believed."""
        for other in (before, highest):
            if other.said and line.said and line.said.prev == other.hash:
                if line.said.seq == other.said.seq + 1:
                    return True
                self._name(line, K.CHANGED, "the line has the number of another")
                return False
        if not lost:
            self._unlinked(line, before, highest, after)
        return True

    def _unlinked(self, line: Line, before: Line, highest: Line, after: Line | None) -> None:
        own, top = self._seq(line), self._seq(highest)
        gone = [n for n in range(top + 1, own) if n not in self.numbers]
        if own == self._seq(before) + 1:
            self._blame(line, before, after)
        elif gone:
            self._name(line, K.MISSING, f"{len(gone)} lines before number {own} are missing")
        else:
            self._name(line, K.SWAPPED, f"line number {own} stands out of order")

    def _seq(self, line: Line) -> int:
        return line.said.seq if line.said else 0

    def _blame(self, line: Line, before: Line, after: Line | None) -> None:
        """Of two lines that do not fit together, name the one that a third witness denies."""
        own = self._seq(line)
        witnessed = own in self.anchored or (after is not None and after.said is not None)
        confirmed = (own, line.hash) in self.heads or (
            after is not None and after.said is not None and after.said.prev == line.hash
        )
        guilty = line if (witnessed and not confirmed) or before.at == 0 else before
        self._name(guilty, K.CHANGED, "the line after it was written after another line")

    def _compare_with_anchors(self) -> None:
        by_number = {line.said.seq: line for line in self.lines if line.said}
        for anchor in self.anchors:
            line = by_number.get(anchor.seq)
            if line and line.hash != anchor.head and not self.found:
                self._name(line, K.CHANGED, f"checkpoint {anchor.number} anchored another line here")
        if self.top.lines and max(by_number, default=0) < self.top.seq and not self._ends_in_a_finding():
            at = len(self.lines) + 1
            message = f"{self.top.lines} lines were anchored, the file ends in or before this one"
            self.found[at] = Finding(file=self.name, line=at, kind=K.CUT, message=message)
        if not self.found:
            self.found[1] = Finding(file=self.name, line=1, kind=K.CHANGED, message="the checkpoints deny the segment")

    def _ends_in_a_finding(self) -> bool:
        return bool(self.lines) and self.lines[-1].at in self.found and self.lines[-1].said is None
