"""What a body calls itself is not what it is: an app that does not ask for the type reads JSON of any."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.asgi.conftest import MakeShop
from tests.asgi.wire import FIELDS, Shop, as_json, policy_text, run

RECORDS = "- {id: nobody, clause: C-1, for: record, match: {under: 13}}"
ROUTES = """
binding:
  routes:
    'POST /order': {purpose: sale}
    'POST /people': {purpose: sale, records: {request: '$[*]'}, subject: '$.id'}
    'POST /copy': {purpose: sale, records: {request: '$[*]'}, subject: '$.id', tag: contact}
    'POST /whose': {purpose: sale, subject: body.id}
"""
OTHERS = [
    b"text/plain",
    b"text/plain;charset=UTF-8",
    b"application/octet-stream",
    b"text/html",
    b"image/png",
    b"x",
    b"",
]


@pytest.mark.parametrize("kind", [*OTHERS, b"text/json", b"application/reports+json", b"application/x-json; v=2"])
async def test_json_is_read_whatever_it_calls_itself(shop: MakeShop, kind: bytes) -> None:
    site = shop(FIELDS, routes=ROUTES)
    answer = await site.ask("POST", "/order", body=b' {"email": "a@example.org", "gender": "f"}', kind=kind)
    assert (answer.status, answer.body_seen) == (200, b' {"email": "a@example.org"}')
    assert answer.app_values(b"content-length") == [b"%d" % len(answer.body_seen)]
    assert site.reasons() == [("in-the-row", "withhold")]


async def test_json_without_a_type_is_read_on_http_2(shop: MakeShop) -> None:
    site = shop(FIELDS, routes=ROUTES)
    given_ = [(b"host", b"shop.example")]
    body = b'{"gender":1,"email":"a@b.example"}'
    answer = await site.ask("POST", "/order", body=body, given=given_, http_version="2")
    assert answer.body_seen == b'{"email":"a@b.example"}'
    assert (await site.ask("GET", "/", given=given_, http_version="2")).status == 200


@pytest.mark.parametrize(
    "body",
    [b"hello, gender: f", b"\x89PNG\r\n\x1a\n" + b"{" * 99, b"[gender](http://x.example)", b"{gender: f", b"gender=f"],
)
@pytest.mark.parametrize("kind", [b"text/plain", b"image/png", b""])
async def test_what_is_no_json_passes_and_the_line_says_that_nobody_read_it(
    shop: MakeShop, body: bytes, kind: bytes
) -> None:
    site = shop(FIELDS, routes=ROUTES)
    answer = await site.ask("POST", "/order", body=[body[:1], body[1:]], kind=kind)
    assert (answer.status, answer.body_seen) == (200, body)
    assert site.lines()[-1]["inspect"] == {"request": "kind"}


async def test_an_upload_of_any_size_passes_as_it_comes(shop: MakeShop) -> None:
    taken: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            taken.append(len(message["body"]))
            if not message["more_body"]:
                break
        for message in site.reply.messages():
            await send(message)

    site = shop(FIELDS, routes=ROUTES, app=app)
    chunks = [b" \n", b"\x89PNG", *[b"{" * 60_000] * 5, b""]
    assert (await site.ask("POST", "/order", body=chunks, kind=b"image/png", length=False)).status == 200
    assert taken == list(map(len, chunks))
    packed = gzip.compress(bytes(range(256)) * 2000, 0)
    taken.clear()
    coding = [(b"content-encoding", b"gzip")]
    answer = await site.ask("POST", "/order", body=[packed[:9], packed[9:]], kind=b"text/plain", headers=coding)
    assert (answer.status, taken) == (200, [9, len(packed) - 9])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('{"gender": "f"}'.encode("utf-16"), 400),
        ('{"gender": "f"}'.encode("utf-16-be"), 400),
        (b'\xef\xbb\xbf{"gender": "f"}', 400),
        (b'{"gender": NaN}', 400),
        (b'{"gender": "\\ud800"}', 400),
        (b"[" * 50_000 + b"]" * 10, 400),
        (b'{"gender": "' + b"f" * 70_000 + b'"}', 413),
        (b" " * 70_000 + b'{"gender": "f"}', 413),
    ],
)
async def test_json_of_another_name_that_only_some_can_read_is_refused(
    shop: MakeShop, body: bytes, status: int
) -> None:
    site = shop(FIELDS, routes=ROUTES)
    answer = await site.ask("POST", "/order", body=[body[:7], body[7:]], kind=b"text/plain")
    assert (answer.status, answer.called) == (status, False)


async def test_packed_json_of_another_name_is_read(shop: MakeShop) -> None:
    site = shop(FIELDS, routes=ROUTES)
    packed = gzip.compress(b'{"email": "a@example.org", "gender": "f"}')
    headers = [(b"content-encoding", b"gzip")]
    answer = await site.ask("POST", "/order", body=packed, kind=b"text/plain", headers=headers)
    assert (answer.body_seen, answer.app_values(b"content-encoding")) == (b'{"email": "a@example.org"}', [])


@pytest.mark.parametrize(
    "types",
    [
        [b"text/plain", b"application/x-www-form-urlencoded"],
        [b"application/x-www-form-urlencoded", b"text/plain"],
        [b"application/json; charset=utf-8", b"multipart/form-data; boundary=b"],
        [b"text/plain, application/x-www-form-urlencoded"],
    ],
)
async def test_a_body_of_two_types_is_refused(shop: MakeShop, types: list[bytes]) -> None:
    site = shop(FIELDS, routes=ROUTES)
    headers = [(b"host", b"shop.example"), (b"content-length", b"8"), *((b"content-type", one) for one in types)]
    answer = await site.ask("POST", "/order", body=b"gender=f", given=headers)
    assert (answer.status, answer.called) == (400, False)
    assert site.lines()[-1]["inspect"] == {"request": "malformed"}


async def test_records_in_a_form_that_cannot_be_taken_apart_do_not_come_in(shop: MakeShop) -> None:
    site = shop(RECORDS, routes=ROUTES)
    for kind in (b"application/xml", b"application/vnd.ms-excel", b""):
        answer = await site.ask("POST", "/people", body=[b"<id>", b"bob</id>"], kind=kind)
        assert (answer.status, answer.called) == (415, False)
        line = site.lines()[-1]
        assert (line["inspect"], site.reasons(line)) == ({"request": "kind"}, [("nobody", "deny")])
        protected = await site.ask("POST", "/copy", body=[b"<id>", b"bob</id>"], kind=kind)
        assert (protected.status, protected.body_seen) == (200, b"")
    answer = await site.ask("POST", "/people", body=b'[{"id":"bob"},{}]', kind=b"text/plain")
    assert answer.body_seen == b'[{"id":"bob"}]'
    assert (await site.ask("POST", "/people", body=[b"", b""], kind=b"application/xml")).status == 200


async def test_without_a_rule_that_reads_bodies_nothing_is_looked_at(shop: MakeShop) -> None:
    site = shop("", routes=ROUTES)
    body = [b'{"gen', b'der":1}']
    answer = await site.ask("POST", "/order", body=body, kind=b"text/plain")
    assert (answer.body_seen, site.lines()) == (b"".join(body), [])


async def test_a_client_that_goes_is_not_waited_for(shop: MakeShop) -> None:
    site = shop(FIELDS, routes=ROUTES)
    for body in ([b"  "], [b'{"a']):
        assert not (await site.ask("POST", "/order", body=body, kind=b"text/plain", cut_off=True)).called


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    one = Shop(tmp_path_factory.mktemp("home"), policy_text(FIELDS, routes=ROUTES))
    one.reply = as_json({"ok": True})
    yield one
    one.close()


VALUES = st.recursive(
    st.none() | st.integers() | st.sampled_from(["f", "[", "{"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["gender", "name", "x"]), inner),
)


@settings(max_examples=150)
@given(VALUES, st.sampled_from(OTHERS), st.sampled_from([b"", b" ", b"\n\t"]), st.lists(st.integers(0, 60), max_size=4))
def test_json_is_the_same_under_any_name_however_it_is_cut(
    drawn: Shop, value: Any, kind: bytes, blank: bytes, cuts: list[int]
) -> None:
    body = blank + json.dumps(value).encode()
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    chunks = [body[a:b] for a, b in pairwise(edges)]
    plain = run(drawn.ask("POST", "/order", body=body))
    other = run(drawn.ask("POST", "/order", body=chunks, kind=kind))
    assert (other.status, other.body_seen) == (plain.status, plain.body_seen)
    if isinstance(value, dict):
        assert isinstance(json.loads(other.body_seen).get("gender", {}), dict | list)  # a scalar is a field
