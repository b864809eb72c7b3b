"""Parties on the wire: by credential, path or body, with roles, countries, columns and statements of their own."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from urllib.parse import quote

import pytest

from tests.asgi.conftest import MakeShop
from tests.asgi.wire import NOW, Shop, as_json

KEY, OLD = "s3cret-of-ship", "s3cret-of-mail"
TEXT = f"""
policy:
  identity: {{id: shop, hosts: [shop.example]}}
  versions: [{{id: '1'}}]
  data:
    name: {{fields: [name]}}
    email: {{fields: [email]}}
    street: {{fields: [street]}}
    amount: {{fields: [amount], personal: false}}
  purposes:
    sale: {{basis: contract, data: [name, email, street, amount]}}
    ads: {{basis: contract, data: [email]}}
  parties:
    ship: {{role: processor, country: DE, purpose: sale, data: [name, street]}}
    mail: {{role: processor, country: US, purpose: sale, data: [email]}}
    partner: {{role: [partner, advertiser], country: SE, purpose: ads, data: [email]}}
    nowhere: {{role: partner, purpose: ads, data: [email]}}
  areas: {{EEA: [SE, DE]}}
attestations:
  mail-contract: {{what: dpa, about: mail, role: legal, dated: 2026-01-01, expires: 2026-06-01}}
  ship-contract: {{what: dpa, about: ship, role: legal, dated: 2026-05-04}}
  merger: {{what: merger, role: board, dated: 2026-05-05, expires: 2026-05-07}}
rules:
- id: who
  clause: P-1
  for: exchange
  match: {{route: feed}}
  only-if: {{party: declared}}
  otherwise: {{deny: 401}}
- {{id: columns, clause: P-2, for: field, match: {{party: any}}, only-if: {{data: of-party}}}}
- id: contract
  clause: P-3
  for: exchange
  match: {{route: feed, role: processor}}
  only-if: {{attested: {{dpa: of-party}}}}
  otherwise: deny
- id: abroad
  clause: P-4
  for: exchange
  match: {{route: abroad, party: any}}
  only-if: {{country: EEA}}
  otherwise: deny
- {{id: ads, clause: P-5, for: exchange, match: {{route: roles, role: advertiser}}, otherwise: deny}}
- {{id: merged, clause: P-6, for: exchange, match: {{route: merged}}, only-if: {{attested: merger}}, otherwise: deny}}
binding:
  routes:
    'GET /feed': {{tag: feed, purpose: sale, audience: party}}
    'GET /feed/{{party}}': {{tag: feed, purpose: sale, party: path.party}}
    'POST /feed': {{tag: feed, purpose: sale, party: body.to}}
    'GET /abroad/{{party}}': {{tag: abroad, purpose: sale, party: path.party}}
    'GET /roles/{{party}}': {{tag: roles, purpose: sale, party: path.party}}
    'GET /merged': {{tag: merged, purpose: sale}}
    'GET /own': {{purpose: sale}}
  credentials:
    header.x-api-key:
      {sha256(KEY.encode()).hexdigest()}: ship
      {sha256(OLD.encode()).hexdigest()}: mail
  serving: {{country: SE}}
