"""One site: a policy compiled with a binding, and everything derived from the two at load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import TypeVar

from troth.engines.embedded import Engine
from troth.engines.embedded.people import Judge, consent_operator
from troth.filters.html_marks import compiled
from troth.filters.names import Glob
from troth.filters.probes import Probes
from troth.filters.quiet import Quiet
from troth.model.binding import NO_BINDING, Binding, Route
from troth.model.policy import Policy
from troth.model.rules import All, AnyOf, Attribute, Condition, Header, Keep, Names, Not, Rule
from troth.model.words import Mode, Thing, Word
from troth.plan.tables import host_fits
from troth.runtime.counting import events_of, limits_of
from troth.runtime.following import deadlines_of
from troth.runtime.routes import RouteTable
from troth.runtime.tags import Tagging, asks_undeclared
from troth.runtime.versions import Versions

D = TypeVar("D", Header, Attribute, Keep)


class Site:
    """A policy as it guards one app. Immutable after it is made; hot reload makes a new one.

    `bound` is False where no binding was given: rules that need one then run dry. `switches` turns single rules off or
    dry; `given` is the policy as it was before all that, `host` what the site is known by over reloads.
    """

    def __init__(
        self,
        policy: Policy,
        binding: Binding | None,
        *,
        mode: Mode | None = None,
        switches: Mapping[str, Mode] | None = None,
        host: str = "",
    ) -> None:
        self.host = host
        self.bound = binding is not None
        self.binding = binding or NO_BINDING
        self.given = policy
        rules = tuple(_switched(rule, (switches or {}).get(rule.id)) for rule in policy.rules)
        self.policy = policy = replace(policy, rules=_as_run(rules, bound=self.bound, mode=mode))
        self.engine = Engine(policy, self.binding)
        self.routes = RouteTable(self.binding.routes)
        self.rules = {rule.id: rule for rule in policy.rules}
        self.versions = Versions(policy, self.engine)
        self._undeclared = asks_undeclared(self.engine.plan)
        self._tagging: dict[int, Tagging] = {}
        self.unbound = self._tags(None)
        self._cookie_map = [(Glob(name), row) for name, row in self.binding.cookies.items()]
        self._rows: dict[bytes, tuple[str, str | None, bool]] = {}
        self.cookie_probes = Probes(
            ((row.id, probe, row.pattern) for row in policy.data.values() for probe in row.probes if probe != "age"),
            policy.identity.contacts,
        )
        self.lines: dict[object, tuple[bytes, object, object]] = {}
        """Encoded lines of exchanges that told nothing of their own; `asgi.telling` keeps it bounded."""
        self.values = Quiet(self.cookie_probes)
        self.headers = {rule.id: tuple(_duties(rule.expect, Header)) for rule in policy.rules}
        self.attributes = {rule.id: tuple(_duties(rule.expect, Attribute)) for rule in policy.rules}
        self.keeps = {rule.id: tuple(_duties(rule.expect, Keep)) for rule in policy.rules}
        self.gates = any(rule.restricts for rule in self.engine.rules[Thing.ELEMENT])
        self.refused: Judge = consent_operator(self.engine.tables, "refused", "of-purpose", (), None)
        """Judges whether the consent that a thing rests on is refused."""
        self._prepare_pages(policy)
        self._prepare_events(policy)
        self.reads_headers = bool(self.engine.rules[Thing.PAGE])
        self.device_consents = tuple(name for name, row in policy.consents.items() if "device" in row.holders)

    def _prepare_events(self, policy: Policy) -> None:
        on_events = [rule for rule in policy.rules if Thing.EVENT in rule.things]
        self.spoken_of = frozenset(event for rule in on_events for event in events_of(rule, policy))
        """The events of which some rule speaks."""
        self.counts = limits_of(policy)
        """Which events rules count, per what, and how far."""
        self.deadlines = deadlines_of(policy)
        """What rules want to follow an event, by rule."""
        self.follows = frozenset(duty.event for duties in self.deadlines.values() for duty in duties)
        """The events that may have to follow another."""

    def _prepare_pages(self, policy: Policy) -> None:
        asked = _asked_marks(policy)
        self.marks = tuple(compiled(mark) for mark in policy.marks.values() if mark.id in asked)
        """The marks that some rule on pages asks for."""
        self.pages: dict[object, frozenset[str]] = {}
        """What pages showed that were read lately; `asgi.pages` keeps it bounded."""
        self.mark_rules = {rule.id: frozenset(_duty_marks(rule.expect)) for rule in policy.rules if asks_marks(rule)}
        """The rules on pages that ask for marks, with those that they expect."""

    def tagging(self, route: Route | None) -> Tagging:
        """Return the names and probes that count on a route."""
        if route is None:
            return self.unbound
        found = self._tagging.get(id(route))
        if found is None:
            found = self._tagging[id(route)] = self._tags(route)
        return found

    def _tags(self, route: Route | None) -> Tagging:
        limits = (route.limits if route else None) or self.binding.limits
        return Tagging(self.policy, route, undeclared=self._undeclared, depth=limits.depth)

    def cookie(self, raw: bytes) -> tuple[str, str | None, bool]:
        """Return a cookie's name as text, the row that the binding maps it to, and whether it is declared at all."""
        found = self._rows.get(raw)
        if found is None:
            name = raw.decode("latin-1")
            row = next((row for glob, row in self._cookie_map if glob.matches(name)), None)
            declared = self.engine.tables.cookie_row(name, row) is not None or bool(
                self.engine.tables.cookie_parties(name)
            )
            found = (name, row, declared)
            if len(self._rows) < 4096 and len(raw) <= 128:  # clients choose names: remember a bounded number
                self._rows[raw] = found
        return found

    def is_own_host(self, host: str) -> bool:
        """Whether a host is one of the policy's."""
        return any(
            host_fits(pattern, host) if pattern.startswith("*.") else pattern == host
            for pattern in self.policy.identity.hosts
        )

    def version_at(self, today: date) -> tuple[str, str | None]:
        """Return the version in force on a day, and the announced next one."""
        return self.versions.at(today)

    def summary(self) -> str:
        """Say in one line what is enforced."""
        modes = [rule.mode for rule in self.policy.rules]
        parts = [f"{modes.count(mode)} {mode.value}" for mode in Mode if modes.count(mode)]
        bound = f"{len(self.binding.routes)} routes bound" if self.bound else "no binding: rules that need one run dry"
        return f"policy {self.policy.identity.id}: {', '.join(parts) or 'no rules'}; {bound}"


