"""The express lane: an exchange about which its head has settled everything, carried out from prepared tables.

Most requests of a site are alike: a known route, no body, no query, cookies by the dozen. What the policy says of them
follows from a few head facts, so it is worked out once per head (`Lane`) and then looked up. As soon as anything is not
as the lane knows it, the exchange is judged in full (`HttpExchange`): the lane never decides anything by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from troth._types import HeaderList, Message, Receive, Scope, Send
from troth.asgi import outbound, telling
from troth.asgi.bodies import read_body
from troth.asgi.http import HttpExchange
from troth.asgi.judging import Judging
from troth.asgi.request import Head as RequestHead
from troth.asgi.request import first_facts, hostname, inner_path, is_loopback
from troth.consent.device import COOKIE_NAME, ConsentReading
from troth.errors import TrailError, UnreadableBody
from troth.filters import caching
from troth.filters.cookies import Jar
from troth.filters.headers import decoded, readable_value
from troth.filters.probes import NOBODY
from troth.filters.set_cookie import name_of, within_budget
from troth.filters.splicing import Edit
from troth.model.binding import Route, Source
from troth.model.consent import NO_CHOICES
from troth.model.facts import Direction, Field
from troth.model.findings import Finding
from troth.model.words import UNDECLARED, Action, Carrier
from troth.runtime.heads import CookieEntry, Head, Settled
from troth.runtime.site import Site

if TYPE_CHECKING:
    from troth.asgi.middleware import Guard

_CONSENT_NAME: Final = COOKIE_NAME.encode()
_CONSENT: Final = _CONSENT_NAME + b"="
_MOST_LANES: Final = 1024
_MOST_OUTCOMES: Final = 64
"""Kept per lane; visitors of one kind on one route share one."""
_KEEP, _LOOK, _NOTE, _DROP, _FULL = 0, 1, 2, 4, 8
"""What happens to a cookie, as flags: stays; stays if its value holds nothing; is told; goes; is judged in full."""
_SECURE: Final = frozenset({"https", "wss"})
_NO_SIGNALS: Final[frozenset[str]] = frozenset()

# What a request header means to the lane; all others mean nothing, unless the policy calls them data.
_COOKIE, _HOST, _LENGTH, _ENCODING, _GPC, _DNT, _LEAVE = range(1, 8)
_REQUEST: Final = {
    b"cookie": _COOKIE,
    b"host": _HOST,
    b"content-length": _LENGTH,
    b"accept-encoding": _ENCODING,
    b"sec-gpc": _GPC,
    b"dnt": _DNT,
    b"transfer-encoding": _LEAVE,
    b"content-type": _LEAVE,  # over HTTP/2 a body needs no header but this one
    b"if-match": _LEAVE,
    b"if-none-match": _LEAVE,
    b"if-modified-since": _LEAVE,
    b"if-range": _LEAVE,
}
# What a response header means.
_TYPE, _BODY_LENGTH, _SET_COOKIE, _SPECIAL = range(1, 5)
_RESPONSE: Final = {
    b"content-type": _TYPE,
    b"content-length": _BODY_LENGTH,
    b"set-cookie": _SET_COOKIE,
    b"content-encoding": _SPECIAL,
    b"vary": _SPECIAL,
    b"cache-control": _SPECIAL,
    b"cdn-cache-control": _SPECIAL,
    b"surrogate-control": _SPECIAL,
    b"etag": _SPECIAL,
}
_HTML, _JSON, _PLAIN = range(3)


class _Kinds(dict[bytes, int]):
    """Header names to what they mean. Names in other case, and those that a site treats otherwise, are found once."""

    __slots__ = ("_meanings", "_other", "_others")

    def __init__(self, meanings: dict[bytes, int], others: Callable[[bytes], object], other: int) -> None:
        super().__init__()
        self._meanings = meanings
        self._others = others
        self._other = other

    def __missing__(self, name: bytes) -> int:
        lowered = name.lower()
        kind = self._meanings.get(lowered, 0)
        if not kind and self._others(lowered):
            kind = self._other
        if len(self) < 256 and len(name) <= 64:  # clients choose names
            self[name] = kind
        return kind


class _Codes(dict[bytes, int]):
    """Inbound cookie names to what happens to them. A bounded number is remembered."""

    __slots__ = ("_entries",)

    def __init__(self, entries: dict[bytes, CookieEntry]) -> None:
        super().__init__()
        self._entries = entries

    def __missing__(self, raw: bytes) -> int:
        # A name with white space around it was cut at the wrong place: let it be split with care.
        code = _FULL if raw != raw.strip() or not raw else _code(self._entries[raw])
        if len(self) < 512 and len(raw) <= 128:
            self[raw] = code
        return code


def _code(entry: CookieEntry) -> int:
    if entry.denies or entry.live:
        return _FULL
    if entry.drop:
        return _DROP
    return (_LOOK if entry.reads_value else _KEEP) | (_KEEP if entry.silent else _NOTE)


@dataclass(frozen=True, slots=True, eq=False)
class SetCookieVerdict:
    """What happens to a `Set-Cookie` header with these attributes, as long as its value holds nothing.

    `attributes` are those it goes out with; None: it does not go out. `findings` are told under `name`.
    """

    attributes: bytes | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What follows for a response of one kind: headers that are added, and the line's shared members (empty: none)."""

    added: tuple[tuple[bytes, bytes], ...]
    line: bytes


