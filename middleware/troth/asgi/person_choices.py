"""Choices of persons, written to the ledger: told and kept in the same order as those of devices."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any

from troth.asgi.choosing import ACTS, Act, consent_line, untold, write_failed
from troth.asgi.judging import Judging
from troth.consent.batch import LedgerEntry
from troth.errors import LedgerError, TrailError
from troth.model.consent import NO_CHOICES, Choice
from troth.model.facts import UNREADABLE, Actor, Person
from troth.runtime.line import encode


class PersonChoices:
    """Makes and erases choices of persons in one exchange."""

    def __init__(self, judging: Judging) -> None:
        self._judging = judging
        self._ledger = judging.runtime.ledger

    async def choose(self, act: Act, person: str) -> None:
        """Write a choice in a thread. Raises LedgerError, and of a grant TrailError: then nothing has changed."""
        await asyncio.to_thread(self._grant if act.grants else self._end, act, person)
        await self.refresh(person)

    async def erase(self, person: str) -> None:
        """Remove everything recorded of a person. Raises LedgerError."""
        act = Act(name="erase", consents=())
        await asyncio.to_thread(self._erase, act, person)
        await self.refresh(person)

    def tell_refused(self, act: Act) -> None:
        """Tell that rules refused a recording; the refusal stands even where that cannot be written."""
        members = consent_line(self._judging, act, status=None, holder="") | {"outcome": "refused"}
        members.pop("holder")
        with suppress(TrailError):
            self._judging.runtime.write_encoded(encode(members))

    async def refresh(self, person: str) -> None:
        """Let what was written of a person count in what follows of this exchange."""
        x = self._judging.x
        people = self._judging.runtime.people[id(self._judging.site)]
        found = await people.choices([person])
        choices: Any = UNREADABLE if found is None else found.get(person, NO_CHOICES)
        if isinstance(x.subject, Person) and x.subject.id == person:
            x.subject = replace(x.subject, choices=choices)
        if isinstance(x.actor, Actor) and x.actor.person.id == person:
            x.actor = replace(x.actor, person=replace(x.actor.person, choices=choices))
        if isinstance(x.actor_before, Actor) and x.actor_before.person.id == person:
            x.actor_before = replace(x.actor_before, person=replace(x.actor_before.person, choices=choices))

    def _entries(self, act: Act) -> list[LedgerEntry]:
        x, rows = self._judging.x, self._judging.site.policy.consents
        choice = Choice(state=ACTS[act.name], at=x.now, version=x.version, form=act.form, params=act.params)
        lasts = {name: rows[name].lasts for name in act.consents}
        return [
            LedgerEntry(name=name, choice=choice, validity=period.text or None if period else None)
            for name, period in lasts.items()
        ]

    def _grant(self, act: Act, person: str) -> None:
        """Tell within the transaction: a grant whose line cannot be written is undone."""
        told = False
        try:
            with self._ledger.writing() as batch:
                batch.record_person(person, self._entries(act))
                self._tell(act, person)
                told = True
        except LedgerError:
            if told:
                write_failed(self._judging, act)
            raise

    def _end(self, act: Act, person: str) -> None:
        """Tell afterwards: a refusal or withdrawal holds whatever becomes of its line."""
        self._ledger.record_person(person, self._entries(act))
        self._told(act, person)

    def _erase(self, act: Act, person: str) -> None:
        self._ledger.erase(person)
        self._told(act, person)

    def _told(self, act: Act, person: str) -> None:
        try:
            self._tell(act, person)
        except TrailError:
            untold(act)

    def _tell(self, act: Act, person: str) -> None:
        members = consent_line(self._judging, act, status=None, holder="person", person=person)
        self._judging.runtime.write_encoded(encode(members))
