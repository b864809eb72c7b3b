"""Every hostile body of the page of bodies, sent both ways: what the page says is what the wire and the trail say."""

from __future__ import annotations

import re
import sys
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Final

import pytest

from tests.asgi.hostile import BODIES, CSV, GROWING, LINES, Hostile
from tests.asgi.wire import FIELDS, POLICY, Answer, Reply, Shop, policy_text
from tests.project.test_docs import DOCS, ROOT
from tests.project.test_pages import section
from troth import PolicyMiddleware
from troth.rules.load import load_binding, load_policy

PAGE: Final = DOCS / "bodies.md"
ROWS: Final = "- {id: nobody, clause: C-4, for: record, match: {state: restricted}}\n"
ROUTES: Final = """
binding:
  state: tests.asgi.test_hostile:states
  routes:
    'POST /order': {purpose: SALE, audience: public}
    'POST /contact': {tag: contact, purpose: SALE, audience: public}
    'GET /account': {purpose: SALE, audience: public}
    'GET /policy': {tag: policy, purpose: SALE, audience: public}
    'POST /people': {purpose: SALE, audience: public, records: {request: '$[*]'}, subject: '$.id'}
    'POST /letter': {tag: contact, purpose: SALE, audience: public, records: {request: '$[*]'}, subject: '$.id'}
    'GET /people': {purpose: SALE, audience: public, records: '$[*]', subject: '$.id'}
    'GET /notice': {tag: policy, purpose: SALE, audience: public, records: '$[*]', subject: '$.id'}
"""
PATHS: Final = {
    ("request", "guarded"): ("/order", "/people"),
    ("request", "tagged"): ("/order", "/people"),
    ("request", "protected"): ("/contact", "/letter"),
    ("response", "guarded"): ("/account", "/people"),
    ("response", "tagged"): ("/account", "/people"),
    ("response", "protected"): ("/policy", "/notice"),
}
"""The path of each column of the page: of bodies, and of those that are rows."""
SLACK: Final = 200_000
"""Bytes that a request takes anyway, lines and tables among them."""
GROWTH: Final = 6
"""Four, and what tables that remember only so much add; what grows with the square would come to sixteen."""
MOST_ROOM: Final = 600
"""Bytes in memory for each byte of a body: a row of two bytes is a record of its own."""
WAYS: Final = ("request", "response")
TOONTRACK: Final = ROOT / "policies" / "toontrack"


def states(ids: list[str]) -> dict[str, list[str]]:
    return {one: [] for one in ids}


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split(" | ")]


def outcomes() -> dict[tuple[str, str, str], str]:
    """Return the first table of the page: outcome, direction and column to what becomes of the body."""
    head, _, *rows = re.findall(r"(?m)^\|.*\|$", section(PAGE, "Outcomes"))
    columns = [cell.split() for cell in cells(head)[1:]]
    return {
        (cells(row)[0].strip("`"), way, column): cell
        for row in rows
        for (column, way), cell in zip(columns, cells(row)[1:], strict=True)
    }


def promised() -> dict[tuple[str, str], str]:
    """Return the other tables: body and direction to its outcome."""
    rows = [cells(row) for row in re.findall(r"(?m)^\|.*`\w.*\|$", section(PAGE, "Bodies"))]
    return {(name, way): cell.strip("`") for name, *two in rows for way, cell in zip(WAYS, two, strict=True)}


OUTCOMES: Final = outcomes()
PROMISED: Final = promised()


def test_every_body_of_the_page_is_sent_and_every_body_that_is_sent_stands_there() -> None:
    assert [name for name, way in PROMISED if way == "request"] == list(BODIES)
    assert {outcome for outcome, _, _ in OUTCOMES} == set(PROMISED.values())


class Toontrack(Shop):
    """The same app behind a whole policy."""

    def __init__(self, home: Path, binding: str) -> None:
        super().__init__(home / "unused", policy_text(""))
        self.close()
        at = home / "binding.yaml"
        at.write_text("\n".join(line.removeprefix("  ") for line in binding.splitlines()[2:]))
        loaded = load_policy(TOONTRACK)
        assert loaded.policy is not None
        bound = load_binding(at, loaded.policy)
        assert not [one for one in bound.diagnostics if one.is_error], [str(one) for one in bound.diagnostics]
        self.home = home / "home"
        self._read, self._lines = {}, []
        self.middleware = PolicyMiddleware(
            self.app, policy=TOONTRACK, binding=at, home=self.home, clock=lambda: self.now
        )


def minimal(home: Path, rules: str) -> Shop:
    policy = POLICY.rstrip() + "\n  states: {restricted: {of: person}}\n"
    return Shop(home, policy_text(rules, routes=ROUTES.replace("SALE", "sale"), policy=policy))


