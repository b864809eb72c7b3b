"""The file in which a home keeps what it must know of events: one SQLite file, shared by all workers.

It stands beside the ledger, so that a write to it makes no worker read consents again. No row holds a personal
identifier: subjects and clients stand under the pseudonyms that the trail knows.

A write waits for other writers, and where it is `durable` for the disk: call from a thread. All methods may be called
from several threads, and after a fork.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from troth.consent import schema
from troth.consent.connection import Connection
from troth.consent.generation import Lock
from troth.errors import HomeError, LedgerError

SCHEMA: Final = 3
_BUSY_MILLISECONDS: Final = 5000
_DEADLINES: Final = """
CREATE TABLE deadlines (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    policy TEXT NOT NULL,
    rule TEXT NOT NULL,
    event TEXT NOT NULL,
    subject TEXT NOT NULL,
    wants TEXT NOT NULL,
    at INTEGER NOT NULL,
    remind INTEGER,
    due INTEGER NOT NULL,
    told TEXT NOT NULL
);
CREATE INDEX deadline_due ON deadlines (due);
CREATE INDEX deadline_of ON deadlines (subject, policy);
"""
_COUNTS: Final = """
CREATE TABLE counts (
    key TEXT NOT NULL UNIQUE,
    latest BLOB NOT NULL,
    until INTEGER NOT NULL
);
CREATE INDEX count_until ON counts (until);
"""
_VERSIONS: Final = """
CREATE TABLE versions (
    policy TEXT NOT NULL,
    version TEXT NOT NULL,
    announced INTEGER,
    text TEXT,
    PRIMARY KEY (policy, version)
) WITHOUT ROWID;
"""
_MISSING: Final = {0: _DEADLINES + _COUNTS + _VERSIONS, 1: _COUNTS + _VERSIONS, 2: _VERSIONS}
"""What a file of each older schema lacks."""


class EventFile:
    """A connection of this process to the file. What is written where it is not `durable` outlives the process only."""

    def __init__(self, path: Path, *, durable: bool) -> None:
        self._connection = Connection(path)
        self._lock = threading.Lock()
        self._pragmas = (
            f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}",
            f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}",
        )

    @classmethod
    def open(cls, path: Path, lock: Lock, *, durable: bool = True) -> EventFile:
        """Open the file at `path`, making it where it is missing. Raises HomeError where that cannot be done."""
        try:
            with lock():
                _prepare(path)
            return cls(path, durable=durable)
        except (sqlite3.Error, OSError) as error:
            raise HomeError(f"keeps no deadlines or counts ({type(error).__name__})", path=str(path)) from error

    def rows(self, query: str, *values: str | int | bytes) -> list[Any]:
        """Return all rows of a query. Raises LedgerError."""
        with self._lock:
            return self._connection.rows(query, *values)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give a connection, and commit at the end of the block; an exception undoes it. Raises LedgerError."""
        with self._lock:
            try:
                connection = self._connection.get()
                for pragma in self._pragmas:
                    connection.execute(pragma)
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.execute("COMMIT")
                finally:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
            except sqlite3.Error as error:
                raise LedgerError(f"events could not be written ({type(error).__name__})") from error

    def close(self) -> None:
        """Close the connection of this process."""
        self._connection.close()


def _prepare(path: Path) -> None:
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with contextlib.closing(schema.connect(path)) as connection:
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found == SCHEMA:
            return
        if found not in _MISSING:
            raise sqlite3.DatabaseError(f"events of schema {found}, not {SCHEMA}")
        connection.executescript(f"BEGIN IMMEDIATE; {_MISSING[found]} PRAGMA user_version = {SCHEMA}; COMMIT;")
