"""A device's choices move to the person at an explicit act, as they were made, and never against a later one."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import troth
from tests.asgi.conftest import MakeShop
from tests.asgi.wire import NOW, Shop, as_json
from troth._types import Receive, Scope, Send

TEXT = f"""
policy:
  identity: {{id: shop, hosts: [shop.example]}}
  versions: [{{id: '1', effective: 2025-01-01}}, {{id: '2', effective: 2026-05-02}}]
  data: {{name: {{fields: [name]}}}}
  purposes:
    sale: {{basis: contract, data: [name]}}
    analytics: {{basis: consent}}
    music: {{basis: consent, since: '2'}}
    news: {{basis: consent}}
  consents:
    analytics: {{holder: device}}
    music: {{holder: [device, person]}}
    news: {{holder: [device, person], lasts: P30D}}
    letters: {{holder: person}}
  cookies:
    troth_consent: {{purpose: sale}}
    _ga: {{purpose: analytics}}
    _m: {{purpose: music}}
    _n: {{purpose: news}}
rules:
- {{id: wait, clause: M-1, for: cookie, match: {{basis: consent}}, only-if: {{consent: of-purpose}}}}
- id: acts
  clause: M-2
  for: event
  match: {{event: consent-recorded}}
  only-if: {{asked: consent}}
binding:
  routes:
    'POST /login': {{act: consent, purpose: sale}}
    'POST /silent': {{purpose: sale}}
    'POST /leave': {{purpose: sale}}
  actor: {{before: '{__name__}:actor'}}
"""
WHO: list[Any] = [None]
COOKIES = b"_ga=1; _m=1; _n=1"


def actor(scope: Any) -> Any:
    return WHO[0]


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Sign ann in and move what the device chose, or withdraw what ann has; errors are told by name."""
    told = ""
    consent = troth.consent(scope)
    try:
        if scope["path"] in ("/login", "/silent"):
            names = json.loads((await receive())["body"])
            await consent.move_to_person(*names, person="ann")
        elif scope["path"] == "/leave":
            await consent.withdraw("news", person="ann")
    except troth.errors.ConsentError as error:
        told = type(error).__name__
    for message in as_json({"told": told}).messages():
        await send(message)


@pytest.fixture(params=["watched", "unwatched"])
def one(request: pytest.FixtureRequest, shop: MakeShop) -> Shop:
    WHO[0] = None
    return shop(text=TEXT, app=app, watched=request.param == "watched")


async def seen(shop: Shop, cookie: bytes = b"", **more: Any) -> set[str]:
    """Send every cookie that needs a consent; return which of them the app sees."""
    headers = [(b"cookie", COOKIES + (b"; " + cookie if cookie else b"")), *more.pop("headers", [])]
    answer = await shop.ask(headers=headers, **more)
    names = b"; ".join(answer.app_values(b"cookie")).split(b"; ")
    return {name.partition(b"=")[0].decode() for name in names} & {"_ga", "_m", "_n"}


async def move(shop: Shop, cookie: bytes, *names: str, path: str = "/login") -> bytes:
    """Move choices; returns the consent cookie that the device has from then on."""
    answer = await shop.ask("POST", path, json_body=list(names), headers=[(b"cookie", cookie)])
    assert answer.status == 200
    sent = [value for value in answer.values(b"set-cookie") if value.startswith(b"troth_consent=")]
    return sent[0].partition(b";")[0] if sent else b""


async def test_what_moved_follows_the_person_and_leaves_the_device(one: Shop) -> None:
    cookie = await one.choose("accept")
    assert await seen(one, cookie) == {"_ga", "_m", "_n"}
    left = await move(one, cookie)
    assert await seen(one, left) == {"_ga"}, "signed out: the device keeps only what no person can hold"
    assert await seen(one, cookie) == set(), "its former cookie grants nothing any more"
    WHO[0] = "ann"
    assert await seen(one, left) == {"_ga", "_m", "_n"}
    assert await seen(one) == {"_m", "_n"}, "on another device"
    WHO[0] = "ben"
    assert await seen(one, left) == {"_ga"}, "another person on this device"
    line = next(line for line in reversed(one.lines()) if line["kind"] == "consent")
    assert (line["act"], sorted(line["consents"]), line["subj_n"]) == ("move", ["music", "news"], 1)
    assert {"consent", "retired"}.isdisjoint(line), "no id of the device beside that of a person"


