"""The embedded engine: rules as closures, a residual per request head, a run per exchange (`troth/docs/phases.md`).

A `Residual` holds everything that the head of a request settles, and remembers it for all requests with the same head
facts. A `Run` judges one exchange while its facts come in; it asks the residual first and judges only what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from troth.engines.embedded.duties import is_of_another, is_protected
from troth.engines.embedded.operators import build
from troth.engines.embedded.people import Judge
from troth.engines.embedded.truth import TRUE
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
from troth.model.binding import Binding
from troth.model.consent import Choices, ChoiceState
from troth.model.facts import (
    ABSENT,
    PENDING,
    Cookie,
    Direction,
    Element,
    Event,
    Exchange,
    Field,
    Missing,
    Record,
)
from troth.model.findings import Denial, Finding, Judgement
from troth.model.policy import Policy
from troth.model.words import OWN_COPY_TAGS, RESTRICTING, UNDECLARED, Action, Carrier, Mode, Phase, Thing, Word
from troth.plan import PlannedRule, Tables, compile_plan

_MARK: Final = 8
_REMEMBERED: Final = 1024
"""Residuals kept; each is small, and a site has few different heads."""
_STANDINGS: Final = 4096
_ITEMS: Final = 512
"""Cookie names and fields remembered per residual: clients choose cookie names, so this is bounded."""


class CompiledRule:
    """A planned rule with closures in place of operators."""

    __slots__ = ("match", "planned", "restricts", "ways")

    def __init__(self, planned: PlannedRule, tables: Tables) -> None:
        self.planned = planned
        self.match: Judge = build(planned.match, tables)
        self.ways: tuple[tuple[Judge, tuple[str, ...] | None], ...] = tuple(
            (build(way.op, tables), way.clauses) for way in planned.ways
        )
        self.restricts = planned.rule.mode is Mode.ENFORCE and any(
            effect.action in (Action.DENY, Action.WITHHOLD, Action.MASK) for effect in planned.effects
        )

    def judge(self, view: View, *, final: bool) -> tuple[bool, tuple[Action, tuple[str, ...]] | None]:
        """Return whether the outcome is settled, and what it is: None rests, else an action with its clauses.

        ACT is told as `Action.DENY`; which effects follow is the rule's. `final`: nothing more will come.
        """
        rule = self.planned.rule
        truth = self.match(view)
        if not truth & TRUE:
            return True, None
        if truth != TRUE and (truth & _MARK or rule.unreadable_passes):
            return not truth & _MARK or final, None
        return self._ways_out(view, final=final)

    def _ways_out(self, view: View, *, final: bool) -> tuple[bool, tuple[Action, tuple[str, ...]] | None]:
        rule = self.planned.rule
        possible = False
        for judge, clauses in self.ways:
            truth = judge(view)
            taken = truth == TRUE or (rule.unreadable_passes and truth & TRUE and not truth & _MARK)
            if taken and possible and rule.evidence and not final:
                return False, None  # an earlier way out may still be taken, and the line says which
            if taken:
                kept = (Action.KEPT, rule.clauses) if clauses is None else (Action.OPENED, clauses)
                return True, kept if rule.evidence else None
            possible = possible or bool(truth & _MARK and truth & TRUE)
        if possible:
            return final, None
        return True, (Action.DENY, rule.clauses)

    def findings(self, outcome: tuple[Action, tuple[str, ...]], item: int | None) -> tuple[Finding, ...]:
        """Return what an outcome is reported as: each effect of an acting rule, else kept or opened."""
        planned, (action, clauses) = self.planned, outcome
        dry = planned.rule.mode is Mode.DRY_RUN
        if action is not Action.DENY:
            return (Finding(planned.rule.id, planned.thing, item, action, dry, None, clauses),)
        return tuple(
            Finding(
                planned.rule.id,
                planned.thing,
                item,
                effect.action,
                dry,
                effect.status if effect.action is Action.DENY else None,
                clauses,
            )
            for effect in planned.effects
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the head settles about one thing: findings, and the rules that still need more facts."""

    findings: tuple[Finding, ...]
    live: tuple[CompiledRule, ...]

    @property
    def quiet(self) -> bool:
        """Whether nothing has to be done: what was found is only told."""
        return all(f.dry or f.action in (Action.KEPT, Action.OPENED, Action.ALERT) for f in self.findings)

    @property
    def withheld(self) -> bool:
        """Whether a settled rule takes the thing away."""
        return any(f.action in (Action.WITHHOLD, Action.DENY) and not f.dry for f in self.findings)


