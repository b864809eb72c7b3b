"""Malformed input: one outcome each, never a 500 of ours, never a disclosure without a line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.asgi.conftest import MakeShop
from tests.asgi.wire import COOKIES, FIELDS, Reply, Shop, as_json, policy_text, run

DEEP = 5000
UNREADABLE: dict[str, bytes] = {
    "deep lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "bad UTF-8": b'{"email": "\xff\xfe"}',
    "overlong UTF-8": b'{"email": "\xc0\xaf"}',
    "BOM": b'\xef\xbb\xbf{"email": "a"}',
    "UTF-16": '{"email": "a"}'.encode("utf-16"),
    "UTF-16 without BOM": '{"email": "a"}'.encode("utf-16-le"),
    "UTF-32": '{"email": "a"}'.encode("utf-32"),
    "NaN": b'{"email": NaN}',
    "Infinity": b'{"n": -Infinity}',
    "a huge number": b'{"n": 1e400}',
    "a lone surrogate": b'{"email": "\\ud800"}',
    "a lone surrogate as key": b'{"\\udc00": 1}',
    "a raw control character": b'{"email": "a\nb"}',
    "truncated": b'{"email": "a',
    "two values": b'{"email": "a"}{"gender": "f"}',
    "a trailing comma": b'{"email": "a",}',
    "a comment": b'{"email": "a" /* x */}',
    "single quotes": b"{'email': 'a'}",
    "a leading zero": b'{"n": 01}',
    "no JSON": b"hello",
    "a NUL": b'{"email": "a"}\0',
    "JSONP": b'cb({"email": "a"})',
}
READABLE: dict[str, tuple[bytes, bytes]] = {
    "duplicate keys": (b'{"gender":1,"a":1,"gender":2,"a":2}', b'{"a":1,"a":2}'),
    "a key in escapes": (b'{"\\u0067ender":1,"a":1}', b'{"a":1}'),
    "a key in capitals": (b'{"GENDER":1,"Gender":2}', b"{}"),
    "a huge key": (b'{"' + b"k" * 50_000 + b'":1,"gender":1}', b'{"' + b"k" * 50_000 + b'":1}'),
    "an empty key": (b'{"":1,"gender":1}', b'{"":1}'),
    "many keys": (
        b"{" + b",".join(b'"k%d":1' % n for n in range(5000)) + b',"gender":1}',
        b"{" + b",".join(b'"k%d":1' % n for n in range(5000)) + b"}",
    ),
    "nothing": (b"  \n ", b"  \n "),
    "a scalar": (b"1.10", b"1.10"),
    "null": (b"null", b"null"),
    "a long number": (b'{"n":' + b"1" * 3000 + b',"gender":1}', b'{"n":' + b"1" * 3000 + b"}"),
    "nested deep enough": (b'{"a":' * 60 + b'{"gender":1}' + b"}" * 60, b'{"a":' * 60 + b"{}" + b"}" * 60),
    "a list of many": (b'[{"gender":1},[{"gender":[2,{"a":1}]},[{"b":[3]}]]]', b'[{},[{},[{"b":[3]}]]]'),
}


@pytest.mark.parametrize("name", UNREADABLE)
async def test_bodies_on_which_readers_disagree_are_unreadable_never_clean(shop: MakeShop, name: str) -> None:
    one = shop(FIELDS)
    body = UNREADABLE[name]
    asked = await one.ask("POST", "/order", body=body)
    assert (asked.status, asked.called) == (400, False)
    one.reply = as_json(body)
    answered = await one.ask("GET", "/account")
    assert answered.status == 502
    first, second = one.lines()
    assert (first["inspect"], second["inspect"]) == ({"request": "malformed"}, {"response": "malformed"})
    protected = await one.ask("POST", "/contact", body=body)
    assert protected.body_seen == b""


@pytest.mark.parametrize("name", READABLE)
async def test_odd_bodies_that_everybody_reads_alike_are_edited(shop: MakeShop, name: str) -> None:
    one = shop(FIELDS)
    body, left = READABLE[name]
    assert (await one.ask("POST", "/order", body=body)).body_seen == left
    one.reply = as_json(body)
    assert (await one.ask("GET", "/account")).body == left


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"application/x-www-form-urlencoded", b"gender=\xff"),
        (b"application/x-www-form-urlencoded", b"g\0ender=1"),
        (b"application/x-www-form-urlencoded", "gender=ö".encode("utf-16")),
        (b"multipart/form-data", b"--b\r\n\r\n--b--"),
        (b"multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx'),
        (b"multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n"),
        (b"multipart/form-data; boundary=" + b"b" * 300, b"x"),
        (b"application/json; charset=utf-16", '{"a":1}'.encode("utf-16")),
    ],
)
async def test_forms_that_cannot_be_read_are_refused(shop: MakeShop, kind: bytes, body: bytes) -> None:
    one = shop(FIELDS)
    answer = await one.ask("POST", "/order", body=body, kind=kind)
    assert (answer.status, answer.called) == (400, False)
    assert one.lines()[-1]["inspect"] == {"request": "malformed"}


async def test_odd_forms_are_read_like_everybody_reads_them(shop: MakeShop) -> None:
    one = shop(FIELDS)
    kind = b"application/x-www-form-urlencoded"
    body = b"&&a&=b&gen%64er=1&gender&user[gender]=f&gender[]=m&%ZZ=%&a=1;gender=2"
    assert (await one.ask("POST", "/order", body=body, kind=kind)).body_seen == b"&&a&=b&%ZZ=%&a=1;gender=2"


# heads ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        b"",
        b"[",
        b"[::1",
        b":",
        b"a:b:c",
        b"sh\xc3\xb6p",
        b"\xff",
        b"a" * 5000,
        b"x/../y",
        b"x y",
        b"<script>",
        b"@",
        b"a\r\nb",
    ],
)
async def test_odd_hosts_are_no_reason_to_fail(shop: MakeShop, host: bytes) -> None:
    one = shop(COOKIES + "- {id: tls, clause: C-9, for: exchange, only-if: {https: true}, otherwise: deny}\n")
    assert (await one.ask(host=host)).status == 200
    plain = await one.ask(host=host, scheme="http")
    assert plain.status in (308, 403)
    for value in plain.values(b"location"):
        assert not set(value) & set(b" \r\n<>\\\"'"), "nothing odd gets into a header of ours"
    assert one.reasons() == [("tls", "deny")]


async def test_a_request_without_host_is_served(shop: MakeShop) -> None:
    one = shop(COOKIES)
    assert (await one.ask(given=[])).status == 200


@pytest.mark.parametrize("shape", [tuple, iter, "lists"])
async def test_headers_may_be_any_iterable_of_pairs(shop: MakeShop, shape: Any) -> None:
    one = shop(COOKIES)
    pairs = [(b"host", b"shop.example"), (b"cookie", b"session=1; _ga=2"), (b"x", b"y")]
    given = [list(pair) for pair in pairs] if shape == "lists" else shape(pairs)
    answer = await one.ask(given=given)
    assert answer.scope is not None
    assert [tuple(pair) for pair in answer.scope["headers"]] == [pairs[0], (b"cookie", b"session=1"), pairs[2]]
    assert one.reasons() == [("wait", "withhold")]


@pytest.mark.parametrize("method", ["BREW", "get", "", "PROPFIND", "M" * 5000, "GE T", "Ö"])
async def test_unknown_methods_pass_and_stand_in_no_line(shop: MakeShop, method: str) -> None:
    one = shop(COOKIES)
    answer = await one.ask(method, headers=[(b"cookie", b"_ga=1")])
    assert answer.status == 200
    (line,) = one.lines()
    assert line["method"] in ("?", "BREW", "get", "PROPFIND", "Ö")
    assert len(line["method"]) <= 16


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-length", b"9" * 5000)],
        [(b"content-length", b"-1")],
        [(b"content-length", b"+5")],
        [(b"content-length", b"x")],
        [(b"content-length", b"")],
        [(b"content-length", b"0"), (b"content-length", b"22")],
        [(b"transfer-encoding", b"chunked"), (b"content-length", b"0")],
        [(b"content-length", b"0"), (b"transfer-encoding", b"chunked")],
    ],
)
async def test_odd_lengths_hide_no_body(shop: MakeShop, headers: list[tuple[bytes, bytes]]) -> None:
    one = shop(FIELDS)
    kind = (b"content-type", b"application/json")
    answer = await one.ask("POST", "/order", headers=[kind, *headers], body=b'{"gender": "f","a":1}', length=None)
    assert answer.body_seen == b'{"a":1}'
    assert one.reasons() == [("in-the-row", "withhold")]


async def test_a_response_of_odd_lengths_and_types_is_held_like_a_stream(shop: MakeShop) -> None:
    one = shop(FIELDS)
    for length in (b"9" * 5000, b"-1", b"x"):
        one.reply = as_json(b'{"gender":1}', headers=[(b"content-length", length)], length=False)
        assert (await one.ask("GET", "/account")).body == b"{}"


async def test_a_body_longer_than_declared_is_read_whole(shop: MakeShop) -> None:
    one = shop(FIELDS)
    one.reply = as_json(b'{"gender":1,"a":2}', headers=[(b"content-length", b"3")], length=False)
    answer = await one.ask("GET", "/account")
    assert (answer.body, answer.values(b"content-length")) == (b'{"a":2}', [b"7"])


@pytest.mark.parametrize("message", [{}, {"headers": []}, {"headers": ()}])
async def test_an_app_may_leave_headers_out(shop: MakeShop, message: dict[str, Any]) -> None:
    one = shop(COOKIES)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, **message})
        await send({"type": "http.response.body"})

    one.inner = app
    assert (await one.ask()).messages == [
        {"type": "http.response.start", "status": 200, **message},
        {"type": "http.response.body"},
    ]


@pytest.mark.parametrize("shape", [iter, tuple])
@pytest.mark.parametrize("path", ["/", "/account"])
async def test_an_app_may_send_headers_in_any_shape(shop: MakeShop, shape: Any, path: str) -> None:
    one = shop(COOKIES + FIELDS)
    pairs = [(b"content-type", b"application/json"), (b"content-length", b"12"), (b"set-cookie", b"session=1")]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": shape(pairs)})
        await send({"type": "http.response.body", "body": b'{"gender":1}'})

    one.inner = app
    answer = await one.ask("GET", path)
    assert answer.values(b"set-cookie") == [b"session=1"]
    assert answer.body == (b"{}" if path == "/account" else b'{"gender":1}')


@pytest.mark.parametrize(
    "query", ["%", "%zz=%", "a=%ff&gender=1", "=&=&&", "gender", "+%20" * 900, "\x00=1", "[gender]=1"]
)
async def test_odd_queries_are_read_to_the_end(shop: MakeShop, query: str) -> None:
    one = shop(FIELDS)
    answer = await one.ask("GET", f"/account?{query}")
    assert answer.status == 200
    assert answer.scope is not None
    assert b"gender" not in answer.scope["query_string"]


@pytest.mark.parametrize("path", ["", "/\udc80", "//", "/order//", "/order/\x00", "/order/%", "*", "/" + "a/" * 5000])
async def test_odd_paths_are_no_reason_to_fail(shop: MakeShop, path: str) -> None:
    one = shop(COOKIES + FIELDS)
    answer = await one.ask("PUT", path, raw_path=b"/odd")
    assert answer.status == 200


# cookies --------------------------------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=60), max_size=4), st.lists(st.binary(max_size=40), max_size=3))
@settings(max_examples=150)
def test_any_bytes_as_cookies_leave_only_what_may_stay(drawn: Shop, given_: list[bytes], set_: list[bytes]) -> None:
    headers = [(b"cookie", value) for value in given_] + [(b"cookie", b"_ga=1;session=2; _ga_X=3")]
    drawn.reply = Reply(headers=[*((b"set-cookie", value) for value in set_), (b"set-cookie", b"session=3")])
    answer = run(drawn.ask(headers=headers))
    assert answer.status == 200
    for value in answer.app_values(b"cookie"):
        names = [piece.strip().partition(b"=")[0].rstrip() for piece in value.split(b";")]
        assert set(names) <= {b"session", b"troth_consent"}
    assert answer.app_values(b"cookie")[-1] == b"session=2"
    assert answer.values(b"set-cookie")[-1] == b"session=3"
    assert any(reason["rule"] == "wait" for reason in drawn.lines()[-1]["why"])


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Any:
    home: Path = tmp_path_factory.mktemp("home")
    with Shop(home / "h", policy_text(COOKIES)).closing() as one:
        yield one


@pytest.fixture(scope="module")
def consent(drawn: Shop) -> bytes:
    return bytes(run(drawn.choose("accept")))


@given(st.data())
@settings(max_examples=150)
def test_a_consent_cookie_with_any_bit_flipped_grants_nothing(drawn: Shop, consent: bytes, data: st.DataObject) -> None:
    name, _, value = consent.partition(b"=")
    at = data.draw(st.integers(0, len(value) * 8 - 1))
    broken = bytearray(value)
    broken[at // 8] ^= 1 << (at % 8)
    drawn.reply = Reply(headers=[(b"set-cookie", b"_ga=1")])
    answer = run(drawn.ask(headers=[(b"cookie", b"_ga=1; " + name + b"=" + bytes(broken))]))
    assert b"_ga=1" not in b"".join(answer.app_values(b"cookie"))
    assert answer.values(b"set-cookie") == []
    line = drawn.lines()[-1]
    assert any(reason["rule"] == "wait" for reason in line["why"])
    assert "consent" not in line


@pytest.mark.parametrize(
    "value",
    [
        b"", b"1.", b"1..", b"1.a.b", b"2.abc.0123456789012345678901", b"x" * 100_000,
        b"1." + b"A" * 100_000 + b"." + b"A" * 22,
        b"%00", b'"1.a.b"', b"\xff" * 40, b"1.e30.AAAAAAAAAAAAAAAAAAAAAA",
    ],
)  # fmt: skip
async def test_a_consent_cookie_that_is_none_grants_nothing(shop: MakeShop, value: bytes) -> None:
    one = shop(COOKIES)
    cookie = b"_ga=1; troth_consent=" + value
    answer = await one.ask(headers=[(b"cookie", cookie)])
    assert answer.app_values(b"cookie") == [b"troth_consent=" + value]
    assert ("wait", "withhold") in one.reasons()
    again = await one.ask("POST", "/.privacy/accept", headers=[(b"cookie", cookie)], json_body={})
    assert again.status == 200, "who has a broken cookie can still choose"


async def test_many_consent_cookies_grant_nothing_unless_all_say_the_same(shop: MakeShop) -> None:
    one = shop(COOKIES)
    first, second = await one.choose("accept"), await one.choose("accept", "analytics")
    same = await one.ask(headers=[(b"cookie", b"_ga=1; " + first + b"; " + first)])
    assert same.app_values(b"cookie")[0].startswith(b"_ga=1")
    two = await one.ask(headers=[(b"cookie", b"_ga=1; " + first), (b"cookie", second)])
    assert two.app_values(b"cookie") == [first, second]
    many = b"; ".join([b"_ga=1", *(b"troth_consent=%d" % n for n in range(2000)), first])
    answer = await one.ask(headers=[(b"cookie", many)])
    assert not answer.app_values(b"cookie")[0].startswith(b"_ga")


# choices --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", UNREADABLE)
async def test_a_choice_that_cannot_be_read_is_none(shop: MakeShop, name: str) -> None:
    one = shop(COOKIES)
    answer = await one.ask("POST", "/.privacy/accept", body=UNREADABLE[name])
    assert answer.status == 400
    assert answer.values(b"set-cookie") == []


@pytest.mark.parametrize(
    "value",
    [[], 1, "x", {"consents": 1}, {"consents": [1]}, {"consents": ["nope"]}, {"consents": {"analytics": True}}],
)
async def test_a_choice_of_another_shape_is_none(shop: MakeShop, value: Any) -> None:
    one = shop(COOKIES)
    answer = await one.ask("POST", "/.privacy/accept", json_body=value)
    assert answer.status == 400
    assert answer.values(b"set-cookie") == []


async def test_a_choice_that_is_cut_off_is_none(shop: MakeShop) -> None:
    one = shop(COOKIES)
    kind = b"application/x-www-form-urlencoded"
    before = len(one.lines())

    body = [b"consents=analytics&cons"]
    answer = await one.ask("POST", "/.privacy/accept", body=body, kind=kind, cut_off=True)
    assert answer.messages == []
    assert len(one.lines()) == before


@pytest.mark.parametrize(
    "origin",
    [b"http://[", b"null", b"https://other.example", b"x" * 9999, b"\xff", b"https://shop.example.evil.example"],
)
async def test_a_choice_from_an_odd_origin_is_refused(shop: MakeShop, origin: bytes) -> None:
    one = shop(COOKIES)
    answer = await one.ask("POST", "/.privacy/accept", headers=[(b"origin", origin)], json_body={})
    assert answer.status == 403
    assert answer.values(b"set-cookie") == []


@pytest.mark.parametrize(
    "to", ["//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nb", "/\x00", "javascript:x", "/ö", 1]
)
async def test_a_form_leads_nowhere_else(shop: MakeShop, to: Any) -> None:
    one = shop(COOKIES)
    kind = b"application/x-www-form-urlencoded"
    answer = await one.ask("POST", "/.privacy/accept", body=urlencode({"return_to": to}).encode(), kind=kind)
    assert (answer.status, answer.values(b"location")) == (303, [b"/"])


async def test_a_bomb_of_a_choice_is_refused(shop: MakeShop) -> None:
    one = shop(COOKIES)
    body = gzip.compress(b" " * 10_000_000)
    answer = await one.ask("POST", "/.privacy/accept", body=body, headers=[(b"content-encoding", b"gzip")])
    assert answer.status == 413
    plain = await one.ask("POST", "/.privacy/accept", body=json.dumps({"consents": ["x" * 70_000]}).encode())
    assert plain.status == 413
