"""A websocket: its handshake is judged as a request head, its frames pass."""

from __future__ import annotations

from typing import Any, Final

from troth._types import ASGIApp, Message, Receive, Scope, Send
from troth.asgi import happenings, inbound, outbound, telling
from troth.asgi.bodies import with_kept_headers
from troth.asgi.denial import denial_page
from troth.asgi.guard import Guard
from troth.asgi.request import JSON, body_kind, inner_path
from troth.errors import TrailError
from troth.model.words import PROTECTED_TAGS, Phase
from troth.runtime.line import encode, grouped, released

_REFUSED: Final = 1008
_FAILED: Final = 1011
_ANSWERS: Final = frozenset(("websocket.accept", "websocket.http.response.start"))
_PART: Final = "websocket.http.response.body"


class WebSocketExchange:
    """One websocket connection. Its line is written before the first message goes out."""

    __slots__ = ("_app", "_buffer", "_closed", "_guard", "_receive", "_scope", "_send", "_start", "jar", "judging")

    def __init__(self, guard: Guard, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        self._guard = guard
        self._app = app
        self._scope = scope
        self._receive = receive
        self._send = send
        self._closed = False
        self._start: Message | None = None
        self._buffer: list[Message] | None = None
        self.judging, _, self.jar = guard.facts({**scope, "method": "GET"}, inner_path(scope))

    def _head_fields(self) -> None:
        inbound.whole_head(self.judging, self._scope, self.jar.headers)

    async def run(self) -> None:
        """Judge the handshake; deny it before it is accepted, or hand it on without what is withheld."""
        judging = self.judging
        await inbound.people_before(judging, self._scope)
        judging.enter(self._head_fields)
        await inbound.people_in_request(judging, self._scope)
        judging.x.phase = Phase.REQUEST_BODY
        judging.judge_exchange(final=False)
        scope = self._scope
        if judging.settle_denial() is None:
            scope = inbound.forwarded(judging, scope, self.jar, self.jar.headers)
        if judging.settle_denial() is not None:
            await self._deny()
            return
        try:
            await self._app(scope, self._receive, self.send)
        finally:
            self._tell()

    async def send(self, message: Message) -> None:
        """Judge the answer to the handshake, and filter the cookies that it sets; everything else passes."""
        kind = message["type"]
        if self._start is None and kind in _ANSWERS:
            await self._on_answer(message)
        elif self._buffer is not None and kind == _PART:
            await self._on_part(message)
        elif not self._closed:
            if self._start is None and not self._tell():
                message = self._cut()
            await self._send(message)

    async def _on_answer(self, message: Message) -> None:
        judging = self.judging
        self._start = message = with_kept_headers(message)
        judging.x.status = message.get("status", 101)
        judging.x.phase = Phase.RESPONSE_START
        await inbound.people_after(judging, self._scope)
        refusing = message["type"] != "websocket.accept"
        if refusing and judging.head.reads_responses and body_kind(outbound.content_type(message)) == JSON:
            self._buffer = []
        else:
            await self._decide(message, None)

    async def _on_part(self, message: Message) -> None:
        held = self._buffer or []
        held.append(message)
        if self._start is not None and not message.get("more_body", False):
            self._buffer = None
            await self._decide(self._start, held)
        else:
            self._buffer = held

    async def _decide(self, start: Message, held: list[Message] | None) -> None:
        judging = self.judging
        limit = judging.site.binding.limits.hold_response
        outgoing = outbound.judge(judging, start, held, limit, self.jar, [], self._scope)
        if judging.denial is not None:
            await self._deny()
            return
        if not self._tell():
            await self._send(self._cut())
            return
        for message in (outgoing.start, *outgoing.body):
            await self._send(message)

    async def _deny(self) -> None:
        judging, denial = self.judging, self.judging.denial
        if denial is None:
            return
        judging.x.status = denial.status
        await happenings.denied(judging, self._scope)
        told, self._closed = self._tell(), True
        if "websocket.http.response" in (self._scope.get("extensions") or {}) and told:
            scope = {"method": "GET", **self._scope}
            status, headers, body = await denial_page(denial, scope, self.jar.headers, judging.runtime.denied)
            await self._send({"type": "websocket.http.response.start", "status": status, "headers": headers})
            await self._send({"type": _PART, "body": body})
        else:
            await self._send({"type": "websocket.close", "code": _REFUSED if told else _FAILED})

    def _cut(self) -> Message:
        """Nothing more goes out; returns the message that says so."""
        self._closed = True
        return {"type": "websocket.close", "code": _FAILED}

    def _tell(self) -> bool:
        """Write the line of what was found since the last one; False where it is due and cannot be written."""
        judging = self.judging
        if not telling.line_due(judging):
            return True
        if judging.denial is not None:
            judging.x.status = judging.denial.status
        members = self._members()
        judging.forget()
        judging.inspect.clear()
        try:
            judging.runtime.write_encoded(encode(members))
        except TrailError:
            route = judging.x.route
            return route is not None and not PROTECTED_TAGS.isdisjoint(route.tags)
        return True

    def _members(self) -> dict[str, Any]:
        judging = self.judging
        why = grouped(judging.all_reasons())
        members = released(judging.site, judging.x, why, judging.runtime.names, telling.tag_entries(judging))
        members["kind"] = "websocket"
        if judging.inspect:
            members["inspect"] = judging.inspect
        telling.consent_entry(judging, members)
        return members | judging.happened
