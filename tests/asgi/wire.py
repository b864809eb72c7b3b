"""A tiny app behind Troth, driven over raw ASGI: what went in, what the app saw, what came out, what was written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from troth import PolicyMiddleware
from troth._types import ASGIApp, HeaderList, Message, Receive, Scope, Send
from troth.rules import load_inline

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
HOST = b"shop.example"
POLICY = """
policy:
  identity: {id: shop, hosts: [shop.example]}
  versions: [{id: '1'}]
  data:
    name: {fields: [name]}
    email: {fields: [email, x-email], probe: email, strong: true}
    gender: {fields: [gender, x-gender]}
    birth: {fields: [birth], probe: age}
  purposes:
    sale: {basis: contract, data: [name, email, birth]}
    analytics: {basis: consent, data: [email]}
    ads: {basis: consent}
  consents: {analytics: {holder: device}, ads: {holder: device}}
  cookies:
    troth_consent: {purpose: sale}
    session: {purpose: sale}
    _ga*: {purpose: [analytics]}
    _fbp: {purpose: [ads], domains: [shop.example]}
"""
COOKIES = """
- id: wait
  clause: C-1
  for: cookie
  match: {basis: consent}
  only-if: {consent: of-purpose}
- id: rows
  clause: C-2
  for: cookie
  only-if: {purpose: declared}
"""
FIELDS = """
- id: in-the-row
  clause: C-3
  for: field
  only-if: {data: of-purpose}
"""
ROUTES = """
binding:
  routes:
    'GET /': {audience: public}
    'POST /order': {purpose: sale}
    'PUT /order/{name}': {purpose: sale}
    'GET /account': {purpose: sale}
    'GET /stats': {purpose: analytics}
    'POST /contact': {tag: contact, purpose: sale}
