"""How often events happened lately, counted over all workers of a home and over restarts.

Of each key the latest instants stand in one row, as many as its limit can ask for. A key is forgotten when the period
of its limit has passed since its last event, or when there are too many: then the one that was quiet longest goes. A
count outlives a killed process; a machine that loses its power may forget the last seconds of counting.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from sqlite3 import Connection
from typing import Final

from troth.consent.batch import from_micros, to_micros
from troth.consent.event_file import EventFile
from troth.consent.generation import Lock
from troth.model.period import Period

MOST_KEYS: Final = 4096
"""So many keys are counted at once."""
_PUT: Final = """
INSERT INTO counts (key, latest, until) VALUES (?, ?, ?)
ON CONFLICT (key) DO UPDATE SET latest = excluded.latest, until = excluded.until
"""
_MAKE_ROOM: Final = """
DELETE FROM counts WHERE rowid IN (
    SELECT rowid FROM counts ORDER BY until LIMIT max(0, (SELECT count(*) FROM counts) - ?)
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What an event is counted under (no personal identifier), and how far: up to `limit` of them `within` a period."""

    key: str
    limit: int
    within: Period


class EventCounts:
    """The counts of one home. Make it with `open`; call `add` from a thread."""

    def __init__(self, file: EventFile) -> None:
        self._file = file

    @classmethod
    def open(cls, path: Path, lock: Lock) -> EventCounts:
        """Open the file at `path`, making it where it is missing. Raises HomeError where that cannot be done."""
        return cls(EventFile.open(path, lock, durable=False))

    def add(self, counted: Iterable[Counted], at: datetime) -> list[tuple[datetime, ...]]:
        """Count an event once under each; returns the latest instants of each, this one included. All or nothing.

        Instants come in the order in which workers counted. One beyond `limit` decides, so `limit` + 1 are kept.
        Raises LedgerError.
        """
        now = to_micros(at)
        with self._file.writing() as connection:
            connection.execute("DELETE FROM counts WHERE until < ?", (now,))
            found = [_add(connection, one, at, now) for one in counted]
        return [tuple(map(from_micros, latest)) for latest in found]

    def close(self) -> None:
        """Close the connection of this process."""
        self._file.close()


def _add(connection: Connection, one: Counted, at: datetime, now: int) -> list[int]:
    row = connection.execute("SELECT latest FROM counts WHERE key = ?", (one.key,)).fetchone()
    since = to_micros(one.within.before(at))
    before = [] if row is None else [micros for micros in array("q", row[0]) if micros > since]
    latest = [*before[-one.limit :], now] if one.limit else [now]
    connection.execute(_PUT, (one.key, array("q", latest).tobytes(), to_micros(one.within.after(at))))
    if row is None:
        connection.execute(_MAKE_ROOM, (MOST_KEYS,))
    return latest