class Residual:
    """The plan after the head facts: verdicts per thing, made when first asked for and then remembered."""

    def __init__(self, engine: Engine, frozen: Exchange, since: datetime, until: datetime) -> None:
        self._engine = engine
        self.head = frozen
        """The head facts; what is not settled by them is pending."""
        self.since, self.until = since, until
        self.beside: object = None
        """What the runtime remembers together with it."""
        self._cookies: dict[tuple[str, Direction, str | None], Verdict] = {}
        self._fields: dict[tuple[str, Carrier, Direction], Verdict] = {}
        whole = ExchangeView(engine.tables, frozen)
        whole.sees_fields = False
        self.exchange = self.settle(whole)
        self._guards: dict[tuple[str, Direction], bool] = {}

    def settle(self, view: View, rules: Iterable[CompiledRule] | None = None) -> Verdict:
        """Judge rules (all for that thing, if not given) on a thing as far as its facts go; the rest stays live."""
        findings: list[Finding] = []
        live = []
        for rule in self._engine.rules[view.thing] if rules is None else rules:
            settled, outcome = rule.judge(view, final=False)
            if not settled:
                live.append(rule)
            elif outcome is not None:
                reported = self._engine.report(rule, outcome, None, view)
                if reported is None:
                    live.append(rule)
                else:
                    findings += reported
        return Verdict(tuple(findings), tuple(live))

    def cookie(self, name: str, direction: Direction, row: str | None = None) -> Verdict:
        """Return the verdict on a cookie by name; rules that read its value or attributes are live."""
        key = (name, direction, row)
        verdict = self._cookies.get(key)
        if verdict is None:
            cookie = Cookie(name=name, direction=direction, row=row, data=PENDING, came_in=False)
            if direction is Direction.RESPONSE:
                cookie = replace(cookie, lifetime=PENDING, attributes=PENDING)
            verdict = self.settle(CookieView(self._engine.tables, self.head, cookie))
            if len(self._cookies) < _ITEMS:
                self._cookies[key] = verdict
        return verdict

    def field(self, category: str, carrier: Carrier, direction: Direction) -> Verdict:
        """Return the verdict on a field of a category that stands in no record."""
        key = (category, carrier, direction)
        verdict = self._fields.get(key)
        if verdict is None:
            field = Field(category=category, carrier=carrier, direction=direction)
            verdict = self.settle(FieldView(self._engine.tables, self.head, field))
            if len(self._fields) < _ITEMS:
                self._fields[key] = verdict
        return verdict

    def guards(self, carrier: Carrier, direction: Direction) -> bool:
        """Whether some enforced rule may withhold, mask or deny for what stands in a body of this kind."""
        key = (carrier.value, direction)
        found = self._guards.get(key)
        if found is None:
            found = self._guards[key] = self._may_restrict(carrier, direction)
        return found

    def _may_restrict(self, carrier: Carrier, direction: Direction) -> bool:
        if any(rule.restricts for rule in self.exchange.live):
            return True
        route = self.head.route
        bound = route is not None and (route.records if direction is Direction.RESPONSE else route.request_records)
        if bound and any(rule.restricts for rule in self._engine.rules[Thing.RECORD]):
            return True
        return any(
            _restricting(self.field(category, carrier, direction)) for category in self._engine.categories_on(route)
        )


def _restricting(verdict: Verdict) -> bool:
    return any(rule.restricts for rule in verdict.live) or any(
        f.action in (Action.WITHHOLD, Action.DENY, Action.MASK) and not f.dry for f in verdict.findings
    )


def _asks_age(op: object) -> bool:
    return isinstance(op, tuple) and bool(op) and (op[0] == Word.UNDER or any(map(_asks_age, op[1:])))


