"""The consent ledger: choices and states of persons, retired device consents, the policy version in force.

One SQLite file per home, shared by all workers. Reads are answered from a bounded snapshot that holds as long as the
generation does; while a write is under way, or was cut off by the death of its writer, the file itself is asked. So a
withdrawal holds on the next request of every worker.

A write waits for the disk (about a millisecond): call it from a thread where the event loop must not wait. Reads that
miss the snapshot take some ten microseconds; where many persons are missing (`waits` says so) they go over a connection
of their own, so that a thread which reads thousands keeps nobody else waiting. All methods may be called from several
threads, and after a fork.

The epoch is the ledger's random id: when the file is lost, a new one is made and no old cookie grants anything.
Whoever puts an older copy of the file back, or makes a lost one anew, does so while no worker runs; with an older copy
the row ``epoch`` of `meta` is deleted first, so that a new one is drawn.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from troth.consent import schema
from troth.consent.batch import Batch, Digester, LedgerEntry
from troth.consent.connection import Connection
from troth.consent.gather import States, gather_choices, gather_states
from troth.consent.generation import Generation
from troth.consent.recent import Recent
from troth.errors import HomeError, LedgerError
from troth.model.consent import Choices, Params

V = TypeVar("V")

_SNAPSHOT: Final = 4096
"""How many persons a worker remembers, of choices and of states each."""
_FEW: Final = 32
"""So many persons are looked up on the event loop; more are read in a thread."""
_NEVER: Final = -1

_CHOICES: Final = """
SELECT pii_principal_id, purpose, params, event_state, event_time, privacy_notice, collection_method
FROM consent_records WHERE seq IN (
    SELECT max(seq) FROM consent_records WHERE pii_principal_id IN (SELECT value FROM json_each(?))
    GROUP BY pii_principal_id, purpose, params)
