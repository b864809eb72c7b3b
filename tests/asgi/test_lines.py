"""The line comes before the first byte, and the two ways through the middleware tell and do the same."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.asgi.conftest import MakeShop
from tests.asgi.wire import COOKIES, FIELDS, HOST, ROUTES, Answer, Reply, Shop, as_json, policy_text, run
from troth._types import Message

RULES = (
    COOKIES
    + FIELDS
    + """
- {id: stats, clause: C-4, for: exchange, match: {purpose: analytics}, only-if: {consent: analytics}, otherwise: deny}
- {id: short, clause: C-5, for: cookie, match: {purpose: sale}, expect: {attribute: {lifetime: P30D}}, otherwise: amend}
- {id: flags, clause: C-5, for: cookie, match: {purpose: sale}, expect: {attribute: {http-only: true}},
   otherwise: amend}
- {id: gate, clause: C-6, for: element, match: {party: any}, only-if: {consent: ads}}
- {id: frames, clause: C-7, for: page, expect: {header: {x-frame-options: deny}}, otherwise: amend}
- {id: hsts, clause: C-7, for: exchange, expect: {header: {strict-transport-security: max-age=60}}, otherwise: amend}
- {id: works, clause: C-8, for: exchange, match: {route: contact}, expect: {status: 2xx}, otherwise: alert}
- {id: tls, clause: C-9, for: exchange, only-if: {https: true}, otherwise: deny}
- {id: aged, clause: C-10, for: exchange, match: {under: 13}, otherwise: deny}
- {id: seen, clause: C-11, for: field, match: {data: email}, only-if: {purpose: sale}, evidence: true}
- {id: mails, clause: C-12, for: exchange, match: {data: email, carrier: response}, otherwise: alert}
"""
)
SET = [
    b"_ga=1; Path=/", b"session=1; Path=/; HttpOnly", b"session=2; Path=/; Max-Age=99999999", b"odd=1", b"_fbp=2",
    b"session=a%40b.example; Secure", b"session=3; Expires=Wed, 01 Jan 2031 00:00:00 GMT", b"noname",
    b"_ga_x=; Max-Age=0",
]  # fmt: skip
CAME = [b"_ga=1", b"session=2", b"odd=3", b"_fbp=4", b"session=a@b.example", b" nameless", b"_ga_Y=5", b"session=6"]
BODIES = [
    b'{"email":"a@b.example","gender":"f","n":1.10}', b'{"n":1}', b"[]", b'{"email"', b'{"birth":"2020-01-01"}',
    b'{"note":"a@b.example"}', gzip.compress(b'{"gender":1}'), b"",
]  # fmt: skip
KINDS = [b"application/json", b"text/html; charset=utf-8", b"text/plain", b"application/problem+json"]
EXTRA = [
    (b"etag", b'"v"'), (b"cache-control", b"public"), (b"x-frame-options", b"DENY"), (b"vary", b"Accept"),
    (b"strict-transport-security", b"max-age=99"), (b"content-encoding", b"gzip"), (b"X-Odd", b"1"),
    (b"content-security-policy", b"default-src 'self'"),
]  # fmt: skip
ASKED = [
    (b"accept", b"text/html"), (b"accept-encoding", b"br, gzip"), (b"sec-gpc", b"1"), (b"dnt", b"1"),
    (b"if-none-match", b'"v~c.000000000000"'), (b"x-email", b"a@b.example"), (b"x-gender", b"f"), (b"x", b"y"),
]  # fmt: skip


@st.composite
def exchanges(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a request and what the app answers to it."""
    body = draw(st.sampled_from(BODIES))
    cut = draw(st.integers(0, len(body)))
    reply = Reply(
        body=body,
        kind=draw(st.sampled_from(KINDS)),
        status=draw(st.sampled_from([200, 200, 200, 201, 304, 404, 500])),
        headers=[*((b"set-cookie", one) for one in draw(st.lists(st.sampled_from(SET), max_size=4))),
                 *draw(st.lists(st.sampled_from(EXTRA), max_size=3, unique=True))],
        cuts=draw(st.sampled_from([(), (), (cut,)])),
        length=draw(st.booleans()),
    )  # fmt: skip
    method, path = draw(
        st.sampled_from(
            [("GET", "/"), ("HEAD", "/"), ("GET", "/account"), ("HEAD", "/account"), ("GET", "/stats"),
             ("GET", "/none"), ("POST", "/order"), ("POST", "/contact"), ("PUT", "/order/ann"),
             ("GET", "/account?gender=f&a=1")]
        )
    )  # fmt: skip
    cookies = draw(st.lists(st.sampled_from(CAME), max_size=4))
    return {
        "reply": reply,
        "method": method,
        "path": path,
        "headers": draw(st.lists(st.sampled_from(ASKED), max_size=3, unique=True)),
        "cookies": cookies,
        "consent": draw(st.sampled_from([None, "accept", "ads", "refuse", "forged"])),
        "body": draw(st.sampled_from(BODIES)) if method in ("POST", "PUT") else b"",
        "scheme": draw(st.sampled_from(["https", "https", "https", "http"])),
        "host": draw(st.sampled_from([HOST, HOST, b"localhost:80"])),
    }


