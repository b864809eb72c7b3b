"""Everything a guarded process holds: sites, home, ledger, consent desk, trail. Opened once, when the app starts."""

from __future__ import annotations

import copy
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from troth.audit.log import line_logger
from troth.audit.pseudonym import Pseudonyms
from troth.audit.trail import PolicyStamp, Trail
from troth.consent.deadlines import Deadlines
from troth.consent.decoder import Decoder
from troth.consent.desk import ConsentDesk
from troth.consent.event_counts import Counted
from troth.errors import ActivationRefused, ConfigurationError, HomeError, LedgerError, TrailError
from troth.home import Home
from troth.model.facts import Exchange
from troth.runtime import revisions
from troth.runtime.activation import Activation, recall, refuse_what_cannot_follow
from troth.runtime.begun import CASE, Happened
from troth.runtime.counting import Counts, SharedCounts, open_counts
from troth.runtime.deadlines import look, open_deadlines
from troth.runtime.hooks import Hook
from troth.runtime.line import encode
from troth.runtime.loading import BindingGiven, Given, Marks, PolicyGiven, Sites, mark
from troth.runtime.people import People
from troth.runtime.site import Site
from troth.runtime.stores import open_ledger

PREFIX: Final = "/.privacy"
GPC_PATH: Final = "/.well-known/gpc.json"
OWN_TAGS: Final = {
    "accept": "consent", "refuse": "refuse", "withdraw": "withdraw", "policy": "policy", "state": "consent",
    "gpc": "policy",
}  # fmt: skip
"""The protected tags of our own routes, by their names."""
_LOG: Final = logging.getLogger("troth")


