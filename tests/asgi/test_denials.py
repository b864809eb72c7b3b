"""Refusals: what they look like, that the app is not called, that they name rule and clause and hold no value."""

from __future__ import annotations

import errno
import gzip
import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from tests.asgi.conftest import MakeShop
from tests.asgi.wire import FIELDS, Reply, Shop, as_json
from troth.errors import ConfigurationError

DENY = "- {id: no-stats, clause: [C-7, C-8], for: exchange, match: {purpose: analytics}, otherwise: deny}\n"
DENY_401 = "- {id: who, clause: C-7, for: exchange, match: {purpose: analytics}, otherwise: {deny: 401}}\n"
HTTPS = "- {id: tls, clause: C-9, for: exchange, only-if: {https: true}, otherwise: deny}\n"
HTML = [(b"accept", b"text/html,application/xhtml+xml")]


async def test_a_browser_gets_a_page_that_names_rule_and_clause_and_links_to_the_policy(shop: MakeShop) -> None:
    one = shop(DENY)
    answer = await one.ask("GET", "/stats?secret=1", headers=[*HTML, (b"x-v", b"canary")], root_path="/shop")
    assert (answer.status, answer.called) == (403, False)
    assert answer.values(b"content-type") == [b"text/html; charset=utf-8"]
    assert answer.values(b"cache-control") == [b"no-store"]
    assert answer.values(b"content-length") == [b"%d" % len(answer.body)]
    for part in (b"no-stats", b"C-7, C-8", b'href="/shop/.privacy/policy"'):
        assert part in answer.body
    assert b"canary" not in answer.body
    assert b"secret" not in answer.body
    (line,) = one.lines()
    assert (line["status"], one.reasons(line)) == (403, [("no-stats", "deny")])


@pytest.mark.parametrize("accept", [None, b"*/*", b"application/json", b"application/problem+json, text/html"])
async def test_a_program_gets_a_problem_document(shop: MakeShop, accept: bytes | None) -> None:
    one = shop(DENY)
    answer = await one.ask("GET", "/stats", headers=[] if accept is None else [(b"accept", accept)])
    assert answer.values(b"content-type") == [b"application/problem+json"]
    document = json.loads(answer.body)
    assert document == {
        "type": "about:blank", "title": "Withheld by the privacy policy", "status": 403, "policy": "/.privacy/policy",
        "rule": "no-stats", "clause": "C-7, C-8",
    }  # fmt: skip


async def test_a_rule_says_which_status(shop: MakeShop) -> None:
    one = shop(DENY_401)
    assert (await one.ask("GET", "/stats")).status == 401
    assert one.lines()[-1]["status"] == 401


async def test_head_is_denied_without_a_body(shop: MakeShop) -> None:
    one = shop(DENY)
    answer = await one.ask("HEAD", "/stats")
    assert (answer.status, answer.body) == (403, b"")
    assert answer.values(b"content-length") != [b"0"]


@pytest.mark.parametrize(("method", "status"), [("GET", 308), ("HEAD", 308), ("POST", 403), ("BREW", 403)])
async def test_plain_http_is_sent_to_https_before_anything_else(shop: MakeShop, method: str, status: int) -> None:
    one = shop(DENY + HTTPS)
    answer = await one.ask(method, "/stats?a=1&b=%20", scheme="http", raw_path=b"/sta%74s")
    assert (answer.status, answer.called) == (status, False)
    if status == 308:
        assert answer.values(b"location") == [b"https://shop.example/sta%74s?a=1&b=%20"]
    assert ("tls", "deny") in one.reasons()


async def test_a_redirect_drops_the_port(shop: MakeShop) -> None:
    answer = await shop(HTTPS).ask("GET", "/", scheme="http", host=b"shop.example:8080")
    assert answer.values(b"location") == [b"https://shop.example/"]


@pytest.mark.parametrize("host", [b"localhost:8000", b"127.0.0.1", b"[::1]:80", b"x.localhost"])
async def test_loopback_needs_no_https(shop: MakeShop, host: bytes) -> None:
    assert (await shop(HTTPS).ask("GET", "/", scheme="http", host=host)).status == 200


# bodies that cannot be read -------------------------------------------------------------------------------------------

