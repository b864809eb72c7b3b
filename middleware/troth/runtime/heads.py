"""What a request head settles, in the form that the wire needs: cookies by their bytes, a policy for third parties.

A `Head` stands beside each residual and is remembered with it. Its tables are filled as names come by.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Final

from troth.consent.device import COOKIE_NAME
from troth.engines.embedded import CompiledRule, Residual, Verdict
from troth.engines.embedded.duties import header_value
from troth.engines.embedded.truth import TRUE
from troth.engines.embedded.views import CookieView, ElementView, ExchangeView, FieldView, PageView, View
from troth.filters import csp, set_cookie
from troth.model.consent import NO_CHOICES, Choice, Choices, ChoiceState
from troth.model.facts import ABSENT, PENDING, Cookie, Direction, Element, Exchange, Field, Page
from troth.model.findings import Finding
from troth.model.rules import All, Header
from troth.model.words import NONE, Action, Carrier, Mode, Phase, Thing
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
    """The verdict on one cookie name, as far as name and head settle it."""

    name: str
    row: str | None
    declared: bool
    drop: bool
    """It goes, whatever its value is."""
    reads_value: bool
    """Some rule asks what the value holds."""
    live: bool
    """Rules ask for more than name and value: attributes, people, the rest of the request."""
    silent: bool
    """Nothing is found as long as the value holds nothing."""
    plain: Verdict
    """The verdict on a value that holds nothing."""
    verdict: Verdict
    denies: bool
    """A rule denies the whole exchange for it."""
    depends: bool
    """Under another consent the answer would be another."""
    expiries: tuple[tuple[bytes, ...], tuple[bytes, ...]]
    """`Set-Cookie` values that delete it, for plain http and for https; empty unless it was refused."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found where the entry says it all: of a cookie that goes, or whose value holds nothing."""
        return self.verdict.findings if self.drop else self.plain.findings


_NOTHING: Final = Verdict((), ())
OWN_COOKIE: Final = CookieEntry(
    name=COOKIE_NAME, row=None, declared=True, drop=False, reads_value=False, live=False, silent=True, plain=_NOTHING,
    verdict=_NOTHING, denies=False, depends=False, expiries=((), ()),
)  # fmt: skip
"""The device's own choices are no thing of any rule: whoever stripped them would forget what was refused."""


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


@dataclass(frozen=True, slots=True)
class HeaderDuty:
    """A rule that only asks for headers: what is found and added where none of its `names` is among those sent.

    Without `headers` it asks that some are not sent: nothing is found then.
    """

    finding: Finding
    headers: tuple[tuple[bytes, bytes], ...]
    names: frozenset[bytes]
    rule: CompiledRule


@dataclass(frozen=True, slots=True)
class Settled:
    """What is settled about an exchange or its page: findings, plain header duties, and rules that need more."""

    findings: tuple[Finding, ...]
    duties: tuple[HeaderDuty, ...]
    live: tuple[CompiledRule, ...]
    quiet: bool
    """The findings ask for nothing to be done."""


