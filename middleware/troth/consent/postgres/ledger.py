"""The consent ledger of several machines, on PostgreSQL. What each table and write means is as in the SQLite file.

Looks that a request waits for are answered from the mirror of this process: a set and a dictionary in memory. Persons
that are not remembered are looked up over the network (`waits` says so beforehand, so that nobody does that on the
event loop). While the server is away nothing is believed: every look raises LedgerError, at once. See `watch` for how
a withdrawal on one machine holds at the next request of all.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, TypeVar

from troth.consent.batch import Batch, Digester, LedgerEntry
from troth.consent.gather import States, gather_choices, gather_states
from troth.consent.postgres.mirror import Mirror
from troth.consent.postgres.session import Rows, Session, settings
from troth.consent.postgres.tables import CHANNEL, OtherSchema, prepare
from troth.consent.postgres.watch import Watch, wait_for_listeners
from troth.consent.recent import Recent
from troth.errors import ConfigurationError, LedgerError
from troth.model.consent import Choices, Params

V = TypeVar("V")

START_SECONDS: Final = 10.0
_CHOICES: Final = """
SELECT pii_principal_id, purpose, params, event_state, event_time, privacy_notice, collection_method
FROM consent_records WHERE seq IN (
    SELECT max(seq) FROM consent_records WHERE pii_principal_id = ANY(?) GROUP BY pii_principal_id, purpose, params)
