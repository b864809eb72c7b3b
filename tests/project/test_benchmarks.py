"""The benchmark harness: disturbed blocks are dropped, ratios are what they claim to be."""

from __future__ import annotations

import gc
import socket
from pathlib import Path

import pytest

from benchmarks import bench_peers, stub_opa
from benchmarks.bench_middleware import BASE, NONE, QUESTIONS, PassOn, Question, answer, check_equal, share_by_least
from benchmarks.bench_server import CONNECTIONS, Row, Seen, serving
from benchmarks.harness import Case, Measured, Sandwich, discard, empty_request, new_loop
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
    cases = [Case(name=NONE, app=app, requests=requests), double := Case(name="double", app=twice, requests=requests)]
    seen = Sandwich(loop, bare, seed=1).measure(cases, rounds=60)
    loop.close()
    gc.unfreeze()
    least = {name: measured.summary()["least"] for name, measured in seen.items()}
    assert 1.6 < least["double"] / least[NONE] < 2.4
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


def test_the_calmest_blocks_say_what_a_case_adds_whatever_disturbed_the_others() -> None:
    calm = {NONE: 10.0, BASE: 110.0, "case": 30.0}
    rows = [{name: {"least": least + slow} for name, least in calm.items()} for slow in (0.0, 50.0)]
    assert share_by_least(rows, "case") == 0.2
    assert share_by_least(rows, BASE) == 1.0


@pytest.mark.parametrize("question", bench_peers.ASKED, ids=[question.name for question in bench_peers.ASKED])
def test_every_peer_answers_as_the_bare_app_does(question: Question) -> None:
    loop, requests = new_loop(), Traffic(seed=1).requests(question.path)
    cases = bench_peers.others(question)
    check_equal(loop, Case(name="bare", app=target(), requests=requests), cases)
    assert {case.name for case in cases} == {"correlation id", "session, none yet", "session, signed"}
    loop.close()


def test_a_signed_session_is_one_that_the_middleware_reads() -> None:
    seen: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(dict(scope["session"]))

    (scope,) = Traffic(seed=1, consents=bench_peers.sessions(7)).requests("/text")(1)
    loop = new_loop()
    loop.run_until_complete(bench_peers.with_sessions(app)(scope, empty_request, discard))
    loop.close()
    assert seen != [{}]


@pytest.mark.parametrize("cut", [1, 40, 90])
def test_the_stub_of_opa_allows_whatever_it_is_asked_however_it_is_cut(cut: int) -> None:
    request = b"POST /v1/data/x HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n" + b'{"input":{}}'
    with (
        stub_opa.running() as address,
        socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))) as asking,
    ):
        asking.sendall(request[:cut])
        asking.sendall(request[cut:])
        assert asking.recv(65_536).endswith(b'{"result":{"allow":true}}')


def test_a_run_whose_neighbours_drifted_is_dropped() -> None:
    row, steady, slow, half = Row(), *(Seen(answers=n, seconds=1.0, took=[0.01] * n) for n in (100, 80, 50))
    row.note(steady, half, slow)
    assert (row.kept, row.dropped) == ([], 1)
    row.note(steady, half, steady)
    assert (row.kept, row.middles) == ([0.5], [10.0])
    with pytest.raises(RuntimeError, match="too busy"):
        assert row.share


def test_a_server_is_loaded_on_all_connections_and_every_answer_is_counted(tmp_path: Path) -> None:
    with serving(NONE, tmp_path / "none") as load:
        seen = load.run("/api/orders/{visitor}", 0.1)
        assert len(seen.took) == seen.answers == load.sent >= CONNECTIONS
        assert 0 < seen.percentile(0.5) <= seen.percentile(0.99)
        with pytest.raises(RuntimeError, match="404"):
            load.run("/nowhere", 0.1)
