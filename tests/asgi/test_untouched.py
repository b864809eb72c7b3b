"""Nothing to do means nothing done: the same messages at the same ticks, the same scope, with and without Troth."""

from __future__ import annotations

import copy
import tempfile
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.asgi.ticks import Clock, Log, Script, Sent, messages, play
from tests.asgi.wire import NOW, POLICY
from troth import PolicyMiddleware
from troth._types import ASGIApp, Message, Receive, Scope, Send
from troth.rules import load_inline

NO_RULES = POLICY + "binding:\n  routes:\n    'POST /order': {purpose: sale}\n    'GET /account': {purpose: sale}\n"
HOLDING = (
    POLICY.replace("    _ga*", "    a: {purpose: sale}\n    b: {purpose: sale}\n    _ga*")
    + """
rules:
- {id: cookies, clause: C-1, for: cookie, only-if: {purpose: declared}}
- {id: fields, clause: C-2, for: field, only-if: {purpose: declared}}
- {id: dutiful, clause: C-2, for: field, match: {data: gender, party: any}, otherwise: mask}
- {id: records, clause: C-3, for: record, only-if: {purpose: declared}}
- {id: exchanges, clause: C-4, for: exchange, only-if: {https: true}, otherwise: deny}
- {id: answers, clause: C-4, for: exchange, match: {route: contact}, expect: {status: 2xx}, otherwise: alert}
- {id: elements, clause: C-5, for: element, only-if: {https: true}}
- {id: pages, clause: C-6, for: page, expect: {header: {x-frame-options: deny}}, otherwise: amend}
- {id: events, clause: C-7, for: event, match: {event: consent-recorded}, only-if: {asked: consent}}
binding:
  routes:
    'POST /order': {purpose: sale}
    'GET /account': {purpose: sale}
    'GET /feed': {purpose: sale}
"""
)
GUARDING = HOLDING.replace(
    "- {id: pages", "- {id: adults, clause: C-8, for: field, match: {data: name, under: 13}}\n- {id: pages"
)
"""Its body guard: whether a child writes is known once the body is read, and here nobody is one."""


class Bench:
    """Scripts under one policy; the middleware is made once."""

    def __init__(self, text: str, home: Path, **options: Any) -> None:
        inline = load_inline(text)
        assert inline.policy is not None, inline.diagnostics
        self._app: ASGIApp | None = None
        self.middleware = PolicyMiddleware(
            self._forward, policy=inline.policy, binding=inline.binding, home=home, clock=lambda: NOW, **options
        )

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._app is not None
        await self._app(scope, receive, send)

    def around(self, app: ASGIApp) -> ASGIApp:
        self._app = app
        return self.middleware

    def both(self, script: Script, scope: Scope, client: list[Sent]) -> tuple[Log, Log]:
        """Play a script bare and guarded; the client's messages are copies, so nobody can change the other's."""
        bare = play(script, lambda app: app, copy.deepcopy(scope), copy.deepcopy(client))
        return bare, play(script, self.around, scope, copy.deepcopy(client))


@pytest.fixture(scope="module")
def benches() -> Iterator[dict[str, Bench]]:
    with tempfile.TemporaryDirectory() as folder:
        made = {
            name: Bench(text, Path(folder) / name)
            for name, text in (("no rules", NO_RULES), ("holding", HOLDING), ("guarding", GUARDING))
        }
        yield made
        for bench in made.values():
            bench.middleware.runtime.close()


POLICIES = pytest.mark.parametrize("policy", ["no rules", "holding"])
EXTENSIONS = {
    "http.response.pathsend": {},
    "http.response.zerocopysend": {},
    "http.response.push": {},
    "http.response.trailers": {},
    "http.response.early_hint": {},
    "tls": {"version": 772},
    "websocket.http.response": {},
}


def scope_of(method: str = "GET", path: str = "/", *headers: tuple[bytes, bytes], **more: Any) -> Scope:
    return {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": method,
        "scheme": "https", "path": path, "raw_path": path.encode(), "query_string": b"q=1&r=%20", "root_path": "",
        "headers": [(b"host", b"shop.example"), (b"cookie", b"a=1; b=2;a=3"), *headers],
        "client": ("192.0.2.7", 4711), "server": ("shop.example", 443), "state": {"kept": []},
        "extensions": copy.deepcopy(EXTENSIONS), **more,
    }  # fmt: skip


