"""The stage on which a case is played: an app that answers as told, hooks that tell what is given, a client.

Hooks are callables of this module, which bindings of cases name in place of the app's; whom they speak for stands in a
context variable, so that stages do not disturb each other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeVar
from urllib.parse import unquote

from troth._types import ASGIApp, Message, Receive, Scope, Send
from troth.cases.values import Answer, Asker, Given, Headers, Request
from troth.model.binding import ActorHooks, Binding, Route, Source
from troth.model.facts import Exchange
from troth.model.findings import Denial, Finding

_NO_LENGTH: Final = frozenset((204, 304))
T = TypeVar("T")
_HERE: Final = "troth.cases.stage"


class HookFailed(Exception):
    """What a hook of a case raises where it is given as unreadable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the app saw of a request: method, raw path and query, headers and body as bytes."""

    method: str
    path: bytes
    query: bytes
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An exchange as the middleware judged it."""

    exchange: Exchange
    findings: tuple[Finding, ...]
    denial: Denial | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What arrived at the client."""

    status: int
    headers: Headers
    body: bytes


class Stage:
    """What is on while one request is played. Set `now`, `given` and `answer`; read `seen` and `judged`."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.given = Given()
        self.answer: Answer | None = Answer()
        self.seen: Seen | None = None
        self.judged: Judged | None = None

    def clock(self) -> datetime:
        """Return the instant at which the case plays."""
        return self.now

    def observe(self, exchange: Exchange, findings: tuple[Finding, ...], denial: Denial | None) -> None:
        """Keep what the middleware judged."""
        self.judged = Judged(exchange=replace(exchange), findings=findings, denial=denial)

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note what is seen, and answer as told."""
        if scope["type"] != "http":
            return
        body = await _body(receive)
        self.seen = Seen(
            method=scope["method"], path=scope["raw_path"], query=scope["query_string"],
            headers=tuple(scope["headers"]), body=body,
        )  # fmt: skip
        answer = self.answer or Answer()
        if answer.raises:
            raise HookFailed
        content = answer.body.content if answer.body is not None else b""
        await send({"type": "http.response.start", "status": answer.status, "headers": list(answered(answer))})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content})

    async def asking(self, answer: Awaitable[T]) -> T:
        """Await something that asks the hooks of this stage."""
        token = _CURRENT.set(self)
        try:
            return await answer
        finally:
            _CURRENT.reset(token)

    async def play(self, guarded: ASGIApp, request: Request) -> Response | None:
        """Send a request through the middleware and return what comes back; None where nothing does."""
        self.seen = self.judged = None
        messages: list[Message] = []

        async def send(message: Message) -> None:
            messages.append(message)

        token = _CURRENT.set(self)
        try:
            await guarded(scope_of(request), _receiving(request.body.content if request.body else b""), send)
        except HookFailed:
            pass
        finally:
            _CURRENT.reset(token)
        return _response(messages)


_CURRENT: ContextVar[Stage] = ContextVar("stage")

# the client ------------------------------------------------------------------------------------------------------


def sent_headers(request: Request) -> Headers:
    """Return all headers of a request in the order in which they are sent."""
    named = {name for name, _ in request.headers}
    headers: list[tuple[bytes, bytes]] = []
    if b"host" not in named:
        headers.append((b"host", request.url.host.encode("latin-1", "replace")))
    headers += request.headers
    headers += [(b"cookie", one.encode("latin-1", "replace")) for one in request.cookies]
    if request.body is not None:
        if b"content-type" not in named:
            headers.append((b"content-type", request.body.content_type.encode()))
        if not named & {b"content-length", b"transfer-encoding"}:
            headers.append((b"content-length", b"%d" % len(request.body.content)))
    return tuple(headers)


def scope_of(request: Request) -> Scope:
    """Return the ASGI scope of a request."""
    url = request.url
    host, _, port = url.host.partition(":")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": url.scheme,
        "path": unquote(url.path),
        "raw_path": url.path.encode(),
        "query_string": url.query.encode(),
        "root_path": "",
        "headers": list(sent_headers(request)),
        "client": ("192.0.2.1", 50000),
        "server": (host, int(port) if port.isdigit() else (443 if url.scheme == "https" else 80)),
        "extensions": {},
    }


def answered(answer: Answer) -> Headers:
    """Return all headers of an answer in the order in which the app sends them."""
    named = {name for name, _ in answer.headers}
    headers: list[tuple[bytes, bytes]] = list(answer.headers)
    if answer.body is not None and b"content-type" not in named:
        headers.insert(0, (b"content-type", answer.body.content_type.encode()))
    if answer.status not in _NO_LENGTH and not named & {b"content-length", b"transfer-encoding"}:
        length = len(answer.body.content) if answer.body is not None else 0
        headers.append((b"content-length", b"%d" % length))
    return (*headers, *((b"set-cookie", one.encode("latin-1", "replace")) for one in answer.cookies))


def _receiving(body: bytes) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    return receive


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _response(messages: list[Message]) -> Response | None:
    if not messages or messages[0]["type"] != "http.response.start":
        return None
    start = messages[0]
    headers = tuple((bytes(name).lower(), bytes(value)) for name, value in start.get("headers", ()))
    body = b"".join(message.get("body", b"") for message in messages[1:])
    return Response(status=start["status"], headers=headers, body=body)


# hooks -----------------------------------------------------------------------------------------------------------


def staged(binding: Binding, given: Given) -> Binding:
    """Return a binding whose hooks are those of this module, and whose region and country are as given."""
    hooks = binding.actor
    silent = hooks.before is None and hooks.after is None
    return replace(
        binding,
        actor=ActorHooks(
            before=f"{_HERE}:actor_before" if hooks.before or (silent and given.knows_actor) else None,
            after=f"{_HERE}:actor_after" if hooks.after else None,
            known=hooks.known,
            verified=f"{_HERE}:verified" if hooks.verified else None,
        ),
        state=f"{_HERE}:states" if binding.state or given.states else None,
        consents=None,  # what persons chose stands in the case
        region=given.region or binding.region,
        serving=given.serving or binding.serving,
        routes=tuple(_resolved(route) for route in binding.routes),
    )


def _resolved(route: Route) -> Route:
    source = route.subject
    if source is None or source.hook is None:
        return route
    return replace(route, subject=Source(place=source.place, name=source.name, hook=f"{_HERE}:subject"))


def actor_before(_: Any) -> Mapping[str, Any] | None:
    """Tell who asks, before the app is called."""
    return _told(_CURRENT.get().given.before)


def actor_after(_: Any) -> Mapping[str, Any] | None:
    """Tell who asked, after the app has answered."""
    return _told(_CURRENT.get().given.actor)


def verified(_: Any) -> datetime | None:
    """Tell when the identity was last proved."""
    asker = _CURRENT.get().given.actor or _CURRENT.get().given.before
    return asker.verified if asker is not None else None


def states(ids: Any) -> Mapping[str, Any]:
    """Tell the states that people are in."""
    held = _CURRENT.get().given.states
    if any("unreadable" in held.get(one, ()) for one in ids):
        raise HookFailed
    return {one: list(held.get(one, ())) for one in ids}


def subject(_: Any) -> str | None:
    """Tell whom a resolver names."""
    return _CURRENT.get().given.subject


def _told(asker: Asker | None) -> Mapping[str, Any] | None:
    if asker is None:
        return None
    if asker.fails:
        raise HookFailed
    return {
        "id": asker.id, "roles": asker.roles, "shared": asker.shared, "verified": asker.verified,
        "known": asker.known,
    }  # fmt: skip
