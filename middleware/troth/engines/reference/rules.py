"""One rule on one thing (`docs/judging.md` section 2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from troth.engines.reference import choices, duties, names, people, truth
from troth.engines.reference.names import Place
from troth.engines.reference.truth import Value
from troth.engines.reference.view import View
from troth.model.facts import Field
from troth.model.findings import Finding
from troth.model.rules import (
    ActorIs,
    Aggregate,
    All,
    AnyOf,
    AtMost,
    Attested,
    Attribute,
    Condition,
    ConsentIs,
    FollowedBy,
    Header,
    Https,
    Keep,
    Names,
    Not,
    Opening,
    Rule,
    StateIs,
    Status,
    Under,
)
from troth.model.words import RESTRICTING, UNDECLARED, Action, Carrier, Mode, Word

_WAY_OUT = Place(in_match=False, undeclared_holds=False)


def value_of(view: View, condition: Condition, place: Place, negated: bool = False) -> Value:
    """Return the value of a condition; `not` is pushed inwards to the atoms (section 3)."""
    match condition:
        case Not(part):
            return value_of(view, part, place, not negated)
        case All(parts) | AnyOf(parts):
            values = [value_of(view, part, place, negated) for part in parts]
            return truth.all_of(values) if isinstance(condition, All) != negated else truth.any_of(values)
        case Names(word=Word.ASKED):
            value = names.asked_value(view, condition)
        case Names():
            return names.literal(view, condition, place, negated)
        case _:
            value = _atom(view, condition)
    return truth.negation(value) if negated else value


_Atom = (
    ConsentIs | StateIs | Under | ActorIs | Attested | Https | Aggregate | Keep | Status | Header | Attribute
    | FollowedBy | AtMost
)  # fmt: skip


def _atom(view: View, atom: _Atom) -> Value:
    match atom:
        case ConsentIs():
            return choices.consent_value(view, atom)
        case StateIs():
            return choices.state_value(view, atom)
        case Under(years=years):
            return people.under_value(view, years)
        case ActorIs(verified=period, classes=classes):
            return people.actor_value(view, classes) if period is None else people.verified_value(view, period)
        case Attested():
            return duties.attested_value(view, atom)
        case Https(wanted=wanted):
            return duties.https_value(view, wanted)
        case Aggregate(minimum=minimum):
            return duties.aggregate_value(view, minimum)
        case Keep():
            return duties.keep_value(view, atom)
        case _:
            return _duty(view, atom)


def _duty(view: View, atom: Status | Header | Attribute | FollowedBy | AtMost) -> Value:
    match atom:
        case Status():
            return duties.status_value(view, atom)
        case Header():
            return duties.header_value(view.exchange, atom)
        case Attribute():
            return duties.attribute_value(view, atom)
        case FollowedBy():
            return duties.followed_by_value(view, atom)
        case AtMost():
            return duties.at_most_value(view, atom)
        case _:
            assert_never(atom)


# --- which things a rule sees ----------------------------------------------------------------------------------------


def sees(rule: Rule, view: View) -> bool:
    """Tell whether a field is a thing for this rule: some are only for rules that name them (section 4)."""
    part = view.part
    if not isinstance(part, Field):
        return True
    if part.carrier in (Carrier.CONNECTION, Carrier.TRAIL) and not _says(rule, part.carrier.value):
        return False
    return part.category != UNDECLARED or _says(rule, UNDECLARED)


def _says(rule: Rule, name: str) -> bool:
    return any(name in _data_names(atom) for atom in atoms(rule))


def _data_names(atom: Condition) -> tuple[str, ...]:
    if not isinstance(atom, Names):
        return ()
    return {Word.CARRIER: atom.names, Word.DATA: atom.names + atom.carriers, Word.COMPLETE: atom.carriers}.get(
        atom.word, ()
    )


def atoms(rule: Rule) -> Iterator[Condition]:
    """Yield every atom of a rule and of its exceptions."""
    for condition in (rule.match, rule.only_if, rule.expect, *(opening.condition for opening in rule.openings)):
        if condition is not None:
            yield from _atoms(condition)


def _atoms(condition: Condition) -> Iterator[Condition]:
    match condition:
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from _atoms(part)
        case Not(part):
            yield from _atoms(part)
        case _:
            yield condition


# --- the verdict -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _WayOut:
    value: Value
    opening: Opening | None

    def taken(self, rule: Rule) -> bool:
        lenient = rule.unreadable_passes and self.value.may_hold and not self.value.open
        return self.value.certain or lenient

    @property
    def possible(self) -> bool:
        return self.value.open and self.value.may_hold


def findings(rule: Rule, view: View) -> list[Finding]:
    """Return what one rule finds on one thing."""
    if rule.mode is Mode.OFF or not sees(rule, view) or not _matches(rule, view):
        return []
    ways = _ways_out(rule, view)
    taken = next((way for way in ways if way.taken(rule)), None)
    if taken is not None:
        return _let_through(rule, view, taken.opening)
    if any(way.possible for way in ways):
        return []
    effects = rule.effects_for(view.thing)
    return [_finding(rule, view, effect.action, rule.clauses, effect.status) for effect in effects]


def _matches(rule: Rule, view: View) -> bool:
    if rule.match is None:
        return True
    restricts = any(effect.action in RESTRICTING for effect in rule.effects_for(view.thing))
    value = value_of(view, rule.match, Place(True, restricts and rule.expect is None))
    if value.certain:
        return True
    return value.may_hold and not value.open and not rule.unreadable_passes


def _ways_out(rule: Rule, view: View) -> list[_WayOut]:
    duty = [condition for condition in (rule.only_if, rule.expect) if condition is not None]
    ways = [_WayOut(value_of(view, All(tuple(duty)), _WAY_OUT), None)] if duty else []
    return ways + [_WayOut(value_of(view, opening.condition, _WAY_OUT), opening) for opening in rule.openings]


def _let_through(rule: Rule, view: View, opening: Opening | None) -> list[Finding]:
    if not rule.evidence:
        return []
    if opening is None:
        return [_finding(rule, view, Action.KEPT, rule.clauses)]
    return [_finding(rule, view, Action.OPENED, opening.clauses)]


def _finding(rule: Rule, view: View, action: Action, clauses: tuple[str, ...], status: int | None = None) -> Finding:
    dry = rule.mode is Mode.DRY_RUN
    return Finding(
        rule=rule.id,
        thing=view.thing,
        item=view.item,
        action=action,
        dry=dry,
        status=status if action is Action.DENY else None,
        clauses=clauses,
    )
