"""Deadlines that an event begins, and those that it meets: kept before the answer goes out.

Whether a rule will act is asked of the engine now, with the event as it will stand when the period is over and nothing
has followed it: what the rule asks besides is known now and not later.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from troth.asgi.judging import Judging
from troth.consent.deadlines import Deadline
from troth.engines.embedded import CompiledRule
from troth.engines.embedded.views import EventView
from troth.errors import LedgerError
from troth.model.facts import Actor, Event, Person
from troth.model.findings import Finding
from troth.model.rules import FollowedBy
from troth.model.words import PROTECTED_TAGS, Action, Thing
from troth.runtime.line import grouped, is_known_child

FAILED: Final = "failed"
_SILENT: Final = frozenset({Action.KEPT, Action.OPENED, Action.PROTECTED})
_LOG: Final = logging.getLogger("troth")
Later = tuple[tuple[str, datetime], ...]
Duties = tuple[FollowedBy, ...]


async def keep(judging: Judging) -> bool:
    """Keep what the event that has just happened begins or meets. False where that could not be kept.

    On a protected route the line says so, and the answer passes.
    """
    name = judging.happened.get("event")
    store = judging.runtime.deadlines
    if name is None or store is None:
        return True
    begun = list(_begun(judging, name))
    if not begun and name not in judging.site.follows:
        return True
    policy, subject = judging.site.policy.identity.id, subject_of(judging)
    try:
        await asyncio.to_thread(store.happened, name, policy=policy, subject=subject, at=judging.x.now, begun=begun)
    except LedgerError as cause:
        _LOG.error("an event happened whose deadline could not be kept: %s", cause)
        judging.happened["deadline"] = FAILED
        route = judging.x.route
        if route is None or PROTECTED_TAGS.isdisjoint(route.tags):
            del judging.happened["event"]
            return False
    return True


def subject_of(judging: Judging) -> str:
    """Return the pseudonym of whose event it is: the addressed subject, else who asks; empty for nobody known.

    A subject that the binding promises and the request lacks is nobody: it is not whoever happens to ask.
    """
    x = judging.x
    person = x.subject
    if person is None:
        askers = (one.person for one in (x.actor, x.actor_before) if isinstance(one, Actor))
        person = next(askers, None)
    return judging.runtime.names.digest("person", person.id) if isinstance(person, Person) else ""


def _begun(judging: Judging, name: str) -> Iterator[Deadline]:
    """Yield what is to be waited for: each of a rule's duties that no other can stand in for, else any of them."""
    for rule in judging.site.engine.rules[Thing.EVENT]:
        duties = judging.site.deadlines.get(rule.planned.rule.id, ())
        needed = [one for duty in duties if (one := _unless(judging, rule, name, (duty,), duties)) is not None]
        if not needed and len(duties) > 1:
            needed = [one for one in (_unless(judging, rule, name, duties, ()),) if one is not None]
        yield from needed


def _unless(judging: Judging, rule: CompiledRule, name: str, wanted: Duties, followed: Duties) -> Deadline | None:
    """Return the deadline of a rule that acts where none of what is `wanted` comes in time, and all else `followed`."""
    now, names = judging.x.now, {one.event for one in wanted}
    last = max(wanted, key=lambda one: one.within.after(now))
    due = last.within.after(now)
    found = _found(judging, rule, name, due, tuple((one.event, now) for one in followed if one.event not in names))
    if not found:
        return None
    return Deadline(
        policy=judging.site.policy.identity.id,
        rule=rule.planned.rule.id,
        event=name,
        subject=subject_of(judging),
        wants=tuple(dict.fromkeys(one.event for one in wanted)),
        at=now,
        remind=last.remind.before(due) if last.remind is not None else None,
        due=due,
        told=_told(judging, found, name),
    )


def _found(judging: Judging, rule: CompiledRule, name: str, at: datetime, later: Later) -> list[Finding]:
    engine, x = judging.site.engine, judging.x
    event = Event(name=name, at=x.now, later=later)
    found = engine.settle((rule,), EventView(engine.tables, x.but(now=at), event))
    return [finding for finding in found if finding.action not in _SILENT]


def _told(judging: Judging, found: list[Finding], name: str) -> dict[str, Any]:
    """Return what the line will say: of a known child nothing but the decision. What has passed can only be alerted."""
    alerts = [replace(one, action=one.action if one.dry else Action.ALERT) for one in found]
    told: dict[str, Any] = {"why": grouped([(one, name, None) for one in alerts])}
    subject = subject_of(judging)
    if subject and not is_known_child(judging.x):
        told |= {"subj": [subject], "subj_n": 1}
    return told
