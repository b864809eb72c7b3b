"""Records in answers: each judged by its own subject; what cannot be taken apart does not pass."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.asgi.conftest import MakeShop
from tests.asgi.wire import POLICY, Reply, as_json

RULES = "- {id: restricted, clause: C-1, for: record, match: {state: restricted}}"
ROUTES = """
binding:
  state: tests.asgi.test_records:states
  routes:
    'GET /people': {purpose: sale, records: '$.people[*]', subject: '$.id'}
    'GET /person': {purpose: sale, records: '$', subject: '$.id'}
"""
PEOPLE = {"total": 1.50, "people": [{"id": "ann", "email": "a@example.org"}, {"id": "bob", "email": "b@example.org"}]}


def states(ids: list[str]) -> dict[str, list[Any]]:
    return {one: ["restricted"] if one == "bob" else [] for one in ids}


def guarded(shop: MakeShop) -> Any:
    return shop(RULES, routes=ROUTES, policy=POLICY.rstrip() + "\n  states: {restricted: {of: person}}\n")


async def test_a_record_of_somebody_restricted_is_cut_out_and_told(shop: MakeShop) -> None:
    site = guarded(shop)
    site.reply = Reply(body=json.dumps(PEOPLE).encode().replace(b"1.5,", b"1.50,"), kind=b"application/json")
    answer = await site.ask("GET", "/people")
    assert answer.body == b'{"total": 1.50, "people": [{"id": "ann", "email": "a@example.org"}]}'
    assert answer.values(b"content-length") == [b"%d" % len(answer.body)]
    assert ("restricted", "withhold") in site.reasons()
    assert site.lines()[-1]["subj_n"] == 2


async def test_a_record_that_is_the_whole_body_is_denied(shop: MakeShop) -> None:
    site = guarded(shop)
    site.reply = as_json({"id": "bob", "email": "b@example.org"})
    assert (await site.ask("GET", "/person")).status == 403


async def test_a_record_without_the_subject_that_the_binding_promises_does_not_pass(shop: MakeShop) -> None:
    site = guarded(shop)
    site.reply = as_json({"people": [{"email": "c@example.org"}]})
    assert (await site.ask("GET", "/people")).body == b'{"people": []}'


@pytest.mark.parametrize("kind", [b"text/plain", b"text/html", b"application/vnd.ms-excel"])
async def test_records_in_a_form_that_cannot_be_taken_apart_do_not_pass(shop: MakeShop, kind: bytes) -> None:
    site = guarded(shop)
    site.reply = Reply(body=b"bob,b@example.org", kind=kind)
    assert (await site.ask("GET", "/people")).status == 502
    assert site.lines()[-1]["inspect"]["response"] == "records in a form that cannot be read"


async def test_an_empty_list_and_an_error_hold_no_record(shop: MakeShop) -> None:
    site = guarded(shop)
    site.reply = as_json({"people": []})
    assert (await site.ask("GET", "/people")).body == b'{"people": []}'
    site.reply = as_json({"detail": "no"}, status=404)
    assert (await site.ask("GET", "/people")).status == 404
