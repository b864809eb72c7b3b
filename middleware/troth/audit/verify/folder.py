"""Verifying a directory, also one to which servers are writing at this moment."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from troth.audit.verify.ledger import LEDGER
from troth.audit.verify.report import Report
from troth.audit.verify.verifier import check

PATIENCE = 2.0
"""So many seconds are given to a live writer to anchor what it had written when verification began."""
_ATTEMPTS = 3
_PAUSE = 0.05


class _Progress(msgspec.Struct):
    segment: str
    size: int


_decoder = msgspec.json.Decoder(_Progress)


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of a directory. Of a segment that is being written only the bytes up to its `limits` are looked at."""

    path: Path
    limits: dict[str, int] = field(default_factory=dict)

    def names(self) -> Sequence[str]:
        """Return the names of all segments."""
        return sorted(path.name for path in self.path.glob("*.jsonl") if path.name != LEDGER)

    def data(self, name: str) -> bytes:
        """Return the bytes of a file, of a live segment as many as there were at the start."""
        return (self.path / name).read_bytes()[: self.limits.get(name)]

    def is_live(self, name: str) -> bool:
        """Tell whether a writer holds the lock of a segment."""
        fd = os.open(self.path / name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False

    def ledger(self) -> bytes | None:
        """Return the bytes of the checkpoint file, None where there is none."""
        try:
            return (self.path / LEDGER).read_bytes()
        except FileNotFoundError:
            return None


def verify(directory: Path, *public_keys: bytes, patience: float = PATIENCE) -> Report:
    """Verify the trail in `directory` under the 32-byte Ed25519 `public_keys` and report everything that is found.

    A server may go on writing meanwhile: what it had written at the start counts, and it gets `patience` seconds to
    anchor that. Nothing is changed or locked for longer than a look. Raises ValueError where no key or no proper key is
    given, OSError where a file cannot be read.
    """
    if not public_keys:
        raise ValueError("without a public key nothing can be verified")
    for _ in range(_ATTEMPTS - 1):
        report, settled = _attempt(directory, public_keys, patience)
        if report.ok or settled:
            return report
    return _attempt(directory, public_keys, patience)[0]


def _attempt(directory: Path, keys: Sequence[bytes], patience: float) -> tuple[Report, bool]:
    """Verify once; return also whether the checkpoint file stood still meanwhile, so that the report can be trusted."""
    folder = Folder(directory)
    written = {name: (directory / name).stat().st_size for name in folder.names() if folder.is_live(name)}
    data = _wait(folder, written, time.monotonic() + patience)
    sizes = _anchored(data or b"")
    limits = {name: max(size, sizes.get(name, 0)) for name, size in written.items()}
    report = check(Folder(directory, limits), data, keys)
    return report, folder.ledger() == data


def _wait(folder: Folder, written: dict[str, int], deadline: float) -> bytes | None:
    """Return the checkpoint file once it covers what is `written`, or when time is up."""
    while True:
        data = folder.ledger()
        sizes = _anchored(data or b"") if written else {}
        if all(sizes.get(name, 0) >= size for name, size in written.items()) or time.monotonic() >= deadline:
            return data
        time.sleep(_PAUSE)


def _anchored(data: bytes) -> dict[str, int]:
    """Return how far each segment claims to be anchored. Only for waiting: no signature is looked at."""
    sizes: dict[str, int] = {}
    for line in data.split(b"\n")[:-1]:
        try:
            said = _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        sizes[said.segment] = said.size
    return sizes
