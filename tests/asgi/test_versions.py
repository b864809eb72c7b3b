"""Policy versions: announced, activated on their day unless a rule refuses, remembered over restarts and kill -9."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.asgi.test_reload import Files
from tests.asgi.wire import Reply
from troth import PolicyMiddleware
from troth.engines import reference
from troth.errors import ActivationRefused, TrailError
from troth.model.facts import Event, Exchange
from troth.model.words import Action
from troth.runtime.runtime import Runtime

ONE = "{id: '1', effective: 2026-01-01}"
TWO = "{id: '2', effective: 2026-07-01, notice: P14D}"
RULE = """
- id: no-change-without-notice
  clause: C-1
  for: event
  match: {event: policy-activated}
  only-if: {attested: {announcement: of-version}}
"""
MAILED = """
- id: mailed
  clause: C-4
  for: event
  match: {event: policy-activated}
  expect: {followed-by: {event: mailed, within: P30D}}
"""
SAID = "said: {what: announcement, about: '2', role: dpo, dated: 2026-06-10, expires: 2026-07-02}\n"
JUNE = datetime(2026, 6, 10, 12, tzinfo=UTC)
FIRST_OF_JULY = datetime(2026, 7, 1, 0, 0, 1, tzinfo=UTC)
Make = Callable[..., "Site"]


def policy(*versions: str) -> str:
    return f"identity: {{id: shop, hosts: [shop.example]}}\nversions: [{', '.join(versions)}]\n"


class Site(Files):
    """A site whose policy is files, under a clock that the test sets. Lines are all that there are."""

    def __init__(self, folder: Path, *versions: str, rules: str = RULE, **given: str) -> None:
        said, text, events = (given.get(name, "") for name in ("said", "text", "events"))
        self.now = JUNE
        self.folder, self.home = folder, folder.with_name(folder.name + "-home")
        self.reply, self.inner = Reply(), None
        self._read, self._lines = {}, []
        folder.mkdir()
        files = {
            "policy.yaml": policy(*versions) + events,
            "rules.yaml": rules,
            "attestations.yaml": said,
            "policy.md": text,
        }
        for name, content in {**files, "binding.yaml": "routes: {}\n"}.items():
            if content:
                self.put(name, content)
        self.start()

    def start(self) -> None:
        self.middleware = PolicyMiddleware(
            self.app, policy=self.folder, binding=self.folder / "binding.yaml", home=self.home,
            clock=lambda: self.now, reload=0.05,
        )  # fmt: skip

    def restart(self) -> None:
        self.close()
        self.start()

    async def version(self) -> str:
        return (await self.ask(path="/.privacy/policy")).values(b"policy-version")[0].decode()

    def all(self, event: str) -> list[dict[str, Any]]:
        paths = sorted((self.home / "trail").glob("access-*.jsonl"))
        lines = [json.loads(line) for path in paths for line in path.read_bytes().splitlines()]
        return sorted((line for line in lines if line.get("event") == event), key=lambda line: str(line["t"]))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Make]:
    made: list[Site] = []

    def make(*versions: str, **options: Any) -> Site:
        made.append(Site(tmp_path / f"policy{len(made)}", *(versions or (ONE, TWO)), **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def reasons(line: dict[str, Any]) -> list[tuple[str | None, str]]:
    return [(why.get("rule"), why["action"]) for why in line["why"]]


async def test_the_first_version_is_activated_and_alerts_once(site: Make) -> None:
    one = site(ONE)
    (line,) = one.all("policy-activated")
    assert (line["kind"], line["policy"]) == ("policy", "shop@1")
    assert line["hash"] == one.middleware.runtime.first.policy.fingerprint
    assert reasons(line) == [(None, "alert")]
    assert "was" not in line
    one.restart()
    assert len(one.all("policy-activated")) == 1


async def test_an_announced_version_comes_into_force_with_its_day_and_is_told_once(site: Make) -> None:
    one = site(said=SAID)
    one.now = FIRST_OF_JULY - timedelta(seconds=2)
    assert await one.version() == "shop@1"
    assert one.middleware.tick() == 0
    one.now = FIRST_OF_JULY
    assert await one.version() == "shop@2", "before the clock has looked"
    assert one.middleware.tick() == 1
    line = one.all("policy-activated")[-1]
    assert (line["policy"], line["was"], line["why"]) == ("shop@2", "1", [])
    assert one.middleware.tick() == 0
    one.restart()
    assert len(one.all("policy-activated")) == 2


async def test_what_was_not_announced_does_not_come_into_force(site: Make) -> None:
    one = site()
    one.now = FIRST_OF_JULY
    assert await one.version() == "shop@1"
    assert one.middleware.tick() == 1
    (line,) = one.all("activation-refused")
    assert (line["policy"], line["version"]) == ("shop@1", "2")
    assert reasons(line) == [("no-change-without-notice", "withhold")]
    assert line["why"][0]["clause"] == ["C-1"]
    one.now += timedelta(days=30)
    assert one.middleware.tick() == 0
    one.restart()
    assert await one.version() == "shop@1"
    assert len(one.all("policy-activated")) == 1


async def test_a_version_that_waits_comes_into_force_once_the_rule_is_met(site: Make) -> None:
    one = site()
    one.now = FIRST_OF_JULY
    one.middleware.tick()
    one.put("attestations.yaml", SAID)
    await one.until(lambda: len(one.all("policy-activated")) == 2)
    await one.until(lambda: one.middleware.runtime.first.version_at(one.now.date())[0] == "2")
    assert await one.version() == "shop@2"


async def test_a_version_stays_in_force_when_its_announcement_is_over(site: Make) -> None:
    one = site(said=SAID)
    one.now = FIRST_OF_JULY
    one.middleware.tick()
    one.now += timedelta(days=30)
    one.restart()
    assert await one.version() == "shop@2"
    assert one.middleware.tick() == 0


async def test_an_app_does_not_start_with_a_version_that_may_not_follow(site: Make) -> None:
    one = site(ONE)
    one.close()
    one.put("policy.yaml", policy(TWO))
    one.now = FIRST_OF_JULY
    with pytest.raises(ActivationRefused, match=r"version 2 of policy shop may not follow version 1"):
        one.restart()
    (line,) = one.all("policy-refused")
    assert (line["reason"], line["version"]) == ("activation-refused", "2")
    assert reasons(line) == [("no-change-without-notice", "withhold"), (None, "alert")]
    one.put("attestations.yaml", SAID)
    one.restart()
    assert await one.version() == "shop@2"


@pytest.mark.parametrize("rules", [RULE, "- {id: x, clause: C-2, for: cookie, match: {purpose: undeclared}}\n"])
async def test_a_reload_brings_no_version_that_the_rules_in_force_refuse(site: Make, rules: str) -> None:
    """Taking the rule out together with the change does not help: what is promised binds the change as well."""
    one = site(ONE)
    one.now = FIRST_OF_JULY
    one.put("rules.yaml", rules + "- {id: new, clause: C-3, for: exchange, match: {route: closed}}\n")
    one.put("policy.yaml", policy(ONE, TWO))
    await one.until(lambda: bool(one.all("policy-refused")))
    assert await one.version() == "shop@1"
    assert "no-change-without-notice" in one.middleware.runtime.first.rules
    assert "new" not in one.middleware.runtime.first.rules
    assert one.all("policy-refused")[0]["reason"] == "activation-refused"
    one.put("attestations.yaml", SAID.replace("2026-06-10", "2026-07-02").replace("2026-07-02}", "2026-07-09}"))
    await one.until(lambda: len(one.all("policy-refused")) == 2)
    one.now += timedelta(days=1)  # from now on the statement is valid
    await one.until(lambda: len(one.all("policy-activated")) == 2)
    await one.until(lambda: "new" in one.middleware.runtime.first.rules)
    assert await one.version() == "shop@2"


async def test_who_goes_back_to_an_earlier_version_is_heard_of(site: Make) -> None:
    one = site(said=SAID)
    one.now = FIRST_OF_JULY
    one.middleware.tick()
    one.put("policy.yaml", policy(ONE, TWO.replace("2026-07-01", "2026-08-01")))
    await one.until(lambda: len(one.all("policy-activated")) == 3)
    line = one.all("policy-activated")[-1]
    assert (line["policy"], line["was"], reasons(line)) == ("shop@1", "2", [("no-change-without-notice", "alert")])
    await one.until(lambda: one.middleware.runtime.first.version_at(one.now.date()) == ("1", "2"))
    assert await one.version() == "shop@1"


async def test_other_files_are_taken_up_while_a_version_waits(site: Make) -> None:
    one = site()
    one.now = FIRST_OF_JULY
    one.put("rules.yaml", RULE + "- {id: new, clause: C-3, for: exchange, match: {route: closed}}\n")
    await one.until(lambda: "new" in one.middleware.runtime.first.rules)
    assert await one.version() == "shop@1"


async def test_a_rule_in_dry_run_says_what_it_would_have_refused(site: Make) -> None:
    one = site(rules=RULE.rstrip() + "\n  mode: dry-run\n")
    one.now = FIRST_OF_JULY
    one.middleware.tick()
    assert await one.version() == "shop@2"
    why = one.all("policy-activated")[-1]["why"]
    assert [(each.get("rule"), each["action"], each.get("would")) for each in why] == [
        ("no-change-without-notice", "alert", "withhold")
    ]


@pytest.mark.parametrize(("days", "late"), [(-14, False), (-13, True)])
async def test_an_announcement_is_told_once_and_alerts_where_it_is_late(site: Make, days: int, late: bool) -> None:
    one = site(ONE, said=SAID)
    one.now = datetime(2026, 7, 1, 12, tzinfo=UTC) + timedelta(days=days)
    one.put("policy.yaml", policy(ONE, TWO))
    await one.until(lambda: bool(one.all("policy-announced")))
    (line,) = one.all("policy-announced")
    assert (line["policy"], line["version"], line["effective"], line["notice"]) == ("shop@1", "2", "2026-07-01", "P14D")
    assert reasons(line) == [(None, "alert")] * late
    one.restart()
    assert len(one.all("policy-announced")) == 1
    one.now = FIRST_OF_JULY
    one.middleware.tick()
    assert reasons(one.all("policy-activated")[-1]) == [(None, "alert")] * late


async def test_a_text_that_changes_under_its_version_alerts(site: Make) -> None:
    text = "# Policy\n\n<a id='C-1'></a>\n\nWe tell you before we change this.\n"
    one = site(ONE, text=text)
    one.restart()
    assert one.all("text-changed") == []
    one.put("policy.md", text.replace("before", "after"))
    await one.until(lambda: bool(one.all("text-changed")))
    one.restart()
    (line,) = one.all("text-changed")
    assert (line["policy"], reasons(line)) == ("shop@1", [(None, "alert")])
    one.close()
    one.put("policy.md", text)
    one.restart()
    assert len(one.all("text-changed")) == 2, "a restart does not hide it"


async def test_a_version_begins_what_has_to_follow_it(site: Make) -> None:
    one = site(said=SAID, rules=RULE + MAILED, events="events: [mailed]\n")
    one.now = FIRST_OF_JULY
    one.middleware.tick()
    one.now += timedelta(days=29)
    assert one.middleware.tick() == 0
    one.now += timedelta(days=2)
    one.middleware.tick()
    (line,) = one.all("overdue")
    assert (line["of"], line["wants"], reasons(line)) == ("policy-activated", ["mailed"], [("mailed", "alert")])


async def test_files_that_bring_a_version_begin_what_has_to_follow_it(site: Make) -> None:
    one = site(ONE, said=SAID)
    one.now = FIRST_OF_JULY
    one.put("rules.yaml", RULE + MAILED)
    one.put("policy.yaml", policy(ONE, TWO) + "events: [mailed]\n")
    await one.until(lambda: len(one.all("policy-activated")) == 2)
    await one.until(lambda: "mailed" in one.middleware.runtime.first.rules)
    one.now += timedelta(days=31)
    one.middleware.tick()
    assert len(one.all("overdue")) == 1


async def test_a_version_that_was_followed_in_time_owes_nothing(site: Make) -> None:
    one = site(said=SAID, rules=RULE + MAILED, events="events: [mailed]\n")
    one.now = FIRST_OF_JULY
    one.middleware.tick()
    one.now += timedelta(days=29)
    await one.middleware.declare("mailed")
    one.now += timedelta(days=2)
    one.middleware.tick()
    assert one.all("overdue") == []


async def test_a_line_that_cannot_be_written_activates_nothing(site: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    one = site(said=SAID)
    runtime = one.middleware.runtime
    one.now = FIRST_OF_JULY

    def fails(_: object) -> int:
        raise TrailError("no disk")

    with monkeypatch.context() as patch:
        patch.setattr(runtime.activation, "_write", fails)
        assert one.middleware.tick() == 0
    assert runtime.ledger.active("shop") == "1"
    assert one.middleware.tick() == 1
    assert runtime.ledger.active("shop") == "2"


@pytest.mark.parametrize("said", [SAID, ""])
def test_the_reference_judges_an_activation_alike(site: Make, said: str) -> None:
    found = site(said=said).middleware.runtime.first
    day = date(2026, 7, 1)
    event = Event(name="policy-activated")
    x = Exchange(now=datetime(2026, 7, 1, tzinfo=UTC), version="1", coming="2", events=(event,))
    theirs = [(one.rule, one.action) for one in reference.judge(found.policy, found.binding, x).findings]
    assert [(one.rule, one.action) for one in found.versions.judge("1", "2", day)] == theirs
    assert theirs == ([] if said else [("no-change-without-notice", Action.WITHHOLD)])


WORKER = """
import os, signal, sys
from datetime import UTC, datetime
from troth.consent.batch import Batch
from troth.runtime.runtime import Runtime

