"""Rules to plan: one `PlannedRule` per rule and thing, its conditions as operators with every name resolved.

An operator is a tuple whose first item names it (`troth/docs/plan.md` lists them). `not` stands only directly over
an atom, so that what an undeclared row is worth (judging, section 3) can be written into the plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, assert_never

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
    Effect,
    FollowedBy,
    Header,
    Https,
    Keep,
    Names,
    Not,
    Rule,
    StateIs,
    Status,
    Under,
)
from troth.model.words import (
    DECLARED,
    RESTRICTING,
    UNDECLARED,
    Carrier,
    Mode,
    Thing,
    Word,
    reference,
)
from troth.plan.tables import Tables

Op = tuple[Any, ...]
"""One operator: its name, then its arguments: names, numbers, tuples of names, or further operators."""

_ASKED_FOR: Final = frozenset({Word.PURPOSE, Word.BASIS, Word.PARTY, Word.ROLE, Word.COUNTRY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way out of a matching rule: its duty or condition (`clauses` None), or an exception with its clauses."""

    op: Op
    clauses: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRule:
    """One rule on one thing."""

    rule: Rule
    order: int
    """Place of the rule in the policy."""
    thing: Thing
    match: Op
    ways: tuple[Way, ...]
    effects: tuple[Effect, ...]
    asks_https: bool
    """Some condition asks for https: its denial may become a redirect."""


def compile_plan(tables: Tables) -> tuple[PlannedRule, ...]:
    """Compile every rule of the policy that is not off, for each thing that it is about."""
    planned = []
    for order, rule in enumerate(tables.policy.rules):
        if rule.mode is Mode.OFF:
            continue
        planned += [_plan_rule(rule, order, thing, tables) for thing in rule.things]
    return tuple(planned)


def _plan_rule(rule: Rule, order: int, thing: Thing, tables: Tables) -> PlannedRule:
    effects = rule.effects_for(thing)
    restricts = rule.expect is None and any(effect.action in RESTRICTING for effect in effects)
    inside = _Compiler(tables, rule, in_match=True, undeclared="t" if restricts else "f")
    outside = _Compiler(tables, rule, in_match=False, undeclared="f")
    ways = []
    own = tuple(part for part in (rule.only_if, rule.expect) if part is not None)
    if own:
        ways.append(Way(op=outside.compile(All(own))))
    ways += [Way(op=outside.compile(opening.condition), clauses=opening.clauses) for opening in rule.openings]
    match = inside.compile(rule.match) if rule.match is not None else ("const", "t")
    return PlannedRule(
        rule=rule,
        order=order,
        thing=thing,
        match=_of_named_fields(rule, match) if thing is Thing.FIELD else match,
        ways=tuple(ways),
        effects=effects,
        asks_https=any(_asks_https(part) for part in (rule.match, rule.only_if) if part is not None),
    )


def _of_named_fields(rule: Rule, match: Op) -> Op:
    """Keep from a rule the fields that are things only for rules that name them (judging, section 4)."""
    named = {name for atom in _atoms(rule) for name in _field_names(atom)}
    hidden = frozenset((Carrier.TRAIL.value, Carrier.CONNECTION.value, UNDECLARED)) - named
    return ("all", ("unnamed", hidden), match) if hidden else match


def _atoms(rule: Rule) -> Iterator[Condition]:
    for condition in (rule.match, rule.only_if, rule.expect, *(opening.condition for opening in rule.openings)):
        if condition is not None:
            yield from _leaves(condition)


def _leaves(condition: Condition) -> Iterator[Condition]:
    match condition:
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from _leaves(part)
        case Not(part):
            yield from _leaves(part)
        case _:
            yield condition


def _field_names(atom: Condition) -> tuple[str, ...]:
    if not isinstance(atom, Names):
        return ()
    asked = {Word.CARRIER: atom.names, Word.DATA: atom.names + atom.carriers, Word.COMPLETE: atom.carriers}
    return asked.get(atom.word, ())


def _asks_https(condition: Condition) -> bool:
    match condition:
        case All(parts) | AnyOf(parts):
            return any(_asks_https(part) for part in parts)
        case Not(part):
            return _asks_https(part)
        case _:
            return isinstance(condition, Https)


