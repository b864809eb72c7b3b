"""Files that change under a running app: the new policy holds without a restart, a broken one never does."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.asgi.wire import COOKIES, POLICY, Reply, Shop
from troth import PolicyMiddleware
from troth._types import Message, Receive, Scope, Send
from troth.errors import ConfigurationError, TrailError
from troth.rules import load
from troth.runtime import loading

ROOT = Path(__file__).parents[2]
ROWS = COOKIES[COOKIES.index("- id: rows") :]
DENY = ROWS + "- {id: closed, clause: C-9, for: exchange, match: {purpose: analytics}}\n"
BINDING = "routes:\n  'GET /stats': {purpose: analytics}\n"
SETS = [(b"set-cookie", b"_ga=1"), (b"set-cookie", b"stranger=1")]


class Files(Shop):
    """A shop whose policy and binding are files. `reload` is short; `until` waits for what they bring."""

    def __init__(self, folder: Path, rules: str = ROWS, **options: Any) -> None:
        self.folder = folder
        folder.mkdir()
        self.put("policy.yaml", _policy())
        self.put("rules.yaml", rules)
        self.put("binding.yaml", BINDING)
        self.home = folder.with_name(folder.name + "-home")
        self.reply = Reply(headers=SETS)
        self.inner = options.pop("app", None)
        self._read, self._lines = {}, []
        given: dict[str, Any] = {"policy": folder, "binding": folder / "binding.yaml", "reload": 0.05, **options}
        self.middleware = PolicyMiddleware(self.app, home=self.home, **given)

    def put(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, "utf-8")

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for the thread that looks, but not for ever."""
        for _ in range(400):
            if holds():
                return
            await asyncio.sleep(0.025)
        raise AssertionError("it never came")

    def told(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines() if line.get("event") == event]

    async def cookies(self) -> list[bytes]:
        return (await self.ask()).values(b"set-cookie")


