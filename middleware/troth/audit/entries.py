"""Entries of the checkpoint file: what is signed about a segment, and how it stands on a line.

An entry opens a segment (and so lists its stream), anchors it while it grows, or seals it. All entries of a directory
stand in one file, `checkpoints.jsonl`. ``n`` numbers the file's entries, ``prev`` is the SHA-256 of the line before,
``number`` counts the entries of one stream; none of them has a gap. The Ed25519 signature covers every byte before it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SCHEMA = 1
"""The version of lines and entries, their member ``v``."""
DOMAIN = b"troth trail entry 1\n"
"""Stands before the signed bytes, so that no signature of another purpose can be passed off as an entry's."""
_SIG = b',"sig":"'
_SIG_CHARS = 128


class EntryKind(StrEnum):
    """What an entry says about its segment."""

    OPEN = "open"
    CHECKPOINT = "checkpoint"
    SEAL = "seal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tip:
    """How far a segment has come: last `seq` of the stream, `lines` and `size` in bytes of the segment, `head` hash."""

    seq: int
    lines: int
    size: int
    head: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """Bytes behind the last whole line of a sealed segment: a torn line, or what recovery found broken."""

    size: int
    sha256: str

    @classmethod
    def of(cls, data: bytes) -> Rest | None:
        """Describe `data`; None where there is none."""
        return cls(size=len(data), sha256=hashlib.sha256(data).hexdigest()) if data else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry before it has a place in the file. `t` is UTC in ISO 8601, `stream` the 16-byte id."""

    kind: EntryKind
    stream: bytes
    retention: str
    segment: str
    number: int
    tip: Tip
    t: str
    failed: int = 0
    """How many lines of the stream could not be written so far."""
    rest: Rest | None = None
    recovered: bool = False
    """Whether another process than the writer sealed the segment."""
    broken: bool = False
    """Whether the segment was found changed before it could be sealed."""

    def members(self) -> dict[str, Any]:
        """Return what the entry says, ready for JSON; what does not apply is left out."""
        said: dict[str, Any] = {
            "kind": self.kind.value,
            "t": self.t,
            "stream": self.stream.hex(),
            "number": self.number,
            "retention": self.retention,
            "segment": self.segment,
            "seq": self.tip.seq,
            "lines": self.tip.lines,
            "size": self.tip.size,
            "head": self.tip.head.hex(),
        }
        if self.rest:
            said["rest"] = {"size": self.rest.size, "sha256": self.rest.sha256}
        optional = {"failed": self.failed, "recovered": self.recovered, "broken": self.broken}
        return said | {name: value for name, value in optional.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the next entry goes: its number in the file, the hash of the line before, a torn line to be ended first."""

    n: int
    prev: str
    torn: Rest | None = None


class Signing:
    """The signing key of a trail, from its 32-byte Ed25519 seed, and public keys of older ones that are still believed.

    Raises ValueError for a key of another length.
    """

    __slots__ = ("_known", "_private", "_public")

    def __init__(self, seed: bytes, older: Sequence[bytes] = ()) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self._public: Ed25519PublicKey = self._private.public_key()
        self._known = (self._public, *map(Ed25519PublicKey.from_public_bytes, older))

    @property
    def public(self) -> bytes:
        """The 32 bytes with which anybody verifies the trail."""
        return self._public.public_bytes_raw()

    def line(self, entry: Entry, place: Place) -> bytes:
        """Return the signed line of an entry at its place, without LF."""
        said: dict[str, Any] = {"v": SCHEMA, "n": place.n, "prev": place.prev}
        if place.torn:
            said["torn"] = {"size": place.torn.size, "sha256": place.torn.sha256}
        body = json.dumps(said | entry.members(), separators=(",", ":")).encode()[:-1]
        return body + _SIG + self._private.sign(DOMAIN + body).hex().encode() + b'"}'

    def read(self, line: bytes) -> dict[str, Any] | None:
        """Return what a line signed by one of the keys says, or None where it is no such line."""
        body, sig = line[: -_SIG_CHARS - len(_SIG) - 2], line[-_SIG_CHARS - 2 : -2]
        try:
            signature, said = bytes.fromhex(sig.decode()), json.loads(body + b"}")
        except ValueError:
            return None
        signed = any(_holds(public, signature, body) for public in self._known)
        return said if signed and isinstance(said, dict) else None


def _holds(public: Ed25519PublicKey, signature: bytes, body: bytes) -> bool:
    try:
        public.verify(signature, DOMAIN + body)
    except InvalidSignature:
        return False
    return True
