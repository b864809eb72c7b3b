"""One HTTP exchange: from the head of the request to the end of the response, phase by phase."""

from __future__ import annotations

import asyncio
from typing import Final

from troth._types import ASGIApp, HeaderList, Message, Receive, Scope, Send
from troth.asgi import happenings, hints, inbound, outbound, pages, records, request_bodies, request_records, telling
from troth.asgi.bodies import Held, Watch, with_kept_headers
from troth.asgi.denial import answer, deny, policy_link, problem
from troth.asgi.guard import Guard
from troth.asgi.hints import EARLY_HINT
from troth.asgi.judging import Judging
from troth.asgi.request import JSON, Head
from troth.asgi.writes import Writes, writes_of
from troth.consent.device import ConsentTooLarge
from troth.engines.embedded.operators import is_protected
from troth.engines.embedded.views import ExchangeView
from troth.errors import LedgerError, TrailError, UnreadableBody
from troth.filters.cookies import Jar
from troth.model.binding import Limits
from troth.model.facts import Direction
from troth.model.findings import Denial
from troth.model.words import NONE, Carrier, Phase
from troth.runtime.line import encode

_NOT_ACCEPTED: Final = 400
_NO_BODY: Final = frozenset((204, 205, 304))
_UNREADABLE: Final = {"too-large": 413, "coding": 415, "kind": 415, "malformed": 400}
_FILES: Final = frozenset(("http.response.pathsend", "http.response.zerocopysend"))


