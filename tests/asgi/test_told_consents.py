"""Choices that the app keeps in tables of its own: they stand beside the ledger's; what is odd opens nothing."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import troth
from tests.asgi.conftest import MakeShop
from tests.asgi.wire import NOW, POLICY, Shop, as_json
from troth._types import Receive, Scope, Send
from troth.consent.batch import LedgerEntry
from troth.model.consent import Choice, Choices, ChoiceState
from troth.model.consent import params as canonical
from troth.runtime import hooks
from troth.runtime.told_choices import together

CONSENTS = "  consents: {analytics: {holder: device}, ads: {holder: device}}"
OWN = """  consents:
    analytics: {holder: device}
    ads: {holder: device}
    letters: {holder: person, lasts: P1Y}
    medical: {holder: person, form: guardian}
    sharing: {holder: person, per: party}
  parties: {p1: {role: partner, purpose: sale}, p2: {role: partner, purpose: sale}}"""
RULES = """
- {id: letters, clause: C-1, for: exchange, match: {route: letters}, only-if: {consent: letters}, otherwise: deny}
- {id: medical, clause: C-2, for: exchange, match: {route: medical}, only-if: {consent: medical}, otherwise: deny}
- id: sharing
  clause: C-3
  for: exchange
  match: {route: sharing}
  only-if: {consent: {sharing: {party: p1}}}
  otherwise: deny
- {id: unasked, clause: C-4, for: exchange, match: {route: unasked, refused: letters}, otherwise: deny}
- {id: only-who-asked, clause: C-5, for: record, match: {route: list}, only-if: {consent: letters}}
"""
ROUTES = f"""
binding:
  routes:
    'GET /letters/{{person}}': {{tag: letters, purpose: sale, subject: path.person}}
    'GET /medical/{{person}}': {{tag: medical, purpose: sale, subject: path.person}}
    'GET /sharing/{{person}}': {{tag: sharing, purpose: sale, subject: path.person}}
    'GET /unasked/{{person}}': {{tag: unasked, purpose: sale, subject: path.person}}
    'GET /list': {{tag: list, purpose: sale, records: '$[*]', subject: '$.id'}}
    'POST /change/{{person}}': {{purpose: sale, act: consent, subject: path.person}}
  consents: '{__name__}:consents'