_VIEWS: Final[dict[Thing, Callable[..., View]]] = {
    Thing.COOKIE: CookieView,
    Thing.FIELD: FieldView,
    Thing.RECORD: RecordView,
    Thing.ELEMENT: ElementView,
    Thing.EVENT: EventView,
}


class Engine:
    """Compiles a policy for a binding; makes residuals and runs. Immutable but for its bounded memories."""

    def __init__(self, policy: Policy, binding: Binding) -> None:
        self.tables = Tables(policy, binding)
        self.plan = compile_plan(self.tables)
        compiled = [CompiledRule(planned, self.tables) for planned in self.plan]
        self.rules: dict[Thing, tuple[CompiledRule, ...]] = {
            thing: tuple(rule for rule in compiled if rule.planned.thing is thing) for thing in Thing
        }
        self.order = {rule.id: index for index, rule in enumerate(policy.rules)}
        self.age_decides_fields = any(
            rule.restricts and any(map(_asks_age, (rule.planned.match, *(way.op for way in rule.planned.ways))))
            for rule in self.rules[Thing.FIELD]
        )
        """Whether an enforced rule on fields asks for an age: a body may state it of fields that stand in the head."""
        self._asks_https = {rule.planned.rule.id for rule in compiled if rule.planned.asks_https}
        self._residuals: dict[object, Residual] = {}
        self._standings: dict[int, tuple[Choices, object, datetime, datetime]] = {}
        self._lasts = {name: row.lasts for name, row in policy.consents.items()}
        self._strong = (*(row.id for row in policy.data.values() if row.strong or row.probes), UNDECLARED)
        self._all = (*policy.data, UNDECLARED)

    def categories_on(self, route: object) -> Iterable[str]:
        """Return the categories that a value can have on a route: all, or on none the strong and the probed ones.

        `undeclared` is among them: rules about members without a category read bodies too.
        """
        return self._strong if route is None else self._all

    def begin(self, exchange: Exchange) -> Run:
        """Start judging an exchange of which the head is known."""
        run = Run(self)
        run.step(exchange)
        return run

    def settle(self, rules: Iterable[CompiledRule], view: View, item: int | None = None) -> list[Finding]:
        """Judge rules on a thing of which nothing more will be known. For things that a residual left live."""
        findings: list[Finding] = []
        for rule in rules:
            _, outcome = rule.judge(view, final=True)
            if outcome is not None:
                findings += self.report(rule, outcome, item, view) or ()
        return findings

    # residuals

    def residual(self, x: Exchange) -> Residual:
        """Return the residual of a head: remembered by the head facts, until a date in them matters."""
        standing, since, until = self._standing(x.device, x.now)
        quiet = not (x.body_pending or x.ages or x.recorded or x.records_open) and x.subject is None
        before = x.actor_before if x.actor_before in (None, ABSENT) else PENDING
        actor = x.actor if x.actor in (None, ABSENT) else PENDING
        key = (
            id(x.route), x.purpose, x.https, x.own_route, x.signals, standing, x.region, x.serving, x.party,
            x.asked, tuple(sorted(x.bound.items())), x.version, x.coming, x.attested, quiet, before, actor,
            x.subject is None, x.records_open or bool(x.recorded),
        )  # fmt: skip
        found = self._residuals.get(key)
        if found is not None and found.since <= x.now < found.until:
            return found
        if len(self._residuals) >= _REMEMBERED:
            self._residuals.pop(next(iter(self._residuals)))
        frozen = x.but(
            phase=Phase.HEAD, host="", actor_before=before, actor=actor, cookies=(), fields=(), records=(),
            elements=(), page=None, events=(), status=None, headers={}, response_pending=True,
            subject=None if x.subject is None else PENDING, ages=(), body_pending=not quiet,
            recorded=(), records_open=x.records_open or bool(x.recorded),
        )  # fmt: skip
        found = self._residuals[key] = Residual(self, frozen, since, until)
        return found

    def standing(self, choices: Choices, now: datetime) -> tuple[object, datetime]:
        """Return what the choices of a device amount to now, as a key, and until when that holds."""
        standing, _, until = self._standing(choices, now)
        return standing, until

    def _standing(self, choices: Choices, now: datetime) -> tuple[object, datetime, datetime]:
        """Return the same and since when: a clock may be put back."""
        remembered = self._standings.get(id(choices))
        if remembered is not None and remembered[0] is choices and remembered[2] <= now < remembered[3]:
            return remembered[1:]
        since, until = _day(now)
        standing = []
        for name in choices:
            lasts = self._lasts.get(name)
            for choice in choices.of(name):
                end = lasts.after(choice.at) if lasts and choice.state is ChoiceState.GRANTED else None
                if end is not None and end <= now:
                    since = max(since, end)
                    continue
                until = until if end is None else min(until, end)
                standing.append((name, choice.state, choice.version, choice.params, choice.form))
        key = frozenset(standing)
        if len(self._standings) >= _STANDINGS:
            self._standings.pop(next(iter(self._standings)))
        self._standings[id(choices)] = (choices, key, since, until)
        return key, since, until

    # reporting

    def report(
        self, rule: CompiledRule, outcome: tuple[Action, tuple[str, ...]], item: int | None, view: View
    ) -> tuple[Finding, ...] | None:
        """Return the findings of an outcome as protection leaves them; None while protection is undecided."""
        found = rule.findings(outcome, item)
        protected = self._protected(view)
        if protected is False:
            return found
        softened = tuple(self._softened(finding, view) for finding in found)
        if protected is None:
            return None if softened != found else found
        return softened

    def _protected(self, view: View) -> bool | None:
        route = view.x.route
        own_copy = route is not None and bool(OWN_COPY_TAGS & set(route.tags))
        whole = view if isinstance(view, ExchangeView) else ExchangeView(self.tables, view.x)
        if is_protected(whole):
            return True
        return None if own_copy and whole.fits_subject() is PENDING else False

    def _softened(self, finding: Finding, view: View) -> Finding:
        """Return a finding as it stands on a protected exchange (judging, section 10)."""
        action = finding.action
        if is_of_another(view):
            return _as(finding, Action.WITHHOLD) if action is Action.DENY else finding
        if finding.thing is Thing.EXCHANGE and action in (Action.DENY, Action.WITHHOLD):
            asks = finding.rule in self._asks_https and not view.x.https
            return finding if asks or finding.status == 401 else _as(finding, Action.PROTECTED)
        if finding.thing is Thing.RECORD and action in (Action.DENY, Action.WITHHOLD, Action.MASK):
            return _as(finding, Action.PROTECTED)
        if finding.thing is Thing.PAGE:
            return _as(finding, Action.PROTECTED) if action is Action.DENY else finding
        if action in RESTRICTING and isinstance(view, FieldView) and _is_shown(view.item):
            return _as(finding, Action.PROTECTED)
        if action is Action.DENY and finding.thing in (Thing.FIELD, Thing.COOKIE, Thing.ELEMENT):
            return _as(finding, Action.WITHHOLD)
        return finding

    def denial(self, findings: Iterable[Finding], x: Exchange) -> Denial | None:
        """Return the denial that follows from findings, if one does."""
        denying = tuple(f for f in findings if not f.dry and _denies(f, x))
        if not denying:
            return None
        first = min(denying, key=lambda f: self.order[f.rule])
        redirect = not x.https and any(f.thing is Thing.EXCHANGE and f.rule in self._asks_https for f in denying)
        if redirect:
            return Denial(status=308 if x.method in ("GET", "HEAD") else 403, redirect=True, findings=denying)
        return Denial(status=first.status or 403, redirect=False, findings=denying)


