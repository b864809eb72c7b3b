"""One exchange being judged on the wire: its facts so far, what was found, which rules still wait."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from troth._types import HeaderList
from troth.asgi.bodies import FieldFound, Sliced
from troth.consent.device import ConsentReading
from troth.engines.embedded import CompiledRule
from troth.engines.embedded.views import CookieView, ExchangeView, FieldView, PageView, View
from troth.filters.probes import NOBODY, Known
from troth.model.facts import PENDING, Cookie, Direction, Exchange, Field, Missing, Page
from troth.model.findings import Denial, Finding
from troth.model.words import UNDECLARED, Action, Carrier, Phase, Thing
from troth.runtime.heads import CookieEntry, Head, HeaderDuty, Settled, head_of
from troth.runtime.line import Reason
from troth.runtime.runtime import Runtime
from troth.runtime.site import Site

Observer = Callable[[Exchange, tuple[Finding, ...], Denial | None], None]
"""Is given each exchange as it was judged: for the case runner and tests, which hold it against the reference."""
_TAKES_AWAY = (Action.WITHHOLD, Action.DENY)


class Edits:
    """What has to go from the head of the request before the app sees it: query names, places in the header list.

    `masked` are places in the header list with the value that takes the place of what stood there.
    """

    __slots__ = ("headers", "masked", "query")

    def __init__(self) -> None:
        self.query: set[str] = set()
        self.headers: set[int] = set()
        self.masked: dict[int, bytes] = {}

    def __bool__(self) -> bool:
        return bool(self.query or self.headers or self.masked)


class Records(Protocol):
    """Records of a body that are judged each by its own subject (`asgi.records`)."""

    def judge(self, fields: Iterable[FieldFound], /) -> bytes | None:
        """Judge them, and the `fields` that stand in none; returns the body without what has to go, None if all stays.

        Raises UnreadableBody where they cannot be read.
        """
        ...


class Sent:
    """Response headers as rules ask for them; looked at when one does."""

    __slots__ = ("_headers", "_names")

    def __init__(self, headers: HeaderList) -> None:
        self._headers = headers
        self._names: frozenset[bytes] | None = None

    def names(self) -> frozenset[bytes]:
        """Return the names, in lower case."""
        if self._names is None:
            self._names = frozenset([name.lower() for name, _ in self._headers])
        return self._names

    def by_name(self) -> Mapping[str, tuple[str, ...]]:
        """Return the values by lower-case name; those of `Set-Cookie` are not among them."""
        noted: dict[str, tuple[str, ...]] = {}
        for name, value in self._headers:
            key = name.decode("latin-1").lower()
            if key != "set-cookie":
                noted[key] = (*noted.get(key, ()), value.decode("latin-1"))
        return noted


class Judging:
    """Facts, findings and open rules of one exchange. Filters report things here and are told what to do.

    What a head has settled for everybody is not copied into `reasons`: cookies stand in `cookies_in` and `cookies_out`
    as entries of the head's tables, header duties in `duties`, the rest in `closing`.
    """

    __slots__ = (
        "_by_fields", "_may_deny", "changed", "closing", "consent", "cookies_in", "cookies_out", "denial",
        "depends", "duties", "edits", "fields", "happened", "head", "inspect", "known", "observed", "open", "page",
        "params", "reasons", "records", "runtime", "seen", "shown", "site", "sliced", "tags", "x",
    )  # fmt: skip

    def __init__(self, runtime: Runtime, site: Site, x: Exchange, params: Mapping[str, str], *, observed: bool) -> None:
        self.runtime = runtime
        self.site = site
        self.x = x
        self.params = params
        self.reasons: list[Reason] = []
        self.cookies_in: list[CookieEntry] = []
        self.cookies_out: list[CookieEntry] = []
        self.duties: tuple[HeaderDuty, ...] = ()
        self.closing: Settled | None = None
        self.page: Settled | None = None
        self.denial: Denial | None = None
        self.fields: list[Field] = []
        self.seen: set[tuple[str, Carrier, Direction]] = set()
        self.tags: dict[tuple[str, str, str], int] = {}
        self.inspect: dict[str, str] = {}
        self.known: Known = NOBODY
        self.open: list[CompiledRule] = []
        self.consent: ConsentReading | None = None
        self.edits = Edits()
        self.depends = False
        """An outbound edit happened, or would have under another consent."""
        self.records: Records | None = None
        """The records of the response, where the route binds some."""
        self.shown: frozenset[str] | Missing = PENDING
        """The marks that the page shows, where it was read."""
        self.sliced: Sliced | None = None
        """A large response that was read a slice at a time."""
        self.changed = False
        """A consent was recorded in this exchange."""
        self.happened: dict[str, str] = {}
        """What the line says of events: the one that the route is, the client of a denial that rules speak of."""
        self.observed = observed
        """Somebody watches: every thing is noted, also those about which nothing was found."""
        self._may_deny = False
        self._by_fields = False
        """Fields of the head had a part in what was found about the exchange, or no head could know it."""

    def enter(self, report: Callable[[], None] | None = None) -> None:
        """Take the residual of the head: what it settles about the exchange, and what stays open.

        `report` reports the fields of the head. Where there are any, the exchange is judged with them, and not by what
        is remembered of heads without.
        """
        self.head: Head = head_of(self.site, self.x)
        if report is not None:
            report()
        if self.fields:
            self._by_fields = True
            self.open = self._judge(self.site.engine.rules[Thing.EXCHANGE], final=False)
            return
        verdict = self.head.residual.exchange
        self.open = list(verdict.live)
        if verdict.findings:
            self.found(verdict.findings, None)

    def wait(self) -> None:
        """Take the head, and leave the whole exchange open: the body says what it is for, or who takes part."""
        self.again()
        self._open_all()

    def signed_in(self) -> None:
        """Judge the exchange anew: what was found of it held of nobody, and by now somebody has signed in."""
        self.again()
        self.reasons = [reason for reason in self.reasons if reason[0].thing is not Thing.EXCHANGE]
        self._open_all()

    def _open_all(self) -> None:
        self._by_fields = True
        self.open = list(self.site.engine.rules[Thing.EXCHANGE])

    def again(self) -> None:
        """Look the residual up again after head facts changed; open rules stay open."""
        self.head = head_of(self.site, self.x)

    # exchange and page

    def judge_exchange(self, *, final: bool) -> None:
        """Judge the rules on the exchange that still wait for facts."""
        if self.open:
            self.open = self._judge(self.open, final=final)

    def _judge(self, rules: Iterable[CompiledRule], *, final: bool) -> list[CompiledRule]:
        self.x.fields = tuple(self.fields)
        view = ExchangeView(self.site.engine.tables, self.x)
        waiting = []
        for rule in rules:
            settled, outcome = rule.judge(view, final=final)
            if not settled:
                waiting.append(rule)
            elif outcome is not None:
                reported = self.site.engine.report(rule, outcome, None, view)
                if reported is None and not final:
                    waiting.append(rule)
                else:
                    self.found(reported or (), None)
        return waiting

    def close_exchange(self, sent: Sent) -> None:
        """Judge what is left of the exchange when its bodies are read: by memory where the head allows it."""
        rules: Sequence[CompiledRule] = self.open
        if not rules:
            return
        if self._by_fields:
            self.x.headers = sent.by_name()
            self.open = self._judge(rules, final=True)
            return
        waiting = self.head.residual.exchange.live
        if tuple(rules) == waiting and self.head.quiet and not self.x.records and not self.x.response_unreadable:
            self.closing = self.head.closing(self.x.status or 0, frozenset(self.seen))
            rules = self._take(self.closing, sent)
        self.open = []
        if rules:
            self.x.headers = sent.by_name()
            self._judge(rules, final=True)

    def close_page(self, sent: Sent) -> None:
        """Judge the rules on the page: header duties by the names that were sent, others by everything."""
        self.page = self.head.page()
        live = self._take(self.page, sent)
        if live:
            self.x.headers = sent.by_name()
            view = PageView(self.site.engine.tables, self.x, self.x.page)
            self.found(self.site.engine.settle(live, view), None)

    def waiting_for_marks(self, sent: Sent) -> list[CompiledRule]:
        """Return the rules on the page that only its marks can settle."""
        head, x = self.head, self.x
        if not head.reads_pages:
            return []
        x.page, x.headers = Page(shows=PENDING), sent.by_name()
        view = PageView(self.site.engine.tables, x, x.page)
        rules = [rule for rule in head.page().live if rule.planned.rule.id in self.site.mark_rules]
        return [rule for rule in rules if not rule.judge(view, final=False)[0]]

    def _take(self, settled: Settled, sent: Sent) -> list[CompiledRule]:
        """Take over what is settled; returns the rules that have to look at the headers."""
        self._note(settled.findings)
        live = list(settled.live)
        for duty in settled.duties:
            if not duty.names.isdisjoint(sent.names()):
                live.append(duty.rule)
            elif duty.headers:
                self.duties = (*self.duties, duty)
        return live

    def waits_restricting(self) -> bool:
        """Whether a rule that may deny still waits for facts."""
        return any(rule.restricts for rule in self.open)

    # cookies

    def cookie(self, entry: CookieEntry, cookie: Cookie) -> tuple[Finding, ...]:
        """Judge one cookie by all its facts; returns what was found."""
        view = CookieView(self.site.engine.tables, self.x, cookie)
        found = (*entry.verdict.findings, *self.site.engine.settle(entry.verdict.live, view))
        if self.observed:
            found = self._numbered(found, len(self.x.cookies))
            self.x.cookies = (*self.x.cookies, cookie)
        if found:
            self.found(found, entry.name if entry.declared else None, cookie.direction)
        return found

    # fields

    def field(self, field: Field, n: int = 1) -> tuple[Finding, ...]:
        """Report a field (all `n` values that stand at one place; 0: asked for, not there); returns what was found."""
        index = len(self.fields)
        self.fields.append(field)
        self.seen.add((field.category, field.carrier, field.direction))
        verdict = self.head.residual.field(field.category, field.carrier, field.direction)
        found = verdict.findings
        if verdict.live:
            view: View = FieldView(self.site.engine.tables, self.x, field)
            found = (*found, *self.site.engine.settle(verdict.live, view))
        if n and field.category != UNDECLARED and field.carrier is not Carrier.TRAIL:
            key = (field.category, field.carrier.value, field.name)
            self.tags[key] = self.tags.get(key, 0) + n
        if found:
            found = self._numbered(found, index)
            self.found(found, field.category if field.category != UNDECLARED else None)
        return found

    def field_of_record(self, field: Field, n: int) -> tuple[Finding, ...]:
        """Report a field that stands in a record: judged by the record's own subject, which no head knows."""
        index = len(self.fields)
        self.fields.append(field)
        engine = self.site.engine
        found = tuple(engine.settle(engine.rules[Thing.FIELD], FieldView(engine.tables, self.x, field), index))
        if field.category != UNDECLARED:
            key = (field.category, field.carrier.value, field.name)
            self.tags[key] = self.tags.get(key, 0) + n
        self.found(found, field.category if field.category != UNDECLARED else None)
        return found

    def field_sent_on(self, field: Field) -> tuple[Finding, ...]:
        """Report a field that a redirect sends to another site: judged by that site's party, which no head knows."""
        self.seen.add((field.category, field.carrier, field.direction))
        return self.field_of_record(field, 1)

    # outcome

    def _numbered(self, found: Iterable[Finding], item: int) -> tuple[Finding, ...]:
        return tuple(replace(finding, item=item) for finding in found)

    def found(self, found: Iterable[Finding], name: str | None, direction: Direction | None = None) -> None:
        """Keep findings as reasons of this exchange, under the declared `name` of what they are about."""
        found = tuple(found)
        self._note(found)
        self.reasons += [(finding, name, direction) for finding in found]

    def _note(self, found: Iterable[Finding]) -> None:
        self._may_deny = self._may_deny or any(_can_deny(finding) for finding in found)

    def settle_denial(self) -> Denial | None:
        """Return the denial that follows from what was found so far."""
        if self.denial is None and self._may_deny:
            self.denial = self.site.engine.denial([finding for finding, _, _ in self.all_reasons()], self.x)
        return self.denial

    def anything(self) -> bool:
        """Whether anything was found at all."""
        closing = self.closing is not None and self.closing.findings
        page = self.page is not None and self.page.findings
        return bool(self.reasons or self.cookies_in or self.cookies_out or self.duties or closing or page)

    def all_reasons(self) -> list[Reason]:
        """Return every finding with its name and direction, those that the head settled included."""
        reasons: list[Reason] = []
        for entries, direction in ((self.cookies_in, Direction.REQUEST), (self.cookies_out, Direction.RESPONSE)):
            for entry in entries:
                name = entry.name if entry.declared else None
                reasons += [(finding, name, direction) for finding in entry.findings]
        for verdict in (self.closing, self.page):
            reasons += [(finding, None, None) for finding in verdict.findings] if verdict is not None else []
        return [*reasons, *((duty.finding, None, None) for duty in self.duties), *self.reasons]

    def forget(self) -> None:
        """Forget what was told: a further line of the same exchange tells only what is new."""
        self.reasons, self.cookies_in, self.cookies_out = [], [], []
        self.closing, self.page, self.duties = None, None, ()
        self.tags, self.inspect, self.happened = {}, {}, {}

    def observe(self, observer: Observer) -> None:
        """Hand the judged exchange to an observer."""
        self.x.phase = Phase.END
        self.x.fields = tuple(self.fields)
        observer(self.x, tuple(finding for finding, _, _ in self.all_reasons()), self.denial)


def _can_deny(finding: Finding) -> bool:
    """Whether a finding may refuse the whole exchange; the engine says whether it does."""
    return finding.refuses and (finding.action is Action.DENY or finding.thing in (Thing.EXCHANGE, Thing.RECORD))


def denying(finding: Finding) -> Finding:
    """Return the denial in place of a withhold that cannot be made: a path cannot go on without one of its parts."""
    return Finding(finding.rule, finding.thing, finding.item, Action.DENY, finding.dry, finding.status, finding.clauses)


def takes_away(found: Iterable[Finding]) -> bool:
    """Whether some finding that is not dry removes the thing."""
    return any(finding.action in _TAKES_AWAY and not finding.dry for finding in found)


def masks(found: Iterable[Finding]) -> bool:
    """Whether some finding that is not dry masks the thing."""
    return any(finding.action is Action.MASK and not finding.dry for finding in found)
