"""One HTTP exchange: from the head of the request to the end of the response, phase by phase."""

from __future__ import annotations

import asyncio
from typing import Final

from troth._types import ASGIApp, HeaderList, Message, Receive, Scope, Send
from troth.asgi import deadlines, happenings, hints, inbound, large, outbound, pages, records, telling
from troth.asgi.bodies import with_kept_headers
from troth.asgi.denial import answer, deny, policy_link, problem
from troth.asgi.guard import Guard
from troth.asgi.hints import EARLY_HINT
from troth.asgi.incoming import Incoming
from troth.asgi.judging import Judging
from troth.asgi.request import Head
from troth.asgi.writes import Writes, writes_of
from troth.consent.device import ConsentTooLarge
from troth.engines.embedded.duties import is_protected
from troth.engines.embedded.views import ExchangeView
from troth.errors import LedgerError, TrailError
from troth.filters.cookies import Jar
from troth.filters.slices import LARGE
from troth.model.binding import Limits
from troth.model.words import NONE, Phase
from troth.runtime.line import encode

_NOT_ACCEPTED: Final = 400
_NO_BODY: Final = frozenset((204, 205, 304))
_FILES: Final = frozenset(("http.response.pathsend", "http.response.zerocopysend"))


class HttpExchange:
    """Carries one exchange through its phases. Settings live on the guard; what is here belongs to one request."""

    __slots__ = (
        "_app", "_buffer", "_closed", "_gathers", "_guard", "_guarded", "_head", "_held_size", "_incoming", "_line_due",
        "_page", "_receive", "_scope", "_send", "_start", "_streams", "_writes", "choosing", "consent_cookies",
        "consent_headers", "jar", "judging",
    )  # fmt: skip

    def __init__(
        self, guard: Guard, app: ASGIApp, scope: Scope, receive: Receive, send: Send, judging: Judging, head: Head,
        jar: Jar,
    ) -> None:  # fmt: skip
        self._guard = guard
        self._app = app
        self._scope = scope
        self._receive = receive
        self._send = send
        self.judging = judging
        self._head = head
        self.jar = jar
        self._incoming: Incoming | None = None
        self._buffer: list[Message] | None = None
        self._start: Message | None = None
        self._held_size = 0
        self._closed = self._line_due = self._streams = self._guarded = self._page = self._gathers = False
        self._writes: Writes | None = None
        self.consent_cookies: list[bytes] = []
        """`Set-Cookie` values that a choice made through the API brings."""
        self.consent_headers: HeaderList = []
        """What else such a choice brings."""
        self.choosing: asyncio.Lock | None = None
        """Held while such a choice is made: each starts from what the one before left."""

    # request ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Judge the request, call the app, carry out what was decided on its response."""
        judging = self.judging
        incoming = self._incoming = self._body_to_come()
        await inbound.people_before(judging, self._scope)
        self._writes = writes_of(judging, self._scope)
        late = self._enter()
        if incoming is not None and judging.settle_denial() is None:
            await incoming.take(self._writes, _limits(judging))
            if incoming.refusal is not None:
                await self._deny(title=incoming.refusal)
            if self._closed or incoming.held.gone:
                return
        if self._writes is not None:
            self._writes.read(None)
        if late:
            self._head_fields()
        await inbound.people_in_request(judging, self._scope)
        if incoming is None or not incoming.passes or not judging.x.body_pending:
            self._request_complete()
        scope = self._scope
        if judging.settle_denial() is None:
            headers = self.jar.headers if incoming is None else incoming.headers
            scope = inbound.forwarded(judging, scope, self.jar, headers, validated=self._head.validators)
        if judging.settle_denial() is not None:
            await self._deny()
            return
        await self._call(scope)

    def _enter(self) -> bool:
        """Judge the head. True where its fields wait for the body, which must know the ages that they state."""
        judging = self.judging
        late = judging.x.body_pending and self._fields_wait()
        if judging.x.body_pending and inbound.waits_for_body(judging):
            judging.wait()
        else:
            judging.enter(None if late else self._whole_head)
        if late:
            inbound.head_ages(judging, self._scope)
        return late

    def _fields_wait(self) -> bool:
        """Whether fields of the head are judged with the body: it says whose they are, or how old somebody is."""
        judging = self.judging
        if inbound.reads_body(judging) or judging.x.records_open:
            return True
        return inbound.waits_for_age(judging, self._scope, self.jar.headers)

    def _body_to_come(self) -> Incoming | None:
        head = self._head
        return Incoming(self.judging, self._scope, self._receive, head, self.jar) if head.has_body else None

    def _whole_head(self) -> None:
        inbound.whole_head(self.judging, self._scope, self.jar.headers)

    def _head_fields(self) -> None:
        inbound.head_fields(self.judging, self._scope, self.jar.headers)

    def _request_complete(self) -> None:
        judging = self.judging
        if judging.x.body_pending:
            judging.x.body_pending = False
            judging.again()
        judging.x.phase = Phase.REQUEST_BODY
        judging.judge_exchange(final=False)

    @property
    def has_answered(self) -> bool:
        """Whether the head of the response is on its way: no further cookie can go with it."""
        return self._closed or (self._start is not None and self._buffer is None)

    async def _call(self, scope: Scope) -> None:
        self._scope = scope  # what middleware inside leaves there, such as a session, is for the hooks to see
        receive = self._receive if self._incoming is None else self._incoming.receiver(self._let_go)
        try:
            await self._app(scope, receive, self.send)
        except BaseException:
            await self.after_app(failed=True)
            raise
        await self.after_app(failed=False)

    # response --------------------------------------------------------------------------------------------------

    async def send(self, message: Message) -> None:
        """Take what the app sends. Start and body may be held; everything else passes."""
        kind = message["type"]
        if kind == "http.response.start":
            await self._on_start(message)
        elif kind == "http.response.body":
            await self._on_body(message)
        elif kind in _FILES:
            if self._buffer is not None:
                await self._release()
            await self._onward(message)
        elif kind == EARLY_HINT and self._start is None:
            await self._pass(hints.filtered(self.judging, message))
        else:
            await self._pass(message)

    async def _pass(self, message: Message) -> None:
        if not self._closed:
            await self._send(message)

    async def _on_start(self, message: Message) -> None:
        judging = self.judging
        message = with_kept_headers(message)
        if judging.x.body_pending:
            if self._incoming is not None:
                await self._incoming.read_watched(_limits(judging))
            self._request_complete()
        judging.x.status = message["status"]
        judging.x.phase = Phase.RESPONSE_START
        await inbound.people_after(judging, self._scope)
        self._start = message
        if self._holds(message):
            self._buffer = []
            self._gathers = not self._page and large.is_fit(judging, message)
            self._streams = False
        else:
            await self._decide(None, [])

    def _holds(self, message: Message) -> bool:
        """Whether the body must be complete before its first byte goes out."""
        judging = self.judging
        self._streams = outbound.length_of(message) is None
        if self._scope["method"] == "HEAD" or message["status"] in _NO_BODY or message["status"] < 200:
            self._streams = False
            return False
        kind = outbound.content_type(message)
        if pages.is_page(kind):
            waiting = pages.waiting(judging, message)
            self._page = bool(waiting)
            self._guarded = any(rule.restricts for rule in waiting)
            return self._page
        if not outbound.is_read(judging, message):
            return False
        self._guarded = judging.head.reads_responses or judging.waits_restricting()
        if self._guarded:
            return True
        tagged = judging.x.purpose != NONE or bool(judging.x.route and judging.x.route.fields)
        if tagged and self._streams:
            judging.inspect["response"] = "streamed"
        return tagged and not self._streams

    async def _on_body(self, message: Message) -> None:
        if self._buffer is None:
            await self._onward(message)
            return
        self._buffer.append(message)
        self._held_size += len(message.get("body", b""))
        if self._gathers and self._held_size > LARGE:
            large.gather(self._buffer)
        if not message.get("more_body", False) or self._held_size > _limits(self.judging).hold_response:
            await self._release()

    async def _onward(self, message: Message) -> None:
        """Pass a part of a body that is not held; before the last part of a stream its line is closed."""
        if self._streams and self._line_due and not self._closed and not message.get("more_body", False):
            self._outcome("complete")
        await self._pass(message)

    async def _let_go(self) -> None:
        """The app waits for more of the request: what is held for tagging alone must not keep the client waiting."""
        if self._buffer is not None and not self._guarded:
            self.judging.inspect["response"] = "partial"
            held, self._buffer = self._buffer, None
            self._streams = True
            await self._decide(None, held)

    async def _release(self) -> None:
        held, self._buffer = self._buffer or [], None
        self._streams = bool(held) and held[-1].get("more_body", False)
        await self._decide(held, held)

    async def _decide(self, read: list[Message] | None, held: list[Message]) -> None:
        """Judge what is known of the response, write the line, send what is left of it. `read`: the whole body."""
        judging, start = self.judging, self._start
        if start is None:
            return
        limit = _limits(judging).hold_response
        if read and not self._page:
            await self._look(start, read, limit)
        elif self._page:
            judging.shown = await pages.shown(judging, self._scope, start, read, limit)
            read = None
        outgoing = outbound.judge(judging, start, read, limit, self.jar, self.consent_cookies, self._scope)
        if judging.denial is not None:
            await self._deny(title="The response could not be read" if outgoing.unreadable else None)
            return
        await large.cut(judging, outgoing)
        if not await self._record():
            await self._unrecorded()
            return
        await happenings.answered(judging, self._scope)
        if not await deadlines.keep(judging):
            await self._unrecorded()
            return
        if not self._write_line():
            await self._unwritten()
            return
        if self.consent_headers:
            outgoing.start = {**outgoing.start, "headers": [*outgoing.start["headers"], *self.consent_headers]}
        await self._pass(outgoing.start)
        await self._send_body(held if read is None else outgoing.body)

    async def _send_body(self, body: list[Message]) -> None:
        await large.send_on(self.judging.sliced, body, self._pass)

    async def _look(self, start: Message, read: list[Message], limit: int) -> None:
        """Look at a held body as far as that takes others to ask, or more time than one turn of the loop."""
        judging = self.judging
        if judging.x.route is not None and judging.x.route.records is not None:
            people = judging.runtime.people[id(judging.site)]
            raw = b"".join(part.get("body", b"") for part in read)
            judging.records = await records.gather(judging, people, raw, start, limit)
        else:
            judging.sliced = await large.tagged(judging, read, start, limit)

    async def _record(self) -> bool:
        """Write what the route records, if the app has accepted it. False where that could not be written."""
        status = self.judging.x.status or 0
        if self._writes is None or status >= _NOT_ACCEPTED:
            return True
        if self.choosing is None:
            self.choosing = asyncio.Lock()
        async with self.choosing:
            try:
                headers = await self._writes.commit(secure=self._scope.get("scheme") == "https")
            except (LedgerError, ConsentTooLarge, TrailError):
                return False
        self.consent_headers = [*(pair for pair in self.consent_headers if pair not in headers), *headers]
        return True

    # endings ---------------------------------------------------------------------------------------------------

    async def _deny(self, *, title: str | None = None) -> None:
        judging, denial = self.judging, self.judging.denial
        if denial is None:
            return
        app_status, judging.x.status = judging.x.status, denial.status
        await happenings.denied(judging, self._scope)
        if not self._write_line(app_status=app_status):
            await self._unwritten()
            return
        if not self._closed:
            self._closed = True
            await deny(denial, self._scope, self.jar.headers, self._send, hook=judging.runtime.denied, title=title)

    def _problem(self, status: int, title: str) -> tuple[int, HeaderList, bytes]:
        headers, body = problem(status, title=title, headers=self.jar.headers, link=policy_link(self._scope))
        return status, headers, body

    async def _answer(self, status: int, headers: HeaderList, body: bytes) -> None:
        """Answer in the app's place; what the app still sends goes nowhere."""
        if not self._closed:
            self._closed = True
            await answer(self._send, status, headers, body, head_only=self._scope["method"] == "HEAD")

    async def _unwritten(self) -> None:
        """The trail cannot take the line: nothing that it would have told may go out."""
        await self._answer(*self._problem(503, "The audit trail cannot be written"))

    async def _unrecorded(self) -> None:
        """What the app has accepted could not be recorded: nobody is told that it was."""
        app_status, self.judging.x.status = self.judging.x.status, 503
        self._write_line(app_status=app_status)
        await self._answer(*self._problem(503, "What was chosen could not be recorded"))

    def _write_line(self, *, app_status: int | None = None) -> bool:
        """Write the line if one is due. False where it is due and cannot be written."""
        judging = self.judging
        if self._guard.observer is not None:
            judging.observe(self._guard.observer)
        self._line_due = telling.line_due(judging)
        if not self._line_due:
            return True
        line = telling.line(judging)
        if app_status is not None:
            line += b',"app_status":%d' % app_status
        if self._writes is not None and self._writes.told is not None:
            line += b',"writes":"%b"' % self._writes.told.encode()
        if judging.happened:
            line += b"," + encode(judging.happened)
        try:
            judging.runtime.write_encoded(line)
        except TrailError:
            return self._is_protected()
        return True

    def _is_protected(self) -> bool:
        return is_protected(ExchangeView(self.judging.site.engine.tables, self.judging.x))

    def _outcome(self, how: str) -> None:
        """Say how a stream that had a line ended."""
        self._line_due = False
        route = self.judging.x.route
        members = {"kind": "exchange", "stage": "outcome", "route": route.key if route else None, "outcome": how}
        try:
            self.judging.runtime.write_encoded(encode(members))
        except TrailError:
            self._closed = not self._is_protected()

    def take_over(self, scope: Scope, *, answered: bool) -> None:
        """Judge the request of an exchange that the app is serving already; `scope` is the one that it was given.

        `answered`: the response has begun, and is no longer this one's to judge.
        """
        self._closed = answered
        judging = self.judging
        judging.enter()
        self._whole_head()
        self._request_complete()
        inbound.forwarded(judging, self._scope, self.jar, self.jar.headers, validated=self._head.validators)
        self._scope = scope

    def full(self) -> HttpExchange:
        """Return the exchange judged in full: this one."""
        return self

    async def after_app(self, *, failed: bool) -> None:
        """Release what is still held when the app is done; tell how a stream ended, and what was read late."""
        if not self._closed:
            if self._buffer is not None and not failed:
                await self._release()
            elif self._start is None or self._buffer is not None:
                self._tell_more("failed")
            if self._line_due and self._streams and not self._closed:
                self._outcome("aborted")
        if self._incoming is not None and await self._incoming.read_late(_limits(self.judging)):
            self._tell_more("read late")

    def _tell_more(self, outcome: str) -> None:
        """Write what no line has told, if that is something: the app gave no answer, or read on after it."""
        if not telling.line_due(self.judging):
            return
        members = telling.members(self.judging) | {"stage": "outcome", "outcome": outcome}
        try:
            self.judging.runtime.write_encoded(encode(members))
        except TrailError:
            self._closed = True


def _limits(judging: Judging) -> Limits:
    route = judging.x.route
    return (route.limits if route is not None else None) or judging.site.binding.limits
