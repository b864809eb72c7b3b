"""Which events rules want to follow others: read off the rules at load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from troth.model.policy import Policy
from troth.model.rules import All, AnyOf, Condition, FollowedBy, Not
from troth.model.words import Thing


def deadlines_of(policy: Policy) -> Mapping[str, tuple[FollowedBy, ...]]:
    """Return what the rules on events want to follow, by rule."""
    found = {}
    for rule in policy.rules:
        duties = tuple(_duties(rule.expect)) if Thing.EVENT in rule.things else ()
        if duties:
            found[rule.id] = duties
    return found


def _duties(condition: Condition | None) -> Iterator[FollowedBy]:
    match condition:
        case FollowedBy():
            yield condition
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from _duties(part)
        case Not(part):
            yield from _duties(part)
        case _:
            pass
