"""The demonstration: what it shows is what passed, and its claims fail where nobody guards the shop."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from example_app.demo import browser, show
from example_app.demo.recorder import Recorder, read
from example_app.demo.scene import Scene
from example_app.demo.server import WORKERS, Server, serving
from example_app.demo.walk import walk
from example_app.demo.wire import Answer, Inside, Request, cookie_pairs, expired


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("demo"), guarded=False) as running:
        yield running


@pytest.fixture(scope="module")
def scenes(server: Server) -> list[Scene]:
    return list(walk(server))


def test_claims_about_the_guard_fail_without_it(scenes: list[Scene]) -> None:
    failing = {claim.text for scene in scenes for claim in scene.claims if not claim.holds}
    assert failing >= {
        "no analytics or advertising cookie arrived",
        "a policy for scripts holds the third parties back",
        "the choice is kept in a cookie",
        "the shop saw no analytics cookie",
        "the shop saw none of them",
        "the shop saw no tracking cookie",
        "the ones from before are expired",
        "the page is not stored on the way",
        "date of birth and gender did not",
        "the shop never saw the date of birth",
        "date of birth and gender were taken out of the answer",
        "the child was turned away",
        "nobody had joined, so nobody arrived",
        "Ann arrived, and nobody else",
        "Ann was taken out of the list",
        "the shop saw the address and not the number",
        "such figures were denied",
    }


def test_claims_about_the_shop_hold_without_the_guard(scenes: list[Scene]) -> None:
    holding = {claim.text for scene in scenes for claim in scene.claims if claim.holds}
    assert holding >= {
        "the shop sent all its cookies",
        "the cart cookie arrived, byte for byte",
        "the page shows what lies in it",
        "Ann sees her orders",
        "the order was placed",
        "nothing was taken out",
        "the archive arrived, byte for byte",
        "the shop sent everybody",
        "the address was corrected",
        "the shop let the reader go",
        "the shop took the guardian's word",
        "the request stands there with its deadline",
    }


def test_both_sides_of_every_step_were_taken(scenes: list[Scene]) -> None:
    for scene in scenes:
        inside = scene.exchange.inside
        assert inside is not None
        assert inside.path == scene.exchange.request.path
        assert inside.answer.body == scene.exchange.arrived.body


def test_both_workers_answer(server: Server) -> None:
    assert len(server.workers_that_answered()) == WORKERS


def test_the_same_walk_works_without_curl(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    visitor = browser.Browser(server)
    home = visitor.get("/")
    assert home.arrived.status == 200
    added = visitor.submit("/cart", "sku=MP-POCKET")
    assert added.arrived.all("location") == ("/cart",)
    assert b"Deep Pocket" in visitor.get("/cart").arrived.body


def test_curl_line_says_everything_that_is_sent() -> None:
    request = Request(
        method="POST", path="/a?b=c", cookies="x=1; y='2'", headers=(("Accept", "text/html"),), body='{"a": "b c"}'
    )
    assert shlex.split(request.curl("http://127.0.0.1:1")) == [
        *("curl", "-si", "-H", "Accept: text/html", "-b", "x=1; y='2'", "-d", '{"a": "b c"}'),
        "http://127.0.0.1:1/a?b=c",
    ]
    assert "-X DELETE" in Request(method="DELETE", path="/").curl("http://h")


def test_rows_mark_what_was_withheld_changed_and_added() -> None:
    sent = Answer(
        status=200, headers=(("set-cookie", "a=1"), ("set-cookie", "b=2"), ("etag", "x")), body=b'{"n":1,"m":2}'
    )
    arrived = Answer(status=200, headers=(("set-cookie", "b=2"), ("etag", "x-1"), ("vary", "Cookie")), body=b'{"n":1}')
    rows = show.answer_rows(sent, arrived)
    assert ("-", "set-cookie: a=1", "(withheld)") in rows
    assert (" ", "set-cookie: b=2", "set-cookie: b=2") in rows
    assert ("~", "etag: x", "etag: x-1") in rows
    assert ("+", "", "vary: Cookie") in rows
    assert ("-", ' "m": 2', "(withheld)") in rows


def test_rows_of_a_request_show_the_cookies_that_got_through() -> None:
    answer = Answer(status=200, headers=(), body=b"")
    inside = Inside(worker=7, method="GET", path="/", headers=(("cookie", "s=1"),), body=b"", answer=answer)
    rows = show.request_rows(Request(method="GET", path="/", cookies="_ga=9; s=1"), inside)
    assert rows[1:] == [("-", "Cookie: _ga=9", "(withheld)"), (" ", "Cookie: s=1", "Cookie: s=1")]


def test_long_agreement_is_shortened() -> None:
    body = ("[" + ",".join(str(number) for number in range(100)) + "]").encode()
    answer = Answer(status=200, headers=(), body=body)
    rows = show.answer_rows(answer, answer)
    assert len(rows) < 20
    assert any("the same" in right for _, _, right in rows)


def test_an_exchange_that_the_shop_never_saw_says_so(scenes: list[Scene]) -> None:
    seen = scenes[0].exchange
    unseen = type(seen)(request=seen.request, arrived=seen.arrived, inside=None)
    assert any("the shop was not asked" in line for line in show.exchange("http://h", unseen))


@pytest.mark.parametrize(
    ("value", "gone"),
    [("a=; Max-Age=0", True), ("a=; expires=Thu, 01 Jan 1970 00:00:00 GMT", True), ("a=1; Max-Age=60", False)],
)
def test_expiry_is_told_from_a_new_cookie(value: str, gone: bool) -> None:
    assert expired(value) is gone


def test_cookie_pairs_keep_equal_signs_in_values() -> None:
    assert cookie_pairs("a=b==; c=d") == {"a": "b==", "c": "d"}


def test_server_leaves_nothing_running(tmp_path: Path) -> None:
    with serving(tmp_path, guarded=False) as running:
        process = running.process
    assert process.poll() is not None


def test_every_claim_holds_under_the_policy(tmp_path: Path) -> None:
    with serving(tmp_path) as guarded:
        claims = [claim for scene in walk(guarded) for claim in scene.claims]
        workers = guarded.workers_that_answered()
    assert [claim.text for claim in claims if not claim.holds] == []
    assert len(workers) == WORKERS


async def test_camera_has_written_before_the_browser_can_know_that_all_has_come(tmp_path: Path) -> None:
    film = tmp_path / "camera.jsonl"
    lines_then: list[int] = []

    async def shop(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 303, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async def send(_message: Message) -> None:
        lines_then.append(len(film.read_bytes().splitlines()))

    async def receive() -> Message:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    await Recorder(shop, film)(scope, receive, send)
    assert lines_then == [1, 1]
    assert read(film.read_bytes()).answer.status == 303
