"""What a route records by being accepted: the consents and states that its binding says under `writes`.

A write is *due* where all of its `when` holds and all of its parameters are there. The recording of a consent is judged
as an event once the request is read. What rules let pass counts in this very exchange, so that the address in the form
that subscribes is not withheld; what they leave open until the answer is judged then, and counts from the next exchange
on. Nothing is written before the app accepts, and what cannot be written is not answered as if it had been.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, Final

from troth._types import HeaderList, Scope
from troth.asgi.bodies import Read
from troth.asgi.choosing import (
    CLEARS_CACHE,
    Act,
    DeviceChoices,
    ended_a_grant,
    judge_recording,
    refusing,
    shown,
)
from troth.asgi.judging import Judging
from troth.asgi.person_choices import PersonChoices
from troth.asgi.request import values
from troth.engines.embedded.views import EventView
from troth.errors import LedgerError, TrailError
from troth.model.binding import Source, Write
from troth.model.consent import Choice, Choices, ChoiceState, Params
from troth.model.facts import PENDING, Actor, Event, Person
from troth.model.words import PROTECTED_TAGS, Thing
from troth.runtime.line import Reason, encode, is_known_child, released

NOBODY: Final = "nobody"
FAILED: Final = "failed"
"""What the line of the exchange says under `writes`: nobody was known to record it of; it could not be written."""
_ACTS: Final = {"granted": "accept", "declined": "refuse", "withdrawn": "withdraw"}
_EVENTS: Final = {"set": "state-set", "clear": "state-cleared"}
_LOOSENS: Final = frozenset(("granted", "clear"))
_MOST: Final = 100
"""So many values of a parameter may come at once, or combinations of several. Nobody ticks more: none is written."""
_READING: Final = frozenset(("GET", "HEAD"))
_IN_BODY: Final = "body"
_LOG: Final = logging.getLogger("troth")


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A write that is due, with the values of its parameters."""

    write: Write
    params: Params

    @property
    def grants(self) -> bool:
        """Whether it records that a consent was given: only that is a rule's to refuse."""
        return self.write.consent is not None and self.write.to == "granted"


def writes_of(judging: Judging, scope: Scope) -> Writes | None:
    """Return the writes of the route of a request whose head is known; None where it has none."""
    route = judging.x.route
    return Writes(judging, scope, route.writes) if route is not None and route.writes else None


