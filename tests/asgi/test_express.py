"""The express lane does and tells what the full judging does and tells, whatever it has remembered by then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.asgi.wire import run
from troth import PolicyMiddleware, consent
from troth._types import HeaderList, Message, Receive, Scope, Send
from troth.asgi.http import HttpExchange
from troth.asgi.lanes import Lane
from troth.rules import load_inline

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
WORDS = """
policy:
  identity: {id: %s, hosts: [%s]}
  versions: [{id: '1', effective: 2026-01-01}, {id: '2', effective: 2026-05-06}]
  data:
    name: {fields: [name], probe: known}
    email: {fields: [email, x-email], probe: email, strong: true}
    phone: {fields: [phone], probe: phone}
    card: {probe: luhn, strong: true}
    gender: {fields: [gender]}
    birth: {fields: [birth], probe: age}
    page: {fields: [referer], strong: true, personal: false}
  purposes:
    sale: {basis: contract, data: [name, email, phone, birth]}
    analytics: {basis: consent, data: [email], consent: analytics}
    ads: {basis: consent, consent: ads}
    looks: {basis: contract}
  consents: {analytics: {holder: device, lasts: %s}, ads: {holder: device}}
  parties:
    p1: {role: partner, country: SE, purpose: ads, hosts: [{host: ads.example}]}
  cookies:
    troth_consent: {purpose: sale}
    session: {purpose: sale}
    _ga*: {purpose: analytics, domains: [shop.example]}
    _fbp: {purpose: ads}
    seen: {purpose: looks}
rules:
"""
SHOP = """
- {id: wait, clause: C-1, for: [cookie, element], match: {basis: consent}, only-if: {consent: of-purpose}}
- {id: rows, clause: C-2, for: cookie, only-if: {purpose: declared}, otherwise: [withhold, alert]}
- {id: told, clause: C-2, for: cookie, match: {purpose: looks}, only-if: {purpose: declared}, evidence: true}
- {id: clean, clause: C-3, for: cookie, match: {data: [email, phone]}}
- {id: short, clause: C-3, for: cookie, match: {purpose: sale}, expect: {attribute: {lifetime: P30D}}, otherwise: amend}
- {id: fields, clause: C-4, for: field, only-if: {data: of-purpose}}
- {id: masked, clause: C-4, for: field, match: {data: phone, carrier: response}, otherwise: mask}
- {id: stats, clause: C-5, for: exchange, match: {purpose: analytics}, only-if: {consent: analytics}, otherwise: deny}
- {id: tls, clause: C-6, for: exchange, only-if: {https: true}, otherwise: deny}
- {id: store, clause: C-7, for: exchange, match: {data: email, carrier: response},
   expect: {header: {Cache-Control: no-store, X-Kept: "yes"}}, otherwise: amend}
- {id: frames, clause: C-7, for: page, expect: {header: {X-Frame-Options: deny}}, otherwise: amend}
- {id: hints, clause: C-7, for: exchange, match: {not: {consent: ads}}, expect: {header: {Accept-CH: none}},
   otherwise: amend}
- {id: works, clause: C-8, for: exchange, match: {route: contact}, expect: {status: 2xx}, otherwise: alert}
"""
BLOG = """
- {id: dry, clause: B-1, for: cookie, match: {basis: consent}, only-if: {consent: of-purpose}, mode: dry-run}
- {id: ads, clause: B-2, for: cookie, match: {purpose: ads}, only-if: {consent: ads}}
- {id: seen, clause: B-3, for: field, match: {data: email}, only-if: {purpose: sale}, evidence: true}
- {id: gone, clause: B-3, for: field, match: {data: gender, carrier: response}}
- {id: site, clause: B-4, for: field, match: {data: page, carrier: header}, otherwise: mask}
"""
ROUTES = """
binding:
  serving: {country: SE}
  routes:
    'GET /': {audience: public}
    'GET /account': {purpose: sale}
    'GET /stats': {purpose: analytics}
    'GET /order/{id}': {purpose: sale, fields: {reference: email}}
    'GET /named/{name}': {purpose: sale}
    'GET /small': {purpose: sale, limits: {hold-response: 64}}
    'GET /shown': {audience: public, data: [name]}
    '* /any/*': {tag: contact, audience: public}
