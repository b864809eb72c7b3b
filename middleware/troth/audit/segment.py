"""Segment files: names, creation, and what is looked at before a segment is anchored.

A segment is one file of a stream. Its writer holds `flock` on it for as long as it writes, so that recovery can tell
the living from the dead. Nothing is appended after a torn line and nothing is ever truncated.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from pathlib import Path

from troth.audit.chain import STREAM_BYTES

NAME = re.compile(rf"(?P<retention>[a-z][a-z0-9-]*)-(?P<stream>[0-9a-f]{{{2 * STREAM_BYTES}}})-(?P<k>\d{{4,}})\.jsonl")
"""``<retention class>-<stream id>-<number of the segment>.jsonl``"""
SYNC_SECONDS = 0.2
"""Under load not every checkpoint syncs: a power cut may take anchored lines of so many seconds with it."""
_RETENTION = re.compile(r"[a-z][a-z0-9-]*")


def check_retention(name: str) -> str:
    """Return the name of a retention class. Raises ValueError for one that no file can bear."""
    if not _RETENTION.fullmatch(name):
        raise ValueError("a retention class is named in lower-case letters, digits and hyphens")
    return name


def file_name(retention: str, stream: bytes, k: int) -> str:
    """Return the name of segment number `k` (from 1) of a stream."""
    return f"{retention}-{stream.hex()}-{k:04d}.jsonl"


class SegmentFile:
    """One open segment, made new and locked. Raises OSError where it cannot be made."""

    __slots__ = ("_sync_due", "fd", "name", "opened", "path")

    fd: int
    name: str
    path: Path
    opened: int
    """When it was opened, in nanoseconds of Unix time."""

    def __init__(self, directory: Path, name: str, opened: int) -> None:
        self.name, self.path, self.opened, self.fd = name, directory / name, opened, -1
        self._sync_due = 0.0
        self.fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self.fd, fcntl.LOCK_EX)
        _sync_directory(directory)

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Give up file and lock; once is enough, twice does no harm."""
        if self.fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self.fd)
            self.fd = -1

    def size(self) -> int:
        """Return the size of the file as the system sees it."""
        return os.fstat(self.fd).st_size

    def settle(self, size: int) -> bool:
        """Sync the file before `size` bytes of it are anchored; return False where it was cut, moved or unlinked."""
        if time.monotonic() >= self._sync_due:
            os.fdatasync(self.fd)
            self._sync_due = time.monotonic() + SYNC_SECONDS
        own = os.fstat(self.fd)
        try:
            named = os.stat(self.path)
        except FileNotFoundError:
            return False
        return own.st_ino == named.st_ino and own.st_dev == named.st_dev and own.st_size >= size


def _sync_directory(directory: Path) -> None:
    """Make the name of a new segment survive a power cut as its checkpoints will."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
