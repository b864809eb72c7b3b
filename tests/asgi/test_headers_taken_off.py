"""`header: {X: none}`: a header that must not be sent is taken off the response, on every way through Troth."""

from __future__ import annotations

import json

from tests.asgi.conftest import MakeShop
from tests.asgi.wire import Answer, Reply, as_json

HINTS = """
- id: browsers-are-not-asked
  clause: H-1
  for: exchange
  match: {not: {consent: analytics}}
  expect: {header: {Accept-CH: none, Critical-CH: none}}
  otherwise: amend
"""
TOLD = """
- {id: told-only, clause: H-2, for: exchange, expect: {header: {X-Powered-By: none}}, otherwise: alert}
"""
MIXED = """
- id: sniffs-nothing
  clause: H-3
  for: exchange
  expect: {header: {X-Content-Type-Options: nosniff, X-Powered-By: none}}
  otherwise: amend
"""
ONE_OF = """
- id: one-of
  clause: H-4
  for: exchange
  expect: {header: {X-A: [none, ok], X-B: [ok, none], X-C: c}}
  otherwise: amend
"""
ASKS = [(b"Accept-CH", b"Sec-CH-UA-Model"), (b"x-other", b"1"), (b"accept-ch", b"DPR"), (b"Critical-CH", b"DPR")]


def names(answer: Answer) -> list[bytes]:
    return [name for name, _ in answer.headers]


async def test_every_such_header_goes_and_the_others_stay_in_order(shop: MakeShop) -> None:
    one = shop(HINTS)
    for kind in (b"text/html", b"text/plain"):
        one.reply = Reply(kind=kind, headers=ASKS)
        answer = await one.ask()
        assert names(answer)[:3] == [b"content-type", b"x-other", b"content-length"]
        assert not {b"accept-ch", b"Accept-CH", b"Critical-CH"} & set(names(answer))
        assert one.reasons() == [("browsers-are-not-asked", "amend")]
        assert b"Model" not in one.trail()


async def test_it_goes_from_json_that_is_read_and_from_streams(shop: MakeShop) -> None:
    one = shop(HINTS)
    one.reply = as_json({"name": "Ann"}, headers=ASKS)
    read = await one.ask("GET", "/account")
    one.reply = Reply(headers=ASKS, cuts=(2,), length=False)
    streamed = await one.ask()
    for answer in (read, streamed):
        assert answer.values(b"accept-ch") == []
    assert (json.loads(read.body), streamed.body) == ({"name": "Ann"}, b"hello")


async def test_who_agreed_is_asked_and_caches_keep_the_two_apart(shop: MakeShop) -> None:
    one = shop(HINTS)
    one.reply = Reply(headers=[*ASKS, (b"cache-control", b"public")])
    without = await one.ask()
    given = await one.ask(headers=[(b"cookie", await one.choose("accept"))])
    assert given.values(b"accept-ch") == [b"Sec-CH-UA-Model", b"DPR"]
    for answer in (without, given):
        assert answer.values(b"vary") == [b"Cookie, Sec-GPC"]
        assert answer.values(b"cache-control") == [b"private"]


async def test_a_response_without_it_is_untouched_and_nothing_is_told(shop: MakeShop) -> None:
    one = shop(HINTS)
    one.reply = Reply(headers=[(b"cache-control", b"public")])
    for _ in range(3):  # the second takes the lane that the first has made
        assert (await one.ask()).messages == one.reply.messages()
    assert one.lines() == []


async def test_an_alert_takes_nothing_off(shop: MakeShop) -> None:
    one = shop(TOLD)
    one.reply = Reply(headers=[(b"x-powered-by", b"none")])
    answer = await one.ask()
    assert answer.messages == one.reply.messages()
    assert one.reasons() == [("told-only", "alert")], "a header that says `none` is one that is sent"


async def test_one_rule_adds_a_header_and_takes_another_off(shop: MakeShop) -> None:
    one = shop(MIXED)
    for sent in ([], [(b"x-powered-by", b"PHP")]):
        one.reply = Reply(headers=sent)
        for _ in range(2):
            answer = await one.ask()
            assert answer.values(b"x-content-type-options") == [b"nosniff"]
            assert answer.values(b"x-powered-by") == []
            assert one.reasons() == [("sniffs-nothing", "amend")]


async def test_a_list_is_met_by_each_of_its_values_and_brings_about_the_first(shop: MakeShop) -> None:
    one = shop(ONE_OF)
    for sent, left in (
        ([], []),
        ([(b"x-a", b"ok"), (b"x-b", b"ok")], [(b"x-a", b"ok"), (b"x-b", b"ok")]),
        ([(b"x-a", b"no"), (b"x-b", b"no")], [(b"x-b", b"ok")]),
    ):
        one.reply = Reply(headers=sent)
        answer = await one.ask()
        assert [pair for pair in answer.headers if pair[0] in (b"x-a", b"x-b")] == left
        assert answer.values(b"x-c") == [b"c"]
