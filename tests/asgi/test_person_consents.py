"""Consents of persons on the wire: per party, country, list or topic, by form, in time, of a version that counts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import troth
from tests.asgi.conftest import MakeShop
from tests.asgi.wire import NOW, Answer, Shop, as_json
from troth._types import Receive, Scope, Send

TEXT = """
policy:
  identity: {id: shop, hosts: [shop.example]}
  versions: [{id: '1', effective: 2025-01-01}, {id: '2', effective: 2026-05-01}]
  data: {name: {fields: [name]}, email: {fields: [email]}}
  purposes:
    sale: {basis: contract, data: [name, email]}
    newsletter: {basis: consent, consent: letters, data: [email]}
    profiling: {basis: consent, since: '2'}
    research: {basis: consent, consent: study, since: '2'}
  consents:
    letters: {holder: person, per: topic, lists: [news, offers]}
    profiling: {holder: person}
    study: {holder: person}
    sharing: {holder: person, per: party}
    program: {holder: person, per: [party, season]}
    transfer: {holder: person, per: country}
    medical: {holder: person, form: guardian}
    month: {holder: person, lasts: P30D}
  parties:
    p1: {role: partner, purpose: sale, country: SE}
    p2: {role: partner, purpose: sale, country: US}
    ship: {role: processor, purpose: sale, country: DE}
rules:
- id: share-with-nobody
  clause: S-1
  for: exchange
  match: {route: share, party: any}
  otherwise: deny
  evidence: true
  except:
  - {clause: S-5, if: {role: processor}}
  - {clause: S-2, if: {consent: {sharing: of-party}}}
- id: stay-at-home
  clause: S-3
  for: exchange
  match: {route: send, not: {country: [SE, DE]}}
  only-if: {consent: {transfer: of-country}}
  otherwise: deny
- id: winter-members
  clause: S-4
  for: exchange
  match: {route: winter}
  only-if: {consent: {program: {party: of-party, season: winter}}}
  otherwise: deny
- id: this-list
  clause: S-6
  for: exchange
  match: {route: topic}
  only-if: {consent: {letters: of-topic}}
  otherwise: deny
- {id: all-lists, clause: S-7, for: exchange, match: {route: all}, only-if: {consent: letters}, otherwise: deny}
- id: some-list
  clause: S-7
  for: exchange
  match: {route: some}
  only-if: {consent: {letters: any}}
  otherwise: deny
- {id: left, clause: S-8, for: exchange, match: {route: left, refused: {letters: of-topic}}, otherwise: deny}
- {id: guardian, clause: S-9, for: exchange, match: {route: medical}, only-if: {consent: medical}, otherwise: deny}
- {id: in-time, clause: S-10, for: exchange, match: {route: month}, only-if: {consent: month}, otherwise: deny}
- {id: row, clause: S-11, for: exchange, match: {basis: consent}, only-if: {consent: of-purpose}, otherwise: deny}
binding:
  routes:
    'GET /share/{party}/{person}': {tag: share, purpose: sale, party: path.party, subject: path.person}
    'GET /send/{party}/{person}': {tag: send, purpose: sale, party: path.party, subject: path.person}
    'GET /winter/{party}/{person}': {tag: winter, purpose: sale, party: path.party, subject: path.person}
    'GET /topic/{topic}/{person}': {tag: topic, purpose: sale, topic: path.topic, subject: path.person}
    'GET /left/{topic}/{person}': {tag: left, purpose: sale, topic: path.topic, subject: path.person}
    'GET /all/{person}': {tag: all, purpose: sale, subject: path.person}
    'GET /some/{person}': {tag: some, purpose: sale, subject: path.person}
    'GET /medical/{person}': {tag: medical, purpose: sale, subject: path.person}
    'GET /month/{person}': {tag: month, purpose: sale, subject: path.person}
    'GET /profile/{person}': {purpose: profiling, subject: path.person}
    'GET /research/{person}': {purpose: research, subject: path.person}
    'GET /list/{party}': {tag: share, purpose: sale, party: path.party, records: '$[*]', subject: '$.id'}
    'POST /choose': {act: consent, purpose: sale}
"""
LIST = """
- id: share-no-record
  clause: S-1
  for: record
  match: {party: any}
  except: [{clause: S-2, if: {consent: {sharing: of-party}}}]
"""


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Make the choice that the body tells; else answer with three people."""
    if scope["method"] == "POST":
        told = json.loads((await receive())["body"])
        consent, act, name = troth.consent(scope), told.pop("act"), told.pop("name")
        if act == "erase":
            await consent.erase(person=told["person"])
        else:
            await getattr(consent, act)(name, **told)
    reply = as_json([{"id": one, "name": one.title()} for one in ("ann", "ben", "cyd")])
    for message in reply.messages():
        await send(message)


