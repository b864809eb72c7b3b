"""What does not hold in a case."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """What was expected and what came, in a few words each; `what` names the expectation."""

    what: str
    expected: str
    came: str
