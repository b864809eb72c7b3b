"""Pages that a rule reads: held whole, told before the first byte, sent as they came."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from typing import Any

import pytest

from tests.asgi.conftest import MakeShop
from tests.asgi.wire import POLICY, Answer, Reply, Shop, run
from troth._types import Message, Receive, Scope, Send

BANNER = """
- id: banner
  clause: C-1
  for: page
  match: {not: {any: [{consent: any}, {refused: any}]}}
  expect: {shows: [yes-control, no-control]}
"""
DENIED = BANNER + "  otherwise: deny\n"
DATED = "- {id: dated, clause: C-2, for: page, match: {route: policy}, expect: {shows: effective}}\n"
BREACH = """
- id: breach
  clause: C-3
  for: page
  match: {state: breached}
  expect: {shows: breach-notice}
  otherwise: amend
"""
ROUTES = """
binding:
  actor: {before: 'tests.asgi.test_pages:actor'}
  state: tests.asgi.test_pages:states
  limits: {hold-response: 2KiB}
  routes:
    'GET /privacy': {tag: policy, audience: public}
    'POST /order': {purpose: sale}
"""
PLAIN = "binding: {limits: {hold-response: 2KiB}, routes: {'GET /privacy': {tag: policy, audience: public}}}"
"""Nobody is asked who is there: most is settled by the head, and goes by the express lane."""
RELATIVE = ROUTES.replace("'GET /privacy'", "'GET /imprint': {tag: imprint, audience: public}\n    'GET /privacy'")
MARKS = (
    POLICY.replace("versions: [{id: '1'}]", "versions: [{id: '1', effective: 2026-05-01}]").rstrip()
    + """
  states: {breached: {of: person}, told: {of: person}}
  marks:
    yes-control: {control: consent}
    no-control: {control: refuse}
    effective: {date: of-version, near: in force}
    here: {link: imprint}
    breach-notice: {notice: breach.html, once: told}
