"""The benchmark harness: disturbed blocks are dropped, ratios are what they claim to be."""

from __future__ import annotations

import gc

import pytest

from benchmarks.bench_middleware import QUESTIONS, PassOn, Question, answer, check_equal
from benchmarks.harness import Case, Measured, Sandwich, new_loop
from benchmarks.target import ORDERS, SHAPES, target
from benchmarks.traffic import COOKIES, Traffic
from troth._types import Message, Receive, Scope, Send


def test_a_block_between_equal_references_gives_its_ratio() -> None:
    found = Measured()
    found.note(100.0, 250.0, 100.0)
    assert found.ratios == [2.5]
    assert found.micros == [0.25]


@pytest.mark.parametrize(("before", "after", "kept"), [(100.0, 107.9, 1), (100.0, 109.0, 0), (109.0, 100.0, 0)])
def test_a_block_whose_references_drifted_is_dropped(before: float, after: float, kept: int) -> None:
    found = Measured()
    found.note(before, 100.0, after)
    assert (len(found.ratios), found.dropped) == (kept, 1 - kept)


def test_too_few_blocks_are_no_result() -> None:
    with pytest.raises(ValueError, match="too busy"):
        Measured(ratios=[1.0], micros=[1.0]).summary()


def test_an_app_run_twice_costs_about_twice() -> None:
    app = target()

    async def twice(scope: Scope, receive: Receive, send: Send) -> None:
        await app(dict(scope), receive, send)
        await app(scope, receive, send)

    loop, requests = new_loop(), Traffic(seed=1).requests("/api/orders/{visitor}")
    bare = Case(name="bare", app=app, requests=requests)
    double = Case(name="double", app=twice, requests=requests)
    seen = Sandwich(loop, bare, seed=1).measure([double], rounds=60)["double"]
    loop.close()
    gc.unfreeze()
    assert 1.6 < seen.summary()["ratio"] < 2.4
    assert double.sent > 20


def test_no_cookie_header_is_sent_twice_and_each_holds_twelve() -> None:
    headers = [dict(scope["headers"])[b"cookie"] for scope in Traffic(seed=1).requests("/text")(7_000)]
    assert len(set(headers)) == len(headers)
    assert {len(header.split(b"; ")) for header in headers} == {COOKIES}


def test_orders_have_as_many_shapes_as_promised() -> None:
    assert len({tuple(order["customer"]) for order in ORDERS}) == SHAPES


@pytest.mark.parametrize("question", QUESTIONS, ids=[question.name for question in QUESTIONS])
def test_every_question_gets_an_answer_from_the_bare_app(question: Question) -> None:
    loop, requests = new_loop(), Traffic(seed=1).requests(question.path, cookies=question.cookies)
    bare = Case(name="bare", app=target(), requests=requests)
    check_equal(loop, bare, [Case(name="pass on", app=PassOn(target()), requests=requests)])
    assert answer(loop, bare)[0] == 200
    loop.close()


def test_a_case_that_answers_otherwise_is_refused() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 500, "headers": []})
        last: Message = {"type": "http.response.body", "body": b""}
        await send(last)

    loop, requests = new_loop(), Traffic(seed=1).requests("/text")
    bare = Case(name="bare", app=target(), requests=requests)
    with pytest.raises(RuntimeError, match="500"):
        check_equal(loop, bare, [Case(name="broken", app=broken, requests=requests)])
    loop.close()
