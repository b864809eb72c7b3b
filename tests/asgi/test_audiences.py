"""Who may be on a route, as the binding says; told before the app, after it, or both; and on websockets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.asgi.conftest import MakeShop
from tests.asgi.test_websocket import ACCEPT, Talk
from tests.asgi.wire import Shop, as_json
from troth.model.words import Action

TEXT = """
policy:
  identity: {id: shop, hosts: [shop.example]}
  versions: [{id: '1'}]
  data: {name: {fields: [name]}}
  purposes: {sale: {basis: contract, data: [name]}}
  parties: {ship: {role: processor, purpose: sale, data: [name]}}
  states: {restricted: {}}
rules:
- {id: audience, clause: W-1, for: exchange, only-if: {actor: of-route}, otherwise: {deny: 401}}
- {id: frozen, clause: W-2, for: exchange, match: {state: restricted}, otherwise: {deny: 451}}
- {id: members, clause: W-4, for: exchange, match: {route: login}, only-if: {actor: account}, otherwise: alert}
- {id: shared, clause: W-3, for: field, match: {actor: shared}, otherwise: mask}
binding:
  routes:
    'GET /public': {purpose: sale, audience: public}
    'GET /account': {purpose: sale, audience: account}
    'GET /staff': {purpose: sale, audience: [staff, boss]}
    'GET /own/{person}': {purpose: sale, audience: subject, subject: path.person}
    'GET /both/{person}': {purpose: sale, audience: [subject, staff], subject: path.person}
    'GET /party': {purpose: sale, audience: party}
    'GET /nobody': {purpose: sale}
    'POST /login': {tag: login, purpose: sale, audience: public}
  credentials: {header.x-key: party}
  actor: {HOOKS}
  state: 'HERE:states'
"""
BOTH = "before: 'HERE:before', after: 'HERE:after'"
TOLD: dict[str, Any] = {}
ASKED: list[str] = []


def before(scope: Any) -> Any:
    ASKED.append("before")
    return TOLD["before"]


def after(scope: Any) -> Any:
    ASKED.append("after")
    if isinstance(TOLD["after"], BaseException):
        raise TOLD["after"]
    return TOLD["after"]


def states(ids: list[str]) -> Any:
    return {one: ["restricted"] if one == "frozen" else [] for one in ids}


@pytest.fixture(params=["watched", "unwatched"])
def make(request: pytest.FixtureRequest, shop: MakeShop) -> Any:
    def one(hooks: str = "before: 'HERE:before'") -> Shop:
        ASKED.clear()
        TOLD.update(before=None, after=None)
        text = TEXT.replace("HOOKS", hooks).replace("HERE", __name__)
        return shop(text=text, watched=request.param == "watched")

    return one


STAFF = {"id": "eve", "roles": ["staff"]}
KEY = [(b"x-key", b"ship")]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/public", "none ann staff party"), ("/account", "ann staff"), ("/staff", "staff"), ("/own/ann", "ann"),
        ("/both/ann", "ann staff"), ("/party", "party"), ("/nobody", ""), ("/no-such-route", ""),
    ],
)  # fmt: skip
async def test_who_may_be_on_a_route(make: Any, path: str, allowed: str) -> None:
    one = make()
    found = []
    for name, who, headers in (("none", None, []), ("ann", "ann", []), ("staff", STAFF, []), ("party", None, KEY)):
        TOLD["before"] = who
        answer = await one.ask(path=path, headers=headers)
        if answer.status == 200:
            found.append(name)
        else:
            assert (answer.status, answer.called) == (401, False)
            assert one.reasons() == [("audience", "deny")]
    assert " ".join(found) == allowed


async def test_who_signs_in_is_known_after_the_app_and_counts(make: Any) -> None:
    one = make(BOTH)
    TOLD["after"] = "frozen"
    answer = await one.ask("POST", "/login", json_body={"name": "x"})
    assert (answer.status, answer.called) == (451, True)
    assert one.lines()[-1]["actor"]["ref"] == one.middleware.runtime.names.digest("person", "frozen")
    TOLD["after"] = "ann"
    assert (await one.ask("POST", "/login", json_body={"name": "x"})).status == 200


async def test_whether_somebody_signed_in_that_cannot_be_told_is_unreadable(make: Any) -> None:
    one = make(BOTH)
    TOLD["after"] = LookupError("gone")
    answer = await one.ask("POST", "/login", json_body={"name": "x"})
    assert (answer.status, answer.called) == (451, True)
    assert ("frozen", "deny") in one.reasons()


async def test_what_was_found_of_nobody_does_not_stand_against_who_signed_in(make: Any) -> None:
    one = make(BOTH)
    TOLD["after"] = None
    await one.ask("POST", "/login", json_body={"name": "x"})
    assert one.reasons() == [("members", "alert")]
    TOLD["after"] = "ann"
    await one.ask("POST", "/login", json_body={"name": "x"})
    assert one.reasons() == []


async def test_who_is_known_before_is_not_asked_for_again(make: Any) -> None:
    one = make(BOTH)
    TOLD.update(before="ann", after="frozen")
    assert (await one.ask(path="/account")).status == 200
    assert ASKED == ["before"]


async def test_a_shared_device_sees_masks(make: Any) -> None:
    one = make()
    one.reply = as_json({"name": "Ann"})
    for shared, name in ((True, "***"), (False, "Ann")):
        TOLD["before"] = {"id": "ann", "shared": shared}
        assert json.loads((await one.ask(path="/account")).body) == {"name": name}
        assert (("shared", str(Action.MASK)) in one.reasons()) == shared


@pytest.mark.parametrize(
    ("who", "headers", "path", "accepted"),
    [
        ("ann", [], "/own/ann", True), ("ben", [], "/own/ann", False), (None, [], "/own/ann", False),
        ("frozen", [], "/account", False), (None, KEY, "/party", True), (None, [(b"x-key", b"other")], "/party", False),
        (None, KEY * 2, "/party", True), (None, [*KEY, (b"x-key", b"other")], "/party", False),
    ],
)  # fmt: skip
async def test_a_websocket_is_judged_by_the_same(make: Any, who: Any, headers: Any, path: str, accepted: bool) -> None:
    one = make()
    TOLD["before"] = who
    talk = await Talk(one, ACCEPT).run(path, *headers)
    assert (talk.scope is not None) == accepted
    assert [message["type"] for message in talk.out] == ["websocket.accept" if accepted else "websocket.close"]
    if not accepted:
        assert one.reasons()[0] == ("frozen" if who == "frozen" else "audience", "deny")