ORDER BY seq
"""
_STATES: Final = "SELECT pii_principal_id, name, params FROM subject_states WHERE pii_principal_id = ANY(?)"
_OPENED: Final[weakref.WeakSet[PostgresLedger]] = weakref.WeakSet()


class PostgresLedger:
    """The ledger at a server. Make it with `open`; every method raises LedgerError where the server does not answer."""

    def __init__(self, conninfo: str, digester: Digester, epoch: str) -> None:
        self._conninfo = conninfo
        self._digester = digester
        self.epoch = epoch
        self.number = Mirror()
        """Tells by a look whether anything has changed; odd while nobody vouches for what is known."""
        self._writer_thread = 0
        self._inherited: list[object] = []
        self._watch: Watch | None = None
        self._connect()
        _OPENED.add(self)

    @classmethod
    def open(cls, url: str, key: bytes) -> PostgresLedger:
        """Open the ledger at `url`, making its tables where they are missing.

        `key` makes the digests of persons, the same on all machines. Raises ConfigurationError where the server does
        not answer, refuses, or holds the ledger of another key or schema.
        """
        conninfo, digester = settings(url), Digester(key)
        session = Session(conninfo)
        try:
            with session.transaction(_nothing) as rows:
                if not prepare(rows, digester.check()):
                    raise ConfigurationError("the ledger was written with another ledger key")
                epoch = rows.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()[0]
        except OtherSchema:
            raise ConfigurationError("the ledger was made by another version of Troth") from None
        except LedgerError as error:
            raise ConfigurationError(str(error)) from None
        finally:
            session.close()
        ledger = cls(conninfo, digester, epoch)
        if not ledger.answers(START_SECONDS):
            ledger.close()
            raise ConfigurationError("the consent ledger does not answer")
        return ledger

    def waits(self, persons: Iterable[str]) -> bool:
        """Whether a look-up of these persons would wait for the server; while that is away nothing waits for it."""
        if not self.number.vouched:
            return False
        wanted = list(persons)
        number = self.number
        return bool(number.look(number.choices, wanted)[1] or number.look(number.states, wanted)[1])

    def choices_of(self, persons: Iterable[str]) -> dict[str, Choices]:
        """Return what each person chose, in one query for all that are not remembered."""
        return self._remembered(self.number.choices, persons, _CHOICES, gather_choices)

    def states_of(self, persons: Iterable[str]) -> dict[str, States]:
        """Return the states each person is in, in one query for all that are not remembered."""
        return self._remembered(self.number.states, persons, _STATES, gather_states)

    def retired(self, digest: bytes) -> bool:
        """Tell whether the consent id with this `consent_digest` is retired, from memory; a writer asks."""
        if self._is_writing():
            return bool(self._query("SELECT 1 FROM device_retired WHERE consent = ?", digest))
        return self.number.is_retired(digest)

    def active(self, policy: str) -> str | None:
        """Return the version of `policy` that was last activated; None where none ever was."""
        found = self._query("SELECT version FROM policy_versions WHERE policy = ? ORDER BY seq DESC LIMIT 1", policy)
        return str(found[0][0]) if found else None

    @contextmanager
    def writing(self) -> Iterator[Batch]:
        """Give a batch, and commit it whole at the end of the block; an exception in the block undoes it.

        Every machine knows of the write when the block is left. Batches do not nest. Where the connection breaks at the
        very end, LedgerError is raised though the write may have been done.
        """
        announced: list[int] = []
        with self._writer.transaction(lambda rows: announced.append(_announce(rows))) as rows:
            self._writer_thread = threading.get_ident()
            try:
                yield Batch(rows, self._digester)
            finally:
                self._writer_thread = 0
        wait_for_listeners(self._waiter, announced[0])

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

    def answers(self, seconds: float) -> bool:
        """Wait until the ledger was looked at for the first time; say whether it was in time."""
        return self._watch is not None and self._watch.wait(seconds)

    def rest(self) -> None:
        """Let no writer wait for this process any more. What it remembers no longer counts."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.stop()

    def close(self) -> None:
        """Close the connections of this process."""
        self.rest()
        for session in (self._reader, self._writer, self._waiter):
            session.close()

    def _connect(self) -> None:
        self._reader = Session(self._conninfo)
        self._writer = Session(self._conninfo)
        self._waiter = Session(self._conninfo)
        self._watch = Watch(self._conninfo, self.number, self.epoch)
        self._watch.start()

    def begin_again(self) -> None:
        """Go on in a child after a fork: connections and threads of the parent are left alone."""
        self._inherited += [self._reader, self._writer, self._waiter, self._watch]
        self.number.begin_again()
        self._writer_thread = 0
        if self._watch is not None:
            self._connect()

    def _is_writing(self) -> bool:
        return self._writer_thread == threading.get_ident()

    def _remembered(
        self,
        recent: Recent[str, V],
        persons: Iterable[str],
        query: str,
        gather: Callable[[Iterable[tuple[Any, ...]], Sequence[str]], dict[str, V]],
    ) -> dict[str, V]:
        if self._is_writing():
            wanted = list(dict.fromkeys(persons))
            return gather(self._of_persons(query, wanted), wanted)
        self.number.require()
        found, missing, turn = self.number.look(recent, persons)
        if missing:
            loaded = gather(self._of_persons(query, missing), missing)
            self.number.keep(recent, loaded, turn)
            found.update(loaded)
        return found

    def _of_persons(self, query: str, persons: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Give the rows of these persons, each with the person in place of the digest."""
        by_digest = {self._digester(person): person for person in persons}
        for digest, *row in self._query(query, [*by_digest]):
            yield (by_digest[digest], *row)

    def _query(self, query: str, *values: object) -> list[Any]:
        with self._reader.use("read") as rows:
            found: list[Any] = rows.execute(query, values).fetchall()
            return found


def _announce(rows: Rows) -> int:
    """Count the write, and tell the listeners of it: the server does so when, and only when, it commits."""
    (generation,) = rows.execute(
        "UPDATE meta SET value = CAST(value AS BIGINT) + 1 WHERE name = 'generation' RETURNING CAST(value AS BIGINT)"
    ).fetchone()
    rows.execute("SELECT pg_notify(?, '')", (CHANNEL,))
    return int(generation)


def _nothing(rows: Rows) -> None:
    """Announce nothing: what is made for the first time nobody knows yet."""


def _begin_again() -> None:
    for ledger in list(_OPENED):
        ledger.begin_again()


os.register_at_fork(after_in_child=_begin_again)
