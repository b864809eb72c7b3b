"""Choices as they are made: judged, told in the trail, kept. The own routes and the application API share it.

The order of ledger and trail depends on what is chosen. What ends a consent is committed first and told then: it holds
even where the trail cannot be written. What grants is told within the transaction: without its line it is undone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from troth.asgi.judging import Judging
from troth.consent.desk import ConsentDesk, Outcome
from troth.consent.device import ConsentReading, CookieOutcome, consent_digest
from troth.engines.embedded.views import EventView
from troth.errors import LedgerError, TrailError
from troth.model.consent import Choice, Choices, ChoiceState, Params
from troth.model.facts import Actor, Event
from troth.model.findings import Finding
from troth.model.policy import ConsentRow
from troth.model.words import Thing
from troth.runtime.line import Reason, encode, grouped, is_known_child, released

ACTS: Final = {
    "accept": ChoiceState.GRANTED,
    "refuse": ChoiceState.DECLINED,
    "withdraw": ChoiceState.WITHDRAWN,
}
"""What a choice is called on the wire and in lines, and what it records."""
CLEARS_CACHE: Final = (b"clear-site-data", b'"cache"')
"""Pages that were made under a consent must not come back from the browser's cache once it has ended."""
_NOTHING: Final = ConsentReading(None, CookieOutcome.ABSENT)
_LOG: Final = logging.getLogger("troth")


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One choice: which of `ACTS` (or ``move``, ``erase``), of which consents, given how."""

    name: str
    consents: tuple[str, ...]
    form: str | None = None
    params: Params = ()
    why: tuple[Reason, ...] = ()
    """What judging found about it."""

    @property
    def grants(self) -> bool:
        """Whether it may make a consent stand that did not stand before."""
        return self.name in ("accept", "move")


def judge_recording(judging: Judging, asked: Iterable[str], consents: Iterable[str], params: Params) -> list[Reason]:
    """Judge the recording of consents as events; returns what was found about each."""
    engine, x = judging.site.engine, judging.x
    rules = engine.rules[Thing.EVENT]
    reasons: list[Reason] = []
    before, x.asked = x.asked, x.asked | frozenset(asked)
    for consent in consents:
        event = Event(name="consent-recorded", consent=consent, params=params)
        item = len(x.events) if judging.observed else None
        found = engine.settle(rules, EventView(engine.tables, x, event), item)
        reasons += [(finding, consent, None) for finding in found]
        if judging.observed:
            x.events = (*x.events, event)
            judging.found(found, consent)
    x.asked = before
    return reasons


def refusing(reasons: Iterable[Reason]) -> tuple[Finding, ...]:
    """Return the findings that refuse the recording."""
    return tuple(finding for finding, _, _ in reasons if finding.refuses)


def apply(judging: Judging, outcome: Outcome) -> None:
    """Let a device's choice count from here on in this exchange."""
    ids = (outcome.device.id,) if outcome.device.id else ()
    judging.consent = ConsentReading(outcome.device, CookieOutcome.VALID, ids)
    judging.x.device = outcome.device.choices
    judging.again()


def ended_a_grant(before: Choices, act: Act) -> bool:
    """Whether a choice takes back what the device had granted."""
    if act.grants:
        return False
    return act.name == "withdraw" or any(
        choice.state is ChoiceState.GRANTED for name in act.consents for choice in before.of(name)
    )


def standing(row: ConsentRow, choices: tuple[Choice, ...], now: datetime) -> str:
    """Return what recorded choices of one consent amount to: none, granted, declined, withdrawn or expired.

    A choice without parameters speaks before one with. A grant in another form than the policy asks for is none.
    """
    if not choices:
        return "none"
    choice = ([one for one in choices if not one.params] or list(choices))[-1]
    if choice.state is not ChoiceState.GRANTED:
        return choice.state.value
    if row.form is not None and choice.form != row.form:
        return "none"
    if row.lasts is not None and row.lasts.after(choice.at) <= now:
        return "expired"
    return choice.state.value


