"""Records that come in: each judged by its own subject, cut out before the app sees them."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Any

import pytest

from tests.asgi.conftest import MakeShop
from tests.asgi.wire import POLICY, Shop, as_json
from troth.cases.compare import compare
from troth.cases.stage import Judged
from troth.model.facts import Exchange
from troth.model.findings import Denial, Finding

RULES = """
- {id: restricted, clause: C-1, for: record, match: {state: restricted}}
- {id: in-the-row, clause: C-2, for: field, only-if: {data: of-purpose}}
"""
CHILDREN = "- {id: children, clause: C-3, for: [exchange, record], match: {under: 13}}"
ROUTES = """
binding:
  state: tests.asgi.test_request_records:states
  routes:
    'POST /people': {purpose: sale, records: {request: '$.people[*]'}, subject: '$.id'}
    'POST /import': {purpose: sale, records: {request: '$[*]', response: '$.done[*]'}, subject: '$.id'}
    'POST /person': {purpose: sale, records: {request: '$'}, subject: '$.id'}
    'POST /mine/{id}': {purpose: sale, records: {request: '$[*]'}, subject: path.id}
    'POST /copy': {purpose: sale, records: {request: '$[*]'}, subject: '$.id', tag: contact}
"""
BODY = (
    b'{"n": 1.50, "people": [{"id": "ann", "email": "a@example.org"},\n {"id": "bob", "name": "Bob"}, {"id": "cid"}]}'
)
KEPT = b'{"n": 1.50, "people": [{"id": "ann", "email": "a@example.org"}, {"id": "cid"}]}'
ASKED: list[list[str]] = []


def states(ids: list[str]) -> dict[str, list[Any]]:
    ASKED.append(ids)
    return {one: ["restricted"] if one == "bob" else [] for one in ids}


def guarded(shop: MakeShop, rules: str = RULES) -> Shop:
    policy = POLICY.rstrip() + "\n  states: {restricted: {of: person}}\n"

    def observe(x: Exchange, findings: tuple[Finding, ...], denial: Denial | None) -> None:
        judged = Judged(exchange=replace(x), findings=findings, denial=denial)
        of_ours = site.middleware.runtime.first
        said = compare(judged, of_ours.policy, of_ours.binding).differences
        assert said == (), "the reference judges otherwise"

    site = shop(rules, routes=ROUTES, policy=policy, observer=observe)
    site.reply = as_json({"ok": True})
    return site


async def test_a_record_of_somebody_restricted_never_reaches_the_app(shop: MakeShop) -> None:
    site = guarded(shop)
    ASKED.clear()
    answer = await site.ask("POST", "/people", body=BODY)
    assert (answer.status, answer.body_seen) == (200, KEPT)
    assert answer.app_values(b"content-length") == [b"%d" % len(KEPT)]
    assert ASKED == [["ann", "bob", "cid"]]
    line = site.lines()[-1]
    assert [(one["rule"], one["action"], one["thing"], one["n"]) for one in line["why"]] == [
        ("restricted", "withhold", "record", 1)
    ]
    assert line["subj_n"] == 3
    assert b"Bob" not in site.trail()


async def test_it_is_the_same_however_the_body_is_cut(shop: MakeShop) -> None:
    site = guarded(shop)
    for cut in range(1, len(BODY), 3):
        for length in (True, False):
            answer = await site.ask("POST", "/people", body=[BODY[:cut], b"", BODY[cut:]], length=length)
            assert answer.body_seen == KEPT


async def test_fields_of_a_record_are_cut_out_of_it(shop: MakeShop) -> None:
    site = guarded(shop)
    body = b'[{"id": "ann", "gender": "f"}, {"id": "bob", "gender": "m"}, {"id": "cid", "name": "Cid"}]'
    answer = await site.ask("POST", "/import", body=body)
    assert answer.body_seen == b'[{"id": "ann"}, {"id": "cid", "name": "Cid"}]'
    assert {(one["rule"], one["n"]) for one in site.lines()[-1]["why"]} == {("restricted", 1), ("in-the-row", 2)}


async def test_nothing_is_touched_where_nothing_has_to_go(shop: MakeShop) -> None:
    site = guarded(shop)
    for body in (b'[ {"id":"ann"} ]', b"[]", b'{"other": 1.0}'):
        answer = await site.ask("POST", "/import", body=[body[:2], body[2:]])
        assert (answer.status, answer.body_seen) == (200, body)


@pytest.mark.parametrize(
    "body",
    [b'[{"id": "bob"}]', b'[{"email": "b@example.org"}]', b'[{"id": {}}]', b'[{"id": "ann", "id": "bob"}]'],
)
async def test_a_record_of_which_it_cannot_be_told_whose_it_is_goes(shop: MakeShop, body: bytes) -> None:
    assert (await guarded(shop).ask("POST", "/import", body=body)).body_seen == b"[]"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"id": "bob"}', b"application/json"),
        (b'{"id": "bob"}', b"application/vnd.api+json"),
        (b"id=bob&name=Bob", b"application/x-www-form-urlencoded"),
        (b"id=ann&id=bob", b"application/x-www-form-urlencoded"),
        (b"name=Bob", b"application/x-www-form-urlencoded"),
        (
            b'--b\r\nContent-Disposition: form-data; name="id"\r\n\r\nbob\r\n--b--\r\n',
            b"multipart/form-data; boundary=b",
        ),
    ],
)
async def test_a_record_that_is_the_whole_body_is_denied(shop: MakeShop, body: bytes, kind: bytes) -> None:
    site = guarded(shop)
    answer = await site.ask("POST", "/person", body=body, kind=kind)
    assert (answer.status, answer.called) == (403, False)
    assert site.reasons() == [("restricted", "withhold")]


async def test_a_form_is_a_record_of_which_fields_may_go(shop: MakeShop) -> None:
    site = guarded(shop)
    form = b"id=ann&gender=f&name=Ann"
    answer = await site.ask("POST", "/person", body=form, kind=b"application/x-www-form-urlencoded")
    assert (answer.status, answer.body_seen) == (200, b"id=ann&name=Ann")
    assert site.lines()[-1]["subj_n"] == 1
    answer = await site.ask("POST", "/people", body=b"id=bob&name=Bob", kind=b"application/x-www-form-urlencoded")
    assert answer.body_seen == b"id=bob&name=Bob"  # no form is the list that is bound there


@pytest.mark.parametrize(
    ("body", "kind", "kept"),
    [
        (b'{"id":"ann"}\n{"id":"bob"}\n{"id":"cid"}\n', b"application/x-ndjson", b'{"id":"ann"}\n{"id":"cid"}\n'),
        (b"id,gender\nann,f\nbob,m\ncid,\n", b"text/csv", b"id,gender\nann,\ncid,\n"),
    ],
)
async def test_rows_are_cut_out_of_tables_and_lines(shop: MakeShop, body: bytes, kind: bytes, kept: bytes) -> None:
    site = guarded(shop)
    assert (await site.ask("POST", "/import", body=body, kind=kind)).body_seen == kept
    packed = [(b"content-encoding", b"gzip")]
    answer = await site.ask("POST", "/import", body=gzip.compress(body), kind=kind, headers=packed)
    assert (answer.body_seen, answer.app_values(b"content-encoding")) == (kept, [])


@pytest.mark.parametrize(
    ("body", "kind", "headers", "status"),
    [
        (b'[{"id":"ann"}', b"application/json", [], 400),
        (b'{"id":"ann"}\n{"id"', b"application/x-ndjson", [], 400),
        (b"id,name\nann\n", b"text/csv", [], 400),
        (b'[{"id":"ann"}]', b"application/json", [(b"content-encoding", b"br")], 415),
        (b'[{"id":"ann"}]' + b" " * 70_000, b"application/json", [], 413),
    ],
)
async def test_records_that_cannot_be_read_do_not_pass(
    shop: MakeShop, body: bytes, kind: bytes, headers: list[tuple[bytes, bytes]], status: int
) -> None:
    site = guarded(shop, RULES.partition("\n- {id: in-the-row")[0])
    answer = await site.ask("POST", "/import", body=body, kind=kind, headers=headers)
    assert (answer.status, answer.called) == (status, False)
    assert site.reasons() == [("restricted", "deny")]
    answer = await site.ask("POST", "/copy", body=body, kind=kind, headers=headers)
    assert (answer.status, answer.body_seen) == (200, b"")  # a protected route is called, without that body


async def test_records_of_both_bodies_are_judged_each(shop: MakeShop) -> None:
    site = guarded(shop)
    site.reply = as_json({"done": [{"id": "bob", "n": 1}, {"id": "cid", "n": 2, "gender": "f"}]})
    answer = await site.ask("POST", "/import", body=b'[{"id": "ann"}, {"id": "bob"}]')
    assert answer.body_seen == b'[{"id": "ann"}]'
    assert json.loads(answer.body) == {"done": [{"id": "cid", "n": 2}]}
    line = site.lines()[-1]
    assert {(one["rule"], one["n"]) for one in line["why"]} == {("restricted", 2), ("in-the-row", 1)}
    assert line["subj_n"] == 4


async def test_without_a_subject_of_their_own_records_are_those_of_the_one_addressed(shop: MakeShop) -> None:
    site = guarded(shop)
    assert (await site.ask("POST", "/mine/ann", body=b'[{"n": 1}]')).body_seen == b'[{"n": 1}]'
    assert (await site.ask("POST", "/mine/bob", body=b'[{"n": 1}]')).body_seen == b"[]"


async def test_a_child_in_a_list_is_taken_out_and_nobody_else(shop: MakeShop) -> None:
    site = guarded(shop, CHILDREN)
    people = b'[{"id": "ann", "birth": "1990-01-01"}, {"id": "tim", "birth": "2020-01-01"}]'
    answer = await site.ask("POST", "/import", body=people)
    assert (answer.status, answer.body_seen) == (200, b'[{"id": "ann", "birth": "1990-01-01"}]')
    line = site.lines()[-1]
    assert (line["subj_n"], len(line["subj"])) == (1, 1)  # of a child no pseudonym is written
    assert [(one["rule"], one["thing"], one["n"]) for one in line["why"]] == [("children", "record", 1)]
    assert (await site.ask("POST", "/person", body=b'{"id": "tim", "birth": "2020-01-01"}')).status == 403


async def test_a_child_in_a_list_that_goes_out_is_taken_out_too(shop: MakeShop) -> None:
    site = guarded(shop, CHILDREN)
    done = [
        {"id": "tim", "birth": "2020-01-01"},
        {"id": "x", "birth": "2020-99-99"},
        {"id": "ann", "birth": "1990-01-01"},
    ]
    site.reply = as_json({"done": done})
    answer = await site.ask("POST", "/import", body=b"[]")
    assert json.loads(answer.body) == {"done": [{"id": "ann", "birth": "1990-01-01"}]}


async def test_what_only_alerts_holds_nothing_back_and_is_told(shop: MakeShop) -> None:
    site = guarded(shop, RULES.splitlines()[1].replace("}}", "}, otherwise: alert}"))
    answer = await site.ask("POST", "/people", body=[BODY[:9], BODY[9:]])
    assert answer.body_seen == BODY
    line = site.lines()[-1]
    assert [(one["rule"], one["action"], one["n"]) for one in line["why"]] == [("restricted", "alert", 1)]
    assert line["subj_n"] == 3
