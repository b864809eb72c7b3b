"""Who asks, told before or after the app, with states, consents, values and proof; whom a request addresses."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from tests.asgi.conftest import MakeShop
from tests.asgi.wire import NOW, Shop, as_json
from troth.consent.batch import LedgerEntry
from troth.model.consent import Choice, ChoiceState

TEXT = """
policy:
  identity: {id: shop, hosts: [shop.example]}
  versions: [{id: '1'}]
  data:
    name: {fields: [name], probe: known}
    email: {fields: [email], probe: email}
    token: {fields: [t], personal: false}
  purposes:
    sale: {basis: contract, data: [name, email, token]}
    letters: {basis: consent, data: [email, name, token]}
    stats: {basis: legitimate-interest, data: [token]}
  consents: {letters: {holder: person}}
  states: {restricted: {}, owes: {}}
rules:
- {id: asked, clause: A-1, for: exchange, match: {basis: consent}, only-if: {consent: of-purpose}, otherwise: deny}
- {id: frozen, clause: A-2, for: exchange, match: {route: plain, state: restricted}, otherwise: {deny: 451}}
- {id: columns, clause: A-3, for: field, match: {purpose: stats}, only-if: {data: of-purpose}}
- id: theirs
  clause: A-4
  for: exchange
  match: {route: theirs}
  only-if: {actor: [subject, staff]}
  otherwise: deny
- id: proof
  clause: A-5
  for: exchange
  match: {route: secret}
  only-if: {actor: {verified: PT10M}}
  otherwise: {deny: 401}
- id: copies
  clause: A-6
  for: [exchange, field]
  match: {state: restricted, route: [access, export]}
  otherwise: deny
binding:
  routes:
    'GET /plain': {tag: plain, purpose: sale}
    'POST /plain': {tag: plain, purpose: sale}
    'GET /letters': {purpose: letters}
    'GET /stats': {purpose: stats}
    'GET /secret': {tag: secret, purpose: sale}
    'GET /theirs/{person}': {tag: theirs, purpose: sale, subject: path.person}
    'GET /theirs': {tag: theirs, purpose: sale, subject: query.person}
    'POST /theirs': {tag: theirs, purpose: sale, subject: body.customer.id}
    'GET /letter': {purpose: letters, subject: 'HERE:by_token'}
    'POST /letter': {purpose: letters, subject: 'HERE:by_token'}
    'GET /leave': {tag: unsubscribe, purpose: letters, subject: 'HERE:by_token'}
    'GET /copy/{person}': {tag: access, purpose: sale, subject: path.person}
    'GET /export/{person}': {tag: export, purpose: sale, subject: path.person}
  actor: {WHEN: 'HERE:actor', known: [name], verified: 'HERE:verified'}
  state: 'HERE:states'
