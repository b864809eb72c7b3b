"""Everything a guarded process holds: sites, home, ledger, consent desk, trail. Opened once, when the app starts."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from troth.audit.log import line_logger
from troth.audit.pseudonym import Pseudonyms
from troth.audit.trail import PolicyStamp, Trail
from troth.consent.decoder import Decoder
from troth.consent.desk import ConsentDesk
from troth.consent.generation import Generation
from troth.consent.ledger import Ledger
from troth.diagnostics import InvalidFiles
from troth.errors import ConfigurationError, TrailError
from troth.home import Home
from troth.model.binding import Binding
from troth.model.policy import Policy
from troth.model.words import Mode
from troth.rules import Loaded, check_together, load_binding, load_policy
from troth.runtime.counting import Counts
from troth.runtime.hooks import Hook
from troth.runtime.line import encode
from troth.runtime.people import People
from troth.runtime.site import Site

PREFIX: Final = "/.privacy"
GPC_PATH: Final = "/.well-known/gpc.json"
OWN_TAGS: Final = {
    "accept": "consent", "refuse": "refuse", "withdraw": "withdraw", "policy": "policy", "state": "consent",
    "gpc": "policy",
}  # fmt: skip
"""The protected tags of our own routes, by their names."""
_LOG: Final = logging.getLogger("troth")

PolicyGiven = str | os.PathLike[str] | Policy | Mapping[str, "str | os.PathLike[str] | Policy"]
BindingGiven = str | os.PathLike[str] | Binding | Mapping[str, Any] | None


class Runtime:
    """Opens a policy (or one per host), a binding and a home. Raises ConfigurationError with all diagnostics.

    `engine` is ``embedded``; `mode` ``dry-run`` makes every rule dry; `clock` gives aware UTC.
    """

    def __init__(
        self,
        *,
        policy: PolicyGiven,
        binding: BindingGiven = None,
        home: str | os.PathLike[str] | None = None,
        engine: str = "embedded",
        mode: str | None = None,
        clock: Callable[[], datetime] | None = None,
        denied: str | None = None,
    ) -> None:
        self.denied = None if denied is None else Hook(denied)
        """Answers denials in place of the small page."""
        if engine != "embedded":
            raise ConfigurationError(f"engine {engine!r} is not there; `embedded` is")
        given = policy if isinstance(policy, Mapping) else {"": policy}
        if not given:
            raise ConfigurationError("no policy was given")
        sites = {host: _site(one, binding, mode) for host, one in given.items()}
        self.sites: Mapping[str, Site] = sites
        self.first = next(iter(sites.values()))
        self.clock = clock or _utc_now
        self.seconds: Callable[[], float] = time.time if clock is None else lambda: clock().timestamp()
        """The same clock in seconds of Unix time."""
        self.counts = Counts()
        self.home = Home.open(home)
        self._open_stores(clock)
        self.people = {id(site): People(site.policy, site.binding, self.ledger) for site in sites.values()}
        self.desks = {
            id(site): ConsentDesk(
                self.ledger,
                self.home.cookie_keys[0],
                lasts={name: row.lasts for name, row in site.policy.consents.items()},
            )
            for site in sites.values()
        }
        for site in sites.values():
            _LOG.info("%s; home %s", site.summary(), self.home.path.name)

    def _open_stores(self, clock: Callable[[], datetime] | None) -> None:
        home = self.home
        self.generation = Generation.open(home.generation, home.lock)
        self.ledger = Ledger.open(home.ledger, self.generation, home.ledger_key)
        self.decoder = Decoder(home.cookie_keys, epoch=self.ledger.epoch, retired=self.ledger.retired)
        self.names = Pseudonyms(home.pseudonym_key)
        policy = self.first.policy
        version, _ = self.first.version_at(self.clock().date())
        stamp = PolicyStamp(id=policy.identity.id, version=version, hash=policy.fingerprint)
        try:
            self.trail = Trail(
                home.trail, signing_key=home.trail_seed, older_keys=home.trail_publics[1:], policy=stamp, clock=clock
            )
        except TrailError as cause:
            raise ConfigurationError(f"the trail cannot be opened: {cause}") from cause
        self._write = line_logger(self.trail.stream()).line

    def site_of(self, host: str) -> Site:
        """Return the site of a host; an unknown host gets the first."""
        return self.sites.get(host) or self.first

    def write(self, members: Mapping[str, Any]) -> int:
        """Write one line; returns its number. Raises TrailError where it cannot be written."""
        return self._write(encode(dict(members)))

    def write_encoded(self, members: bytes) -> int:
        """Write one line whose members are encoded already."""
        return self._write(members)

    def seal(self) -> None:
        """Seal the trail as far as that can be done now; a line that still comes opens a new segment."""
        with suppress(TrailError):
            self.trail.close()

    def close(self) -> None:
        """Seal the trail and close the stores."""
        self.trail.close()
        self.ledger.close()
        self.generation.close()


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _site(policy: str | os.PathLike[str] | Policy, binding: BindingGiven, mode: str | None) -> Site:
    """Load one policy with its binding. Raises InvalidFiles for what is wrong in them, or cannot be kept together."""
    loaded = Loaded(policy=policy) if isinstance(policy, Policy) else load_policy(os.fspath(policy))
    found = loaded.require()
    bound = binding if binding is None or isinstance(binding, Binding) else _bound(binding, found)
    wrong = [one for one in check_together(loaded, bound) if one.is_error] if loaded.places else []
    if wrong:
        raise InvalidFiles(wrong)
    return Site(found, bound, mode=None if mode is None else _mode(mode))


def _bound(binding: str | os.PathLike[str] | Mapping[str, Any], policy: Policy) -> Binding:
    given = binding if isinstance(binding, Mapping) else os.fspath(binding)
    return load_binding(given, policy).require()


def _mode(text: str) -> Mode:
    try:
        return Mode(text)
    except ValueError:
        raise ConfigurationError(f"mode {text!r} is not one of {', '.join(Mode)}") from None


__all__ = ["GPC_PATH", "PREFIX", "BindingGiven", "PolicyGiven", "Runtime"]