Told = tuple[bytes, SetCookieVerdict | None]
"""A `Set-Cookie` header of which something is told: its name, and the verdict unless its entry says it all."""


class Lane:
    """Everything that one head settles, ready to be carried out."""

    __slots__ = ("codes", "head", "outcomes", "route", "set_cookies", "site", "until")

    def __init__(self, site: Site, route: Route | None, head: Head, until: datetime) -> None:
        self.site = site
        self.route = route
        self.head = head
        self.until = until
        self.codes = _Codes(head.inbound)
        self.outcomes: dict[object, Outcome | None] = {}
        self.set_cookies: dict[tuple[bytes, bytes, bool], SetCookieVerdict] = {}


class Lanes:
    """Finds the lane of a request; made once per guard."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._lanes: dict[object, Lane | None] = {}
        self._kinds = {id(site): self._of_site(site) for site in guard.runtime.sites.values()}
        self._fit: dict[int, bool] = {}
        self.response = _Kinds(_RESPONSE, self._asked().__contains__, _SPECIAL)

    def _asked(self) -> frozenset[bytes]:
        """Return the response headers that some rule asks for."""
        sites = self._guard.runtime.sites.values()
        return frozenset(duty.name.encode() for site in sites for duties in site.headers.values() for duty in duties)

    @staticmethod
    def _of_site(site: Site) -> _Kinds:
        taggings = [site.unbound, *(site.tagging(route) for route in site.binding.routes)]
        return _Kinds(_REQUEST, lambda name: any(tagging.headers[name] for tagging in taggings), _LEAVE)

    def enter(self, scope: Scope, path: str, site: Site) -> Express | None:  # noqa: C901 - the way in: each test is one reason to leave
        """Return the express exchange of a request; None where it has to be judged in full."""
        if scope["query_string"] or type(scope["headers"]) is not list or self._guard.observer is not None:
            return None
        found = site.routes.match(scope["method"], path)
        route = None if found is None else found[0]
        if not self._is_fit(site, route):
            return None
        kinds = self._kinds[id(site)]
        cookie = host = encoding = b""
        at = coding_at = -1
        signals = _NO_SIGNALS
        for index, (name, value) in enumerate(scope["headers"]):
            kind = kinds[name]
            if not kind:
                continue
            if kind == _COOKIE:
                if at >= 0:
                    return None
                at, cookie = index, value
            elif kind == _HOST:
                host = host or value
            elif kind == _ENCODING:
                if coding_at >= 0:
                    return None
                coding_at, encoding = index, value
            elif kind == _LEAVE or (kind == _LENGTH and value != b"0"):
                return None
            elif value == b"1" and kind != _LENGTH:
                signals = signals | {"gpc" if kind == _GPC else "dnt"}
        secure = scope["scheme"] in _SECURE or is_loopback(hostname(host))
        reading = self._consent(cookie)
        lane = self._lane(site, route, scope, secure, signals, reading)
        if lane is None:
            return None
        express = Express(self._guard, lane, scope, reading)
        return express if express.filter(cookie, at, encoding, coding_at) else None

    def _is_fit(self, site: Site, route: Route | None) -> bool:
        """Whether a route's facts follow from the head alone: nothing of the path, of a body, of a person."""
        fit = self._fit.get(id(route))
        if fit is None:
            fit = self._fit[id(route)] = _fits(site, route)
        return fit

    def _consent(self, cookie: bytes) -> ConsentReading | None:
        at = cookie.find(_CONSENT)
        if at < 0:
            return None
        decoder = self._guard.runtime.decoder
        if cookie.find(_CONSENT, at + 1) >= 0 or cookie[at - 1 : at] not in (b"", b" "):
            values = Jar([(b"cookie", cookie)]).values(_CONSENT_NAME)
            return decoder.read(values) if values else None
        end = cookie.find(b";", at)
        return decoder.read_one(cookie[at + len(_CONSENT) : len(cookie) if end < 0 else end])

    def _lane(
        self, site: Site, route: Route | None, scope: Scope, secure: bool, signals: frozenset[str],
        reading: ConsentReading | None,
    ) -> Lane | None:  # fmt: skip
        now = self._guard.runtime.clock()
        choices = NO_CHOICES if reading is None else reading.choices
        standing, until = site.engine.standing(choices, now)
        key = (id(route), id(site), secure, signals, standing)
        known = key in self._lanes
        lane = self._lanes[key] if known else None
        if known and (lane is None or now < lane.until):
            return lane
        if len(self._lanes) >= _MOST_LANES:
            self._lanes.pop(next(iter(self._lanes)))
        lane = self._lanes[key] = self._made(site, route, scope, choices, now, until)
        return lane

    def _made(
        self, site: Site, route: Route | None, scope: Scope, choices: Any, now: datetime, until: datetime
    ) -> Lane | None:
        """Judge a request of this head without cookies; a lane if its head leaves nothing to find but cookies."""
        head = RequestHead(scope["headers"], scope)
        x = first_facts(self._guard.runtime, site, scope, head, now, None if route is None else (route, {}))
        x.device = choices
        judging = Judging(self._guard.runtime, site, x, {}, observed=False)
        judging.enter()
        judging.judge_exchange(final=False)
        settled = len(judging.open) == len(judging.head.residual.exchange.live)
        if judging.reasons or not settled or not judging.head.quiet:
            return None
        return Lane(site, route, judging.head, until)


