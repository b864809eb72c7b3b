"""Cookies on the wire: inbound on bytes, outbound one header at a time, and a line for each edit."""

from __future__ import annotations

import pytest

from tests.asgi.conftest import MakeShop
from tests.asgi.wire import COOKIES, Reply

SET = [
    (b"set-cookie", b"_ga=GA1.2.3; Path=/"),
    (b"set-cookie", b"session=abc; Path=/; HttpOnly"),
    (b"x-odd", b"1"),
    (b"Set-Cookie", b"session=def; Path=/x"),
    (b"set-cookie", b"_fbp=fb.1; Path=/"),
]


async def test_unconsented_cookies_are_removed_before_the_app_sees_them(shop: MakeShop) -> None:
    one = shop(COOKIES)
    answer = await one.ask(headers=[(b"cookie", b'session=s 1;_ga=x; a="b;c"; session=2;;  _ga_X =y;nameless')])
    assert answer.app_values(b"cookie") == [b"session=s 1; session=2"]
    (line,) = one.lines()
    assert sorted(one.reasons(line)) == [("rows", "withhold"), ("wait", "withhold")]
    told = {reason["rule"]: reason for reason in line["why"]}
    assert (told["wait"]["n"], told["rows"]["n"]) == (5, 3)
    assert "nameless" not in one.trail().decode()


async def test_each_cookie_header_is_filtered_by_itself(shop: MakeShop) -> None:
    one = shop(COOKIES)
    headers = [(b"cookie", b"_ga=1"), (b"x-a", b"1"), (b"cookie", b"session=1"), (b"cookie", b"session=2; zz=3")]
    answer = await one.ask(headers=headers)
    assert answer.scope is not None
    assert answer.scope["headers"] == [
        (b"host", b"shop.example"), (b"x-a", b"1"), (b"cookie", b"session=1"), (b"cookie", b"session=2"),
    ]  # fmt: skip


async def test_allowed_cookies_arrive_as_the_very_same_header_list(shop: MakeShop) -> None:
    one = shop(COOKIES)
    consent = await one.choose("accept")
    odd = b"  session=1;session = 2 ;\t_ga=GA1.2; _fbp=a=b=c; " + consent
    before = len(one.lines())
    answer = await one.ask(headers=[(b"cookie", odd)])
    assert answer.app_values(b"cookie") == [odd]
    assert len(one.lines()) == before


async def test_set_cookie_headers_are_judged_one_by_one_and_keep_their_order(shop: MakeShop) -> None:
    one = shop(COOKIES)
    one.reply = Reply(headers=SET)
    answer = await one.ask()
    kept = [pair for pair in answer.headers if pair[0] not in (b"vary", b"cache-control")]
    assert kept == [(b"content-type", b"text/plain"), SET[1], SET[2], SET[3], (b"content-length", b"5")]
    (line,) = one.lines()
    assert line["why"] == [
        {
            "rule": "wait", "clause": ["C-1"], "thing": "cookie", "action": "withhold", "dir": "response",
            "n": 2, "what": ["_ga", "_fbp"],
        }
    ]  # fmt: skip


async def test_granted_cookies_leave_byte_for_byte(shop: MakeShop) -> None:
    one = shop(COOKIES)
    one.reply = Reply(headers=SET)
    consent = await one.choose("accept")
    answer = await one.ask(headers=[(b"cookie", consent)])
    assert [pair for pair in answer.headers if pair[0].lower() == b"set-cookie"] == [SET[0], *SET[1:2], *SET[3:]]


async def test_one_of_two_consents_lets_only_its_cookies_pass(shop: MakeShop) -> None:
    one = shop(COOKIES)
    one.reply = Reply(headers=SET)
    consent = await one.choose("accept", "ads")
    answer = await one.ask(headers=[(b"cookie", b"_ga=1; _fbp=2; " + consent)])
    assert answer.app_values(b"cookie") == [b"_fbp=2; " + consent]
    assert answer.values(b"set-cookie") == [SET[1][1], SET[3][1], SET[4][1]]


