"""Early hints: a browser loads nothing before the answer that the answer may not load."""

from __future__ import annotations

from typing import Any

import pytest

from tests.asgi.conftest import MakeShop
from troth._types import Receive, Scope, Send

OWN = b"</static/site.css>; rel=preload; as=style"
THIRD = b"<https://tracker.example/t.js>; rel=preload; as=script"
RULES = "- {id: no-strangers, clause: C-1, for: element, match: {party: any}}"


async def hinting(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.early_hint", "links": [OWN, THIRD]})
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.mark.parametrize("observed", [False, True], ids=["alone", "observed"])
async def test_a_hint_of_a_third_party_is_withheld_and_told(shop: MakeShop, *, observed: bool) -> None:
    options: dict[str, Any] = {"observer": lambda *_: None} if observed else {}
    guarded = shop(RULES, app=hinting, **options)
    answer = await guarded.ask("GET", "/")
    hints = [message for message in answer.messages if message["type"] == "http.response.early_hint"]
    assert [message["links"] for message in hints] == [[OWN]]
    assert ("no-strangers", "withhold") in guarded.reasons()


async def test_hints_stay_as_they_are_where_no_rule_is_about_elements(shop: MakeShop) -> None:
    answer = await shop(app=hinting).ask("GET", "/")
    assert answer.messages[0] == {"type": "http.response.early_hint", "links": [OWN, THIRD]}
