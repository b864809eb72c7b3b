"""Large JSON answers: what must go is out, others have their turn, and memory and stalls keep within bounds."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from benchmarks import bench_large
from tests.asgi.conftest import MakeShop
from tests.asgi.wire import FIELDS, as_json

COUNTED = 1_000
TAGGED = "- {id: seen, clause: C-1, for: field, match: {data: gender}, otherwise: alert}\n"
MASKED = "- {id: masked, clause: C-1, for: field, match: {data: [gender, email]}, otherwise: mask}\n"


def rows(count: int = COUNTED, **more: Any) -> list[dict[str, Any]]:
    return [
        {"id": n, "name": f"Ada {n}", "email": f"ada{n}@example.com", "note": "x" * 60, "n": n / 4, **more}
        for n in range(count)
    ]


def chunks(body: bytes, size: int) -> tuple[int, ...]:
    return tuple(range(size, len(body), size))


@pytest.mark.parametrize("size", [0, 1_000, 40_000])
async def test_fields_of_a_large_body_go_and_every_other_byte_stays(shop: MakeShop, size: int) -> None:
    one = shop(FIELDS)
    body = json.dumps(rows(gender="f")).encode()
    one.reply = as_json(body, cuts=chunks(body, size) if size else ())
    answer = await one.ask("GET", "/account")
    assert answer.body == body.replace(b', "gender": "f"', b"")
    assert answer.values(b"content-length") == [b"%d" % len(answer.body)]
    assert [message["more_body"] for message in answer.messages[1:]] == [True] * (len(answer.messages) - 2) + [False]
    assert one.reasons() == [("in-the-row", "withhold")]
    counted = {tag["path"]: tag["n"] for tag in one.lines()[-1]["pd"]}
    assert counted == {"$[*].email": COUNTED, "$[*].gender": COUNTED, "$[*].name": COUNTED}


async def test_values_of_a_large_body_are_masked_where_they_stand(shop: MakeShop) -> None:
    one = shop(MASKED)
    one.reply = as_json(rows(gender=None))
    masked = json.loads((await one.ask("GET", "/account")).body)
    assert masked == [{**row, "email": "***", "gender": None} for row in rows()]


@pytest.mark.parametrize("size", [0, 1_000])
async def test_a_large_body_of_which_nothing_goes_is_sent_as_it_came(shop: MakeShop, size: int) -> None:
    one = shop(TAGGED)
    body = json.dumps(rows(gender="f")).encode()
    one.reply = as_json(body, cuts=chunks(body, size) if size else ())
    answer = await one.ask("GET", "/account")
    assert answer.body == body
    assert answer.values(b"content-length") == [b"%d" % len(body)]
    assert one.reasons() == [("seen", "alert")]


@pytest.mark.parametrize("size", [0, 1_000])
async def test_a_large_body_that_is_cut_off_is_withheld(shop: MakeShop, size: int) -> None:
    one = shop(FIELDS)
    body = json.dumps(rows()).encode()[:-1]
    one.reply = as_json(body, cuts=chunks(body, size) if size else ())
    answer = await one.ask("GET", "/account")
    assert answer.status == 502
    assert b"ada1@" not in answer.body
    assert one.lines()[-1]["inspect"] == {"response": "malformed"}


@pytest.mark.parametrize("size", [0, 1_000])
async def test_a_large_body_that_cannot_be_read_is_sent_where_no_rule_restricts(shop: MakeShop, size: int) -> None:
    one = shop(TAGGED)
    body = json.dumps(rows()).encode()[:-1]
    one.reply = as_json(body, cuts=chunks(body, size) if size else ())
    answer = await one.ask("GET", "/account")
    assert (answer.status, answer.body) == (200, body)
    assert one.lines()[-1]["inspect"] == {"response": "malformed"}


async def test_others_have_their_turn_while_a_large_body_is_read(shop: MakeShop) -> None:
    one = shop(FIELDS)
    one.reply = as_json(rows(gender="f"))
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    answer = await one.ask("GET", "/account")
    beside.cancel()
    assert turns > len(answer.body) // (16 * 1024)


@pytest.mark.real
@pytest.mark.parametrize("name", bench_large.CASES)
def test_ten_megabytes_of_json_take_little_memory(name: str) -> None:
    assert bench_large.memory(name) <= bench_large.BARS["memory"]


@pytest.mark.real
@pytest.mark.parametrize("name", bench_large.STREAMS)
def test_a_gigabyte_that_is_streamed_takes_no_more_memory_than_a_little_of_it(name: str) -> None:
    assert bench_large.stream(name) <= bench_large.BARS["stream"]
