"""What a request head settles, in the form that the wire needs: cookies by their bytes, a policy for third parties.

A `Head` stands beside each residual and is remembered with it. Its tables are filled as names come by.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from troth.engines.embedded import Residual, Verdict
from troth.engines.embedded.truth import TRUE
from troth.engines.embedded.views import CookieView, ElementView
from troth.filters import csp
from troth.model.consent import NO_CHOICES, Choice, Choices, ChoiceState
from troth.model.facts import ABSENT, Cookie, Direction, Element, Exchange
from troth.model.findings import Finding
from troth.model.words import Action, Carrier
from troth.runtime.site import Site

_REMEMBERED: Final = 512
_DIRECTIVES: Final = {
    "script": ("script-src", "connect-src"),
    "image": ("img-src",),
    "frame": ("frame-src", "object-src"),
}
"""Kinds of elements whose loading a directive can stop."""
_NOBODY: Final = "undeclared.invalid"
"""Stands for a host that no row declares (RFC 2606)."""


@dataclass(frozen=True, slots=True)
class CookieEntry:
    """The verdict on one cookie name: `drop` it, or judge its value and attributes first (`live`)."""

    name: str
    row: str | None
    declared: bool
    drop: bool
    silent: bool
    """Nothing was found and nothing is left to judge."""
    depends: bool
    """Under another consent the answer would be another."""
    refused: bool
    """The consent that it rests on was declined, withdrawn or signalled away."""
    domains: tuple[str, ...]
    """Where it is expired, besides host-only."""
    verdict: Verdict


class _CookieTable(dict[bytes, CookieEntry]):
    """Cookie names to entries, made when first asked for; a bounded number is remembered."""

    __slots__ = ("_direction", "_head")

    def __init__(self, head: Head, direction: Direction) -> None:
        super().__init__()
        self._head = head
        self._direction = direction

    def __missing__(self, raw: bytes) -> CookieEntry:
        entry = self._head.cookie_entry(raw, self._direction)
        if len(self) < _REMEMBERED and len(raw) <= 128:
            self[raw] = entry
        return entry


class Head:
    """The tables of one residual."""

    def __init__(self, site: Site, residual: Residual) -> None:
        self.site = site
        self.residual = residual
        self.inbound = _CookieTable(self, Direction.REQUEST)
        self.outbound = _CookieTable(self, Direction.RESPONSE)
        self._others: tuple[Residual, ...] | None = None
        self._csp: tuple[bytes | None, bool] | None = None
        self._depends: dict[tuple[str, Carrier], bool] = {}
        x = residual.head
        self.refuses = bool(x.signals) or any(
            choice.state is not ChoiceState.GRANTED for name in x.device for choice in x.device.of(name)
        )
        """The device declined, withdrew or signals something: no id of it is written."""
        self.consent_tag = _tag(x)
        """A short name of the consent state, for ETags."""
        self.reads_responses = residual.guards(Carrier.JSON, Direction.RESPONSE)
        self.varies = site.gates or any(
            residual.cookie(row.pattern, Direction.RESPONSE).withheld
            != other.cookie(row.pattern, Direction.RESPONSE).withheld
            for row in site.policy.cookies
            for other in self.others()
        )
        """Some answer of this site may depend on consent."""

    def cookie_entry(self, raw: bytes, direction: Direction) -> CookieEntry:
        """Return the entry of a cookie by its raw name."""
        name, row, declared = self.site.cookie(raw)
        verdict = self.residual.cookie(name, direction, row)
        drop = verdict.withheld
        others = [other.cookie(name, direction, row).withheld for other in self.others()]
        return CookieEntry(
            name=name,
            row=row,
            declared=declared,
            drop=drop,
            silent=not verdict.findings and not verdict.live,
            depends=any(one != drop for one in others),
            refused=self._is_refused(name, row),
            domains=self._domains(name, row),
            verdict=verdict,
        )

    def _is_refused(self, name: str, row: str | None) -> bool:
        cookie = Cookie(name=name, direction=Direction.REQUEST, row=row)
        return self.site.refused(CookieView(self.site.engine.tables, self.residual.head, cookie)) == TRUE

    def _domains(self, name: str, row: str | None) -> tuple[str, ...]:
        found = self.site.engine.tables.cookie_row(name, row)
        return found.domains if found is not None else ()

    def others(self) -> tuple[Residual, ...]:
        """Return the residuals of the same head under every consent granted, and under none."""
        if self._others is None:
            engine, head = self.site.engine, self.residual.head
            self._others = tuple(
                engine.residual(_as_chosen(head, choices))
                for choices in (_all_granted(self.site, head.now), NO_CHOICES)
            )
        return self._others

    def field_depends(self, category: str, carrier: Carrier) -> bool:
        """Whether what happens to a field of the response depends on the device's consent."""
        key = (category, carrier)
        if key not in self._depends:
            mine = _edits(self.residual.field(category, carrier, Direction.RESPONSE).findings)
            self._depends[key] = any(
                _edits(other.field(category, carrier, Direction.RESPONSE).findings) != mine for other in self.others()
            )
        return self._depends[key]

    def content_policy(self, x: Exchange) -> tuple[bytes | None, bool]:
        """Return the CSP that holds back third parties, and whether it depends on consent.

        None where every host may load. For somebody who is known the rules that need that are judged anew.
        """
        if not self.site.gates:
            return None, False
        if self._csp is None or x.actor not in (None, ABSENT):
            mine = _policy_for(self.site, x)
            others = [_policy_for(self.site, other.head) for other in self.others()]
            made = (mine, any(other != mine for other in others))
            if x.actor not in (None, ABSENT):
                return made
            self._csp = made
        return self._csp