"""
G, D, W = "granted", "declined", "withdrawn"
TOLD: dict[str, Any] = {}
ASKED: list[list[str]] = []


async def consents(ids: list[str]) -> Any:
    ASKED.append(list(ids))
    told = TOLD["all"]
    if isinstance(told, BaseException):
        raise told
    if told == "slow":
        await asyncio.sleep(30)
    return told(ids) if callable(told) else told


def choice(state: str = G, days: float = 0, **more: Any) -> dict[str, Any]:
    return {"state": state, "at": NOW - timedelta(days=days), **more}


def tell(**by_person: Any) -> None:
    ASKED.clear()
    TOLD["all"] = by_person


@pytest.fixture
def own(shop: MakeShop) -> Shop:
    text = POLICY.replace(CONSENTS, OWN)
    assert text != POLICY
    return shop(RULES, routes=ROUTES, policy=text)


def record(shop: Shop, name: str, state: ChoiceState, days: float) -> None:
    made = Choice(state=state, at=NOW - timedelta(days=days), version="1")
    shop.middleware.runtime.ledger.record_person("ann", [LedgerEntry(name=name, choice=made)])


async def get(shop: Shop, path: str) -> int:
    return (await shop.ask(path=path)).status


@pytest.mark.parametrize(
    ("told", "status"),
    [
        (choice(G, 3), 200), (choice(D, 3), 403), (choice(W, 3), 403), (choice(G, 400), 403), ([choice(G, 3)], 200),
        ([choice(G, 3), choice(W, 2)], 403), ([choice(W, 3), choice(G, 2)], 200), ([choice(W, 3), choice(G, 3)], 403),
        ([], 403),
    ],
)  # fmt: skip
async def test_what_the_app_tells_counts(own: Shop, told: Any, status: int) -> None:
    tell(ann={"letters": told})
    assert await get(own, "/letters/ann") == status
    if status == 403:
        assert own.reasons() == [("letters", "deny")]
    else:
        assert own.lines() == [], "nothing was seen, edited or denied"
    assert await get(own, "/letters/ben") == 403, "nobody told anything of this one"


@pytest.mark.parametrize(
    ("told", "in_ledger", "status"),
    [
        (choice(G, 3), (ChoiceState.WITHDRAWN, 2), 403), (choice(G, 2), (ChoiceState.WITHDRAWN, 3), 200),
        (choice(W, 2), (ChoiceState.GRANTED, 3), 403), (choice(W, 3), (ChoiceState.GRANTED, 2), 200),
        (choice(G, 2), (ChoiceState.DECLINED, 2), 403), (choice(W, 2), (ChoiceState.GRANTED, 2), 403),
    ],
)  # fmt: skip
async def test_the_latest_choice_counts_wherever_it_was_made(
    own: Shop, told: Any, in_ledger: tuple[ChoiceState, int], status: int
) -> None:
    tell(ann={"letters": told})
    record(own, "letters", *in_ledger)
    assert await get(own, "/letters/ann") == status
    assert (await get(own, "/unasked/ann") == 200) is (status == 200)


async def test_form_and_parameters_are_told_too(own: Shop) -> None:
    tell(ann={"medical": choice(form="guardian")}, ben={"medical": choice(form="click")}, cid={"medical": choice()})
    assert [await get(own, f"/medical/{one}") for one in ("ann", "ben", "cid")] == [200, 403, 403]
    p1, p2 = {"party": "p1"}, {"party": "p2"}
    tell(
        ann={"sharing": choice(params=p1)},
        ben={"sharing": choice(params=p2)},
        cid={"sharing": [choice(G, 3), choice(W, 2, params=p1)]},
        dan={"sharing": [choice(G, 3), choice(W, 2, params=p2)]},
        eve={"sharing": [choice(G, 3, params=p1), choice(W, 2)]},
    )
    found = [await get(own, f"/sharing/{one}") for one in ("ann", "ben", "cid", "dan", "eve")]
    assert found == [200, 403, 403, 200, 403]


@pytest.mark.parametrize(
    "told",
    [
        LookupError("anna@shop.example"), None, [], "granted", {"ann": "letters"}, {"ann": ["letters"]},
        {"ann": {"letters": "granted"}}, {"ann": {"letters": None}}, {"ann": {"letters": {"state": G}}},
        {"ann": {"letters": {"state": G, "at": "2026-05-01"}}}, {"ann": {"letters": choice("refused")}},
        {"ann": {"letters": {"state": G, "at": datetime(2026, 5, 1)}}},  # noqa: DTZ001 - that is what is wrong with it
        {"ann": {"letters": choice(G, wording="x")}}, {"ann": {"letters": choice(G, params={"party": "p1"})}},
        {"ann": {"letters": choice(G, 3)}, "ben": {"letters": 5}, "x": lambda ids: ids},
        {"ann": {"letters": [choice(G, n) for n in range(1, 1002)]}},
    ],
)  # fmt: skip
async def test_what_is_not_understood_is_unreadable_and_rules_that_ask_act(own: Shop, told: Any) -> None:
    TOLD["all"] = told
    if isinstance(told, dict) and "x" in told:  # one of several that are asked for at once
        own.reply = as_json([{"id": "ann", "name": "Ann"}, {"id": "ben", "name": "Ben"}])
        assert json.loads((await own.ask(path="/list")).body) == []
        told.pop("ben")
        assert [one["id"] for one in json.loads((await own.ask(path="/list")).body)] == ["ann"]
        return
    for rule in ("letters", "unasked"):
        answer = await own.ask(path=f"/{rule}/ann")
        assert (answer.status, answer.called) == (403, False)
        assert own.reasons() == [(rule, "deny")]
    assert b"anna@shop.example" not in own.trail()


async def test_a_look_up_that_takes_too_long_has_failed(own: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "SECONDS", 0.05)
    TOLD["all"] = "slow"
    assert await get(own, "/letters/ann") == 403
    assert await get(own, "/unasked/ann") == 403


async def test_consents_of_devices_and_unknown_ones_are_passed_over(own: Shop) -> None:
    tell(ann={"letters": choice(), "ads": "whatever", "of-last-year": 5})
    assert await get(own, "/letters/ann") == 200


async def test_a_list_is_asked_for_at_once_and_each_record_judged_by_its_own_subject(own: Shop) -> None:
    people = [{"id": f"p{number}", "name": "N"} for number in range(2500)]
    tell(**{f"p{number}": {"letters": choice(G if number % 2 else W)} for number in range(2500)})
    own.reply = as_json(people)
    answer = await own.ask(path="/list")
    assert json.loads(answer.body) == people[1::2]
    assert sorted(map(len, ASKED)) == [500, 1000, 1000]
    assert own.lines()[-1]["why"][0]["n"] == 1250


async def test_what_is_chosen_in_an_exchange_counts_in_it_beside_what_the_app_tells(own: Shop) -> None:
    found: list[bool] = []

    async def change(scope: Scope, receive: Receive, send: Send) -> None:
        consent = troth.consent(scope)
        found.append(consent.granted("letters", person="ben"))
        await consent.withdraw("letters", person="ann")
        for message in as_json({}).messages():
            await send(message)

    tell(ann={"letters": choice(G, 3)}, ben={"letters": choice(G, 3)})
    own.inner = change
    assert (await own.ask("POST", "/change/ann")).status == 200
    own.inner = None
    assert await get(own, "/letters/ann") == 403
    assert found == [False], "only the app's own look-up knows, and it was not asked for this one"


CHOICES = st.lists(
    st.builds(
        Choice,
        state=st.sampled_from(ChoiceState),
        at=st.integers(0, 3).map(lambda day: datetime(2026, 1, 1 + day, tzinfo=UTC)),
        version=st.just("1"),
        params=st.sampled_from([(), canonical(party="p1"), canonical(party="p2")]),
    ),
    max_size=6,
)


@given(CHOICES, CHOICES)
def test_where_a_choice_was_made_does_not_matter_and_a_later_refusal_is_never_lost(
    here: list[Choice], there: list[Choice]
) -> None:
    one, other = Choices({"c": tuple(here)} if here else {}), Choices({"c": tuple(there)} if there else {})
    if not (here and there):
        assert together(one, other) == (one or other)
        return
    kept = together(one, other).of("c")
    assert set(kept) == set(together(other, one).of("c"))
    for grant in [c for c in kept if c.state is ChoiceState.GRANTED]:
        refused = [c for c in (*here, *there) if c.state is not ChoiceState.GRANTED and c.params in ((), grant.params)]
        assert all(c.at < grant.at for c in refused)
