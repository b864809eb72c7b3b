"""Why an exchange came out as it did: for each rule and thing, whether it matched, and which way out was taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from troth.cases.compare import whole
from troth.cases.stage import Judged
from troth.engines.embedded import CompiledRule
from troth.engines.embedded.operators import build
from troth.engines.embedded.truth import ABSENT, FALSE, TRUE
from troth.engines.embedded.views import (
    CookieView,
    ElementView,
    EventView,
    ExchangeView,
    FieldView,
    PageView,
    RecordView,
    View,
)
from troth.model.facts import Exchange
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
    StateIs,
    Status,
    Under,
)
from troth.model.words import Action, Mode, Thing
from troth.runtime.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What one rule made of one thing. `outcome`: rests, kept, opened, acts; `why` says it in words."""

    rule: str
    clauses: tuple[str, ...]
    thing: str
    about: str
    outcome: str
    why: tuple[str, ...]
    actions: tuple[str, ...] = ()
    dry: bool = False

    def __str__(self) -> str:
        about = f" {self.about}" if self.about else ""
        does = f": {'would ' if self.dry else ''}{', '.join(self.actions)}" if self.actions else ""
        head = f"{self.rule} ({', '.join(self.clauses)}) on {self.thing}{about} {self.outcome}{does}"
        return "\n".join([head, *(f"    {line}" for line in self.why)])

    def as_dict(self) -> dict[str, Any]:
        """Return the story as plain values."""
        return {
            "rule": self.rule, "clause": list(self.clauses), "thing": self.thing, "about": self.about,
            "outcome": self.outcome, "actions": list(self.actions), "dry": self.dry, "why": list(self.why),
        }  # fmt: skip


def explain(judged: Judged, site: Site) -> tuple[Story, ...]:
    """Tell what every rule made of every thing of an exchange, in the order of the policy."""
    x = whole(judged.exchange)
    told = [
        _story(rule, view, about, site)
        for thing in Thing
        for rule in site.engine.rules[thing]
        for view, about in _views(x, thing, site)
    ]
    order = {rule.id: at for at, rule in enumerate(site.policy.rules)}
    return tuple(sorted(told, key=lambda one: order[one.rule]))


def _views(x: Exchange, thing: Thing, site: Site) -> Iterator[tuple[View, str]]:
    tables = site.engine.tables
    match thing:
        case Thing.COOKIE:
            yield from ((CookieView(tables, x, one), f"{one.name} ({one.direction.value})") for one in x.cookies)
        case Thing.ELEMENT:
            yield from ((ElementView(tables, x, one), f"{one.kind} {one.host or ''}".strip()) for one in x.elements)
        case Thing.FIELD:
            yield from ((FieldView(tables, x, one), f"{one.category} ({one.carrier.value})") for one in x.fields)
        case Thing.RECORD:
            yield from ((RecordView(tables, x, one), str(at + 1)) for at, one in enumerate(x.records))
        case Thing.EVENT:
            yield from ((EventView(tables, x, one), one.name) for one in x.events)
        case Thing.PAGE:
            if x.page is not None:
                yield PageView(tables, x, x.page), ""
        case Thing.EXCHANGE:
            yield ExchangeView(tables, x), ""


def _story(rule: CompiledRule, view: View, about: str, site: Site) -> Story:
    planned = rule.planned
    _, outcome = rule.judge(view, final=True)
    match = f"match: {_said(rule.match(view))}"
    why = [match, *_parts(planned.rule.match, planned.match, view, site)] if planned.rule.match is not None else []
    actions: tuple[str, ...] = ()
    if rule.match(view) & TRUE:
        why += _ways(rule, view)
    if outcome is None:
        verdict = _let_through(rule, view)
    elif outcome[0] in (Action.KEPT, Action.OPENED):
        verdict = outcome[0].value
    else:
        found = site.engine.report(rule, outcome, None, view) or ()
        verdict, actions = "acts", tuple(dict.fromkeys(one.action.value for one in found))
    return Story(
        rule=planned.rule.id, clauses=planned.rule.clauses, thing=planned.thing.value, about=about, outcome=verdict,
        why=tuple(why), actions=actions, dry=planned.rule.mode is Mode.DRY_RUN,
    )  # fmt: skip


