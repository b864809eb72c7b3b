"""Recorded choices of a device or a person, and how a moment in time reads them.

A `Choice` is what somebody said, once, about one consent. `Choices` is everything one holder said.
Nothing here is ever implied: no record means that nobody was asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

Params = tuple[tuple[str, str], ...]
"""Parameters of a consent or a state, sorted by name: ``(("party", "p1"),)``; ``()`` means "for all"."""


class ChoiceState(StrEnum):
    """What a record says. `none` and `expired` are read from absence and time, never recorded."""

    GRANTED = "granted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One recorded choice: for which parameters, under which policy version, in which form, when (aware UTC)."""

    state: ChoiceState
    at: datetime
    version: str
    params: Params = ()
    form: str | None = None
    """How it was given: ``click``, ``written``, ``guardian`` …; None when nobody said."""


@dataclass(frozen=True, slots=True)
class Choices:
    """Everything that one holder chose: consent name to its choices, one per set of parameters."""

    by_name: Mapping[str, tuple[Choice, ...]]

    def of(self, name: str) -> tuple[Choice, ...]:
        """Return the choices recorded for the consent `name`; empty where nobody was asked."""
        return self.by_name.get(name, ())

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_name)

    def __bool__(self) -> bool:
        return bool(self.by_name)


NO_CHOICES = Choices({})


def params(**given: str) -> Params:
    """Return parameters in their one canonical order."""
    return tuple(sorted(given.items()))
