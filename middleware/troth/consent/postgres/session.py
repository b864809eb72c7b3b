"""One connection to the server, made when it is needed and made anew when it broke."""

from __future__ import annotations

import select
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from troth.consent.postgres.tables import LOCK, NAMESPACE
from troth.errors import ConfigurationError, LedgerError

ERRORS: Final = (psycopg.Error, OSError)
TURN_SECONDS: Final = 10.0
"""How long anyone waits for the connection, or a writer for the lock of all writers."""

_SETTINGS: Final = {
    "connect_timeout": 2,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 2,
    "tcp_user_timeout": 3000,
    "application_name": "troth",
}
# A writer that was stopped in the middle must not keep all others out; what is committed is to outlive a crash.
_OPTIONS: Final = (
    f"-c search_path={NAMESPACE} -c synchronous_commit=on -c statement_timeout=10s -c lock_timeout=10s"
    " -c idle_in_transaction_session_timeout=15s"
)


def settings(url: str) -> str:
    """Return how to connect: what the URL says, and time limits where it says nothing. Raises ConfigurationError."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.Error:
        raise ConfigurationError("the URL of the ledger cannot be read") from None  # the cause shows the password
    options = f"{given.pop('options', None) or ''} {_OPTIONS}".strip()
    merged: dict[str, Any] = {**_SETTINGS, **given, "options": options}
    return make_conninfo("", **merged)


def _was_left(connection: psycopg.Connection[Any]) -> bool:
    """Whether the server has something to say though nothing was asked: it has gone meanwhile, or says that it will."""
    waiting = select.poll()
    waiting.register(connection, select.POLLIN)
    return bool(waiting.poll(0))


def connect(conninfo: str) -> psycopg.Connection[Any]:
    """Open a connection on which each statement stands for itself."""
    return psycopg.connect(conninfo, autocommit=True)


@lru_cache(maxsize=256)
def _with_its_marks(sql: str) -> bytes:
    return sql.replace("?", "%s").encode()


class Rows:
    """A connection that takes SQL with `?` for each value, as a batch writes it."""

    __slots__ = ("_connection",)

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Any:
        """Run one statement (or several, where no values go with them)."""
        return self._connection.execute(_with_its_marks(sql), parameters or None)

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Any:
        """Run one statement for each row of values."""
        cursor = self._connection.cursor()
        cursor.executemany(_with_its_marks(sql), list(parameters))
        return cursor


class Session:
    """A connection that one thread has at a time. What goes wrong with it is a LedgerError that shows no detail."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._turn = threading.Lock()
        self._connection: psycopg.Connection[Any] | None = None

    @contextmanager
    def use(self, doing: str) -> Iterator[Rows]:
        """Have the connection to oneself. `doing` stands in the error: ``read`` or ``written``."""
        if not self._turn.acquire(timeout=TURN_SECONDS):
            raise LedgerError(f"the consent ledger could not be {doing} (too many wait for it)")
        try:
            yield Rows(self._open())
        except ERRORS as error:
            raise LedgerError(f"the consent ledger could not be {doing} ({type(error).__name__})") from None
        finally:
            self._drop_broken()
            self._turn.release()

    @contextmanager
    def transaction(self, at_commit: Callable[[Rows], None]) -> Iterator[Rows]:
        """Be the only writer of all machines until the block ends; then run `at_commit`, and commit both."""
        with self.use("written") as rows:
            rows.execute("BEGIN")
            try:
                rows.execute("SELECT pg_advisory_xact_lock(?)", (LOCK,))
                yield rows
                at_commit(rows)
                rows.execute("COMMIT")
            except BaseException:
                with suppress(*ERRORS):  # the server ends the transaction with a connection that broke
                    rows.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the connection; it opens again when it is asked for."""
        with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> psycopg.Connection[Any]:
        if self._connection is not None and _was_left(self._connection):
            self._connection.close()
            self._connection = None
        if self._connection is None:
            self._connection = connect(self._conninfo)
        return self._connection

    def _drop_broken(self) -> None:
        if self._connection is not None and self._connection.broken:
            self._connection.close()
            self._connection = None
