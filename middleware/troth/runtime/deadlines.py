"""What the clock does: deadlines that have passed, and reminders that fall due, become lines of the trail.

All workers of a home look; at any moment one of them holds the lease and tells. The lease is a lock on a file, which
the system takes back from a process that dies.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from troth.consent.deadlines import Deadline, Deadlines
from troth.errors import HomeError, LedgerError, TrailError
from troth.home import Home
from troth.model.words import Mode
from troth.runtime.site import Site

OVERDUE: Final = "overdue"
REMINDER: Final = "reminder"
_LOG: Final = logging.getLogger("troth")
Write = Callable[[Mapping[str, Any]], int]


def open_deadlines(home: Home, sites: Iterable[Site]) -> Deadlines | None:
    """Open the deadlines of a home where a rule asks for some or some are kept from before; None where not.

    Raises HomeError.
    """
    if not any(site.deadlines for site in sites) and not home.events.exists():
        return None
    return Deadlines.open(home.events, home.lock)


def look(store: Deadlines, home: Home, sites: Iterable[Site], site_clock: Callable[[], Any], write: Write) -> int:
    """Tell what is due; returns how many lines. Nothing where another worker holds the lease.

    Never raises: what could not be told is told at the next look.
    """
    by_policy = {site.policy.identity.id: site for site in sites}
    off = {rule.id for site in by_policy.values() for rule in site.policy.rules if rule.mode is Mode.OFF}
    now = site_clock()

    def tell(deadline: Deadline, passed: bool) -> None:
        version, _ = by_policy[deadline.policy].version_at(now.date())
        write(_line(deadline, version, passed=passed))

    try:
        with home.lease() as mine:
            return store.look(now, by_policy, off, tell) if mine else 0
    except (LedgerError, TrailError, HomeError) as cause:
        _LOG.error("deadlines could not be looked at, the next look tries again: %s", cause)
        return 0


def _line(deadline: Deadline, version: str, *, passed: bool) -> dict[str, Any]:
    told = dict(deadline.told)
    members: dict[str, Any] = {
        "kind": "event",
        "event": OVERDUE if passed else REMINDER,
        "policy": f"{deadline.policy}@{version}",
        "of": deadline.event,
        "wants": list(deadline.wants),
        "at": deadline.at.isoformat(),
        "due": deadline.due.isoformat(),
        "rule": deadline.rule,
    }
    why = told.pop("why", [])
    if passed:
        members["why"] = why
    return members | told