def _let_through(rule: CompiledRule, view: View) -> str:
    """Say why a rule found nothing: it did not match, or a way out was taken."""
    if not rule.match(view) & TRUE:
        return "rests"
    for judge, clauses in rule.ways:
        if judge(view) == TRUE:
            return "kept" if clauses is None else "opened"
    return "rests"


def _ways(rule: CompiledRule, view: View) -> list[str]:
    own = rule.planned.rule.only_if or rule.planned.rule.expect
    word = "only-if" if rule.planned.rule.only_if is not None else "expect"
    openings = iter(rule.planned.rule.openings)
    said = []
    for judge, clauses in rule.ways:
        truth = _said(judge(view))
        if clauses is None:
            said.append(f"{word} {text(own) if own is not None else ''}: {truth}")
        else:
            opening = next(openings)
            said.append(f"except {', '.join(clauses) or opening.law} {text(opening.condition)}: {truth}")
    return said


def _parts(condition: Condition | None, op: Any, view: View, site: Site) -> list[str]:
    """Tell the parts of a condition one by one, where the plan has kept them apart."""
    parts = condition.parts if isinstance(condition, All) else ()
    if not parts or op[0] != "all" or len(op) - 1 != len(parts):
        return [f"  {text(condition)}"] if condition is not None else []
    judged = (build(one, site.engine.tables)(view) for one in op[1:])
    return [f"  {text(part)}: {_said(truth)}" for part, truth in zip(parts, judged, strict=True)]


def _said(truth: int) -> str:
    known = {TRUE: "true", FALSE: "false", ABSENT: "absent"}
    return known.get(truth, "open" if truth & 8 else "unreadable")


# conditions as they are written ----------------------------------------------------------------------------------


def text(condition: Condition) -> str:
    """Return a condition much as it stands in a rule file."""
    match condition:
        case All(parts):
            return "{" + ", ".join(map(text, parts)) + "}"
        case AnyOf(parts):
            return "any: [" + ", ".join(map(text, parts)) + "]"
        case Not(part):
            return f"not: {text(part)}"
        case Names(word=word, names=names, carriers=carriers):
            return f"{word}: {_list(names)}" + (f", carrier: {_list(carriers)}" if carriers else "")
        case _:
            return _atom(condition)


def _list(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else "[" + ", ".join(names) + "]"


def _atom(condition: Condition) -> str:
    match condition:
        case ConsentIs(word=word, name=name, params=params, form=form):
            about = "".join(f" {key}={value}" for key, value in params)
            return f"{word}: {name}{about}{f' form={form}' if form else ''}"
        case StateIs(name=name, params=params):
            return f"state: {name}" + "".join(f" {key}={value}" for key, value in params)
        case Under(years=years):
            return f"under: {years}"
        case ActorIs(classes=classes, verified=verified):
            return f"actor: {_list(classes)}" if verified is None else f"actor: verified {verified.text}"
        case Attested(what=what, about=about_whom):
            return f"attested: {what}" + (f" about {about_whom}" if about_whom else "")
        case Https(wanted=wanted):
            return f"https: {str(wanted).lower()}"
        case Aggregate(minimum=minimum):
            return f"aggregate: {minimum}"
        case _:
            return _duty(condition)


def _duty(condition: Condition) -> str:
    match condition:
        case Keep(limit=limit):
            return f"keep: {limit.text if limit is not None else 'of-purpose'}"
        case Status(wanted=wanted):
            return f"status: {_list(wanted)}"
        case Header(name=name, values=values):
            return f"header: {name} {_list(values)}"
        case Attribute(name=name, value=value):
            return f"attribute: {name} {value}"
        case FollowedBy(event=event, within=within):
            return f"followed-by: {event} within {within.text}"
        case AtMost(count=count, per=per, within=within):
            return f"at-most: {count} per {per} within {within.text}"
        case _:
            return type(condition).__name__
