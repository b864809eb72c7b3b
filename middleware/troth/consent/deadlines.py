"""Deadlines: what has to follow an event until when, kept in the file of a home's events, for all its workers.

Every write waits for the disk: call from a thread. All methods may be called from several threads, and after a fork.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from troth.consent.batch import from_micros, to_micros
from troth.consent.event_file import EventFile
from troth.consent.generation import Lock

_AT_ONCE: Final = 100
"""So many are told in one look of the clock; the rest at the next."""
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

    def __init__(self, file: EventFile) -> None:
        self._file = file

    @classmethod
    def open(cls, path: Path, lock: Lock) -> Deadlines:
        """Open the file at `path`, making it where it is missing. Raises HomeError where that cannot be done."""
        return cls(EventFile.open(path, lock))

    def happened(self, event: str, *, policy: str, at: datetime, begun: Mapping[str, Iterable[Deadline]]) -> None:
        """Note an event of the subjects in `begun`: what it follows in time is done with, what has to follow begins.

        All or nothing. Nothing follows an event of nobody, who stands under an empty text.
        """
        micros = to_micros(at)
        with self._file.writing() as connection:
            connection.executemany(_FOLLOWED, [(one, policy, micros, micros, event) for one in begun if one])
            connection.executemany(_INSERT, [_row(one) for each in begun.values() for one in each])

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
        if not self._file.rows(_NEXT, *asked):  # no lock is taken where nothing is due
            return False
        with self._file.writing() as connection:
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
        query = f"SELECT {_COLUMNS} FROM deadlines ORDER BY due, seq"  # noqa: S608 - a constant
        return tuple(_deadline(row) for row in self._file.rows(query))

    def clear(self) -> None:
        """Forget all of them."""
        with self._file.writing() as connection:
            connection.execute("DELETE FROM deadlines")

    def close(self) -> None:
        """Close the connection of this process."""
        self._file.close()


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