def _as_run(rules: tuple[Rule, ...], *, bound: bool, mode: Mode | None) -> tuple[Rule, ...]:
    """Return the rules in the modes that this run gives them."""
    if mode is Mode.OFF:
        return ()
    return tuple(_moded(rule, bound=bound, mode=mode) for rule in rules)


def _switched(rule: Rule, mode: Mode | None) -> Rule:
    """Return a rule as a switch has it: a switch weakens, and never makes a rule stricter than it is."""
    if mode is None or rule.mode is Mode.OFF or (mode is Mode.DRY_RUN and rule.mode is Mode.DRY_RUN):
        return rule
    return replace(rule, mode=mode)


def _moded(rule: Rule, *, bound: bool, mode: Mode | None) -> Rule:
    dry = mode is Mode.DRY_RUN or (not bound and needs_binding(rule))
    return replace(rule, mode=Mode.DRY_RUN) if dry and rule.mode is Mode.ENFORCE else rule


def needs_binding(rule: Rule) -> bool:
    """Whether a rule means nothing without a binding: about fields, records, or the purpose of an exchange."""
    if {Thing.FIELD, Thing.RECORD} & set(rule.things):
        return True
    parts = (rule.match, rule.only_if, rule.expect)
    return Thing.EXCHANGE in rule.things and any(_reads_purpose(part) for part in parts if part is not None)


def asks_marks(rule: Rule) -> bool:
    """Whether a rule on pages asks for marks, which only the text of the page can tell."""
    return Thing.PAGE in rule.things and any(True for _ in _marks_of(rule))


def _asked_marks(policy: Policy) -> frozenset[str]:
    return frozenset(name for rule in policy.rules if Thing.PAGE in rule.things for name in _marks_of(rule))


def _marks_of(rule: Rule) -> Iterator[str]:
    for part in (rule.match, rule.only_if, rule.expect, *(opening.condition for opening in rule.openings)):
        yield from _names_of_marks(part)


def _names_of_marks(condition: Condition | None) -> Iterator[str]:
    match condition:
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from _names_of_marks(part)
        case Not(part):
            yield from _names_of_marks(part)
        case Names(word=Word.SHOWS, names=names):
            yield from names
        case _:
            pass


def _duty_marks(condition: Condition | None) -> Iterator[str]:
    """Yield the marks that have to be there whatever else is."""
    parts = condition.parts if isinstance(condition, All) else (condition,)
    for part in parts:
        if isinstance(part, Names) and part.word is Word.SHOWS:
            yield from part.names


def _reads_purpose(condition: Condition) -> bool:
    match condition:
        case All(parts) | AnyOf(parts):
            return any(_reads_purpose(part) for part in parts)
        case Not(part):
            return _reads_purpose(part)
        case Names(word=word, names=names):
            return word in (Word.PURPOSE, Word.BASIS, Word.DATA, Word.ORIGIN) or "of-purpose" in names
        case _:
            return False


def _duties(condition: Condition | None, kind: type[D]) -> list[D]:
    if isinstance(condition, All):
        return [duty for part in condition.parts for duty in _duties(part, kind)]
    return [condition] if isinstance(condition, kind) else []
