"""Counts of events for `at-most`: how far rules count, and where it is counted.

Where a home is open, all its workers count together, in a file (`consent.event_counts`). Without one, and while the
file does not answer, a process counts for itself, in a bounded table whose key that was quiet longest goes first. A key
holds a keyed digest, never the address or id itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from troth.consent.event_counts import MOST_KEYS, Counted, EventCounts
from troth.errors import LedgerError
from troth.home import Home
from troth.model.period import Period
from troth.model.policy import Policy
from troth.model.rules import All, AnyOf, AtMost, Condition, Names, Not, Rule
from troth.model.words import Thing, Word

_SOME_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LOG: Final = logging.getLogger("troth")
Latest = list[tuple[datetime, ...]]
"""The latest instants of each that was counted."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How far to count: so many within a period."""

    count: int
    within: Period

    def and_also(self, other: Limit) -> Limit:
        """Return what is enough for both."""
        longer = max(self.within, other.within, key=lambda within: within.after(_SOME_TIME))
        return Limit(max(self.count, other.count), longer)


Limits = Mapping[str, Mapping[str, Limit]]
"""By event, and by what rules count it per."""


class Counts:
    """Counts in the memory of this process."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: OrderedDict[str, tuple[datetime, ...]] = OrderedDict()

    async def add(self, counted: Sequence[Counted], at: datetime) -> Latest:
        """Count an event once under each; returns the latest instants of each, this one included."""
        return self.add_here(counted, at)

    def add_here(self, counted: Iterable[Counted], at: datetime) -> Latest:
        """Do the same, without anything to wait for."""
        return [self._add(one, at) for one in counted]

    def _add(self, one: Counted, at: datetime) -> tuple[datetime, ...]:
        latest = (*self._seen.pop(one.key, ()), at)[-one.limit - 1 :]
        if len(self._seen) >= MOST_KEYS:
            self._seen.popitem(last=False)
        self._seen[one.key] = latest
        return latest

    def copy(self) -> Counts:
        """Return counts of their own that begin where these stand."""
        other = Counts()
        other._seen = self._seen.copy()
        return other


class SharedCounts:
    """Counts of all workers of a home. While their file does not answer, this process counts for itself."""

    def __init__(self, store: EventCounts) -> None:
        self._store = store
        self._alone = Counts()

    async def add(self, counted: Sequence[Counted], at: datetime) -> Latest:
        """Count an event once under each, in a thread; returns the latest instants of each, this one included."""
        if not counted:
            return []
        try:
            return await asyncio.to_thread(self._store.add, counted, at)
        except LedgerError as cause:
            _LOG.error("events are counted by this process alone: %s", cause)
            return self._alone.add_here(counted, at)

    def copy(self) -> Counts:
        """Return counts of this process alone, which begin with nothing."""
        return Counts()

    def close(self) -> None:
        """Close the connection of this process."""
        self._store.close()


def open_counts(home: Home, limits: Iterable[Limits]) -> SharedCounts | None:
    """Open the counts of a home where a rule counts. Raises HomeError."""
    return SharedCounts(EventCounts.open(home.events, home.lock)) if any(limits) else None


def limits_of(policy: Policy) -> Limits:
    """Return which events the rules count, per what, and how far. A rule that names no event counts all of them."""
    found: dict[str, dict[str, Limit]] = {}
    for rule in policy.rules:
        counted = list(_counted(rule)) if Thing.EVENT in rule.things else []
        for event in events_of(rule, policy) if counted else ():
            limits = found.setdefault(event, {})
            for atom in counted:
                limit = Limit(atom.count, atom.within)
                limits[atom.per] = limits[atom.per].and_also(limit) if atom.per in limits else limit
    return found


def events_of(rule: Rule, policy: Policy) -> tuple[str, ...]:
    """Return the events that a rule on events speaks of: those that it names, else all."""
    return _events(rule.match) or policy.events


def _counted(rule: Rule) -> Iterator[AtMost]:
    for part in (rule.match, rule.only_if, rule.expect, *(opening.condition for opening in rule.openings)):
        yield from _gather(part)


def _gather(condition: Condition | None) -> Iterator[AtMost]:
    match condition:
        case AtMost():
            yield condition
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from _gather(part)
        case Not(part):
            yield from _gather(part)
        case _:
            pass


def _events(condition: Condition | None) -> tuple[str, ...]:
    """Return the events to one of which a rule is limited; none where it does not say so in plain words."""
    match condition:
        case Names(word=Word.EVENT, names=names):
            return tuple(names)
        case All(parts):
            return next((found for part in parts if (found := _events(part))), ())
        case _:
            return ()
