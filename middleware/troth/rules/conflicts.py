"""Two rules that would amend one thing to different ends. They must agree, or the policy cannot be used."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations

from troth.model import rules as model
from troth.model.rules import Condition, Rule
from troth.model.words import NONE, Action, Mode, Word, reference
from troth.rules.reader import Reader
from troth.rules.rulefile import RuleFile

_ADDS_UP = frozenset({"content-security-policy"})
"""A second header only narrows the first."""
_AGREES = frozenset({"lifetime"})
"""The shorter of two lifetimes keeps both promises."""
_ONE_ANSWER = frozenset({Word.PURPOSE, Word.BASIS, Word.ROUTE, Word.KIND, Word.ASKED, Word.REGION, Word.EVENT})
"""Names of which a thing cannot be asked twice with different answers, as it can of its parties and people."""
_DISJOINT = frozenset({Word.PURPOSE, Word.ROUTE, Word.KIND, Word.PARTY})


def refuse_conflicts(file: RuleFile, reader: Reader) -> None:
    """Report each pair of rules whose `amend` ask for different things of what both may match."""
    amending = [rule for rule in file.rules if rule.mode is not Mode.OFF and _amends(rule)]
    for first, second in combinations(amending, 2):
        clash = _clash(first, second)
        if clash and set(first.things) & set(second.things) and not _apart(first.match, second.match):
            places = file.places[second.id]
            message = f"`{second.id}` and `{first.id}` amend {clash} to different values"
            advice = "let their `match` exclude each other, or give both the same value"
            reader.report("TR307", message, places.get("expect", places["id"]), advice=advice, docs="words actions")


def _amends(rule: Rule) -> bool:
    return any(effect.action is Action.AMEND for effect in rule.effects)


def _clash(first: Rule, second: Rule) -> str | None:
    ours, theirs = list(_wanted(first.expect)), list(_wanted(second.expect))
    for name, values in ours:
        for other, others in theirs:
            if name == other and not _agree(values, others):
                return f"`{name}`"
    return None


def _wanted(duty: Condition | None) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what an amend must bring about in any case: names with the values of which one is enough."""
    match duty:
        case model.All(parts=parts):
            for part in parts:
                yield from _wanted(part)
        case model.Header(name=name, values=values) if name not in _ADDS_UP:
            yield name, values
        case model.Attribute(name=name, value=value) if name not in _AGREES:
            yield name, (value,)
        case _:
            return


def _agree(ours: Sequence[str], theirs: Sequence[str]) -> bool:
    """Whether one value can satisfy both: equal, or made of directives that do not contradict each other."""
    return any(_compatible(one, other) for one in ours for other in theirs)


def _compatible(one: str, other: str) -> bool:
    if NONE in (one, other):  # no header meets both that and a value
        return one == other
    if one == other or reference(one) or reference(other):
        return True
    first, second = _directives(one), _directives(other)
    if not first or not second:
        return False
    shared = set(first) & set(second)
    return all(first[name] == second[name] or name == "max-age" for name in shared)


def _directives(value: str) -> dict[str, str]:
    """Return ``name=value`` directives; nothing for a plain word such as ``DENY``, which stands alone."""
    parts = [part.strip().lower() for part in re.split(r"[,;]", value) if part.strip()]
    if len(parts) == 1 and "=" not in parts[0] and "-" not in parts[0] and not parts[0].startswith("no"):
        return {}
    return {name: given for name, _, given in (part.partition("=") for part in parts)}


def _apart(first: Condition | None, second: Condition | None) -> bool:
    """Whether two matches plainly exclude each other: one denies a part of the other, or asks for other names."""
    if _denies(first, second) or _denies(second, first):
        return True
    ours, theirs = dict(_plain(first)), dict(_plain(second))
    return any(ours[word].isdisjoint(theirs[word]) for word in ours.keys() & theirs.keys())


def _denies(first: Condition | None, second: Condition | None) -> bool:
    """Whether one match says `not` of a part of the other that has one answer."""
    return any(model.Not(part) in _parts(first) for part in _parts(second) if _has_one_answer(part))


def _has_one_answer(part: Condition) -> bool:
    return isinstance(part, model.Https) or (isinstance(part, model.Names) and part.word in _ONE_ANSWER)


def _parts(condition: Condition | None) -> tuple[Condition, ...]:
    if condition is None:
        return ()
    return condition.parts if isinstance(condition, model.All) else (condition,)


def _plain(condition: Condition | None) -> Iterator[tuple[Word, frozenset[str]]]:
    match condition:
        case model.All(parts=parts):
            for part in parts:
                yield from _plain(part)
        case model.Names(word=word, names=names) if word in _DISJOINT and not any(map(_open, names)):
            yield word, frozenset(names)
        case _:
            return


def _open(name: str) -> bool:
    return reference(name) is not None or name in ("any", "own", "declared", "undeclared", "none")