def start(kind: bytes = b"text/plain", length: int | None = None, status: int = 200, **more: Any) -> Message:
    headers = [
        (b"content-type", kind),
        (b"Set-Cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
        (b"etag", b'"x"'),
        (b"x-frame-options", b"deny"),
    ]
    headers += [] if length is None else [(b"content-length", b"%d" % length)]
    return {"type": "http.response.start", "status": status, "headers": headers, **more}


def part(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


def chunk(body: bytes, *, more: bool = False, tick: int = 0, after: int = 0) -> Sent:
    return Sent({"type": "http.request", "body": body, "more_body": more}, tick, after)


GONE = Sent({"type": "http.disconnect"}, 300)
EMPTY = [chunk(b""), GONE]


async def _says(script: tuple[Any, ...], clock: Clock, scope: Scope, receive: Receive, send: Send) -> None:
    """Carry out a script: a message is sent, ``"receive"`` receives one, a number waits so many ticks."""
    for step in script:
        if step == "receive":
            await receive()
        elif step == "raise":
            raise LookupError
        elif isinstance(step, int):
            await clock.sleep(step)
        else:
            await send(copy.deepcopy(step))


def says(*script: Any) -> Script:
    return partial(_says, script)


def assert_same(bare: Log, guarded: Log, scope: Scope) -> None:
    assert guarded.wire == bare.wire
    assert guarded.app == bare.app
    assert guarded.scope is scope, "the app is given the very scope that the server made"
    assert guarded.scope == bare.scope
    assert guarded.raised == bare.raised


JSON = b'{"email": "a@b.example", "n": 1.10}'
SCRIPTS: dict[str, tuple[Script, Scope, list[Sent]]] = {
    "a whole page": (says("receive", 3, start(b"text/html", 5), 2, part(b"hello")), scope_of(), EMPTY),
    "a stream": (
        says(start(), 2, part(b"a", more=True), 3, part(b"", more=True), 1, part(b"c")),
        scope_of(),
        EMPTY,
    ),
    "server-sent events": (
        says(
            start(b"text/event-stream"), *(step for n in range(9) for step in (7, part(b"data: %d\n\n" % n, more=True)))
        ),
        scope_of("GET", "/feed"),
        EMPTY,
    ),
    "HEAD": (says("receive", start(b"application/json", 34), 2, part(b"")), scope_of("HEAD", "/account"), EMPTY),
    "204": (says("receive", start(status=204), 2, part(b"")), scope_of("GET", "/account"), EMPTY),
    "304": (
        says("receive", 4, start(b"application/json", status=304), 2, part(b"")),
        scope_of("GET", "/account", (b"if-none-match", b'"x"'), (b"accept", b"text/html")),
        EMPTY,
    ),
    "JSON of unknown length, tagged only": (
        says("receive", start(b"application/json"), 2, part(JSON[:9], more=True), 2, part(JSON[9:])),
        scope_of("GET", "/account"),
        EMPTY,
    ),
    "trailers": (
        says(start(trailers=True), part(b"x"), 2, {"type": "http.response.trailers", "headers": [(b"x-t", b"1")]}),
        scope_of(),
        EMPTY,
    ),
    "an early hint and a push": (
        says(
            {"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]},
            3,
            {"type": "http.response.push", "path": "/b.css", "headers": []},
            2,
            start(),
            part(b"x"),
        ),
        scope_of(),
        EMPTY,
    ),
    "a file by its path": (
        says("receive", start(length=9), 2, {"type": "http.response.pathsend", "path": "/srv/file"}),
        scope_of(),
        EMPTY,
    ),
    "a file by its descriptor": (
        says(
            start(),
            2,
            {"type": "http.response.zerocopysend", "file": 3, "more_body": True},
            2,
            {"type": "http.response.zerocopysend", "file": 4},
        ),
        scope_of(),
        EMPTY,
    ),
    "an unknown message": (says(start(), part(b"x"), {"type": "http.response.later"}), scope_of(), EMPTY),
    "an app that fails first": (says("receive", 2, "raise"), scope_of("GET", "/account"), EMPTY),
    "an app that fails midway": (says(start(), 2, part(b"x", more=True), "raise"), scope_of(), EMPTY),
    "an app that answers nothing": (says("receive", 2), scope_of(), EMPTY),
    "an app that never reads": (
        says(start(length=2), 1, part(b"ok")),
        scope_of("POST", "/order", (b"content-type", b"application/json"), (b"content-length", b"34")),
        [chunk(JSON), GONE],
    ),
    "an app that answers before it reads": (
        says(start(), part(b"go", more=True), "receive", 1, "receive", part(b"done")),
        scope_of("POST", "/order", (b"content-type", b"application/json"), (b"content-length", b"35")),
        [chunk(JSON[:9], more=True, tick=4), chunk(JSON[9:], tick=9), GONE],
    ),
    "a chunked request": (
        says("receive", "receive", "receive", start(length=2), part(b"ok")),
        scope_of("POST", "/order", (b"content-type", b"application/json"), (b"transfer-encoding", b"chunked")),
        [chunk(JSON[:5], more=True, tick=2), chunk(JSON[5:], more=True, tick=5), chunk(b"", tick=8), GONE],
    ),
    "an upload": (
        says("receive", "receive", start(length=2), part(b"ok")),
        scope_of("PUT", "/x", (b"content-type", b"image/png"), (b"content-length", b"8")),
        [chunk(b"1234", more=True, tick=2), chunk(b"5678", tick=6), GONE],
    ),
    "a client that goes": (
        says("receive", "receive", start(), part(b"ok")),
        scope_of("PUT", "/x", (b"content-type", b"image/png"), (b"content-length", b"8")),
        [chunk(b"1234", more=True), Sent({"type": "http.disconnect"}, 5)],
    ),
    "echo, chunk by chunk": (
        says("receive", start(), part(b"1", more=True), "receive", part(b"2", more=True), "receive", part(b"3")),
        scope_of("POST", "/order", (b"content-type", b"application/json"), (b"content-length", b"6")),
        [chunk(b'{"', more=True), chunk(b'":', more=True, after=2), chunk(b"1}", after=3), GONE],
    ),
    "echo of a declared length": (
        says(
            "receive",
            start(b"application/json", 6),
            part(b'{"', more=True),
            "receive",
            part(b'":', more=True),
            "receive",
            part(b"1}"),
        ),
        scope_of("POST", "/order", (b"content-type", b"image/png"), (b"content-length", b"6")),
        [chunk(b'{"', more=True), chunk(b'":', more=True, after=2), chunk(b"1}", after=3), GONE],
    ),
    "odd headers": (
        says(start(b"text/html; charset=x", 1), part(b"x")),
        scope_of("GET", "/", (b"cookie", b""), (b"x", b"\xff\x00"), (b"content-length", b"0"), (b"host", b"other")),
        EMPTY,
    ),
    "an unknown method": (says("receive", start(), part(b"x")), scope_of("BREW", "/account"), EMPTY),
}


@POLICIES
@pytest.mark.parametrize("name", SCRIPTS)
def test_log_and_scope_are_equal_where_no_guard_reads_a_body(benches: dict[str, Bench], policy: str, name: str) -> None:
    script, scope, client = SCRIPTS[name]
    scope = copy.deepcopy(scope)
    bare, guarded = benches[policy].both(script, scope, client)
    assert_same(bare, guarded, scope)


SOCKET: dict[str, Any] = {"type": "websocket", "subprotocols": ["chat"], "scheme": "wss"}
SOCKETS: dict[str, tuple[Script, list[Sent]]] = {
    "a talk": (
        says(
            "receive",
            2,
            {"type": "websocket.accept", "subprotocol": "chat", "headers": [(b"x", b"1")]},
            "receive",
            1,
            {"type": "websocket.send", "text": "hi"},
            "receive",
            {"type": "websocket.close", "code": 1000},
        ),
        [
            Sent({"type": "websocket.connect"}),
            Sent({"type": "websocket.receive", "text": "x"}, 5),
            Sent({"type": "websocket.disconnect", "code": 1001}, 9),
        ],
    ),
    "a refusal": (
        says("receive", {"type": "websocket.close", "code": 1008, "reason": "no"}),
        [Sent({"type": "websocket.connect"})],
    ),
    "a denial response": (
        says(
            "receive",
            {"type": "websocket.http.response.start", "status": 403, "headers": [(b"content-type", b"x/y")]},
            2,
            {"type": "websocket.http.response.body", "body": b"no", "more_body": True},
            2,
            {"type": "websocket.http.response.body", "body": b""},
        ),
        [Sent({"type": "websocket.connect"})],
    ),
    "cookies on acceptance": (
        says("receive", {"type": "websocket.accept", "headers": [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]}),
        [Sent({"type": "websocket.connect"})],
    ),
    "an app that fails": (says("receive", "raise"), [Sent({"type": "websocket.connect"})]),
}


@pytest.mark.parametrize("policy", ["no rules", "holding", "guarding"])
@pytest.mark.parametrize("path", ["/", "/account"])
@pytest.mark.parametrize("name", SOCKETS)
def test_websockets_pass_untouched(benches: dict[str, Bench], policy: str, path: str, name: str) -> None:
    script, client = SOCKETS[name]
    scope = scope_of("GET", path, **SOCKET)
    del scope["method"]
    bare, guarded = benches[policy].both(script, scope, client)
    assert_same(bare, guarded, scope)


@pytest.mark.parametrize("policy", ["no rules", "holding", "guarding"])
def test_lifespan_passes_untouched(benches: dict[str, Bench], policy: str) -> None:
    script = says(
        "receive",
        3,
        {"type": "lifespan.startup.complete"},
        "receive",
        {"type": "lifespan.shutdown.failed", "message": "x"},
    )
    scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    client = [Sent({"type": "lifespan.startup"}, 2), Sent({"type": "lifespan.shutdown"}, 9)]
    assert_same(*benches[policy].both(script, scope, client), scope)


# drawn ---------------------------------------------------------------------------------------------------------------


def _cut(body: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(one, len(body)) for one in at), len(body)]
    return [body[a:b] for a, b in pairwise(edges)]


CUTS = st.lists(st.integers(0, 40), max_size=4)
PAUSES = st.lists(st.integers(0, 3), min_size=12, max_size=12)
KINDS = st.sampled_from([b"text/plain", b"text/event-stream", b"application/octet-stream", b"application/json"])


@st.composite
def talks(draw: st.DrawFn, *, declared: bool) -> tuple[Script, Scope, list[Sent]]:
    """Draw an app that reads and answers in any order, and a client that sends in any cut."""
    body, answer = (
        draw(st.sampled_from([JSON, b"{}", b"not json", b"x" * 90])),
        draw(st.sampled_from([JSON, b"[]", b"ok"])),
    )
    pauses = iter(draw(PAUSES))
    parts, asked = _cut(answer, draw(CUTS)), _cut(body, draw(CUTS))
    kind = b"application/json" if declared else draw(KINDS)
    answer_steps: list[Any] = [start(kind, len(answer) if declared or kind != b"application/json" else None)]
    answer_steps += [part(one, more=n < len(parts) - 1) for n, one in enumerate(parts)]
    reads: list[Any] = ["receive"] * draw(st.integers(0, len(asked)))
    steps = [*reads, *answer_steps] if declared else _interleaved(draw, reads, answer_steps)
    script = says(*(one for step in steps for one in (next(pauses, 0), step)))
    tick = 0
    client = []
    for n, one in enumerate(asked):
        tick += next(pauses, 0)
        client.append(chunk(one, more=n < len(asked) - 1, tick=tick))
    request = draw(st.sampled_from([b"application/json", b"application/x-www-form-urlencoded", b"text/csv"]))
    framing = draw(st.sampled_from([(b"content-length", b"%d" % len(body)), (b"transfer-encoding", b"chunked")]))
    headers = [(b"content-type", request), framing]
    return script, scope_of("POST", "/order", *headers), [*client, GONE]


def _interleaved(draw: st.DrawFn, one: list[Any], other: list[Any]) -> list[Any]:
    order = draw(st.permutations([0] * len(one) + [1] * len(other)))
    queues = (iter(one), iter(other))
    return [next(queues[which]) for which in order]


@given(talks(declared=False), st.sampled_from(["no rules", "holding"]))
@settings(max_examples=150)
def test_any_talk_is_equal_where_no_guard_reads_a_body(
    benches: dict[str, Bench], talk: tuple[Script, Scope, list[Sent]], policy: str
) -> None:
    script, scope, client = talk
    assert_same(*benches[policy].both(script, scope, client), scope)


@given(talks(declared=True))
@settings(max_examples=150)
def test_a_body_guard_changes_nothing_but_when(
    benches: dict[str, Bench], talk: tuple[Script, Scope, list[Sent]]
) -> None:
    """The app begins when the request is complete; each of its messages leaves at the later of its tick and the end."""
    script, scope, client = talk
    scope["headers"][-2] = (b"content-type", b"application/json")
    _, guarded = benches["guarding"].both(script, scope, client)
    if not _body(client).startswith(b"{"):
        assert (_out(guarded.wire)[0]["status"], guarded.app) == (400, [])
        return
    complete = max(one.tick for one in client[:-1])
    bare = play(partial(_later, script, complete), lambda app: app, scope, [replace(one, tick=0) for one in client])
    assert guarded.app == bare.app
    release = max(tick for tick, direction, _ in bare.wire if direction == "out")
    held = [(max(tick, release), direction, message) for tick, direction, message in bare.wire if direction == "out"]
    assert [entry for entry in guarded.wire if entry[1] == "out"] == held


async def _later(script: Script, tick: int, clock: Clock, scope: Scope, receive: Receive, send: Send) -> None:
    await clock.sleep(tick)
    await script(clock, scope, receive, send)


def _body(client: list[Sent]) -> bytes:
    return b"".join(one.message.get("body", b"") for one in client)


def _out(log: list[Any]) -> list[Message]:
    return [message for _, direction, message in log if direction == "out"]


def test_messages_of_a_guarded_route_leave_at_the_later_of_their_tick_and_the_release(
    benches: dict[str, Bench],
) -> None:
    script = says(
        "receive",
        start(
            b"application/json",
            len(JSON),
        ),
        4,
        part(JSON[:9], more=True),
        6,
        part(JSON[9:]),
    )
    scope = scope_of("GET", "/account")
    bare, guarded = benches["guarding"].both(script, scope, EMPTY)
    release = max(tick for tick, direction, _ in bare.wire if direction == "out")
    assert _out(guarded.wire) == _out(bare.wire)
    assert [tick for tick, direction, _ in guarded.wire if direction == "out"] == [
        max(tick, release) for tick, direction, _ in bare.wire if direction == "out"
    ]


def test_an_app_behind_a_guard_is_called_once_the_body_is_there(benches: dict[str, Bench]) -> None:
    script = says("receive", "receive", start(length=2), part(b"ok"))
    scope = scope_of("POST", "/order", (b"content-type", b"application/json"), (b"content-length", b"35"))
    client = [chunk(JSON[:9], more=True, tick=3), chunk(JSON[9:], tick=8), GONE]
    bare, guarded = benches["guarding"].both(script, scope, client)
    assert messages(guarded.app) == messages(bare.app)
    assert [tick for tick, _, _ in guarded.app] == [8, 8, 8, 8]
    assert guarded.wire == bare.wire
    assert guarded.scope is scope


def test_a_client_that_goes_before_a_guarded_body_is_complete_ends_it(benches: dict[str, Bench]) -> None:
    scope = scope_of("POST", "/order", (b"content-type", b"application/json"), (b"content-length", b"35"))
    client = [chunk(JSON[:9], more=True, tick=3), Sent({"type": "http.disconnect"}, 5)]
    _, guarded = benches["guarding"].both(says("receive", "receive"), scope, client)
    assert guarded.app == []
    assert [direction for _, direction, _ in guarded.wire] == ["in", "in"]


# extensions and size --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "kept"),
    [("/", True), ("/account", False)],
)
def test_files_by_path_are_withdrawn_only_where_a_guard_reads_the_response(
    tmp_path: Path, path: str, kept: bool
) -> None:
    rules = "\nrules:\n- {id: row, clause: C, for: field, match: {purpose: sale}, only-if: {data: of-purpose}}\n"
    bench = Bench(POLICY + rules + "binding:\n  routes:\n    'GET /account': {purpose: sale}\n", tmp_path)
    scope = scope_of("GET", path)
    before = copy.deepcopy(scope)
    _, guarded = bench.both(says("receive", start(), part(b"x")), scope, EMPTY)
    assert guarded.scope is not None
    gone = set(EXTENSIONS) - set(guarded.scope["extensions"])
    assert gone == (set() if kept else {"http.response.pathsend", "http.response.zerocopysend"})
    assert scope == before, "the server's own scope is never changed"
    assert (guarded.scope is scope) is kept
    bench.middleware.runtime.close()


@pytest.mark.parametrize("policy", ["no rules", "holding", "guarding"])
def test_a_streamed_response_of_100_megabytes_takes_no_memory(benches: dict[str, Bench], policy: str) -> None:
    block = b"x" * 1_000_000

    async def script(clock: Clock, scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(b"application/octet-stream"))
        for n in range(100):
            await send(part(block, more=n < 99))

    size = 0

    async def send(message: Message) -> None:
        nonlocal size
        size += len(message.get("body", b""))

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    clock = Clock()
    app = benches[policy].around(partial(script, clock))
    tracemalloc.start()
    try:
        clock.run(app(scope_of("GET", "/account"), receive, send))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size == 100_000_000
    assert peak < 3_000_000