@pytest.fixture(params=["watched", "unwatched"])
def shop(request: pytest.FixtureRequest, shop: MakeShop) -> MakeShop:
    """Each test runs twice: once the reference judges every exchange as well."""
    return partial(shop, watched=request.param == "watched")


@pytest.fixture
def people(shop: MakeShop) -> Shop:
    return shop(text=TEXT, app=app)


async def choose(shop: Shop, act: str, name: str, person: str = "ann", **more: Any) -> None:
    if act == "record":
        more.setdefault("form", "click")
    told = {"act": act, "name": name, "person": person, **more}
    assert (await shop.ask("POST", "/choose", json_body=told)).status == 200


async def get(shop: Shop, path: str) -> int:
    return (await shop.ask(path=path)).status


# parties, countries, seasons


async def test_consent_to_one_party_opens_no_other_party_and_is_nobody_elses(people: Shop) -> None:
    assert await get(people, "/share/p1/ann") == 403
    assert people.reasons() == [("share-with-nobody", "deny")]
    await choose(people, "record", "sharing", party="p1")
    assert await get(people, "/share/p1/ann") == 200
    line = people.lines()[-1]
    assert [(one["rule"], one["clause"], one["action"]) for one in line["why"]] == [
        ("share-with-nobody", ["S-2"], "opened")
    ]
    assert line["party"] == "p1"
    assert await get(people, "/share/p2/ann") == 403
    assert await get(people, "/share/p1/ben") == 403
    assert await get(people, "/share/nobody-knows/ann") == 403
    assert await get(people, "/share/ship/ben") == 200, "a processor needs none"


async def test_consent_to_all_parties_opens_each_until_one_is_refused(people: Shop) -> None:
    await choose(people, "record", "sharing")
    assert [await get(people, f"/share/{one}/ann") for one in ("p1", "p2", "stranger")] == [200, 200, 403]
    await choose(people, "refuse", "sharing", party="p2")
    assert [await get(people, f"/share/{one}/ann") for one in ("p1", "p2")] == [200, 403]
    await choose(people, "withdraw", "sharing")
    assert [await get(people, f"/share/{one}/ann") for one in ("p1", "p2")] == [403, 403]
    await choose(people, "record", "sharing", party="p2")
    assert [await get(people, f"/share/{one}/ann") for one in ("p1", "p2")] == [403, 403], "all of them are refused"


async def test_withdrawal_for_one_party_leaves_the_others(people: Shop) -> None:
    await choose(people, "record", "sharing", party="p1")
    await choose(people, "record", "sharing", party="p2")
    await choose(people, "withdraw", "sharing", party="p1")
    assert [await get(people, f"/share/{one}/ann") for one in ("p1", "p2")] == [403, 200]
    line = next(one for one in reversed(people.lines()) if one["kind"] == "consent")
    assert (line["act"], line["consents"], line["params"], line["holder"]) == (
        "withdraw", ["sharing"], {"party": "p1"}, "person",
    )  # fmt: skip
    assert "ann" not in json.dumps(line), "a person stands under a pseudonym"


async def test_country_of_the_party_is_where_data_go(people: Shop) -> None:
    assert [await get(people, f"/send/{one}/ann") for one in ("p1", "ship", "p2")] == [200, 200, 403]
    await choose(people, "record", "transfer", country="BR")
    assert await get(people, "/send/p2/ann") == 403
    await choose(people, "record", "transfer", country="US")
    assert await get(people, "/send/p2/ann") == 200
    assert await get(people, "/send/stranger/ann") == 403, "nobody knows where that would be"


async def test_all_parameters_by_name_must_agree(people: Shop) -> None:
    await choose(people, "record", "program", party="p1", season="summer")
    await choose(people, "record", "program", party="p2", season="winter")
    assert [await get(people, f"/winter/{one}/ann") for one in ("p1", "p2")] == [403, 200]
    await choose(people, "refuse", "program", season="winter")
    assert await get(people, "/winter/p2/ann") == 403, "refused for every party that winter"


async def test_each_record_of_a_list_by_its_own_subjects_consent_to_this_party(shop: MakeShop) -> None:
    one = shop(text=TEXT.replace("- id: stay-at-home", LIST.strip() + "\n- id: stay-at-home"), app=app)
    await choose(one, "record", "sharing", person="ann", party="p1")
    await choose(one, "record", "sharing", person="ben", party="p2")
    await choose(one, "record", "sharing", person="cyd")
    await choose(one, "refuse", "sharing", person="cyd", party="p2")
    for party, left in {"p1": ["ann", "cyd"], "p2": ["ben"]}.items():
        answer = await one.ask(path=f"/list/{party}")
        assert [each["id"] for each in json.loads(answer.body)] == left
        assert ("share-no-record", "withhold") in one.reasons()


# lists and topics


