"""Which clause is enforced, observed, attested, without duty or open: computed from rules, rows and cases.

A clause counts through a rule that cites it, that permits it as an exception or reads it otherwise (`reading`). One
that no rule cites counts through the rules that read a row of the vocabulary which cites it. With case results a rule
counts only if it fires in one case and rests in another; without them all rules count, and `by_cases` says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from troth.model.policy import Policy
from troth.model.rules import Names, Rule
from troth.model.words import Action, Mode, Thing, Word
from troth.rules.feasible import facts_of
from troth.rules.reading_rows import rows_read

Results = Mapping[str, tuple[int, int]]
"""Rule id to the number of cases in which it fired and in which it rested."""


class State(StrEnum):
    """What stands behind a clause, strongest first."""

    ENFORCED = "enforced"
    OBSERVED = "observed"
    ATTESTED = "attested"
    NONE = "none"
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClauseCoverage:
    """One clause: its state, the rules behind it, the reason for `none` or `open`, what part waits for what."""

    id: str
    state: State
    rules: tuple[str, ...] = ()
    reason: str | None = None
    remainder: str | None = None

    def as_dict(self) -> dict[str, object]:
        """Return plain values, as `--format json` prints them."""
        return {
            "id": self.id,
            "state": str(self.state),
            "rules": list(self.rules),
            "reason": self.reason,
            "remainder": self.remainder,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The coverage of a policy, clauses in the order of its text. `by_cases` is false where no case was run."""

    policy: str
    clauses: tuple[ClauseCoverage, ...]
    by_cases: bool

    def counts(self) -> dict[State, int]:
        """Return how many clauses are in each state."""
        return {state: sum(one.state is state for one in self.clauses) for state in State}


@dataclass(slots=True)
class _Backing:
    """What was found for one clause."""

    rules: list[Rule] = field(default_factory=list)

    def add(self, rule: Rule) -> None:
        if rule not in self.rules:
            self.rules.append(rule)


def coverage(policy: Policy, *, today: date, results: Results | None = None) -> Coverage:
    """Return the coverage of a policy on a day; `results` are those of its cases, None where none were run."""
    backing = _backing(policy)
    attested = _attested(policy, today)
    clauses = tuple(_clause(name, backing, attested, policy, results) for name in _ids(policy, backing, attested))
    return Coverage(policy=policy.identity.id, clauses=clauses, by_cases=results is not None)


def _ids(policy: Policy, backing: Mapping[str, _Backing], attested: frozenset[str]) -> tuple[str, ...]:
    """Return the clauses of the text, or, where there is no text, those that anything cites."""
    if policy.clauses:
        return tuple(clause.id for clause in policy.clauses)
    return tuple(dict.fromkeys([*backing, *policy.none, *sorted(attested)]))


def _backing(policy: Policy) -> dict[str, _Backing]:
    cited: dict[str, _Backing] = {}
    through_rows: dict[str, _Backing] = {}
    for rule in policy.rules:
        for clause in _cited(rule):
            cited.setdefault(clause, _Backing()).add(rule)
        for clause in (clause for clauses in rows_read(rule, policy) for clause in clauses):
            through_rows.setdefault(clause, _Backing()).add(rule)
    return {**through_rows, **cited}


def _cited(rule: Rule) -> Iterator[str]:
    yield from rule.clauses
    for opening in rule.openings:
        yield from opening.clauses
    for reading in rule.readings:
        yield from reading.against


def _attested(policy: Policy, today: date) -> frozenset[str]:
    valid = (
        one
        for one in policy.attestations
        if (one.expires is None or today < one.expires) and (one.dated is None or one.dated <= today)
    )
    return frozenset(clause for one in valid for clause in one.clauses)


def _clause(
    name: str, backing: Mapping[str, _Backing], attested: frozenset[str], policy: Policy, results: Results | None
) -> ClauseCoverage:
    rules = backing[name].rules if name in backing else []
    counted = [rule for rule in rules if rule.mode is not Mode.OFF and _proven(rule, results)]
    best = min((_strength(rule) for rule in counted), key=_rank, default=None)
    state = best or _without_rule(name, attested, policy)
    return ClauseCoverage(
        id=name,
        state=state,
        rules=tuple(rule.id for rule in counted),
        reason=_reason(name, state, rules, policy),
        remainder=_remainder(name, state, counted, attested, policy),
    )


def _without_rule(name: str, attested: frozenset[str], policy: Policy) -> State:
    if name in attested:
        return State.ATTESTED
    return State.NONE if name in policy.none else State.OPEN


def _rank(state: State) -> int:
    return list(State).index(state)


def _proven(rule: Rule, results: Results | None) -> bool:
    fires, rests = (1, 1) if results is None else results.get(rule.id, (0, 0))
    return fires > 0 and rests > 0


def _strength(rule: Rule) -> State:
    """A rule that edits or denies enforces; one that only alerts, or runs dry, observes."""
    effects = {effect.action for thing in rule.things for effect in rule.effects_for(thing)}
    return State.OBSERVED if rule.mode is Mode.DRY_RUN or effects <= {Action.ALERT} else State.ENFORCED


def _reason(name: str, state: State, rules: list[Rule], policy: Policy) -> str | None:
    if state is State.NONE:
        return policy.none[name]
    if state is not State.OPEN:
        return None
    if not rules:
        return "no rule"
    if all(rule.mode is Mode.OFF for rule in rules):
        return f"off: {', '.join(rule.id for rule in rules)}"
    unproven = ", ".join(rule.id for rule in rules if rule.mode is not Mode.OFF)
    return f"no case in which it fires and another in which it rests: {unproven}"


def _remainder(name: str, state: State, counted: list[Rule], attested: frozenset[str], policy: Policy) -> str | None:
    """What the policy says, else what can be seen: a statement beside the rule, or rules that need mark-up."""
    if name in policy.remainder:
        return policy.remainder[name]
    if state in (State.NONE, State.OPEN):
        return None
    if name in attested:
        return "person"
    return "markup" if any(map(_waits_for_markup, counted)) else None


def _waits_for_markup(rule: Rule) -> bool:
    """Whether a rule is about elements, or would put a mark on a page: pages are read, and not changed."""
    if Thing.ELEMENT in rule.things:
        return True
    if Thing.PAGE not in rule.things or Action.AMEND not in {effect.action for effect in rule.effects_for(Thing.PAGE)}:
        return False
    return any(isinstance(leaf, Names) and leaf.word is Word.SHOWS for leaf in facts_of(rule))
