"""Hooks that fail or answer oddly: what they were asked for is unreadable, nobody gets a 500, and no rule is opened."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.asgi.conftest import MakeShop
from tests.asgi.wire import POLICY

RULES = """
- {id: members, clause: C-1, for: exchange, match: {route: members}, only-if: {actor: account}, otherwise: deny}
- {id: frozen, clause: C-2, for: exchange, match: {route: members, state: restricted}, otherwise: {deny: 451}}
- {id: proven, clause: C-3, for: exchange, match: {route: proven}, only-if: {actor: {verified: PT10M}}, otherwise: deny}
"""
STATES = POLICY.replace("  cookies:", "  states: {restricted: {}}\n  cookies:")
TOLD: dict[str, Any] = {}


def routes(when: str) -> str:
    return f"""
binding:
  routes:
    'GET /members': {{tag: members, purpose: sale}}
    'GET /proven': {{tag: proven, purpose: sale}}
  actor: {{{when}: '{__name__}:actor'}}
  state: '{__name__}:states'
"""


def actor(scope: Any) -> Any:
    told = TOLD["actor"]
    if isinstance(told, BaseException):
        raise told
    return told


async def states(ids: Any) -> Any:
    told = TOLD.get("states", {})
    if isinstance(told, BaseException):
        raise told
    return dict.fromkeys(ids, told) if TOLD.get("each", True) else told


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("told", "status"),
    [
        ("ann", 200), ({"id": 7}, 200), ({"id": "ann", "roles": None}, 200), ({"id": "ann", "roles": "staff"}, 200),
        (None, 403), ({}, 403), ({"id": None}, 403), (LookupError("x"), 403), ({"id": "ann", "roles": 5}, 403),
        ({"id": "ann", "verified": 1e300}, 403), ({"id": "ann", "verified": float("nan")}, 403),
    ],
)  # fmt: skip
async def test_who_asks(shop: MakeShop, when: str, told: Any, status: int) -> None:
    TOLD.update(actor=told, states={}, each=True)
    one = shop(RULES, routes=routes(when), policy=STATES)
    answer = await one.ask("GET", "/members")
    assert answer.status == status
    if status == 403:
        assert ("members", "deny") in one.reasons()
        assert answer.called == (when == "after")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("told", "each", "status"),
    [
        ([], True, 200), ("restricted", True, 451), (["restricted"], True, 451), ({"restricted": True}, True, 451),
        ({"restricted": False}, True, 200), (["unheard-of"], True, 200), (LookupError("x"), True, 451), (5, True, 451),
        ([5, None], True, 200), (None, False, 451), ([], False, 451), ([("restricted", [])], True, 451),
    ],
)  # fmt: skip
async def test_what_state_they_are_in(shop: MakeShop, when: str, told: Any, each: bool, status: int) -> None:
    TOLD.update(actor="ann", states=told, each=each)
    one = shop(RULES, routes=routes(when), policy=STATES)
    assert (await one.ask("GET", "/members")).status == status
    if status == 451:
        assert one.reasons() == [("frozen", "deny")]


@pytest.mark.parametrize(
    ("verified", "status"),
    [
        (datetime(2026, 5, 4, 11, 55, tzinfo=UTC), 200), (datetime(2026, 5, 4, 11, 45, tzinfo=UTC), 403),
        (datetime(2026, 5, 4, 11, 55, tzinfo=UTC).timestamp(), 200), ("yesterday", 403), (None, 403), (True, 403),
    ],
)  # fmt: skip
async def test_when_they_proved_it(shop: MakeShop, verified: Any, status: int) -> None:
    TOLD.update(actor={"id": "ann", "verified": verified}, states={}, each=True)
    one = shop(RULES, routes=routes("before"), policy=STATES)
    assert (await one.ask("GET", "/proven")).status == status


@pytest.mark.parametrize(("told", "status"), [([{"age": 17}], 451), ([{"age": 18}], 200), ([], 200)])
async def test_an_age_counts_where_the_policy_names_no_state(shop: MakeShop, told: Any, status: int) -> None:
    """That nobody knows an age is no evidence of one."""
    TOLD.update(actor="ann", states=told, each=True)
    rule = "- {id: grown, clause: C-4, for: exchange, match: {route: members, under: 18}, otherwise: {deny: 451}}"
    one = shop(rule, routes=routes("before"))
    answer = await one.ask("GET", "/members")
    assert answer.status == status