"""
HOSTS = {"shop.example": (SHOP, "P1D"), "blog.example": (BLOG, "P9D")}


class App:
    """Answers what it is told to, and keeps what it was given."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] = {}
        self.seen: Any = None
        self.told: list[Any] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.seen, self.told = scope, []
        for step in self.answer["steps"]:
            if step == "fail":
                raise LookupError
            if step == "read":
                self.told.append((await receive())["type"])
            elif step == "ask":
                one = consent(scope)
                self.told.append((one.granted("ads"), one.state()))
            else:
                await send(step)


class Pair:
    """Two workers of one home: one as it runs, one that takes no lane."""

    def __init__(self, home: Path) -> None:
        self.now = NOW
        self.home = home
        inline = {
            host: load_inline(WORDS % (host, host, lasts) + rules + ROUTES) for host, (rules, lasts) in HOSTS.items()
        }
        for one in inline.values():
            assert not [str(found) for found in one.diagnostics if found.is_error]
        policies = {host: one.policy for host, one in inline.items() if one.policy is not None}
        self.apps = App(), App()
        self.ways = [
            PolicyMiddleware(
                app, policy=policies, binding=inline["shop.example"].binding,
                home=home, clock=lambda: self.now,
            )
            for app in self.apps
        ]  # fmt: skip
        self.ways[1]._server.entrance.open = False
        self.read: dict[Path, int] = {}
        self.consents = {"none": b""} | {
            name: run(self.choose(name.partition(" ")[0], body))
            for name, body in (("accept", b"{}"), ("accept ads", b'{"consents":["ads"]}'), ("refuse", b"{}"))
        }
        self.consents["retired"] = run(self.choose("accept", b"{}"))
        run(self.choose("withdraw", b"{}", self.consents["retired"]))
        self.consents["forged"] = self.consents["accept"][:-2] + b"xy"
        self.consents["spaced"] = self.consents["accept"].replace(b"=", b"= ", 1)
        self.consents["other name"] = b"x" + self.consents["accept"]
        self.consents["inside"] = b"a=b " + self.consents["accept"]
        self.consents["twice"] = self.consents["accept"] + b"; " + self.consents["refuse"]
        self.lines()

    async def choose(self, act: str, body: bytes, cookie: bytes = b"") -> bytes:
        headers = [(b"host", b"shop.example"), (b"content-type", b"application/json"), (b"cookie", cookie)]
        headers.append((b"content-length", b"%d" % len(body)))
        messages = await send_one(self.ways[1], scope_of("POST", f"/.privacy/{act}", headers), body)
        (value,) = [value for name, value in messages[0]["headers"] if name == b"set-cookie"]
        return bytes(value.partition(b";")[0])

    def lines(self) -> list[Any]:
        """Return the lines since the last call, without what two streams cannot have in common."""
        found = []
        for path in sorted((self.home / "trail").glob("access-*")):
            data = path.read_bytes()
            found += [comparable(json.loads(line)) for line in data[self.read.get(path, 0) :].splitlines()]
            self.read[path] = len(data)
        return [line for line in found if line["kind"] != "trail.open"]

    def close(self) -> None:
        for one in self.ways:
            one.runtime.close()


def comparable(line: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in line.items() if key not in ("seq", "stream", "prev", "t")}
    why = [{**reason, "what": sorted(reason.get("what", []))} for reason in kept.get("why", [])]
    return kept | {"why": sorted(why, key=repr), "pd": sorted(kept.get("pd", []), key=repr)}


def scope_of(method: str, path: str, headers: HeaderList, **more: Any) -> Scope:
    path, _, query = path.partition("?")
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "https",
        "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "", "headers": headers,
        "client": ("192.0.2.7", 4711), "server": ("127.0.0.1", 443), **more,
    }  # fmt: skip


async def send_one(app: Any, scope: Scope, body: bytes = b"") -> list[Message]:
    waiting = [{"type": "http.request", "body": body, "more_body": False}]
    messages: list[Message] = []

    async def receive() -> Message:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        messages.append(message)

    try:
        await app(scope, receive, send)
    except LookupError:
        messages.append({"type": "failed"})
    return messages


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    made = Pair(tmp_path_factory.mktemp("lanes") / "home")
    yield made
    made.close()


