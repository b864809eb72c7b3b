"""Deadlines: what has to follow an event, told by the clock when it has not, once, by one of all workers."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.asgi.wire import NOW, Reply, Shop
from troth.errors import ConfigurationError, TrailError

POLICY = """
policy:
  identity: {id: shop, hosts: [shop.example]}
  versions: [{id: '1'}]
  states: {restricted: {of: person}}
  events: [erasure-requested, erased, confirmed, asked]
"""
MONTH = """
- id: within-a-month
  clause: E-1
  for: event
  match: {event: erasure-requested}
  expect: {followed-by: {event: erased, within: P1M, remind: P7D}}
"""
ROUTES = """
binding:
  actor: {before: tests.asgi.test_deadlines:who}
  routes:
    'POST /erase': {event: erasure-requested}
    'POST /erase/{id}': {event: erasure-requested, subject: path.id}
    'POST /erased/{id}': {event: erased, subject: path.id}
    'POST /confirmed/{id}': {event: confirmed, subject: path.id}
    'POST /unsubscribe/{id}': {event: erasure-requested, subject: path.id, tag: unsubscribe}
"""
MakeShop = Callable[..., Shop]
ANN = "ann-canary"


def who(_: Any) -> Any:
    return None


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[MakeShop]:
    shops: list[Shop] = []

    def made(rules: str = MONTH, **options: Any) -> Shop:
        shops.append(Shop(tmp_path / "home", POLICY + "rules:\n" + rules + ROUTES, **options))
        return shops[-1]

    yield made
    for one in shops:
        one.close()


def told(one: Shop, event: str = "overdue") -> list[dict[str, Any]]:
    return [line for line in one.lines() if line.get("event") == event and line["kind"] == "event"]


async def later(one: Shop, **period: float) -> int:
    one.now += timedelta(**period)
    return await asyncio.to_thread(one.middleware.tick)


async def test_what_did_not_follow_in_time_is_told_once(shop: MakeShop) -> None:
    one = shop()
    await one.ask("POST", f"/erase/{ANN}")
    begun = one.lines()[-1]
    assert (begun["event"], begun["why"]) == ("erasure-requested", [])
    one.now = NOW.replace(month=6) - timedelta(microseconds=1)
    await asyncio.to_thread(one.middleware.tick)
    assert told(one) == []
    assert await later(one, microseconds=1) == 1
    (line,) = told(one)
    assert line["why"] == [
        {
            "rule": "within-a-month", "clause": ["E-1"], "thing": "event", "action": "alert", "n": 1,
            "what": ["erasure-requested"],
        }
    ]  # fmt: skip
    assert (line["policy"], line["of"], line["wants"]) == ("shop@1", "erasure-requested", ["erased"])
    assert (line["at"], line["due"]) == (NOW.isoformat(), NOW.replace(month=6).isoformat())
    assert (line["subj"], line["subj_n"]) == (begun["subj"], 1)
    assert await later(one, days=400) == 0
    assert ANN.encode() not in one.trail() + (one.home / "events.sqlite3").read_bytes()


@pytest.mark.parametrize(
    ("path", "days", "overdue"),
    [(f"/erased/{ANN}", 20, 0), (f"/erased/{ANN}", 40, 1), ("/erased/bob", 20, 1), (f"/confirmed/{ANN}", 20, 1)],
)
async def test_only_the_event_itself_of_the_same_subject_in_time_meets_it(
    shop: MakeShop, path: str, days: int, overdue: int
) -> None:
    one = shop()
    await one.ask("POST", f"/erase/{ANN}")
    one.now += timedelta(days=days)
    await one.ask("POST", path)
    await later(one, days=40)
    assert len(told(one)) == overdue


async def test_what_the_app_refuses_neither_begins_nor_meets_a_deadline(shop: MakeShop) -> None:
    one = shop()
    one.reply = Reply(status=409)
    await one.ask("POST", "/erase/bob")
    one.reply = Reply()
    await one.ask("POST", f"/erase/{ANN}")
    one.reply = Reply(status=500)
    await one.ask("POST", f"/erased/{ANN}")
    await later(one, days=40)
    assert len(told(one)) == 1


async def test_what_a_rule_refuses_did_not_happen(shop: MakeShop) -> None:
    one = shop(MONTH + "- {id: never, clause: E-2, for: event, match: {event: erased}, otherwise: withhold}\n")
    await one.ask("POST", f"/erase/{ANN}")
    await one.ask("POST", f"/erased/{ANN}")
    await later(one, days=40)
    assert len(told(one)) == 1


async def test_an_event_of_nobody_is_kept_and_nothing_meets_it(shop: MakeShop) -> None:
    one = shop()
    await one.ask("POST", "/erase")
    await one.ask("POST", f"/erased/{ANN}")
    await later(one, days=40)
    (line,) = told(one)
    assert "subj" not in line


async def test_a_reminder_comes_before_and_only_while_nothing_followed(shop: MakeShop) -> None:
    one = shop()
    await one.ask("POST", f"/erase/{ANN}")
    await one.ask("POST", "/erase/bob")
    assert await later(one, days=23) == 0
    await one.ask("POST", "/erased/bob")
    assert await later(one, days=1) == 1
    (line,) = told(one, "reminder")
    assert "why" not in line
    assert (line["rule"], line["due"]) == ("within-a-month", NOW.replace(month=6).isoformat())
    assert await later(one, days=1) == 0
    assert await later(one, days=30) == 1
    assert len(told(one)) == 1


async def test_a_clock_that_stood_still_tells_the_deadline_alone(shop: MakeShop) -> None:
    one = shop()
    await one.ask("POST", f"/erase/{ANN}")
    assert await later(one, days=365) == 1
    assert (len(told(one)), told(one, "reminder")) == (1, [])


async def test_a_restart_loses_none(shop: MakeShop) -> None:
    one = shop()
    await one.ask("POST", f"/erase/{ANN}")
    await one.ask("POST", "/erase/bob")
    one.close()
    again = shop()
    await again.ask("POST", "/erased/bob")
    assert await later(again, days=40) == 1


async def test_a_rule_that_is_gone_still_owes_what_was_asked_under_it(shop: MakeShop) -> None:
    one = shop()
    await one.ask("POST", f"/erase/{ANN}")
    one.close()
    again = shop("- {id: other, clause: E-9, for: event, match: {event: erased}, otherwise: alert}\n")
    assert await later(again, days=40) == 1
    assert told(again)[0]["why"][0]["rule"] == "within-a-month"


async def test_a_rule_that_is_off_waits_until_it_is_on_again(shop: MakeShop) -> None:
    one = shop()
    await one.ask("POST", f"/erase/{ANN}")
    one.close()
    off = shop(MONTH + "  mode: off\n")
    assert await later(off, days=40) == 0
    off.close()
    assert await later(shop(), days=40) == 1


async def test_a_dry_rule_says_what_it_would_have_said(shop: MakeShop) -> None:
    one = shop(MONTH + "  mode: dry-run\n")
    await one.ask("POST", f"/erase/{ANN}")
    await later(one, days=40)
    (why,) = told(one)[0]["why"]
    assert (why["action"], why["would"]) == ("alert", "alert")


async def test_what_has_passed_can_no_longer_be_refused(shop: MakeShop) -> None:
    one = shop(MONTH + "  otherwise: withhold\n")
    await one.ask("POST", f"/erase/{ANN}")
    assert one.lines()[-1]["why"] == []
    await later(one, days=40)
    assert one.reasons(told(one)[0]) == [("within-a-month", "alert")]


BOTH = "{followed-by: {event: confirmed, within: P3D}}, {followed-by: {event: erased, within: P30D}}"


@pytest.mark.parametrize(
    ("how", "answers", "wants"),
    [
        ("all", [], [["confirmed"], ["erased"]]),
        ("all", ["confirmed"], [["erased"]]),
        ("all", ["confirmed", "erased"], []),
        ("any", [], [["confirmed", "erased"]]),
        ("any", ["erased"], []),
        ("any", ["confirmed"], []),
    ],
)
async def test_of_several_duties_each_or_any_has_to_be_met(
    shop: MakeShop, how: str, answers: list[str], wants: list[list[str]]
) -> None:
    rule = f"""
