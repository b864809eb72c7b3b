"""Compiled look-ups that tell which names are which data: per site and per route."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Final

from troth.filters.ages import age
from troth.filters.names import Names
from troth.filters.probes import Probes
from troth.filters.tagging import Tagger
from troth.model.binding import Route
from troth.model.facts import Age
from troth.model.policy import Policy
from troth.model.words import UNDECLARED, Word
from troth.plan import PlannedRule

_REMEMBERED: Final = 256
_LONGEST: Final = 64
_STEPS: Final = re.compile(r"\.[^.\[]+|\[[^\]]*\]")
"""The steps of a selector of records."""


def to_age(stated: tuple[float, float] | str | None) -> Age | None:
    """Turn what the age probe read (years, or "unreadable") into a fact."""
    if stated is None:
        return None
    if isinstance(stated, str):
        return Age(readable=False)
    low, high = stated
    return Age(low=int(low), high=None if high == math.inf else int(high))


class HeaderNames(dict[bytes, tuple[str, ...]]):
    """Request header names, in lower case, to their categories. Remembers a bounded number of answers."""

    __slots__ = ("_names",)

    def __init__(self, names: Names) -> None:
        super().__init__()
        self._names = names

    def __missing__(self, name: bytes) -> tuple[str, ...]:
        found = self._names.of(name.decode("latin-1"))
        if len(self) < _REMEMBERED and len(name) <= _LONGEST:
            self[name] = found
        return found


class Tagging:
    """Names and probes of one policy, as one route (or none) uses them."""

    def __init__(self, policy: Policy, route: Route | None, *, undeclared: bool, depth: int) -> None:
        self._purposed = route is not None and route.purpose is not None
        rows = [row for row in policy.data.values() if self._purposed or row.strong]
        declared: dict[str, list[str]] = {}
        for row in rows:
            for name in row.fields:
                declared.setdefault(name, []).append(row.id)
        self.selectors: dict[str, list[str]] = {}
        for name, category in (route.fields if route else {}).items():
            if name.startswith("$"):
                self.selectors[name] = [category]
            else:
                declared[name] = [category]
        for selector in (route.records, route.request_records) if route else ():
            for above in _above(selector or "$"):
                self.selectors.setdefault(above, [])
        self.declared: Mapping[str, list[str]] = declared
        self.names = Names(declared)
        self.probes = Probes(
            ((row.id, probe, row.pattern) for row in policy.data.values() for probe in row.probes if probe != "age"),
            policy.identity.contacts,
        )
        self.with_age = frozenset(row.id for row in policy.data.values() if "age" in row.probes)
        self.undeclared = undeclared
        self._depth = depth
        self.headers = HeaderNames(self.names)

    def age(self, name: str, category: str, value: str, now: datetime) -> Age | None:
        """Return the evidence of an age that a named value gives, if its category has that probe."""
        if category not in self.with_age:
            return None
        return to_age(age(name, value, now.date()))

    @cached_property
    def json(self) -> Tagger:
        """The tagger of JSON bodies."""
        return Tagger(
            self.declared,
            self.selectors,
            probes=self.probes,
            with_age=self.with_age,
            undeclared=self.undeclared,
            depth=self._depth,
            whole=self._purposed,
        )


def _above(selector: str) -> Iterator[str]:
    """Yield the places above the records of a selector, which are no fields whatever they are called."""
    steps = _STEPS.findall(selector)
    for n in range(1, len(steps)):
        yield "$" + "".join(steps[:n])


def asks_undeclared(plan: tuple[PlannedRule, ...]) -> bool:
    """Whether a rule asks for members without category; only then are they things."""
    return any(_asks(planned.match) or any(_asks(way.op) for way in planned.ways) for planned in plan)


def _asks(op: object) -> bool:
    if not isinstance(op, tuple) or not op:
        return False
    if op[0] == Word.DATA and len(op) > 1 and isinstance(op[1], frozenset):
        return UNDECLARED in op[1]
    return any(_asks(part) for part in op[1:])