class DeviceChoices:
    """Makes choices of the device of one exchange. `status` stands in their lines where the answer is known."""

    def __init__(self, judging: Judging, *, secure: bool, status: int | None = None) -> None:
        self._judging = judging
        self._secure = secure
        self._status = status
        self._desk: ConsentDesk = judging.runtime.desks[id(judging.site)]

    async def choose(self, act: Act) -> Outcome:
        """Make a choice; the loop does not wait for the disk.

        Raises LedgerError, ConsentTooLarge or (of what grants) TrailError; then nothing has changed.
        """
        x = self._judging.x

        def make(witness: Callable[[Outcome], object] | None) -> Outcome:
            return self._desk.choose(
                self._judging.consent or _NOTHING, act.consents, ACTS[act.name], now=x.now, version=x.version,
                form=act.form, params=act.params, secure=self._secure, witness=witness,
            )  # fmt: skip

        return await self._made(act, make)

    async def move(self, act: Act, person: str) -> Outcome:
        """Move choices to a person. Raises as `choose` does."""

        def make(witness: Callable[[Outcome], object] | None) -> Outcome:
            return self._desk.move_to_person(
                self._judging.consent or _NOTHING, person, act.consents, now=self._judging.x.now,
                secure=self._secure, witness=witness,
            )  # fmt: skip

        return await self._made(act, make, person)

    async def _made(
        self, act: Act, make: Callable[[Callable[[Outcome], object] | None], Outcome], person: str | None = None
    ) -> Outcome:
        judging = self._judging

        def tell(outcome: Outcome) -> None:
            judging.runtime.write_encoded(encode(self._line(act, outcome, person)))

        outcome = await asyncio.to_thread(_told_within if act.grants else _told_after, make, tell, judging, act)
        apply(judging, outcome)
        return outcome

    def _line(self, act: Act, outcome: Outcome, person: str | None) -> dict[str, Any]:
        """Build the line of a choice. That of a withdrawal holds the digest of the consent that it ended."""
        judging = self._judging
        members = consent_line(judging, act, status=self._status, holder="device", person=person)
        if person is not None or is_known_child(judging.x):
            return members  # no id of the device beside that of a person
        held = (outcome.device.choices, judging.x.device)
        hidden = bool(judging.x.signals) or isinstance(judging.x.actor, Actor) or any(map(_refuses, held))
        if outcome.retired and (act.name == "withdraw" or not hidden):
            members["retired"] = list(outcome.retired)
        if outcome.device.id is not None and not hidden:
            members["consent"] = consent_digest(outcome.device.id).hex()
        return members


def _told_within(
    make: Callable[[Callable[[Outcome], object] | None], Outcome],
    tell: Callable[[Outcome], None],
    judging: Judging,
    act: Act,
) -> Outcome:
    """Make a choice that counts only with its line. One that was told and then not kept is told again as failed."""
    told: list[Outcome] = []

    def witness(outcome: Outcome) -> None:
        tell(outcome)
        told.append(outcome)

    try:
        return make(witness)
    except LedgerError:
        if told:
            write_failed(judging, act)
        raise


def _told_after(
    make: Callable[[Callable[[Outcome], object] | None], Outcome],
    tell: Callable[[Outcome], None],
    judging: Judging,
    act: Act,
) -> Outcome:
    """Make a choice that holds whatever becomes of its line."""
    del judging
    outcome = make(None)
    try:
        tell(outcome)
    except TrailError:
        untold(act)
    return outcome


def untold(act: Act) -> None:
    """Say in the log that a choice holds whose line could not be written."""
    _LOG.error("a choice (%s) holds, and its line could not be written to the trail", act.name)


def write_failed(judging: Judging, act: Act) -> None:
    """Write that a choice which was told did not come to be."""
    members = consent_line(judging, act, status=None, holder="device") | {"stage": "outcome", "outcome": "failed"}
    try:
        judging.runtime.write_encoded(encode(members))
    except TrailError:
        _LOG.error("a choice (%s) failed, and the trail could not be told", act.name)


def consent_line(
    judging: Judging, act: Act, *, status: int | None, holder: str, person: str | None = None
) -> dict[str, Any]:
    """Return the members of the line of a choice; of a known child nothing but what was decided."""
    names = judging.runtime.names
    members = released(judging.site, judging.x, grouped(act.why), names, [])
    members |= {"kind": "consent", "act": act.name, "consents": list(act.consents), "holder": holder}
    if status is None:
        members.pop("status")
    else:
        members["status"] = status
    if act.form is not None:
        members["form"] = act.form
    if act.params:
        members["params"] = {name: shown(judging, value) for name, value in act.params}
    if is_known_child(judging.x):
        return members
    if judging.x.signals:
        members["signals"] = sorted(judging.x.signals)
    if person is not None:
        members |= {"subj": [names.digest("person", person)], "subj_n": 1}
    return members


def shown(judging: Judging, value: str) -> str:
    """Show a parameter that the policy declares; of any other a pseudonym."""
    policy = judging.site.policy
    declared = any(value in rows for rows in (policy.parties, policy.purposes, policy.data))
    return value if declared else judging.runtime.names.digest("parameter", value)


def _refuses(choices: Choices) -> bool:
    return any(choice.state is not ChoiceState.GRANTED for name in choices for choice in choices.of(name))
