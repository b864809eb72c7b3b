"""Trails made by hand, without the writer: lines, hashes, entries and signatures spelled out here once more."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from troth.audit.verify import Files

LEDGER = "checkpoints.jsonl"
KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()


@dataclass
class Segment:
    """One segment of one stream, growing."""

    stream: str
    k: int = 1
    seq: int = 0
    head: str = "0" * 64
    lines: list[bytes] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"access-{self.stream}-{self.k:04d}.jsonl"

    @property
    def data(self) -> bytes:
        return b"".join(line + b"\n" for line in self.lines)

    def add(self, **members: Any) -> None:
        self.seq += 1
        said = {"v": 1, "stream": self.stream, "seq": self.seq, "t": f"2026-11-22T00:00:{self.seq % 60:02d}.000000Z"}
        line = json.dumps(said | {"prev": self.head} | members).encode()
        hashed = bytes.fromhex(self.stream) + bytes.fromhex(self.head) + line
        self.head = hashlib.sha256(hashed).hexdigest()
        self.lines.append(line)

    def next(self) -> Segment:
        return Segment(self.stream, self.k + 1, self.seq, self.head)


class Ledger:
    """A checkpoint file, growing."""

    def __init__(self, key: Ed25519PrivateKey = KEY) -> None:
        self.key = key
        self.lines: list[bytes] = []
        self.numbers: dict[str, int] = {}

    @property
    def data(self) -> bytes:
        return b"".join(line + b"\n" for line in self.lines)

    def add(self, kind: str, segment: Segment, **more: Any) -> None:
        number = self.numbers[segment.stream] = self.numbers.get(segment.stream, 0) + 1
        before = hashlib.sha256(self.lines[-1]).hexdigest() if self.lines else "0" * 64
        said = {
            "v": 1,
            "n": len(self.lines) + 1,
            "prev": before,
            "kind": kind,
            "t": "2026-11-22T00:01:00.000000Z",
            "stream": segment.stream,
            "number": number,
            "retention": "access",
            "segment": segment.name,
            "seq": segment.seq,
            "lines": len(segment.lines),
            "size": len(segment.data),
            "head": segment.head,
        }
        self.lines.append(self.signed(said | more))

    def signed(self, said: dict[str, Any]) -> bytes:
        body = json.dumps(said, separators=(",", ":")).encode()[:-1]
        signature = self.key.sign(b"troth trail entry 1\n" + body).hex()
        return body + f',"sig":"{signature}"}}'.encode()


STREAMS = ("0a" * 16, "b1" * 16)


def made(count: int, every: int = 10, *, sealed: bool = True, behind: int = 0) -> tuple[Ledger, list[Segment]]:
    """Make two streams of `count` lines in all, a checkpoint `every` so many, `behind` lines after the last one."""
    ledger, segments = Ledger(), [Segment(stream) for stream in STREAMS]
    for segment in segments:
        ledger.add("open", segment)
    for n in range(count):
        segment = segments[n % 2]
        segment.add(kind="pd.access", stage="released", route=f"GET /orders/{n}")
        if len(segment.lines) % every == 0:
            ledger.add("checkpoint", segment)
    for segment in segments:
        if sealed:
            ledger.add("seal", segment)
        else:
            ledger.add("checkpoint", segment)
            for n in range(behind):
                segment.add(kind="pd.access", late=n)
    return ledger, segments


def files(ledger: Ledger, segments: list[Segment], *, live: bool = False) -> Files:
    names = frozenset(segment.name for segment in segments)
    return Files({LEDGER: ledger.data} | {each.name: each.data for each in segments}, names if live else frozenset())