class Pair:
    """One policy twice: as it runs, and with somebody who watches, for whom every exchange is judged in full."""

    def __init__(self, folder: Path) -> None:
        self.told: list[Any] = []
        text = policy_text(RULES, ROUTES)
        self.plain = Shop(folder / "plain", text)
        self.watched = Shop(folder / "watched", text, observer=lambda *seen: self.told.append(seen))
        self.consents = {one: self._consents(one) for one in (self.plain, self.watched)}

    @staticmethod
    def _consents(one: Shop) -> dict[str | None, bytes]:
        made: dict[str | None, bytes] = {"accept": run(one.choose("accept")), "ads": run(one.choose("accept", "ads"))}
        made["refuse"] = run(one.choose("refuse"))
        made["forged"] = made["accept"][:-3] + b"xyz"
        return made

    def ask(self, one: Shop, drawn: dict[str, Any]) -> tuple[Answer, list[Any], list[int]]:
        """Send it; returns the answer, the lines it left, and how many there were at each message that went out."""
        consent = self.consents[one].get(drawn["consent"])
        cookies = [*drawn["cookies"], *([consent] if consent else [])]
        headers = [*drawn["headers"], *([(b"cookie", b"; ".join(cookies))] if cookies else [])]
        one.reply = drawn["reply"]
        before = len(one.lines())
        counts: list[int] = []

        def count(message: Message) -> None:
            counts.append(len(one.lines()) - before)

        answer = run(
            one.ask(
                drawn["method"],
                drawn["path"],
                headers=headers,
                body=drawn["body"],
                scheme=drawn["scheme"],
                host=drawn["host"],
                on_send=count,
            )
        )
        return answer, [_shared(line) for line in one.lines()[before:]], counts

    def close(self) -> None:
        self.plain.close()
        self.watched.close()


def _shared(line: dict[str, Any]) -> dict[str, Any]:
    """Return what two trails have in common: not their own numbers, nor the ids of their own consents."""
    kept = {key: value for key, value in line.items() if key not in ("seq", "stream", "prev")}
    if "consent" in kept:
        kept["consent"] = len(kept["consent"])
    told = [{**reason, "what": sorted(reason.get("what", []))} for reason in kept.get("why", [])]
    kept["why"] = sorted(told, key=repr)
    kept["pd"] = sorted(kept.get("pd", []), key=repr)
    return kept


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = Pair(tmp_path_factory.mktemp("pair"))
    yield made
    made.close()


def _own(value: bytes, consents: dict[str | None, bytes]) -> bytes:
    for name, consent in consents.items():
        value = value.replace(consent, str(name).encode())
    return value


@given(exchanges())
@settings(max_examples=300)
def test_both_ways_through_do_and_tell_the_same_and_the_line_comes_first(pair: Pair, drawn: dict[str, Any]) -> None:
    answers = {}
    for one in (pair.plain, pair.watched):
        answer, lines, counts = pair.ask(one, drawn)
        consents = pair.consents[one]
        seen = answer.scope and [(name, _own(value, consents)) for name, value in answer.scope["headers"]]
        answers[one] = {"out": answer.messages, "scope": seen, "body": answer.body_seen, "lines": lines}
        assert_line_first(answer, lines, counts)
    for part, plain in answers[pair.plain].items():
        assert plain == answers[pair.watched][part], part


def assert_line_first(answer: Answer, lines: list[Any], counts: list[int]) -> None:
    released = [line for line in lines if line.get("stage") == "released"]
    assert len(released) <= 1
    if released:
        assert counts[0] == 1, "the line is there before the first byte"
        assert released[0]["status"] == answer.status
    if answer.status in (308, 403, 502) and not answer.called:
        assert released


@pytest.mark.parametrize("path", ["/", "/account", "/stats", "/none"])
@pytest.mark.parametrize("consent", [b"", b"_ga=1; odd=2"])
async def test_an_app_that_fails_on_a_plain_request_leaves_a_line_too(
    shop: MakeShop, path: str, consent: bytes
) -> None:
    one = shop(COOKIES)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError

    one.inner = app
    with pytest.raises(LookupError):
        await one.ask("GET", path, headers=[(b"cookie", consent)] if consent else [])
    assert [line["outcome"] for line in one.lines()] == (["failed"] if consent else [])


async def test_every_answer_of_every_kind_has_its_line_before_its_first_byte(shop: MakeShop) -> None:
    one = shop(RULES)
    consent = await one.choose("accept")
    asks: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", "/account", {}), ("GET", "/account?gender=1", {}), ("GET", "/stats", {}), ("HEAD", "/stats", {}),
        ("POST", "/order", {"json_body": {"email": "a@b.example"}}), ("POST", "/order", {"body": b"{"}),
        ("POST", "/order", {"json_body": {"birth": "2020-01-01"}}), ("GET", "/", {"scheme": "http"}),
        ("GET", "/", {"headers": [(b"cookie", b"_ga=1")]}), ("POST", "/contact", {"body": b"{"}),
        ("POST", "/.privacy/accept", {"json_body": {}}), ("POST", "/.privacy/refuse", {"json_body": {}}),
        ("POST", "/.privacy/withdraw", {"json_body": {}, "headers": [(b"cookie", consent)]}),
    ]  # fmt: skip
    for reply in (
        as_json({"email": "a@b.example", "gender": 1}),
        as_json(b"{", length=False),
        Reply(kind=b"text/html"),
    ):
        for method, path, more in asks:
            one.reply = reply
            before = len(one.lines())
            counts: list[int] = []
            await one.ask(method, path, on_send=_counting(one, before, counts), **more)
            if len(one.lines()) > before:
                assert counts[0] >= 1, (method, path)


def _counting(one: Shop, before: int, counts: list[int]) -> Callable[[Message], None]:
    return lambda _message: counts.append(len(one.lines()) - before)
