"""One exchange as the browser had it and as the shop had it."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the browser sends: `cookies` as one header's text, `body` as text, `headers` beside them."""

    method: str
    path: str
    cookies: str = ""
    headers: Headers = ()
    body: str = ""

    def curl(self, origin: str) -> str:
        """The command line that sends this request and prints head and body of the answer."""
        words = ["curl", "-si", *(() if self.method == ("POST" if self.body else "GET") else ("-X", self.method))]
        for name, value in self.headers:
            words += ["-H", f"{name}: {value}"]
        if self.cookies:
            words += ["-b", self.cookies]
        if self.body:
            words += ["-d", self.body]
        return shlex.join([*words, origin + self.path])


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A status, headers in their order, and a body, on either side of the guard."""

    status: int
    headers: Headers
    body: bytes

    def all(self, name: str) -> tuple[str, ...]:
        """The values of every header of this name, in order."""
        return tuple(value for held, value in self.headers if held.lower() == name)

    @property
    def set_cookies(self) -> dict[str, str]:
        """The `Set-Cookie` headers by cookie name; an expiry is one too."""
        return {value.partition("=")[0]: value for value in self.all("set-cookie")}

    @property
    def json(self) -> Any:
        """The body read as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """What the shop saw of a request and what it sent back, before the guard touched it; `worker` is a process id."""

    worker: int
    method: str
    path: str
    headers: Headers
    body: bytes
    answer: Answer

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that reached the shop."""
        return cookie_pairs("; ".join(value for name, value in self.headers if name == "cookie"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request, its answer as it arrived, and the same seen from the shop: None where the shop was not asked."""

    request: Request
    arrived: Answer
    inside: Inside | None


def cookie_pairs(header: str) -> dict[str, str]:
    """The cookies of a `Cookie` header by name."""
    pairs = (pair.partition("=") for pair in header.split("; ") if pair)
    return {name: value for name, _, value in pairs}


def expired(set_cookie: str) -> bool:
    """Whether a `Set-Cookie` value takes the cookie away."""
    attributes = set_cookie.lower()
    return "max-age=0" in attributes or "expires=thu, 01 jan 1970" in attributes
