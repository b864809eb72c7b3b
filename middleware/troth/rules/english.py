"""A rule in plain English, made from the model: what a privacy officer reads beside the YAML.

A condition becomes clauses, each a subject and what is said of it, or denied: `its purpose` `is …`, `is not …`. Those
about the thing itself stand with it ("a cookie whose purpose …"), the others follow ("when the visitor …").
"""

from __future__ import annotations

from collections.abc import Iterable

from troth.model.rules import All, AnyOf, Condition, Effect, Not, Opening, Rule
from troth.model.words import Action, Mode, Thing
from troth.rules.english_facts import either, said_of

_DONE = {
    Action.DENY: "denied",
    Action.WITHHOLD: "withheld",
    Action.MASK: "masked",
    Action.AMEND: "amended",
    Action.ALERT: "reported in the trail",
}


def sentences(rule: Rule) -> tuple[str, ...]:
    """Return a rule as sentences: what it does to which things, what opens it, and how it is turned."""
    return (_duty(rule) if rule.expect is not None else _prohibition(rule), *_more(rule))


def condition(what: Condition, things: tuple[Thing, ...]) -> str:
    """Return a condition as a clause about "it"."""
    return _clause(_pushed(what), things)


# the rule ------------------------------------------------------------------------------------------------------------


def _prohibition(rule: Rule) -> str:
    about, when = _about(rule)
    unless = f" unless {condition(rule.only_if, rule.things)}" if rule.only_if is not None else ""
    return f"{about} is {_effects(rule)}{f', when {when}' if when else ''}{',' if when and unless else ''}{unless}."


def _duty(rule: Rule) -> str:
    assert rule.expect is not None  # noqa: S101  # asked for by the caller
    about, when = _about(rule)
    expected = f"Expected of {about[0].lower()}{about[1:]}{f', when {when}' if when else ''}"
    return f"{expected}: {condition(rule.expect, rule.things)}. Otherwise it is {_effects(rule)}."


def _about(rule: Rule) -> tuple[str, str]:
    """Return the things with what is said of them themselves, and what has to be so besides."""
    names = either([thing.value for thing in rule.things])
    if rule.match is None:
        return f"Every {names}", ""
    match = _pushed(rule.match)
    parts = match.parts if isinstance(match, All) else (match,)
    own = [_relative(part, rule.things) for part in parts]
    with_it = " and ".join(one for one in own if one)
    rest = [part for part, one in zip(parts, own, strict=True) if not one]
    article = "An" if names[0] in "aeiou" else "A"
    when = _clause(All(tuple(rest)) if len(rest) > 1 else rest[0], rule.things) if rest else ""
    return f"{article} {names} {with_it}".strip(), when


def _relative(part: Condition, things: tuple[Thing, ...]) -> str:
    """Return a fact about the thing as a relative clause; nothing for what is about something else, or is compound."""
    if _is_compound(part, things):
        return ""
    told = _clause(part, things)
    if told.startswith("its "):
        return f"whose {told[4:]}"
    return f"that {told[3:]}" if told.startswith("it ") else ""


def _effects(rule: Rule) -> str:
    done = list(dict.fromkeys(map(_effect, rule.effects)))
    text = " and ".join(done)
    if rule.defaulted and Thing.PAGE in rule.things and rule.things != (Thing.PAGE,):
        text += " (a page is only reported)"
    elif rule.defaulted and rule.things == (Thing.PAGE,):
        text = _DONE[Action.ALERT]
    return text


def _effect(effect: Effect) -> str:
    return _DONE[effect.action] + (f" with status {effect.status}" if effect.status is not None else "")


def _more(rule: Rule) -> Iterable[str]:
    for opening in rule.openings:
        yield f"It passes all the same if {condition(opening.condition, rule.things)}: {_permitted(opening)}."
    if rule.unreadable_passes:
        yield "What cannot be read passes."
    else:
        yield "What cannot be read is treated as if the rule were broken."
    if rule.evidence:
        yield "The trail also tells where it let something pass."
    if rule.mode is Mode.DRY_RUN:
        yield "It is in dry-run: nothing is edited or denied, the trail tells what would have been done."
    if rule.mode is Mode.OFF:
        yield "It is off."


def _permitted(opening: Opening) -> str:
    if opening.law is not None:
        return f"{opening.law} permits it"
    return f"{' and '.join(opening.clauses)} {'permits' if len(opening.clauses) == 1 else 'permit'} it"


# conditions ----------------------------------------------------------------------------------------------------------


def _pushed(what: Condition, denied: bool = False) -> Condition:
    """Return a condition with `not` only over single facts; what is absent stays absent either way."""
    match what:
        case Not(part):
            return _pushed(part, not denied)
        case All(parts) | AnyOf(parts):
            joined = All if isinstance(what, All) != denied else AnyOf
            pushed = [_pushed(part, denied) for part in parts]
            flat = (one.parts if isinstance(one, joined) else (one,) for one in pushed)
            return joined(tuple(one for some in flat for one in some))
        case _:
            return Not(what) if denied else what


def _clause(what: Condition, things: tuple[Thing, ...]) -> str:
    match what:
        case All(parts):
            return " and ".join(_nested(part, things) for part in parts)
        case AnyOf(parts):
            return either([_nested(part, things) for part in parts], "either ")
        case Not(part):
            return _fact(part, things, denied=True)
        case _:
            return _fact(what, things, denied=False)


def _nested(part: Condition, things: tuple[Thing, ...]) -> str:
    told = _clause(part, things)
    return f"({told})" if _is_compound(part, things) else told


def _is_compound(part: Condition, things: tuple[Thing, ...]) -> bool:
    """Whether a clause about this joins several: a word with several kinds of values does, too."""
    fact = part.part if isinstance(part, Not) else part
    return isinstance(fact, All | AnyOf) or len(said_of(fact, things)) > 1


def _fact(fact: Condition, things: tuple[Thing, ...], *, denied: bool) -> str:
    """Return the alternatives of one word; denied, none of them holds."""
    told = [f"{one.subject} {one.denied if denied else one.held}" for one in said_of(fact, things)]
    return " and ".join(told) if denied else either(told, "either ")
