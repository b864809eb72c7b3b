"""Running cases: on the wire of a temporary home, held against expectations and against the reference interpreter."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from troth.cases import clock
from troth.cases.bench import Bench, Place
from troth.cases.check import Played, failures, status_fits
from troth.cases.compare import compare, readable, whole
from troth.cases.failure import Failure
from troth.cases.files import usual_clock
from troth.cases.reasons import SILENT, Reason, counted, of_line, told
from troth.cases.stage import Judged, Response, Seen, answered
from troth.cases.things import recent_at
from troth.cases.values import Answer, Case, CaseFile, Earlier, Facts, Given, Request
from troth.engines.embedded import Engine
from troth.model.facts import PENDING, UNREADABLE, Event, Exchange, Page, Person, Record
from troth.model.policy import Policy
from troth.model.rules import Rule
from troth.model.words import Phase, Thing

Lines = tuple[Mapping[str, Any], ...]
Counts = dict[tuple[object, ...], int]
_REFUSED: Final = 400
_ACTIVATED: Final = "policy-activated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one case: `failures` is empty where it holds. `waits` is said by the case itself."""

    case: Case
    file: str
    failures: tuple[Failure, ...]
    reasons: tuple[Reason, ...] = ()
    judged: Judged | None = None
    fired: frozenset[str] = frozenset()
    """Rules that acted."""
    rested: frozenset[str] = frozenset()
    """Rules of which the case says that they let this pass, and that did."""
    waits: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the case holds."""
        return not self.failures


@dataclass(slots=True)
class Tally:
    """The outcomes of all cases, in order."""

    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def failed(self) -> list[Outcome]:
        """The cases that do not hold, but for those that say that they wait."""
        return [one for one in self.outcomes if not one.ok and one.waits is None]

    @property
    def waiting(self) -> list[Outcome]:
        """The cases that do not hold yet, and say what they wait for."""
        return [one for one in self.outcomes if not one.ok and one.waits is not None]

    def per_rule(self) -> dict[str, tuple[int, int]]:
        """Return for each rule in how many passing cases it fired, and in how many it rested."""
        counts: dict[str, tuple[int, int]] = {}
        for one in self.outcomes:
            if one.ok:
                for rule in one.fired | one.rested:
                    fires, rests = counts.get(rule, (0, 0))
                    counts[rule] = (fires + (rule in one.fired), rests + (rule in one.rested))
        return counts


def run_files(files: Iterable[CaseFile]) -> Tally:
    """Run all cases of files that loaded without errors. Not to be called where an event loop runs."""
    return asyncio.run(run_cases(files))


async def run_cases(files: Iterable[CaseFile]) -> Tally:
    """Run all cases of files that loaded without errors, one after the other."""
    bench, tally = Bench(), Tally()
    try:
        for file in files:
            for case in file.cases:
                tally.outcomes.append(await run_case(bench, file, case))
    finally:
        bench.close()
    return tally


async def run_case(bench: Bench, file: CaseFile, case: Case) -> Outcome:
    """Run one case of a file whose policy and binding loaded."""
    if file.policy is None or file.binding is None:
        raise ValueError("a file with errors has no cases that could be run")
    now = case.given.clock or file.clock or usual_clock(file.policy)
    place = bench.place(file.policy, file.binding, case, now)
    played, judged, extra = await _play(place, case, now)
    other = None if judged is None else compare(judged, place.site.policy, place.site.binding)
    if other is not None and played.denied:
        beyond = told(other.exchange, other.findings, place.site.engine.tables)
        played = replace(played, beyond=tuple(one for one in beyond if one not in played.reasons))
    found = [*extra, *failures(case, played)]
    found += [Failure("reference", "the same judgement", one) for one in (other.differences if other else ())]
    fired = frozenset(one.rule for one in played.reasons if one.action not in SILENT)
    rested = _rested(case, place.site.policy, judged, played.reasons) - fired
    return Outcome(
        case=case, file=file.name, failures=tuple(found), reasons=played.reasons, judged=judged, fired=fired,
        rested=rested, waits=case.waits,
    )  # fmt: skip


async def _play(place: Place, case: Case, now: datetime) -> tuple[Played, Judged | None, list[Failure]]:
    stage = place.stage
    jar = place.set_scene(case.given, now)
    wrong, before = [], []
    for index, one in enumerate(case.given.earlier):
        wrong += await _play_earlier(place, one, case.given, jar, index)
        before.append(stage.judged)
    if case.clock_only:
        played, more = clock.play(place, case, now, before)
        return played, None, [*wrong, *more]
    place.lines()
    stage.now, stage.given, stage.answer = now, case.given, case.app
    request = _with_browser(case.request, case.given.signals, jar)
    counts = place.runtime.counts.copy()
    response = await stage.play(place.guarded, request)
    seen, judged, lines = stage.seen, stage.judged, place.lines()
    place.note(judged)
    if judged is not None and not _writes(judged):
        place.runtime.counts = counts  # an event that happens again is counted as if it were the first time
        wrong += await _play_again(place, request, response, seen, lines)
    reasons = _told(place, judged) if judged is not None else tuple(r for line in lines for r in of_line(line))
    if judged is not None:
        wrong += _untold(place, judged, lines)
        if seen is not None:
            judged.exchange.headers = _noted(case.app or Answer())
        if case.facts is not None:
            judged = await _with_facts(place, judged, case, now)
            reasons = _told(place, judged)
    status, denied = _ending(case, response, seen, judged)
    played = Played(
        response=_answer(response, case, denied), seen=seen, request=request, status=status, denied=denied,
        reasons=reasons, lines=lines,
    )  # fmt: skip
    return played, judged, wrong


async def _play_again(
    place: Place, request: Request, response: Response | None, seen: Seen | None, lines: Lines
) -> list[Failure]:
    """Send the same request where nobody watches, and hold what comes of it against what was watched."""
    again = await place.stage.play(place.unwatched, request)
    watched, unwatched = _written(lines), _written(place.lines())
    pairs = (("response", again, response), ("app-sees", place.stage.seen, seen), ("line", unwatched, watched))
    return [
        Failure(f"unwatched {what}", str(before), str(one))
        for what, one, before in pairs
        if one != before and not (what == "line" and _is_short_cut(watched, unwatched))
    ]


def _writes(judged: Judged) -> bool:
    """Whether the route writes something: then a second request of the same kind is another one."""
    return judged.exchange.route is not None and bool(judged.exchange.route.writes)


def _is_short_cut(watched: Counts, unwatched: Counts) -> bool:
    """Whether a line only leaves out reasons about cookies: one that goes by its name is not asked for its value."""
    if any(count > watched.get(key, 0) for key, count in unwatched.items()):
        return False
    return all(key[2] == Thing.COOKIE for key, count in watched.items() if count != unwatched.get(key, 0))


def _written(lines: Lines) -> Counts:
    """Count the reasons that lines hold."""
    return counted(reason for line in lines for reason in of_line(line))


async def _play_earlier(place: Place, one: Earlier, given: Given, jar: dict[str, str], index: int) -> list[Failure]:
    stage = place.stage
    stage.now = one.clock or stage.now
    stage.given = replace(given, before=one.actor or given.before, actor=one.actor or given.actor)
    stage.answer = one.app
    request = _with_browser(one.request, one.signals or given.signals, jar)
    response = await stage.play(place.guarded, request)
    place.note(stage.judged)
    if response is not None and one.keeps_cookies:
        _take(response, jar)
    status = response.status if response is not None else None
    if one.status and not any(status_fits(wanted, status) for wanted in one.status):
        return [Failure(f"earlier {index + 1} status", " or ".join(one.status), str(status))]
    return []


def _with_browser(request: Request, signals: tuple[str, ...], jar: Mapping[str, str]) -> Request:
    """Return the request with what the browser adds: its signals, and its cookies behind those of the case."""
    sent = {"gpc": b"sec-gpc", "dnt": b"dnt"}
    named = {piece.strip().partition("=")[0] for header in request.cookies for piece in header.split(";")}
    more = "; ".join(f"{name}={value}" for name, value in jar.items() if name not in named)
    cookies = request.cookies
    if more:
        cookies = (*cookies[:-1], f"{cookies[-1]}; {more}") if cookies else (more,)
    return replace(request, headers=(*request.headers, *((sent[one], b"1") for one in signals)), cookies=cookies)


def _take(response: Response, jar: dict[str, str]) -> None:
    for name, value in response.headers:
        if name != b"set-cookie":
            continue
        pair, _, attributes = value.decode("latin-1").partition(";")
        key, _, held = pair.partition("=")
        if "max-age=0" in attributes.lower():
            jar.pop(key.strip(), None)
        else:
            jar[key.strip()] = held


def _ending(case: Case, response: Response | None, seen: Seen | None, judged: Judged | None) -> tuple[int | None, bool]:
    """Return the status with which the exchange ends, and whether it was denied; facts decide over bytes."""
    if judged is not None and judged.denial is not None:
        return judged.denial.status, True
    if case.facts is not None and seen is not None:
        return (case.app or Answer()).status, False
    return (response.status if response is not None else None), False


def _answer(response: Response | None, case: Case, denied: bool) -> Response | None:
    """Return what arrived. Where the facts deny, or bytes in their place were denied, nothing did."""
    if case.facts is not None and response is not None and denied != (response.status >= _REFUSED):
        return None
    return response


# judging ---------------------------------------------------------------------------------------------------------


def _told(place: Place, judged: Judged) -> tuple[Reason, ...]:
    return told(judged.exchange, judged.findings, place.site.engine.tables)


def _noted(answer: Answer) -> dict[str, tuple[str, ...]]:
    """Return the headers that the app sent, as facts; the middleware reads only those that a rule asks for."""
    noted: dict[str, tuple[str, ...]] = {}
    for name, value in answered(answer):
        key = name.decode("latin-1").lower()
        if key != "set-cookie":
            noted[key] = (*noted.get(key, ()), value.decode("latin-1"))
    return noted


def _untold(place: Place, judged: Judged, lines: Lines) -> list[Failure]:
    """Hold the written line against what was found: every reason has to stand in it."""
    written = _written(lines)
    found = counted(_told(place, judged))
    if written == found:
        return []
    return [Failure("line", f"{len(found)} kinds of reasons", f"{len(written)} kinds in the line of the trail")]


async def _with_facts(place: Place, judged: Judged, case: Case, now: datetime) -> Judged:
    """Judge the exchange anew, with facts in place of what the bytes of the case do not hold."""
    x, facts = whole(judged.exchange), case.facts or Facts()
    people = await _people(place, facts, now)
    x.elements = facts.elements
    if facts.records:
        x.records = tuple(_record(record, subject, people, x) for record, subject in facts.records)
        x.fields = tuple(field for field in x.fields if field.record is None)
    x.fields = (*x.fields, *facts.fields)
    if place.stage.seen is not None:
        x.status = (case.app or Answer()).status
    x.events = (*x.events, *(_event(event, now) for event in facts.events))
    if facts.page is not None:
        x.page = facts.page
    if x.coming is None and any(event.name == _ACTIVATED for event in facts.events):
        x.coming = x.version  # what is activated now is the version that is coming until then
    policy = readable(place.site.policy, x)
    if policy is not place.site.policy:
        x.page = Page(shows=PENDING)
    engine = place.site.engine if policy is place.site.policy else Engine(policy, place.site.binding)
    x.phase = Phase.END
    run = engine.begin(x)
    if x.status is None or (judged.denial is None and run.denial is not None):
        x.status = run.denial.status if run.denial is not None else 200
    return Judged(exchange=x, findings=run.judgement().findings, denial=run.denial)


async def _people(place: Place, facts: Facts, now: datetime) -> dict[str, Person]:
    ids = sorted({subject for _, subject in facts.records if subject is not None})
    resolver = place.runtime.people[id(place.site)]
    return {person.id: person for person in await place.stage.asking(resolver.persons(ids, now))}


def _record(record: Record, subject: str | None, people: Mapping[str, Person], x: Exchange) -> Record:
    if subject is not None:
        return replace(record, subject=UNREADABLE if subject == "unreadable" else people[subject])
    bound = x.route is not None and x.route.record_subject is None and isinstance(x.subject, Person)
    return replace(record, subject=x.subject if bound else None)


def _event(event: Event, now: datetime) -> Event:
    return replace(event, recent={name: recent_at(value, now) for name, value in event.recent.items()})


# which rules rested ----------------------------------------------------------------------------------------------


def _rested(case: Case, policy: Policy, judged: Judged | None, reasons: tuple[Reason, ...]) -> frozenset[str]:
    """Return the rules that the case expects to let this pass: named as no reason, kept or opened."""
    let = {one.rule for one in reasons if one.action in SILENT}
    named = {name for one in case.expect.no_reason for name in (*one.clause, one.rule) if name is not None}
    for rule in policy.rules:
        if {rule.id, *rule.clauses} & named or (case.expect.nothing and _has(case, judged, rule)):
            let.add(rule.id)
    return frozenset(let)


def _has(case: Case, judged: Judged | None, rule: Rule) -> bool:
    """Whether the exchange holds a thing that the rule is about."""
    if judged is None:
        return False
    x = judged.exchange
    there = {
        Thing.EXCHANGE: True, Thing.COOKIE: bool(x.cookies), Thing.FIELD: bool(x.fields) or _brings_values(case),
        Thing.RECORD: bool(x.records), Thing.ELEMENT: bool(x.elements), Thing.PAGE: x.page is not None,
        Thing.EVENT: bool(x.events),
    }  # fmt: skip
    return any(there[thing] for thing in rule.things)


def _brings_values(case: Case) -> bool:
    """Whether values came in or went out that could have been fields."""
    sent = case.request.body is not None or bool(case.request.url.query)
    return sent or (case.app is not None and case.app.body is not None)


__all__ = ["Outcome", "Tally", "run_case", "run_cases", "run_files"]