Seen = frozenset[tuple[str, Carrier, Direction]]
"""Which categories stood where in an exchange."""


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
        self._closings: dict[tuple[int, Seen], Settled] = {}
        self._page: Settled | None = None
        self._by_consent: dict[Thing, tuple[Header, ...]] = {}
        x = residual.head
        self.quiet = not x.body_pending and not x.records_open and x.subject is None
        """Nothing of the request is still to come."""
        self.refuses = bool(x.signals) or any(
            choice.state is not ChoiceState.GRANTED for name in x.device for choice in x.device.of(name)
        )
        """The device declined, withdrew or signals something: no id of it is written."""
        self.consent_tag = _tag(x)
        """A short name of the consent state, for ETags."""
        self.reads_responses = residual.guards(Carrier.JSON, Direction.RESPONSE)

    @cached_property
    def reads_pages(self) -> bool:
        """Whether a rule waits for what an HTML page shows."""
        return any(rule.planned.rule.id in self.site.mark_rules for rule in self.page().live)

    @cached_property
    def reads_bodies(self) -> bool:
        """Whether some body of a response may have to be read, so that it must come in a coding that can be."""
        return self.reads_responses or self.reads_pages

    @cached_property
    def varies(self) -> bool:
        """Whether some answer of this site depends on consent."""
        if self.content_policy(self.residual.head)[1]:
            return True
        return any(
            self.residual.cookie(row.pattern, Direction.RESPONSE).withheld
            != other.cookie(row.pattern, Direction.RESPONSE).withheld
            for row in self.site.policy.cookies
            for other in self.others()
        )

    # cookies

    def cookie_entry(self, raw: bytes, direction: Direction) -> CookieEntry:
        """Return the entry of a cookie by its raw name."""
        name, row, declared = self.site.cookie(raw)
        if name == COOKIE_NAME:
            return OWN_COOKIE
        verdict = self.residual.cookie(name, direction, row)
        plain = self._plain(name, row, direction, verdict)
        drop = verdict.withheld
        live = (bool(plain.live) or plain.withheld) and not drop
        others = [other.cookie(name, direction, row).withheld for other in self.others()]
        refused = drop and declared and direction is Direction.REQUEST and self._is_refused(name, row)
        refused = refused and set_cookie.is_name(raw)
        return CookieEntry(
            name=name,
            row=row,
            declared=declared,
            drop=drop,
            reads_value=not drop and plain != verdict,
            live=live,
            silent=not drop and not live and not plain.findings,
            plain=plain,
            verdict=verdict,
            denies=any(f.action is Action.DENY and not f.dry for f in plain.findings),
            depends=any(one != drop for one in others),
            expiries=self._expiries(raw, name, row) if refused else ((), ()),
        )

    def _plain(self, name: str, row: str | None, direction: Direction, verdict: Verdict) -> Verdict:
        """Judge the live rules for a value that holds nothing of anybody."""
        if not verdict.live:
            return verdict
        cookie = Cookie(name=name, direction=direction, row=row)
        if direction is Direction.RESPONSE:
            cookie = replace(cookie, lifetime=PENDING, attributes=PENDING)
        return self.residual.settle(CookieView(self.site.engine.tables, self.residual.head, cookie))

    def _is_refused(self, name: str, row: str | None) -> bool:
        cookie = Cookie(name=name, direction=Direction.REQUEST, row=row)
        return self.site.refused(CookieView(self.site.engine.tables, self.residual.head, cookie)) == TRUE

    def _expiries(self, raw: bytes, name: str, row: str | None) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
        found = self.site.engine.tables.cookie_row(name, row)
        domains = (None, *(found.domains if found is not None else ()))
        plain, secure = (
            tuple(set_cookie.expire(raw, domain=domain, secure=flag) for domain in domains) for flag in (False, True)
        )
        return plain, secure

    # exchange and page

    def closing(self, status: int, seen: Seen) -> Settled:
        """Return what is settled about an exchange once its bodies are read: by status and by what was seen where."""
        key = (status, seen)
        found = self._closings.get(key)
        if found is None:
            fields = tuple(Field(category=c, carrier=carrier, direction=d) for c, carrier, d in sorted(seen, key=repr))
            x = self.residual.head.but(
                phase=Phase.RESPONSE_BODY, status=status, headers=PENDING, fields=fields, response_pending=False
            )
            found = self._settled(ExchangeView(self.site.engine.tables, x), self.residual.exchange.live)
            if len(self._closings) < _REMEMBERED:
                self._closings[key] = found
        return found

    def page(self) -> Settled:
        """Return what is settled about every page."""
        if self._page is None:
            x = self.residual.head.but(phase=Phase.RESPONSE_START, headers=PENDING, page=Page(shows=PENDING))
            view = PageView(self.site.engine.tables, x)
            self._page = self._settled(view, self.site.engine.rules[view.thing])
        return self._page

    def _settled(self, view: View, rules: Iterable[CompiledRule]) -> Settled:
        verdict = self.residual.settle(view, rules)
        duties = {rule: _duty(rule, view, self.site) for rule in verdict.live}
        return Settled(
            findings=verdict.findings,
            duties=tuple(duty for duty in duties.values() if duty is not None),
            live=tuple(rule for rule, duty in duties.items() if duty is None),
            quiet=verdict.quiet,
        )

    # what depends on consent

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

    def sent_on_depends(self, field: Field) -> bool:
        """Return whether what happens to a field of a redirect depends on the device's consent."""
        engine = self.site.engine
        views = (FieldView(engine.tables, one.head, field) for one in (self.residual, *self.others()))
        mine, *others = (_edits(tuple(engine.settle(engine.rules[view.thing], view))) for view in views)
        return any(other != mine for other in others)

    def headers_by_consent(self, *, page: bool) -> tuple[Header, ...]:
        """Return the header duties of rules that stand otherwise under another consent, on a `page` also of its own."""
        return self._hanging(Thing.EXCHANGE) + (self._hanging(Thing.PAGE) if page else ())

    def _hanging(self, thing: Thing) -> tuple[Header, ...]:
        found = self._by_consent.get(thing)
        if found is None:
            mine, *others = (_standings(self.site, one, thing) for one in (self.residual, *self.others()))
            found = self._by_consent[thing] = tuple(
                duty
                for rule, standing in mine.items()
                if any(other[rule] != standing for other in others)
                for duty in self.site.headers[rule]
            )
        return found

    def content_policy(self, x: Exchange) -> tuple[bytes | None, bool]:
        """Return the CSP that holds back third parties, and whether it depends on consent.

        None where every host may load. For somebody who is known, and where the exchange records a consent, the rules
        that need that are judged anew.
        """
        if not self.site.gates:
            return None, False
        anew = x.actor not in (None, ABSENT) or x.recorded
        if self._csp is None or anew:
            mine = _policy_for(self.site, x)
            others = [_policy_for(self.site, other.head) for other in self.others()]
            made = (mine, any(other != mine for other in others))
            if anew:
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


