"""A browser without a screen: drives the shop over ASGI and keeps the cookies it is given."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.requests import cookie_parser

from example_app.app import create_app


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def all(self, name: str) -> list[str]:
        return [value for held, value in self.headers if held == name]

    @property
    def location(self) -> str:
        return self.all("location")[0]


@dataclass(slots=True)
class Browser:
    app: Any
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.ask("GET", path, headers=headers)

    async def form(self, path: str, **values: str) -> Answer:
        body = urlencode(values).encode()
        return await self.ask("POST", path, body, {"content-type": "application/x-www-form-urlencoded"})

    async def post(self, path: str, value: object, **headers: str) -> Answer:
        return await self.ask("POST", path, json.dumps(value).encode(), {"content-type": "application/json", **headers})

    async def ask(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        sent: list[dict[str, Any]] = []
        inbox = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            return inbox.pop(0) if inbox else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.app(self._scope(method, path, body, headers or {}), receive, send)
        start = sent[0]
        answer = Answer(
            status=start["status"],
            headers=[(name.decode(), value.decode("latin-1")) for name, value in start["headers"]],
            body=b"".join(message.get("body", b"") for message in sent[1:]),
        )
        self._keep(answer)
        return answer

    def _scope(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
        path, _, query = path.partition("?")
        raw = [(b"host", b"127.0.0.1:8000"), (b"accept", b"text/html"), (b"content-length", str(len(body)).encode())]
        raw = [pair for pair in raw if pair[0].decode() not in headers]
        raw += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        if self.cookies:
            raw.append((b"cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()).encode()))
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": raw,
            "client": ("192.0.2.44", 50000),
            "server": ("127.0.0.1", 8000),
        }

    def _keep(self, answer: Answer) -> None:
        for header in answer.all("set-cookie"):
            pair, _, attributes = header.partition(";")
            name, value = next(iter(cookie_parser(pair).items()))
            if "max-age=0" in attributes.lower() or "expires=thu, 01 jan 1970" in attributes.lower():
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value


@pytest.fixture
def shop(tmp_path: Path) -> Any:
    return create_app(guarded=False, database=tmp_path / "shop.sqlite3")


@pytest.fixture
def visitor(shop: Any) -> Browser:
    return Browser(shop)


@pytest.fixture
def another_visitor(shop: Any) -> Callable[[], Browser]:
    return lambda: Browser(shop)


@pytest.fixture
async def ann(shop: Any) -> Browser:
    return await _signed_in(shop, "ann@example.org")


@pytest.fixture
async def erik(shop: Any) -> Browser:
    return await _signed_in(shop, "erik@halvtakt.example")


async def _signed_in(shop: Any, email: str) -> Browser:
    browser = Browser(shop)
    answer = await browser.form("/login", email=email, password="four-on-the-floor")
    assert answer.status == 303
    return browser
