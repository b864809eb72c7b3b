"""A websocket: its handshake is judged as a request head, its frames pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from troth._types import ASGIApp, Message, Receive, Scope, Send
from troth.asgi import inbound, outbound
from troth.asgi.denial import refusal
from troth.errors import TrailError
from troth.model.words import Phase
from troth.runtime.line import encode, grouped, released

if TYPE_CHECKING:
    from troth.asgi.middleware import Guard


class WebSocketExchange:
    """One websocket connection."""

    __slots__ = ("_app", "_guard", "_receive", "_scope", "_send", "_written", "jar", "judging")

    def __init__(self, guard: Guard, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        self._guard = guard
        self._app = app
        self._scope = scope
        self._receive = receive
        self._send = send
        self._written = False
        root = scope.get("root_path", "")
        path = scope["path"]
        inner = path[len(root) :] if root and path.startswith(root) else path
        self.judging, _, self.jar = guard.facts({**scope, "method": "GET"}, inner)

    async def run(self) -> None:
        """Judge the handshake; deny it before it is accepted, or hand it on without what is withheld."""
        judging = self.judging
        await inbound.people_before(judging, self._scope)
        judging.enter()
        inbound.head_fields(judging, self._scope, self.jar.headers)
        judging.x.phase = Phase.REQUEST_BODY
        judging.judge_exchange(final=False)
        scope = self._scope
        if judging.settle_denial() is None:
            scope = inbound.forwarded(judging, scope, self.jar, self.jar.headers)
        if judging.settle_denial() is not None or not self._tell():
            await self._deny()
            return
        await self._app(scope, self._receive, self.send)

    async def send(self, message: Message) -> None:
        """Filter the cookies that an accepting message sets; everything else passes."""
        kind = message["type"]
        if kind in ("websocket.accept", "websocket.http.response.start") and message.get("headers"):
            headers = list(message["headers"])
            kept = outbound.filter_cookies(self.judging, headers, self.jar, [], self._scope)
            if not self._tell():
                await self._send({"type": "websocket.close", "code": 1011})
                return
            message = message if kept is headers else {**message, "headers": kept}
        await self._send(message)

    async def _deny(self) -> None:
        judging = self.judging
        if judging.denial is not None and "websocket.http.response" in self._scope.get("extensions", {}):
            status, headers, body = refusal(judging.denial, self._scope, self.jar.headers)
            await self._send({"type": "websocket.http.response.start", "status": status, "headers": headers})
            await self._send({"type": "websocket.http.response.body", "body": body})
        else:
            await self._send({"type": "websocket.close", "code": 1008})
        self._tell()

    def _tell(self) -> bool:
        """Write the line of what was found since the last one; False where it cannot be written."""
        judging = self.judging
        if not outbound.line_due(judging):
            return True
        judging.x.status = judging.denial.status if judging.denial else judging.x.status
        why = grouped(judging.reasons)
        members = released(judging.site, judging.x, why, judging.runtime.names, outbound.tag_entries(judging))
        members["kind"] = "websocket"
        outbound.consent_entry(judging, members)
        judging.reasons.clear()
        judging.tags.clear()
        try:
            judging.runtime.write_encoded(encode(members))
        except TrailError:
            return False
        return True
