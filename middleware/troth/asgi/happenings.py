"""Events that happen on the wire: what a route is by its binding, and a denial. Rules on events judge each of them.

A route's event happens when the app accepts, which is any status below 400. A rule that withholds or denies an event
refuses the event only: the answer passes, and the line gives the reason in place of the event. A denial, by a rule or
by the app itself (401, 403), is a fact already; of it rules can only speak.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Final

from troth._types import Scope
from troth.asgi.choosing import refusing
from troth.asgi.judging import Judging
from troth.engines.embedded.views import EventView
from troth.model.facts import Actor, Event, Person
from troth.model.words import OWN, UNDECLARED, Phase, Thing
from troth.runtime.line import Reason, is_known_child

DENIED: Final = "denied"
REFUSED: Final = frozenset((401, 403))
"""Statuses by which an app denies."""
_NOT_ACCEPTED: Final = 400
_CLIENT: Final = "client"


async def answered(judging: Judging, scope: Scope) -> None:
    """Let the event of a route happen where the app has accepted, a denial where it has refused."""
    route = judging.x.route
    if judging.x.status in REFUSED:
        await denied(judging, scope)
    if route is None or route.event is None or (judging.x.status or 0) >= _NOT_ACCEPTED:
        return
    if not refusing(await _happen(judging, scope, route.event)):
        judging.happened["event"] = route.event


async def denied(judging: Judging, scope: Scope) -> None:
    """Let a denial happen. Where a rule speaks of it, the line names the client by a digest.

    Of a device that refused or signals no, and of a known child, it does not.
    """
    reasons = await _happen(judging, scope, DENIED)
    client = _address(scope)
    if reasons and client is not None and not judging.head.refuses and not is_known_child(judging.x):
        judging.happened[_CLIENT] = judging.runtime.names.digest(_CLIENT, client)


async def _happen(judging: Judging, scope: Scope, name: str) -> list[Reason]:
    """Judge an event with all that is known; what is found stands in the line of the exchange."""
    engine, x = judging.site.engine, judging.x
    rules = engine.rules[Thing.EVENT]
    if not rules and not judging.observed:
        return []
    x.phase = Phase.END
    x.fields = tuple(judging.fields)
    event = Event(name=name, at=x.now, recent=await _recent(judging, scope, name))
    item = len(x.events) if judging.observed else None
    found = engine.settle(rules, EventView(engine.tables, x, event), item)
    if judging.observed:
        x.events = (*x.events, event)
    judging.found(found, name)
    return [(finding, name, None) for finding in found]


async def _recent(judging: Judging, scope: Scope, name: str) -> Mapping[str, tuple[datetime, ...]]:
    """Count the event by all that rules count it by, as far as that is known; returns the latest instants of each."""
    value_of = partial(_counted_by, judging, scope)
    return await judging.runtime.count(judging.site, name, judging.x.now, value_of)


def _counted_by(judging: Judging, scope: Scope, per: str) -> str | None:
    """Return what an event is counted by; None where it is not known, or must not be used."""
    x = judging.x
    match per:
        case "client":
            return _address(scope)
        case "subject":
            return x.subject.id if isinstance(x.subject, Person) else None
        case "actor":
            asker = x.actor if isinstance(x.actor, Actor) else x.actor_before
            return asker.person.id if isinstance(asker, Actor) else None
        case "party":
            return None if x.party in (OWN, UNDECLARED) else x.party
        case _:
            device = judging.consent.device if judging.consent is not None else None
            return None if device is None or device.id is None or judging.head.refuses else device.id.hex()


def _address(scope: Scope) -> str | None:
    client = scope.get("client")
    return str(client[0]) if client else None
