"""What one process knows of a shared ledger, and until when it may believe that.

It counts only while it is vouched for: the watch has seen, a moment ago, that nothing newer is in the ledger, and every
writer waits for it before a write is done. Where nobody vouches, nothing here is believed: the state is unknown, and
what is unknown is granted to nobody.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from troth.consent.gather import States
from troth.consent.recent import Recent
from troth.errors import LedgerError
from troth.model.consent import Choices

LEASE: Final = 3.0
"""Seconds for which a look at the ledger vouches, and for which a writer waits for who does not answer."""

_SNAPSHOT: Final = 4096
"""How many persons a process remembers, of choices and of states each."""
_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

V = TypeVar("V")


def uptime() -> float:
    """Return seconds on a clock that nobody sets, and that goes on while the machine sleeps (where it has one)."""
    return time.clock_gettime(_CLOCK)


class Mirror:
    """The retired ids, and the persons that were asked for lately."""

    def __init__(self, clock: Callable[[], float] = uptime) -> None:
        self._clock = clock
        self._until = float("-inf")
        self._lock = threading.Lock()
        self._number = 0
        self.seen = -1
        """The generation that is known."""
        self.last_retired = 0
        self._person_changes = -1
        self._turn = 0
        self._retired: set[bytes] = set()
        self.choices: Recent[str, Choices] = Recent(_SNAPSHOT)
        self.states: Recent[str, States] = Recent(_SNAPSHOT)

    def read(self) -> int:
        """Return a number that is even, and the same as before, only while nothing has changed and that is vouched."""
        return self._number if self._clock() < self._until else self._number | 1

    def close(self) -> None:
        """Hold nothing."""

    def begin_again(self) -> None:
        """Believe nothing in a child after a fork; a thread of the parent may have held the lock."""
        self._lock = threading.Lock()
        self.doubt()

    @property
    def vouched(self) -> bool:
        """Whether what is known may be believed."""
        return self._clock() < self._until

    def vouch(self, seen: int, until: float) -> None:
        """Believe what is known up to a moment, if it is still the generation `seen`."""
        if self.seen == seen:
            self._until = until

    def doubt(self) -> None:
        """Believe nothing until somebody vouches again."""
        self._until = float("-inf")

    def apply(self, generation: int, person_changes: int, retired: Iterable[tuple[int, bytes]]) -> None:
        """Take over a newer generation of the ledger."""
        with self._lock:
            for seq, consent in retired:
                self._retired.add(consent)
                self.last_retired = seq
            if person_changes != self._person_changes:
                self.choices.clear()
                self.states.clear()
                self._person_changes = person_changes
                self._turn += 1
            self.seen = generation
            self._number = 2 * generation

    def is_retired(self, digest: bytes) -> bool:
        """Tell whether an id is retired. Raises LedgerError where nobody vouches."""
        self.require()
        return digest in self._retired

    def require(self) -> None:
        """Raise LedgerError where nobody vouches."""
        if not self.vouched:
            raise LedgerError("the consent ledger does not answer")

    def look(self, recent: Recent[str, V], persons: Iterable[str]) -> tuple[dict[str, V], list[str], int]:
        """Return who is remembered, who is not, and the turn of the ledger in which that was so."""
        with self._lock:
            found: dict[str, V] = {}
            missing = []
            for person in dict.fromkeys(persons):
                value = recent.get(person)
                if value is None:
                    missing.append(person)
                else:
                    found[person] = value
            return found, missing, self._turn

    def keep(self, recent: Recent[str, V], loaded: Mapping[str, V], turn: int) -> None:
        """Remember what was looked up, unless a choice of a person has been made since `turn`."""
        with self._lock:
            if turn == self._turn:
                for person, value in loaded.items():
                    recent.put(person, value)