def _policy() -> str:
    lines = POLICY.strip("\n").splitlines()[1:]
    return "\n".join(line.removeprefix("  ") for line in lines) + "\n"


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Callable[..., Files]]:
    made: list[Files] = []

    def make(*args: Any, **options: Any) -> Files:
        made.append(Files(tmp_path / f"policy{len(made)}", *args, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


async def test_a_rule_that_is_added_on_disk_holds_without_a_restart(files: Callable[..., Files]) -> None:
    shop = files()
    assert await shop.cookies() == [b"_ga=1"]
    before = shop.middleware.runtime.first.policy.fingerprint
    shop.put("rules.yaml", COOKIES)
    await shop.until(lambda: bool(shop.told("policy-loaded")))
    await shop.until(lambda: shop.middleware.runtime.first.policy.fingerprint != before)
    assert await shop.cookies() == []
    (line,) = shop.told("policy-loaded")
    assert line["kind"] == "policy"
    assert line["policy"] == "shop@1"
    assert line["hash"] == shop.middleware.runtime.first.policy.fingerprint
    assert line["was"] == {"policy": "shop@1", "hash": before, "binding": line["binding"]}
    assert shop.reasons() == [("wait", "withhold"), ("rows", "withhold")]


async def test_a_binding_that_changes_is_taken_up_too(files: Callable[..., Files]) -> None:
    shop = files(DENY)
    assert (await shop.ask(path="/stats")).status == 403
    assert (await shop.ask(path="/other")).status == 200
    shop.put("binding.yaml", BINDING.replace("/stats", "/other"))
    await shop.until(lambda: bool(shop.told("policy-loaded")))
    await shop.until(lambda: shop.middleware.runtime.loaded.binding_hash == shop.told("policy-loaded")[0]["binding"])
    assert (await shop.ask(path="/stats")).status == 200
    assert (await shop.ask(path="/other")).status == 403
    (line,) = shop.told("policy-loaded")
    assert line["hash"] == line["was"]["hash"]
    assert line["binding"] != line["was"]["binding"]


async def test_what_is_broken_keeps_the_last_good_and_is_said_in_full(
    files: Callable[..., Files], caplog: pytest.LogCaptureFixture
) -> None:
    shop = files()
    caplog.set_level(logging.ERROR, "troth")
    shop.put("rules.yaml", "- {id: one, for: cookie, match: {purpose: nosuch}}\n- {id: two, for: cook}\n")
    await shop.until(lambda: bool(shop.told("policy-refused")))
    assert await shop.cookies() == [b"_ga=1"]
    (said,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert "unknown purpose `nosuch`" in said
    assert "rules.yaml:2" in said
    await asyncio.sleep(0.3)
    (line,) = shop.told("policy-refused")
    assert line["why"] == [{"thing": "policy", "action": "alert", "n": 1}]
    assert line["findings"] >= 2
    assert line["hash"] == shop.middleware.runtime.first.policy.fingerprint
    assert "nosuch" not in shop.trail().decode()
    shop.put("rules.yaml", COOKIES)
    await shop.until(lambda: "wait" in shop.middleware.runtime.first.rules)
    assert await shop.cookies() == []


async def test_a_policy_that_cannot_be_kept_with_the_binding_is_broken(files: Callable[..., Files]) -> None:
    shop = files()
    shop.put("binding.yaml", "actor: {before: 'no.such.module:actor'}\n")
    await shop.until(lambda: bool(shop.told("policy-refused")))
    assert await shop.cookies() == [b"_ga=1"]
    assert shop.told("policy-refused")[0]["reason"] == "ConfigurationError"


async def test_a_folder_that_is_gone_keeps_the_last_good(files: Callable[..., Files]) -> None:
    shop = files()
    shop.folder.rename(shop.folder.with_name("aside"))
    await shop.until(lambda: bool(shop.told("policy-refused")))
    assert await shop.cookies() == [b"_ga=1"]


async def test_an_exchange_that_has_begun_ends_under_the_policy_that_it_began_with(
    files: Callable[..., Files],
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/slow":
            begun.set()
            await go_on.wait()
        for message in Reply(headers=SETS).messages():
            await send(message)

    shop = files(app=slow)
    flying = asyncio.create_task(shop.ask(path="/slow"))
    await begun.wait()
    shop.put("rules.yaml", COOKIES)
    await shop.until(lambda: "wait" in shop.middleware.runtime.first.rules)
    assert (await shop.ask(path="/quick")).values(b"set-cookie") == []
    go_on.set()
    assert (await flying).values(b"set-cookie") == [b"_ga=1"]
    assert shop.reasons() == [("rows", "withhold")]


async def test_consent_that_was_given_before_still_counts(files: Callable[..., Files]) -> None:
    shop = files()
    cookie = await shop.choose("accept", "analytics")
    shop.put("rules.yaml", COOKIES)
    await shop.until(lambda: "wait" in shop.middleware.runtime.first.rules)
    answer = await shop.ask(headers=[(b"cookie", cookie)])
    assert [one for one in answer.values(b"set-cookie") if not one.startswith(b"troth")] == [b"_ga=1"]


async def test_a_file_that_is_touched_and_not_changed_says_nothing(files: Callable[..., Files]) -> None:
    shop = files()
    runtime = shop.middleware.runtime
    shop.put("rules.yaml", ROWS)
    (shop.home / "switches.yaml").write_text("# nothing is off\n")
    await asyncio.sleep(0.4)
    assert shop.middleware.runtime is runtime
    assert shop.lines() == []


async def test_files_are_loaded_off_the_loop(files: Callable[..., Files], monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def load_here(folder: str) -> Any:
        threads.append(threading.get_ident())
        return load.load_policy(folder)

    shop = files()
    monkeypatch.setattr(loading, "load_policy", load_here)
    shop.put("rules.yaml", COOKIES)
    await shop.until(lambda: "wait" in shop.middleware.runtime.first.rules)
    assert threads
    assert threading.get_ident() not in threads


async def test_a_folder_that_is_being_copied_is_left_alone_until_it_stands_still(files: Callable[..., Files]) -> None:
    shop = files(reload=False)
    look = shop.middleware._reloader.look
    for number in range(3):
        shop.put("rules.yaml", f"{COOKIES}# {'x' * number}\n")
        look()
        assert "wait" not in shop.middleware.runtime.first.rules
    look()
    assert "wait" in shop.middleware.runtime.first.rules


async def test_without_reload_only_a_restart_brings_what_changed(files: Callable[..., Files]) -> None:
    shop = files(reload=False)
    shop.put("rules.yaml", COOKIES)
    await asyncio.sleep(0.3)
    assert await shop.cookies() == [b"_ga=1"]


@pytest.mark.parametrize("given", [0, -1, 0.001, 4000, float("nan")])
def test_a_pause_that_makes_no_sense_is_refused(tmp_path: Path, given: float) -> None:
    with pytest.raises(ConfigurationError, match="reload"):
        Files(tmp_path / "policy", reload=given)


async def test_where_the_trail_takes_no_line_nothing_changes_until_it_does(
    files: Callable[..., Files], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = files()
    tried = 0

    def refuse(_: bytes) -> int:
        nonlocal tried
        tried += 1
        raise TrailError("full")

    with monkeypatch.context() as patch:
        patch.setattr(shop.middleware.runtime, "write_encoded", refuse)
        shop.put("rules.yaml", COOKIES)
        await shop.until(lambda: tried > 1)
        assert "wait" not in shop.middleware.runtime.first.rules
    await shop.until(lambda: "wait" in shop.middleware.runtime.first.rules)


async def test_each_site_says_what_changed_of_it(tmp_path: Path) -> None:
    one, two = Files(tmp_path / "one", reload=False), Files(tmp_path / "two", reload=False)
    policies = {"shop.example": one.folder, "two.example": two.folder}
    both = Files(tmp_path / "both", policy=policies)
    try:
        two.put("rules.yaml", COOKIES)
        await both.until(lambda: "wait" in both.middleware.runtime.sites["two.example"].rules)
        (line,) = both.told("policy-loaded")
        assert line["hash"] == both.middleware.runtime.sites["two.example"].policy.fingerprint
        assert (await both.ask()).values(b"set-cookie") == [b"_ga=1"]
        assert (await both.ask(host=b"two.example")).values(b"set-cookie") == []
    finally:
        for shop in (one, two, both):
            shop.close()


def test_a_forked_child_looks_for_itself(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT / 'middleware'}:{ROOT}"},
    )
    assert done.returncode == 0, done.stderr


FORK = """
import os, sys, time
from pathlib import Path
from tests.asgi.test_reload import COOKIES, Files
shop = Files(Path(sys.argv[1]) / "policy")
child = os.fork()
if not child:
    shop.put("rules.yaml", COOKIES)
end = time.monotonic() + 20
while "wait" not in shop.middleware.runtime.first.rules and time.monotonic() < end:
    time.sleep(0.02)
if not child:
    os._exit("wait" not in shop.middleware.runtime.first.rules)
assert os.waitpid(child, 0)[1] == 0
assert "wait" in shop.middleware.runtime.first.rules
"""


# switches -------------------------------------------------------------------------------------------------------------

OFF = "wait: {mode: off, who: operations, why: 'the login page lost its cookie, ticket 4711'}\n"


@contextmanager
def switched(shop: Files, text: str) -> Iterator[None]:
    path = shop.home / "switches.yaml"
    path.write_text(text)
    yield
    path.unlink()


async def test_a_single_rule_is_turned_off_and_on_again_while_the_app_runs(files: Callable[..., Files]) -> None:
    shop = files(COOKIES)
    assert await shop.cookies() == []
    with switched(shop, OFF):
        await shop.until(lambda: _mode(shop, "wait") == "off")
        assert await shop.cookies() == [b"_ga=1"]
    await shop.until(lambda: _mode(shop, "wait") == "enforce")
    assert await shop.cookies() == []
    off, on = shop.told("rule-switched")
    assert (off["rule"], off["clause"], off["mode"]) == ("wait", ["C-1"], "off")
    assert (off["who"], off["reason"]) == ("operations", "the login page lost its cookie, ticket 4711")
    assert (on["rule"], on["mode"], on["was"]) == ("wait", "enforce", "off")
    assert "who" not in on
    assert shop.told("policy-loaded") == []


def _mode(shop: Files, rule: str) -> str:
    return str(shop.middleware.runtime.first.rules[rule].mode)


async def test_a_rule_can_be_turned_dry(files: Callable[..., Files]) -> None:
    shop = files(COOKIES)
    with switched(shop, OFF.replace("off", "dry-run")):
        await shop.until(lambda: _mode(shop, "wait") == "dry-run")
        assert await shop.cookies() == [b"_ga=1"]
    assert ("wait", "alert") in shop.reasons(next(line for line in shop.lines() if line["kind"] == "exchange"))


async def test_what_is_switched_is_told_when_the_app_starts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "troth")
    (tmp_path / "policy-home").mkdir(mode=0o700)
    (tmp_path / "policy-home" / "switches.yaml").write_text(OFF + "nosuch: {mode: off, who: me, why: gone}\n")
    shop = Files(tmp_path / "policy", COOKIES)
    with shop.closing():
        assert await shop.cookies() == [b"_ga=1"]
        (line,) = shop.told("rule-switched")
        assert (line["rule"], line["mode"], line["who"]) == ("wait", "off", "operations")
    said = [record.getMessage() for record in caplog.records]
    assert any("1 enforce, 1 off" in one for one in said)
    assert "rule wait is switched to off by operations: the login page lost its cookie, ticket 4711" in said
    assert "switches.yaml names nosuch, which is no rule: it switches nothing" in said


@pytest.mark.parametrize(
    "text",
    [
        "wait: off\n",
        "wait: {mode: enforce, who: a, why: b}\n",
        "wait: {mode: off, who: a}\n",
        "wait: {mode: off, who: a, why: b, unless: c}\n",
        "- wait\n",
        "wait: {mode: off\n",
    ],
)
async def test_switches_that_cannot_be_read_switch_nothing(files: Callable[..., Files], text: str) -> None:
    shop = files(COOKIES)
    with switched(shop, OFF):
        await shop.until(lambda: _mode(shop, "wait") == "off")
        (shop.home / "switches.yaml").write_text(text.replace("wait", "rows"))
        await shop.until(lambda: bool(shop.told("policy-refused")))
        assert await shop.cookies() == [b"_ga=1"], "the last good switches hold: `wait` is off, `rows` is not"
        assert _mode(shop, "rows") == "enforce"
        (shop.home / "switches.yaml").write_text(text)
        shop.close()
        with pytest.raises(ConfigurationError, match="switches"):
            PolicyMiddleware(shop.app, policy=shop.folder, home=shop.home)


async def test_a_switch_never_makes_a_rule_stricter(files: Callable[..., Files]) -> None:
    shop = files(COOKIES.replace("  clause: C-1\n", "  clause: C-1\n  mode: off\n"), reload=False)
    (shop.home / "switches.yaml").write_text(OFF.replace("mode: off", "mode: dry-run"))
    shop.close()
    again = PolicyMiddleware(shop.app, policy=shop.folder, home=shop.home, reload=False)
    assert str(again.runtime.first.rules["wait"].mode) == "off"
    again.runtime.close()


def test_every_message_passes_a_websocket_that_was_open_when_the_rules_changed(tmp_path: Path) -> None:
    sent: list[Message] = []

    async def talk() -> None:
        ready, go_on = asyncio.Event(), asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "websocket.accept"})
            ready.set()
            await go_on.wait()
            await send({"type": "websocket.send", "text": "late"})

        async def receive() -> Message:
            return {"type": "websocket.connect"}

        async def send(message: Message) -> None:
            sent.append(message)

        shop = Files(tmp_path / "policy", app=app)
        with shop.closing():
            scope = {
                "type": "websocket", "path": "/ws", "raw_path": b"/ws", "query_string": b"", "scheme": "wss",
                "root_path": "", "headers": [(b"host", b"shop.example")], "subprotocols": [], "extensions": {},
            }  # fmt: skip
            talking = asyncio.create_task(shop.middleware(scope, receive, send))
            await ready.wait()
            shop.put("rules.yaml", COOKIES)
            await shop.until(lambda: "wait" in shop.middleware.runtime.first.rules)
            go_on.set()
            await talking

    asyncio.run(talk())
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.send"]


async def test_what_was_counted_goes_on_counting_under_the_new_rules(files: Callable[..., Files]) -> None:
    limit = "{at-most: {count: 2, per: client, within: PT1H}}"
    few = f"- {{id: few, clause: C-8, for: event, match: {{event: denied}}, expect: {limit}}}\n"
    closed = DENY.replace(ROWS, "") + few
    shop = files(closed)
    for _ in range(2):
        await shop.ask(path="/stats")
        assert ("few", "alert") not in shop.reasons()
    shop.put("rules.yaml", closed + ROWS)
    await shop.until(lambda: "rows" in shop.middleware.runtime.first.rules)
    await shop.ask(path="/stats")
    assert ("few", "alert") in shop.reasons()
