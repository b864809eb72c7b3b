"""What application code asks and says of consent: read, record, refuse, withdraw, erase, and forms for templates."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from troth._types import Scope
from troth.asgi.choosing import (
    CLEARS_CACHE,
    Act,
    DeviceChoices,
    ended_a_grant,
    judge_recording,
    refusing,
    standing,
)
from troth.asgi.http import HttpExchange
from troth.asgi.middleware import CURRENT
from troth.asgi.own_pages import Html, choice_form
from troth.asgi.person_choices import PersonChoices
from troth.consent.desk import Outcome
from troth.engines.embedded.people import consent_operator
from troth.engines.embedded.truth import TRUE
from troth.engines.embedded.views import PageView
from troth.errors import ConsentError, ConsentRefused, LedgerError
from troth.model.consent import Choices, Params
from troth.model.consent import params as canonical
from troth.model.facts import UNREADABLE, Actor, Person
from troth.model.policy import ConsentRow
from troth.runtime.declaring import Declaration, Declaring

__all__ = ["Html", "RequestConsent", "choice_form", "consent"]


def consent(scope: Scope) -> RequestConsent:
    """Return what the request that is being served may know and say of consent.

    `scope` is the one that the app was given; it stays as it is. Raises ConsentError where no HTTP request that
    PolicyMiddleware guards is being served in this context.
    """
    exchange = CURRENT.get()
    if exchange is None:
        raise ConsentError("consent is asked for outside a request that PolicyMiddleware guards")
    return RequestConsent(exchange.full(), scope)


class RequestConsent:
    """Consent as one request sees it. Make it with `troth.consent(scope)`.

    Reading does not wait. The other methods are to be awaited: they wait for the disk, in a thread, never on the loop.
    A consent held by a device goes out as a cookie with this very response and counts in what follows of this exchange;
    one held by a person (`person`, else whoever the request is from) counts in all workers from their next look on.

    Each choice writes a line. They raise ConsentError where a choice cannot be made, LedgerError where the ledger does
    not take it, TrailError where the line of a grant cannot be written: then nothing has changed.
    """

    def __init__(self, exchange: HttpExchange, scope: Scope) -> None:
        self._exchange = exchange
        self._judging = exchange.judging
        self._scope = scope
        self._policy = exchange.judging.site.policy

    # reading

    def granted(self, name: str, *, person: str | None = None, **params: str) -> bool:
        """Whether a consent stands now, as rules see it: granted, of a version that counts, in time, not refused.

        Without its parameters it stands only if granted for all of them. Where the binding tells who asks only `after`
        the app, name the `person`. Raises ConsentError for a consent or parameter that the policy does not have.
        """
        row = self._row(name)
        given = self._params(row, params)
        asker = self._asker(person)
        actor = None if asker is None else Actor(person=asker)
        x = self._judging.x.but(actor=actor, subject=None, records_open=False)
        tables = self._judging.site.engine.tables
        return consent_operator(tables, "consent", row.id, given, None)(PageView(tables, x)) == TRUE

    def state(self, *, person: str | None = None) -> dict[str, Any]:
        """Return what was chosen so far: ``policy``, ``version``, ``signals``, ``choices`` of the device by name.

        Each is none, granted, declined, withdrawn or expired. Where a person is known there is also ``person``, with
        the consents that persons hold, or None in its place where the ledger does not answer.
        """
        x, rows = self._judging.x, self._policy.consents
        device = self._judging.site.device_consents
        told: dict[str, Any] = {
            "policy": self._policy.identity.id,
            "version": x.version,
            "signals": sorted(x.signals),
            "choices": {name: standing(rows[name], x.device.of(name), x.now) for name in device},
        }
        asker = self._asker(person)
        if asker is not None:
            held = asker.choices
            told["person"] = None if held is UNREADABLE else self._of_person(held)
        return told

    def _of_person(self, held: Choices) -> dict[str, str]:
        rows, now = self._policy.consents, self._judging.x.now
        return {name: standing(row, held.of(name), now) for name, row in rows.items() if "person" in row.holders}

    # choosing

    async def record(
        self, name: str, *, form: str, person: str | None = None, holder: str | None = None, **params: str
    ) -> None:
        """Record that a consent was given, by an act of the user: `form` says by which (``click``, ``written`` …).

        A consent that a device or a person may hold goes to the person if one is known, unless `holder` says otherwise.
        Raises ConsentRefused where a rule refuses the recording; the binding's `act` says that a route is an act.
        """
        if not form:
            raise ConsentError("a consent is never implied: say by which act it was given (`form`)")
        row = self._row(name)
        given = self._params(row, params)
        act = Act(name="accept", consents=(name,), form=form, params=given)
        whose = await self._holders(row, person, only=holder)
        await self._choose(self._allowed(act), whose[:1])

    async def refuse(self, name: str, *, form: str | None = None, person: str | None = None, **params: str) -> None:
        """Record that a consent was refused, by every holder that is known here. No rule can refuse that."""
        row = self._row(name)
        act = Act(name="refuse", consents=(name,), form=form, params=self._params(row, params))
        await self._choose(act, await self._holders(row, person))

    async def withdraw(self, *names: str, person: str | None = None, **params: str) -> None:
        """Record that consents are withdrawn, all if none is named, by every holder that is known here.

        It holds even where its line cannot be written; the log tells then. No rule can refuse that.
        """
        plan: dict[tuple[Params, tuple[str | None, ...]], list[str]] = {}
        for row in [self._row(name) for name in names] or self._policy.consents.values():
            whose = await self._holders(row, person, strict=bool(names))
            plan.setdefault((self._params(row, params), whose), []).append(row.id)
        for (given, whose), rows in plan.items():
            await self._choose(Act(name="withdraw", consents=tuple(rows), params=given), whose)

    async def erase(self, *, person: str | None = None, event: str | None = None) -> None:
        """Remove everything that the ledger holds of a person, refusals and states included; what a device holds stays.

        `event` says which event of the policy that is: rules judge it first, and may refuse it (a legal hold); then it
        meets deadlines. Raises EventRefused: then nothing is removed. The removal holds even where its line cannot be
        written.
        """
        known = await self._person(person)
        if known is None:
            raise ConsentError("nobody is known here whose records could be erased; say which `person`")
        if event is None:
            await PersonChoices(self._judging).erase(known)
            return
        declared = Declaration(event=event, persons=(known,))
        declaring = Declaring(self._judging.runtime, self._judging.site, self._judging.x)
        judged = await declaring.judge(declared)
        await PersonChoices(self._judging).erase(known)
        await declaring.carry_out(declared, judged)

    async def move_to_person(self, *names: str, person: str | None = None) -> None:
        """Move what the device chose to a person, at an explicit act of that person (a login form that offers it).

        Of the consents named, or of all that either may hold. A later choice of the person stays. Grants that move are
        judged as if they were recorded now.
        """
        both = [row.id for row in self._policy.consents.values() if {"device", "person"} <= set(row.holders)]
        if not set(names) <= set(both):
            raise ConsentError("only a consent that both a device and a person may hold can move")
        known = await self._person(person)
        if known is None:
            raise ConsentError("nobody is known here to move a choice to; say which `person`")
        act = self._allowed(Act(name="move", consents=names or tuple(both)))
        async with self._choosing():
            outcome = await self._device().move(act, known)
            self._bring(outcome, clears=False)
            await PersonChoices(self._judging).refresh(known)

    # templates

    def form(self, act: str, *consents: str, label: str | None = None, return_to: str | None = None) -> Html:
        """Return the HTML of a form with one button: ``accept``, ``refuse`` or ``withdraw``, of all if none is named.

        `return_to` is a path of this site; without it the browser comes back to the page that holds the form.
        """
        root = self._scope.get("root_path", "").rstrip("/")
        back = self._scope.get("path", "/") if return_to is None else return_to
        return choice_form(act, *consents, label=label, return_to=back, root_path=root)

    # what the methods share

    def _row(self, name: str) -> ConsentRow:
        row = self._policy.consents.get(name)
        if row is None:
            known = ", ".join(self._policy.consents) or "none"
            raise ConsentError(f"the policy has no consent of that name; it has {known}")
        return row

    def _params(self, row: ConsentRow, given: Mapping[str, str]) -> Params:
        if not set(given) <= set(row.per):
            raise ConsentError(f"consent {row.id} takes the parameters: {', '.join(row.per) or 'none'}")
        if any(value.startswith("of-") for value in given.values()):
            raise ConsentError("a parameter is a plain name, no reference")
        return canonical(**given)

    def _known(self) -> Actor | None:
        x = self._judging.x
        return next((one for one in (x.actor, x.actor_before) if isinstance(one, Actor)), None)

    def _asker(self, person: str | None) -> Person | None:
        """Return the person who is meant, with choices read now."""
        known = self._known()
        wanted = person if person is not None or known is None else known.person.id
        if wanted is None:
            return None
        ledger = self._judging.runtime.ledger
        told = self._judging.runtime.people[id(self._judging.site)].told_by_app
        if known is not None and known.person.id == wanted and (told or ledger.waits([wanted])):
            return known.person  # looked up for this exchange; asking again would hold the event loop
        if told:
            return Person(id=wanted, choices=UNREADABLE)  # only the app's own look-up knows
        try:
            return Person(id=wanted, choices=ledger.choices_of([wanted])[wanted])
        except LedgerError:
            return Person(id=wanted, choices=UNREADABLE)

    async def _person(self, person: str | None) -> str | None:
        """Return the id of the person who is meant; where only the `after` hook can tell, it is asked now."""
        known = self._known()
        if person is not None:
            return person
        if known is not None:
            return known.person.id
        people = self._judging.runtime.people[id(self._judging.site)]
        asker, _ = await people.actor(people.after, self._scope, self._judging.x.now)
        return asker.person.id if isinstance(asker, Actor) else None

    async def _holders(
        self, row: ConsentRow, person: str | None, *, only: str | None = None, strict: bool = True
    ) -> tuple[str | None, ...]:
        """Return who is to hold a choice: the id of a person first, None for the device.

        `strict`: raises ConsentError where a person was named who cannot hold it, or where nobody is known who can.
        """
        holders = row.holders if only is None else (only,)
        if not set(holders) <= set(row.holders) or (strict and person is not None and "person" not in holders):
            raise ConsentError(f"consent {row.id} is held by: {', '.join(row.holders)}")
        known = await self._person(person) if "person" in holders else None
        found: list[str | None] = [] if known is None else [known]
        if "device" in holders:
            found.append(None)
        if strict and not found:
            raise ConsentError(f"consent {row.id} is held by a person, and nobody is known here; say which `person`")
        return tuple(found)

    def _allowed(self, act: Act) -> Act:
        """Judge the recording of grants. Raises ConsentRefused, once that is told."""
        reasons = judge_recording(self._judging, (), act.consents, act.params)
        judged = replace(act, why=tuple(reasons))
        found = refusing(reasons)
        if found:
            PersonChoices(self._judging).tell_refused(judged)
            rules = tuple(dict.fromkeys(one.rule for one in found))
            raise ConsentRefused(rules, tuple(dict.fromkeys(clause for one in found for clause in one.clauses)))
        return judged

    async def _choose(self, act: Act, holders: Iterable[str | None]) -> None:
        async with self._choosing():
            for holder in holders:
                if holder is not None:
                    await PersonChoices(self._judging).choose(act, holder)
                    continue
                before = self._judging.x.device
                outcome = await self._device().choose(act)
                self._bring(outcome, clears=ended_a_grant(before, act))

    def _choosing(self) -> asyncio.Lock:
        lock = self._exchange.choosing
        if lock is None:
            lock = self._exchange.choosing = asyncio.Lock()
        return lock

    def _device(self) -> DeviceChoices:
        if self._exchange.has_answered:
            raise ConsentError("the response is on its way: no cookie can go with it any more")
        return DeviceChoices(self._judging, secure=self._scope.get("scheme") == "https")

    def _bring(self, outcome: Outcome, *, clears: bool) -> None:
        """Send the new consent with this response; of several choices the cookie of the last holds them all."""
        self._exchange.consent_cookies[:] = [outcome.set_cookie]
        if clears:
            self._exchange.consent_headers[:] = [CLEARS_CACHE]