def _fits(site: Site, route: Route | None) -> bool:
    binding = site.binding
    if binding.credentials or binding.actor.before or binding.actor.after or isinstance(binding.region, Source):
        return False
    if route is None:
        return True
    read = (route.purpose, route.party, route.topic)
    if route.subject is not None or route.records or route.request_records or any(isinstance(s, Source) for s in read):
        return False
    names = site.tagging(route).names
    return not any(part.startswith("{") and names.of(part[1:-1]) for part in route.path.split("/"))


class Express:
    """One exchange on its lane."""

    __slots__ = (
        "_answered", "_buffer", "_consent", "_cookie", "_dropped", "_full", "_given", "_guard", "_lane", "_noted",
        "_send", "_start", "receive", "scope",
    )  # fmt: skip

    def __init__(self, guard: Guard, lane: Lane, scope: Scope, reading: ConsentReading | None) -> None:
        self._guard = guard
        self._lane = lane
        self._given = scope
        self.scope = scope
        self._consent = reading
        self._cookie = b""
        self._dropped: Any = ()
        self._noted: tuple[bytes, ...] = ()
        self._full: HttpExchange | None = None
        self._answered = False
        """The lane has sent the head of the response itself."""
        self._buffer: list[Message] | None = None
        self._start: Message | None = None

    # request ---------------------------------------------------------------------------------------------------

    def filter(self, cookie: bytes, at: int, encoding: bytes, coding_at: int) -> bool:
        """Take withheld cookies out of the request; False where one of them has to be judged in full."""
        self._cookie = cookie
        kept = self._sort(cookie) if cookie else None
        if cookie and kept is None:
            return False
        asked = readable_value(encoding) if coding_at >= 0 and self._lane.head.reads_responses else None
        if not self._dropped and asked is None:
            return self._keeps_extensions()
        changed: HeaderList = list(self._given["headers"])
        if asked is not None:
            changed[coding_at] = (changed[coding_at][0], asked)
        if self._dropped:
            if kept:
                changed[at] = (changed[at][0], b"; ".join(kept))
            else:
                del changed[at]
        self.scope = {**self._given, "headers": changed}
        return self._keeps_extensions()

    def _sort(self, cookie: bytes) -> list[bytes] | None:
        """Return the cookies of a plain header that stay; None for an odd header or one to be judged in full."""
        pieces = cookie.split(b"; ")
        if cookie.count(b";") >= len(pieces):
            return None
        table, values = self._lane.codes, self._lane.site.values
        parts = [piece.partition(b"=") for piece in pieces]
        codes = [table[name] if equals else _FULL for name, equals, _ in parts]
        most = max(codes)
        if most >= _FULL:
            return None
        kept = pieces
        if most >= _DROP:
            kept = [piece for piece, code in zip(pieces, codes, strict=True) if code < _DROP]
            dropped = [part[0] for part, code in zip(parts, codes, strict=True) if code >= _DROP]
            names = frozenset(dropped)
            self._dropped = names if len(names) == len(dropped) else tuple(sorted(dropped))
        quiet = values.quiet_all(kept)
        if not quiet or _NOTE in codes or _NOTE | _LOOK in codes:
            for part, piece, code in zip(parts, pieces, codes, strict=True):
                if code & _NOTE:
                    self._noted = (*self._noted, part[0])
                if code & _LOOK and not quiet and not values.quiet(piece):
                    return None
        return kept

    def _keeps_extensions(self) -> bool:
        return not (self._given.get("extensions") and self._lane.head.reads_responses)

    async def run(self, app: Any, receive: Receive, send: Send) -> None:
        """Serve the request; whatever the lane does not know is handed to the full exchange."""
        self._send = send
        self.receive = receive
        try:
            await app(self.scope, receive, self.send)
        except BaseException:
            if not self._answered:
                await self.full().after_app(failed=True)
            raise
        if self._buffer is not None:
            await self._leave(release=True)
        elif not self._answered:
            await self.full().after_app(failed=False)

    # leaving ---------------------------------------------------------------------------------------------------

    def full(self) -> HttpExchange:
        """Return this exchange judged in full, as if it had never taken the lane."""
        if self._full is None:
            judging, head, jar = self._guard.facts(self._given, inner_path(self._given))
            full = HttpExchange(self._guard, _running, self._given, self.receive, self._send, judging, head, jar)
            full.take_over(self.scope)
            self._full = full
        return self._full

    async def _leave(self, *, release: bool = False) -> None:
        """Hand what the app has sent so far to the full exchange."""
        full = self.full()
        start, buffer = self._start, self._buffer or []
        self._start = self._buffer = None
        if start is not None:
            await full.send(start)
        for message in buffer:
            await full.send(message)
        if release:
            await full.after_app(failed=False)

    # response --------------------------------------------------------------------------------------------------

    async def send(self, message: Message) -> None:
        """Take what the app sends."""
        if self._full is not None:
            await self._full.send(message)
            return
        kind = message["type"]
        if kind == "http.response.start":
            await self._on_start(message)
        elif self._buffer is None:
            await self._send(message)
        elif kind == "http.response.body" and not self._buffer and not message.get("more_body", False):
            self._buffer.append(message)
            await self._on_json(message.get("body", b""))
        else:
            self._buffer.append(message)
            await self._leave()

    async def _on_start(self, message: Message) -> None:
        self._start = message
        headers = message.get("headers")
        status = message["status"]
        if type(headers) is not list or status < 200 or status in (204, 205, 304) or self._given["method"] == "HEAD":
            await self._leave()
            return
        kinds = self._guard.lanes.response
        content, length, cookies, special = _PLAIN, False, False, False
        for name, value in headers:
            kind = kinds[name]
            if not kind:
                continue
            if kind == _TYPE:
                content = _content(value)
            elif kind == _BODY_LENGTH:
                length = True
            elif kind == _SET_COOKIE:
                cookies = True
            else:
                special = True
        if special or not length:
            await self._leave()
        elif content == _JSON:
            self._buffer = []
        else:
            await self._settle(message, headers, content == _HTML, cookies)

    async def _settle(self, start: Message, headers: HeaderList, page: bool, cookies: bool) -> None:
        """Send the head of a response whose body needs no reading; its line first."""
        changed = self._headers(start["status"], headers, page, cookies, _NO_FIELDS)
        if changed is None:
            await self._leave()
            return
        self._start = None
        self._answered = True
        await self._send(start if changed is headers else {**start, "headers": changed})

    def _written(self, line: bytes) -> bool:
        reading = self._consent
        if reading is not None and reading.device is not None:
            line += telling.consent_members(reading, refuses=self._lane.head.refuses)
        try:
            self._guard.runtime.write_encoded(line)
        except TrailError:
            return False
        return True

    def _headers(
        self, status: int, headers: HeaderList, page: bool, cookies: bool, fields: _Fields
    ) -> HeaderList | None:
        """Return the headers to send, the line written; None to leave the lane."""
        out: list[Told] = []
        changed, depends = headers, fields.depends
        if cookies:
            kept = self._set_cookies(headers, out)
            if kept is None:
                return None
            changed, varies = kept
            depends = depends or varies
        lane = self._lane
        key = (
            status, page, depends, self._dropped, self._noted, tuple(out), tuple(fields.tags.items()),
            self._given["method"], self._given["scheme"],
        )  # fmt: skip
        if key in lane.outcomes:
            outcome = lane.outcomes[key]
        else:
            outcome = self._outcome(status, page, depends, out, fields)
            if len(lane.outcomes) >= _MOST_OUTCOMES:
                lane.outcomes.pop(next(iter(lane.outcomes)))
            lane.outcomes[key] = outcome
        if outcome is None or (outcome.line and not self._written(outcome.line)):
            return None
        return [*changed, *outcome.added] if outcome.added else changed

    def _outcome(self, status: int, page: bool, depends: bool, out: list[Told], fields: _Fields) -> Outcome | None:
        """Work out what follows for a response of this kind; None if that cannot be said beforehand."""
        head = self._lane.head
        settled = [head.closing(status, frozenset(fields.seen)), *([head.page()] if page else [])]
        if any(one.live for one in settled) or not all(one.quiet for one in settled):
            return None
        added = self._expiring()
        depends = depends or bool(added)
        if page:
            policy, varies = head.content_policy(head.residual.head)
            depends = depends or varies
            added += [] if policy is None else [(b"content-security-policy", policy)]
        added += [pair for one in settled for pair in _duties(one)]
        if depends:
            private = caching.made_private(caching.varied([pair for pair in added if pair[0] != b"set-cookie"]))
            added = [pair for pair in added if pair[0] == b"set-cookie"] + private
        return Outcome(tuple(added), self._told(status, settled, out, fields))

    def _expiring(self) -> HeaderList:
        """Return the headers that expire the refused cookies which came in."""
        if not self._lane.head.refuses:
            return []
        table, secure = self._lane.head.inbound, self._given["scheme"] == "https"
        values = [value for name in sorted({*self._dropped}) for value in table[name].expiries[secure]]
        return [(b"set-cookie", value) for value in within_budget(values)[0]]

    def _set_cookies(self, headers: HeaderList, out: list[Told]) -> tuple[HeaderList, bool] | None:
        """Judge the `Set-Cookie` headers; None if one has to be judged in full. `out` gets those that are told."""
        table, values = self._lane.head.outbound, self._lane.site.values
        kinds = self._guard.lanes.response
        kept: HeaderList = []
        depends = changed = False
        for pair in headers:
            if kinds[pair[0]] != _SET_COOKIE:
                kept.append(pair)
                continue
            name = name_of(pair[1])
            entry = table[name]
            depends = depends or entry.depends
            code = _code(entry)
            if code == _DROP:
                out.append((name, None))
                changed = True
                continue
            if entry.denies or (entry.reads_value and not values.quiet(pair[1].partition(b";")[0])):
                return None
            if code == _FULL:
                verdict = self._by_attributes(name, pair[1])
                if verdict is None:
                    return None
                if verdict.findings:
                    out.append((name, verdict))
                changed = _carry_out(verdict, pair, kept) or changed
                continue
            if code & _NOTE:
                out.append((name, None))
            kept.append(pair)
        return (kept if changed else headers), depends

    def _by_attributes(self, name: bytes, value: bytes) -> SetCookieVerdict | None:
        """Judge a `Set-Cookie` header by its attributes; None where they speak of a date."""
        pair, _, attributes = value.partition(b";")
        lane = self._lane
        came_in = b"; " + name + b"=" in b"; " + self._cookie
        key = (name, attributes, came_in)
        found = lane.set_cookies.get(key)
        if found is None:
            if b"expires" in attributes.lower() or not name:
                return None
            jar = Jar([(b"cookie", name + b"=")] if came_in else [])
            found = self._judged(value, len(pair), jar)
            if len(lane.set_cookies) < _MOST_OUTCOMES:
                lane.set_cookies[key] = found
        return found

    def _judged(self, value: bytes, start: int, jar: Jar) -> SetCookieVerdict:
        judging = self._fresh()
        kept = outbound.set_cookie_header(judging, value, jar, self._given)
        findings = tuple(finding for finding, _, _ in judging.reasons)
        return SetCookieVerdict(None if kept is None else kept[start:], findings)

    def _fresh(self) -> Judging:
        """Return an exchange of this head about which nothing has been found yet."""
        lane = self._lane
        judging = Judging(self._guard.runtime, lane.site, lane.head.residual.head, {}, observed=False)
        judging.head = lane.head
        return judging

    def _told(self, status: int, settled: list[Settled], out: list[Told], fields: _Fields) -> bytes:
        """Return the members of a line that all exchanges like this one share; empty if none is due."""
        head = self._lane.head
        judging = self._fresh()
        judging.x = head.residual.head.but(status=status, method=self._given["method"])
        judging.cookies_in = [head.inbound[name] for name in (*self._dropped, *self._noted)]
        for name, verdict in out:
            entry = head.outbound[name]
            if verdict is None:
                judging.cookies_out.append(entry)
            else:
                judging.found(verdict.findings, entry.name if entry.declared else None, Direction.RESPONSE)
        judging.closing, judging.page = settled[0], settled[1] if len(settled) > 1 else None
        judging.duties = tuple(duty for one in settled for duty in one.duties)
        judging.tags = fields.tags
        for category, carrier, _ in fields.tags:
            judging.found(head.residual.field(category, Carrier(carrier), Direction.RESPONSE).findings, category)
        return telling.shared_line(judging) if telling.line_due(judging) else b""

    # JSON ------------------------------------------------------------------------------------------------------

    async def _on_json(self, body: bytes) -> None:
        """Read a JSON body that came in one piece; its fields by the verdicts of the head."""
        start, buffer = self._start, self._buffer or []
        if start is None:
            return
        given: HeaderList = start["headers"]
        fields = self._read(body)
        headers = None
        if fields is not None:
            cookies = any(self._guard.lanes.response[name] == _SET_COOKIE for name, _ in given)
            headers = self._headers(start["status"], given, False, cookies, fields)
        if fields is None or headers is None:
            await self._leave()
            return
        self._buffer = self._start = None
        self._answered = True
        if fields.edited is not None:
            headers = decoded(headers, len(fields.edited))
            buffer = [{"type": "http.response.body", "body": fields.edited, "more_body": False}]
        await self._send(start if headers is given else {**start, "headers": headers})
        for message in buffer:
            await self._send(message)

    def _read(self, body: bytes) -> _Fields | None:
        """Find the fields of a body and what happens to them; None to leave the lane."""
        lane = self._lane
        limits = (lane.route.limits if lane.route else None) or lane.site.binding.limits
        tagging = lane.site.tagging(lane.route)
        try:
            read = read_body(
                "json", body, b"", b"", limits.hold_response, tagging, lane.head.residual.head.now.date(), NOBODY,
                Direction.RESPONSE,
            )  # fmt: skip
        except UnreadableBody:
            return None
        edits: dict[object, Edit] = {}
        found = _Fields()
        for field, n, key in read.fields:
            verdict = lane.head.residual.field(field.category, field.carrier, field.direction)
            if verdict.live or field.category == UNDECLARED:
                return None
            for finding in verdict.findings:
                if finding.action in _EDITS and not finding.dry:
                    edits.setdefault(key, _EDITS[finding.action])
                elif finding.action is Action.DENY:
                    return None
            found.add(field, n, depends=lane.head.field_depends(field.category, field.carrier))
        if edits:
            found.edited = read.edit(edits)
        return found