async def test_refused_cookies_that_still_arrive_are_expired_where_they_may_live(shop: MakeShop) -> None:
    one = shop(COOKIES)
    consent = await one.choose("refuse")
    answer = await one.ask(headers=[(b"cookie", b"_fbp=1; _ga=2; unknown=3; " + consent)])
    sent = answer.values(b"set-cookie")
    assert [value.partition(b"=")[0] for value in sent] == [b"_fbp", b"_fbp", b"_ga"]
    assert [b"Domain=shop.example" in value for value in sent] == [False, True, False]
    assert all(b"Max-Age=0" in value and b"Secure" in value for value in sent)
    assert answer.app_values(b"cookie") == [consent]
    assert "consent" not in one.lines()[-1], "nothing names the device of somebody who refused"


async def test_a_signal_refuses_as_well(shop: MakeShop) -> None:
    one = shop(COOKIES)
    consent = await one.choose("accept")
    answer = await one.ask(headers=[(b"cookie", b"_ga=2; " + consent), (b"sec-gpc", b"1")])
    assert answer.app_values(b"cookie") == [consent]
    assert [value.partition(b"=")[0] for value in answer.values(b"set-cookie")] == [b"_ga"]
    assert one.lines()[-1]["signals"] == ["gpc"]
    assert "consent" not in one.lines()[-1]


async def test_expiring_headers_stay_within_two_kilobytes(shop: MakeShop) -> None:
    one = shop(COOKIES)
    consent = await one.choose("refuse")
    many = b"; ".join(b"_ga_%d=1" % n for n in range(200))
    answer = await one.ask(headers=[(b"cookie", many + b"; " + consent)])
    sent = answer.values(b"set-cookie")
    assert len(sent) > 5
    assert sum(len(b"set-cookie: ") + len(value) + 2 for value in sent) <= 2048 + 200
    assert sum(map(len, sent)) <= 2048
    assert answer.app_values(b"cookie") == [consent]


async def test_undeclared_cookies_are_stripped_and_never_expired(shop: MakeShop) -> None:
    one = shop(COOKIES)
    consent = await one.choose("refuse")
    answer = await one.ask(headers=[(b"cookie", b"unknown=3; " + consent)])
    assert answer.values(b"set-cookie") == []
    assert answer.app_values(b"cookie") == [consent]


@pytest.mark.parametrize("act", ["refuse", "withdraw"])
async def test_an_old_consent_cookie_grants_nothing_after_another_choice(shop: MakeShop, act: str) -> None:
    one = shop(COOKIES)
    old = await one.choose("accept")
    await one.choose(act, cookie=old)
    answer = await one.ask(headers=[(b"cookie", b"_ga=2; " + old)])
    assert answer.app_values(b"cookie") == [old]
    assert one.lines()[-1]["consent_cookie"] == "retired"


async def test_a_cookie_and_a_header_can_both_be_taken_out(shop: MakeShop) -> None:
    one = shop(COOKIES + "- {id: no-gender, clause: C-4, for: field, match: {data: gender}}\n")
    headers = [(b"cookie", b"_ga=1"), (b"x-gender", b"f"), (b"x-last", b"1")]
    answer = await one.ask("GET", "/account", headers=headers)
    assert answer.scope is not None
    assert answer.scope["headers"] == [(b"host", b"shop.example"), (b"x-last", b"1")]


async def test_dry_run_edits_nothing_and_says_what_it_would_have_done(shop: MakeShop) -> None:
    one = shop(COOKIES, mode="dry-run")
    one.reply = Reply(headers=SET)
    answer = await one.ask(headers=[(b"cookie", b"_ga=1; odd=2")])
    assert answer.app_values(b"cookie") == [b"_ga=1; odd=2"]
    assert answer.start == one.reply.messages()[0]
    assert {(reason["action"], reason["would"]) for reason in one.lines()[-1]["why"]} == {("alert", "withhold")}
