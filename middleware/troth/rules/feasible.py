"""What a policy can and cannot keep with a given binding: rules that run dry, come late, or never."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from troth.diagnostics import Span
from troth.model import rules as model
from troth.model.binding import Binding, Route
from troth.model.policy import Policy
from troth.model.rules import Condition, Rule
from troth.model.words import OWN_COPY_TAGS, PROTECTED_TAGS, RESTRICTING, Mode, Thing, Word
from troth.rules.reader import Reader, did_you_mean, listing

_FLOWS = (Thing.COOKIE, Thing.ELEMENT, Thing.FIELD, Thing.RECORD, Thing.EXCHANGE)
_INBOUND = frozenset({"request", "query", "path", "form", "json", "multipart", "header"})
_OF_ROUTES = frozenset({Word.PURPOSE, Word.BASIS, Word.ROUTE, Word.ORIGIN, Word.DATA})
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
Places = Mapping[str, Mapping[str, Span]]


def leaves(condition: Condition | None) -> Iterator[Condition]:
    """Yield the facts and duties of a condition."""
    match condition:
        case None:
            return
        case model.All(parts=parts) | model.AnyOf(parts=parts):
            for part in parts:
                yield from leaves(part)
        case model.Not(part=part):
            yield from leaves(part)
        case _:
            yield condition


def facts_of(rule: Rule) -> tuple[Condition, ...]:
    """Return every fact and duty that a rule reads, exceptions included."""
    asked = (rule.match, rule.only_if, rule.expect, *(one.condition for one in rule.openings))
    return tuple(leaf for condition in asked for leaf in leaves(condition))


def warn_of_kinds(policy: Policy, at: Span, reader: Reader) -> None:
    """Warn of kinds of thing that no rule is about: they pass, whatever they are."""
    about = {thing for rule in policy.rules if rule.mode is not Mode.OFF for thing in rule.things}
    without = [thing for thing in _FLOWS if thing not in about]
    if without:
        message = f"no rule is about {listing(without)}: they pass"
        reader.report("TR402", message, at, docs="grammar")


def warn_without_binding(policy: Policy, at: Span, reader: Reader) -> None:
    """Warn of rules that run dry without a binding: those about fields, records and a route's purpose."""
    dry = [rule.id for rule in policy.rules if rule.mode is not Mode.OFF and _needs_binding(rule)]
    if dry:
        message = f"without a binding {listing(dry)} {'runs' if len(dry) == 1 else 'run'} dry"
        advice = "check with `--binding FILE`, or start one with `troth init`"
        reader.report("TR403", message, at, advice=advice, docs="binding")


def _needs_binding(rule: Rule) -> bool:
    if set(rule.things) & {Thing.FIELD, Thing.RECORD}:
        return True
    words = {leaf.word for leaf in facts_of(rule) if isinstance(leaf, model.Names)}
    return Thing.EXCHANGE in rule.things and not words.isdisjoint(_OF_ROUTES)


@dataclass(frozen=True, slots=True)
class Needs:
    """What a rule has to learn about people before it can act."""

    actor: bool
    states: frozenset[str]
    verified: bool
    tags: frozenset[str]
    inbound: bool
    """Limited to what comes in: it acts before the app or not at all."""


def needs_of(rule: Rule, policy: Policy) -> Needs:
    """Return what a rule has to learn about people."""
    found = facts_of(rule)
    states = frozenset(leaf.name for leaf in found if isinstance(leaf, model.StateIs))
    persons = any(isinstance(leaf, model.ConsentIs) and _person_only(leaf, policy) for leaf in found)
    actors = [leaf for leaf in found if isinstance(leaf, model.ActorIs)]
    carriers = {name for leaf in leaves(rule.match) if isinstance(leaf, model.Names) for name in _carriers(leaf)}
    return Needs(
        actor=bool(actors) or persons or bool(states) or any(isinstance(leaf, model.Under) for leaf in found),
        states=states, verified=any(leaf.verified for leaf in actors),
        tags=frozenset(_tags(found)),
        inbound=bool(carriers) and carriers <= _INBOUND,
    )  # fmt: skip


def _tags(found: tuple[Condition, ...]) -> Iterator[str]:
    for leaf in found:
        if isinstance(leaf, model.Names) and leaf.word is Word.ROUTE:
            yield from leaf.names


