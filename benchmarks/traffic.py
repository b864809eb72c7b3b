"""Requests of 1,000 visitors, twelve cookies each; no `Cookie` header is ever the same twice."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import count

from benchmarks.harness import Requests
from troth._types import Scope

VISITORS = 1_000
POOL = 3_000
COOKIES = 12

HOST = b"127.0.0.1:8000"
HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"host", HOST),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    (b"accept", b"text/html,application/json;q=0.9,*/*;q=0.8"),
    (b"accept-language", b"sv-SE,sv;q=0.8,en;q=0.5"),
    (b"accept-encoding", b"gzip, deflate, br"),
    (b"referer", b"https://127.0.0.1:8000/"),
    (b"sec-fetch-dest", b"document"),
    (b"sec-fetch-mode", b"navigate"),
    (b"sec-fetch-site", b"same-origin"),
)


def own_cookies(chance: random.Random) -> list[bytes]:
    """Return ten cookies that a visitor keeps: the shop's, analytics, advertising, one that nobody declared."""
    number = chance.randrange
    return [
        b"session=%032x" % chance.getrandbits(128),
        b"cart=%016x" % chance.getrandbits(64),
        b"_ga=GA1.2.%d.1700000000" % number(10**9),
        b"_ga_T7R2=GS1.1.1700000000.%d" % number(99),
        b"_gid=GA1.2.%d.1700000000" % number(10**9),
        b"_fbp=fb.1.1700000000000.%d" % number(10**10),
        b"_gcl_aw=GCL.1700000000.%016x" % chance.getrandbits(64),
        b"_gcl_au=1.1.%d.1700000000" % number(10**9),
        b"theme=dark",
        b"abtest=variant-%d" % number(9),
    ]


class Traffic:
    """Makes scopes. `consents` holds a consent cookie (``name=value``) per visitor, or is empty where nobody guards."""

    def __init__(self, *, seed: int, consents: Sequence[bytes] = ()) -> None:
        chance = random.Random(seed)
        self.count = count(10**6)
        self.visits = [chance.randrange(VISITORS) for _ in range(POOL - VISITORS)] + list(range(VISITORS))
        chance.shuffle(self.visits)
        self.heads = [self._head(chance, consents[n] if consents else b"consent=none") for n in range(VISITORS)]

    @staticmethod
    def _head(chance: random.Random, consent: bytes) -> bytes:
        cookies = [*own_cookies(chance), consent]
        chance.shuffle(cookies)
        return b"; ".join(cookies)

    def requests(self, path: str, *, cookies: bool = True) -> Requests:
        """Return a maker of requests to a path, in which ``{visitor}`` stands for the visitor's number."""

        def make(size: int) -> list[Scope]:
            return [self._scope(path, next(self.count), cookies) for _ in range(size)]

        return make

    def _scope(self, path: str, number: int, cookies: bool) -> Scope:
        visitor = self.visits[number % POOL]
        filled = path.replace("{visitor}", str(visitor))
        headers = list(HEADERS)
        if cookies:
            headers.append((b"cookie", b"%b; _gat=%d" % (self.heads[visitor], number)))
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "https",
            "path": filled,
            "raw_path": filled.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": headers,
            "client": ("192.0.2.1", 50_000),
            "server": ("127.0.0.1", 8000),
            "state": {},
        }
