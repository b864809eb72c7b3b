"""Websockets: the handshake is judged, cookies are filtered both ways, a refusal comes before anything is accepted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.asgi.conftest import MakeShop
from tests.asgi.test_denials import broken
from tests.asgi.wire import COOKIES, FIELDS, HOST, Shop
from troth._types import Message, Scope

DENY = "- {id: no-stats, clause: C-7, for: exchange, match: {purpose: analytics}, otherwise: deny}\n"
ACCEPT: Message = {"type": "websocket.accept", "headers": [(b"set-cookie", b"_ga=1"), (b"set-cookie", b"session=2")]}


class Talk:
    """One websocket: what the app says, what it sees, what the client gets."""

    def __init__(self, one: Shop, *says: Message, fails: bool = False) -> None:
        self.one = one
        self.says = says
        self.fails = fails
        self.scope: Scope | None = None
        self.out: list[Message] = []
        self.lines_at: list[int] = []
        one.inner = self._app

    async def _app(self, scope: Scope, receive: Any, send: Any) -> None:
        self.scope = scope
        await receive()
        for message in self.says:
            await send(message)
        if self.fails:
            raise LookupError("canary")

    async def run(self, path: str = "/", *headers: tuple[bytes, bytes], offered: bool = False, **more: Any) -> Talk:
        path, _, query = path.partition("?")
        scope: Scope = {
            "type": "websocket", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "wss", "path": path,
            "raw_path": path.encode(), "query_string": query.encode(), "root_path": "", "subprotocols": [],
            "headers": [(b"host", HOST), *headers],
            "extensions": {"websocket.http.response": {}} if offered else {}, **more,
        }  # fmt: skip

        async def receive() -> Message:
            return {"type": "websocket.connect"}

        async def send(message: Message) -> None:
            self.lines_at.append(len(self.one.lines()))
            self.out.append(message)

        await self.one.middleware(scope, receive, send)
        return self


async def test_cookies_are_filtered_both_ways_and_told_before_the_answer(shop: MakeShop) -> None:
    one = shop(COOKIES)
    talk = await Talk(one, ACCEPT, {"type": "websocket.send", "text": "x"}).run("/", (b"cookie", b"_ga=1; session=2"))
    assert talk.scope is not None
    assert talk.scope["headers"][1] == (b"cookie", b"session=2")
    accepted = talk.out[0]
    assert [pair for pair in accepted["headers"] if pair[0] == b"set-cookie"] == [(b"set-cookie", b"session=2")]
    assert talk.out[1] == {"type": "websocket.send", "text": "x"}
    assert talk.lines_at == [1, 1]
    (line,) = one.lines()
    assert line["kind"] == "websocket"
    assert line["status"] == 101
    assert set(one.reasons(line)) == {("wait", "withhold")}
    assert sum(reason["n"] for reason in line["why"]) == 2


async def test_refused_cookies_are_expired_on_acceptance(shop: MakeShop) -> None:
    one = shop(COOKIES)
    consent = await one.choose("refuse")
    talk = await Talk(one, {"type": "websocket.accept", "headers": []}).run("/", (b"cookie", b"_ga=1; " + consent))
    sent = [value for name, value in talk.out[0]["headers"] if name == b"set-cookie"]
    assert [value.partition(b"=")[0] for value in sent] == [b"_ga"]


async def test_a_refusal_is_a_response_where_the_server_offers_one(shop: MakeShop) -> None:
    one = shop(DENY)
    talk = await Talk(one, ACCEPT).run("/stats", offered=True)
    assert talk.scope is None
    assert [message["type"] for message in talk.out] == [
        "websocket.http.response.start", "websocket.http.response.body",
    ]  # fmt: skip
    assert talk.out[0]["status"] == 403
    assert json.loads(talk.out[1]["body"])["rule"] == "no-stats"
    assert talk.lines_at[0] == 1
    assert one.lines()[0]["status"] == 403


async def test_a_refusal_is_a_close_before_acceptance_elsewhere(shop: MakeShop) -> None:
    one = shop(DENY)
    talk = await Talk(one, ACCEPT).run("/stats")
    assert (talk.scope, talk.out) == (None, [{"type": "websocket.close", "code": 1008}])
    assert talk.lines_at == [1]


async def test_query_fields_are_cut_out(shop: MakeShop) -> None:
    one = shop(FIELDS)
    talk = await Talk(one, ACCEPT).run("/account?a=1&gender=f")
    assert talk.scope is not None
    assert talk.scope["query_string"] == b"a=1"
    assert one.reasons() == [("in-the-row", "withhold")]


async def asks_after(scope: Scope) -> None:
    return None


async def test_a_rule_that_waits_for_the_answer_is_judged_when_the_app_accepts(shop: MakeShop) -> None:
    """Who asks is known once the app has looked; nobody is let in only because the answer to that came late."""
    rules = "- {id: members, clause: C-7, for: exchange, only-if: {actor: account}, otherwise: deny}\n"
    routes = f"binding:\n  routes:\n    'GET /stats': {{purpose: sale}}\n  actor: {{after: '{__name__}:asks_after'}}\n"
    one = shop(rules, routes=routes)
    talk = await Talk(one, ACCEPT, {"type": "websocket.send", "text": "secret"}).run("/stats")
    assert talk.out == [{"type": "websocket.close", "code": 1008}]
    assert one.reasons() == [("members", "deny")]


@pytest.mark.parametrize("offered", [True, False])
async def test_nothing_is_accepted_whose_line_cannot_be_written(
    shop: MakeShop, monkeypatch: pytest.MonkeyPatch, offered: bool
) -> None:
    one = shop(COOKIES)
    broken(monkeypatch, one)
    talk = await Talk(one, ACCEPT, {"type": "websocket.send", "text": "x"}).run("/", offered=offered)
    assert talk.out == [{"type": "websocket.close", "code": 1011}]


async def test_a_refusal_by_the_app_is_filtered_like_any_answer(shop: MakeShop) -> None:
    one = shop(FIELDS)
    body = b'{"gender": "f", "n": 1.10}'
    start = {
        "type": "websocket.http.response.start", "status": 403,
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))],
    }  # fmt: skip
    part = "websocket.http.response.body"
    talk = await Talk(
        one, start, {"type": part, "body": body[:5], "more_body": True}, {"type": part, "body": body[5:]}
    ).run("/account", offered=True)
    assert b"".join(message.get("body", b"") for message in talk.out) == b'{"n": 1.10}'
    assert (b"content-length", b"11") in talk.out[0]["headers"]
    assert {message["type"] for message in talk.out[1:]} == {part}
    assert one.reasons() == [("in-the-row", "withhold")]


@pytest.mark.parametrize("fails", [True, False])
async def test_an_app_that_never_answers_leaves_a_line_of_what_was_withheld(shop: MakeShop, fails: bool) -> None:
    one = shop(COOKIES)
    talk = Talk(one, fails=fails)
    if fails:
        with pytest.raises(LookupError):
            await talk.run("/", (b"cookie", b"_ga=1"))
    else:
        await talk.run("/", (b"cookie", b"_ga=1"))
    assert talk.out == []
    assert one.reasons() == [("wait", "withhold")]


async def test_plain_websockets_are_refused_where_https_is_asked(shop: MakeShop) -> None:
    one = shop("- {id: tls, clause: C-9, for: exchange, only-if: {https: true}, otherwise: deny}\n")
    talk = await Talk(one, ACCEPT).run("/", scheme="ws")
    assert talk.out == [{"type": "websocket.close", "code": 1008}]
