"""The app under Troth as a user would put it there: the Toontrack policy, a binding, a home of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

from benchmarks.harness import ROOT
from benchmarks.traffic import HOST, VISITORS
from troth import PolicyMiddleware
from troth._types import ASGIApp, Message, Scope

POLICY = ROOT / "policies" / "toontrack"
BINDING = ROOT / "benchmarks" / "binding.yaml"
# Of ten visitors four accept all, three analytics only, three refuse.
CHOICES: tuple[tuple[str, bytes], ...] = (
    *((("accept", b"{}"),) * 4),
    *((("accept", b'{"consents": ["analytics"]}'),) * 3),
    *((("refuse", b"{}"),) * 3),
)


class Guarded:
    """The app behind Troth, with a home of its own in which 1,000 visitors have chosen.

    The choices are made through another instance of the middleware, so `app` has met no visitor before.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, make: Callable[[], ASGIApp], home: Path) -> None:
        self.home = home
        office = PolicyMiddleware(make(), policy=POLICY, binding=BINDING, home=home, ledger="sqlite")
        self.consents = [loop.run_until_complete(_choice(office, *CHOICES[n % len(CHOICES)])) for n in range(VISITORS)]
        self.app = PolicyMiddleware(make(), policy=POLICY, binding=BINDING, home=home, ledger="sqlite")
        self._before = self._written()

    def lines(self) -> int:
        """Count the lines of released exchanges since the visitors chose."""
        return self._written() - self._before

    def _written(self) -> int:
        return released(self.home)


async def _choice(app: ASGIApp, verb: str, body: bytes) -> bytes:
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "https",
        "path": f"/.privacy/{verb}",
        "raw_path": f"/.privacy/{verb}".encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"host", HOST),
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"sec-fetch-site", b"same-origin"),
        ],
        "client": ("192.0.2.1", 50_000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }
    head: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            head.append(message)

    await app(scope, receive, send)
    cookies = [value for name, value in head[0]["headers"] if name == b"set-cookie"]
    if head[0]["status"] != 200 or not cookies:
        raise RuntimeError(f"{verb} answered {head[0]['status']} with {len(cookies)} cookies")
    return bytes(cookies[0].partition(b";")[0])


def released(home: Path) -> int:
    """Count the lines of released exchanges in the trail of a home."""
    files = [path for path in sorted((home / "trail").rglob("*")) if path.is_file()]
    return sum(_is_released(line) for path in files for line in path.read_bytes().splitlines())


def _is_released(line: bytes) -> bool:
    try:
        return bool(json.loads(line).get("stage") == "released")
    except ValueError:
        return False
