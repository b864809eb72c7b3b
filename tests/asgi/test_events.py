"""Events on the wire: what a route is, denials, what rules say of them, how often they happened."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.asgi.wire import NOW, Reply, Shop
from troth.cases.compare import compare
from troth.cases.stage import Judged
from troth.consent.event_counts import MOST_KEYS, Counted, EventCounts
from troth.errors import LedgerError
from troth.home import Home
from troth.model.facts import Exchange
from troth.model.period import Period
from troth.runtime.counting import Counts

POLICY = """
policy:
  identity: {id: shop, hosts: [shop.example]}
  versions: [{id: '1'}]
  purposes: {sale: {basis: contract}, stats: {basis: contract}}
  events: [erasure-requested, erased]
  parties: {lab: {role: processor, country: SE, hosts: [lab.example], purpose: stats}}
"""
NO_STATS = "- {id: no-stats, clause: E-1, for: exchange, match: {purpose: stats}, otherwise: deny}\n"
FEW = """
- id: few
  clause: E-2
  for: event
  match: {event: denied}
  expect: {at-most: {count: 2, per: client, within: PT1M}}
"""
MINE = "- {id: mine, clause: E-3, for: event, match: {event: erasure-requested}, only-if: {asked: erasure}}\n"
ROUTES = """
binding:
  routes:
    'GET /': {audience: public}
    'GET /stats': {purpose: stats}
    'POST /erase': {event: erasure-requested, act: erasure}
    'POST /quietly': {event: erasure-requested}
    'GET /erase/{id}': {event: erasure-requested, act: erasure, subject: path.id}