class Writes:
    """The writes of one exchange, from the head of its request to the answer of the app."""

    __slots__ = ("_due", "_judging", "_late", "_scope", "_waiting", "told")

    def __init__(self, judging: Judging, scope: Scope, writes: tuple[Write, ...]) -> None:
        self._judging = judging
        self._scope = scope
        self._waiting: list[Write] = []
        self._due: list[Due] = []
        self._late: list[Due] = []
        self.told: str | None = None
        """What the line of the exchange says of it: `NOBODY`, `FAILED`, or nothing."""
        for write in writes:
            self._take(write, None)
        judging.x.records_open = any(write.consent is not None for write in self._waiting)

    @property
    def waits(self) -> bool:
        """Whether the body of the request decides on a write: the app may have it once that is read."""
        return bool(self._waiting)

    # which are due, and which of these count ---------------------------------------------------------------------

    def read(self, body: Read | None) -> None:
        """Take what waited for the body of the request; None where there is none that could be read."""
        judging, waiting = self._judging, self._waiting
        if not waiting:
            return
        self._waiting, judging.x.records_open = [], False
        if body is not None:
            judging.x.fields = (*judging.fields, *(field for field, _, _ in body.fields))
        for write in waiting:
            self._take(write, body)
        judging.x.fields = tuple(judging.fields)
        judging.again()

    def _take(self, write: Write, body: Read | None) -> None:
        """Take a write that is due. One that waits for the body is put aside, unless the head rules it out already."""
        x = self._judging.x
        sources = [source for source, _ in write.when] + [one for _, one in write.params if isinstance(one, Source)]
        if not all(self._holds(write, source, wanted, body) for source, wanted in write.when):
            return
        if x.body_pending and (x.subject is PENDING or any(source.place == _IN_BODY for source in sources)):
            self._waiting.append(write)
            return
        names = [name for name, _ in write.params]
        given = [self._values(one, body) if isinstance(one, Source) else [one] for _, one in write.params]
        if prod(map(len, given)) <= _MOST:
            for values in product(*given):
                self._judge(Due(write=write, params=tuple(sorted(zip(names, values, strict=True)))))

    def _holds(self, write: Write, source: Source, wanted: str, body: Read | None) -> bool:
        """Whether a part of `when` holds, or may still hold.

        Of a field that came several times one value is enough to withdraw or to object; all must agree to grant.
        """
        if source.place == _IN_BODY and self._judging.x.body_pending:
            return True
        found = self._values(source, body, empty=True)
        return wanted in found and (len(found) == 1 or write.to not in _LOOSENS)

    def _values(self, source: Source, body: Read | None, *, empty: bool = False) -> list[str]:
        """Return every value that was given, each once. A value that is `empty` is none, unless asked for."""
        if source.place == _IN_BODY:
            found = [] if body is None else body.values(source.name)
        else:
            found = values(source, self._scope, self._judging.params)
        return found if empty else list(filter(None, found))

    def _judge(self, due: Due) -> None:
        """Let a consent count from here on in this exchange, unless rules refuse it or wait for more."""
        if due.write.consent is None:
            self._due.append(due)
        elif not due.grants:
            self._count(due, due.write.consent)
        elif self._is_open(due):
            self._put_aside(due)
        elif self._may_sign_in():
            # Nobody asks yet. Who has signed in by then is asked about once more, before anything is written.
            self._late.append(due)
            if not refusing(self._foreseen(due)):
                self._record(due, due.write.consent)
        elif self._may(due):
            self._count(due, due.write.consent)

    def _put_aside(self, due: Due) -> None:
        if self._judging.x.body_pending:
            self._waiting.append(due.write)
        else:
            self._late.append(due)

    def _may_sign_in(self) -> bool:
        return self._judging.x.actor is None and self._judging.site.binding.actor.after is not None

    def _event(self, due: Due) -> EventView:
        event = Event(name="consent-recorded", consent=due.write.consent, params=due.params)
        return EventView(self._judging.site.engine.tables, self._judging.x, event)

    def _is_open(self, due: Due) -> bool:
        """Whether a rule on the recording waits for more than is known: of the body, of the answer, of who asks."""
        view = self._event(due)
        return any(not rule.judge(view, final=False)[0] for rule in self._judging.site.engine.rules[Thing.EVENT])

    def _foreseen(self, due: Due) -> list[Reason]:
        engine = self._judging.site.engine
        return [(finding, None, None) for finding in engine.settle(engine.rules[Thing.EVENT], self._event(due))]

    def _may(self, due: Due) -> bool:
        """Judge the recording of a consent with all that is known; what is found stands in the line of the exchange."""
        judging, consent = self._judging, due.write.consent
        reasons = judge_recording(judging, (), () if consent is None else (consent,), due.params)
        judging.reasons += [] if judging.observed else reasons  # an observer was told already
        return not refusing(reasons)

    def _count(self, due: Due, consent: str) -> None:
        self._due.append(due)
        self._record(due, consent)

    def _record(self, due: Due, consent: str) -> None:
        x = self._judging.x
        choice = Choice(
            state=ChoiceState(due.write.to), at=x.now, version=x.version, params=due.params, form=due.write.form
        )
        holders = self._judging.site.policy.consents[consent].holders
        if due.grants and "person" in holders and self._person() is not None:
            holders = ("person",)
        x.recorded = (*x.recorded, *((holder, Choices({consent: (choice,)})) for holder in holders))
        if x.method in _READING:  # no other answer is kept by a cache
            self._judging.depends = True

    def _person(self) -> str | None:
        """Return the id of whom it is recorded: the addressed subject, else who asks. None where nobody is known.

        A subject that the binding promises and the request lacks is nobody: it is not whoever happens to ask.
        """
        x = self._judging.x
        if x.subject is None:
            actors = (one for one in (x.actor, x.actor_before) if isinstance(one, Actor))
            return next((actor.person.id for actor in actors), None)
        return x.subject.id if isinstance(x.subject, Person) else None

    # writing -----------------------------------------------------------------------------------------------------

    async def commit(self, *, secure: bool) -> HeaderList:
        """Write what is due, now that the app has accepted it; returns the headers that go out with the answer.

        What ends a consent is written first, then states, then what grants. Raises LedgerError, ConsentTooLarge or
        TrailError where one cannot be written: those before it stay, those after it are not tried.
        """
        judging = self._judging
        due = [*self._due, *(one for one in self._late if self._may(one))]
        if not due:
            return []
        judging.changed = True
        x, head = judging.x, judging.head
        before = (x.device, x.subject, x.actor, x.actor_before)
        headers: dict[bytes, bytes] = {}
        try:
            for one in sorted(due, key=_order):
                if one.write.consent is None:
                    await self._write_state(one)
                else:
                    headers.update(await self._choose(one, one.write.consent, secure))
        except Exception:
            self.told = FAILED
            raise
        finally:
            # What was recorded in time stands in `recorded`; anything else counts from the next exchange on.
            x.device, x.subject, x.actor, x.actor_before = before
            judging.head = head
        return list(headers.items())

    async def _choose(self, due: Due, consent: str, secure: bool) -> HeaderList:
        """Write a choice of every holder that is known; a grant that a person may hold is the person's."""
        judging = self._judging
        act = Act(name=_ACTS[due.write.to], consents=(consent,), form=due.write.form, params=due.params)
        holders = judging.site.policy.consents[consent].holders
        person = self._person() if "person" in holders else None
        if person is not None:
            await PersonChoices(judging).choose(act, person)
        if "device" not in holders or (act.grants and person is not None):
            self.told = NOBODY if person is None else self.told
            return []
        held = judging.x.device
        outcome = await DeviceChoices(judging, secure=secure).choose(act)
        return [(b"set-cookie", outcome.set_cookie), *([CLEARS_CACHE] if ended_a_grant(held, act) else [])]

    async def _write_state(self, due: Due) -> None:
        person = self._person()
        if person is None:
            self.told = NOBODY
            return
        await asyncio.to_thread(self._put_state, due, person)

    def _put_state(self, due: Due, person: str) -> None:
        """Set or clear a state, told within the transaction: what is not told is not done, but on a protected route."""
        judging, name = self._judging, due.write.state or ""
        members = self._state_line(due, person)
        told = False
        try:
            with judging.runtime.ledger.writing() as batch:
                if due.write.to == "set":
                    batch.set_state(person, name, due.params, at=judging.x.now)
                else:
                    batch.clear_state(person, name, due.params)
                self._tell(members)
                told = True
        except LedgerError:
            if told:
                self._tell(members | {"stage": "outcome", "outcome": "failed"})
            raise

    def _tell(self, members: dict[str, Any]) -> None:
        route = self._judging.x.route
        try:
            self._judging.runtime.write_encoded(encode(members))
        except TrailError:
            if route is None or PROTECTED_TAGS.isdisjoint(route.tags):
                raise
            _LOG.error("a state holds or ended whose line could not be written to the trail")

    def _state_line(self, due: Due, person: str) -> dict[str, Any]:
        """Return the members of the line of a state; of a known child nothing but what was decided."""
        judging, names = self._judging, self._judging.runtime.names
        members = released(judging.site, judging.x, [], names, [])
        members.pop("status")
        members |= {"kind": "event", "event": _EVENTS[due.write.to], "state": due.write.state}
        if due.params:
            members["params"] = {name: shown(judging, value) for name, value in due.params}
        if not is_known_child(judging.x):
            members |= {"subj": [names.digest("person", person)], "subj_n": 1}
        return members


def _order(due: Due) -> int:
    """What ends a consent goes first: it must not be lost to what fails after it."""
    return 2 if due.grants else int(due.write.consent is None)
