"""The checkpoint file: one per directory, shared by all processes of a home.

An append takes `flock`, looks where the file ends and writes one line. Nothing is ever cut off: where a writer died in
the middle of a line, the next one ends that line and says in its own entry how long the torn rest was and what it
hashes to.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from troth.audit.entries import Entry, Place, Rest, Signing
from troth.audit.failures import failed
from troth.errors import TrailError

FILE_NAME = "checkpoints.jsonl"
"""The checkpoint file of a trail directory."""
_FIRST_PREV = "0" * 64
_WINDOW = 4096


class Checkpoints:
    """The checkpoint file of one directory. Safe to use from several processes; opens the file for each append."""

    __slots__ = ("_signing", "path")

    path: Path

    def __init__(self, directory: Path, signing: Signing) -> None:
        self.path = directory / FILE_NAME
        self._signing = signing

    def append(self, entry: Entry) -> None:
        """Sign an entry and append it. Raises `TrailError` where it did not get into the file as a whole."""
        try:
            with _locked(self.path) as fd:
                place = _end(fd)
                line = (b"\n" if place.torn else b"") + self._signing.line(entry, place) + b"\n"
                written = os.write(fd, line)
        except OSError as error:
            raise failed("checkpoint", error) from error
        if written != len(line):
            raise TrailError("the checkpoint could be written only in part")

    def lines(self) -> list[bytes]:
        """Return the whole lines of the file, without LF. Raises `TrailError` where it cannot be read."""
        try:
            return self.path.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise failed("checkpoint file", error) from error


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield fd
    finally:
        os.close(fd)


def _end(fd: int) -> Place:
    """Find where the next entry goes. Only the last lines are read, unless somebody has damaged them."""
    size = os.fstat(fd).st_size
    data = os.pread(fd, _WINDOW, max(0, size - _WINDOW))
    end = data.rfind(b"\n") + 1
    last = data[data.rfind(b"\n", 0, max(0, end - 1)) + 1 : max(0, end - 1)]
    n = _number(last) or os.pread(fd, size, 0).count(b"\n")
    return Place(n=n + 1, prev=hashlib.sha256(last).hexdigest() if end else _FIRST_PREV, torn=Rest.of(data[end:]))


def _number(line: bytes) -> int:
    """Return the number of an entry; 0 where the line is none."""
    try:
        n = json.loads(line)["n"]
    except (ValueError, KeyError, TypeError):
        return 0
    return n if isinstance(n, int) else 0
