"""What a home remembers of policy versions besides the ledger: since when each is announced, and with which text.

It stands in the file of the home's events. Call from a thread that may wait for the disk.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from troth.consent.batch import from_micros, to_micros
from troth.consent.event_file import EventFile
from troth.consent.generation import Lock

_ANNOUNCED: Final = "SELECT announced FROM versions WHERE policy = ? AND version = ? AND announced IS NOT NULL"
_ANNOUNCE: Final = """
INSERT INTO versions (policy, version, announced) VALUES (?, ?, ?)
ON CONFLICT (policy, version) DO UPDATE SET announced = excluded.announced
"""
_TEXT: Final = "SELECT text FROM versions WHERE policy = ? AND version = ? AND text IS NOT NULL"
_KEEP_TEXT: Final = """
INSERT INTO versions (policy, version, text) VALUES (?, ?, ?)
ON CONFLICT (policy, version) DO UPDATE SET text = excluded.text
"""


class VersionNotes:
    """The notes of one home. Make it with `open`; methods raise LedgerError where the file does not answer."""

    def __init__(self, file: EventFile) -> None:
        self._file = file

    @classmethod
    def open(cls, path: Path, lock: Lock) -> VersionNotes:
        """Open the file at `path`, making it where it is missing. Raises HomeError where that cannot be done."""
        return cls(EventFile.open(path, lock))

    def announced(self, policy: str, version: str) -> datetime | None:
        """Return since when a version is announced; None where nobody saw that it is."""
        found = self._file.rows(_ANNOUNCED, policy, version)
        return from_micros(found[0][0]) if found else None

    def announce(self, policy: str, version: str, at: datetime, tell: Callable[[], object]) -> bool:
        """Note that a version is announced; False where that is noted. Told within: what `tell` raises undoes it."""
        if self.announced(policy, version) is not None:
            return False
        with self._file.writing() as connection:
            if connection.execute(_ANNOUNCED, (policy, version)).fetchone() is not None:
                return False
            connection.execute(_ANNOUNCE, (policy, version, to_micros(at)))
            tell()
        return True

    def keep_text(self, policy: str, version: str, digest: str, tell: Callable[[], object]) -> bool:
        """Note the text of a version. Has `tell` told where it was another one, and says so; as `announce` does."""
        if self._text(policy, version) == digest:
            return False
        with self._file.writing() as connection:
            before = connection.execute(_TEXT, (policy, version)).fetchone()
            if before is not None and before[0] == digest:
                return False
            connection.execute(_KEEP_TEXT, (policy, version, digest))
            if before is not None:
                tell()
        return before is not None

    def _text(self, policy: str, version: str) -> str | None:
        found = self._file.rows(_TEXT, policy, version)
        return str(found[0][0]) if found else None

    def close(self) -> None:
        """Close the connection of this process."""
        self._file.close()
