"""Reading the checkpoint file with distrust: signatures, numbers, order, and what it says of each segment."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from troth.audit.verify.report import Finding, FindingKind

LEDGER = "checkpoints.jsonl"
"""The name of the checkpoint file."""
_DOMAIN = b"troth trail entry 1\n"
_SHAPE = re.compile(rb'(?P<body>\{.*),"sig":"(?P<sig>[0-9a-f]{128})"\}', re.DOTALL)
_ZERO = "0" * 64
K = FindingKind


class Stretch(msgspec.Struct, frozen=True):
    """A stretch of bytes that an entry describes by size and SHA-256."""

    size: int
    sha256: str

    def fits(self, data: bytes) -> bool:
        """Tell whether `data` is what was described."""
        return len(data) == self.size and hashlib.sha256(data).hexdigest() == self.sha256


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry says, once its signature holds."""

    v: Literal[1]
    n: int
    prev: str
    kind: Literal["open", "checkpoint", "seal"]
    t: str
    stream: str
    number: int
    retention: str
    segment: str
    seq: int
    lines: int
    size: int
    head: str
    torn: Stretch | None = None
    rest: Stretch | None = None
    failed: int = 0
    recovered: bool = False
    broken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the checkpoint file; `said` is None where no known key signed it."""

    line: int
    raw: bytes
    said: Signed | None


@dataclass(slots=True)
class Ledger:
    """The checkpoint file as read: what is to be believed of each segment, and what is wrong with the file itself."""

    rows: list[Row] = field(default_factory=list)
    segments: dict[str, list[Signed]] = field(default_factory=dict)
    """Segment name to its entries, in the order in which they were signed."""
    line_of: dict[int, int] = field(default_factory=dict)
    """Number of an entry to its line."""
    findings: list[Finding] = field(default_factory=list)

    def note(self, line: int, kind: FindingKind, message: str) -> None:
        """Add a finding about a line of the checkpoint file."""
        self.findings.append(Finding(file=LEDGER, line=line, kind=kind, message=message))


_decoder = msgspec.json.Decoder(Signed)


def read(data: bytes, keys: Sequence[bytes]) -> Ledger:
    """Read the bytes of a checkpoint file. `keys` are the 32-byte public keys that may have signed it."""
    publics = [Ed25519PublicKey.from_public_bytes(key) for key in keys]
    *lines, tail = data.split(b"\n")
    ledger = Ledger([Row(line=i, raw=raw, said=_signed(raw, publics)) for i, raw in enumerate(lines, 1)])
    if tail:
        ledger.note(len(lines) + 1, K.TORN, "the last entry is cut off; nothing in it counts")
    if lines and not any(row.said for row in ledger.rows):
        ledger.note(1, K.SIGNATURE, "no entry of the file is signed with a key that was given")
        return ledger
    _check_lines(ledger)
    entries = _in_order(ledger)
    _check_streams(ledger, entries)
    for said in entries:
        ledger.segments.setdefault(said.segment, []).append(said)
    return ledger


def _signed(raw: bytes, publics: list[Ed25519PublicKey]) -> Signed | None:
    shape = _SHAPE.fullmatch(raw)
    if shape is None or not any(_holds(public, shape) for public in publics):
        return None
    try:
        return _decoder.decode(shape["body"] + b"}")
    except msgspec.DecodeError:
        return None


def _holds(public: Ed25519PublicKey, shape: re.Match[bytes]) -> bool:
    try:
        public.verify(bytes.fromhex(shape["sig"].decode()), _DOMAIN + shape["body"])
    except InvalidSignature:
        return False
    return True


def _check_lines(ledger: Ledger) -> None:
    """Judge lines that nobody signed: a torn one that the next entry owns up to is no more than a note."""
    following: Signed | None = None
    for row in reversed(ledger.rows):
        if row.said:
            following = row.said
        elif following and following.torn and following.torn.fits(row.raw):
            ledger.note(row.line, K.TORN_DECLARED, f"a torn entry, declared by entry {following.n}")
            following = None
        else:
            ledger.note(row.line, K.SIGNATURE, "the entry was changed, or was not signed with a key that was given")
            following = None


def _in_order(ledger: Ledger) -> list[Signed]:
    """Name what is missing, doubled or out of place, and return the entries by number."""
    found: dict[int, Signed] = {}
    numbers = {row.said.n for row in ledger.rows if row.said}
    top, unread, before = 0, 0, b""
    for row in ledger.rows:
        said = row.said
        if said is None:
            unread += 1
        elif said.n in found:
            ledger.note(row.line, K.DUPLICATED, f"entry {said.n} stands here again")
        else:
            found[said.n], ledger.line_of[said.n] = said, row.line
            if said.n < top:
                ledger.note(row.line, K.SWAPPED, f"entry {said.n} stands behind entry {top}")
            else:
                _check_step(ledger, row, said, [n for n in range(top + 1, said.n) if n not in numbers][unread:])
                if said.n == top + 1:
                    _check_prev(ledger, row, said, before)
                top, unread, before = said.n, 0, row.raw
    return [found[n] for n in sorted(found)]


def _check_step(ledger: Ledger, row: Row, said: Signed, missing: list[int]) -> None:
    if missing:
        ledger.note(row.line, K.MISSING, f"{len(missing)} entries before entry {said.n} are missing")


def _check_prev(ledger: Ledger, row: Row, said: Signed, before: bytes) -> None:
    expected = hashlib.sha256(before).hexdigest() if said.n > 1 else _ZERO
    if said.prev != expected:
        ledger.note(row.line, K.CHANGED, f"entry {said.n} was signed after another entry than the one before it")


def _check_streams(ledger: Ledger, entries: list[Signed]) -> None:
    """Hold the entries of each stream against each other: numbers without gaps, segments that follow on."""
    last: dict[str, Signed] = {}
    for said in entries:
        for problem in _steps(last.get(said.stream), said):
            ledger.note(ledger.line_of[said.n], K.NUMBERING, problem)
        last[said.stream] = said
    for said in last.values():
        if said.failed:
            ledger.note(ledger.line_of[said.n], K.DECLARED_GAP, f"{said.failed} lines could not be written")


def _steps(before: Signed | None, said: Signed) -> Iterator[str]:
    number = before.number if before else 0
    if said.number != number + 1:
        yield f"the stream's entries go from number {number} to {said.number}"
    elif before is None and said.kind != "open":
        yield "the stream's first entry opens no segment"
    elif before is not None and not _follows(before, said):
        yield "the entry does not follow from the one before it in its stream"


def _follows(before: Signed, said: Signed) -> bool:
    if said.kind == "open":
        return before.kind == "seal" and (before.head, before.seq) == (said.head, said.seq)
    return before.kind != "seal" and before.segment == said.segment and before.size <= said.size