def _is_shown(field: Field) -> bool:
    """Whether a field stands in the answer; what the trail would hold is no part of it."""
    return field.direction is Direction.RESPONSE and field.carrier is not Carrier.TRAIL


def _as(finding: Finding, action: Action) -> Finding:
    return replace(finding, action=action, status=None)


def _denies(finding: Finding, x: Exchange) -> bool:
    match finding.action, finding.thing:
        case ((Action.DENY | Action.WITHHOLD), Thing.EXCHANGE):
            return True
        case _, Thing.EVENT:
            return False
        case Action.DENY, _:
            return True
        case ((Action.WITHHOLD | Action.MASK), Thing.RECORD):
            return finding.item is not None and x.records[finding.item].whole_body
        case _:
            return False


def _day(now: datetime) -> tuple[datetime, datetime]:
    """Return the midnights in UTC around `now`: statements and versions change by the day."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today, today + timedelta(days=1)


class Run:
    """One exchange being judged. Call `step` whenever facts came in; read `findings` and `denial` after each."""

    __slots__ = ("_engine", "_entered", "_open", "denial", "findings", "fresh")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._open: list[tuple[CompiledRule, int | None]] = [(rule, None) for rule in engine.rules[Thing.EXCHANGE]]
        self._entered: dict[Thing, int] = dict.fromkeys(_VIEWS, 0)
        self._entered[Thing.PAGE] = 0
        self.findings: list[Finding] = []
        self.fresh: tuple[Finding, ...] = ()
        """Findings of the last step."""
        self.denial: Denial | None = None

    def step(self, x: Exchange) -> tuple[Finding, ...]:
        """Judge what the facts so far settle. Returns the new findings; `denial` is set once one follows."""
        self._open += self._arrivals(x)
        views: dict[tuple[Thing, int | None], View] = {}
        final = x.phase is Phase.END
        fresh: list[Finding] = []
        waiting = []
        for rule, item in self._open:
            place = (rule.planned.thing, item)
            view = views.get(place)
            if view is None:
                view = views[place] = self._view(x, *place)
            settled, outcome = rule.judge(view, final=final)
            reported = self._engine.report(rule, outcome, item, view) if settled and outcome is not None else ()
            if not settled or reported is None:
                waiting.append((rule, item))
            else:
                fresh += reported
        self._open = [] if final else waiting
        self.findings += fresh
        self.fresh = tuple(fresh)
        if self.denial is None and fresh:
            self.denial = self._engine.denial(self.findings, x)
        return self.fresh

    def _arrivals(self, x: Exchange) -> Iterator[tuple[CompiledRule, int | None]]:
        """Yield every rule with each thing that has come in since the last step."""
        arrived = {
            Thing.COOKIE: len(x.cookies),
            Thing.FIELD: len(x.fields),
            Thing.RECORD: len(x.records),
            Thing.ELEMENT: len(x.elements),
            Thing.EVENT: len(x.events),
        }
        for thing, count in arrived.items():
            for item in range(self._entered[thing], count):
                for rule in self._engine.rules[thing]:
                    yield rule, item
            self._entered[thing] = count
        if x.page is not None and not self._entered[Thing.PAGE]:
            self._entered[Thing.PAGE] = 1
            for rule in self._engine.rules[Thing.PAGE]:
                yield rule, None

    def _view(self, x: Exchange, thing: Thing, item: int | None) -> View:
        tables = self._engine.tables
        if thing is Thing.EXCHANGE:
            return ExchangeView(tables, x)
        if thing is Thing.PAGE:
            return PageView(tables, x, x.page)
        found: Cookie | Field | Record | Element | Event = _items(x, thing)[item or 0]
        return _VIEWS[thing](tables, x, found)

    @property
    def pending(self) -> bool:
        """Whether some rule waits for facts that may still come."""
        return bool(self._open)

    def waits_restricting(self) -> bool:
        """Whether an enforced rule that may withhold, mask or deny waits for more facts."""
        return any(rule.restricts for rule, _ in self._open)

    def judgement(self) -> Judgement:
        """Return everything found, sorted as the reference sorts it."""
        return Judgement(findings=tuple(sorted(self.findings, key=_sort_key)), denial=self.denial)


def _sort_key(finding: Finding) -> tuple[object, ...]:
    return (
        finding.rule, finding.thing, -1 if finding.item is None else finding.item, finding.action, finding.dry,
        finding.status or 0, finding.clauses,
    )  # fmt: skip


def _items(x: Exchange, thing: Thing) -> tuple[Cookie | Field | Record | Element | Event, ...]:
    match thing:
        case Thing.COOKIE:
            return x.cookies
        case Thing.FIELD:
            return x.fields
        case Thing.RECORD:
            return x.records
        case Thing.ELEMENT:
            return x.elements
        case _:
            return x.events


__all__ = ["CompiledRule", "Engine", "Missing", "Residual", "Run", "Verdict"]
