"""What the rest of Troth asks of a consent ledger, whatever keeps it: the SQLite file of a home, or a shared server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol, TypeVar

from troth.consent.batch import Batch, LedgerEntry
from troth.consent.gather import States
from troth.model.consent import Choices, Params

V = TypeVar("V")


class Number(Protocol):
    """One number that tells by a look whether the ledger has changed: even, or odd while nothing may be remembered."""

    def read(self) -> int:
        """Return the number, without waiting for anything."""

    def close(self) -> None:
        """Give back what it holds."""


class Store(Protocol):
    """A consent ledger. Every method raises LedgerError where it does not answer, and may be called from any thread."""

    epoch: str
    """The ledger's random id; a consent cookie of another one grants nothing."""

    def waits(self, persons: Iterable[str]) -> bool:
        """Whether a look-up of these persons would wait for another machine, or takes too long for the event loop."""

    def choices_of(self, persons: Iterable[str]) -> dict[str, Choices]:
        """Return what each person chose, in one query for all that are not remembered."""

    def states_of(self, persons: Iterable[str]) -> dict[str, States]:
        """Return the states each person is in, in one query for all that are not remembered."""

    def retired(self, digest: bytes) -> bool:
        """Tell whether the consent id with this `consent_digest` is retired. Never waits for another machine."""

    def active(self, policy: str) -> str | None:
        """Return the version of `policy` that was last activated; None where none ever was."""

    def writing(self) -> AbstractContextManager[Batch]:
        """Give a batch that is committed whole at the end of the block, and known everywhere when that is left."""

    def record_person(self, person: str, entries: Iterable[LedgerEntry]) -> None:
        """Write choices of a person in a batch of their own."""

    def retire(self, consent_id: bytes, *, at: datetime, keep_until: datetime | None) -> None:
        """Retire a consent id in a batch of its own."""

    def set_state(self, person: str, name: str, params: Params = (), *, at: datetime) -> None:
        """Put a person into a state in a batch of its own."""

    def clear_state(self, person: str, name: str, params: Params = ()) -> None:
        """Take a person out of a state in a batch of its own."""

    def erase(self, person: str) -> None:
        """Remove everything recorded of a person."""

    def activate(self, version: str, *, policy: str, at: datetime) -> None:
        """Make a policy version the one in force, in a batch of its own."""

    def rest(self) -> None:
        """Let nobody wait for this process any more: the app has shut down. What it remembers no longer counts."""

    def close(self) -> None:
        """Close the connections of this process."""


async def asked(store: Store, look_up: Callable[[list[str]], V], persons: list[str]) -> V:
    """Look persons up without holding the event loop: in a thread where that `waits`."""
    if store.waits(persons):
        return await asyncio.to_thread(look_up, persons)
    return look_up(persons)