async def test_one_list_is_not_the_others_and_all_of_them_are_all(people: Shop) -> None:
    await choose(people, "record", "letters", topic="news")
    paths = ("/topic/news/ann", "/topic/offers/ann", "/all/ann", "/some/ann")
    assert [await get(people, path) for path in paths] == [200, 403, 403, 200]
    await choose(people, "record", "letters", topic="offers")
    assert [await get(people, path) for path in paths] == [200, 200, 200, 200]
    await choose(people, "withdraw", "letters", topic="news")
    assert [await get(people, path) for path in paths] == [403, 200, 403, 403], (
        "without its parameter any refusal counts"
    )
    assert [await get(people, f"/left/{one}/ann") for one in ("news", "offers")] == [403, 200]
    await choose(people, "withdraw", "letters")
    assert [await get(people, path) for path in paths] == [403, 403, 403, 403]
    assert [await get(people, f"/left/{one}/ann") for one in ("news", "offers")] == [403, 403]


async def test_who_never_answered_refused_nothing_and_granted_nothing(people: Shop) -> None:
    assert await get(people, "/left/news/ann") == 200
    assert await get(people, "/topic/news/ann") == 403


# forms, time, versions


@pytest.mark.parametrize(("form", "status"), [("guardian", 200), ("click", 403), ("Guardian", 403)])
async def test_only_the_form_that_is_asked_for_counts(people: Shop, form: str, status: int) -> None:
    await choose(people, "record", "medical", form=form)
    assert await get(people, "/medical/ann") == status


async def test_later_grant_of_another_form_takes_the_guardians_place(people: Shop) -> None:
    await choose(people, "record", "medical", form="guardian")
    people.now += timedelta(minutes=1)
    await choose(people, "record", "medical", form="click")
    assert await get(people, "/medical/ann") == 403


async def test_grant_ends_when_its_time_is_over_and_not_before(people: Shop) -> None:
    await choose(people, "record", "month")
    people.now = NOW + timedelta(days=30, seconds=-1)
    assert await get(people, "/month/ann") == 200
    people.now = NOW + timedelta(days=30)
    assert await get(people, "/month/ann") == 403
    assert people.reasons() == [("in-time", "deny")]
    await choose(people, "record", "month")
    assert await get(people, "/month/ann") == 200, "given anew"


@pytest.mark.parametrize(
    ("given", "path", "status"),
    [
        (datetime(2026, 4, 30, 12, tzinfo=UTC), "/profile/ann", 403), (NOW, "/profile/ann", 200),
        (datetime(2026, 4, 30, 12, tzinfo=UTC), "/research/ann", 403), (NOW, "/research/ann", 200),
    ],
)  # fmt: skip
async def test_grant_of_a_version_before_the_purpose_was_there_does_not_cover_it(
    people: Shop, given: datetime, path: str, status: int
) -> None:
    people.now = given
    await choose(people, "record", "profiling")
    await choose(people, "record", "study")
    people.now = NOW
    assert await get(people, path) == status


# the ledger itself


async def test_what_was_chosen_outlives_the_process(tmp_path: Path) -> None:
    with Shop(tmp_path / "home", TEXT, app).closing() as first:
        await choose(first, "record", "sharing", party="p1")
        await choose(first, "record", "sharing", party="p2")
        await choose(first, "withdraw", "sharing", party="p2")
    with Shop(tmp_path / "home", TEXT, app).closing() as second:
        assert [await get(second, f"/share/{one}/ann") for one in ("p1", "p2")] == [200, 403]


async def test_what_one_process_ends_ends_in_the_other_with_its_next_request(tmp_path: Path) -> None:
    with Shop(tmp_path / "home", TEXT, app).closing() as one, Shop(tmp_path / "home", TEXT, app).closing() as other:
        for here, there in ((one, other), (other, one)):
            assert await get(there, "/share/p1/ann") == 403
            await choose(here, "record", "sharing", party="p1")
            assert await get(there, "/share/p1/ann") == 200
            await choose(here, "withdraw", "sharing", party="p1")
            assert await get(there, "/share/p1/ann") == 403


async def test_erasing_takes_grants_along(people: Shop) -> None:
    await choose(people, "record", "sharing", party="p1")
    await choose(people, "erase", "")
    assert await get(people, "/share/p1/ann") == 403


async def test_no_id_of_a_person_and_no_undeclared_parameter_is_written_in_clear(people: Shop) -> None:
    await choose(people, "record", "sharing", person="ann.secret@home.example", party="p1")
    await choose(people, "record", "letters", person="ann.secret@home.example", topic="hidden-topic")
    answer: Answer = await people.ask(path="/share/p1/ann.secret@home.example")
    assert answer.status == 200
    written = people.trail() + b"".join(path.read_bytes() for path in people.home.glob("ledger.sqlite3*"))
    assert b"ann.secret" not in written
    assert b"hidden-topic" not in people.trail()
