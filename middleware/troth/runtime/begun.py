"""Deadlines that an event begins.

Whether a rule will act is asked of the engine now, with the event as it will stand when the period is over and nothing
has followed it: what the rule asks besides is known now and not later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from troth.consent.deadlines import Deadline
from troth.engines.embedded import CompiledRule
from troth.engines.embedded.views import EventView
from troth.model.facts import Event, Exchange
from troth.model.findings import Finding
from troth.model.rules import FollowedBy
from troth.model.words import Action, Thing
from troth.runtime.line import grouped
from troth.runtime.site import Site

_SILENT: Final = frozenset({Action.KEPT, Action.OPENED, Action.PROTECTED})
CASE: Final = "case"
"""The kind of pseudonym under which an event about the site itself stands, by the reference of its case or without."""
Later = tuple[tuple[str, datetime], ...]
Duties = tuple[FollowedBy, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """An event with all that is known of it. `subject` is whose it is, as it is kept; `told` what its line will say."""

    site: Site
    x: Exchange
    name: str
    subject: str
    told: Mapping[str, Any]

    def begun(self) -> Iterator[Deadline]:
        """Yield what is to be waited for: each of a rule's duties that no other can stand in for, else any of them."""
        for rule in self.site.engine.rules[Thing.EVENT]:
            duties = self.site.deadlines.get(rule.planned.rule.id, ())
            needed = [one for duty in duties if (one := self._unless(rule, (duty,), duties)) is not None]
            if not needed and len(duties) > 1:
                needed = [one for one in (self._unless(rule, duties, ()),) if one is not None]
            yield from needed

    def _unless(self, rule: CompiledRule, wanted: Duties, followed: Duties) -> Deadline | None:
        """Return the deadline of a rule that acts where none of what is `wanted` comes in time, and all else does."""
        now, names = self.x.now, {one.event for one in wanted}
        last = max(wanted, key=lambda one: one.within.after(now))
        due = last.within.after(now)
        found = self._found(rule, due, tuple((one.event, now) for one in followed if one.event not in names))
        if not found:
            return None
        # What has passed can only be alerted.
        alerts = [replace(one, action=one.action if one.dry else Action.ALERT) for one in found]
        return Deadline(
            policy=self.site.policy.identity.id,
            rule=rule.planned.rule.id,
            event=self.name,
            subject=self.subject,
            wants=tuple(dict.fromkeys(one.event for one in wanted)),
            at=now,
            remind=last.remind.before(due) if last.remind is not None else None,
            due=due,
            told={"why": grouped([(one, self.name, None) for one in alerts]), **self.told},
        )

    def _found(self, rule: CompiledRule, at: datetime, later: Later) -> list[Finding]:
        engine, x = self.site.engine, self.x
        event = Event(name=self.name, at=x.now, later=later)
        found = engine.settle((rule,), EventView(engine.tables, x.but(now=at), event))
        return [finding for finding in found if finding.action not in _SILENT]