class Runtime:
    """Opens a policy (or one per host), a binding and a home. Raises ConfigurationError with all diagnostics.

    `ledger` says where choices and states of persons are kept, if not in the home. `engine` is ``embedded``; `mode`
    ``dry-run`` makes every rule dry; `clock` gives aware UTC.
    """

    def __init__(
        self,
        *,
        policy: PolicyGiven,
        binding: BindingGiven = None,
        home: str | os.PathLike[str] | None = None,
        ledger: str | None = None,
        engine: str = "embedded",
        mode: str | None = None,
        clock: Callable[[], datetime] | None = None,
        denied: str | None = None,
    ) -> None:
        self.denied = None if denied is None else Hook(denied)
        """Answers denials in place of the small page."""
        if engine != "embedded":
            raise ConfigurationError(f"engine {engine!r} is not there; `embedded` is")
        self.given = Given(policy, binding, mode)
        before = self.given.marks()
        read = self.given.read()
        self.clock = clock or _utc_now
        self.seconds: Callable[[], float] = time.time if clock is None else lambda: clock().timestamp()
        """The same clock in seconds of Unix time."""
        self.counts: Counts | SharedCounts = Counts()
        """How often events happened lately; of all workers of the home where a rule counts."""
        self.home = Home.open(home)
        self.closed = threading.Event()
        """Set when the stores are closed: nothing is loaded any more."""
        self.marks: Marks = (*before, mark(self.home.switches))
        """How the files looked just before they were read."""
        loaded = self.given.load(self.home.switches, read)
        self.first = loaded.first
        self.deadlines: Deadlines | None = None
        """What has to follow events; None where no rule asks for that."""
        self._open_stores(clock, ledger, loaded)
        self.activation = Activation(self.home, self.ledger, self.write)
        """Announces and activates policy versions."""
        self._take(loaded)
        self._tell_start()

    def _take(self, loaded: Sites) -> None:
        """Judge by these sites from now on. For a runtime that serves nothing yet."""
        self.loaded = loaded
        self.sites: Mapping[str, Site] = loaded.by_host
        if self.deadlines is None:
            self.deadlines = open_deadlines(self.home, loaded.by_host.values())
        if not isinstance(self.counts, SharedCounts):
            self.counts = open_counts(self.home, (site.counts for site in self.sites.values())) or self.counts
        self.first = loaded.first
        sites = self.sites.values()
        self.people = {id(site): People(site.policy, site.binding, self.ledger) for site in sites}
        self.desks = {
            id(site): ConsentDesk(
                self.ledger,
                self.home.cookie_keys[0],
                lasts={name: row.lasts for name, row in site.policy.consents.items()},
            )
            for site in sites
        }

    def renewed(self, loaded: Sites) -> Runtime:
        """Return a runtime of other sites over the same home, stores and trail; this one goes on as it is.

        Tells the trail first. Raises TrailError where it cannot take the line, ConfigurationError for a missing hook,
        ActivationRefused for a version that rules do not let follow the one in force.
        """
        new = copy.copy(self)
        recall(loaded.by_host.values(), self.ledger)
        refuse_what_cannot_follow(loaded.by_host, self.sites, self.clock())
        new._take(loaded)
        for line in revisions.changes(self.loaded, loaded, self.clock().date()):
            self.write(line)
        new._look_at_versions()
        self.trail.policy = new._stamp()
        new._say_summary()
        return new

    def refuse(self, cause: ConfigurationError) -> None:
        """Tell the trail, once, that what stands on disk cannot be used and that the last good goes on."""
        self.write(revisions.refused(self.loaded, self.clock().date(), cause))

    def _tell_start(self) -> None:
        try:
            try:
                refuse_what_cannot_follow(self.sites, {}, self.clock())
            except ActivationRefused as cause:
                self.refuse(cause)
                raise
            self._look_at_versions()
            self.trail.policy = self._stamp()
            for line in revisions.switched(self.loaded, self.clock().date()):
                self.write(line)
        except TrailError as cause:
            raise ConfigurationError(f"the trail cannot be written: {cause}") from cause
        self._say_summary()

    def _look_at_versions(self) -> int:
        """Announce and activate what is due; returns how many lines. What fails but for the trail is tried again."""
        try:
            return self.activation.look(self.sites.values(), self.clock(), self._keep)
        except (LedgerError, HomeError) as cause:
            _LOG.error("policy versions could not be looked at, the next look tries again: %s", cause)
            return 0

    def _keep(self, site: Site, name: str, x: Exchange) -> None:
        """Keep what an event about the site begins, and what it meets. Raises LedgerError."""
        subject = self.names.digest(CASE, "")
        begun = list(Happened(site=site, x=x, name=name, subject=subject, told={}).begun())
        if self.deadlines is not None and (begun or name in site.follows):
            self.deadlines.happened(name, policy=site.policy.identity.id, at=x.now, begun={subject: begun})

    def _say_summary(self) -> None:
        for site in self.sites.values():
            _LOG.info("%s; home %s", site.summary(), self.home.path.name)
        for line in revisions.spoken(self.loaded):
            _LOG.warning("%s", line)

    def _stamp(self) -> PolicyStamp:
        policy = self.first.policy
        version, _ = self.first.version_at(self.clock().date())
        return PolicyStamp(id=policy.identity.id, version=version, hash=policy.fingerprint)

    def _open_stores(self, clock: Callable[[], datetime] | None, ledger: str | None, loaded: Sites) -> None:
        home = self.home
        self.ledger, self.generation = open_ledger(home, ledger)
        recall(loaded.by_host.values(), self.ledger)
        self.decoder = Decoder(home.cookie_keys, epoch=self.ledger.epoch, retired=self.ledger.retired)
        self.names = Pseudonyms(home.pseudonym_key)
        seed, older = home.trail_seed, home.trail_publics[1:]
        try:
            self.trail = Trail(home.trail, signing_key=seed, older_keys=older, policy=self._stamp(), clock=clock)
        except TrailError as cause:
            raise ConfigurationError(f"the trail cannot be opened: {cause}") from cause
        self.write_encoded: Callable[[bytes], int] = line_logger(self.trail.stream()).line
        """Writes one line whose members are encoded already; see `audit.stream.Stream.write`."""

    def site_of(self, host: str) -> Site:
        """Return the site of a host; an unknown host gets the first."""
        return self.sites.get(host) or self.first

    def write(self, members: Mapping[str, Any]) -> int:
        """Write one line; returns its number. Raises TrailError where it cannot be written."""
        return self.write_encoded(encode(dict(members)))

    async def count(
        self, site: Site, event: str, at: datetime, value_of: Callable[[str], str | None]
    ) -> Mapping[str, tuple[datetime, ...]]:
        """Count an event by all that rules of a site count it per; returns the latest instants of each, this included.

        `value_of` says who or what that is, None where it is not known. Only its pseudonym is kept.
        """
        counted: dict[str, Counted] = {}
        for per, limit in site.counts.get(event, {}).items():
            value = value_of(per)
            if value is not None:
                kind = "person" if per in ("subject", "actor") else per
                key = (site.policy.identity.id, site.host, event, per, self.names.digest(kind, value))
                counted[per] = Counted(key="\n".join(key), limit=limit.count, within=limit.within)
        latest = await self.counts.add(tuple(counted.values()), at)
        return dict(zip(counted, latest, strict=True))

    @property
    def heeds_time(self) -> bool:
        """Whether something is due by the clock alone: what has to follow an event, a version that comes."""
        today = self.clock().date()
        return self.deadlines is not None or any(site.version_at(today)[1] for site in self.sites.values())

    def tick(self) -> int:
        """Tell the trail what is overdue, falls due soon or comes into force; returns how many lines.

        Waits for the disk.
        """
        lines = 0
        try:
            lines = self._look_at_versions()
        except TrailError as cause:
            _LOG.error("a policy version could not be told, the next look tries again: %s", cause)
        if lines:
            self.trail.policy = self._stamp()
        if self.deadlines is None:
            return lines
        return lines + look(self.deadlines, self.home, self.sites.values(), self.clock, self.write)

    def seal(self) -> None:
        """Seal the trail as far as that can be done now; a line that still comes opens a new segment."""
        self.ledger.rest()
        with suppress(TrailError):
            self.trail.close()

    def close(self) -> None:
        """Seal the trail and close the stores."""
        self.closed.set()
        self.trail.close()
        self.ledger.close()
        if self.deadlines is not None:
            self.deadlines.close()
        if isinstance(self.counts, SharedCounts):
            self.counts.close()
        self.activation.close()
        self.generation.close()


def _utc_now() -> datetime:
    return datetime.now(UTC)


__all__ = ["GPC_PATH", "PREFIX", "BindingGiven", "PolicyGiven", "Runtime"]