"""
ROW = {"name": "Ann", "email": "a@b.example", "street": "Main", "amount": 3, "size": "XL"}


@pytest.fixture(params=["watched", "unwatched"])
def shop(request: pytest.FixtureRequest, shop: MakeShop) -> MakeShop:
    """Each test runs twice: once the reference judges every exchange as well."""
    return partial(shop, watched=request.param == "watched")


@pytest.fixture
def one(shop: MakeShop) -> Shop:
    made = shop(text=TEXT)
    made.reply = as_json(ROW)
    return made


async def status(shop: Shop, path: str, key: str | None = None) -> int:
    headers = [] if key is None else [(b"x-api-key", key.encode())]
    return (await shop.ask(path=path, headers=headers)).status


async def test_a_credential_says_which_party_asks_and_it_gets_its_columns(one: Shop) -> None:
    for key, left in {KEY: ["name", "street", "size"], OLD: ["email", "size"]}.items():
        answer = await one.ask(path="/feed", headers=[(b"x-api-key", key.encode())])
        assert (answer.status, list(json.loads(answer.body))) == (200, left)
        line = one.lines()[-1]
        assert line["party"] == {KEY: "ship", OLD: "mail"}[key]
        assert [one.reasons(), line["why"][0]["n"]] == [[("columns", "withhold")], 5 - len(left)]
    assert KEY.encode() not in one.trail()


@pytest.mark.parametrize("key", ["wrong", "ship", KEY.upper(), KEY + " ", sha256(KEY.encode()).hexdigest(), ""])
async def test_what_is_no_credential_makes_no_party(one: Shop, key: str) -> None:
    assert await status(one, "/feed", key) == 401
    assert one.lines()[-1]["party"] == "undeclared"
    assert one.reasons()[0] == ("who", "deny")


async def test_credential_and_path_must_name_the_same_party(one: Shop) -> None:
    assert await status(one, "/feed/ship", KEY) == 200
    assert await status(one, "/feed/mail", KEY) == 401
    assert await status(one, "/feed/stranger", KEY) == 401
    assert await status(one, "/feed/mail") == 200, "without a credential the path says it"
    assert await status(one, "/feed/stranger") == 401


async def test_a_body_names_the_party_too(one: Shop) -> None:
    for named, left in {"ship": ["name", "street", "size"], "mail": ["email", "size"]}.items():
        answer = await one.ask("POST", "/feed", json_body={"to": named})
        assert (answer.status, list(json.loads(answer.body))) == (200, left)
    assert (await one.ask("POST", "/feed", json_body={"to": "stranger"})).status == 401
    assert (await one.ask("POST", "/feed", json_body={})).status == 401
    answer = await one.ask("POST", "/feed", json_body={"to": "mail"}, headers=[(b"x-api-key", KEY.encode())])
    assert (answer.status, answer.called) == (401, False), "the body names another than the credential proves"


async def test_own_traffic_has_no_party_and_no_columns(one: Shop) -> None:
    answer = await one.ask(path="/own")
    assert json.loads(answer.body) == ROW
    assert "party" not in one.lines()[-1]


async def test_country_of_a_party_decides_and_unknown_is_not_inside(one: Shop) -> None:
    found = {each: await status(one, f"/abroad/{each}") for each in ("ship", "partner", "mail", "nowhere", "stranger")}
    assert found == {"ship": 200, "partner": 200, "mail": 403, "nowhere": 403, "stranger": 403}


async def test_one_of_several_roles_is_enough_for_a_prohibition(one: Shop) -> None:
    found = {each: await status(one, f"/roles/{each}") for each in ("ship", "partner", "nowhere", "stranger")}
    assert found == {"ship": 200, "partner": 403, "nowhere": 200, "stranger": 403}


async def test_a_statement_about_one_party_ends_on_its_day(one: Shop) -> None:
    for day, expected in {
        datetime(2026, 5, 3, 23, 59, tzinfo=UTC): {"ship": 403, "mail": 200},
        datetime(2026, 5, 4, 0, 0, tzinfo=UTC): {"ship": 200, "mail": 200},
        datetime(2026, 5, 31, 23, 59, tzinfo=UTC): {"ship": 200, "mail": 200},
        datetime(2026, 6, 1, 0, 0, tzinfo=UTC): {"ship": 200, "mail": 403},
    }.items():
        one.now = day
        assert {each: await status(one, f"/feed/{each}") for each in ("ship", "mail")} == expected
    assert ("contract", "deny") in one.reasons()


async def test_a_statement_holds_from_its_date_to_the_day_before_it_ends(one: Shop) -> None:
    found = []
    for hours in range(0, 24 * 5, 12):
        one.now = NOW + timedelta(hours=hours)
        found.append((one.now.day, await status(one, "/merged")))
    assert {day for day, seen in found if seen == 200} == {5, 6}
    assert {day for day, seen in found if seen == 403} == {4, 7, 8, 9}


async def test_credential_in_a_query_or_a_cookie_and_by_mere_presence(shop: MakeShop) -> None:
    head, _, rest = TEXT.partition("  credentials:\n")
    tail = rest.partition("  serving:")[2]
    text = f"{head}  credentials: {{query.key: party, cookie.ship: ship}}\n  serving:{tail}"
    one = shop(text=text)
    one.reply = as_json(ROW)
    assert await status(one, "/feed?key=ship") == 200
    assert one.lines()[-1]["party"] == "ship"
    assert await status(one, "/feed?key=stranger") == 401
    assert (await one.ask(path="/feed", headers=[(b"cookie", b"a=1; ship=yes")])).status == 200
    assert one.lines()[-1]["party"] == "ship"


@pytest.mark.parametrize(
    "path", ["/feed?key=%ff%fe", "/feed?key=%00", "/feed?key=" + "x" * 5000, "/feed?key=%F0%9F%98%80"]
)
async def test_odd_credentials_are_none(shop: MakeShop, path: str) -> None:
    one = shop(text=TEXT.replace("header.x-api-key:", "query.key:"))
    assert await status(one, path) == 401


async def test_a_credential_is_digested_as_the_bytes_that_came(shop: MakeShop) -> None:
    key = "schlüssel-ключ".encode()
    for place in ("header.x-api-key", "cookie.key", "query.key"):
        text = TEXT.replace("header.x-api-key:", f"{place}:")
        one = shop(text=text.replace(sha256(KEY.encode()).hexdigest(), sha256(key).hexdigest()))
        one.reply = as_json(ROW)
        cookie = [(b"cookie", b"key=" + key)] if place == "cookie.key" else []
        headers = [(b"x-api-key", key)] if place == "header.x-api-key" else cookie
        path = "/feed?key=" + quote(key) if place == "query.key" else "/feed"
        assert (await one.ask(path=path, headers=headers)).status == 200, place
        assert one.lines()[-1]["party"] == "ship"


async def test_two_credentials_that_differ_prove_nothing(one: Shop) -> None:
    for keys, expected in {(KEY, KEY): 200, (KEY, OLD): 401, (OLD, KEY): 401, (KEY, "x"): 401, (KEY, ""): 401}.items():
        answer = await one.ask(path="/feed", headers=[(b"x-api-key", key.encode()) for key in keys])
        assert answer.status == expected, keys
    answer = await one.ask(path="/own", headers=[(b"x-api-key", KEY.encode()), (b"x-api-key", OLD.encode())])
    assert one.lines()[-1]["party"] == "undeclared"
    assert json.loads(answer.body) == {"size": "XL"}, "whoever it is gets no column"


async def test_purpose_and_party_named_twice_differently_are_undeclared(shop: MakeShop) -> None:
    text = TEXT.replace("'GET /own': {purpose: sale}", "'GET /own': {tag: feed, purpose: query.why, party: query.to}")
    assert text != TEXT
    one = shop(text=text)
    one.reply = as_json(ROW)
    assert await status(one, "/own?why=sale&to=ship&to=ship") == 200
    assert one.lines()[-1]["purpose"] == "sale"
    assert await status(one, "/own?why=sale&to=ship&to=mail") == 401
    await status(one, "/own?why=sale&why=ads&to=ship")
    assert one.lines()[-1]["purpose"] == "undeclared"
