"""Events that are declared rather than observed: a breach, a legal hold, an answer that went out by post.

Rules judge a declaration as any event, for each person that it is about, and may refuse it: then nothing is changed.
What is declared is told, begins and meets deadlines, and may put persons into a state or take them out of one. The line
is written within the transaction that changes the states: without it nothing is changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from troth.consent.batch import Batch
from troth.consent.deadlines import Deadline
from troth.engines.embedded.views import EventView
from troth.errors import DeclarationError, EventRefused, LedgerError, TrailError
from troth.model.consent import Params
from troth.model.facts import Actor, Event, Exchange, Person
from troth.model.findings import Finding
from troth.model.words import Phase, Thing
from troth.runtime.begun import CASE, Happened
from troth.runtime.line import MOST_SUBJECTS, grouped, is_known_child
from troth.runtime.runtime import Runtime
from troth.runtime.site import Site

MOST: Final = 1000
"""A declaration is about so many persons at most."""
BY_TROTH: Final = frozenset(("consent-recorded", "denied", "policy-activated"))
"""Events that only happen; nobody declares them."""
_IN_ONE_TURN: Final = 50
"""So many persons are judged before others have their turn on the event loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What is declared: an event of the policy, about whom (nobody: about the site), under which case's `reference`.

    `state` is set for each of the persons, or cleared (`to`). A reference keeps declarations about the site apart: one
    is followed by another of the same reference.
    """

    event: str
    persons: tuple[str, ...] = ()
    reference: str | None = None
    state: str | None = None
    to: str = "set"
    params: Params = ()


@dataclass(frozen=True, slots=True)
class _Judged:
    x: Exchange
    person: Person | None
    found: Sequence[Finding]


class Declaring:
    """Judges and carries out declarations on one site; `x` is what is known besides: who declares, when, where."""

    def __init__(self, runtime: Runtime, site: Site, x: Exchange) -> None:
        self._runtime = runtime
        self._site = site
        self._x = x.but(phase=Phase.END, response_pending=False, body_pending=False)

    async def declare(self, given: Declaration) -> None:
        """Judge a declaration, tell it, keep what it begins and changes; in a thread where that waits for the disk.

        Raises DeclarationError for what the policy does not have, EventRefused where rules refuse it, LedgerError or
        TrailError where it cannot be kept or told: then no state has changed.
        """
        await self.carry_out(given, await self.judge(given))

    async def carry_out(self, given: Declaration, judged: Sequence[_Judged]) -> None:
        """Do what was judged before. Raises LedgerError or TrailError."""
        await asyncio.to_thread(self._carry_out, given, judged)

    async def judge(self, given: Declaration) -> Sequence[_Judged]:
        """Judge a declaration for each person that it is about; a refusal is told. Raises as `declare` does."""
        _check(given, self._site)
        people = self._runtime.people[id(self._site)]
        persons: Sequence[Person | None] = await people.persons(given.persons, self._x.now) or [None]
        judged = []
        for number, person in enumerate(persons):
            judged.append(await self._judge(given.event, person))
            if number % _IN_ONE_TURN == _IN_ONE_TURN - 1:
                await asyncio.sleep(0)
        refused = [one for each in judged for one in each.found if one.refuses]
        if refused:
            await asyncio.to_thread(self._runtime.write, self._line(given, judged) | {"outcome": "refused"})
            rules = tuple(dict.fromkeys(one.rule for one in refused))
            raise EventRefused(given.event, rules, tuple(dict.fromkeys(c for one in refused for c in one.clauses)))
        return judged

    async def _judge(self, name: str, person: Person | None) -> _Judged:
        engine, x = self._site.engine, self._x.but(subject=person)
        event = Event(name=name, at=x.now, recent=await self._recent(name, x))
        return _Judged(x, person, engine.settle(engine.rules[Thing.EVENT], EventView(engine.tables, x, event)))

    async def _recent(self, name: str, x: Exchange) -> Mapping[str, tuple[datetime, ...]]:
        """Count the event by whom it is about and by who declares it."""
        actor = x.actor if isinstance(x.actor, Actor) else x.actor_before
        by = {"subject": x.subject, "actor": actor.person if isinstance(actor, Actor) else None}

        def value_of(per: str) -> str | None:
            person = by.get(per)
            return person.id or None if isinstance(person, Person) else None

        return await self._runtime.count(self._site, name, x.now, value_of)

    # carrying out ------------------------------------------------------------------------------------------------

    def _carry_out(self, given: Declaration, judged: Sequence[_Judged]) -> None:
        line, told = self._line(given, judged), False
        begun = {subject: list(happened.begun()) for subject, happened in self._happened(given, judged).items()}
        try:
            with self._changing(given) as batch:
                if batch is not None:
                    self._change(given, batch)
                self._runtime.write(line)
                told = True
                self._keep(given.event, begun)
        except LedgerError:
            if told:
                with suppress(TrailError):
                    self._runtime.write({**line, "stage": "outcome", "outcome": "failed"})
            raise

    def _changing(self, given: Declaration) -> AbstractContextManager[Batch | None]:
        return nullcontext() if given.state is None else self._runtime.ledger.writing()

    def _change(self, given: Declaration, batch: Batch) -> None:
        state = given.state or ""
        for person in given.persons:
            if given.to == "set":
                batch.set_state(person, state, given.params, at=self._x.now)
            else:
                batch.clear_state(person, state, given.params)

    def _keep(self, event: str, begun: Mapping[str, list[Deadline]]) -> None:
        store = self._runtime.deadlines
        if store is not None and (any(begun.values()) or event in self._site.follows):
            store.happened(event, policy=self._site.policy.identity.id, at=self._x.now, begun=begun)

    def _happened(self, given: Declaration, judged: Sequence[_Judged]) -> dict[str, Happened]:
        found = {}
        for each in judged:
            subject, told = self._case(given), self._reference(given)
            if each.person is not None:
                subject = self._runtime.names.digest("person", each.person.id)
                told |= {} if is_known_child(each.x) else {"subj": [subject], "subj_n": 1}
            found[subject] = Happened(site=self._site, x=each.x, name=given.event, subject=subject, told=told)
        return found

    def _case(self, given: Declaration) -> str:
        """Return what stands in the place of a subject where a declaration is about the site."""
        return self._runtime.names.digest(CASE, given.reference or "")

    def _reference(self, given: Declaration) -> dict[str, Any]:
        return {} if given.reference is None else {"ref": self._runtime.names.digest(CASE, given.reference)}

    def _line(self, given: Declaration, judged: Sequence[_Judged]) -> dict[str, Any]:
        names, site, x = self._runtime.names, self._site, self._x
        why = grouped([(one, given.event, None) for each in judged for one in each.found])
        line: dict[str, Any] = {
            "kind": "event", "event": given.event, "declared": True, "policy": f"{site.policy.identity.id}@{x.version}",
            "why": why, **self._reference(given),
        }  # fmt: skip
        if isinstance(x.actor, Actor) and not is_known_child(x.but(subject=None)):
            who = {"ref": names.digest("person", x.actor.person.id)} if x.actor.person.id else {}
            line["actor"] = {"type": sorted(x.actor.roles) or ["account"], **who}
        if given.state is not None:
            line |= {"state": given.state, "to": given.to}
        if given.params:
            line["params"] = {name: self._shown(value) for name, value in given.params}
        told = [each.person.id for each in judged if each.person is not None and not is_known_child(each.x)]
        if told:
            line |= {"subj": [names.digest("person", one) for one in told][:MOST_SUBJECTS], "subj_n": len(told)}
        return line

    def _shown(self, value: str) -> str:
        policy = self._site.policy
        declared = any(value in rows for rows in (policy.parties, policy.purposes, policy.data))
        return value if declared else self._runtime.names.digest("parameter", value)


def _check(given: Declaration, site: Site) -> None:
    """Hold a declaration against the policy. Raises DeclarationError."""
    policy = site.policy
    own = [name for name in policy.events if name not in BY_TROTH]
    if given.event not in own:
        raise DeclarationError(f"the policy has no event of that name to declare; it has {', '.join(own) or 'none'}")
    if len(given.persons) > MOST:
        raise DeclarationError(f"a declaration is about at most {MOST} persons: declare it in parts")
    if not all(given.persons):
        raise DeclarationError("a person is named by a text that is not empty")
    if given.state is None:
        if given.params:
            raise DeclarationError("parameters belong to a `state`")
        return
    row = policy.states.get(given.state)
    people = [name for name, state in policy.states.items() if state.of == "person"]
    if row is None or row.of != "person":
        raise DeclarationError(f"the policy has no such state of persons; it has {', '.join(people) or 'none'}")
    if given.to not in ("set", "clear"):
        raise DeclarationError("`to` is neither `set` nor `clear`")
    if not given.persons:
        raise DeclarationError("a state is one of persons: say which")
    if not {name for name, _ in given.params} <= set(row.per):
        raise DeclarationError(f"state {given.state} takes the parameters: {', '.join(row.per) or 'none'}")


def outside(site: Site, now: datetime, role: str | None) -> Exchange:
    """Return what is known where nobody asks: when, under which version, and in which role somebody declares."""
    version, coming = site.version_at(now.date())
    x = Exchange(now=now, version=version, coming=coming)
    if role is not None:
        x.actor = x.actor_before = Actor(person=Person(id=""), roles=frozenset((role,)))
    return x
