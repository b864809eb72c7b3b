"""Declared events: a breach, a legal hold, an answer by post. Judged, told, followed, and kept over kill -9."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import troth
from tests.asgi.wire import Reply, Shop
from troth._types import Receive, Scope, Send
from troth.cli import main
from troth.consent.deadlines import Deadlines
from troth.engines import reference
from troth.errors import DeclarationError, EventRefused, LedgerError, TrailError
from troth.model.facts import Event, Person
from troth.runtime.declaring import MOST, Declaration, Declaring, outside

POLICY = """
policy:
  identity: {id: shop, hosts: [shop.example]}
  versions: [{id: '1'}]
  purposes: {improvement: {basis: legitimate-interest}}
  events: [breach-declared, authority-notified, hold-declared, hold-lifted, erasure-requested, erased, noted]
  states:
    breached: {of: person}
    held: {of: person}
    objected: {of: person, per: purpose}
    cookie-banner: {of: device}
  marks: {breach-notice: {notice: breach}}
"""
RULES = """
rules:
- id: within-72-hours
  clause: B-1
  for: event
  match: {event: breach-declared}
  expect: {followed-by: {event: authority-notified, within: PT72H, remind: PT24H}}
- id: only-the-officer-declares
  clause: B-2
  for: event
  match: {event: [breach-declared, hold-declared]}
  only-if: {actor: dpo}
- id: those-concerned-are-told
  clause: B-3
  for: page
  match: {state: breached}
  expect: {shows: breach-notice}
- id: what-is-held-stays
  clause: H-1
  for: event
  match: {event: erased, state: held}
- id: no-way-out-of-a-hold
  clause: H-1
  for: exchange
  match: {route: erase, state: held}
  otherwise: deny
- id: within-a-month
  clause: E-1
  for: event
  match: {event: erasure-requested}
  expect: {followed-by: {event: erased, within: P1M}}
- id: noted-once
  clause: N-1
  for: event
  match: {event: noted}
  expect: {at-most: {count: 1, per: subject, within: P1D}}
  otherwise: withhold
"""
ROUTES = """
binding:
  actor: {before: tests.asgi.test_declaring:who}
  state: tests.asgi.test_declaring:ages
  routes:
    'GET /': {audience: public}
    'GET /account/{id}': {subject: path.id}
    'POST /asks/{id}': {subject: path.id, event: erasure-requested}
    'POST /erase/{id}': {tag: erase, subject: path.id}
    'POST /app': {audience: public}