CAME = [
    b"_ga=1", b"_ga=GA1.2.3.4", b"_ga_X=a@b.example", b"_fbp=1", b"session=abcdef0123", b"session=a@b.example",
    b"session=", b"seen=1", b"odd=1", b"other=2", b"_ga", b"nameless", b"=", b"=x", b"_ga\tx=1", b"", b"a=b c", b" a=1",
    b"session=+46 70 123 45 67", b"xtroth_consent=1", b"session=YUBiLmV4YW1wbGU=", b"_ga =1", b"session=1 ",
]  # fmt: skip
ASKED = [
    (b"referer", b"https://shop.example/drums?kit=1"), (b"referer", b"https://other.example/"),
    (b"accept", b"text/html"), (b"accept-encoding", b"br, gzip"), (b"accept-encoding", b"gzip"), (b"sec-gpc", b"1"),
    (b"dnt", b"1"), (b"dnt", b"0"), (b"Sec-GPC", b"1"), (b"content-length", b"0"), (b"x-email", b"a@b.example"),
    (b"if-none-match", b'"v"'), (b"Cookie", b"_ga=9"), (b"cookie", b"_ga=8"), (b"x", b"y"),
    (b"transfer-encoding", b"x"), (b"referer", b"https://other.example/x?y"), (b"Referer", b"about:blank"),
    (b"referer", b"https://localhost/x"),
]  # fmt: skip
SET = [
    b"_ga=1; Path=/", b"session=1; Path=/; HttpOnly", b"session=2; Max-Age=99999999", b"session=2;Max-Age=5", b"odd=1",
    b"session=a%40b.example; Secure", b"session=3; Expires=Wed, 01 Jan 2031 00:00:00 GMT", b"noname", b"=x; Path=/",
    b"_ga_x=; Max-Age=0", b"seen=1", b"seen=a@b.example", b" session=1; Max-Age=99999999", b"_fbp=1; Domain=x.example",
]  # fmt: skip
SENT = [
    (b"etag", b'"v"'), (b"cache-control", b"public"), (b"x-frame-options", b"DENY"), (b"vary", b"Accept"),
    (b"content-encoding", b"identity"), (b"X-Odd", b"1"), (b"x-kept", b"no"), (b"Set-Cookie", b"_ga=7"),
    (b"content-security-policy", b"default-src 'self'"), (b"fly-cdn-cache-control", b"x"), (b"Content-Length", b"1"),
    (b"content-type", b"text/html"), (b"content-length", b"x"), (b"accept-ch", b"DPR"), (b"Accept-CH", b"none"),
    (b"location", b"https://other.example/?email=a%40b.example&x=1"), (b"Location", b"/?email=a%40b.example"),
]  # fmt: skip
LEAVES = [
    "a@b.example", "x a%40b.example", "+46 70 123 45 67", "4111 1111 1111 1111", "2026-05-04T10:00:00Z", "short",
    "10.0.0.1", "\u0661\u0662\u0663 \u0661\u0662\u0663 \u0661\u0662\u0663", "a" * 40, 4111111111111111, 10**12, -5, 1.5,
    True, None, "070-123 45 67", "@", "Drum library 10",
]  # fmt: skip
KEYS = ["email", "name", "phone", "gender", "birth", "reference", "note", "id", "Email"]
KINDS = [
    b"application/json", b"application/json; charset=utf-8", b"text/html; charset=utf-8", b"text/plain",
    b"application/problem+json", b"TEXT/HTML",
]  # fmt: skip
VALUES = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    body = json.dumps(draw(VALUES), ensure_ascii=draw(st.booleans())).encode()
    shape = draw(st.sampled_from(["whole", "whole", "whole", "twice", "cut", "none"]))
    if shape == "twice":
        return b'{"email":1, "email" :%b}' % body
    return {"whole": body, "cut": body[:-1], "none": b""}[shape]