class _Compiler:
    """Compiles the conditions of one rule in one position."""

    def __init__(self, tables: Tables, rule: Rule, *, in_match: bool, undeclared: str) -> None:
        self._tables = tables
        self._rule = rule
        self._in_match = in_match
        self._fallback: Op = ("const", undeclared)

    def compile(self, condition: Condition, *, negated: bool = False) -> Op:
        match condition:
            case All(parts):
                return self._join("any" if negated else "all", parts, negated)
            case AnyOf(parts):
                return self._join("all" if negated else "any", parts, negated)
            case Not(part):
                return self.compile(part, negated=not negated)
            case Names():
                return self._names(condition, negated)
            case _:
                return _negate(self._atom(condition), negated)

    def _join(self, name: str, parts: tuple[Condition, ...], negated: bool) -> Op:
        ops = tuple(self.compile(part, negated=negated) for part in parts)
        return ops[0] if len(ops) == 1 else (name, *ops)

    def _names(self, fact: Names, negated: bool) -> Op:
        """Compile a list of names; for the five facts that a row answers, say what an undeclared row is worth."""
        if fact.word not in _ASKED_FOR:
            return _negate(self._plain(fact, fact.names), negated)
        plain = tuple(name for name in fact.names if name in (DECLARED, UNDECLARED))
        rest = tuple(name for name in fact.names if name not in (DECLARED, UNDECLARED))
        ops = [_negate(("is", fact.word.value, name), negated) for name in plain]
        if rest:
            if fact.word is Word.PARTY and "any" in rest:
                ops.append(_negate(("is", "party", "any"), negated))
                rest = tuple(name for name in rest if name != "any")
            if rest:
                ops.append(("declared", fact.word.value, self._fallback, _negate(self._plain(fact, rest), negated)))
        whole = ops[0] if len(ops) == 1 else ("all" if negated else "any", *ops)
        if fact.word in (Word.PARTY, Word.ROLE, Word.COUNTRY):
            return ("by-party", "any" if self._in_match else "all", whole)
        return whole

    def _plain(self, fact: Names, names: tuple[str, ...]) -> Op:
        word = fact.word
        if word is Word.DATA:
            return self._data(names, fact.carriers)
        if word is Word.COMPLETE:
            return ("complete", self._wanted(names), fact.carriers)
        if word is Word.SHOWS:
            return ("shows", names)
        # What rows answer with `undeclared` never comes here; of a region it asks whether nobody knows it.
        special = {"any", "none", "own", *((UNDECLARED,) if word is Word.REGION else ())}
        asked = [("is", word.value, name) for name in names if name in special and word is not Word.KIND]
        refs = [("like", word.value, name[3:]) for name in names if reference(name)]
        literal = tuple(name for name in names if reference(name) is None and name not in special)
        if word in (Word.COUNTRY, Word.REGION):
            literal = tuple(sorted(self._tables.area(literal)))
        ops: list[Op] = [*asked, *refs]
        if literal:
            ops.append(("in", word.value, frozenset(literal)))
        return ops[0] if len(ops) == 1 else ("any", *ops)

    def _data(self, names: tuple[str, ...], carriers: tuple[str, ...]) -> Op:
        refs = [("data-of", name[3:], carriers) for name in names if reference(name)]
        plain = tuple(name for name in names if reference(name) is None)
        ops: list[Op] = [*refs]
        if plain:
            ops.append(("data", self._tables.categories(plain), carriers))
        return ops[0] if len(ops) == 1 else ("any", *ops)

    def _wanted(self, names: tuple[str, ...]) -> tuple[Any, ...]:
        """For `complete`: each name as the set of categories that meets it, or the reference."""
        return tuple(
            name if reference(name) else frozenset({name}) | self._tables.categories((name,)) for name in names
        )

    def _atom(self, atom: Condition) -> Op:  # noqa: C901 - one case a word, nothing else
        match atom:
            case ConsentIs(word=word, name=name, params=params, form=form):
                return (word.value, name, params, form)
            case StateIs(name=name, params=params):
                return ("state", name, params)
            case Under(years=years):
                return ("under", years)
            case ActorIs(classes=classes, verified=verified):
                return ("verified", verified) if verified is not None else ("actor", classes)
            case Attested(what=what, about=about):
                return ("attested", what, self._about(what, about))
            case Https(wanted=wanted):
                return ("https", wanted)
            case Aggregate(minimum=minimum):
                return ("aggregate", minimum)
            case Keep(limit=limit):
                return ("keep", limit)
            case Status(wanted=wanted_status):
                return ("status", wanted_status)
            case Header(name=name, values=values):
                return ("header", name, values)
            case Attribute(name=name, value=value):
                return ("attribute", name, value)
            case FollowedBy(event=event, within=within):
                return ("followed-by", event, within)
            case AtMost(count=count, per=per, within=within):
                return ("at-most", count, per, within)
            case All() | AnyOf() | Not() | Names():
                raise AssertionError("compiled elsewhere")
            case _:
                assert_never(atom)

    def _about(self, what: str, about: str | None) -> str | None:
        if about == "of-version" and (what == "announcement" or self._is_activation()):
            return "of-coming"
        return about

    def _is_activation(self) -> bool:
        return self._rule.match is not None and _names_event(self._rule.match, "policy-activated")


def _names_event(condition: Condition, event: str) -> bool:
    match condition:
        case All(parts) | AnyOf(parts):
            return any(_names_event(part, event) for part in parts)
        case Names(word=Word.EVENT, names=names):
            return event in names
        case _:
            return False


def _negate(op: Op, negated: bool) -> Op:
    return ("not", op) if negated else op
