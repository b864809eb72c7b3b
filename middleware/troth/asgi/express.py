"""The express lane: an exchange about which its head has settled everything, carried out from prepared tables.

Most requests of a site are alike: a known route, no body, no query, cookies by the dozen. What the policy says of them
is worked out once per kind and then looked up (`lanes`, `outcomes`). As soon as anything is not as the lane knows it,
the exchange is judged in full (`HttpExchange`), and what the app has sent until then is judged there.
"""

from __future__ import annotations

from collections.abc import Awaitable

from troth._types import HeaderList, Message, Receive, Scope, Send
from troth.asgi.ground import Codes
from troth.asgi.hints import EARLY_HINT
from troth.asgi.http import HttpExchange
from troth.asgi.kinds import HELD, HTML, KIND, PLAIN, SETS_COOKIES
from troth.asgi.lanes import Lane
from troth.asgi.outcomes import Kind, work_out
from troth.asgi.request import inner_path
from troth.asgi.shapes import NO_FIELDS, Fields
from troth.asgi.verdicts import Told
from troth.asgi.visitors import Visitor
from troth.errors import TrailError
from troth.filters.headers import decoded, readable_value

Header = tuple[bytes, bytes]


class Express:
    """One exchange on its lane."""

    __slots__ = (
        "_cookie", "_full", "_given", "_held", "_lane", "_receive", "_send", "_told", "_visitor", "passing", "scope",
    )  # fmt: skip

    def __init__(self, lane: Lane, visitor: Visitor, scope: Scope, receive: Receive, send: Send) -> None:
        self._lane = lane
        self._visitor = visitor
        self._given = self.scope = scope
        self._receive = receive
        self._send = send
        self.passing = False
        """The head of the response is out, by the lane: what follows passes."""
        self._full: HttpExchange | None = None
        self._cookie = b""
        self._told: tuple[int, ...] = ()
        self._held: list[Message] | None = None
        """What the app has sent of a response whose body has to be read first."""

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

    def send_plain(self, message: Message) -> Awaitable[None]:
        """Take what the app sends."""
        if self.passing:
            return self._send(message)
        if message["type"] == "http.response.start" and self._full is None and self._held is None:
            lane = self._lane
            seen = lane.look(message)
            if seen == PLAIN and not self._told and message["status"] in lane.silent:
                self.passing = True
                return self._send(message)
            if seen & KIND == HELD:
                self._held = [message]
                return nothing()
            start = self._decided(message, seen, NO_FIELDS) if seen else None
            if start is not None:
                self.passing = True
                return self._send(start)
        return self._otherwise(message)

    send = send_plain
    """The same; compiled, where that was built (`compiled`)."""

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
                    status=start["status"], page=seen & KIND == HTML, cookies_in=self._told, cookies_out=out,
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
        line += self._visitor.withheld if lane.refuses else self._visitor.told
        try:
            lane.write(line)
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


async def nothing() -> None:
    """Send nothing yet."""


async def send_both(send: Send, start: Message, body: Message) -> None:
    """Send the head of a response and its body."""
    await send(start)
    await send(body)


async def _running(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand in for an app that is running already."""