""".replace("HERE", __name__)
TOLD: dict[str, Any] = {}


async def actor(scope: Any) -> Any:
    return TOLD["actor"]


def verified(scope: Any) -> Any:
    return TOLD.get("verified")


def states(ids: list[str]) -> Any:
    return {one: TOLD.get("states", {}).get(one, []) for one in ids}


async def by_token(scope: Any) -> Any:
    """Know two tokens of the query."""
    token = dict(pair.split("=", 1) for pair in scope["query_string"].decode().split("&") if "=" in pair).get("t")
    if token == "breaks":
        raise LookupError(token)
    return {"tok-ann": "ann", "tok-ben": "ben"}.get(token or "")


@pytest.fixture(params=["watched", "unwatched"])
def shop(request: pytest.FixtureRequest, shop: MakeShop) -> MakeShop:
    """Each test runs twice: once the reference judges every exchange as well."""
    return partial(shop, watched=request.param == "watched")


@pytest.fixture(params=["before", "after"])
def when(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def one(shop: MakeShop, when: str) -> Shop:
    TOLD.clear()
    TOLD["actor"] = None
    return shop(text=TEXT.replace("WHEN", when))


def grant(shop: Shop, person: str, state: ChoiceState = ChoiceState.GRANTED, days: float = 0) -> None:
    choice = Choice(state=state, at=NOW - timedelta(days=days), version="1", form="click")
    shop.middleware.runtime.ledger.record_person(person, [LedgerEntry(name="letters", choice=choice)])


# who asks


async def test_who_asks_brings_consents_along_where_nobody_is_addressed(one: Shop, when: str) -> None:
    answer = await one.ask(path="/letters")
    assert (answer.status, answer.called) == (403, when == "after")
    TOLD["actor"] = "ann"
    assert (await one.ask(path="/letters")).status == 403
    grant(one, "ann")
    assert (await one.ask(path="/letters")).status == 200
    TOLD["actor"] = "ben"
    assert (await one.ask(path="/letters")).status == 403, "another's consent"
    grant(one, "ann", ChoiceState.WITHDRAWN)
    TOLD["actor"] = "ann"
    assert (await one.ask(path="/letters")).status == 403
    assert one.reasons() == [("asked", "deny")]


async def test_who_asks_brings_states_along(one: Shop, when: str) -> None:
    TOLD.update(actor="ann", states={"ann": ["restricted"]})
    answer = await one.ask("POST", "/plain", json_body={"name": "x"})
    assert (answer.status, answer.called) == (451, when == "after")
    assert one.reasons()[-1] == ("frozen", "deny")
    line = one.lines()[-1]
    assert line["actor"]["ref"] == one.middleware.runtime.names.digest("person", "ann")
    TOLD["actor"] = "ben"
    assert (await one.ask("POST", "/plain", json_body={"name": "x"})).status == 200


async def test_values_known_of_who_asks_are_found_wherever_they_stand(one: Shop) -> None:
    TOLD["actor"] = {"id": "ann", "known": {"name": "Ann Example", "password": "hunter2"}}
    one.reply = as_json({"greeting": "Ann Example", "free": "hunter2", "other": "Ben Example"})
    answer = await one.ask(path="/stats")
    assert json.loads(answer.body) == {"free": "hunter2", "other": "Ben Example"}
    assert ("columns", "withhold") in one.reasons()
    assert b"Ann Example" not in one.trail()
    TOLD["actor"] = {"id": "ben", "known": {"name": ["Ben Example", None]}}
    answer = await one.ask(path="/stats")
    assert json.loads(answer.body) == {"greeting": "Ann Example", "free": "hunter2"}
    TOLD["actor"] = None
    assert len(json.loads((await one.ask(path="/stats")).body)) == 3


@pytest.mark.parametrize(
    ("minutes", "status"), [(0, 200), (10, 200), (10.1, 401), (-5, 200), (None, 401)],
)  # fmt: skip
@pytest.mark.parametrize("way", ["told", "asked"])
async def test_proof_of_identity_is_as_old_as_it_may_be(
    one: Shop, way: str, minutes: float | None, status: int
) -> None:
    at = None if minutes is None else NOW - timedelta(minutes=minutes)
    TOLD.update(
        actor={"id": "ann", "verified": at} if way == "told" else "ann", verified=at if way == "asked" else None
    )
    assert (await one.ask(path="/secret")).status == status


async def test_nobody_has_proved_nothing(one: Shop) -> None:
    TOLD["verified"] = NOW
    assert (await one.ask(path="/secret")).status == 401


# whose data


@pytest.mark.parametrize(
    ("way", "ask"),
    [
        ("path", {"path": "/theirs/ann"}), ("query", {"path": "/theirs?x=1&person=ann"}),
        ("json", {"method": "POST", "path": "/theirs", "json_body": {"customer": {"id": "ann"}}}),
    ],
)  # fmt: skip
async def test_only_the_addressed_and_staff_may(one: Shop, when: str, way: str, ask: dict[str, Any]) -> None:
    for asker, status in {"ann": 200, "ben": 403}.items():
        TOLD["actor"] = asker
        answer = await one.ask(**ask)
        assert (answer.status, answer.called) == (status, status == 200 or when == "after")
    assert one.lines()[-1]["subj"] == [one.middleware.runtime.names.digest("person", "ann")]
    TOLD["actor"] = {"id": "eve", "roles": ["staff"]}
    assert (await one.ask(**ask)).status == 200
    TOLD["actor"] = None
    assert (await one.ask(**ask)).status == 403
    assert ("theirs", "deny") in one.reasons()


@pytest.mark.parametrize(
    "ask",
    [
        {"path": "/theirs"}, {"path": "/theirs?person="}, {"method": "POST", "path": "/theirs", "json_body": {}},
        {"method": "POST", "path": "/theirs", "json_body": {"customer": {"id": None}}},
        {"method": "POST", "path": "/theirs", "json_body": {"customer": "ann"}}, {"method": "POST", "path": "/theirs"},
    ],
)  # fmt: skip
async def test_where_the_addressed_is_missing_nobody_is_the_subject(one: Shop, ask: dict[str, Any]) -> None:
    TOLD["actor"] = "ann"
    assert (await one.ask(**ask)).status == 403


async def test_a_number_addresses_as_its_digits_do(one: Shop) -> None:
    TOLD["actor"] = {"id": 17}
    assert (await one.ask("POST", "/theirs", json_body={"customer": {"id": 17}})).status == 200
    assert (await one.ask("POST", "/theirs", json_body={"customer": {"id": 18}})).status == 403


async def test_a_form_addresses_by_its_field(shop: MakeShop, when: str) -> None:
    TOLD.clear()
    text = TEXT.replace("WHEN", when).replace("body.customer.id", "body.who")
    one = shop(text=text)
    for asker, status in {"ann": 200, "ben": 403}.items():
        TOLD["actor"] = asker
        kind = b"application/x-www-form-urlencoded"
        assert (await one.ask("POST", "/theirs", body=b"x=1&who=ann", kind=kind)).status == status
        multipart = b'--b\r\nContent-Disposition: form-data; name="who"\r\n\r\nann\r\n--b--\r\n'
        kind = b"multipart/form-data; boundary=b"
        assert (await one.ask("POST", "/theirs", body=multipart, kind=kind)).status == status


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_token_says_whose_data_without_a_login(one: Shop, method: str) -> None:
    grant(one, "ann")
    for token, status in {"tok-ann": 200, "tok-ben": 403, "forged": 403, "breaks": 403}.items():
        assert (await one.ask(method, f"/letter?t={token}")).status == status, token
    assert (await one.ask(method, "/letter")).status == 403
    TOLD["actor"] = "ann"
    assert (await one.ask(method, "/letter?t=tok-ben")).status == 403, "who asks is not whom it addresses"
    assert b"tok-" not in one.trail()


async def test_who_wants_to_leave_is_let_in_whatever_the_token(one: Shop) -> None:
    grant(one, "ann", ChoiceState.WITHDRAWN)
    for token in ("tok-ann", "forged", "breaks"):
        answer = await one.ask(path=f"/leave?t={token}")
        assert (answer.status, answer.called) == (200, True)
        assert one.reasons() == [("asked", "protected")]


# own copy


@pytest.mark.parametrize("path", ["copy", "export"])
async def test_own_copy_comes_whole_and_a_strangers_does_not(one: Shop, when: str, path: str) -> None:
    TOLD.update(actor="ann", states={"ann": ["restricted"]})
    one.reply = as_json({"name": "Ann", "email": "ann@home.example"})
    answer = await one.ask(path=f"/{path}/ann")
    assert (answer.status, json.loads(answer.body)) == (200, {"name": "Ann", "email": "ann@home.example"})
    assert {action for _, action in one.reasons()} == {"protected"}
    for stranger in ("ben", None, {"id": "eve", "roles": ["staff"]}):
        TOLD["actor"] = stranger
        answer = await one.ask(path=f"/{path}/ann")
        assert answer.status == 403
        assert answer.called == (when == "after")
        assert ("copies", "deny") in one.reasons()


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("person=ann", 200), ("person=ann&person=ann", 200), ("person=ann&person=ben", 403),
        ("person=ben&person=ann", 403), ("person=ann&person=", 403), ("person=ann&%70erson=ben", 403), ("person=", 403),
    ],
)  # fmt: skip
async def test_who_is_addressed_twice_differently_is_nobody(one: Shop, query: str, status: int) -> None:
    """An app may read the first, or the last; neither may be judged by the other."""
    TOLD["actor"] = "ann"
    assert (await one.ask(path=f"/theirs?{query}")).status == status
