"""The thread that keeps the mirror of one process true, and lets writers know that it does.

How a withdrawal on one machine holds at the next request of all. Each process has a row in `listeners` with the
generation that it has taken over. A writer commits, and PostgreSQL tells the listeners; each takes the change over and
says so in its row; only then is the write done. For who does not say so the writer waits as long as a lease: a look
that found nothing newer vouches for no longer than that, counted from before the look. Then the row is deleted, so
that the dead are waited for once. A listener vouches only for the generation that stands in its own row at the moment
of the look, so one whose row was deleted has to look again. No clocks of two machines are ever compared.
"""

from __future__ import annotations

import logging
import secrets
import select
import socket
import threading
import time
from typing import Any, Final

from troth.consent.postgres.mirror import LEASE, Mirror, uptime
from troth.consent.postgres.session import ERRORS, Rows, Session, connect
from troth.consent.postgres.tables import CHANNEL
from troth.errors import LedgerError

BEAT: Final = 0.6
"""Seconds between two looks while nothing happens."""
_PAUSES: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Seconds between tries to reach a server that is away."""
_LOG: Final = logging.getLogger("troth")

_LOOK: Final = """
SELECT (SELECT value FROM meta WHERE name = 'epoch'),
       (SELECT value FROM meta WHERE name = 'generation')::bigint,
       (SELECT value FROM meta WHERE name = 'person_changes')::bigint,
       (SELECT seen FROM listeners WHERE id = ?)
"""


class Watch:
    """Watches the ledger of the random id `epoch` in a thread of its own, from `start` to `stop`."""

    def __init__(self, conninfo: str, mirror: Mirror, epoch: str) -> None:
        self._conninfo = conninfo
        self._mirror = mirror
        self._epoch = epoch
        self._id = secrets.token_hex(16)
        self._stopping = threading.Event()
        self._first_look = threading.Event()
        self._wake, self._waker = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="troth-ledger", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait until the first look is done; say whether it was in time."""
        return self._first_look.wait(seconds)

    def stop(self) -> None:
        """Watch no longer; nobody vouches then."""
        self._stopping.set()
        self._waker.send(b"x")
        self._thread.join(2 * LEASE)
        self._wake.close()
        self._waker.close()

    def _run(self) -> None:
        tries = 0
        while not self._stopping.is_set():
            try:
                with connect(self._conninfo) as connection:
                    rows = Rows(connection)
                    rows.execute(f"LISTEN {CHANNEL}")
                    self._look(rows)
                    if tries:
                        _LOG.warning("the consent ledger answers again")
                        tries = 0
                    self._follow(connection, rows)
            except (*ERRORS, LedgerError) as error:
                self._mirror.doubt()
                if not tries:
                    _LOG.error("the consent ledger is away (%s): what needs it is not granted", type(error).__name__)
                self._stopping.wait(_PAUSES[min(tries, len(_PAUSES) - 1)])
                tries += 1
        self._mirror.doubt()

    def _follow(self, connection: Any, rows: Rows) -> None:
        """Look whenever something was written, and at every beat."""
        told = threading.Event()  # also where the news comes along with an answer, and would wake nobody
        connection.add_notify_handler(lambda _: told.set())
        waiting = select.poll()
        for readable in (connection, self._wake):
            waiting.register(readable, select.POLLIN)
        while not self._stopping.is_set():
            told.clear()
            self._look(rows)
            if not told.is_set():
                waiting.poll(BEAT * 1000)
        rows.execute("DELETE FROM listeners WHERE id = ?", (self._id,))

    def _look(self, rows: Rows) -> None:
        """Take over what is new until there is nothing newer and our row says so; then vouch, from before the look."""
        while True:
            began = uptime()
            epoch, generation, person_changes, said = rows.execute(_LOOK, (self._id,)).fetchone()
            if epoch != self._epoch or generation < self._mirror.seen:
                raise LedgerError("the consent ledger is another one than before")
            if generation != self._mirror.seen:
                # Read after the number: what is known may be newer than that says, never older.
                found = rows.execute(
                    "SELECT seq, consent FROM device_retired WHERE seq > ? ORDER BY seq", (self._mirror.last_retired,)
                )
                self._mirror.apply(generation, person_changes, found.fetchall())
            if said == generation:
                self._mirror.vouch(generation, began + LEASE)
                self._first_look.set()
                return
            rows.execute(
                "INSERT INTO listeners VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET seen = excluded.seen",
                (self._id, generation),
            )


def wait_for_listeners(session: Session, generation: int) -> None:
    """Wait until every listener has taken a committed generation over, or can vouch for nothing older any more."""
    end = uptime() + LEASE
    pause = 0.0005
    try:
        with session.use("read") as rows:
            while rows.execute("SELECT 1 FROM listeners WHERE seen < ? LIMIT 1", (generation,)).fetchone():
                if uptime() > end:
                    rows.execute("DELETE FROM listeners WHERE seen < ?", (generation,))
                    return
                time.sleep(pause)
                pause = min(pause * 1.5, 0.02)
    except LedgerError:
        # It is committed. Whoever has not heard of it stops believing what it knew within a lease.
        time.sleep(max(0.0, end - uptime()))
