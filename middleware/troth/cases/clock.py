"""Cases without a request: what the clock says of the exchanges that went before, held against the reference.

The clock of the middleware says what it has kept, and which version comes into force. The reference is given each event
anew, with all events of the same subject that came later, and judges it at the instant of the case.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from troth.cases.bench import Place
from troth.cases.check import Played
from troth.cases.compare import whole
from troth.cases.failure import Failure
from troth.cases.reasons import SILENT, Reason, of_line
from troth.cases.stage import Judged
from troth.cases.values import Case
from troth.engines import reference
from troth.model.facts import Actor, Event, Exchange, Person
from troth.model.findings import Finding
from troth.model.words import Thing
from troth.runtime.site import Site
from troth.runtime.versions import ACTIVATED

_REFUSED = 400
Key = tuple[str, tuple[str, ...], bool]


def play(place: Place, case: Case, now: datetime, before: Sequence[Judged | None]) -> tuple[Played, list[Failure]]:
    """Let the clock look at the instant of the case; returns what came of it, and what the reference says otherwise."""
    place.lines()
    place.stage.now = now
    coming = list(_activation(place.site, now))
    place.runtime.tick()
    lines = place.lines()
    reasons = tuple(reason for line in lines for reason in of_line(line))
    played = Played(
        response=None, seen=None, request=case.request, status=None, denied=False, reasons=reasons, lines=lines
    )
    site = place.site
    duties = frozenset(site.deadlines)
    kept = _events([one for one in before if one is not None], now)
    found = [one for one in _found(site, kept) if one.rule in duties]
    return played, list(_differences(reasons, [*found, *_found(site, coming)]))


def _found(site: Site, exchanges: Iterable[Exchange]) -> Iterator[Finding]:
    """Yield what the reference finds about the events of exchanges."""
    for x in exchanges:
        for finding in reference.judge(site.policy, site.binding, x).findings:
            if finding.thing is Thing.EVENT and finding.action not in SILENT:
                yield finding


def _activation(site: Site, now: datetime) -> Iterator[Exchange]:
    """Yield that a version comes into force, where one is due that is not in force yet."""
    before, due = site.versions.activated, site.versions.due(now.date())
    if before is not None and due is not None and due != before:
        yield Exchange(now=now, version=before, coming=due, events=(Event(name=ACTIVATED, at=now),))


def _events(before: list[Judged], now: datetime) -> Iterator[Exchange]:
    """Yield each exchange that was an event, with that alone, and what came after it."""
    for index, judged in enumerate(before):
        x = judged.exchange
        name = _happened(judged)
        if name is not None:
            later = tuple(
                (other, one.exchange.now)
                for one in before[index + 1 :]
                if (other := _happened(one)) is not None and _who(x) is not None and _who(one.exchange) == _who(x)
            )
            yield whole(x).but(now=now, events=(Event(name=name, at=x.now, later=later),))


def _happened(judged: Judged) -> str | None:
    """Return the event that an exchange was, unless the app or a rule refused it."""
    x = judged.exchange
    if x.route is None or x.route.event is None or judged.denial is not None or (x.status or 0) >= _REFUSED:
        return None
    refused = any(one.thing is Thing.EVENT and one.refuses and _is_about(x, one) for one in judged.findings)
    return None if refused else x.route.event


def _is_about(x: Exchange, finding: Finding) -> bool:
    """Whether a finding is about the event of the route, and not about a consent that the exchange records."""
    if finding.item is None or x.route is None or finding.item >= len(x.events):
        return False
    return x.events[finding.item].name == x.route.event


def _who(x: Exchange) -> str | None:
    if x.subject is None:
        return next((one.person.id for one in (x.actor, x.actor_before) if isinstance(one, Actor)), None)
    return x.subject.id if isinstance(x.subject, Person) else None


def _differences(reasons: Iterable[Reason], found: Iterable[Finding]) -> Iterator[Failure]:
    mine: list[Key] = sorted((one.rule, one.clauses, one.dry) for one in reasons)
    theirs: list[Key] = sorted((one.rule, one.clauses, one.dry) for one in found)
    if mine != theirs:
        yield Failure("reference", _named(theirs), _named(mine))


def _named(keys: list[Key]) -> str:
    return "; ".join(f"{rule}{' (dry)' if dry else ''}" for rule, _, dry in keys) or "nothing"