def _duty(rule: CompiledRule, view: View, site: Site) -> HeaderDuty | None:
    """Return a rule as a plain header duty; None where it is more than that."""
    planned = rule.planned
    expect = planned.rule.expect
    wanted = expect.parts if isinstance(expect, All) else (expect,)
    simple = (
        planned.rule.mode is Mode.ENFORCE
        and not planned.rule.openings
        and planned.rule.only_if is None
        and [effect.action for effect in planned.effects] == [Action.AMEND]
        and not planned.rule.evidence
        and rule.match(view) == TRUE
    )
    duties = [duty for duty in wanted if isinstance(duty, Header)]
    values = [header_value(view, duty.name, duty.values[0]) for duty in duties]
    found = site.engine.report(rule, (Action.DENY, planned.rule.clauses), None, view)
    if not simple or len(duties) != len(wanted) or None in values or not found:
        return None
    headers = tuple(
        (duty.name.encode(), (value or "").encode())
        for duty, value in zip(duties, values, strict=True)
        if NONE not in duty.values
    )
    return HeaderDuty(found[0], headers, frozenset(duty.name.encode() for duty in duties), rule)


def _standings(site: Site, residual: Residual, thing: Thing) -> dict[str, tuple[int, ...]]:
    """Say of each rule that amends headers how it stands before the app has answered."""
    x = residual.head.but(phase=Phase.HEAD, headers=PENDING, page=Page(shows=PENDING))
    view = PageView(site.engine.tables, x) if thing is Thing.PAGE else ExchangeView(site.engine.tables, x)
    rules = [rule for rule in site.engine.rules[thing] if site.headers[rule.planned.rule.id] and _amends(rule)]
    return {rule.planned.rule.id: (rule.match(view), *(judge(view) for judge, _ in rule.ways)) for rule in rules}


def _amends(rule: CompiledRule) -> bool:
    amending = any(effect.action is Action.AMEND for effect in rule.planned.effects)
    return amending and rule.planned.rule.mode is Mode.ENFORCE


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
    return head.but(device=choices, signals=frozenset())


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