MAKERS: Final[dict[tuple[str, str], Callable[[Path], Shop]]] = {
    ("minimal", "guarded"): lambda home: minimal(home, FIELDS + ROWS),
    ("minimal", "tagged"): lambda home: minimal(home, ""),
    ("minimal", "protected"): lambda home: minimal(home, FIELDS + ROWS),
    ("toontrack", "guarded"): lambda home: Toontrack(home, ROUTES.replace("SALE", "order-processing")),
    ("toontrack", "protected"): lambda home: Toontrack(home, ROUTES.replace("SALE", "order-processing")),
}


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], Shop]]:
    """Return ``shops(policy, column)``: one of each, made when it is first asked for."""
    made: dict[tuple[str, str], Shop] = {}

    def of(policy: str, column: str) -> Shop:
        if (policy, column) not in made:
            made[policy, column] = MAKERS[policy, column](tmp_path_factory.mktemp(f"{policy}-{column}"))
        return made[policy, column]

    yield of
    for one in made.values():
        one.close()


@cache
def body(name: str) -> Hostile:
    return BODIES[name]()


def is_row(hostile: Hostile) -> bool:
    return hostile.kind.partition(b";")[0] in (CSV, LINES)


def is_looked_at(hostile: Hostile, way: str, column: str) -> bool:
    """Whether a body is looked at: not one of another type that would only be tagged."""
    is_odd = hostile.kind in (b"text/plain", b"image/png") or (b"content-type", b"text/plain") in hostile.headers
    return way == "response" or column != "tagged" or not is_odd


async def sent(shop: Shop, hostile: Hostile, way: str, path: str) -> tuple[Answer, bytes]:
    """Send a body one way; returns the answer, and the body as the other side has it."""
    host = b"www.toontrack.com" if isinstance(shop, Toontrack) else b"shop.example"
    if way == "request":
        shop.reply = Reply(body=b"fine")
        body = [hostile.body[:7], hostile.body[7:]]
        answer = await shop.ask("POST", path, body=body, kind=hostile.kind, headers=hostile.headers, host=host)
        return answer, answer.body_seen
    shop.reply = Reply(body=hostile.body, kind=hostile.kind, headers=hostile.headers)
    answer = await shop.ask("GET", path, host=host)
    return answer, answer.body


@pytest.mark.parametrize(("policy", "column"), MAKERS, ids=["-".join(one) for one in MAKERS])
@pytest.mark.parametrize(("name", "way"), PROMISED, ids=[" – ".join(one) for one in PROMISED])
async def test_it_becomes_what_the_page_says(
    shops: Callable[[str, str], Shop], policy: str, column: str, name: str, way: str
) -> None:
    hostile, outcome = body(name), PROMISED[name, way]
    shop, path = shops(policy, column), PATHS[way, column][is_row(hostile)]
    before = len(shop.lines())
    answer, passed = await sent(shop, hostile, way, path)
    said = OUTCOMES[outcome, way, column]
    if said in ("cut", "whole", "empty"):
        assert (answer.status, answer.called) == (200, True)
        assert passed == {"cut": hostile.kept, "whole": hostile.body, "empty": b""}[said]
        if way == "response" and passed != hostile.body:
            assert answer.values(b"content-length") == [b"%d" % len(passed)]
    else:
        assert (answer.status, answer.called) == (int(said), way == "response")
        assert b"gender" not in answer.body
    lines = shop.lines()[before:]
    told = [(line["status"], line["inspect"]) for line in lines if "inspect" in line]
    is_told = outcome not in ("read", "unread") and is_looked_at(hostile, way, column)
    assert told == ([(answer.status, {way: outcome})] if is_told else [])


async def calls_of(work: Callable[[], Awaitable[object]]) -> int:
    """Return how many calls something makes, of Python and of C."""
    calls = 0

    def count(frame: object, event: str, arg: object) -> None:
        nonlocal calls
        calls += event.endswith("call")

    sys.setprofile(count)
    try:
        await work()
    finally:
        sys.setprofile(None)
    return calls


async def room_of(work: Callable[[], Awaitable[object]]) -> int:
    """Return how many bytes stand in memory at once."""
    tracemalloc.start()
    try:
        await work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def cost(shop: Shop, hostile: Hostile) -> tuple[int, int]:
    path = PATHS["request", "guarded"][is_row(hostile)]
    await sent(shop, hostile, "request", path)
    work = partial(sent, shop, hostile, "request", path)
    return await calls_of(work), await room_of(work)


@pytest.mark.parametrize("name", GROWING)
async def test_four_times_the_body_costs_four_times_as_much(shops: Callable[[str, str], Shop], name: str) -> None:
    shop = shops("minimal", "guarded")
    small, large = GROWING[name](1_000), GROWING[name](4_000)
    (calls, room), (more_calls, more_room) = await cost(shop, small), await cost(shop, large)
    assert more_calls <= GROWTH * calls
    assert more_room <= GROWTH * room + SLACK
    assert more_room <= MOST_ROOM * len(large.body) + SLACK


@pytest.mark.parametrize("kind", [b"application/json", b"text/plain"])
async def test_a_body_in_many_messages_costs_no_more_than_its_messages(
    shops: Callable[[str, str], Shop], kind: bytes
) -> None:
    shop = shops("minimal", "guarded")
    few, many = [await calls_of(partial(ask_in, shop, kind, count)) for count in (1_000, 4_000)]
    assert many <= GROWTH * few


async def ask_in(shop: Shop, kind: bytes, messages: int) -> None:
    answer = await shop.ask("POST", "/order", body=[b" "] * messages + [b'{"gender":1}'], kind=kind)
    assert answer.body_seen.strip() == b"{}"