ORDER BY seq
"""
_STATES: Final = """
SELECT pii_principal_id, name, params FROM subject_states
WHERE pii_principal_id IN (SELECT value FROM json_each(?))
"""


class Ledger:
    """The ledger of one home. Make it with `open`; every method raises LedgerError where the file does not answer."""

    def __init__(self, path: Path, generation: Generation, digester: Digester) -> None:
        self._generation = generation
        self._digester = digester
        self._reader = Connection(path)
        self._writer = Connection(path)
        self._many = Connection(path)
        self._lock = threading.Lock()
        self._many_lock = threading.Lock()
        self._seen = _NEVER
        self._person_changes = _NEVER
        self._last_retired = 0
        self._retired: set[bytes] = set()
        self._choices: Recent[str, Choices] = Recent(_SNAPSHOT)
        self._states: Recent[str, States] = Recent(_SNAPSHOT)
        self.epoch: str = self._query("SELECT value FROM meta WHERE name = 'epoch'")[0][0]

    @classmethod
    def open(cls, path: Path, generation: Generation, key: bytes) -> Ledger:
        """Open the ledger at `path`, making it where it is missing, and end what a dead writer left open.

        `key` makes the digests of persons. Raises HomeError where the file cannot be made or used, or belongs to
        another key: with that one no recorded refusal would be found.
        """
        digester = Digester(key)
        try:
            with generation.lock():
                if not schema.prepare(path, digester.check()):
                    raise HomeError("was written with another ledger key", path=str(path))
            generation.close_left_open()
            return cls(path, generation, digester)
        except (sqlite3.Error, LedgerError, OSError) as error:
            raise HomeError(f"is no ledger that can be used ({type(error).__name__})", path=str(path)) from error

    def waits(self, persons: Iterable[str]) -> bool:
        """Whether a look-up of these persons takes too long for the event loop: where many are not remembered."""
        wanted = list(persons)
        if len(wanted) <= _FEW:
            return False
        with self._lock:
            if not self._refresh():
                return True
            return sum(not (self._choices.holds(one) and self._states.holds(one)) for one in wanted) > _FEW

    def choices_of(self, persons: Iterable[str]) -> dict[str, Choices]:
        """Return what each person chose, in one query for all that are not remembered.

        Of each consent and parameters the latest record counts; one without parameters replaces all before it.
        """
        return self._remembered(self._choices, persons, _CHOICES, gather_choices)

    def states_of(self, persons: Iterable[str]) -> dict[str, States]:
        """Return the states each person is in, in one query for all that are not remembered."""
        return self._remembered(self._states, persons, _STATES, gather_states)

    def retired(self, digest: bytes) -> bool:
        """Tell whether the consent id with this `consent_digest` is retired."""
        if self._generation.read() != self._seen and not self._caught_up():
            return bool(self._query("SELECT 1 FROM device_retired WHERE consent = ?", digest))
        return digest in self._retired

    def active(self, policy: str) -> str | None:
        """Return the version of `policy` that was last activated; None where none ever was."""
        found = self._query("SELECT version FROM policy_versions WHERE policy = ? ORDER BY seq DESC LIMIT 1", policy)
        return str(found[0][0]) if found else None

    @contextmanager
    def writing(self) -> Iterator[Batch]:
        """Give a batch, and commit it whole at the end of the block; an exception in the block undoes it.

        Every worker knows of the write when the block is left. Batches do not nest.
        """
        try:
            with self._generation.writing():
                connection = self._writer.get()
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield Batch(connection, self._digester)
                    connection.execute("COMMIT")
                finally:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
        except (sqlite3.Error, HomeError) as error:
            raise LedgerError(f"the consent ledger could not be written ({type(error).__name__})") from error

    def record_person(self, person: str, entries: Iterable[LedgerEntry]) -> None:
        """Write choices of a person in a batch of their own."""
        with self.writing() as batch:
            batch.record_person(person, entries)

    def retire(self, consent_id: bytes, *, at: datetime, keep_until: datetime | None) -> None:
        """Retire a consent id in a batch of its own."""
        with self.writing() as batch:
            batch.retire(consent_id, at=at, keep_until=keep_until)

    def set_state(self, person: str, name: str, params: Params = (), *, at: datetime) -> None:
        """Put a person into a state in a batch of its own."""
        with self.writing() as batch:
            batch.set_state(person, name, params, at=at)

    def clear_state(self, person: str, name: str, params: Params = ()) -> None:
        """Take a person out of a state in a batch of its own."""
        with self.writing() as batch:
            batch.clear_state(person, name, params)

    def erase(self, person: str) -> None:
        """Remove everything recorded of a person."""
        with self.writing() as batch:
            batch.erase(person)

    def activate(self, version: str, *, policy: str, at: datetime) -> None:
        """Make a policy version the one in force, in a batch of its own."""
        with self.writing() as batch:
            batch.activate(version, policy=policy, at=at)

    def rest(self) -> None:
        """Do nothing: nobody waits for a process that reads the file."""

    def close(self) -> None:
        """Close the connections of this process."""
        for connection in (self._reader, self._writer, self._many):
            connection.close()

    def _remembered(
        self,
        recent: Recent[str, V],
        persons: Iterable[str],
        query: str,
        gather: Callable[[Iterable[tuple[Any, ...]], Sequence[str]], dict[str, V]],
    ) -> dict[str, V]:
        with self._lock:
            current = self._refresh()
            found, missing = _split(recent if current else None, persons)
            if not missing:
                return found
            if len(missing) <= _FEW:
                loaded = gather(self._of_persons(self._reader, query, missing), missing)
                return found | (_kept(recent, loaded) if current else loaded)
            seen = self._seen
        with self._many_lock:
            loaded = gather(self._of_persons(self._many, query, missing), missing)
        with self._lock:
            # What was read before somebody wrote must not be taken for what stands after it.
            if current and self._seen == seen == self._generation.read():
                _kept(recent, loaded)
        return found | loaded

    def _caught_up(self) -> bool:
        with self._lock:
            return self._refresh()

    def _refresh(self) -> bool:
        """Bring what is remembered up to the generation; False while that is odd, when only the file itself knows.

        The number is read before the file: what is remembered may be newer than the number says, never older.
        """
        now = self._generation.read()
        if now == self._seen:
            return True
        if now & 1:
            return False
        for seq, consent in self._query(
            "SELECT seq, consent FROM device_retired WHERE seq > ? ORDER BY seq", self._last_retired
        ):
            self._retired.add(consent)
            self._last_retired = seq
        changes = self._query("SELECT value FROM meta WHERE name = 'person_changes'")[0][0]
        if changes != self._person_changes:
            self._choices.clear()
            self._states.clear()
            self._person_changes = changes
        self._seen = now
        return True

    def _of_persons(self, connection: Connection, query: str, persons: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Give the rows of these persons, each with the person in place of the digest."""
        by_digest = {self._digester(person): person for person in persons}
        # The digests travel as one JSON value: one statement whatever their number, so that SQLite compiles it once.
        for digest, *row in connection.rows(query, json.dumps([*by_digest])):
            yield (by_digest[digest], *row)

    def _query(self, query: str, *values: str | int | bytes) -> list[Any]:
        return self._reader.rows(query, *values)


def _split(recent: Recent[str, V] | None, persons: Iterable[str]) -> tuple[dict[str, V], list[str]]:
    """Return what is remembered of these persons, and who is not."""
    found: dict[str, V] = {}
    missing: list[str] = []
    for person in dict.fromkeys(persons):
        value = None if recent is None else recent.get(person)
        if value is None:
            missing.append(person)
        else:
            found[person] = value
    return found, missing


def _kept(recent: Recent[str, V], loaded: dict[str, V]) -> dict[str, V]:
    for person, value in loaded.items():
        recent.put(person, value)
    return loaded
