"""Which version of a policy is in force: the one whose day has come, unless a rule refuses that it comes into force.

That it comes into force is the event `policy-activated`. Rules judge it on the day for which they are asked, with the
statements that are valid then; so all workers come to the same answer at the same moment, without asking each other. A
version that was activated once stays, whatever its announcement becomes: the ledger remembers the last one.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Final

from troth.engines.embedded import Engine
from troth.engines.embedded.views import EventView
from troth.model.facts import Event, Exchange
from troth.model.findings import Finding
from troth.model.policy import Policy, Version
from troth.model.words import Phase, Thing

ACTIVATED: Final = "policy-activated"
Statements = frozenset[tuple[str, str | None]]


class Versions:
    """The versions of one policy, in order of time."""

    def __init__(self, policy: Policy, engine: Engine) -> None:
        self._engine = engine
        self._versions = policy.versions
        self._ids = [version.id for version in policy.versions]
        self._activated: str | None = None
        self._known: tuple[date, str, str | None] | None = None
        self._judged: dict[tuple[str, str, date], tuple[Finding, ...]] = {}

    @property
    def activated(self) -> str | None:
        """The version that was activated last, which may be none of these; None where none ever was."""
        return self._activated

    @activated.setter
    def activated(self, version: str | None) -> None:
        self._activated, self._known = version, None

    def __contains__(self, version: object) -> bool:
        return version in self._ids

    def __bool__(self) -> bool:
        return bool(self._ids)

    def row(self, version: str) -> Version:
        """Return the row of a version of this policy."""
        return self._versions[self._ids.index(version)]

    def at(self, today: date) -> tuple[str, str | None]:
        """Return the version in force on a day, and the one that comes next or waits to be let in."""
        known = self._known
        if known is None or known[0] != today:
            known = self._known = (today, *self._at(today))
        return known[1], known[2]

    def _at(self, today: date) -> tuple[str, str | None]:
        if not self._ids:
            return "", None
        due = self.due(today)
        if due is None:
            return self._ids[0], self._ids[0]
        place = self._ids.index(self._in_force(due, today))
        return self._ids[place], next(iter(self._ids[place + 1 :]), None)

    def _in_force(self, due: str, today: date) -> str:
        """Return the latest version up to the one that is due that nothing refuses; else the one before stays."""
        before = self._activated
        if before is None or before not in self:
            return due
        between = self._ids[self._ids.index(before) + 1 : self._ids.index(due) + 1]
        if not between:
            return due
        return next((one for one in reversed(between) if not self.refusals(one, today)), before)

    def due(self, today: date) -> str | None:
        """Return the version in force by date alone; None where the day of none has come."""
        found = None
        for version in self._versions:
            if version.effective is None or version.effective <= today:
                found = version.id
        return found

    def refusals(self, version: str, today: date) -> tuple[Finding, ...]:
        """Return what refuses that a version follows the one that was activated last."""
        return tuple(one for one in self.judge(self._activated or "", version, today) if one.refuses)

    def judge(
        self, before: str, version: str, today: date, statements: Statements = frozenset()
    ) -> tuple[Finding, ...]:
        """Judge that `version` follows `before` on a day, with these `statements` besides those of the policy."""
        key = (before, version, today)
        found = self._judged.get(key)
        if found is None or statements:
            x, engine = facts(before, version, datetime.combine(today, time(), UTC), statements), self._engine
            found = tuple(engine.settle(engine.rules[Thing.EVENT], EventView(engine.tables, x, x.events[0])))
            if not statements:
                self._judged = {key: found, **{old: value for old, value in self._judged.items() if old[2] == today}}
        return found


def facts(before: str, version: str, now: datetime, statements: Statements = frozenset()) -> Exchange:
    """Return what is known when a version follows another."""
    return Exchange(
        now=now, phase=Phase.END, version=before, coming=version, attested=statements,
        events=(Event(name=ACTIVATED, at=now),), response_pending=False,
    )  # fmt: skip


def statements_of(policy: Policy, today: date) -> Statements:
    """Return the statements of a policy that are valid on a day: kind, and what each is about."""
    return frozenset(
        (one.what, one.about)
        for one in policy.attestations
        if (one.dated is None or one.dated <= today) and (one.expires is None or today < one.expires)
    )