"""
MakeShop = Callable[..., Shop]


@pytest.fixture(params=["watched", "unwatched"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeShop]:
    """Make a shop under rules. Where it is watched, the reference judges every exchange as well."""
    shops: list[Shop] = []
    differences: list[str] = []

    def observe(x: Exchange, findings: Any, denial: Any) -> None:
        judged = Judged(exchange=x.but(), findings=findings, denial=denial)
        site = shops[0].middleware.runtime.first
        differences.extend(compare(judged, site.policy, site.binding).differences)

    def made(rules: str) -> Shop:
        text = POLICY + ("rules:\n" + rules if rules else "") + ROUTES
        shops.append(Shop(tmp_path / "home", text, observer=observe if request.param == "watched" else None))
        return shops[0]

    yield made
    for one in shops:
        one.close()
    assert differences == []


async def test_the_event_of_a_route_stands_in_its_line_once_the_app_accepts(shop: MakeShop) -> None:
    one = shop("")
    assert (await one.ask("POST", "/erase")).status == 200
    (line,) = one.lines()
    assert (line["event"], line["route"], line["why"]) == ("erasure-requested", "POST /erase", [])


@pytest.mark.parametrize(("status", "told"), [(303, 1), (399, 1), (400, 0), (404, 0), (500, 0)])
async def test_what_the_app_refuses_did_not_happen(shop: MakeShop, status: int, told: int) -> None:
    one = shop("")
    one.reply = Reply(status=status)
    await one.ask("POST", "/erase")
    assert [line["event"] for line in one.lines() if "event" in line] == ["erasure-requested"] * told


async def test_a_rule_refuses_the_event_and_nothing_else(shop: MakeShop) -> None:
    one = shop(MINE)
    answer = await one.ask("POST", "/quietly")
    assert (answer.status, answer.body) == (200, b"hello")
    (line,) = one.lines()
    assert "event" not in line
    assert one.reasons(line) == [("mine", "withhold")]
    await one.ask("POST", "/erase")
    line = one.lines()[-1]
    assert (line["event"], line["why"]) == ("erasure-requested", [])


async def test_a_get_route_with_an_event_is_told_every_time(shop: MakeShop) -> None:
    one = shop("")
    for _ in range(3):
        await one.ask("GET", "/erase/ann-canary")
    assert [line["event"] for line in one.lines()] == ["erasure-requested"] * 3
    assert b"ann-canary" not in one.trail()


async def test_a_denial_is_an_event_and_the_third_of_a_client_alerts(shop: MakeShop) -> None:
    one = shop(NO_STATS + FEW)
    for _ in range(3):
        assert (await one.ask("GET", "/stats")).status == 403
    lines = one.lines()
    assert [one.reasons(line) for line in lines] == [
        [("no-stats", "deny")], [("no-stats", "deny")], [("no-stats", "deny"), ("few", "alert")],
    ]  # fmt: skip
    assert ["client" in line for line in lines] == [False, False, True]
    assert lines[2]["client"].startswith("p_")
    assert b"192.0.2.7" not in one.trail()


@pytest.mark.parametrize(("status", "counts"), [(401, True), (403, True), (400, False), (404, False), (302, False)])
@pytest.mark.parametrize("path", ["/", "/erase/ann"])
async def test_an_app_that_refuses_has_denied(shop: MakeShop, status: int, counts: bool, path: str) -> None:
    one = shop(FEW)
    one.reply = Reply(status=status)
    for _ in range(3):
        assert (await one.ask("GET", path)).status == status
    alerts = [line for line in one.lines() if ("few", "alert") in one.reasons(line)]
    assert [(line["status"], line["client"][:2]) for line in alerts] == [(status, "p_")] * counts


async def test_what_an_own_route_refuses_counts_as_well(shop: MakeShop) -> None:
    one = shop(FEW)
    for _ in range(3):
        answer = await one.ask("POST", "/.privacy/accept", headers=[(b"origin", b"https://elsewhere.example")])
        assert answer.status == 403
    assert ("few", "alert") in one.reasons()
    assert one.lines()[-1]["client"].startswith("p_")


async def test_other_clients_and_later_times_are_counted_apart(shop: MakeShop) -> None:
    one = shop(NO_STATS + FEW)
    for number in range(5):
        await one.ask("GET", "/stats", client=(f"192.0.2.{number}", 1))
    one.now += timedelta(seconds=59)
    await one.ask("GET", "/stats", client=("192.0.2.1", 1))
    one.now += timedelta(seconds=1)
    await one.ask("GET", "/stats", client=("192.0.2.1", 1))  # the first is a minute old by now
    await one.ask("GET", "/", client=("192.0.2.1", 1))
    assert all(("few", "alert") not in one.reasons(line) for line in one.lines())
    await one.ask("GET", "/stats", client=("192.0.2.1", 1))
    assert ("few", "alert") in one.reasons()


async def test_a_client_without_address_is_not_counted(shop: MakeShop) -> None:
    one = shop(NO_STATS + FEW)
    for _ in range(4):
        await one.ask("GET", "/stats", client=None)
    assert all(one.reasons(line) == [("no-stats", "deny")] for line in one.lines())


async def test_of_a_client_that_signals_no_the_alert_names_nobody(shop: MakeShop) -> None:
    one = shop(NO_STATS + FEW)
    for _ in range(3):
        await one.ask("GET", "/stats", headers=[(b"sec-gpc", b"1")])
    assert ("few", "alert") in one.reasons()
    assert "client" not in one.lines()[-1]


async def test_a_denied_handshake_counts_as_well(shop: MakeShop) -> None:
    one = shop(NO_STATS + FEW)
    for _ in range(3):
        await one.ask("GET", "/stats", type="websocket")
    assert ("few", "alert") in one.reasons()
    assert one.lines()[-1]["kind"] == "websocket"


async def test_a_restart_goes_on_counting(shop: MakeShop) -> None:
    one = shop(NO_STATS + FEW)
    for _ in range(2):
        await one.ask("GET", "/stats")
    one.close()
    again = shop(NO_STATS + FEW)  # the same home
    await again.ask("GET", "/stats")
    assert ("few", "alert") in again.reasons()


async def test_an_event_that_was_counted_too_often_is_refused_and_the_answer_passes(shop: MakeShop) -> None:
    one = shop(
        "- {id: twice, clause: E-4, for: event, match: {event: erasure-requested},"
        " expect: {at-most: {count: 2, per: subject, within: P1D}}, otherwise: withhold}\n"
    )
    for person in ("ann", "ann", "bob", "ann"):
        assert (await one.ask("GET", f"/erase/{person}")).status == 200
    assert ["event" in line for line in one.lines()] == [True, True, True, False]
    assert one.reasons() == [("twice", "withhold")]


async def test_only_events_that_a_rule_counts_are_counted(shop: MakeShop, tmp_path: Path) -> None:
    one = shop(NO_STATS + FEW)
    await one.ask("POST", "/erase")
    assert keys(tmp_path) == []
    await one.ask("GET", "/stats")
    (key,) = keys(tmp_path)
    assert key.startswith("shop\n\ndenied\nclient\np_")


async def test_while_the_file_does_not_answer_a_process_counts_for_itself(
    shop: MakeShop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one = shop(NO_STATS + FEW)

    def fails(*_: object) -> None:
        raise LedgerError("no disk")

    with monkeypatch.context() as patch:
        patch.setattr(EventCounts, "add", fails)
        for _ in range(3):
            await one.ask("GET", "/stats")
    assert ("few", "alert") in one.reasons()
    assert "counted by this process alone" in caplog.text
    await one.ask("GET", "/stats")
    assert ("few", "alert") not in one.reasons(), "the file has not seen those that it did not take"


def keys(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "home" / "events.sqlite3")) as connection:
        return [row[0] for row in connection.execute("SELECT key FROM counts ORDER BY rowid")]


def test_a_file_of_deadlines_alone_learns_to_count(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home")
    EventCounts.open(home.events, home.lock).close()
    with closing(sqlite3.connect(home.events)) as connection:
        connection.executescript("DROP TABLE counts; DROP TABLE versions; PRAGMA user_version = 1")
    counts = EventCounts.open(home.events, home.lock)
    assert counts.add([counted("a")], NOW) == [(NOW,)]
    counts.close()


def counted(key: str, limit: int = 2, within: str = "PT1M") -> Counted:
    return Counted(key=key, limit=limit, within=Period.parse(within))


@pytest.fixture(params=["memory", "file"])
def add(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Count under one key, where a process counts alone and where all workers count together."""
    home = Home.open(tmp_path / "home")
    store, alone = EventCounts.open(home.events, home.lock), Counts()
    one = alone.add_here if request.param == "memory" else store.add
    yield lambda what, at: one([what], at)[0]
    store.close()


