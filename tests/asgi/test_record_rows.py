"""Records that come as rows of CSV or lines of JSON: each judged by its own subject, cut out by itself."""

from __future__ import annotations

import gzip
from itertools import pairwise
from typing import Any

import pytest

from tests.asgi.conftest import MakeShop
from tests.asgi.wire import POLICY, Reply, Shop

RULES = """
- {id: restricted, clause: C-1, for: record, match: {state: restricted}}
- {id: in-the-row, clause: C-2, for: field, only-if: {data: of-purpose}}
- {id: asked-only, clause: C-3, for: field, match: {data: birth}, only-if: {consent: letters}, otherwise: mask}
"""
ROUTES = """
binding:
  state: tests.asgi.test_record_rows:states
  routes:
    'GET /people': {purpose: sale, records: '$[*]', subject: '$.id'}
    'GET /names': {purpose: sale, records: '$[*]'}
    'GET /stats': {purpose: sale, records: '$[*]', counts: ['$.visitors', '$.buyers']}
    'GET /old': {purpose: sale, records: '$[*]', subject: '$.id', since: '$.created'}
    'GET /copy': {purpose: sale, records: '$[*]', subject: '$.id', tag: contact}
    'GET /free': {purpose: sale}
"""
PEOPLE = (
    b'id,name,email,gender,birth\r\nann,"Ann, A",a@example.org,f,1990-01-01\r\nbob,Bob,b@example.org,m,1980-02-02\r\n'
)
ASKED: list[list[str]] = []


def states(ids: list[str]) -> dict[str, list[Any]]:
    ASKED.append(ids)
    return {one: ["restricted"] if one == "bob" else [] for one in ids}


def guarded(shop: MakeShop, rules: str = RULES) -> Shop:
    policy = POLICY.rstrip().replace("ads: {holder: device}}", "ads: {holder: device}, letters: {holder: person}}")
    return shop(rules, routes=ROUTES, policy=policy + "\n  states: {restricted: {of: person}}\n")


def as_csv(body: bytes, kind: bytes = b"text/csv; charset=utf-8", **more: Any) -> Reply:
    return Reply(body=body, kind=kind, **more)


async def test_rows_cells_and_masks_in_one_table(shop: MakeShop) -> None:
    site = guarded(shop)
    site.reply = as_csv(PEOPLE)
    ASKED.clear()
    answer = await site.ask("GET", "/people")
    assert answer.body == b'id,name,email,gender,birth\r\nann,"Ann, A",a@example.org,,***\r\n'
    assert answer.values(b"content-length") == [b"%d" % len(answer.body)]
    assert answer.values(b"content-type") == [b"text/csv; charset=utf-8"]
    assert ASKED == [["ann", "bob"]]
    line = site.lines()[-1]
    assert {("restricted", "withhold"), ("in-the-row", "withhold"), ("asked-only", "mask")} <= set(site.reasons(line))
    assert line["subj_n"] == 2
    assert b"example.org" not in site.trail()


@pytest.mark.parametrize("length", [True, False])
async def test_a_table_is_the_same_however_it_is_cut(shop: MakeShop, length: bool) -> None:
    site = guarded(shop)
    for cut in range(1, len(PEOPLE), 5):
        site.reply = as_csv(PEOPLE, cuts=(cut,), length=length)
        answer = await site.ask("GET", "/people")
        assert answer.body.count(b"\n") == 2
        assert b"bob" not in answer.body
        assert answer.values(b"content-length") == [b"%d" % len(answer.body)]


async def test_a_table_in_gzip_is_read_and_comes_out_plain(shop: MakeShop) -> None:
    site = guarded(shop)
    site.reply = as_csv(gzip.compress(PEOPLE), headers=[(b"content-encoding", b"gzip")])
    answer = await site.ask("GET", "/people")
    assert answer.body.startswith(b"id,name,email,gender,birth\r\nann")
    assert b"bob" not in answer.body
    assert answer.values(b"content-encoding") == []


async def test_a_table_in_which_nothing_has_to_go_stays_as_it_was_sent(shop: MakeShop) -> None:
    site = guarded(shop)
    body = b"\xef\xbb\xbfid;name\nann;Ann \n\n"
    site.reply = as_csv(body, cuts=(3, 9))
    answer = await site.ask("GET", "/people")
    assert answer.body == body
    assert len([message for message in answer.messages if message["type"].endswith("body")]) == 3


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"bob,b@example.org\n", b"text/csv"),
        (b"ID,name\nbob,Bob\n", b"text/csv"),
        (b"id,name\nbob\n", b"text/csv"),
        (b"id,name\nbob,Bob\n", b"text/csv; header=absent"),
        (b"id,name\nbob,Bob\n", b"text/csv; charset=utf-16"),
        (b'{"id":"ann"}\n{"id":', b"application/x-ndjson"),
    ],
)
async def test_rows_that_cannot_be_read_do_not_pass(shop: MakeShop, body: bytes, kind: bytes) -> None:
    site = guarded(shop)
    site.reply = as_csv(body, kind)
    answer = await site.ask("GET", "/people")
    assert answer.status == 502
    assert b"bob" not in answer.body
    line = site.lines()[-1]
    assert (line["inspect"], line["app_status"]) == ({"response": "malformed"}, 200)
    protected = await site.ask("GET", "/copy")
    assert (protected.status, protected.body) == (200, body)