@st.composite
def answers(draw: st.DrawFn, *, odd: bool) -> list[Any]:
    """Draw what the app does, step by step."""
    body = draw(bodies())
    headers = [(b"content-type", draw(st.sampled_from(KINDS)))] if not odd or draw(st.integers(0, 9)) else []
    headers += [(b"set-cookie", one) for one in draw(st.lists(st.sampled_from(SET if odd else SET[:5]), max_size=3))]
    headers += draw(st.lists(st.sampled_from(SENT), max_size=2)) if odd else []
    if not odd or draw(st.integers(0, 5)):
        headers.insert(draw(st.integers(0, len(headers))), (b"content-length", b"%d" % len(body)))
    status = draw(st.sampled_from([200, 200, 201, 204, 302, 304, 404, 500] if odd else [200, 404]))
    start = {"type": "http.response.start", "status": status, "headers": headers}
    parts = [body[: len(body) // 2], body[len(body) // 2 :]] if odd and draw(st.booleans()) else [body]
    last = len(parts) - 1
    steps: list[Any] = [start]
    steps += [{"type": "http.response.body", "body": part, "more_body": n < last} for n, part in enumerate(parts)]
    for extra in draw(st.lists(st.sampled_from(["ask", "read", "fail"]), max_size=2)) if odd else []:
        steps.insert(draw(st.integers(0, len(steps))), extra)
    return steps


PATHS = ["/", "/", "/account", "/account", "/order/7", "/shown", "/any/x", "/none"]
ODD_PATHS = [*PATHS, "/stats", "/named/ann", "/account?a=1", "/?email=a@b.example", "/sub/account"]
ODD_SCOPES: list[dict[str, Any]] = [
    {}, {"scheme": "http"}, {"http_version": "2"}, {"root_path": "/sub"},
    {"extensions": {"http.response.pathsend": {}}},
]  # fmt: skip


@st.composite
def exchanges(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an exchange; what the lane knows best is odd neither in its request nor in its answer."""
    odd = draw(st.integers(0, 2)) == 2
    cookies = draw(st.lists(st.sampled_from(CAME if odd else CAME[:9]), max_size=5))
    who = draw(st.sampled_from(["none", "accept", "accept ads", "refuse", "retired", "forged", "spaced", "twice"]))
    return {
        "method": draw(st.sampled_from(["GET", "HEAD", "POST", "BREW"])) if odd else "GET",
        "path": draw(st.sampled_from(ODD_PATHS if odd else PATHS)),
        "headers": draw(st.lists(st.sampled_from(ASKED if odd else ASKED[:8]), max_size=3 if odd else 1)),
        "cookies": cookies,
        "who": who,
        "at": draw(st.integers(0, 5)),
        "joined": draw(st.sampled_from([b"; ", b"; ", b";", b" ; "])) if odd else b"; ",
        "host": draw(st.sampled_from([b"shop.example", b"shop.example", b"blog.example:80", b"localhost", b""])),
        "scope": draw(st.sampled_from(ODD_SCOPES)) if odd else {},
        "answer": draw(answers(odd=draw(st.integers(0, 2)) == 2)),
        "hours": draw(st.sampled_from([0, 0, 0, 12, 30, 60, -20])),
    }


def requested(pair: Pair, drawn: dict[str, Any]) -> Scope:
    cookies = list(drawn["cookies"])
    if pair.consents[drawn["who"]]:
        cookies.insert(min(drawn["at"], len(cookies)), pair.consents[drawn["who"]])
    headers = [(b"host", drawn["host"]), *drawn["headers"]]
    if cookies:
        headers.insert(min(drawn["at"], len(headers)), (b"cookie", drawn["joined"].join(cookies)))
    return scope_of(drawn["method"], drawn["path"], headers, **drawn["scope"])


def compare(pair: Pair, drawn: dict[str, Any]) -> list[Message]:
    """Serve an exchange on both ways and hold them to each other; returns what went out."""
    pair.now = NOW + timedelta(hours=drawn["hours"])
    came = []
    for app, way in zip(pair.apps, pair.ways, strict=True):
        app.answer, app.seen = {"steps": drawn["answer"]}, None
        out = run(send_one(way, requested(pair, drawn)))
        came.append({"out": out, "scope": app.seen, "told": app.told, "lines": pair.lines()})
    express, full = came
    for part, found in full.items():
        assert express[part] == found, part
    return list(express["out"])


@given(st.lists(exchanges(), min_size=1, max_size=4))
@settings(max_examples=250, deadline=None)
def test_an_exchange_on_the_lane_is_what_it_would_be_in_full(pair: Pair, several: list[dict[str, Any]]) -> None:
    for drawn in several:
        compare(pair, drawn)


def plain(
    *cookies: bytes, kind: bytes = b"text/plain", headers: HeaderList | None = None, body: bytes = b"hello",
    status: int = 200, **more: Any,
) -> dict[str, Any]:  # fmt: skip
    """Return an exchange as the lane knows it best, but for what is given."""
    sent = [(b"content-type", kind), (b"content-length", b"%d" % len(body))] if headers is None else headers
    steps = [
        {"type": "http.response.start", "status": status, "headers": sent},
        {"type": "http.response.body", "body": body},
    ]
    defaults = {
        "method": "GET", "path": "/", "headers": [], "cookies": list(cookies), "who": "none", "at": 9, "joined": b"; ",
        "host": b"shop.example", "scope": {}, "answer": steps, "hours": 0,
    }  # fmt: skip
    return defaults | more


GA, SESSION, HTTP = b"_ga=1", b"session=x", {"scheme": "http"}
MAIL = b'{"email":"a@b.example"}'
IN_TURN: dict[str, list[dict[str, Any]]] = {
    "methods of one route": [plain(GA, path="/any/x", method=method) for method in ("GET", "POST", "GET")],
    "paths of one route": [
        plain(GA, path=path, method=method, scope=scope)
        for _ in range(2)
        for path in ("/any/x", "/any/y", "/any", "/any/../account", "/account")
        for method in ("GET", "HEAD", "PUT")
        for scope in ({}, {"root_path": "/any"}, {"root_path": "/none"})
    ],
    "schemes on one machine": [
        plain(GA, who="refuse", host=b"localhost", scope=scope) for scope in ({}, HTTP, {}, HTTP)
    ],
    "signals": [plain(GA, who="accept") | {"headers": asked}
                for asked in ([], [(b"sec-gpc", b"1")], [(b"dnt", b"1")], [])],
    "two sites": [plain(GA, who="accept", host=host) for host in (b"shop.example", b"blog.example", b"shop.example")],
    "days": [plain(GA, who="accept", hours=hours) for hours in (0, 60, 0, -20, 30)],
    "another consent beside": [plain(GA, who=who) for who in ("accept", "twice", "accept")],
    "a cookie that only ends like ours": [plain(GA, who=who) for who in ("accept", "other name", "inside", "spaced")],
    "no name": [plain(SESSION, one) for one in (GA, b"_ga", b"=1", b"seen", b"seen=1")],
    "white space": [plain(one, b"odd=1") for one in (b"session=1", b"session=1 ", b" session=1", b"session=1\t")],
    "no length": [plain(kind=kind, body=MAIL, headers=[(b"content-type", kind)]) for kind in KINDS],
    "two types": [plain(headers=[(b"content-type", a), (b"content-type", b)]) for a in KINDS for b in KINDS],
    "statuses": [plain(GA, status=status) for status in (200, 404, 200, 304)],
    "large": [plain(path="/small", kind=KINDS[0], body=MAIL + b" " * n) for n in (0, 80)],
    "fields": [plain(path="/account", kind=KINDS[0], body=body) for body in (MAIL, b"{}", b'{"gender":1}', MAIL)],
    "escapes": [plain(path="/account", kind=KINDS[0], body=b'{"note":"a\\u0040b.example"}')],
    "personal cookies": [plain(GA, one) for one in (b"session=a", b"session=a@b.example", b"session=a")],
    "what is set": [plain(one, headers=[(b"content-length", b"5"), (b"set-cookie", b"session=1; Max-Age=99999999")])
                    for one in (b"session=2", b"odd=1")],
}  # fmt: skip


@pytest.mark.parametrize("what", IN_TURN)
def test_what_was_remembered_of_one_exchange_is_not_taken_for_another(pair: Pair, what: str) -> None:
    for drawn in IN_TURN[what] * 2:
        compare(pair, drawn)


def test_a_consent_that_ran_out_takes_no_lane_of_one_that_stands(pair: Pair) -> None:
    shop, blog = b"shop.example", b"blog.example"
    for who, hours in (("early", 0), ("earlier elsewhere", 0), ("late", 6)):
        pair.now = NOW + timedelta(hours=hours)
        pair.consents[who] = run(pair.choose("accept", b"{}"))
    pair.lines()
    for who, host, hours in (
        ("early", shop, 6),
        ("late", shop, 26),
        ("early", shop, 26),
        ("earlier elsewhere", blog, 26),
        ("earlier elsewhere", shop, 26),
    ):
        compare(pair, plain(GA, who=who, host=host, hours=hours))
    assert pair.apps[0].seen["headers"][-1] == (b"cookie", pair.consents["earlier elsewhere"])


def test_a_page_that_brings_the_same_policy_gets_no_second_one(pair: Pair) -> None:
    kind = (b"content-type", b"text/html")
    first = compare(pair, plain(headers=[kind, (b"content-length", b"5")]))
    (policy,) = [value for name, value in first[0]["headers"] if name == b"content-security-policy"]
    again = compare(pair, plain(headers=[kind, (b"content-length", b"5"), (b"content-security-policy", policy)]))
    assert [name for name, _ in again[0]["headers"]].count(b"content-security-policy") == 1


def test_plain_exchanges_do_take_the_lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = Pair(tmp_path / "home")  # of its own: what is remembered is bounded, and drawn exchanges may have filled it
    made: list[object] = []
    real = HttpExchange.__init__

    def counted(exchange: HttpExchange, *given: Any) -> None:
        made.append(exchange)
        real(exchange, *given)

    monkeypatch.setattr(HttpExchange, "__init__", counted)
    body = b'{"email":"a@b.example","phone":"+46 70 123 45 67","gender":"f"}'
    for path, kind in (
        ("/", b"text/plain"),
        ("/", b"text/html"),
        ("/account", b"application/json"),
        ("/order/9", KINDS[0]),
    ):
        headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), (b"set-cookie", SET[0])]
        steps = [{"type": "http.response.start", "status": 200, "headers": headers},
                 {"type": "http.response.body", "body": body}]  # fmt: skip
        for who in ("none", "accept", "refuse"):
            pair.apps[0].answer = {"steps": steps}
            came = [(b"host", b"shop.example"), (b"referer", b"https://other.example/")]
            cookie = b"; ".join([b"_ga=1", b"session=x", *filter(None, [pair.consents[who]])])
            run(send_one(pair.ways[0], scope_of("GET", path, [*came, (b"cookie", cookie)])))
    pair.close()
    assert not made


def test_a_withdrawal_by_another_worker_counts_on_the_lane_at_once(pair: Pair) -> None:
    cookie = run(pair.choose("accept", b"{}"))
    headers = [(b"host", b"shop.example"), (b"cookie", b"_ga=1; " + cookie)]
    pair.now = NOW
    pair.apps[0].answer = {"steps": [{"type": "http.response.start", "status": 200, "headers": []}]}
    for _ in range(2):
        run(send_one(pair.ways[0], scope_of("GET", "/", list(headers))))
        assert pair.apps[0].seen["headers"][1][1].startswith(b"_ga=1")
    run(pair.choose("withdraw", b"{}", cookie))
    run(send_one(pair.ways[0], scope_of("GET", "/", list(headers))))
    assert pair.apps[0].seen["headers"][1][1] == cookie


def test_names_that_clients_choose_fill_no_memory(pair: Pair) -> None:
    pair.apps[0].answer = {
        "steps": [{"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]}]
    }
    entrance = pair.ways[0]._server.entrance
    for n in range(1500):
        cookie = b"c%d=%d; _ga_%d=1" % (n, n, n)
        headers = [(b"host", b"shop.example"), (b"h%d" % n, b"1"), (b"cookie", cookie)]
        run(send_one(pair.ways[0], scope_of("GET", f"/none/{n}", headers)))
    lanes = [
        lane
        for site in entrance.lanes.sites.values()
        for entry in site._entries.values()
        for lane in entry.lanes.values()
        if isinstance(lane, Lane)
    ]
    assert lanes
    assert len(entrance.lanes.request) <= 256
    for n in range(5000):
        entrance._entry(scope_of("GET", f"/any/{n}", [(b"host", b"shop.example")]))
        entrance._entry(scope_of("GET", f"/none/{n}", [(b"host", b"shop.example")]))
    assert 900 <= max(len(site.exact) for site in entrance.lanes.sites.values()) <= 4096 + 8  # emptied when full
    assert all(len(lane.codes) <= 512 and len(lane.outcomes) <= 4096 for lane in lanes)