def test_counts_keep_what_a_limit_can_ask_for(add: Callable[..., Any]) -> None:
    times = [NOW + timedelta(seconds=n) for n in range(5)]
    latest = [add(counted("a"), at) for at in times]
    assert latest[0] == (times[0],)
    assert latest[-1] == tuple(times[-3:])
    assert add(counted("b", limit=0), NOW) == (NOW,)
    assert add(counted("b", limit=0), NOW) == (NOW,)
    assert add(counted("a", limit=1), times[-1]) == (times[-1],) * 2, "a limit that was lowered"


def test_the_key_that_was_quiet_longest_goes_first(add: Callable[..., Any]) -> None:
    add(counted("a"), NOW)
    add(counted("b"), NOW + timedelta(seconds=1))
    add(counted("a"), NOW + timedelta(seconds=2))
    for n in range(MOST_KEYS - 1):
        add(counted(f"c{n}"), NOW + timedelta(seconds=3))
    assert len(add(counted("a"), NOW + timedelta(seconds=4))) == 3
    assert len(add(counted("b"), NOW + timedelta(seconds=5))) == 1


def test_a_key_is_forgotten_when_its_period_has_passed(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home")
    store = EventCounts.open(home.events, home.lock)
    store.add([counted("a"), counted("b", within="P1D")], NOW)
    store.add([counted("c")], NOW + timedelta(minutes=2))
    assert keys(tmp_path) == ["b", "c"]
    store.close()