"""
CANARY = "ann-canary"
CASE = "INC-7-canary"


def who(scope: Scope) -> Any:
    told = dict(scope["headers"]).get(b"x-who")
    return None if told is None else {"id": told.decode(), "roles": ["dpo"] if told == b"officer" else []}


def ages(ids: list[str]) -> dict[str, Any]:
    return {one: [{"age": 9}] if one == "kid" else [] for one in ids}


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    shops: list[Shop] = []

    def made(**options: Any) -> Shop:
        shops.append(Shop(tmp_path / "home", POLICY + RULES + ROUTES, **options))
        return shops[-1]

    yield made
    for one in shops:
        one.close()


@pytest.fixture
def shop(make: Callable[..., Shop]) -> Shop:
    return make()


def told(shop: Shop, event: str) -> list[dict[str, Any]]:
    return [line for line in shop.lines() if line.get("event") == event]


async def breach(shop: Shop, *persons: str, **given: Any) -> None:
    await shop.middleware.declare("breach-declared", *persons, role="dpo", **given)


def later(shop: Shop, **period: float) -> None:
    shop.now += timedelta(**period)
    shop.middleware.tick()


async def test_a_breach_that_nobody_was_told_of_in_time_is_overdue(shop: Shop) -> None:
    await breach(shop, reference=CASE)
    (line,) = told(shop, "breach-declared")
    assert (line["kind"], line["policy"], line["declared"], line["why"]) == ("event", "shop@1", True, [])
    assert line["actor"] == {"type": ["dpo"]}
    assert line["ref"].startswith("p_")
    assert CASE.encode() not in shop.trail()
    later(shop, hours=48)
    (reminder,) = told(shop, "reminder")
    assert (reminder["of"], reminder["wants"], reminder["ref"]) == (
        "breach-declared", ["authority-notified"], line["ref"],
    )  # fmt: skip
    later(shop, hours=24)
    (overdue,) = told(shop, "overdue")
    assert overdue["ref"] == line["ref"]
    assert [(why["rule"], why["clause"], why["action"]) for why in overdue["why"]] == [
        ("within-72-hours", ["B-1"], "alert")
    ]


@pytest.mark.parametrize(("given", "met"), [(CASE, True), ("INC-8", False), (None, False)])
async def test_what_follows_carries_the_same_reference(shop: Shop, given: str | None, met: bool) -> None:
    await breach(shop, reference=CASE)
    shop.now += timedelta(hours=71)
    await shop.middleware.declare("authority-notified", reference=given)
    later(shop, hours=2)
    assert len(told(shop, "overdue")) == (not met)


async def test_who_may_not_declare_is_refused_and_nothing_is_changed(shop: Shop) -> None:
    with pytest.raises(EventRefused, match="only-the-officer-declares") as refused:
        await shop.middleware.declare("hold-declared", CANARY, role="intern", state="held")
    assert (refused.value.rules, refused.value.clauses) == (("only-the-officer-declares",), ("B-2",))
    (line,) = told(shop, "hold-declared")
    assert line["outcome"] == "refused"
    assert shop.reasons(line) == [("only-the-officer-declares", "withhold")]
    assert shop.middleware.runtime.ledger.states_of([CANARY]) == {CANARY: frozenset()}
    assert (await shop.ask("POST", f"/erase/{CANARY}")).status == 200


async def test_a_legal_hold_stops_erasure_until_it_is_lifted(shop: Shop) -> None:
    await shop.middleware.declare("hold-declared", CANARY, "bob", role="dpo", state="held")
    (line,) = told(shop, "hold-declared")
    assert (line["state"], line["to"], line["subj_n"]) == ("held", "set", 2)
    assert CANARY.encode() not in shop.trail()
    assert (await shop.ask("POST", f"/erase/{CANARY}")).status == 403
    assert shop.reasons() == [("no-way-out-of-a-hold", "deny")]
    assert (await shop.ask("POST", "/erase/cat")).status == 200
    await shop.middleware.declare("hold-lifted", CANARY, state="held", to="clear")
    assert (await shop.ask("POST", f"/erase/{CANARY}")).status == 200
    assert (await shop.ask("POST", "/erase/bob")).status == 403


async def test_the_pages_of_those_concerned_show_the_breach(shop: Shop) -> None:
    shop.reply = Reply(body=b"<p>Welcome</p>", kind=b"text/html")
    await breach(shop, CANARY, state="breached")
    await shop.ask("GET", "/", headers=[(b"x-who", CANARY.encode())])
    assert ("those-concerned-are-told", "alert") in shop.reasons()
    shop.reply = Reply(body=b"<p data-notice='breach'>Somebody saw your data</p>", kind=b"text/html")
    await shop.ask("GET", "/", headers=[(b"x-who", CANARY.encode())])
    alerts = [line for line in shop.lines() if ("those-concerned-are-told", "alert") in shop.reasons(line)]
    assert len(alerts) == 1, "the second page tells"


async def test_an_event_of_a_route_is_followed_by_a_declared_one_of_the_same_person(shop: Shop) -> None:
    for person in (CANARY, "bob"):
        await shop.ask("POST", f"/asks/{person}")
    await shop.middleware.declare("erased", CANARY)
    later(shop, days=32)
    (overdue,) = told(shop, "overdue")
    assert overdue["subj"] == [shop.middleware.runtime.names.digest("person", "bob")]


def served(shop: Shop, act: Callable[[Scope], Any]) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await act(scope)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    shop.inner = app


@pytest.mark.parametrize(("name", "allowed"), [(b"officer", True), (b"ann", False), (None, False)])
async def test_the_app_declares_as_whoever_asks(shop: Shop, name: bytes | None, allowed: bool) -> None:
    served(shop, lambda scope: troth.declare(scope, "breach-declared", reference=CASE))
    headers = [] if name is None else [(b"x-who", name)]
    if allowed:
        assert (await shop.ask("POST", "/app", headers=headers)).status == 204
    else:
        with pytest.raises(EventRefused):
            await shop.ask("POST", "/app", headers=headers)
    assert ["outcome" in line for line in told(shop, "breach-declared")] == [not allowed]
    assert shop.middleware.runtime.deadlines is not None
    assert len(shop.middleware.runtime.deadlines.open_ones()) == allowed


async def test_the_app_cannot_erase_what_is_held(shop: Shop) -> None:
    ledger = shop.middleware.runtime.ledger
    await shop.middleware.declare("hold-declared", CANARY, role="dpo", state="held")
    await shop.ask("POST", f"/asks/{CANARY}")
    served(shop, lambda scope: troth.consent(scope).erase(person=CANARY, event="erased"))
    with pytest.raises(EventRefused, match="what-is-held-stays"):
        await shop.ask("POST", "/app")
    assert ledger.states_of([CANARY])[CANARY] == {("held", ())}
    await shop.middleware.declare("hold-lifted", CANARY, state="held", to="clear")
    assert (await shop.ask("POST", "/app")).status == 204
    later(shop, days=32)
    assert told(shop, "overdue") == []


async def test_an_event_that_was_declared_too_often_is_refused(shop: Shop) -> None:
    await shop.middleware.declare("noted", "bob")
    await shop.middleware.declare("noted", CANARY)
    with pytest.raises(EventRefused, match="noted-once"):
        await shop.middleware.declare("noted", "bob")


async def test_of_a_child_nothing_but_the_decision_is_told(shop: Shop) -> None:
    await breach(shop, "kid", "bob", state="breached")
    line = told(shop, "breach-declared")[-1]
    assert line["subj"] == [shop.middleware.runtime.names.digest("person", "bob")]
    assert line["subj_n"] == 1
    later(shop, hours=80)
    assert sorted("subj" in line for line in told(shop, "overdue")) == [False, True]


@pytest.mark.parametrize(
    ("event", "persons", "given", "what"),
    [
        ("elsewhere", (), {}, "no event of that name to declare; it has breach-declared"),
        ("denied", (), {}, "no event of that name"),
        ("noted", (), {"state": "held"}, "say which"),
        ("noted", ("ann",), {"state": "gone"}, "no such state of persons; it has breached, held, objected"),
        ("noted", ("ann",), {"state": "cookie-banner"}, "no such state of persons"),
        ("noted", ("ann",), {"state": "held", "to": "off"}, "neither `set` nor `clear`"),
        ("noted", ("ann",), {"state": "held", "purpose": "x"}, "takes the parameters: none"),
        ("noted", ("ann",), {"purpose": "x"}, "belong to a `state`"),
        ("noted", ("",), {}, "not empty"),
        ("noted", ("ann",) * (MOST + 1), {}, "at most 1000 persons"),
    ],
)
async def test_what_cannot_be_declared_says_what_can(
    shop: Shop, event: str, persons: tuple[str, ...], given: dict[str, str], what: str
) -> None:
    with pytest.raises(DeclarationError, match=what):
        await shop.middleware.declare(event, *persons, **given)
    assert told(shop, event) == []


async def test_outside_a_guarded_request_the_app_declares_by_the_middleware(shop: Shop) -> None:
    with pytest.raises(DeclarationError, match="outside a request"):
        await troth.declare({}, "noted")
    await shop.middleware.declare("noted", *(f"p{n}" for n in range(120)), state="objected", purpose="improvement")
    line = told(shop, "noted")[-1]
    assert (line["subj_n"], len(line["subj"]), line["params"]) == (120, 20, {"purpose": "improvement"})
    states = shop.middleware.runtime.ledger.states_of(["p119"])["p119"]
    assert states == {("objected", (("purpose", "improvement"),))}


async def test_what_cannot_be_told_is_not_done(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: object) -> int:
        raise TrailError("no disk")

    with monkeypatch.context() as patch:
        patch.setattr(shop.middleware.runtime, "write_encoded", fails)
        with pytest.raises(TrailError):
            await breach(shop, CANARY, state="breached")
    assert shop.middleware.runtime.ledger.states_of([CANARY])[CANARY] == frozenset()
    assert told(shop, "breach-declared") == []


async def test_what_cannot_be_kept_is_told_as_failed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise LedgerError("no disk")

    with monkeypatch.context() as patch:
        patch.setattr(Deadlines, "happened", fails)
        with pytest.raises(LedgerError):
            await breach(shop, CANARY, state="breached")
    assert shop.middleware.runtime.ledger.states_of([CANARY])[CANARY] == frozenset()
    assert [line.get("outcome") for line in told(shop, "breach-declared")] == [None, "failed"]


@pytest.mark.parametrize("role", ["dpo", "intern", None])
@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("event", ["breach-declared", "erased"])
async def test_the_reference_judges_a_declaration_alike(shop: Shop, event: str, held: bool, role: str | None) -> None:
    runtime, site = shop.middleware.runtime, shop.middleware.runtime.first
    if held:
        runtime.ledger.set_state(CANARY, "held", at=shop.now)
    x = outside(site, shop.now, role)
    states = frozenset({("held", ())}) if held else frozenset()
    whole = x.but(subject=Person(id=CANARY, states=states), events=(Event(name=event, at=shop.now),), status=200)
    found = reference.judge(site.policy, site.binding, whole).findings
    wanted = [(one.rule, one.action) for one in found if one.thing.value == "event"]
    judging = Declaring(runtime, site, x).judge(Declaration(event=event, persons=(CANARY,)))
    if wanted:
        with pytest.raises(EventRefused) as refused:
            await judging
        assert [rule for rule, _ in wanted] == list(refused.value.rules)
    else:
        assert [each.found for each in await judging] == [[]]


# other processes ---------------------------------------------------------------------------------------------------

FILES = {
    "policy.yaml": "\n".join(line[2:] for line in POLICY.strip("\n").splitlines()[1:]),
    "rules.yaml": RULES.partition("rules:\n")[2],
}
WORKER = """
import asyncio, os, signal, sys
import troth
app = troth.wrap(None, policy=sys.argv[1], home=sys.argv[2])
asyncio.run(app.declare("breach-declared", "ann", role="dpo", state="breached"))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policy").mkdir()
    for name, text in FILES.items():
        (tmp_path / "policy" / name).write_text(text)
    return tmp_path


