"""Rows of a ledger become what persons chose, and the states they are in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from troth.consent.batch import choice_from_row, params_from_text
from troth.model.consent import NO_CHOICES, Choice, Choices, Params

States = frozenset[tuple[str, Params]]
"""The states a person is in: ``("objected", (("purpose", "improvement"),))``; ``()`` means for all."""

_NO_STATES: Final[States] = frozenset()


def gather_choices(rows: Iterable[tuple[Any, ...]], persons: Sequence[str]) -> dict[str, Choices]:
    """Gather rows of person, consent, parameters, state, time, version and form, the oldest first.

    Of each consent and parameters one row comes, the latest; one without parameters replaces all before it.
    """
    gathered: dict[str, dict[str, tuple[Choice, ...]]] = {}
    for person, name, *row in rows:
        of_person = gathered.setdefault(person, {})
        choice = choice_from_row(tuple(row))
        before = of_person.get(name, ()) if choice.params else ()
        of_person[name] = (*before, choice)
    return {person: Choices(gathered[person]) if person in gathered else NO_CHOICES for person in persons}


def gather_states(rows: Iterable[tuple[Any, ...]], persons: Sequence[str]) -> dict[str, States]:
    """Gather rows of person, state and parameters."""
    gathered: dict[str, set[tuple[str, Params]]] = {}
    for person, name, params in rows:
        gathered.setdefault(person, set()).add((name, params_from_text(params)))
    return {person: frozenset(gathered.get(person, _NO_STATES)) for person in persons}
