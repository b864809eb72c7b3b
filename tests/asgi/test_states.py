"""States of persons on the wire: restricted, objected, erased, known child, debtor, ordered transfer."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from tests.asgi.conftest import MakeShop
from tests.asgi.wire import NOW, Shop, as_json
from troth.model.consent import params

TEXT = f"""
policy:
  identity: {{id: shop, hosts: [shop.example]}}
  versions: [{{id: '1'}}]
  data:
    name: {{fields: [name]}}
    email: {{fields: [email]}}
    amount: {{fields: [owed], personal: false}}
  purposes:
    sale: {{basis: contract, data: [name, email, amount]}}
    tax: {{basis: law, data: [name, amount]}}
    analytics: {{basis: consent}}
    improvement: {{basis: legitimate-interest, data: [name, email]}}
    statistics: {{basis: legitimate-interest, data: [name]}}
  consents: {{analytics: {{holder: device}}}}
  states:
    restricted: {{}}
    objected: {{per: [purpose, basis]}}
    erased: {{}}
    owes: {{}}
    ordered-transfer: {{per: party}}
  parties:
    rival: {{role: partner, purpose: sale, country: SE}}
    other: {{role: partner, purpose: sale, country: SE}}
    collector: {{role: debt-collector, purpose: sale, country: SE, data: [name, amount]}}
rules:
- id: frozen
  clause: T-1
  for: [exchange, record]
  match: {{state: restricted}}
  only-if: {{any: [{{basis: law}}, {{actor: subject}}]}}
- id: objected
  clause: T-2
  for: [exchange, record]
  match: {{any: [{{state: {{objected: of-purpose}}}}, {{state: {{objected: of-basis}}}}]}}
- id: gone
  clause: T-3
  for: [exchange, record]
  match: {{state: erased}}
  otherwise: {{deny: 410}}
- id: children
  clause: T-4
  for: [exchange, record]
  match: {{under: 16, not: {{route: guarded}}}}
  otherwise: {{deny: 451}}
- id: share
  clause: T-5
  for: exchange
  match: {{party: any}}
  otherwise: deny
  except:
  - {{clause: T-6, if: {{role: debt-collector, state: owes}}}}
  - {{clause: T-7, if: {{state: {{ordered-transfer: of-party}}}}}}
- {{id: their-columns, clause: T-8, for: field, match: {{party: any}}, only-if: {{data: of-party}}}}
binding:
  routes:
    'GET /sale/{{person}}': {{purpose: sale, subject: path.person}}
    'GET /tax/{{person}}': {{purpose: tax, subject: path.person}}
    'GET /improve/{{person}}': {{purpose: improvement, subject: path.person}}
    'GET /count/{{person}}': {{purpose: statistics, subject: path.person}}
    'GET /mine/{{person}}': {{tag: access, purpose: sale, subject: path.person}}
    'GET /collect/{{party}}/{{person}}': {{purpose: sale, party: path.party, subject: path.person}}
    'GET /sales': {{purpose: sale, records: '$[*]', subject: '$.id'}}
    'GET /read': {{tag: guarded, purpose: sale, records: '$[*]', subject: '$.id'}}
    'GET /copies': {{tag: export, purpose: sale, records: '$[*]', subject: '$.id'}}
    'GET /taxes': {{purpose: tax, records: '$[*]', subject: '$.id'}}
    'GET /improvements': {{purpose: improvement, records: '$[*]', subject: '$.id'}}
    'POST /order': {{purpose: sale}}
  actor: {{before: '{__name__}:actor'}}
  state: '{__name__}:told'
"""
TOLD: dict[str, Any] = {}
ACTOR: list[Any] = [None]
PEOPLE = [{"id": one, "name": one} for one in ("ann", "ben", "cyd")]


def actor(scope: Any) -> Any:
    return ACTOR[0]


def told(ids: list[str]) -> Any:
    return {one: TOLD.get(one, []) for one in ids}


@pytest.fixture(params=["watched", "unwatched"])
def shop(request: pytest.FixtureRequest, shop: MakeShop) -> MakeShop:
    """Each test runs twice: once the reference judges every exchange as well."""
    return partial(shop, watched=request.param == "watched")


@pytest.fixture(params=["app", "ledger"])
def put(request: pytest.FixtureRequest, shop: MakeShop) -> Any:
    """Return a shop and `put(person, state, **params)`: in the app's look-up, or in the ledger."""
    TOLD.clear()
    ACTOR[0] = None
    made = shop(text=TEXT)

    def put_one(person: str, state: str, **given: str) -> None:
        if request.param == "app":
            TOLD.setdefault(person, []).append({state: given} if given else state)
        else:
            made.middleware.runtime.ledger.set_state(person, state, params(**given), at=NOW)

    return made, put_one