BIG = b'{"email": "' + b"x" * 70_000 + b'"}'
BAD: dict[str, tuple[bytes, list[tuple[bytes, bytes]], int]] = {
    "too large": (BIG, [], 413),
    "a bomb": (gzip.compress(b" " * 10_000_000), [(b"content-encoding", b"gzip")], 413),
    "unknown coding": (b'{"email": 1}', [(b"content-encoding", b"br")], 415),
    "three codings": (b'{"email": 1}', [(b"content-encoding", b"gzip, gzip, gzip")], 415),
    "truncated": (b'{"email": "a@b.exam', [], 400),
    "truncated gzip": (gzip.compress(b'{"email": 1}')[:-6], [(b"content-encoding", b"gzip")], 400),
    "not gzip": (b'{"email": 1}', [(b"content-encoding", b"gzip")], 400),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_guarded_body_that_cannot_be_read_never_reaches_the_app(shop: MakeShop, name: str) -> None:
    one = shop(FIELDS)
    body, headers, status = BAD[name]
    answer = await one.ask("POST", "/order", body=body, headers=headers)
    assert (answer.status, answer.called) == (status, False)
    document = json.loads(answer.body)
    assert (document["rule"], document["clause"]) == ("in-the-row", "C-3")
    assert b"a@b" not in answer.body
    (line,) = one.lines()
    assert line["status"] == status
    assert line["inspect"]["request"] in ("too-large", "coding", "malformed")
    assert one.reasons(line) == [("in-the-row", "deny")]


@pytest.mark.parametrize("name", BAD)
async def test_a_protected_route_gets_the_request_without_that_body(shop: MakeShop, name: str) -> None:
    one = shop(FIELDS)
    body, headers, _ = BAD[name]
    half = len(body) // 2
    for chunks in ([body], [body[:half], body[half:]], [body[:half], body[half:], b"", b""]):
        answer = await one.ask("POST", "/contact", body=chunks, headers=headers)
        assert (answer.status, answer.body_seen) == (200, b"")
        assert answer.app_values(b"content-length") == [b"0"]
        assert answer.app_values(b"content-encoding") == []
        assert "request" in one.lines()[-1]["inspect"]


@pytest.mark.parametrize("name", BAD)
async def test_a_body_that_is_only_tagged_passes_and_the_line_says_why_it_was_not_read(
    shop: MakeShop, name: str
) -> None:
    one = shop()
    body, headers, _ = BAD[name]
    answer = await one.ask("POST", "/order", body=body, headers=headers)
    assert answer.body_seen == body
    assert one.lines()[-1]["inspect"]["request"] in ("too-large", "coding", "malformed")


@pytest.mark.parametrize("name", set(BAD) - {"too large"})
async def test_a_guarded_response_that_cannot_be_read_is_replaced(shop: MakeShop, name: str) -> None:
    one = shop(FIELDS)
    body, headers, _ = BAD[name]
    if name == "a bomb":
        body = gzip.compress(b" " * 20_000_000)
    one.reply = as_json(body, headers=[*headers, (b"set-cookie", b"session=1")], status=201)
    answer = await one.ask("GET", "/account")
    assert answer.status == 502
    assert answer.values(b"set-cookie") == []
    assert b"a@b" not in answer.body
    assert json.loads(answer.body)["rule"] == "in-the-row"
    line = one.lines()[-1]
    assert (line["status"], line["app_status"]) == (502, 201)
    assert one.reasons(line) == [("in-the-row", "deny")]


async def test_a_guarded_response_over_its_limit_is_replaced_and_the_rest_of_it_goes_nowhere(shop: MakeShop) -> None:
    routes = "binding:\n  routes:\n    'GET /account': {purpose: sale}\n  limits: {hold-response: 1000}\n"
    one = shop(FIELDS, routes=routes)
    one.reply = as_json(b'{"a": "' + b"x" * 2000 + b'"}', cuts=(900, 1100, 1500), length=False)
    answer = await one.ask("GET", "/account")
    assert answer.status == 502
    assert [message["type"] for message in answer.messages] == ["http.response.start", "http.response.body"]
    (line,) = one.lines()
    assert line["inspect"] == {"response": "too-large"}


# the trail ------------------------------------------------------------------------------------------------------------


def broken(monkeypatch: pytest.MonkeyPatch, one: Shop) -> None:
    """Let every write of a line fail as on a full disk."""

    def full(fd: int, data: bytes, real: Callable[[int, Any], int] = os.write) -> int:
        if b'"seq"' in bytes(data):
            raise OSError(errno.ENOSPC, "full")
        return real(fd, data)

    monkeypatch.setattr(os, "write", full)


async def test_nothing_goes_out_whose_line_cannot_be_written(shop: MakeShop, monkeypatch: pytest.MonkeyPatch) -> None:
    one = shop(FIELDS + DENY)
    one.reply = as_json(b'{"email": "a@b.example"}')
    broken(monkeypatch, one)
    for path in ("/account", "/stats"):
        answer = await one.ask("GET", path, headers=HTML)
        assert answer.status == 503
        assert b"a@b" not in answer.body
        assert answer.values(b"cache-control") == [b"no-store"]
    one.reply = Reply()
    assert (await one.ask("GET", "/")).status == 200, "no line is due"


async def test_protected_routes_answer_even_then(shop: MakeShop, monkeypatch: pytest.MonkeyPatch) -> None:
    one = shop(FIELDS)
    consent = await one.choose("accept")
    broken(monkeypatch, one)
    answer = await one.ask("POST", "/contact", json_body={"email": "a@b.example"})
    assert answer.status == 200
    left = await one.ask("POST", "/.privacy/withdraw", headers=[(b"cookie", consent)], json_body={})
    assert left.status == 200
    assert (await one.ask("GET", "/.privacy/policy")).status == 200
    assert (await one.ask("GET", "/.privacy/state", headers=[(b"cookie", consent)])).status == 200


async def test_a_stream_that_has_begun_is_cut_if_its_end_cannot_be_told(
    shop: MakeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = shop()

    async def app(scope, receive, send):
        start, first, last = as_json(b'{"email": "a"}', cuts=(4,), length=False).messages()
        await send(start)
        await send(first)
        broken(monkeypatch, one)
        await send(last)

    one.inner = app
    answer = await one.ask("GET", "/account")
    assert [message["type"] for message in answer.messages] == ["http.response.start", "http.response.body"]
    assert answer.messages[-1]["more_body"], "the client can tell that it was cut"


# a page of the app's own ----------------------------------------------------------------------------------------------

SEEN: list[Any] = []


def page(scope: Any, about: Any) -> Any:
    SEEN.append(dict(about))
    return 418, {"content-type": "text/plain"}, f"no: {about['rule']}"


async def late_page(scope: Any, about: Any) -> Any:
    return 451, [(b"content-type", b"text/plain"), (b"content-length", b"99")], b"no"


def as_app(scope: Any, about: Any) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 403, "headers": [(b"x-own", b"1")]})
        await send({"type": "http.response.body", "body": b"own"})

    return app


