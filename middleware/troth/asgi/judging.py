"""One exchange being judged on the wire: its facts so far, what was found, which rules still wait."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from troth.consent.device import ConsentReading
from troth.engines.embedded import CompiledRule
from troth.engines.embedded.views import CookieView, ExchangeView, FieldView, PageView, View
from troth.filters.probes import NOBODY, Known
from troth.model.facts import Cookie, Direction, Exchange, Field
from troth.model.findings import Denial, Finding
from troth.model.words import UNDECLARED, Action, Carrier, Phase, Thing
from troth.runtime.heads import CookieEntry, Head, head_of
from troth.runtime.line import Reason
from troth.runtime.runtime import Runtime
from troth.runtime.site import Site

Observer = Callable[[Exchange, tuple[Finding, ...], Denial | None], None]
"""Is given each exchange as it was judged: for the case runner and tests, which hold it against the reference."""
_TAKES_AWAY = (Action.WITHHOLD, Action.DENY)


class Edits:
    """What has to go from the head of the request before the app sees it: query names, places in the header list."""

    __slots__ = ("headers", "query")

    def __init__(self) -> None:
        self.query: set[str] = set()
        self.headers: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self.query or self.headers)


class Judging:
    """Facts, findings and open rules of one exchange. Filters report things here and are told what to do."""

    __slots__ = (
        "changed", "consent", "denial", "depends", "edits", "head", "inspect", "known", "observed", "open", "params",
        "reasons", "runtime", "site", "tags", "x",
    )  # fmt: skip

    def __init__(self, runtime: Runtime, site: Site, x: Exchange, params: Mapping[str, str], *, observed: bool) -> None:
        self.runtime = runtime
        self.site = site
        self.x = x
        self.params = params
        self.reasons: list[Reason] = []
        self.denial: Denial | None = None
        self.tags: dict[tuple[str, str, str], int] = {}
        self.inspect: dict[str, str] = {}
        self.known: Known = NOBODY
        self.open: list[CompiledRule] = []
        self.consent: ConsentReading | None = None
        self.edits = Edits()
        self.depends = False
        """An outbound edit happened, or would have under another consent."""
        self.changed = False
        """A consent was recorded in this exchange."""
        self.observed = observed
        """Somebody watches: every thing is noted, also those about which nothing was found."""

    def enter(self) -> None:
        """Take the residual of the head: what it settles about the exchange, and what stays open."""
        self.head: Head = head_of(self.site, self.x)
        verdict = self.head.residual.exchange
        self.open = list(verdict.live)
        if verdict.findings:
            self._found(verdict.findings, None)

    def again(self) -> None:
        """Look the residual up again after head facts changed; open rules stay open."""
        self.head = head_of(self.site, self.x)

    # exchange and page

    def judge_exchange(self, *, final: bool) -> None:
        """Judge the rules on the exchange that still wait for facts."""
        if not self.open:
            return
        view = ExchangeView(self.site.engine.tables, self.x)
        waiting = []
        for rule in self.open:
            settled, outcome = rule.judge(view, final=final)
            if not settled:
                waiting.append(rule)
            elif outcome is not None:
                reported = self.site.engine.report(rule, outcome, None, view)
                if reported is None and not final:
                    waiting.append(rule)
                else:
                    self._found(reported or (), None)
        self.open = waiting

    def judge_page(self) -> None:
        """Judge the rules on the page, once its head is known."""
        rules = self.site.engine.rules[Thing.PAGE]
        if rules:
            view = PageView(self.site.engine.tables, self.x, self.x.page)
            self._found(self.site.engine.settle(rules, view), None)

    def waits_restricting(self) -> bool:
        """Whether a rule that may deny still waits for facts."""
        return any(rule.restricts for rule in self.open)

    # cookies

    def cookie(self, entry: CookieEntry, cookie: Cookie | None) -> tuple[Finding, ...]:
        """Report one cookie; returns what was found. `cookie` has the facts that live rules read."""
        found = entry.verdict.findings
        if cookie is not None and entry.verdict.live:
            view = CookieView(self.site.engine.tables, self.x, cookie)
            found = (*found, *self.site.engine.settle(entry.verdict.live, view))
        if self.observed:
            direction = cookie.direction if cookie else Direction.REQUEST
            kept = cookie or Cookie(name=entry.name, direction=direction, row=entry.row)
            found = self._numbered(found, len(self.x.cookies))
            self.x.cookies = (*self.x.cookies, kept)
        if found:
            self._found(found, entry.name if entry.declared else None)
        return found

    # fields

    def field(self, field: Field, n: int = 1) -> tuple[Finding, ...]:
        """Report a field (all that stand at one place); returns what was found."""
        index = len(self.x.fields)
        self.x.fields = (*self.x.fields, field)
        verdict = self.head.residual.field(field.category, field.carrier, field.direction)
        found = verdict.findings
        if verdict.live:
            view: View = FieldView(self.site.engine.tables, self.x, field)
            found = (*found, *self.site.engine.settle(verdict.live, view))
        if field.category != UNDECLARED and field.carrier is not Carrier.TRAIL:
            key = (field.category, field.carrier.value, field.name)
            self.tags[key] = self.tags.get(key, 0) + n
        if found:
            found = self._numbered(found, index)
            self._found(found, field.category if field.category != UNDECLARED else None)
        return found

    # outcome

    def _numbered(self, found: Iterable[Finding], item: int) -> tuple[Finding, ...]:
        return tuple(replace(finding, item=item) for finding in found)

    def _found(self, found: Iterable[Finding], name: str | None) -> None:
        for finding in found:
            self.reasons.append((finding, name))

    def settle_denial(self) -> Denial | None:
        """Return the denial that follows from what was found so far."""
        if self.denial is None and self.reasons:
            self.denial = self.site.engine.denial([finding for finding, _ in self.reasons], self.x)
        return self.denial

    def observe(self, observer: Observer) -> None:
        """Hand the judged exchange to an observer."""
        self.x.phase = Phase.END
        observer(self.x, tuple(finding for finding, _ in self.reasons), self.denial)


def takes_away(found: Iterable[Finding]) -> bool:
    """Whether some finding that is not dry removes the thing."""
    return any(finding.action in _TAKES_AWAY and not finding.dry for finding in found)


def masks(found: Iterable[Finding]) -> bool:
    """Whether some finding that is not dry masks the thing."""
    return any(finding.action is Action.MASK and not finding.dry for finding in found)