class HttpExchange:
    """Carries one exchange through its phases. Settings live on the guard; what is here belongs to one request."""

    __slots__ = (
        "_app", "_buffer", "_closed", "_guard", "_guarded", "_head", "_headers", "_held_size", "_kind", "_line_due",
        "_page", "_receive", "_scope", "_send", "_start", "_streams", "_unsure", "_watch", "_writes", "choosing",
        "consent_cookies", "consent_headers", "jar", "judging",
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
        self._headers: HeaderList = jar.headers
        self._kind = ""
        self._buffer: list[Message] | None = None
        self._start: Message | None = None
        self._held_size = 0
        self._closed = self._line_due = self._streams = self._guarded = self._page = self._unsure = False
        self._watch: Watch | None = None
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
        if self._head.has_body:
            self._kind = request_bodies.kind_of(judging, self._head)
            self._unsure = not self._kind and request_bodies.may_be_json(self._head, self._scope)
            judging.x.body_pending = bool(self._kind) or self._unsure
        await inbound.people_before(judging, self._scope)
        self._writes = writes_of(judging, self._scope)
        late = judging.x.body_pending and (inbound.reads_body(judging) or judging.x.records_open)
        if judging.x.body_pending and inbound.waits_for_body(judging):
            judging.wait()
        else:
            judging.enter(None if late else self._head_fields)
        held = await self._request_body()
        if self._closed or held.gone:
            return
        if self._writes is not None:
            self._writes.read(None)
        if late:
            self._head_fields()
        await inbound.people_in_request(judging, self._scope)
        if self._watch is None or not judging.x.body_pending:
            self._request_complete()
        scope = self._scope
        if judging.settle_denial() is None:
            scope = inbound.forwarded(judging, scope, self.jar, self._headers, validated=self._head.validators)
        if judging.settle_denial() is not None:
            await self._deny()
            return
        await self._call(scope, held)

    def _head_fields(self) -> None:
        inbound.head_fields(self.judging, self._scope, self.jar.headers)

    async def _request_body(self) -> Held:
        """Hold the body where a rule reads it before the app may; else watch it pass, if it is to be tagged."""
        judging, held = self.judging, Held()
        if not self._head.has_body or judging.settle_denial() is not None:
            return held
        limits = _limits(judging)
        if not judging.x.body_pending:
            self._watch = Watch(0)
        elif self._must_hold():
            if not self._unsure or await self._is_json(held, limits):
                await held.fill(self._receive, limits.hold_request)
                if not held.gone:
                    await self._read_request(held, limits)
        elif self._unsure:
            self._not_read()
            self._watch = Watch(0)
        else:
            self._watch = Watch(limits.hold_request)
        return held

    async def _is_json(self, held: Held, limits: Limits) -> bool:
        """Whether a body of another type is to be read as JSON. If not it passes, but where records may hide in it."""
        judging = self.judging
        try:
            if await request_bodies.is_json(held, self._receive, self._head, limits.hold_request):
                self._kind = JSON
                return True
        except UnreadableBody as cause:
            await self._unreadable(cause.reason, held)
            return False
        if held.gone:
            return False
        if held.size and request_records.hides_records(judging):
            held.too_large = True
            await self._unreadable("kind", held)
            return False
        if held.size:
            judging.inspect["request"] = "kind"
        self._not_read()
        return False

    def _not_read(self) -> None:
        self.judging.x.body_pending = False
        self.judging.again()

    def _must_hold(self) -> bool:
        judging = self.judging
        if judging.head.residual.guards(Carrier(self._kind or JSON), Direction.REQUEST) or inbound.reads_body(judging):
            return True
        if self._writes is not None and self._writes.waits:
            return True
        table = judging.head.inbound
        return any(rule.restricts for raw, _ in self.jar.pieces for rule in table[raw].verdict.live)

    async def _read_request(self, held: Held, limits: Limits) -> None:
        judging = self.judging
        try:
            if held.too_large:
                raise UnreadableBody("too-large")  # noqa: TRY301 - one place answers for all reasons
            edited = await request_bodies.request_body(
                judging, self._scope, self._kind, held.body(), self._head, limits, self._writes
            )
        except UnreadableBody as cause:
            await self._unreadable(cause.reason, held)
            return
        if edited is not None:
            held.replace(edited)
            self._headers = inbound.resized(self._headers, len(edited))

    async def _unreadable(self, reason: str, held: Held) -> None:
        """Refuse what cannot be read; a protected route gets the request without that body."""
        judging = self.judging
        judging.inspect["request"] = reason
        judging.x.request_unreadable = True
        judging.x.body_pending = False
        if self._is_protected():
            held.replace(b"")
            self._headers = inbound.resized(self._headers, 0)
            return
        guards = inbound.guards_of(judging, self._kind or JSON, Direction.REQUEST)
        judging.reasons += guards
        findings = tuple(reason[0] for reason in guards)
        judging.denial = Denial(status=_UNREADABLE[reason], redirect=False, findings=findings)
        await self._deny(title=f"The request body cannot be read ({reason})")

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

    async def _call(self, scope: Scope, held: Held) -> None:
        self._scope = scope  # what middleware inside leaves there, such as a session, is for the hooks to see
        receive = self._receive
        if held.messages:
            receive = held.replay(receive)
        elif self._watch is not None:
            receive = self._watch.over(receive, self._let_go)
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
            await self._read_watched()
            self._request_complete()
        judging.x.status = message["status"]
        judging.x.phase = Phase.RESPONSE_START
        await inbound.people_after(judging, self._scope)
        self._start = message
        if self._holds(message):
            self._buffer = []
            self._streams = False
        else:
            await self._decide(None, [])

    async def _read_watched(self) -> None:
        """Tag the body that the app has read by now; one that it goes on reading is tagged at the end."""
        watch, judging = self._watch, self.judging
        if watch is not None and watch.complete:
            self._watch = None
            await request_bodies.watched(judging, self._kind, watch, self._head, _limits(judging))
        elif watch is not None and watch.begun:
            judging.inspect["request"] = "partial"

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
        if self._page:
            judging.shown = await pages.shown(judging, self._scope, start, read, limit)
            read = None
        elif read and judging.x.route is not None and judging.x.route.records is not None:
            people = judging.runtime.people[id(judging.site)]
            raw = b"".join(part.get("body", b"") for part in read)
            judging.records = await records.gather(judging, people, raw, start, limit)
        outgoing = outbound.judge(judging, start, read, limit, self.jar, self.consent_cookies, self._scope)
        if judging.denial is not None:
            await self._deny(title="The response could not be read" if outgoing.unreadable else None)
            return
        if not await self._record():
            await self._unrecorded()
            return
        happenings.accepted(judging, self._scope)
        if not self._write_line():
            await self._unwritten()
            return
        if self.consent_headers:
            outgoing.start = {**outgoing.start, "headers": [*outgoing.start["headers"], *self.consent_headers]}
        await self._pass(outgoing.start)
        for message in held if read is None else outgoing.body:
            await self._pass(message)

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
        happenings.denied(judging, self._scope)
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
        inbound.head_fields(judging, self._scope, self.jar.headers)
        self._request_complete()
        inbound.forwarded(judging, self._scope, self.jar, self._headers, validated=self._head.validators)
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
        await self._read_late()

    async def _read_late(self) -> None:
        """Tag a body that the app went on reading after its answer had begun."""
        watch, judging = self._watch, self.judging
        told = judging.inspect.get("request") == "partial"
        if watch is None or not self._kind or not watch.begun or (told and not watch.complete):
            return
        judging.forget()
        await request_bodies.watched(judging, self._kind, watch, self._head, _limits(judging))
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
