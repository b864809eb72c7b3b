"""Counts of events for `at-most`: by kind of key the latest instants, as many as the largest limit can ask for.

They live in the memory of one process: a bounded table whose key that was quiet longest goes first. A key is a keyed
digest, never the address or id itself.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from troth.model.policy import Policy
from troth.model.rules import All, AnyOf, AtMost, Condition, Not
from troth.model.words import Thing

MOST_KEYS: Final = 4096
"""So many keys are counted at once."""

Key = tuple[str, int, str, str, str]
"""Of which site, up to which limit, which event, counted per what, by which digest."""


class Counts:
    """The latest instants of events by key."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: OrderedDict[Key, deque[datetime]] = OrderedDict()

    def add(self, key: Key, at: datetime, limit: int) -> tuple[datetime, ...]:
        """Count one more; returns its latest instants, this one included. One beyond `limit` decides, so all are kept.

        What is older than that many is forgotten: no limit up to `limit` looks further back.
        """
        found = self._seen.get(key)
        if found is None:
            if len(self._seen) >= MOST_KEYS:
                self._seen.popitem(last=False)
            found = self._seen[key] = deque(maxlen=limit + 1)
        else:
            self._seen.move_to_end(key)
        found.append(at)
        return tuple(found)

    def copy(self) -> Counts:
        """Return counts of their own that begin where these stand."""
        other = Counts()
        other._seen = OrderedDict((key, found.copy()) for key, found in self._seen.items())
        return other


def limits_of(policy: Policy) -> Mapping[str, int]:
    """Return by what the rules on events count, and how far each has to be counted."""
    limits: dict[str, int] = {}
    for rule in policy.rules:
        if Thing.EVENT in rule.things:
            for part in (rule.match, rule.only_if, rule.expect):
                _gather(part, limits)
    return limits


def _gather(condition: Condition | None, limits: dict[str, int]) -> None:
    match condition:
        case AtMost(count=count, per=per):
            limits[per] = max(count, limits.get(per, 0))
        case All(parts) | AnyOf(parts):
            for part in parts:
                _gather(part, limits)
        case Not(part):
            _gather(part, limits)
        case _:
            pass
