"""Where cases are run: temporary homes, each with a guarded stub app; cases that differ in nothing share one."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from troth._types import Receive, Scope, Send
from troth.asgi.middleware import PolicyMiddleware
from troth.audit.checkpoint import FILE_NAME as CHECKPOINTS
from troth.audit.opening import KIND as OPENING
from troth.cases.situation import moment
from troth.cases.stage import Judged, Stage, staged
from troth.cases.values import Case, ChoiceGiven, Given
from troth.consent.batch import LedgerEntry
from troth.consent.desk import Outcome
from troth.consent.device import ConsentReading, CookieOutcome
from troth.model.binding import Binding
from troth.model.consent import Choice
from troth.model.facts import Actor, Person
from troth.model.policy import Attestation, Policy
from troth.runtime.counting import Counts
from troth.runtime.site import Site

DEVICE: Final = "device"
_OPEN: Final = 16
"""Homes held open at once."""
_LOG: Final = logging.getLogger("troth")
_ABSENT: Final = ConsentReading(None, CookieOutcome.ABSENT)


class Place:
    """One home with its guarded stub app."""

    def __init__(self, folder: Path, policy: Policy, binding: Binding, now: datetime) -> None:
        self.folder = folder
        self.stage = Stage(now)
        with _quiet():
            self.guarded = PolicyMiddleware(
                self.stage.app, policy=policy, binding=binding, home=folder / "home", ledger="sqlite",
                clock=self.stage.clock, observer=self.stage.observe, reload=False,
            )  # fmt: skip
        self.runtime = self.guarded.runtime
        self._unwatched = self.guarded.unwatched()
        self._people: tuple[str, ...] = ()
        self._read = 0

    async def unwatched(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request as in production, where nobody watches: what is remembered of a head is used as it is."""
        await self._unwatched(scope, receive, send)

    @property
    def site(self) -> Site:
        """The policy as it guards the stub app."""
        return self.runtime.first

    def set_scene(self, given: Given, now: datetime) -> dict[str, str]:
        """Record what is given; returns the cookies that the browser has from that."""
        self.stage.now, self.stage.given = now, given
        self.runtime.counts = Counts()  # each case begins with none, and counts in memory
        if self.runtime.deadlines is not None:
            self.runtime.deadlines.clear()
        for person in self._people:
            self.runtime.ledger.erase(person)
        self._people = tuple(holder for holder in given.consents if holder != DEVICE)
        for person in self._people:
            entries = [self._entry(one, now) for one in _in_time(given.consents[person], now)]
            self.runtime.ledger.record_person(person, entries)
        return self.device_cookie(given.consents.get(DEVICE, ()), now)

    def note(self, judged: Judged | None) -> None:
        """Remember of whom an exchange may have recorded something: the next case starts without it."""
        if judged is not None:
            subject, actor = judged.exchange.subject, judged.exchange.actor
            persons = (subject, actor.person if isinstance(actor, Actor) else None)
            self._people += tuple(one.id for one in persons if isinstance(one, Person))

    def _entry(self, choice: ChoiceGiven, now: datetime) -> LedgerEntry:
        lasts = self.site.policy.consents[choice.consent].lasts
        return LedgerEntry(
            name=choice.consent, choice=self._choice(choice, now), validity=lasts.text if lasts is not None else None
        )

    def _choice(self, given: ChoiceGiven, now: datetime) -> Choice:
        at = moment(given.at, now)
        version = given.version if given.version is not None else self.site.version_at(at.date())[0]
        return Choice(state=given.state, at=at, version=version, params=given.params, form=given.form)

    def device_cookie(self, choices: Iterable[ChoiceGiven], now: datetime) -> dict[str, str]:
        """Make the choices of a device at the desk, one by one; returns the consent cookie that comes of them."""
        desk, reading, outcome = self.runtime.desks[id(self.site)], _ABSENT, None
        for one in _in_time(tuple(choices), now):
            choice = self._choice(one, now)
            outcome = desk.choose(
                reading, (one.consent,), choice.state, now=choice.at, version=choice.version, form=choice.form,
                params=choice.params,
            )  # fmt: skip
            ids = (outcome.device.id,) if outcome.device.id is not None else ()
            reading = ConsentReading(outcome.device, CookieOutcome.VALID, ids)
        return _jar(outcome)

    def lines(self) -> tuple[Mapping[str, Any], ...]:
        """Return the lines written since the last call, without those that open segments."""
        found: list[Mapping[str, Any]] = []
        for path in sorted((self.folder / "home" / "trail").glob("*.jsonl")):
            if path.name == CHECKPOINTS:
                continue
            data = path.read_bytes()
            fresh, self._read = data[self._read :], len(data)
            found += [msgspec.json.decode(line) for line in fresh.splitlines() if line]
        return tuple(line for line in found if line.get("kind") != OPENING)

    def close(self) -> None:
        """Close the home and remove it."""
        self.runtime.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _in_time(choices: tuple[ChoiceGiven, ...], now: datetime) -> list[ChoiceGiven]:
    return sorted(choices, key=lambda one: moment(one.at, now))


def _jar(outcome: Outcome | None) -> dict[str, str]:
    if outcome is None:
        return {}
    name, _, value = outcome.set_cookie.decode("latin-1").partition(";")[0].partition("=")
    return {name: value}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the start-up summary of a temporary home out of the log."""
    before = _LOG.level
    _LOG.setLevel(logging.WARNING)
    try:
        yield
    finally:
        _LOG.setLevel(before)


class Bench:
    """Hands out places. Close it when done."""

    def __init__(self) -> None:
        self._root = Path(tempfile.mkdtemp(prefix="troth-cases-"))
        self._places: dict[object, Place] = {}
        self._made = 0
        self.latest: Place
        """Where the last case was run."""
        self._kept: list[object] = []
        """What keys name by identity, so that no other takes its place."""

    def place(self, policy: Policy, binding: Binding, case: Case, now: datetime) -> Place:
        """Return the place where a case is run."""
        given = case.given
        alone = case.id if any(one.clock is not None for one in given.earlier) else None
        key = (
            id(policy), id(binding), now, given.region, given.serving, given.attested, alone,
            given.knows_actor, bool(given.states),
        )  # fmt: skip
        found = self._places.get(key)
        if found is None:
            if len(self._places) >= _OPEN:
                self._places.pop(next(iter(self._places))).close()
            self._made += 1
            self._kept += [policy, binding]
            folder = self._root / str(self._made)
            folder.mkdir()
            begins = min((one.clock or now for one in given.earlier), default=now)
            found = self._places[key] = Place(folder, _attested(policy, given), staged(binding, given), begins)
        self.latest = found
        return found

    def close(self) -> None:
        """Close all places."""
        for place in self._places.values():
            place.close()
        self._places.clear()
        shutil.rmtree(self._root, ignore_errors=True)


def _attested(policy: Policy, given: Given) -> Policy:
    """Return the policy with the statements that a case gives, valid at any time."""
    if not given.attested:
        return policy
    said = tuple(Attestation(id=f"given-{what}", what=what, about=about) for what, about in given.attested)
    return replace(policy, attestations=(*policy.attestations, *said))