_EDITS: Final = {Action.WITHHOLD: Edit.REMOVE, Action.MASK: Edit.MASK}


class _Fields:
    """What a JSON body holds: where which categories stand, how often, and the body without what had to go."""

    __slots__ = ("depends", "edited", "seen", "tags")

    def __init__(self) -> None:
        self.seen: set[tuple[str, Carrier, Direction]] = set()
        self.tags: dict[tuple[str, str, str], int] = {}
        self.edited: bytes | None = None
        self.depends = False

    def add(self, field: Field, n: int, *, depends: bool) -> None:
        """Count a field."""
        self.seen.add((field.category, field.carrier, field.direction))
        key = (field.category, field.carrier.value, field.name)
        self.tags[key] = self.tags.get(key, 0) + n
        self.depends = self.depends or depends


_NO_FIELDS: Final = _Fields()


async def _running(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand in for an app that is running already."""


def _duties(settled: Settled) -> HeaderList:
    return [pair for duty in settled.duties for pair in duty.headers]


def _carry_out(verdict: SetCookieVerdict, pair: tuple[bytes, bytes], kept: HeaderList) -> bool:
    """Add a cookie with the attributes that it goes out with; whether that changed anything."""
    value, _, attributes = pair[1].partition(b";")
    if verdict.attributes is None:
        return True
    changed = verdict.attributes != (b";" + attributes if b";" in pair[1] else b"")
    kept.append((pair[0], value + verdict.attributes) if changed else pair)
    return changed


def _content(value: bytes) -> int:
    kind = value.partition(b";")[0].strip().lower()
    if kind == b"text/html":
        return _HTML
    return _JSON if kind == b"application/json" or kind.endswith(b"+json") else _PLAIN
