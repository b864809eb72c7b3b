"""What happens to policy versions at start, at a reload and by the clock: announced, activated, refused; and told.

A version is activated once per ledger, by whichever worker comes first; its line is written within the transaction that
records it. That a version waits is told by each process once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from troth.consent.store import Store
from troth.consent.version_notes import VersionNotes
from troth.errors import ActivationRefused, LedgerError
from troth.home import Home
from troth.model.facts import Exchange
from troth.model.findings import Finding
from troth.model.policy import Version
from troth.model.words import Action
from troth.runtime.line import grouped
from troth.runtime.site import Site
from troth.runtime.versions import ACTIVATED, facts, statements_of

KIND: Final = "policy"
ANNOUNCED: Final = "policy-announced"
WAITS: Final = "activation-refused"
TEXT_CHANGED: Final = "text-changed"
_ALERT: Final = {"thing": "policy", "action": "alert", "n": 1}
_LOG: Final = logging.getLogger("troth")
Write = Callable[[Mapping[str, Any]], int]
Keep = Callable[[Site, str, Exchange], None]


def recall(sites: Iterable[Site], ledger: Store) -> None:
    """Let sites know which version of their policy was activated last; where the ledger does not say, their first."""
    for site in sites:
        versions = site.versions
        if not versions:
            continue
        try:
            versions.activated = ledger.active(site.policy.identity.id)
        except LedgerError as cause:
            _LOG.error("which policy version is in force is not known, the first one is taken: %s", cause)
            versions.activated = site.policy.versions[0].id


def refuse_what_cannot_follow(sites: Mapping[str, Site], before: Mapping[str, Site], now: datetime) -> None:
    """Refuse sites whose version may not come into force, where none that is in force could stay in its place.

    `before` are the sites that judge so far, if any: what they promise binds the change as well. Raises
    ActivationRefused.
    """
    today = now.date()
    for host, site in sites.items():
        versions, was = site.versions, before.get(host)
        held, due = versions.activated, versions.due(today)
        if held is None or due is None or due == held or (was is not None and due in was.versions):
            continue
        found = list(versions.judge(held, due, today))
        if was is not None:
            found += was.versions.judge(held, due, today, statements_of(site.policy, today))
        refused = tuple(dict.fromkeys((one.rule, one.clauses) for one in found if one.refuses))
        if refused and (was is not None or held not in versions):
            raise ActivationRefused(site.policy.identity.id, held, due, refused)


class Activation:
    """Announces and activates the versions of a home.

    `write` takes the members of a line; it may raise TrailError.
    """

    def __init__(self, home: Home, ledger: Store, write: Write) -> None:
        self._home = home
        self._ledger = ledger
        self._write = write
        self._notes: VersionNotes | None = None
        self._settled: dict[str, object] = {}
        """Of each host what was seen to last: nothing is asked as long as that is so."""

    def look(self, sites: Iterable[Site], now: datetime, keep: Keep) -> int:
        """Announce and activate what is due; returns how many lines were written.

        `keep` keeps what an event about the site begins, and what it meets.
        Raises TrailError, LedgerError or HomeError; then the rest is left for the next look.
        """
        return sum(self._settle(site, now, keep) for site in sites if site.versions)

    def _settle(self, site: Site, now: datetime, keep: Keep) -> int:
        versions, today = site.versions, now.date()
        due = versions.due(today)
        seen = (site, versions.at(today), due)
        if self._settled.get(site.host) == seen:
            return 0
        lines = 0 if due is None else self._activate(site, now, keep)
        lines += self._announce(site, now)
        self._settled[site.host] = (site, versions.at(today), due)
        return lines

    def _activate(self, site: Site, now: datetime, keep: Keep) -> int:
        today, versions = now.date(), site.versions
        current, due = versions.at(today)[0], versions.due(today)
        lines = 0
        if due is not None and due != current:
            self._write(self._waits(site, current, due, versions.refusals(due, today)))
            lines += 1
        if versions.activated != current:
            lines += self._come_into_force(site, current, now, keep)
        return lines + self._keep_text(site, current)

    def _come_into_force(self, site: Site, version: str, now: datetime, keep: Keep) -> int:
        policy = site.policy.identity.id
        late = self._is_late(site, site.versions.row(version), now)  # the lock of the home does not nest
        with self._ledger.writing() as batch:
            before = self._ledger.active(policy)
            told = before != version
            if told:
                batch.activate(version, policy=policy, at=now)
                self._write(self._activated(site, before, version, now, alerts=late or before is None))
                if before is not None:
                    keep(site, ACTIVATED, facts(before, version, now))
        site.versions.activated = version
        return int(told)

    def _activated(
        self, site: Site, before: str | None, version: str, now: datetime, *, alerts: bool
    ) -> dict[str, Any]:
        found = site.versions.judge(before, version, now.date()) if before is not None else ()
        # Going back to an earlier version cannot be refused: the one before is no longer due.
        told = [replace(one, action=Action.ALERT) if one.refuses else one for one in found]
        why = grouped([(one, ACTIVATED, None) for one in told])
        why = [*why, _ALERT] if alerts else why
        line = _line(ACTIVATED, site, version) | {"hash": site.policy.fingerprint, "why": why}
        return line if before is None else line | {"was": before}

    def _waits(self, site: Site, current: str, version: str, found: Iterable[Finding]) -> dict[str, Any]:
        why = grouped([(one, ACTIVATED, None) for one in found])
        return _line(WAITS, site, current) | {"version": version, "why": why}

    def _announce(self, site: Site, now: datetime) -> int:
        """Tell, once per home, which version comes, and whether that is later than its own `notice` asks for."""
        current, coming = site.versions.at(now.date())
        row = site.versions.row(coming) if coming is not None and coming != current else None
        if row is None or row.effective is None or row.effective <= now.date():
            return 0
        late = self._is_late(site, row, now)
        line = _line(ANNOUNCED, site, current) | {"version": row.id, "effective": row.effective.isoformat()}
        if row.notice is not None:
            line |= {"notice": row.notice.text, "why": [_ALERT] if late else []}
        notes = self._opened()
        return int(notes.announce(site.policy.identity.id, row.id, now, lambda: self._write(line)))

    def _is_late(self, site: Site, row: Version, now: datetime) -> bool:
        """Whether a version is announced, as far as this home has seen, for less than its `notice` before its day."""
        if row.notice is None or row.effective is None:
            return False
        since = self._opened().announced(site.policy.identity.id, row.id) or now
        return since.date() > row.notice.before(datetime(*row.effective.timetuple()[:3], tzinfo=now.tzinfo)).date()

    def _keep_text(self, site: Site, version: str) -> int:
        """Alert where the published text of a version is another than the one under which it was activated."""
        if not site.policy.text:
            return 0
        digest = sha256(site.policy.text.encode()).hexdigest()
        line = _line(TEXT_CHANGED, site, version) | {"hash": site.policy.fingerprint, "why": [_ALERT]}
        return int(self._opened().keep_text(site.policy.identity.id, version, digest, lambda: self._write(line)))

    def _opened(self) -> VersionNotes:
        if self._notes is None:
            self._notes = VersionNotes.open(self._home.events, self._home.lock)
        return self._notes

    def close(self) -> None:
        """Close what this process holds open."""
        if self._notes is not None:
            self._notes.close()


def _line(event: str, site: Site, version: str) -> dict[str, Any]:
    return {"kind": KIND, "event": event, "policy": f"{site.policy.identity.id}@{version}"}
