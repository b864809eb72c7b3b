"""The express lane: an exchange about which its head has settled everything, carried out from prepared tables.

Most requests of a site are alike: a known route, no body, no query, cookies by the dozen. What the policy says of them
is worked out once per kind and then looked up (`lanes`, `outcomes`). As soon as anything is not as the lane knows it,
the exchange is judged in full (`HttpExchange`), and what the app has sent until then is judged there.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

from troth._types import HeaderList, Message, Receive, Scope, Send
from troth.asgi.ground import Codes
from troth.asgi.guard import Guard
from troth.asgi.hints import EARLY_HINT
from troth.asgi.http import HttpExchange
from troth.asgi.lanes import (
    COOKIE,
    ENCODING,
    HELD,
    HTML,
    LENGTH,
    PLAIN,
    SETS_COOKIES,
    SIGNAL,
    Entry,
    Lane,
    Lanes,
    host_of,
    is_own,
)
from troth.asgi.outcomes import Kind, work_out
from troth.asgi.request import hostname, inner_path, is_loopback
from troth.asgi.shapes import NO_FIELDS, Fields
from troth.asgi.verdicts import Told
from troth.asgi.visitors import Visitor, Visitors
from troth.errors import TrailError
from troth.filters.headers import decoded, readable_value

_KIND: Final = HELD
_NO_SIGNALS: Final[frozenset[str]] = frozenset()
_SECURE: Final = frozenset({"https", "wss"})

Header = tuple[bytes, bytes]


class Entrance:
    """Puts requests on their lanes; made once per guard."""

    def __init__(self, guard: Guard) -> None:
        self.lanes = Lanes(guard)
        self.open = guard.observer is None
        """Whoever watches wants every exchange judged in full."""
        self._guard = guard
        self._meanings = self.lanes.request
        self._visitors = Visitors(guard.runtime)
        self._seconds = guard.runtime.seconds
        self._only = self.lanes.sites[id(guard.runtime.first)] if len(guard.runtime.sites) == 1 else None

    def enter(self, scope: Scope, receive: Receive, send: Send) -> Express | None:  # noqa: C901 - one pass over the headers
        """Return the exchange of a request on its lane; None where it has to be judged in full."""
        headers = scope["headers"]
        if type(headers) is not list or scope.get("query_string") or not self.open:
            return None
        meanings = self._meanings
        cookie = coding = None
        signals = _NO_SIGNALS
        for pair in headers:
            kind = meanings[pair[0]]
            if not kind:
                continue
            if kind == COOKIE and cookie is None:
                cookie = pair
            elif kind == ENCODING and coding is None:
                coding = pair
            elif kind == SIGNAL:
                signals = signals | _signal(pair)
            elif kind != LENGTH or pair[1] != b"0":
                return None
        entry = self._entry(scope)
        if entry is None:
            return None
        seconds = self._seconds()
        value = b"" if cookie is None else cookie[1]
        visitor = self._visitors.of(value, entry.nobody, seconds) if value else entry.nobody
        lane = self._lane(scope, entry, visitor, signals, seconds)
        if lane is None:
            return None
        express = Express(lane, visitor, scope, receive, send)
        if cookie is None and not lane.reads:
            return express
        return express if express.filter(cookie, coding) else None

    def _entry(self, scope: Scope) -> Entry | None:
        """Return the entry of a request; None for a path of our own."""
        entries = self._only
        if entries is None:
            runtime = self._guard.runtime
            entries = self.lanes.sites[id(runtime.site_of(hostname(host_of(scope["headers"]))))]
        if not scope.get("root_path"):
            found = entries.exact.get((scope["method"], scope["path"]))
            if found is not None:
                return found
        path = inner_path(scope)
        return None if is_own(path) else entries.find(scope["method"], path)

    def _lane(
        self, scope: Scope, entry: Entry, visitor: Visitor, signals: frozenset[str], seconds: float
    ) -> Lane | None:
        """Return the lane of a request that may have one."""
        scheme = scope.get("scheme", "http")
        key: object = visitor.standing
        if scheme != "https" or signals or scope["method"] != entry.method:
            secure = scheme in _SECURE or is_loopback(hostname(host_of(scope["headers"])))
            key = (key, signals, scheme, secure, scope["method"])
        lane = entry.lanes.get(key)
        if lane is None or not lane.since <= seconds < lane.until:
            lane = self.lanes.make(entry, key, scope, visitor)
        return lane if type(lane) is Lane else None


def _signal(pair: tuple[bytes, bytes]) -> frozenset[str]:
    if pair[1] != b"1":
        return _NO_SIGNALS
    return frozenset({"gpc" if pair[0] == b"sec-gpc" else "dnt"})


class Express:
    """One exchange on its lane."""

    passing = False
    """The head of the response is out, by the lane: what follows passes."""
    _full: HttpExchange | None = None
    _cookie = b""
    _told: tuple[int, ...] = ()
    _held: list[Message] | None = None
    """What the app has sent of a response whose body has to be read first."""

    def __init__(self, lane: Lane, visitor: Visitor, scope: Scope, receive: Receive, send: Send) -> None:
        self._lane = lane
        self._visitor = visitor
        self._given = self.scope = scope
        self._receive = receive
        self._send = send

    # request ---------------------------------------------------------------------------------------------------

    def filter(self, cookie: Header | None, coding: Header | None) -> bool:
        """Take withheld cookies and codings out of the request; False where it has to be judged in full."""
        lane = self._lane
        asked: bytes | None = None
        if lane.reads:
            if self._given.get("extensions"):
                return False
            asked = None if coding is None else readable_value(coding[1])
        kept = None
        if cookie is not None and cookie[1]:
            found = lane.sort(cookie[1])
            if found is None:
                return False
            self._cookie = cookie[1]
            pieces, self._told = found
            if self._told and self._told[-1] >= Codes.DROP:
                kept = pieces
        if asked is None and kept is None:
            return True
        headers = list(self._given["headers"])
        if coding is not None and asked is not None:
            headers[headers.index(coding)] = (coding[0], asked)
        if cookie is not None and kept:
            headers[headers.index(cookie)] = (cookie[0], b"; ".join(kept))
        elif cookie is not None and kept is not None:
            headers.remove(cookie)
        self.scope = {**self._given, "headers": headers}
        return True

    # response --------------------------------------------------------------------------------------------------

    def send(self, message: Message) -> Awaitable[None]:
        """Take what the app sends."""
        if self.passing:
            return self._send(message)
        if message["type"] == "http.response.start" and self._full is None and self._held is None:
            lane = self._lane
            seen = lane.look(message)
            if seen == PLAIN and not self._told and message["status"] in lane.silent:
                self.passing = True
                return self._send(message)
            if seen & _KIND == HELD:
                self._held = [message]
                return _nothing()
            start = self._decided(message, seen, NO_FIELDS) if seen else None
            if start is not None:
                self.passing = True
                return self._send(start)
        return self._otherwise(message)

    def _decided(self, start: Message, seen: int, fields: Fields) -> Message | None:
        """Return the head of the response as it goes out, its line written; None to leave the lane."""
        lane = self._lane
        headers = start["headers"]
        changed: HeaderList = headers
        out: Told = ()
        depends = False
        if seen & SETS_COOKIES:
            filtered = lane.set_cookies.filter(headers, self._cookie)
            if filtered is None:
                return None
            changed, out, depends = filtered
        key = (start["status"], seen, self._told, out, depends, fields)
        outcome = lane.outcomes.get(key)
        if outcome is None:
            if key not in lane.outcomes:
                kind = Kind(
                    status=start["status"], page=seen & _KIND == HTML, cookies_in=self._told, cookies_out=out,
                    depends=depends, fields=fields,
                )  # fmt: skip
                outcome = work_out(lane, kind)
                lane.remember(key, outcome)
                if outcome is not None and kind.is_bare and not (outcome.line or outcome.added):
                    lane.silent.add(kind.status)
            if outcome is None:
                return None
        if outcome.line and not self._written(outcome.line):
            return None
        if outcome.added:
            changed = changed + outcome.added
        return start if changed is headers else {**start, "headers": changed}

    def _written(self, line: bytes) -> bool:
        lane = self._lane
        line += self._visitor.withheld if lane.head.refuses else self._visitor.told
        try:
            lane.guard.runtime.write_encoded(line)
        except TrailError:
            return False
        return True

    async def _otherwise(self, message: Message) -> None:
        """Take what is no plain head of a response: the body of one that is held, or something for the full judging."""
        held = self._held
        if self._full is None:
            kind = message["type"]
            if held is None and kind not in ("http.response.start", EARLY_HINT):
                await self._send(message)
                return
            whole = kind == "http.response.body" and not message.get("more_body", False)
            if held is not None and whole and await self._json(held[0], message):
                return
        await self._leave(message)

    async def _json(self, start: Message, message: Message) -> bool:
        """Read a JSON body that came in one piece, and send the response; False to leave the lane."""
        shapes = self._lane.shapes
        given = message.get("body", b"")
        read = shapes.read(given) if shapes is not None else None
        if read is None:
            return False
        body, fields = read
        decided = self._decided(start, self._lane.look(start), fields)
        if decided is None:
            return False
        self._held = None
        self.passing = True
        if body is not given:
            decided = {**decided, "headers": decoded(decided["headers"], len(body))}
            message = {"type": "http.response.body", "body": body, "more_body": False}
        await self._send(decided)
        await self._send(message)
        return True

    # leaving ---------------------------------------------------------------------------------------------------

    def full(self) -> HttpExchange:
        """Return this exchange judged in full, as if it had never taken the lane."""
        if self._full is None:
            guard = self._lane.guard
            judging, head, jar = guard.facts(self._given, inner_path(self._given))
            full = HttpExchange(guard, _running, self._given, self._receive, self._send, judging, head, jar)
            full.take_over(self.scope, answered=self.passing)
            self._full = full
        return self._full

    async def _leave(self, *messages: Message) -> None:
        """Hand what the app has sent so far to the full exchange."""
        full = self.full()
        held, self._held = self._held or [], None
        for message in (*held, *messages):
            await full.send(message)

    async def close(self, *, failed: bool) -> None:
        """End an exchange that the lane has not answered: the full one tells what there is to tell."""
        await self._leave()
        await self.full().after_app(failed=failed)


async def _nothing() -> None:
    """Send nothing yet."""


async def _running(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand in for an app that is running already."""