@pytest.fixture
def made(shop: MakeShop) -> Shop:
    TOLD.clear()
    ACTOR[0] = None
    return shop(text=TEXT)


async def get(shop: Shop, path: str) -> int:
    return (await shop.ask(path=path)).status


async def left(shop: Shop, path: str) -> list[str]:
    shop.reply = as_json(PEOPLE)
    answer = await shop.ask(path=path)
    assert answer.status == 200
    return [one["id"] for one in json.loads(answer.body)]


async def test_restricted_data_are_used_for_the_law_and_for_their_subject_alone(put: Any) -> None:
    shop, put_one = put
    assert await get(shop, "/sale/ann") == 200
    put_one("ann", "restricted")
    assert await get(shop, "/sale/ann") == 403
    assert shop.reasons() == [("frozen", "withhold")]
    assert await get(shop, "/tax/ann") == 200
    assert await get(shop, "/sale/ben") == 200
    assert await left(shop, "/sales") == ["ben", "cyd"]
    assert await left(shop, "/taxes") == ["ann", "ben", "cyd"]
    ACTOR[0] = "ann"
    assert await get(shop, "/sale/ann") == 200
    assert await left(shop, "/sales") == ["ann", "ben", "cyd"]
    ACTOR[0] = "ben"
    assert await get(shop, "/sale/ann") == 403
    assert await left(shop, "/sales") == ["ben", "cyd"]


@pytest.mark.parametrize(
    ("given", "stopped"),
    [
        ({"purpose": "improvement"}, ["improve"]), ({"purpose": "statistics"}, ["count"]),
        ({"basis": "legitimate-interest"}, ["improve", "count"]), ({}, ["sale", "tax", "improve", "count"]),
        ({"purpose": "sale"}, ["sale"]), ({"purpose": "nothing-there"}, []),
    ],
)  # fmt: skip
async def test_an_objection_stops_what_it_is_against(put: Any, given: dict[str, str], stopped: list[str]) -> None:
    shop, put_one = put
    put_one("ann", "objected", **given)
    found = [one for one in ("sale", "tax", "improve", "count") if await get(shop, f"/{one}/ann") == 403]
    assert found == stopped
    assert [one for one in ("sale", "tax", "improve", "count") if await get(shop, f"/{one}/ben") == 403] == []
    assert ("ann" in await left(shop, "/improvements")) == ("improve" not in stopped)


async def test_of_who_was_erased_nothing_is_served(put: Any) -> None:
    shop, put_one = put
    put_one("ben", "erased")
    assert [await get(shop, f"/sale/{one}") for one in ("ann", "ben")] == [200, 410]
    shop.reply = as_json(PEOPLE)
    assert (await shop.ask(path="/sales")).status == 410, "the rule denies, also for a record"


async def test_own_copy_is_never_denied_nor_cut(put: Any) -> None:
    shop, put_one = put
    put_one("ann", "restricted")
    put_one("ann", "objected")
    put_one("ann", "erased")
    assert await get(shop, "/mine/ann") == 403
    ACTOR[0] = "ben"
    assert await get(shop, "/mine/ann") == 403, "the copy of somebody else"
    ACTOR[0] = "ann"
    shop.reply = as_json({"name": "Ann", "email": "ann@home.example", "owed": 3})
    answer = await shop.ask(path="/mine/ann")
    assert (answer.status, json.loads(answer.body)) == (200, {"name": "Ann", "email": "ann@home.example", "owed": 3})
    assert ("gone", "protected") in shop.reasons()