"""
)
YES = b'<form method="post" action="/.privacy/accept"><button>Yes</button></form>'
NO = b'<form method="post" action="/.privacy/refuse"><button>No</button></form>'
WHOLE = b"<!doctype html><title>Shop</title><p>Hello</p>" + YES + NO
HALF = WHOLE.replace(NO, b"")


def actor(scope: Scope) -> str | None:
    return next((value.decode() for name, value in scope["headers"] if name == b"x-who"), None)


def states(ids: list[str]) -> dict[str, list[Any]]:
    return {one: {"ann": ["breached"], "cat": ["breached", "told"]}.get(one, []) for one in ids}


def guarded(shop: MakeShop, rules: str = BANNER, **more: Any) -> Shop:
    return shop(rules, routes=more.pop("routes", ROUTES), policy=MARKS, **more)


def as_page(body: bytes, *, kind: bytes = b"text/html; charset=utf-8", **more: Any) -> Reply:
    return Reply(body=body, kind=kind, **more)


async def told(site: Shop, reply: Reply, path: str = "/", **more: Any) -> tuple[Answer, dict[str, Any] | None]:
    before = len(site.lines())
    site.reply = reply
    answer = await site.ask(path=path, **more)
    lines = site.lines()[before:]
    assert len(lines) < 2
    return answer, lines[0] if lines else None


def unchanged(answer: Answer, reply: Reply) -> bool:
    return answer.messages == reply.messages()


# what is shown ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("routes", [ROUTES, PLAIN])
async def test_a_page_that_lacks_a_mark_is_told_and_sent_as_it_came(shop: MakeShop, routes: str) -> None:
    site = guarded(shop, routes=routes)
    reply = as_page(HALF, cuts=(10, 20))
    answer, line = await told(site, reply)
    assert unchanged(answer, reply)
    assert line is not None
    assert line["why"] == [{"rule": "banner", "clause": ["C-1"], "thing": "page", "action": "alert", "n": 1}]
    assert "inspect" not in line


async def test_a_page_that_shows_all_marks_is_told_nothing_of(shop: MakeShop) -> None:
    site = guarded(shop)
    reply = as_page(WHOLE)
    answer, line = await told(site, reply)
    assert unchanged(answer, reply)
    assert line is None


@pytest.mark.parametrize("cut", range(1, len(HALF), 7))
async def test_every_cut_of_a_page_is_judged_alike(shop: MakeShop, cut: int) -> None:
    site = guarded(shop)
    whole, half = as_page(WHOLE, cuts=(cut,)), as_page(HALF, cuts=(cut,))
    assert (await told(site, whole))[1] is None
    answer, line = await told(site, half)
    assert unchanged(answer, half)
    assert line is not None


@pytest.mark.parametrize("routes", [ROUTES, PLAIN])
async def test_whoever_has_chosen_gets_the_page_at_once(shop: MakeShop, routes: str) -> None:
    order: list[str] = []

    async def slow(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in as_page(HALF, cuts=(30,), length=False).messages():
            order.append("app")
            await send(message)

    site = guarded(shop, routes=routes, app=slow)
    cookie = await site.choose("refuse")
    answer = await site.ask(headers=[(b"cookie", cookie)], on_send=lambda _message: order.append("client"))
    assert answer.body == HALF
    assert order[:2] == ["app", "client"]
    assert order[-2:] == ["app", "client"]
    assert [line for line in site.lines() if line.get("why")] == []
    site.inner = None
    assert (await told(site, as_page(HALF)))[1] is not None


@pytest.mark.parametrize("routes", [ROUTES, PLAIN])
async def test_a_page_is_judged_alike_the_second_time(shop: MakeShop, routes: str) -> None:
    site = guarded(shop, routes=routes)
    for body, expected in ((WHOLE, False), (HALF, True), (WHOLE, False), (HALF, True)):
        _, line = await told(site, as_page(body))
        assert (line is not None) is expected


async def test_a_page_that_is_remembered_is_judged_for_each_address_and_person_anew(shop: MakeShop) -> None:
    site = guarded(shop, BANNER.replace("yes-control, no-control", "here") + BREACH, routes=RELATIVE)
    for _ in range(2):
        for path, lacks in (("/shop/", True), ("/", False)):
            answer, line = await told(site, as_page(b'<a href="imprint">Imprint</a>'), path)
            assert answer.status == 200
            assert (line is not None and ("banner", "alert") in site.reasons(line)) is lacks
        for who, lacks in ((b"ann", True), (b"cat", False), (b"bob", False)):
            _, line = await told(site, as_page(b'<a href="imprint">Imprint</a>'), headers=[(b"x-who", who)])
            assert (line is not None and ("breach", "amend") in site.reasons(line)) is lacks


async def test_many_pages_are_not_all_remembered(shop: MakeShop) -> None:
    site = guarded(shop, routes=PLAIN)
    for number in range(300):
        await told(site, as_page(b"%d" % number))
    assert len(site.middleware.runtime.first.pages) == 256


async def test_the_day_on_the_policy_page_is_that_of_the_version_in_force(shop: MakeShop) -> None:
    site = guarded(shop, DATED)
    right = as_page(b"<p>In force since <b>1 May 2026</b></p>")
    assert (await told(site, right, "/privacy"))[1] is None
    _, line = await told(site, as_page(b"<p>In force since 1 May 2025</p>"), "/privacy")
    assert site.reasons(line) == [("dated", "alert")]
    assert (await told(site, as_page(b"<p>In force since 1 May 2025</p>"), "/"))[1] is None


async def test_a_notice_that_should_be_put_on_a_page_is_told_to_be_missing_still(shop: MakeShop) -> None:
    site = guarded(shop, BREACH)
    _, line = await told(site, as_page(HALF), headers=[(b"x-who", b"ann")])
    assert line is not None
    entry = {"rule": "breach", "clause": ["C-3"], "thing": "page", "action": "amend", "n": 1, "remainder": "markup"}
    assert line["why"] == [entry]
    _, line = await told(site, as_page(b'<p data-notice="breach">Sorry</p>'), headers=[(b"x-who", b"ann")])
    assert line is None or line["why"] == []


@pytest.mark.parametrize("who", [b"bob", b"cat", b""])
async def test_a_notice_is_for_those_whom_it_concerns_until_they_were_told(shop: MakeShop, who: bytes) -> None:
    site = guarded(shop, BREACH)
    _, line = await told(site, as_page(HALF), headers=[(b"x-who", who)] if who else [])
    assert line is None or line["why"] == []


async def test_a_page_without_marks_that_a_rule_denies_is_not_shown(shop: MakeShop) -> None:
    site = guarded(shop, DENIED)
    answer, line = await told(site, as_page(HALF))
    assert (answer.status, line and line["app_status"]) == (403, 200)
    assert YES not in answer.body
    assert (await told(site, as_page(WHOLE)))[0].status == 200


async def test_what_only_a_dry_rule_misses_is_an_alert(shop: MakeShop) -> None:
    site = guarded(shop, DENIED, mode="dry-run")
    answer, line = await told(site, as_page(HALF))
    assert answer.body == HALF
    assert line is not None
    assert (line["why"][0]["action"], line["why"][0]["would"]) == ("alert", "deny")


# bytes -----------------------------------------------------------------------------------------------------------


def deflated(body: bytes) -> bytes:
    return zlib.compress(body)


@pytest.mark.parametrize(("coding", "encode"), [(b"gzip", gzip.compress), (b"deflate", deflated)])
async def test_coded_pages_are_read_and_sent_as_they_came(shop: MakeShop, coding: bytes, encode: Any) -> None:
    site = guarded(shop)
    half = as_page(encode(HALF), headers=[(b"content-encoding", coding)])
    answer, line = await told(site, half)
    assert unchanged(answer, half)
    assert site.reasons(line) == [("banner", "alert")]
    assert line is not None
    assert "inspect" not in line
    assert (await told(site, as_page(encode(WHOLE), headers=[(b"content-encoding", coding)])))[1] is None


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (as_page(WHOLE, headers=[(b"content-encoding", b"br")]), "coding"),
        (as_page(WHOLE, headers=[(b"content-encoding", b"gzip")]), "malformed"),
        (as_page(WHOLE, kind=b"text/html; charset=utf-7"), "charset"),
        (as_page(WHOLE + b" " * 3000), "partial"),
        (as_page(WHOLE + b" " * 3000, cuts=(1000, 2000), length=False), "partial"),
        (as_page(gzip.compress(WHOLE + b" " * 9000), headers=[(b"content-encoding", b"gzip")]), "partial"),
        (as_page(WHOLE, status=206), "partial"),
        (as_page(b"<b>" * 600 + WHOLE), None),
    ],
)
async def test_a_page_that_cannot_be_read_whole_meets_no_mark(shop: MakeShop, reply: Reply, reason: str | None) -> None:
    site = guarded(shop)
    answer, line = await told(site, reply)
    assert unchanged(answer, reply)
    if reason is None:
        assert line is None
        return
    assert line is not None
    assert line["inspect"]["response"] == reason
    assert site.reasons(line) == [("banner", "alert")]


async def test_a_rule_that_lets_unreadable_pages_pass_says_so_and_is_silent(shop: MakeShop) -> None:
    site = guarded(shop, BANNER + "  unreadable: pass\n")
    reply = as_page(WHOLE + b" " * 3000)
    answer, line = await told(site, reply)
    assert unchanged(answer, reply)
    assert line is not None
    assert (line["why"], line["inspect"]) == ([], {"response": "partial"})


async def test_a_page_that_a_rule_denies_and_nobody_can_read_is_a_failed_response(shop: MakeShop) -> None:
    site = guarded(shop, DENIED)
    answer, line = await told(site, as_page(WHOLE, headers=[(b"content-encoding", b"br")]))
    assert (answer.status, line and line["app_status"]) == (502, 200)
    assert b"could not be read" in answer.body or b"could not be read" in b"".join(v for _, v in answer.headers)


@pytest.mark.parametrize("routes", [ROUTES, PLAIN])
async def test_only_codings_that_can_be_read_are_offered_where_pages_are_read(shop: MakeShop, routes: str) -> None:
    site = guarded(shop, routes=routes)
    await told(site, as_page(WHOLE))
    answer, _ = await told(site, as_page(WHOLE), headers=[(b"accept-encoding", b"br, gzip;q=0.5")])
    assert answer.app_values(b"accept-encoding") == [b"gzip;q=0.5"]
    cookie = await site.choose("refuse")
    chosen = [(b"accept-encoding", b"br, gzip;q=0.5"), (b"cookie", cookie)]
    answer, _ = await told(site, as_page(WHOLE), headers=chosen)
    assert answer.app_values(b"accept-encoding") == [b"br, gzip;q=0.5"]


@pytest.mark.parametrize("routes", [ROUTES, PLAIN])
async def test_files_are_not_sent_past_the_reading(shop: MakeShop, routes: str) -> None:
    site = guarded(shop, routes=routes)
    extensions: dict[str, Any] = {"http.response.pathsend": {}, "http.response.trailers": {}}
    answer, _ = await told(site, as_page(WHOLE), extensions=extensions)
    assert answer.scope is not None
    assert set(answer.scope["extensions"]) == {"http.response.trailers"}


# what is no page -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "method"),
    [
        (as_page(b"", length=False), "HEAD"),
        (as_page(b"", status=304, length=False), "GET"),
        (as_page(b"", status=204, length=False), "GET"),
        (as_page(HALF, status=303, headers=[(b"location", b"/")]), "GET"),
        (Reply(body=HALF, kind=b"text/plain"), "GET"),
        (Reply(body=HALF, kind=b"application/json"), "GET"),
    ],
)
async def test_what_nobody_is_shown_has_no_marks_to_miss(shop: MakeShop, reply: Reply, method: str) -> None:
    site = guarded(shop)
    answer, line = await told(site, reply, method=method)
    assert unchanged(answer, reply)
    assert line is None or line["why"] == []


@pytest.mark.parametrize("status", [400, 404, 500])
async def test_error_pages_are_pages(shop: MakeShop, status: int) -> None:
    site = guarded(shop)
    assert site.reasons((await told(site, as_page(HALF, status=status)))[1]) == [("banner", "alert")]
    assert (await told(site, as_page(WHOLE, status=status)))[1] is None


async def test_an_empty_page_shows_nothing(shop: MakeShop) -> None:
    assert (await told(guarded(shop), as_page(b"")))[1] is not None


# moments ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("routes", [ROUTES, PLAIN])
async def test_the_line_is_written_before_the_first_byte(shop: MakeShop, routes: str) -> None:
    site = guarded(shop, routes=routes)
    site.reply = as_page(HALF, cuts=(10,), length=False)
    seen: list[int] = []
    await site.ask(on_send=lambda _message: seen.append(len(site.lines())))
    assert seen == [1, 1, 1]


async def test_a_stream_without_a_length_waits_until_it_is_whole(shop: MakeShop) -> None:
    order: list[str] = []

    async def slow(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in as_page(HALF, cuts=(30,), length=False).messages():
            order.append("app")
            await send(message)
            await asyncio.sleep(0)

    site = guarded(shop, app=slow)
    answer = await site.ask(on_send=lambda _message: order.append("client"))
    assert answer.body == HALF
    assert order == ["app"] * 3 + ["client"] * 3


async def test_a_stream_past_the_limit_goes_on_from_there(shop: MakeShop) -> None:
    site = guarded(shop)
    reply = as_page(WHOLE + b" " * 5000, cuts=(1000, 3000, 4000), length=False)
    order: list[int] = []
    site.reply = reply
    answer = await site.ask(on_send=lambda message: order.append(len(message.get("body", b""))))
    assert answer.messages == reply.messages()
    assert [line.get("stage") for line in site.lines()] == ["released", "outcome"]
    assert site.lines()[0]["inspect"] == {"response": "partial"}


async def test_an_app_that_waits_for_more_of_the_request_is_not_kept_waiting(shop: MakeShop) -> None:
    async def talks(_scope: Scope, receive: Receive, send: Send) -> None:
        first, *rest = as_page(HALF, cuts=(30,), length=False).messages()
        await receive()
        await send(first)
        await send(rest[0])
        await receive()
        await send(rest[1])

    site = guarded(shop, app=talks)
    answer = await site.ask("POST", "/order", body=[b"{}", b" "], length=False)
    assert answer.body == HALF
    line = site.lines()[0]
    assert line["inspect"]["response"] == "partial"
    assert ("banner", "alert") in site.reasons(line)


async def test_an_app_that_fails_within_a_held_page_sends_nothing(shop: MakeShop) -> None:
    async def fails(_scope: Scope, _receive: Receive, send: Send) -> None:
        start, part, *_ = as_page(HALF, cuts=(30,), length=False).messages()
        await send(start)
        await send(part)
        raise LookupError

    site = guarded(shop, app=fails)
    sent: list[Message] = []
    with pytest.raises(LookupError):
        await site.ask(on_send=sent.append)
    assert sent == []


async def test_others_get_their_turn_while_a_large_page_is_read(shop: MakeShop) -> None:
    site = guarded(shop, routes=ROUTES.replace("2KiB", "2MiB"))
    site.reply = as_page(b"<p>word</p>" * 50_000)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    await site.ask()
    beside.cancel()
    assert turns > 30


def test_no_text_of_a_page_stands_in_the_trail(shop: MakeShop) -> None:
    site = guarded(shop, BANNER + DATED + BREACH)

    async def ask() -> None:
        await told(site, as_page(b'<p id="canary-1">canary-2 <a href="/canary-3">x</a>'), "/privacy")

    run(ask())
    assert b"canary" not in site.trail()
