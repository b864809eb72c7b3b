"""Choices that an app keeps in tables of its own: how it tells them, and how they stand beside the ledger's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from troth.model.consent import NO_CHOICES, Choice, Choices, ChoiceState
from troth.model.consent import params as canonical
from troth.model.policy import ConsentRow

MOST: Final = 1000
"""How many choices of one person are read."""
_KEYS: Final = frozenset({"state", "at", "version", "form", "params"})


def read_choices(told: Any, rows: Mapping[str, ConsentRow]) -> Choices:
    """Read what is told of one person: consent name to a choice, or to several with different parameters.

    Consents that no person holds are passed over. Raises ValueError or TypeError for everything that is not understood:
    a refusal must not be lost to a misspelt word.
    """
    if told is None:
        return NO_CHOICES
    if not isinstance(told, Mapping):
        raise TypeError("choices are a mapping of consents")
    found = {
        str(name): tuple(_choice(one, rows[name].per) for one in _several(given))
        for name, given in told.items()
        if name in rows and "person" in rows[name].holders
    }
    if sum(map(len, found.values())) > MOST:
        raise ValueError("too many choices")
    return Choices({name: _latest(choices) for name, choices in found.items() if choices})


def together(*several: Choices) -> Choices:
    """Return what counts of choices from different places: of each consent and parameters the latest.

    One without parameters replaces all before it. Of two at the same moment a refusal counts.
    """
    if sum(map(bool, several)) <= 1:
        return next((one for one in several if one), NO_CHOICES)
    names = dict.fromkeys(name for choices in several for name in choices)
    return Choices({name: _latest(one for choices in several for one in choices.of(name)) for name in names})


def _latest(choices: Iterable[Choice]) -> tuple[Choice, ...]:
    kept: dict[object, Choice] = {}
    for one in sorted(choices, key=_order):
        if not one.params:
            kept.clear()
        kept.pop(one.params, None)
        kept[one.params] = one
    return tuple(kept.values())


def _order(choice: Choice) -> tuple[object, ...]:
    """Sort by time; of one moment refusals come last, and of those what holds for all first, so that none is lost."""
    return choice.at, choice.state is not ChoiceState.GRANTED, bool(choice.params), choice.params, choice.state


def _several(given: Any) -> Iterable[Any]:
    return [given] if isinstance(given, Mapping) else given


def _choice(given: Mapping[str, Any], per: tuple[str, ...]) -> Choice:
    if not set(given) <= _KEYS:
        raise ValueError("a choice has an unknown key")
    at = given.get("at")
    if not isinstance(at, datetime) or at.tzinfo is None:
        raise ValueError("a choice has no aware time")
    params = {str(name): str(value) for name, value in (given.get("params") or {}).items()}
    if not set(params) <= set(per):
        raise ValueError("a choice has a parameter that its consent lacks")
    form = given.get("form")
    return Choice(
        state=ChoiceState(str(given.get("state"))),
        at=at,
        version=str(given.get("version") or ""),
        params=canonical(**params),
        form=None if form is None else str(form),
    )
