"""The embedded engine, fed phase by phase, against the reference, which is given everything at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from tests.differential.corpus import Ground
from tests.differential.generate import Generator
from tests.differential.phases import views
from troth.engines.embedded import Engine, Residual, Verdict
from troth.engines.reference import judge
from troth.model.facts import Exchange
from troth.model.findings import Finding, Judgement
from troth.model.words import Action, Phase, Thing

_ACTS = frozenset(Action) - {Action.KEPT, Action.OPENED}


@dataclass(slots=True)
class Tally:
    """What a run over one ground has seen."""

    fired: Counter[str] = field(default_factory=Counter)
    rested: Counter[str] = field(default_factory=Counter)
    actions: Counter[Action] = field(default_factory=Counter)
    denied_at: Counter[Phase] = field(default_factory=Counter)
    found_at: Counter[Phase] = field(default_factory=Counter)
    passed: int = 0
    disagreements: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Take in what another run over the same ground has seen."""
        for mine, theirs in zip(self._counters(), other._counters(), strict=True):
            mine.update(theirs)
        self.passed += other.passed
        self.disagreements += other.disagreements

    def _counters(self) -> tuple[Counter[Any], ...]:
        return self.fired, self.rested, self.actions, self.denied_at, self.found_at


def compare(ground: Ground, seed: int, count: int) -> Tally:
    """Judge so many exchanges twice and note where the answers differ."""
    tally = Tally()
    engine = Engine(ground.policy, ground.binding)
    generator = Generator(ground.policy, ground.binding, seed)
    for number, exchange in enumerate(generator.exchanges(count)):
        wanted = judge(ground.policy, ground.binding, exchange)
        _count(ground, exchange, wanted, tally)
        for difference in _differences(ground, engine, exchange, wanted, tally):
            tally.disagreements.append(f"{ground.name} seed {seed} exchange {number}: {difference}")
    return tally


def _count(ground: Ground, exchange: Exchange, wanted: Judgement, tally: Tally) -> None:
    acted = {finding.rule for finding in wanted.findings if finding.action in _ACTS}
    tally.fired.update(acted)
    tally.actions.update(finding.action for finding in wanted.findings)
    tally.rested.update(
        rule.id for rule in ground.policy.rules if rule.id not in acted and _sees(rule.things, exchange)
    )
    tally.passed += wanted.denial is None


def _sees(things: tuple[Thing, ...], exchange: Exchange) -> bool:
    """Tell whether there is something that the rule could have acted on."""
    there = {
        Thing.EXCHANGE: True,
        Thing.COOKIE: bool(exchange.cookies),
        Thing.FIELD: bool(exchange.fields),
        Thing.RECORD: bool(exchange.records),
        Thing.ELEMENT: bool(exchange.elements),
        Thing.PAGE: exchange.page is not None,
        Thing.EVENT: bool(exchange.events),
    }
    return any(there[thing] for thing in things)


def _differences(ground: Ground, engine: Engine, exchange: Exchange, wanted: Judgement, tally: Tally) -> Iterator[str]:
    partial = list(views(exchange, ground.binding))
    yield from _residual_differences(engine, partial[0], wanted)
    run = engine.begin(partial[0])
    last = partial[0]
    for last in partial:
        if last is not partial[0]:
            run.step(last)
        if run.fresh:
            tally.found_at[last.phase] += 1
        if run.denial is not None:
            break
    if len(set(run.findings)) < len(run.findings):
        yield "a finding was made twice"
    if run.denial is not None:
        tally.denied_at[last.phase] += 1
    yield from _whole(Judgement(findings=tuple(run.findings), denial=run.denial), wanted, last.phase)


def _whole(found: Judgement, wanted: Judgement, phase: Phase) -> Iterator[str]:
    extra = set(found.findings) - set(wanted.findings)
    if extra:
        yield f"embedded alone (by {phase.name}): {_told(extra)}"
    if found.denial is None:
        missing = set(wanted.findings) - set(found.findings)
        if missing:
            yield f"reference alone: {_told(missing)}"
        if wanted.denial is not None:
            yield "denied by the reference alone"
        return
    if wanted.denial is None:
        yield f"denied by the embedded engine alone, {phase.name}"
        return
    denying = {finding.rule for finding in found.denial.findings}
    if not denying or not denying <= {finding.rule for finding in wanted.denial.findings}:
        yield f"denied for other reasons: {sorted(denying)}"
    if found.denial.status not in _statuses(wanted):
        yield f"denied with {found.denial.status}, one of {sorted(_statuses(wanted))} was asked for"


def _statuses(wanted: Judgement) -> set[int]:
    """Return the statuses that a part of the reference's findings may lead to."""
    if wanted.denial is None:
        return set()
    return {wanted.denial.status} | {finding.status or 403 for finding in wanted.denial.findings}


def _told(findings: set[Finding]) -> str:
    one = sorted(findings, key=repr)[0]
    return f"{one.rule} {one.action} {one.thing} {one.item} {one.clauses}" + (
        " and others" if len(findings) > 1 else ""
    )


# --- what the head settles -------------------------------------------------------------------------------------------


def _residual_differences(engine: Engine, head: Exchange, wanted: Judgement) -> Iterator[str]:
    """Hold the remembered verdicts of the head against what the reference found with everything known."""
    residual: Residual = engine.residual(head)
    yield from _settled(residual.exchange, wanted, Thing.EXCHANGE, None)
    for item, cookie in enumerate(head.cookies):
        verdict = residual.cookie(cookie.name, cookie.direction, cookie.row)
        yield from _settled(verdict, wanted, Thing.COOKIE, item)
    for item, one in enumerate(head.fields):
        verdict = residual.field(one.category, one.carrier, one.direction)
        yield from _settled(verdict, wanted, Thing.FIELD, item)


def _settled(verdict: Verdict, wanted: Judgement, thing: Thing, item: int | None) -> Iterator[str]:
    live = {rule.planned.rule.id for rule in verdict.live}
    found = {replace(finding, item=item) for finding in verdict.findings}
    asked = {one for one in wanted.findings if one.thing is thing and one.item == item and one.rule not in live}
    if found - asked:
        yield f"settled by the head alone: {_told(found - asked)}"
    if asked - found:
        yield f"not settled by the head: {_told(asked - found)}"
