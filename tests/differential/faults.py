"""Faults of the embedded engine, one change each: what somebody could get wrong in judging.

Each is seeded with `monkeypatch` before an engine is built, because the plan is compiled into closures then. The
reference interpreter shares nothing with what is changed here but the model, and stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from troth.engines.embedded import CompiledRule, Engine, Residual, Run, engine, operators, people, views
from troth.engines.embedded.truth import ANY, FALSE
from troth.engines.embedded.views import View
from troth.model.facts import Exchange
from troth.model.findings import Finding
from troth.model.words import OWN, UNDECLARED, Action, Phase, Thing
from troth.plan import PlannedRule, Tables
from troth.plan import compile as compiling
from troth.plan.compile import Way

Seed = Callable[[pytest.MonkeyPatch], None]
_NEVER = datetime.max.replace(tzinfo=UTC)


# conditions ------------------------------------------------------------------------------------------------------


def any_and_all_swapped(patch: pytest.MonkeyPatch) -> None:
    every, some = operators._BUILDERS["all"], operators._BUILDERS["any"]
    patch.setitem(operators._BUILDERS, "all", some)
    patch.setitem(operators._BUILDERS, "any", every)


def not_lost(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(operators._BUILDERS, "not", lambda tables, op: operators.build(op, tables))


def absent_taken_for_false(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(operators, "A", FALSE)
    patch.setattr(people, "A", FALSE)


def unreadable_passed(patch: pytest.MonkeyPatch) -> None:
    _replan(patch, lambda plan: [replace(one, rule=replace(one.rule, unreadable_passes=True)) for one in plan])


def undeclared_unmatched(patch: pytest.MonkeyPatch) -> None:
    sound = compiling._Compiler.__init__

    def made(self: Any, *given: Any, **named: Any) -> None:
        sound(self, *given, **{**named, "undeclared": "f"})

    patch.setattr(compiling._Compiler, "__init__", made)


def of_purpose_data_any_for_each(patch: pytest.MonkeyPatch) -> None:
    sound = operators._BUILDERS["data-of"]

    def data_of(tables: Tables, ref: str, carriers: tuple[str, ...]) -> people.Judge:
        judge = sound(tables, ref, carriers)
        return _for_one(judge) if ref == "purpose" else judge

    patch.setitem(operators._BUILDERS, "data-of", data_of)


def of_purpose_consent_any_for_each(patch: pytest.MonkeyPatch) -> None:
    sound = people._consent_of_purpose
    patch.setattr(people, "_consent_of_purpose", lambda *given, **named: _for_one(sound(*given, **named)))


def _for_one(judge: people.Judge) -> people.Judge:
    """Ask of each purpose by itself, and be content with one."""

    def for_one(view: View) -> int:
        purposes = sorted(view.purposes() or ())
        if len(purposes) < 2:
            return judge(view)
        result = FALSE
        for purpose in purposes:
            result = ANY[result][judge(_of_purpose(view, purpose))]
        return result

    return for_one


def _of_purpose(view: View, purpose: str) -> View:
    one = copy(view)
    one.__dict__["purposes"] = lambda: frozenset({purpose})
    return one


# exceptions ------------------------------------------------------------------------------------------------------


def exception_opens_a_second_rule(patch: pytest.MonkeyPatch) -> None:
    def plan(planned: list[PlannedRule]) -> list[PlannedRule]:
        return [replace(one, ways=(*one.ways, *_exceptions(_next(planned, one)))) for one in planned]

    _replan(patch, plan)


def exceptions_conjoined(patch: pytest.MonkeyPatch) -> None:
    def conjoined(one: PlannedRule) -> PlannedRule:
        found = _exceptions(one)
        if len(found) < 2:
            return one
        whole = Way(op=("all", *(way.op for way in found)), clauses=found[0].clauses)
        return replace(one, ways=(*(way for way in one.ways if way.clauses is None), whole))

    _replan(patch, lambda planned: [conjoined(one) for one in planned])


def _exceptions(one: PlannedRule) -> tuple[Way, ...]:
    return tuple(way for way in one.ways if way.clauses is not None)


def _next(planned: list[PlannedRule], one: PlannedRule) -> PlannedRule:
    """Return the next rule about the same thing, the first one after the last."""
    same = [other for other in planned if other.thing is one.thing]
    return same[(same.index(one) + 1) % len(same)]


def _replan(patch: pytest.MonkeyPatch, change: Callable[[list[PlannedRule]], list[PlannedRule]]) -> None:
    sound = compiling.compile_plan
    patch.setattr(engine, "compile_plan", lambda tables: tuple(change(list(sound(tables)))))


# people ----------------------------------------------------------------------------------------------------------


def record_taken_for_the_actors(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(views.RecordView, "subject", View.visitor)


def field_taken_from_its_record(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(views.FieldView, "subject", View.subject)


def exchange_taken_for_the_actors(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(View, "subject", View.visitor)


def expired_consent_valid(patch: pytest.MonkeyPatch) -> None:
    sound = people.ConsentJudge.__init__

    def made(self: people.ConsentJudge, *given: Any) -> None:
        sound(self, *given)
        self._row = replace(self._row, lasts=None)

    patch.setattr(people.ConsentJudge, "__init__", made)


def old_version_valid(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(people, "_floor", lambda _tables, _since: -2)


def signal_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(people.ConsentJudge, "signalled", lambda *_: False)


# order -----------------------------------------------------------------------------------------------------------


def protected_after_deny(patch: pytest.MonkeyPatch) -> None:
    sound = Engine._softened

    def softened(self: Engine, finding: Finding, view: View) -> Finding:
        return finding if finding.action is Action.DENY else sound(self, finding, view)

    patch.setattr(Engine, "_softened", softened)


def last_rule_names_the_status(patch: pytest.MonkeyPatch) -> None:
    sound = Engine.__init__

    def made(self: Engine, *given: Any) -> None:
        sound(self, *given)
        self.order = {rule: -place for rule, place in self.order.items()}

    patch.setattr(Engine, "__init__", made)


def fields_cut_before_the_exchange_is_read(patch: pytest.MonkeyPatch) -> None:
    """Judge the fields, take out what has to go, and only then read the rest."""
    sound = Run.step

    def step(self: Run, x: Exchange) -> tuple[Finding, ...]:
        gone = {item for rule, item in _field_arrivals(self, x) if _goes(self._engine, rule, x, item)}
        left = [replace(one, category=UNDECLARED) if item in gone else one for item, one in enumerate(x.fields)]
        return sound(self, x.but(fields=tuple(left)))

    patch.setattr(Run, "step", step)


def _field_arrivals(run: Run, x: Exchange) -> list[tuple[CompiledRule, int]]:
    first = run._entered[Thing.FIELD]
    return [(rule, item) for item in range(first, len(x.fields)) for rule in run._engine.rules[Thing.FIELD]]


def _goes(made: Engine, rule: CompiledRule, x: Exchange, item: int) -> bool:
    settled, outcome = rule.judge(views.FieldView(made.tables, x, x.fields[item]), final=False)
    return settled and outcome is not None and outcome[0] is Action.DENY and rule.restricts


def denied_too_early(patch: pytest.MonkeyPatch) -> None:
    """Act although a way out may still come true."""
    sound = CompiledRule._ways_out

    def ways_out(self: CompiledRule, view: View, *, final: bool) -> Any:
        settled, outcome = sound(self, view, final=final)
        return (settled, outcome) if settled else (True, (Action.DENY, self.planned.rule.clauses))

    patch.setattr(CompiledRule, "_ways_out", ways_out)


def settled_too_late(patch: pytest.MonkeyPatch) -> None:
    """Leave what is settled about an exchange until its response is there: the app has acted by then."""
    sound = CompiledRule.judge

    def judge(self: CompiledRule, view: View, *, final: bool) -> Any:
        early = view.thing is Thing.EXCHANGE and view.x.phase < Phase.RESPONSE_START
        return (False, None) if early and not final else sound(self, view, final=final)

    patch.setattr(CompiledRule, "judge", judge)


def dry_run_told_as_done(patch: pytest.MonkeyPatch) -> None:
    sound = CompiledRule.findings

    def findings(self: CompiledRule, outcome: Any, item: int | None) -> tuple[Finding, ...]:
        return tuple(replace(finding, dry=False) for finding in sound(self, outcome, item))

    patch.setattr(CompiledRule, "findings", findings)


# what is remembered ----------------------------------------------------------------------------------------------


class _Blind(dict[Any, Any]):
    """Residuals by a key in which one place is left out."""

    def __init__(self, place: int) -> None:
        super().__init__()
        self._place = place

    def _short(self, key: tuple[Any, ...]) -> tuple[Any, ...]:
        return (*key[: self._place], *key[self._place + 1 :])

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(self._short(key), default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(self._short(key), value)


def cache_key_without_party(patch: pytest.MonkeyPatch) -> None:
    sound = Engine.__init__

    def made(self: Engine, *given: Any) -> None:
        sound(self, *given)
        self._residuals = _Blind(_place_of_party(self))

    patch.setattr(Engine, "__init__", made)


def _place_of_party(made: Engine) -> int:
    """Return where in a key the party stands: the only place in which two heads differ that differ in it alone."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for party in (OWN, UNDECLARED):
        made.residual(Exchange(now=now, party=party))
    one, other = (cast("tuple[object, ...]", key) for key in made._residuals)
    made._residuals.clear()
    (place,) = (place for place, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1])
    return place


def cache_key_without_clock(patch: pytest.MonkeyPatch) -> None:
    sound = Residual.__init__

    def made(self: Residual, of: Engine, frozen: Exchange, since: datetime, until: datetime) -> None:
        del until
        sound(self, of, frozen, since, _NEVER)

    patch.setattr(Residual, "__init__", made)
