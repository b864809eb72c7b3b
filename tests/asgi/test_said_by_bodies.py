"""Purpose and topic that the body names: no rule decides before it is read. Regions that a hook tells."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.asgi.conftest import MakeShop
from tests.asgi.wire import Shop

TEXT = f"""
policy:
  identity: {{id: shop, hosts: [shop.example]}}
  versions: [{{id: '1'}}]
  data: {{name: {{fields: [name]}}, email: {{fields: [email]}}}}
  purposes:
    sale: {{basis: contract, data: [name, email]}}
    survey: {{basis: legitimate-interest, data: [name]}}
    ads: {{basis: consent, data: [name]}}
  consents:
    ads: {{holder: device}}
    letters: {{holder: device, per: topic}}
  areas: {{EEA: [SE, DE]}}
rules:
- id: some-purpose
  clause: B-1
  for: exchange
  match: {{route: api}}
  only-if: {{purpose: declared}}
  otherwise: deny
- id: no-ads
  clause: B-2
  for: exchange
  match: {{purpose: ads}}
  only-if: {{consent: ads}}
  otherwise: {{deny: 402}}
- {{id: columns, clause: B-3, for: field, match: {{carrier: request}}, only-if: {{data: of-purpose}}}}
- id: this-list
  clause: B-4
  for: exchange
  match: {{route: list}}
  only-if: {{not: {{refused: {{letters: of-topic}}}}}}
  otherwise: {{deny: 409}}
- id: outside
  clause: B-5
  for: exchange
  match: {{route: near}}
  only-if: {{region: EEA}}
  otherwise: {{deny: 451}}
binding:
  routes:
    'POST /api': {{tag: api, purpose: body.why}}
    'POST /list': {{tag: list, purpose: sale, topic: body.list}}
    'GET /near': {{tag: near, purpose: sale}}
    'POST /near': {{tag: near, purpose: sale}}
  region: '{__name__}:region'
"""
TOLD: dict[str, Any] = {}
FORM = b"application/x-www-form-urlencoded"


async def region(scope: Any) -> Any:
    told = TOLD["region"]
    if isinstance(told, BaseException):
        raise told
    return told


@pytest.fixture(params=["watched", "unwatched"])
def shop(request: pytest.FixtureRequest, shop: MakeShop) -> MakeShop:
    """Each test runs twice: once the reference judges every exchange as well."""
    return partial(shop, watched=request.param == "watched")


@pytest.fixture
def one(shop: MakeShop) -> Shop:
    TOLD["region"] = "SE"
    return shop(text=TEXT)


@pytest.mark.parametrize(
    ("why", "status", "left"),
    [
        ("sale", 200, b'{"why": "sale", "name": "Ann", "email": "a@b.example"}'),
        ("survey", 200, b'{"why": "survey", "name": "Ann"}'), ("ads", 402, b""), ("no-such", 403, b""),
        (None, 403, b""),
    ],
)  # fmt: skip
async def test_purpose_that_the_body_names(one: Shop, why: str | None, status: int, left: bytes) -> None:
    body = {"why": why, "name": "Ann", "email": "a@b.example"}
    answer = await one.ask("POST", "/api", json_body=body)
    assert (answer.status, answer.called, answer.body_seen) == (status, status == 200, left)
    if status != 200:
        assert (("no-ads" if why == "ads" else "some-purpose"), "deny") in one.reasons()
    else:
        assert one.lines()[-1]["purpose"] == why


async def test_purpose_in_a_form_cut_anywhere(one: Shop) -> None:
    body = b"why=survey&email=a%40b.example&name=Ann"
    for cut in range(1, len(body)):
        answer = await one.ask("POST", "/api", body=[body[:cut], body[cut:]], kind=FORM)
        assert (answer.status, answer.body_seen) == (200, b"why=survey&name=Ann"), cut


@pytest.mark.parametrize(
    ("ask", "status"),
    [
        ({}, 403), ({"body": b"{"}, 400), ({"body": b"why=sale", "kind": b"text/plain"}, 403),
        ({"body": b"why=sale&why=ads", "kind": FORM}, 403), ({"body": b"x" * 70_000, "kind": FORM}, 413),
    ],
)  # fmt: skip
async def test_body_that_does_not_say_it(one: Shop, ask: dict[str, Any], status: int) -> None:
    answer = await one.ask("POST", "/api", **ask)
    assert (answer.status, answer.called) == (status, False)


async def test_consent_of_the_device_counts_for_what_the_body_names(one: Shop) -> None:
    cookie = await one.choose("accept", "ads")
    answer = await one.ask("POST", "/api", json_body={"why": "ads", "name": "Ann"}, headers=[(b"cookie", cookie)])
    assert answer.status == 200


async def test_topic_that_the_body_names(one: Shop) -> None:
    cookie = await one.choose("refuse")
    for headers, status in (([], 200), ([(b"cookie", cookie)], 409)):
        assert (await one.ask("POST", "/list", json_body={"list": "news"}, headers=headers)).status == status
    assert one.reasons() == [("this-list", "deny")]


@pytest.mark.parametrize(
    ("told", "status"),
    [("SE", 200), (" de ", 200), ("US", 451), (None, 451), ("", 451), (5, 451), (LookupError(), 451)],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_region_that_a_hook_tells(one: Shop, method: str, told: Any, status: int) -> None:
    TOLD["region"] = told
    answer = await one.ask(method, "/near", json_body={"a": 1} if method == "POST" else None)
    assert (answer.status, answer.called) == (status, status == 200)
    if status == 451:
        assert one.reasons() == [("outside", "deny")]