def _carriers(leaf: model.Names) -> tuple[str, ...]:
    return leaf.names if leaf.word is Word.CARRIER else leaf.carriers


def _person_only(leaf: model.ConsentIs, policy: Policy) -> bool:
    row = policy.consents.get(leaf.name)
    return row is not None and row.holders == ("person",)


def check_binding(policy: Policy, binding: Binding, places: Places, at: Span, reader: Reader) -> None:
    """Find rules that this binding cannot keep, keeps late, or has no source for."""
    for rule in policy.rules:
        if rule.mode is not Mode.OFF:
            _check_rule(rule, needs_of(rule, policy), binding, places[rule.id], reader)
    known = [row.id for row in policy.data.values() if "known" in row.probes]
    if known and not set(known) <= set(binding.actor.known):
        missing = sorted(set(known) - set(binding.actor.known))
        message = f"no hook brings the values of {listing(missing)}, which the probe `known` looks for"
        reader.report("TR406", message, at, advice="name them under `actor: {known: …}`", docs="binding actor")


def _check_rule(rule: Rule, needs: Needs, binding: Binding, places: Mapping[str, Span], reader: Reader) -> None:
    at = places.get("match") or places.get("only-if") or places["id"]
    _warn_of_tags(rule, needs, binding, at, reader)
    _warn_of_sources(rule, needs, binding, at, reader)
    late = needs.actor and not binding.actor.before and bool(binding.actor.after) and _restricts(rule)
    if not late:
        return
    if needs.inbound and set(rule.things) <= {Thing.FIELD, Thing.RECORD} and _changing(binding):
        message = f"`{rule.id}` can never be kept: it acts before the app is called, and the actor is known only after"
        reader.report("TR404", message, at, advice="name a hook under `actor: {before: …}`", docs="binding actor")
    elif changing := _changing_routes(rule, needs, binding):
        message = f"`{rule.id}` is kept late on {listing(changing)}: the app has acted when the actor is known"
        reader.report("TR405", message, at, advice="name a hook under `actor: {before: …}`", docs="binding actor")


def _restricts(rule: Rule) -> bool:
    return any(effect.action in RESTRICTING for effect in rule.effects)


def _changing(binding: Binding) -> list[Route]:
    """Return routes that change something and whose subject is the actor: they name no other."""
    return [
        route
        for route in binding.routes
        if route.method not in _SAFE_METHODS and route.subject is None and not set(route.tags) & PROTECTED_TAGS
    ]


def _changing_routes(rule: Rule, needs: Needs, binding: Binding) -> list[str]:
    if Thing.EXCHANGE not in rule.things:
        return []
    return [route.key for route in _changing(binding) if not needs.tags or set(route.tags) & needs.tags]


def _warn_of_sources(rule: Rule, needs: Needs, binding: Binding, at: Span, reader: Reader) -> None:
    hooks = binding.actor
    written = {write.state for route in binding.routes for write in route.writes}
    unset = sorted(needs.states - written) if binding.state is None else []
    if unset:
        message = f"`{rule.id}` asks for {listing(unset)}, which no route writes and no look-up brings"
        reader.report("TR406", message, at, advice="name a look-up under `state`", docs="binding state")
    elif needs.verified and not hooks.verified:
        message = f"`{rule.id}` asks when the actor was verified, which no hook says"
        reader.report("TR406", message, at, advice="name a hook under `actor: {verified: …}`", docs="binding actor")
    elif _asks_actor(rule) and not (hooks.before or hooks.after):
        message = f"`{rule.id}` asks who the actor is, which no hook says: everybody is a stranger"
        reader.report("TR406", message, at, advice="name a hook under `actor`", docs="binding actor")


def _asks_actor(rule: Rule) -> bool:
    return any(isinstance(leaf, model.ActorIs) for leaf in facts_of(rule))


def _warn_of_tags(rule: Rule, needs: Needs, binding: Binding, at: Span, reader: Reader) -> None:
    bound = {tag for route in binding.routes for tag in route.tags} | PROTECTED_TAGS | OWN_COPY_TAGS
    missing = sorted(tag for tag in needs.tags - bound if not tag.startswith("of-"))
    if missing:
        advice = did_you_mean(missing[0], bound)
        message = f"`{rule.id}` is about routes tagged {listing(missing)}, and no route of the binding is"
        reader.report("TR211", message, at, advice=advice, docs="binding routes")