async def test_what_others_have_in_an_own_copy_is_judged_as_theirs(put: Any) -> None:
    shop, put_one = put
    for person in ("ann", "ben"):
        put_one(person, "restricted")
    put_one("cyd", "erased")
    ACTOR[0] = "ann"
    assert await left(shop, "/copies") == ["ann"], "her own row stays whatever her state, the erased one goes alone"
    found = {(one["rule"], one["action"], one["n"]) for one in shop.lines()[-1]["why"] if one["thing"] == "record"}
    assert found == {("frozen", "withhold", 1), ("gone", "withhold", 1)}
    ACTOR[0] = "dan"
    assert await left(shop, "/copies") == []
    ACTOR[0] = None
    shop.reply = as_json(PEOPLE)
    assert (await shop.ask(path="/copies")).status == 410, "no copy for anybody: the rule denies"


async def test_a_debtors_columns_go_to_the_collector_and_nobody_elses(put: Any) -> None:
    shop, put_one = put
    put_one("ann", "owes")
    shop.reply = as_json({"name": "Ann", "email": "ann@home.example", "owed": 3})
    answer = await shop.ask(path="/collect/collector/ann")
    assert (answer.status, json.loads(answer.body)) == (200, {"name": "Ann", "owed": 3})
    assert ("their-columns", "withhold") in shop.reasons()
    assert await get(shop, "/collect/collector/ben") == 403
    assert await get(shop, "/collect/rival/ann") == 403


async def test_an_ordered_transfer_opens_the_party_it_was_ordered_to(put: Any) -> None:
    shop, put_one = put
    put_one("ann", "ordered-transfer", party="rival")
    assert [await get(shop, f"/collect/{one}/ann") for one in ("rival", "other", "stranger")] == [200, 403, 403]
    assert await get(shop, "/collect/rival/ben") == 403


async def test_a_state_ends_and_the_next_request_knows(made: Shop) -> None:
    ledger = made.middleware.runtime.ledger
    ledger.set_state("ann", "objected", params(purpose="sale"), at=NOW)
    ledger.set_state("ann", "restricted", at=NOW)
    ledger.clear_state("ann", "restricted")
    assert await get(made, "/sale/ann") == 403
    assert made.reasons() == [("objected", "withhold")]
    ledger.clear_state("ann", "objected", params(purpose="sale"))
    assert await get(made, "/sale/ann") == 200


async def test_what_ledger_and_app_tell_counts_both(made: Shop) -> None:
    made.middleware.runtime.ledger.set_state("ann", "owes", at=NOW)
    TOLD["ann"] = ["restricted"]
    assert await get(made, "/collect/collector/ann") == 403
    assert made.reasons() == [("frozen", "withhold")]


# children


@pytest.mark.parametrize(
    ("age", "status"),
    [
        (12, 451), (15, 451), (16, 200), ("2010-05-05", 451), ("2010-05-04", 200), ("2010-05-03", 200), (None, 200),
        ("no date", 451),
    ],
)  # fmt: skip
async def test_known_child_addressed_or_asking(made: Shop, age: Any, status: int) -> None:
    TOLD["ann"] = [] if age is None else [{"age": age}]
    assert await get(made, "/sale/ann") == status
    ACTOR[0] = "ann"
    assert (await made.ask("POST", "/order", json_body={})).status == status
    assert (await made.ask(path="/sale/ben")).status == status, "who asks is a child"


async def test_of_a_known_child_nothing_but_the_decision_is_written(made: Shop) -> None:
    TOLD["ann"] = [{"age": 12}]
    cookie = await made.choose("accept")
    kept = {"v", "kind", "stage", "policy", "method", "route", "status", "why"}
    for asker in ({"id": "ann"}, None):
        ACTOR[0] = asker
        for headers in ([(b"sec-gpc", b"1")], [(b"cookie", cookie)]):
            assert (await made.ask(path="/sale/ann?email=a@b.example", headers=headers)).status == 451
            assert ("children", "deny") in made.reasons()
            line = made.lines()[-1]
            assert set(line) - {"stream", "seq", "t", "prev", "rid"} <= kept, line


async def test_of_records_of_known_children_no_pseudonym_is_written(made: Shop) -> None:
    people = [*PEOPLE, {"id": "kid", "name": "Kid"}]
    made.reply = as_json(people)
    TOLD["kid"] = [{"age": 12}]
    assert (await made.ask(path="/read")).status == 200
    line = made.lines()[-1]
    names = made.middleware.runtime.names
    assert line["subj"] == sorted(names.digest("person", one) for one in ("ann", "ben", "cyd"))
    assert line["subj_n"] == 3