async def test_only_what_is_named_moves(one: Shop) -> None:
    left = await move(one, await one.choose("accept"), "news")
    assert await seen(one, left) == {"_ga", "_m"}
    WHO[0] = "ann"
    assert await seen(one) == {"_n"}


@pytest.mark.parametrize("names", [("analytics",), ("letters",), ("news", "analytics"), ("no-such",)])
async def test_what_only_one_of_them_can_hold_does_not_move(one: Shop, names: tuple[str, ...]) -> None:
    cookie = await one.choose("accept")
    assert await move(one, cookie, *names) == b""
    assert await seen(one, cookie) == {"_ga", "_m", "_n"}


async def test_signing_in_alone_moves_nothing(one: Shop) -> None:
    cookie = await one.choose("accept")
    assert await move(one, cookie, path="/silent") == b"", "no act of theirs: the rule refuses"
    WHO[0] = "ann"
    assert await seen(one) == set()
    assert await seen(one, cookie) == {"_ga", "_m", "_n"}


async def test_a_later_choice_of_the_person_stays(one: Shop) -> None:
    cookie = await one.choose("accept")
    one.now += timedelta(hours=1)
    assert (await one.ask("POST", "/leave")).status == 200
    one.now += timedelta(hours=1)
    await move(one, cookie)
    WHO[0] = "ann"
    assert await seen(one) == {"_m"}, "news was withdrawn after the device had agreed to it"


async def test_a_later_choice_of_the_device_goes_before_an_older_one_of_the_person(one: Shop) -> None:
    assert (await one.ask("POST", "/leave")).status == 200
    one.now += timedelta(hours=1)
    await move(one, await one.choose("accept"))
    WHO[0] = "ann"
    assert await seen(one) == {"_m", "_n"}


async def test_a_refusal_moves_too(one: Shop) -> None:
    await move(one, await one.choose("accept"))
    one.now += timedelta(hours=1)
    await move(one, await one.choose("refuse"))
    WHO[0] = "ann"
    assert await seen(one) == set()


async def test_time_and_version_move_along(one: Shop) -> None:
    one.now = datetime(2026, 5, 1, 12, tzinfo=UTC)
    cookie = await one.choose("accept")
    one.now = NOW
    await move(one, cookie)
    WHO[0] = "ann"
    assert await seen(one) == {"_n"}, "music was not yet in the version that was agreed to"
    one.now = datetime(2026, 5, 31, 11, 59, tzinfo=UTC)
    assert await seen(one) == {"_n"}
    one.now = datetime(2026, 5, 31, 12, tzinfo=UTC)
    assert await seen(one) == set(), "thirty days count from the choice, not from the move"


async def test_a_signal_speaks_for_the_device_alone(one: Shop) -> None:
    left = await move(one, await one.choose("accept", "analytics", "music"), "music")
    gpc = [(b"sec-gpc", b"1")]
    WHO[0] = "ann"
    assert await seen(one, left) == {"_ga", "_m"}
    assert "_ga" not in await seen(one, left, headers=gpc)


async def test_it_is_known_to_another_process_and_after_a_restart(tmp_path: Path) -> None:
    WHO[0] = None
    with Shop(tmp_path / "home", TEXT, app).closing() as here, Shop(tmp_path / "home", TEXT, app).closing() as there:
        cookie = await here.choose("accept")
        assert await seen(there, cookie) == {"_ga", "_m", "_n"}
        left = await move(here, cookie)
        assert await seen(there, cookie) == set()
        WHO[0] = "ann"
        assert await seen(there, left) == {"_ga", "_m", "_n"}
    with Shop(tmp_path / "home", TEXT, app).closing() as again:
        assert await seen(again, left) == {"_ga", "_m", "_n"}
        WHO[0] = None