- id: two
  clause: E-3
  for: event
  match: {{event: erasure-requested}}
  expect: {{{how}: [{BOTH}]}}
"""
    one = shop(rule)
    await one.ask("POST", f"/erase/{ANN}")
    for answer in answers:
        await one.ask("POST", f"/{answer}/{ANN}")
    await later(one, days=40)
    assert sorted(line["wants"] for line in told(one)) == wants


async def test_what_cannot_be_kept_is_not_answered_as_if_it_were(shop: MakeShop) -> None:
    one = shop()
    (one.home / "events.sqlite3").unlink()
    for rest in one.home.glob("events.sqlite3-*"):
        rest.unlink()
    kept = one.middleware.runtime.deadlines
    assert kept is not None
    kept.close()
    answer = await one.ask("POST", f"/erase/{ANN}")
    assert answer.status == 503
    line = one.lines()[-1]
    assert "event" not in line
    assert (line["status"], line["deadline"]) == (503, "failed")
    assert (await one.ask("POST", f"/unsubscribe/{ANN}")).status == 200
    line = one.lines()[-1]
    assert (line["event"], line["deadline"]) == ("erasure-requested", "failed")


async def test_a_line_that_cannot_be_written_is_tried_again(shop: MakeShop, monkeypatch: pytest.MonkeyPatch) -> None:
    one = shop()
    await one.ask("POST", f"/erase/{ANN}")

    def fails(_: Any) -> int:
        raise TrailError("full")

    with monkeypatch.context() as patch:
        patch.setattr(one.middleware.runtime, "write", fails)
        assert await later(one, days=40) == 0
    assert await later(one) == 1


async def test_who_does_not_hold_the_lease_says_nothing(shop: MakeShop) -> None:
    one = shop()
    await one.ask("POST", f"/erase/{ANN}")
    with one.middleware.runtime.home.lease() as mine:
        assert mine
        assert await later(one, days=40) == 0
    assert await later(one) == 1


def test_a_file_of_another_kind_keeps_the_app_from_starting(shop: MakeShop, tmp_path: Path) -> None:
    shop().close()
    with sqlite3.connect(tmp_path / "home" / "events.sqlite3") as file:
        file.execute("PRAGMA user_version = 99")
    with pytest.raises(ConfigurationError, match="keeps no deadlines"):
        shop()


async def test_where_no_rule_asks_there_is_no_file(shop: MakeShop) -> None:
    one = shop("- {id: other, clause: E-9, for: event, match: {event: erased}, otherwise: alert}\n")
    await one.ask("POST", f"/erased/{ANN}")
    assert not (one.home / "events.sqlite3").exists()
    assert one.middleware.tick() == 0


# several processes -----------------------------------------------------------------------------------------------

WORKER = """
import asyncio, sys, time
from pathlib import Path
from tests.asgi.test_deadlines import MONTH, POLICY, ROUTES
from tests.asgi.wire import Shop