"""


def policy_text(rules: str, routes: str = ROUTES, policy: str = POLICY) -> str:
    return policy + ("rules:\n" + rules if rules.strip() else "") + routes


@dataclass
class Answer:
    """What one request came to."""

    messages: list[Message]
    scope: Scope | None = None
    body_seen: bytes = b""
    seen_at_send: list[int] = field(default_factory=list)

    @property
    def start(self) -> Message:
        return next(m for m in self.messages if m["type"].endswith("start"))

    @property
    def status(self) -> int:
        return int(self.start["status"])

    @property
    def headers(self) -> HeaderList:
        return list(self.start["headers"])

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key.lower() == name]

    @property
    def body(self) -> bytes:
        return b"".join(m.get("body", b"") for m in self.messages)

    @property
    def called(self) -> bool:
        return self.scope is not None

    def app_values(self, name: bytes) -> list[bytes]:
        assert self.scope is not None
        return [value for key, value in self.scope["headers"] if key.lower() == name]


@dataclass
class Reply:
    """What the app answers."""

    body: bytes = b"hello"
    status: int = 200
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    kind: bytes = b"text/plain"
    cuts: tuple[int, ...] = ()
    length: bool = True

    def messages(self) -> list[Message]:
        headers = [(b"content-type", self.kind), *self.headers]
        if self.length:
            headers.append((b"content-length", b"%d" % len(self.body)))
        edges = [0, *self.cuts, len(self.body)]
        parts = [self.body[a:b] for a, b in pairwise(edges)]
        start = {"type": "http.response.start", "status": self.status, "headers": headers}
        last = len(parts) - 1
        return [
            start,
            *({"type": "http.response.body", "body": p, "more_body": n < last} for n, p in enumerate(parts)),
        ]


def as_json(value: Any, **more: Any) -> Reply:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Reply(body=body, kind=b"application/json", **more)


class Shop:
    """An app, its middleware and its home. `reply` is what the app answers; `app` takes its place if given."""

    def __init__(self, home: Path, text: str, app: ASGIApp | None = None, **options: Any) -> None:
        inline = load_inline(text)
        assert inline.policy is not None, [str(one) for one in inline.diagnostics]
        assert not [one for one in inline.diagnostics if one.is_error], [str(one) for one in inline.diagnostics]
        self.home = home
        self.reply = Reply()
        self.inner = app
        self.now = NOW
        self.scope: Scope | None = None
        self.body = b""
        self._read: dict[Path, int] = {}
        self._lines: list[dict[str, Any]] = []
        options = {"clock": lambda: self.now, **options}
        binding = inline.binding if "binding:" in text else None
        self.middleware = PolicyMiddleware(self.app, policy=inline.policy, binding=binding, home=home, **options)

    def closing(self) -> closing[Shop]:
        return closing(self)

    def close(self) -> None:
        self.middleware.runtime.close()

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        if self.inner is not None:
            await self.inner(scope, receive, send)
            return
        self.body = await read(receive)
        for message in self.reply.messages():
            await send(message)

    async def ask(
        self,
        method: str = "GET",
        path: str = "/",
        *,
        headers: Iterable[tuple[bytes, bytes]] = (),
        json_body: Any = None,
        body: bytes | list[bytes] = b"",
        kind: bytes = b"application/json",
        length: bool | None = True,
        host: bytes = HOST,
        cut_off: bool = False,
        given: Any = None,
        on_send: Callable[[Message], None] | None = None,
        **scope: Any,
    ) -> Answer:
        """Send one request. `body` as a list gives the chunks; `cut_off`: the client goes before the last is through.

        `given` stands in place of all headers.
        `length` says whether the body is declared or chunked; None sends neither header, as HTTP/2 may.
        """
        if json_body is not None:
            body = json.dumps(json_body).encode()
        chunks = body if isinstance(body, list) else [body]
        pairs = [(b"host", host), *headers]
        size = sum(map(len, chunks))
        if size or isinstance(body, list):
            framing = [(b"transfer-encoding", b"chunked"), (b"content-length", b"%d" % size)]
            pairs += [(b"content-type", kind), *([] if length is None else framing[length : length + 1])]
        path, _, query = path.partition("?")
        full: Scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1",
            "method": method, "scheme": "https", "path": path, "raw_path": path.encode("utf-8", "surrogateescape"),
            "query_string": query.encode("utf-8", "surrogateescape"), "root_path": "",
            "headers": pairs if given is None else given, "client": ("192.0.2.7", 4711),
            "server": ("shop.example", 443), "extensions": {}, **scope,
        }  # fmt: skip
        last = len(chunks) - 1
        waiting = [{"type": "http.request", "body": c, "more_body": cut_off or n < last} for n, c in enumerate(chunks)]
        messages: list[Message] = []

        async def receive() -> Message:
            if waiting:
                return waiting.pop(0)
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if on_send is not None:
                on_send(message)
            messages.append(message)

        self.scope, self.body = None, b""
        await self.middleware(full, receive, send)
        return Answer(messages, self.scope, self.body)

    async def choose(self, act: str = "accept", *consents: str, cookie: bytes = b"") -> bytes:
        """Make a choice; returns the consent cookie as a piece for the next `Cookie` header."""
        value = {"consents": list(consents)} if consents else {}
        headers = [(b"cookie", cookie)] if cookie else []
        answer = await self.ask("POST", f"/.privacy/{act}", json_body=value, headers=headers)
        assert answer.status == 200, answer
        return answer.values(b"set-cookie")[0].partition(b";")[0]

    def trail(self) -> bytes:
        return b"".join(path.read_bytes() for path in sorted((self.home / "trail").glob("*.jsonl")))

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines of exchanges and choices, oldest first."""
        for path in sorted((self.home / "trail").glob("access-*.jsonl")):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                new = file.read()
            self._read[path] = self._read.get(path, 0) + len(new)
            self._lines += [value for value in map(json.loads, new.splitlines()) if not is_of_the_start(value)]
        return list(self._lines)

    def reasons(self, line: dict[str, Any] | None = None) -> list[tuple[str, str]]:
        """Return rule and action of each reason of a line, the last one if none is given."""
        line = line or self.lines()[-1]
        return [(reason["rule"], reason["action"]) for reason in line["why"]]


def is_of_the_start(line: dict[str, Any]) -> bool:
    """Whether a line is one that every fresh home begins with: the stream, the version in force and the next one."""
    first = line.get("event") == "policy-activated" and "was" not in line
    return line["kind"] == "trail.open" or first or line.get("event") == "policy-announced"


async def read(receive: Receive) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] != "http.request" or not message.get("more_body", False):
            return body


def run(job: Awaitable[Any]) -> Any:
    """Run one coroutine on a loop of its own, for tests that draw examples."""

    async def main() -> Any:
        return await job

    return asyncio.run(main())
