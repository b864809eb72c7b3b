"""Who asks and whose data: what hooks and ledger say becomes actors and persons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final, Literal

from troth._types import Scope
from troth.consent.store import Store, asked
from troth.errors import HookError, LedgerError
from troth.model.binding import Binding, Source
from troth.model.consent import NO_CHOICES, Choices, Params
from troth.model.facts import ABSENT, UNREADABLE, Actor, Age, Asker, Missing, Person
from troth.model.policy import Policy
from troth.runtime.hooks import Hook
from troth.runtime.told_choices import read_choices, together

States = frozenset[tuple[str, Params]]
_ODD: Final = (AttributeError, TypeError, ValueError, OverflowError, OSError)
"""What reading an answer of another shape may raise: the hook has failed, and what it was asked for is unreadable."""


class People:
    """Resolves actors and persons for one site, with batched look-ups in the ledger that never hold the event loop."""

    def __init__(self, policy: Policy, binding: Binding, ledger: Store) -> None:
        self._ledger = ledger
        self._per = {name: row.per for name, row in policy.states.items()}
        self._holders = any("person" in row.holders for row in policy.consents.values())
        hooks = binding.actor
        self.before = Hook(hooks.before) if hooks.before else None
        self.after = Hook(hooks.after) if hooks.after else None
        self._verified = Hook(hooks.verified) if hooks.verified else None
        self._state = Hook(binding.state) if binding.state else None
        self._told = Hook(binding.consents) if binding.consents else None
        self._rows = policy.consents
        region = binding.region
        self.region = Hook(region.hook) if isinstance(region, Source) and region.hook else None
        """Tells the visitor's country."""
        subjects = {route.subject.hook for route in binding.routes if route.subject is not None}
        self.resolvers = {name: Hook(name) for name in subjects if name is not None}
        """Tell whose data a request addresses, by the name that the binding gives them."""

    async def actor(self, hook: Hook | None, scope: Scope, now: datetime) -> tuple[Asker, Mapping[str, Any]]:
        """Ask a hook who asks. Returns the actor and the values known of them (for the `known` probe)."""
        if hook is None:
            return ABSENT, {}
        try:
            told = await hook.call(scope)
            if told is None:
                return None, {}
            given = told if isinstance(told, Mapping) else {"id": told}
            verified = given.get("verified")
            if verified is None and self._verified is not None:
                verified = await self._verified.call(scope)
        except HookError:
            return UNREADABLE, {}
        if given.get("id") is None:
            return None, {}
        person = (await self.persons([str(given["id"])], now))[0]
        try:
            actor = _actor(person, given, verified)
        except _ODD:
            return UNREADABLE, {}
        return actor, _known(given.get("known"), person.id)

    async def persons(self, ids: Iterable[str], now: datetime) -> list[Person]:
        """Return the persons of these ids, in order, with one batched look-up of choices and one of states."""
        wanted = list(ids)
        choices = await self.choices(wanted)
        states = await self._states(wanted)
        return [_person(one, choices, states, self._per, now) for one in wanted]

    @property
    def told_by_app(self) -> bool:
        """Whether the app keeps choices too, so that only a look-up knows how a person stands."""
        return self._told is not None

    async def choices(self, ids: list[str]) -> Mapping[str, Choices] | None:
        """Return choices by person, of the ledger and of the app's own tables; None where one cannot be read."""
        if not self._holders:
            return {}
        try:
            found = await asked(self._ledger, self._ledger.choices_of, ids)
            if self._told is None:
                return found
            told = await self._told.look_up(ids)
            return {one: together(found[one], read_choices(told.get(one), self._rows)) for one in ids}
        except (LedgerError, HookError, *_ODD):
            return None

    async def _states(self, ids: list[str]) -> Mapping[str, Any] | None:
        """Return states by person: those of the ledger and those that the app's hook tells; None if one fails."""
        if not self._per and self._state is None:  # an app tells ages even where the policy names no state
            return {}
        try:
            of_ledger = await asked(self._ledger, self._ledger.states_of, ids)
            found: dict[str, Any] = {one: list(held) for one, held in of_ledger.items()}
            if self._state is not None:
                told = await self._state.look_up(ids)
                for one in ids:
                    found[one] = [*found.get(one, ()), *_listed(told.get(one, ()))]
        except (LedgerError, HookError, *_ODD):
            return None
        return found


def _actor(person: Person, given: Mapping[str, Any], verified: Any) -> Actor:
    roles = given.get("roles") or ()
    return Actor(
        person=person,
        roles=frozenset([roles] if isinstance(roles, str) else map(str, roles)),
        shared=bool(given.get("shared", False)),
        verified=_instant(verified),
    )


def _known(told: Any, person: str) -> Mapping[str, Any]:
    """Return what the hook tells of the actor; their id is an account id besides those that it tells."""
    known = dict(told) if isinstance(told, Mapping) else {}
    accounts = known.get("account-id", ())
    known["account-id"] = [person, *(accounts if isinstance(accounts, list | tuple) else [accounts])]
    return known


def _listed(told: Any) -> Iterable[Any]:
    """Accept a list of states, a mapping of states to parameters, or one name."""
    if isinstance(told, Mapping):
        return [name if value is True else {name: value} for name, value in told.items() if value is not False]
    return [told] if isinstance(told, str) else told


def _person(
    one: str,
    choices: Mapping[str, Choices] | None,
    states: Mapping[str, Any] | None,
    per: Mapping[str, tuple[str, ...]],
    now: datetime,
) -> Person:
    chosen: Choices | Literal[Missing.UNREADABLE] = UNREADABLE if choices is None else choices.get(one, NO_CHOICES)
    if states is None:
        return Person(id=one, choices=chosen, states=UNREADABLE)
    try:
        held, age = read_states(states.get(one, ()), per, now)
    except _ODD:
        return Person(id=one, choices=chosen, states=UNREADABLE)
    return Person(id=one, choices=chosen, states=held, age=age)


def read_states(told: Iterable[Any], per: Mapping[str, tuple[str, ...]], now: datetime) -> tuple[States, Age | None]:
    """Read states as hooks and cases write them: ``restricted``, ``{objected: improvement}``, ``(name, params)``.

    ``age`` (years, or a birth date) is evidence of an age and no state. A state outside the policy is passed over.
    """
    held: set[tuple[str, Params]] = set()
    age = None
    for item in told:
        if isinstance(item, tuple):
            held.add(item)
            continue
        pairs = item.items() if isinstance(item, Mapping) else [(item, None)]
        for name, value in pairs:
            if name == "age":
                age = _age(value, now)
            elif name in per:
                held.add((str(name), _params(value, per[name])))
    return frozenset(held), age


def _params(value: Any, per: tuple[str, ...]) -> Params:
    if value is None or value is True:
        return ()
    if isinstance(value, Mapping):
        return tuple(sorted((str(name), str(one)) for name, one in value.items()))
    return ((per[0] if per else "value", str(value)),)


def _age(value: Any, now: datetime) -> Age:
    if isinstance(value, int) and not isinstance(value, bool):
        return Age(low=value, high=value + 1)
    try:
        born = value if isinstance(value, date) else date.fromisoformat(str(value))
    except ValueError:
        return Age(readable=False)
    today = now.astimezone(UTC).date()
    years = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    return Age(low=years, high=years + 1)


def _instant(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC)
    return None