def test_a_declaration_outlives_the_process_that_was_killed(folder: Path) -> None:
    given = [sys.executable, "-c", WORKER, str(folder / "policy"), str(folder / "home")]
    process = subprocess.run(given, env={**os.environ, "PYTHONPATH": "middleware"}, check=False, timeout=60)
    assert process.returncode == -signal.SIGKILL
    again = troth.wrap(None, policy=folder / "policy", home=folder / "home")  # type: ignore[arg-type]  # never called
    runtime = again.runtime
    assert runtime.ledger.states_of(["ann"])["ann"] == {("breached", ())}
    assert runtime.deadlines is not None
    assert [one.event for one in runtime.deadlines.open_ones()] == ["breach-declared"]
    runtime.close()
    paths = (folder / "home" / "trail").glob("access-*.jsonl")
    lines = [json.loads(line) for path in paths for line in path.read_bytes().splitlines()]
    assert sum(line.get("event") == "breach-declared" for line in lines) == 1


def test_the_command_declares_in_the_home_of_a_running_app(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    running = troth.wrap(None, policy=folder / "policy", home=folder / "home")  # type: ignore[arg-type]  # never called
    ledger = running.runtime.ledger
    assert ledger.states_of(["ann"])["ann"] == frozenset()
    (folder / "ids").write_text("ann\n\n bob \nann\n")
    verb = ["declare", str(folder / "policy"), "hold-declared", "--home", str(folder / "home")]
    about = ["--persons", str(folder / "ids"), "--state", "held"]
    assert main([*verb, *about]) == 5
    assert capsys.readouterr().err == "refused by only-the-officer-declares (B-2)\n"
    assert main([*verb, *about, "--role", "dpo"]) == 0
    assert capsys.readouterr().out == "hold-declared: declared about 2\n"
    assert ledger.states_of(["ann", "bob"]) == {"ann": {("held", ())}, "bob": {("held", ())}}
    verb[2] = "hold-lifted"
    assert main([*verb, *about, "--clear", "--reference", "case 9"]) == 0
    assert ledger.states_of(["ann"])["ann"] == frozenset()
    assert main([*verb, *about, "--param", "x"]) == 2
    assert main([*verb[:-1], str(folder / "hone")]) == 2
    assert "hone is no home of an app" in capsys.readouterr().err
    assert not (folder / "hone").exists(), "a slip makes no home that nobody looks at"
    verb[2] = "elsewhere"
    assert main(verb) == 2
    assert "it has breach-declared, authority-notified" in capsys.readouterr().err
    running.runtime.close()