def head_of(site: Site, x: Exchange) -> Head:
    """Return the head of an exchange: that of its residual."""
    residual = site.engine.residual(x)
    found = residual.beside
    if found is None:
        found = residual.beside = Head(site, residual)
    return found  # type: ignore[return-value]  # nothing else is put beside a residual


def _tag(x: Exchange) -> bytes:
    standing = sorted(
        (name, choice.state, choice.version, choice.params) for name in x.device for choice in x.device.of(name)
    )
    text = repr((sorted(x.signals), [(n, str(s), v, p) for n, s, v, p in standing]))
    return hashlib.blake2s(text.encode(), digest_size=6).hexdigest().encode()


def _edits(findings: tuple[Finding, ...]) -> frozenset[Action]:
    return frozenset(
        f.action for f in findings if not f.dry and f.action in (Action.WITHHOLD, Action.MASK, Action.DENY)
    )


def _as_chosen(head: Exchange, choices: Choices) -> Exchange:
    return replace(head, device=choices, signals=frozenset())


def _all_granted(site: Site, now: datetime) -> Choices:
    version = site.policy.versions[-1].id if site.policy.versions else ""
    granted = {
        name: (Choice(state=ChoiceState.GRANTED, at=now.astimezone(UTC), version=version, form=row.form),)
        for name, row in site.policy.consents.items()
    }
    return Choices(granted)


def _policy_for(site: Site, x: Exchange) -> bytes | None:
    """Build the header from the hosts of all parties that may load; None where an undeclared host may load too."""
    hosts: dict[str, set[str]] = {}
    free: set[str] = set()
    for kind, directives in _DIRECTIVES.items():
        if _loads(site, x, kind, _NOBODY):
            free.update(directives)
            continue
        allowed = {
            source
            for party in site.policy.parties.values()
            for row in party.hosts
            if _loads(site, x, kind, row.host.removeprefix("*."))
            for source in _sources(row.host)
        }
        for directive in directives:
            hosts.setdefault(directive, set()).update(allowed)
    if not hosts:
        return None
    own = {host for host in site.policy.identity.hosts if csp.is_host(host)}
    limits = csp.build({"*": own, **hosts}).split(b"; ")
    return b"; ".join(limit for limit in limits if limit.split(b" ", 1)[0].decode() not in free)


def _sources(host: str) -> tuple[str, ...]:
    """A declared host covers what is below it; a policy has to say both."""
    return (host,) if host.startswith("*.") else (host, f"*.{host}")


def _loads(site: Site, x: Exchange, kind: str, host: str) -> bool:
    view = ElementView(site.engine.tables, x, Element(kind=kind, host=host, secure=True))
    findings = site.engine.settle(site.engine.rules[view.thing], view)
    return not any(f.action in (Action.WITHHOLD, Action.DENY) and not f.dry for f in findings)