rules = MONTH.replace("P1M, remind: P7D", "PT2S")
shop = Shop(Path(sys.argv[1]), POLICY + "rules:" + rules + ROUTES, clock=None)
for name in sys.argv[2:]:
    asyncio.run(shop.ask("POST", f"/erase/{name}"))
print("ready", flush=True)
time.sleep(60)
"""


def worker(home: Path, *asking: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, str(home), *asking]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    return started


def overdue(home: Path) -> list[dict[str, Any]]:
    read = (line for path in sorted((home / "trail").glob("access-*")) for line in path.read_bytes().splitlines(True))
    lines = [json.loads(line) for line in read if line.endswith(b"\n")]
    return [line for line in lines if line.get("event") == "overdue"]


def test_a_deadline_outlives_the_worker_that_was_killed_and_one_of_two_others_tells(tmp_path: Path) -> None:
    home, names = tmp_path / "home", [f"person-{n}" for n in range(7)]
    first = worker(home, *names)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    others = [worker(home), worker(home)]
    try:
        end = time.monotonic() + 30
        while len(overdue(home)) < len(names):
            assert time.monotonic() < end, overdue(home)
            time.sleep(0.1)
        time.sleep(2.5)  # two looks more of each: nobody tells it twice
        found = overdue(home)
        assert len({line["subj"][0] for line in found}) == len(found) == len(names)
    finally:
        for one in others:
            one.kill()
            one.wait()
            assert one.stdout is not None
            one.stdout.close()
        assert first.stdout is not None
        first.stdout.close()