now = datetime.fromisoformat(sys.argv[3])
if sys.argv[4] == "before":
    Batch.activate = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
Runtime(policy=sys.argv[1], home=sys.argv[2], clock=lambda: now)
os.kill(os.getpid(), signal.SIGKILL)
"""


def worker(one: Site, now: datetime, dies: str) -> subprocess.Popen[bytes]:
    given = [sys.executable, "-c", WORKER, str(one.folder), str(one.home), now.isoformat(), dies]
    return subprocess.Popen(given, env={**os.environ, "PYTHONPATH": "middleware"})


def test_an_activation_outlives_the_worker_that_was_killed_and_happens_once(site: Make) -> None:
    one = site(said=SAID)
    one.close()
    assert worker(one, FIRST_OF_JULY, "before").wait(30) == -signal.SIGKILL
    assert len(one.all("policy-activated")) == 1, "nothing happened yet"
    both = [worker(one, FIRST_OF_JULY, "after") for _ in range(2)]
    assert [each.wait(30) for each in both] == [-signal.SIGKILL] * 2
    assert [line.get("was") for line in one.all("policy-activated")] == [None, "1"]
    one.put("attestations.yaml", "")
    again = Runtime(policy=one.folder, home=one.home, clock=lambda: FIRST_OF_JULY + timedelta(days=9))
    assert again.first.version_at(date(2026, 7, 10))[0] == "2"
    again.close()
