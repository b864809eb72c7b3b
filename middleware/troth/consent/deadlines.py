"""Deadlines: what has to follow an event until when. One SQLite file per home, shared by all its workers.

It stands beside the ledger, so that a write to it makes no worker read consents again. A row holds no personal
identifier: the subject stands under the pseudonym that the trail knows.

Every write waits for the disk: call from a thread. All methods may be called from several threads, and after a fork.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from troth.consent import schema
from troth.consent.batch import from_micros, to_micros
from troth.consent.connection import Connection
from troth.consent.generation import Lock
from troth.errors import HomeError, LedgerError

SCHEMA: Final = 1
_BUSY_MILLISECONDS: Final = 5000
_AT_ONCE: Final = 100
"""So many are told in one look of the clock; the rest at the next."""
_TABLES: Final = """
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
_INSERT: Final = """
INSERT INTO deadlines (policy, rule, event, subject, wants, at, remind, due, told) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_FOLLOWED: Final = """
DELETE FROM deadlines WHERE subject = ? AND policy = ? AND due >= ? AND at <= ?
AND EXISTS (SELECT 1 FROM json_each(wants) WHERE value = ?)
"""
_COLUMNS: Final = "seq, policy, rule, event, subject, wants, at, remind, due, told"
_NEXT: Final = f"""
SELECT {_COLUMNS} FROM deadlines
WHERE (due <= ? OR remind <= ?) AND policy IN (SELECT value FROM json_each(?))
AND rule NOT IN (SELECT value FROM json_each(?)) ORDER BY due, seq LIMIT 1
"""  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """What one rule wants to follow one event. `told` is what the line will say; `subject` is empty for nobody."""

    policy: str
    rule: str
    event: str
    subject: str
    wants: tuple[str, ...]
    """Any of these will do."""
    at: datetime
    remind: datetime | None
    due: datetime
    told: dict[str, Any]


class Deadlines:
    """The deadlines of one home. Make it with `open`; methods raise LedgerError where the file does not answer."""

    def __init__(self, path: Path) -> None:
        self._connection = Connection(path)
        self._lock = threading.Lock()

    @classmethod
    def open(cls, path: Path, lock: Lock) -> Deadlines:
        """Open the file at `path`, making it where it is missing. Raises HomeError where that cannot be done."""
        try:
            with lock():
                _prepare(path)
            return cls(path)
        except (sqlite3.Error, OSError) as error:
            raise HomeError(f"keeps no deadlines ({type(error).__name__})", path=str(path)) from error

    def happened(self, event: str, *, policy: str, subject: str, at: datetime, begun: Iterable[Deadline]) -> None:
        """Note an event: what it follows in time is done with, what has to follow it is `begun`. All or nothing.

        Nothing follows an event of nobody, whose `subject` is empty.
        """
        with self._writing() as connection:
            if subject:
                micros = to_micros(at)
                connection.execute(_FOLLOWED, (subject, policy, micros, micros, event))
            connection.executemany(_INSERT, [_row(one) for one in begun])

    def look(
        self, now: datetime, policies: Collection[str], without: Collection[str], tell: Callable[[Deadline, bool], None]
    ) -> int:
        """Have `tell` told of what has passed (True) or has to be reminded of (False); returns how many that were.

        Each is told within the transaction that ends it: what `tell` raises leaves it for the next look, and a process
        that dies between the two tells it again. Rules that stand `without` wait.
        """
        number = 0
        while number < _AT_ONCE and self._next(now, policies, without, tell):
            number += 1
        return number

    def _next(
        self, now: datetime, policies: Collection[str], without: Collection[str], tell: Callable[[Deadline, bool], None]
    ) -> bool:
        asked = (to_micros(now), to_micros(now), json.dumps([*policies]), json.dumps([*without]))
        if not self._read(asked):  # no lock is taken where nothing is due
            return False
        with self._writing() as connection:
            row = connection.execute(_NEXT, asked).fetchone()
            if row is None:
                return False
            deadline = _deadline(row)
            passed = deadline.due <= now
            if passed:
                connection.execute("DELETE FROM deadlines WHERE seq = ?", (row[0],))
            else:
                connection.execute("UPDATE deadlines SET remind = NULL WHERE seq = ?", (row[0],))
            tell(deadline, passed)
        return True

    def open_ones(self) -> tuple[Deadline, ...]:
        """Return what has to follow still, the most urgent first."""
        with self._lock:
            query = f"SELECT {_COLUMNS} FROM deadlines ORDER BY due, seq"  # noqa: S608 - a constant
            return tuple(_deadline(row) for row in self._connection.rows(query))

    def clear(self) -> None:
        """Forget all of them."""
        with self._writing() as connection:
            connection.execute("DELETE FROM deadlines")

    def close(self) -> None:
        """Close the connection of this process."""
        self._connection.close()

    def _read(self, asked: tuple[int | str, ...]) -> bool:
        with self._lock:
            return bool(self._connection.rows(_NEXT, *asked))

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                connection = self._connection.get()
                connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.execute("COMMIT")
                finally:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
            except sqlite3.Error as error:
                raise LedgerError(f"deadlines could not be written ({type(error).__name__})") from error


def _prepare(path: Path) -> None:
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with contextlib.closing(schema.connect(path)) as connection:
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found == 0:
            connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {SCHEMA}; COMMIT;")
        elif found != SCHEMA:
            raise sqlite3.DatabaseError(f"deadlines of schema {found}, not {SCHEMA}")


def _row(one: Deadline) -> tuple[object, ...]:
    remind = None if one.remind is None else to_micros(one.remind)
    return (
        one.policy, one.rule, one.event, one.subject, json.dumps(one.wants), to_micros(one.at), remind,
        to_micros(one.due), json.dumps(one.told),
    )  # fmt: skip


def _deadline(row: tuple[Any, ...]) -> Deadline:
    _, policy, rule, event, subject, wants, at, remind, due, told = row
    return Deadline(
        policy=policy, rule=rule, event=event, subject=subject, wants=tuple(json.loads(wants)), at=from_micros(at),
        remind=None if remind is None else from_micros(remind), due=from_micros(due), told=json.loads(told),
    )  # fmt: skip
