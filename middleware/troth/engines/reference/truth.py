"""Truth as `docs/judging.md` section 1 has it: a set of possible truths out of true, false and absent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import product


class Truth(Enum):
    """What one fact can be: true, false, or absent because nobody stated it."""

    TRUE = "true"
    FALSE = "false"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Value:
    """The possible truths of a condition; `open` where it varies from record to record."""

    possible: frozenset[Truth]
    open: bool = False

    @property
    def certain(self) -> bool:
        """Whether it is true and nothing else."""
        return self.possible == _ONLY_TRUE

    @property
    def may_hold(self) -> bool:
        """Whether true is among its possibilities."""
        return Truth.TRUE in self.possible


_ONLY_TRUE = frozenset({Truth.TRUE})
TRUE = Value(_ONLY_TRUE)
FALSE = Value(frozenset({Truth.FALSE}))
ABSENT = Value(frozenset({Truth.ABSENT}))
UNREADABLE = Value(frozenset(Truth))
OPEN = Value(frozenset(Truth), open=True)


def known(holds: bool) -> Value:
    """Return the value of a fact that is known."""
    return TRUE if holds else FALSE


def all_of(values: Iterable[Value]) -> Value:
    """False if one is, else absent if one is, else true; true of nothing."""
    return _combine(tuple(values), _all)


def any_of(values: Iterable[Value]) -> Value:
    """True if one is, else absent if one is, else false; false of nothing."""
    return _combine(tuple(values), _any)


def negation(value: Value) -> Value:
    """Swap true and false; absent stays absent."""
    swapped = {Truth.TRUE: Truth.FALSE, Truth.FALSE: Truth.TRUE, Truth.ABSENT: Truth.ABSENT}
    return Value(frozenset(swapped[truth] for truth in value.possible), value.open)


def _combine(values: tuple[Value, ...], rule: Callable[[tuple[Truth, ...]], Truth]) -> Value:
    # Equal operands add no combination, so that a long list stays cheap.
    choices = {value.possible for value in values}
    possible = frozenset(rule(choice) for choice in product(*choices))
    return Value(possible, len(possible) > 1 and any(value.open for value in values))


def _all(choice: tuple[Truth, ...]) -> Truth:
    if Truth.FALSE in choice:
        return Truth.FALSE
    return Truth.ABSENT if Truth.ABSENT in choice else Truth.TRUE


def _any(choice: tuple[Truth, ...]) -> Truth:
    if Truth.TRUE in choice:
        return Truth.TRUE
    return Truth.ABSENT if Truth.ABSENT in choice else Truth.FALSE
