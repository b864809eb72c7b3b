"""A planned rule as text, in the form of ``docs/plan.md``."""

from __future__ import annotations

from typing import Any

from troth.plan.compile import PlannedRule


def text(planned: PlannedRule) -> str:
    """Return a rule on one thing: what it matches and each way out, as operators."""
    ways = [
        f"way {operator(way.op)}" + (f" by {', '.join(way.clauses)}" if way.clauses else "") for way in planned.ways
    ]
    return "\n".join([f"match {operator(planned.match)}", *ways])


def operator(part: Any) -> str:
    """Return an operator, or an argument of one: operators in parentheses, sets of names in braces."""
    if isinstance(part, frozenset):
        return "{" + " ".join(sorted(map(str, part))) + "}"
    return f"({' '.join(map(operator, part))})" if isinstance(part, tuple) else str(part)