def failing(scope: Any, about: Any) -> Any:
    raise LookupError("canary")


def failing_app(scope: Any, about: Any) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("canary")

    return app


def nonsense(scope: Any, about: Any) -> Any:
    return "no"


HERE = __name__


async def test_a_hook_answers_in_place_of_the_page(shop: MakeShop) -> None:
    SEEN.clear()
    one = shop(DENY, denied=f"{HERE}:page")
    answer = await one.ask("GET", "/stats")
    assert (answer.status, answer.body) == (418, b"no: no-stats")
    assert answer.values(b"cache-control") == [b"no-store"]
    assert answer.values(b"content-length") == [b"12"]
    assert SEEN == [{"status": 403, "rule": "no-stats", "clauses": ["C-7", "C-8"]}]
    assert one.lines()[-1]["status"] == 403


async def test_a_hook_may_be_async_and_its_length_is_ours(shop: MakeShop) -> None:
    answer = await shop(DENY, denied=f"{HERE}:late_page").ask("GET", "/stats")
    assert (answer.status, answer.values(b"content-length")) == (451, [b"2"])


async def test_a_hook_may_give_an_app(shop: MakeShop) -> None:
    answer = await shop(DENY, denied=f"{HERE}:as_app").ask("GET", "/stats")
    assert (answer.body, answer.values(b"x-own")) == (b"own", [b"1"])


@pytest.mark.parametrize("name", ["failing", "failing_app", "nonsense"])
async def test_a_failing_hook_falls_back_to_the_built_in_page(
    shop: MakeShop, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await shop(DENY, denied=f"{HERE}:{name}").ask("GET", "/stats")
    assert (answer.status, json.loads(answer.body)["rule"]) == (403, "no-stats")
    assert "canary" not in caplog.text
    assert "WARNING" in caplog.text


async def test_a_redirect_is_never_the_hooks(shop: MakeShop) -> None:
    answer = await shop(HTTPS, denied=f"{HERE}:page").ask("GET", "/", scheme="http")
    assert answer.status == 308


def test_a_hook_that_is_not_there_stops_the_start(shop: MakeShop) -> None:
    with pytest.raises(ConfigurationError, match="cannot be imported"):
        shop(DENY, denied="tests.asgi.nowhere:page")