async def test_a_part_of_a_table_has_no_head(shop: MakeShop) -> None:
    site = guarded(shop)
    site.reply = as_csv(b"id,name\nbob,Bob\n", status=206, headers=[(b"content-range", b"bytes 0-15/99")])
    assert (await site.ask("GET", "/people")).status == 502


async def test_a_head_that_is_data_itself_is_none(shop: MakeShop) -> None:
    site = guarded(shop)
    site.reply = as_csv(b"Bob,b@example.org\nAnn,a@example.org\n")
    assert (await site.ask("GET", "/names")).status == 502


async def test_a_row_without_subject_goes_and_an_empty_table_holds_no_record(shop: MakeShop) -> None:
    site = guarded(shop)
    site.reply = as_csv(b"id,name\n,Eve\nann,Ann\n")
    assert (await site.ask("GET", "/people")).body == b"id,name\nann,Ann\n"
    for body in (b"", b"id,name\n"):
        site.reply = as_csv(body)
        assert (await site.ask("GET", "/people")).body == body


async def test_a_column_that_stands_twice_loses_both_cells(shop: MakeShop) -> None:
    site = guarded(shop)
    site.reply = as_csv(b"id,gender,n,Gender\nann,f,1,f\n")
    assert (await site.ask("GET", "/people")).body == b"id,gender,n,Gender\nann,,1,\n"


async def test_counts_of_a_row_that_are_too_small_take_it_out(shop: MakeShop) -> None:
    site = guarded(shop, "- {id: many, clause: C-1, for: record, only-if: {aggregate: 10}}\n")
    site.reply = as_csv(b"page,visitors,buyers\na,120,40\nb,120,3\nc,9,10\nd,12,<5\ne,12,\nf,1e3,12\n")
    assert (await site.ask("GET", "/stats")).body == b"page,visitors,buyers\na,120,40\ne,12,\n"


async def test_counts_of_json_stand_inside_each_record(shop: MakeShop) -> None:
    site = guarded(shop, "- {id: many, clause: C-1, for: record, only-if: {aggregate: 10}}\n")
    body = b'[{"visitors":120},{"visitors":9},{"visitors":12,"buyers":3.5},{"visitors":12,"buyers":null},{"page":"a"}]'
    site.reply = Reply(body=body, kind=b"application/json")
    assert (await site.ask("GET", "/stats")).body == b'[{"visitors":120},{"visitors":12,"buyers":null}]'


async def test_a_row_that_is_too_old_goes(shop: MakeShop) -> None:
    site = guarded(shop, "- {id: a-month, clause: C-1, for: record, expect: {keep: P30D}, otherwise: withhold}\n")
    site.reply = as_csv(b"id,created\nann,2026-04-20\nbob,2026-01-01\neve,soon\n")
    assert (await site.ask("GET", "/old")).body == b"id,created\nann,2026-04-20\n"


async def test_lines_of_json_are_spliced(shop: MakeShop) -> None:
    site = guarded(shop)
    body = (
        b'{"id": "ann", "n": 1.10, "gender": "f", "birth": "1990-01-01"}\r\n\n'
        b'{"id":"bob"}\n{"id":"eve","in":[{"gender":"m"},{"x":1e2}]}'
    )
    for kind in (b"application/x-ndjson", b"application/jsonl; charset=utf-8"):
        for one, other in pairwise(range(1, len(body), 11)):
            site.reply = Reply(body=body, kind=kind, cuts=(one, other))
            answer = await site.ask("GET", "/people")
            assert answer.body == (b'{"id": "ann", "n": 1.10, "birth": "***"}\r\n\n{"id":"eve","in":[{},{"x":1e2}]}')
            assert answer.values(b"content-length") == [b"%d" % len(answer.body)]


async def test_without_records_of_the_route_a_table_passes_unread(shop: MakeShop) -> None:
    site = guarded(shop)
    site.reply = as_csv(PEOPLE)
    assert (await site.ask("GET", "/free")).body == PEOPLE
