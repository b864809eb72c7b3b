"""Deadlines that an event of an exchange begins, and those that it meets: kept before the answer goes out."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from troth.asgi.judging import Judging
from troth.errors import LedgerError
from troth.model.facts import Actor, Person
from troth.model.words import PROTECTED_TAGS
from troth.runtime.begun import Happened
from troth.runtime.line import is_known_child

FAILED: Final = "failed"
_LOG: Final = logging.getLogger("troth")


async def keep(judging: Judging) -> bool:
    """Keep what the event that has just happened begins or meets. False where that could not be kept.

    On a protected route the line says so, and the answer passes.
    """
    name = judging.happened.get("event")
    store = judging.runtime.deadlines
    if name is None or store is None:
        return True
    policy, subject = judging.site.policy.identity.id, subject_of(judging)
    happened = Happened(site=judging.site, x=judging.x, name=name, subject=subject, told=_told(judging, subject))
    begun = list(happened.begun())
    if not begun and name not in judging.site.follows:
        return True
    try:
        await asyncio.to_thread(store.happened, name, policy=policy, at=judging.x.now, begun={subject: begun})
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


def _told(judging: Judging, subject: str) -> dict[str, Any]:
    """Return what the line of a deadline says of whom it is about: of a known child nothing."""
    return {"subj": [subject], "subj_n": 1} if subject and not is_known_child(judging.x) else {}
