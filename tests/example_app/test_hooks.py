"""What the shop tells about the people who act and are acted upon."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from example_app import hooks


def scope(browser: Any) -> dict[str, Any]:
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    return {"type": "http", "headers": [(b"cookie", cookie.encode())]}


def test_nobody_acts_without_a_session(visitor: Any) -> None:
    assert hooks.actor(scope(visitor)) is None


async def test_a_visitor_with_a_session_is_nobody_yet(visitor: Any) -> None:
    await visitor.get("/")
    assert hooks.actor(scope(visitor)) is None


async def test_actor_is_known_from_the_cookie_alone(ann: Any) -> None:
    found = hooks.actor(scope(ann))
    assert found is not None
    assert (found["id"], found["roles"], found["account"]) == ("c-1001", [], True)
    known, verified = found["known"], found["verified"]
    assert isinstance(known, dict)
    assert isinstance(verified, datetime)
    assert known["postal-address"] == "Strandgatan 3, 531 30 Lidköping, Sweden"
    assert abs((datetime.now(UTC) - verified).total_seconds()) < 60


async def test_actor_is_known_from_the_session_the_app_filled(erik: Any) -> None:
    found = hooks.actor({"type": "http", "headers": [], "session": {"customer": "c-1900"}})
    assert found is not None
    assert (found["roles"], found["verified"]) == (["staff"], None)


async def test_a_forged_session_is_nobody(ann: Any) -> None:
    ann.cookies["session"] = ann.cookies["session"][:-2] + "xx"
    assert hooks.actor(scope(ann)) is None


def test_states_are_looked_up_in_one_go(shop: Any) -> None:
    found = hooks.states(["c-1002", "c-1003", "c-1004", "c-7777"])
    assert {"objected": "customer-survey"} in found["c-1002"]
    assert found["c-1003"] in ([{"age": 16}], [{"age": 17}], [{"age": 18}])
    assert "restricted" in found["c-1004"]
    assert found["c-7777"] == []
