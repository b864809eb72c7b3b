"""The desk where a device's choices are made: each one retires the old consent id, and what grants gets a new one.

A choice changes only the consents that it names. Nothing here reads a request: the own routes and the application API
say who chose what, and hand out the header that comes back.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from troth.consent.batch import Batch, LedgerEntry
from troth.consent.device import (
    ID_BYTES,
    ConsentReading,
    DeviceConsent,
    consent_digest,
    encode,
    grants_anything,
    set_cookie_header,
    short_epoch,
)
from troth.consent.store import Store
from troth.model.consent import Choice, Choices, ChoiceState, Params
from troth.model.period import Period

LONGEST_COOKIE: Final = timedelta(days=400)
"""Browsers keep no cookie for longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a choice: the device's consent from now on and the header that tells it so.

    `recorded` is what was chosen or moved, by consent name; `retired` the hex digests of the ids that ended.
    """

    device: DeviceConsent
    set_cookie: bytes
    recorded: tuple[tuple[str, Choice], ...]
    retired: tuple[str, ...]


Witness = Callable[[Outcome], object]
"""Is told of a choice before it is committed. What it raises undoes the choice: nothing written, nothing retired."""


class _Change(NamedTuple):
    """What a choice makes of the choices held so far."""

    by_name: Mapping[str, tuple[Choice, ...]]
    recorded: tuple[tuple[str, Choice], ...]


class ConsentDesk:
    """Takes choices. `lasts` maps each consent to how long a choice of it holds; None or missing: until the next one.

    `key` signs the cookies. Every method writes the ledger once, as one transaction, and raises LedgerError where that
    fails, ConsentTooLarge where the choices no longer fit into a cookie; then nothing has changed. A choice starts from
    what the request brought, and grants that another request ended meanwhile stay ended.
    `secure` is False only for plain http on a loopback host.
    """

    def __init__(
        self,
        ledger: Store,
        key: bytes,
        *,
        lasts: Mapping[str, Period | None],
        new_id: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._ledger = ledger
        self._key = key
        self._lasts = lasts
        self._new_id = new_id

    def choose(
        self,
        current: ConsentReading,
        names: Iterable[str],
        state: ChoiceState,
        *,
        now: datetime,
        version: str,
        form: str | None = None,
        params: Params = (),
        secure: bool = True,
        witness: Witness | None = None,
    ) -> Outcome:
        """Grant, decline or withdraw the named consents under policy version `version`.

        `current` is what was read of the request's cookie. A choice without parameters replaces every earlier one of
        that consent; one with parameters only the one with the same. To withdraw what was never given is to refuse it.
        """
        chosen = Choice(state=state, at=_second(now), version=version, form=form, params=params)
        recorded = tuple((name, chosen) for name in dict.fromkeys(names))

        def change(held: Choices) -> _Change:
            by_name = dict(held.by_name)
            for name, _ in recorded:
                kept = (choice for choice in by_name.get(name, ()) if params and choice.params != params)
                by_name[name] = (*kept, chosen)
            return _Change(by_name, recorded)

        return self._replace(current, change, chosen.at, secure, witness=witness)

    def move_to_person(
        self,
        current: ConsentReading,
        person: str,
        names: Iterable[str],
        *,
        now: datetime,
        secure: bool = True,
        witness: Witness | None = None,
    ) -> Outcome:
        """Move what the device chose of the named consents to a person, at an explicit act of that person.

        A choice keeps its time, version and form. Where the person chose later than the device did, the person's own
        choice stays: an old grant of a device must not undo a withdrawal.
        """
        wanted = dict.fromkeys(names)

        def change(held: Choices) -> _Change:
            own = self._ledger.choices_of([person])[person]
            moved = tuple(
                (name, choice)
                for name in wanted
                for choice in held.of(name)
                if not any(other.at > choice.at for other in own.of(name))
            )
            return _Change({name: held.of(name) for name in held if name not in wanted}, moved)

        return self._replace(current, change, _second(now), secure, person=person, witness=witness)

    def _replace(
        self,
        current: ConsentReading,
        change: Callable[[Choices], _Change],
        now: datetime,
        secure: bool,
        *,
        person: str | None = None,
        witness: Witness | None = None,
    ) -> Outcome:
        """Retire the old ids and keep the evidence of grants; of a device that grants nothing none is kept."""
        if not current.ids and person is None:
            outcome = self._outcome(current, change(current.choices), now, secure)
            if outcome.device.id is None:
                _tell(witness, outcome)
                return outcome
        with self._ledger.writing() as batch:
            outcome = self._outcome(current, change(self._still_held(current)), now, secure)
            self._write(batch, current, outcome, person)
            _tell(witness, outcome)
        return outcome

    def _still_held(self, current: ConsentReading) -> Choices:
        """Return what counts of `current` now: another request may have ended its grants since it was read."""
        if not any(self._ledger.retired(consent_digest(one)) for one in current.ids):
            return current.choices
        left = {
            name: tuple(choice for choice in current.choices.of(name) if choice.state is not ChoiceState.GRANTED)
            for name in current.choices
        }
        return Choices({name: choices for name, choices in left.items() if choices})

    def _outcome(self, current: ConsentReading, change: _Change, now: datetime, secure: bool) -> Outcome:
        choices = self._without_ended_grants(change.by_name, now)
        new_id = self._new_id(ID_BYTES) if grants_anything(choices) else None
        device = DeviceConsent(id=new_id, epoch=short_epoch(self._ledger.epoch), at=now, choices=choices)
        return Outcome(
            device=device,
            set_cookie=set_cookie_header(encode(device, self._key), secure=secure, max_age=self._max_age(choices, now)),
            recorded=change.recorded,
            retired=tuple(consent_digest(old_id).hex() for old_id in current.ids),
        )

    def _write(self, batch: Batch, current: ConsentReading, outcome: Outcome, person: str | None) -> None:
        device, recorded = outcome.device, outcome.recorded
        ended = [self._entry(name, c) for name, c in recorded if c.state is ChoiceState.WITHDRAWN and person is None]
        for old_id in current.ids:
            batch.retire(old_id, at=device.at, keep_until=self._end_of_grants(current.choices))
            batch.record_device(old_id, ended)
        if device.id:
            batch.record_device(device.id, [self._entry(*grant) for grant in _grants(device.choices)])
        if person is not None:
            batch.record_person(person, [self._entry(*choice) for choice in recorded])

    def _entry(self, name: str, choice: Choice) -> LedgerEntry:
        lasts = self._lasts.get(name)
        return LedgerEntry(name=name, choice=choice, validity=lasts.text or None if lasts else None)

    def _ends(self, name: str, choice: Choice) -> datetime | None:
        lasts = self._lasts.get(name)
        return lasts.after(choice.at) if lasts else None

    def _end_of_grants(self, choices: Choices) -> datetime | None:
        """Return when the last grant ends by itself; None where one never does, or where none is known."""
        ends = [self._ends(*grant) for grant in _grants(choices)]
        known = [end for end in ends if end is not None]
        return max(known) if known and len(known) == len(ends) else None

    def _without_ended_grants(self, by_name: Mapping[str, tuple[Choice, ...]], now: datetime) -> Choices:
        """Drop grants whose time has passed, so that no id stands for nothing. Refusals stay."""
        left: dict[str, tuple[Choice, ...]] = {}
        for name, several in by_name.items():
            kept = tuple(choice for choice in several if not self._is_ended_grant(name, choice, now))
            if kept:
                left[name] = kept
        return Choices(left)

    def _is_ended_grant(self, name: str, choice: Choice, now: datetime) -> bool:
        end = self._ends(name, choice)
        return choice.state is ChoiceState.GRANTED and end is not None and end <= now

    def _max_age(self, choices: Choices, now: datetime) -> timedelta:
        ends = [self._ends(name, choice) for name in choices for choice in choices.of(name)]
        longest = max((LONGEST_COOKIE if end is None else end - now for end in ends), default=LONGEST_COOKIE)
        return min(longest, LONGEST_COOKIE)


def _tell(witness: Witness | None, outcome: Outcome) -> None:
    if witness is not None:
        witness(outcome)


def _grants(choices: Choices) -> list[tuple[str, Choice]]:
    return [(name, choice) for name in choices for choice in choices.of(name) if choice.state is ChoiceState.GRANTED]


def _second(now: datetime) -> datetime:
    """Cut to the whole second that a cookie carries, so that the outcome equals what the cookie says."""
    return now.replace(microsecond=0)
