"""Forms that record a consent or a state by being accepted: what counts, what is stored, and when nothing is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.asgi.wire import Answer, Reply, Shop, as_json
from troth.cases.compare import compare
from troth.cases.stage import Judged
from troth.consent.batch import Batch
from troth.consent.ledger import Ledger
from troth.errors import LedgerError, TrailError
from troth.model.consent import ChoiceState
from troth.model.facts import Exchange

POLICY = """
policy:
  identity: {id: shop, hosts: [shop.example]}
  versions: [{id: '1'}]
  data:
    email: {fields: [email], probe: email, strong: true}
    birth: {fields: [birth], probe: age}
    note: {fields: [note]}
  purposes:
    sale: {basis: contract, data: [email, birth, note]}
    letters: {basis: consent, data: [email, birth]}
    analytics: {basis: consent}
    news: {basis: consent, data: [email]}
  consents:
    letters: {holder: person}
    topics: {holder: person, per: topic}
    analytics: {holder: device}
    news: {holder: [device, person]}
  states:
    restricted: {of: person}
    objected: {of: person, per: purpose}
  parties: {stats: {role: processor, country: SE, hosts: [stats.example], purpose: analytics}}
  cookies:
    troth_consent: {purpose: sale}
    _ga*: {purpose: analytics}
rules:
- id: mail
  clause: C-1
  for: field
  match: {purpose: [letters, news], data: email}
  only-if: {consent: of-purpose}
- id: wait
  clause: C-2
  for: [cookie, element]
  match: {basis: consent}
  only-if: {consent: of-purpose}
- id: act
  clause: C-3
  for: event
  match: {event: consent-recorded}
  only-if: {asked: consent}
- id: young
  clause: C-4
  for: event
  match: {event: consent-recorded, under: 16}
- id: members-own
  clause: C-5
  for: event
  match: {event: consent-recorded, consent: topics}
  only-if: {actor: subject}
- id: never-again
  clause: C-6
  for: event
  match: {event: consent-recorded, consent: news, refused: news}
  otherwise: alert
- id: frozen
  clause: C-7
  for: exchange
  match: {any: [{state: restricted}, {state: {objected: of-purpose}}]}
  otherwise: deny
binding:
  actor: {before: 'tests.asgi.test_writes:before', after: 'tests.asgi.test_writes:after'}
  routes:
    'POST /letters': {purpose: letters, act: consent, subject: body.email, writes: {consent: letters, form: click}}
    'POST /seen': {purpose: letters, subject: body.email, writes: {consent: letters}}
    'POST /boxes':
      purpose: letters
      act: consent
      subject: body.email
      writes: {consent: letters, when: {body.letters: 'true', query.step: last}}
    'POST /leave': {tag: unsubscribe, subject: body.email, writes: {consent: letters, to: withdrawn}}
    'POST /mine': {act: consent, writes: {consent: letters}}
    'POST /topics/{id}':
      {act: consent, subject: path.id, writes: {consent: topics, from: body.topic}}
    'POST /accept': {act: consent, writes: {consent: analytics, when: {body.ok: 'yes'}}}
    'POST /refuse': {writes: {consent: analytics, to: declined}}
    'POST /withdraw': {writes: {consent: analytics, to: withdrawn}}
    'POST /choose':
      act: consent
      writes: [{consent: analytics, when: {body.ok: 'yes'}}, {consent: analytics, to: declined, when: {body.ok: 'no'}}]
    'POST /news': {purpose: news, act: consent, writes: {consent: news}}
    'POST /plain': {act: consent, writes: {consent: analytics}}
    'POST /restrict': {subject: body.id, writes: {state: restricted}}
    'POST /lift': {tag: contact, subject: body.id, writes: {state: restricted, to: clear}}
    'POST /object': {subject: body.id, writes: {state: objected, purpose: body.purpose}}
    'POST /both/{id}':
      act: consent
      subject: path.id
      writes: [{consent: letters}, {state: restricted}, {consent: topics, topic: drums}]
    'GET /mail/{id}': {purpose: letters, subject: path.id}
    'GET /stats': {audience: public}
"""
ANN = "ann@shop.example"
FORM = b"application/x-www-form-urlencoded"
WHO: dict[str, str | None] = {"before": None, "after": None}
Make = Callable[..., Shop]


def before(_scope: Any) -> str | None:
    return WHO["before"]


def after(_scope: Any) -> str | None:
    return WHO["after"] or WHO["before"]


@pytest.fixture(autouse=True)
def nobody() -> None:
    WHO.update(before=None, after=None)


@pytest.fixture(params=["watched", "unwatched"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    """A shop under the policy above. Where it is watched, the reference judges every exchange as well."""
    differences: list[str] = []

    def observe(x: Exchange, findings: Any, denial: Any) -> None:
        judged = Judged(exchange=replace(x), findings=findings, denial=denial)
        if denial is None:
            site = one.middleware.runtime.first
            differences.extend(compare(judged, site.policy, site.binding).differences)

    one = Shop(tmp_path / "home", POLICY, observer=observe if request.param == "watched" else None)
    yield one
    one.close()
    assert differences == []


async def send(shop: Shop, path: str, /, *, device: bytes = b"", **values: str) -> Answer:
    headers = [(b"cookie", device)] if device else []
    return await shop.ask("POST", path, body=urlencode(values).encode(), kind=FORM, headers=headers)


def choice(shop: Shop, name: str, person: str = ANN) -> list[tuple[ChoiceState, tuple[tuple[str, str], ...]]]:
    held = shop.middleware.runtime.ledger.choices_of([person])[person]
    return [(one.state, one.params) for one in held.of(name)]


def states(shop: Shop, person: str = ANN) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    return set(shop.middleware.runtime.ledger.states_of([person])[person])


def of_kind(shop: Shop, kind: str) -> list[dict[str, Any]]:
    return [line for line in shop.lines() if line["kind"] == kind]


def without_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every further write of the ledger fail."""

    def refuse(_ledger: Ledger) -> AbstractContextManager[Batch]:
        raise LedgerError("the consent ledger could not be written (OperationalError)")

    monkeypatch.setattr(Ledger, "writing", refuse)


def without_trail(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every further line fail."""

    def refuse(_members: bytes) -> int:
        raise TrailError("the line cannot be written: ENOSPC")

    monkeypatch.setattr(shop.middleware.runtime, "write_encoded", refuse)


# what a form records counts in it, and is kept once the app accepts ------------------------------------------------


@pytest.mark.parametrize("status", [200, 303])
async def test_address_that_subscribes_reaches_the_app_and_the_consent_is_kept(shop: Shop, status: int) -> None:
    shop.reply = Reply(status=status)
    answer = await send(shop, "/letters", email=ANN)
    assert answer.status == status
    assert answer.body_seen == urlencode({"email": ANN}).encode()
    assert choice(shop, "letters") == [(ChoiceState.GRANTED, ())]
    [told], [exchange] = of_kind(shop, "consent"), of_kind(shop, "exchange")
    assert (told["act"], told["consents"], told["holder"], told["form"]) == ("accept", ["letters"], "person", "click")
    assert told["subj"] == exchange["subj"]
    assert exchange["why"] == []
    assert "writes" not in exchange
    assert ANN.encode() not in shop.trail()


async def test_next_request_sees_the_consent(shop: Shop) -> None:
    shop.reply = as_json({"email": ANN})
    assert b"email" not in (await shop.ask("GET", f"/mail/{ANN}")).body
    await send(shop, "/letters", email=ANN)
    assert b"email" in (await shop.ask("GET", f"/mail/{ANN}")).body
    assert b"email" not in (await shop.ask("GET", "/mail/bob@shop.example")).body


async def test_json_records_as_a_form_does(shop: Shop) -> None:
    answer = await shop.ask("POST", "/letters", json_body={"email": ANN})
    assert json.loads(answer.body_seen) == {"email": ANN}
    assert choice(shop, "letters") == [(ChoiceState.GRANTED, ())]


async def test_body_in_pieces_is_read_whole(shop: Shop) -> None:
    answer = await shop.ask("POST", "/letters", body=[b"ema", b"il=", urlencode({"": ANN}).encode()[1:]], kind=FORM)
    assert answer.body_seen == urlencode({"email": ANN}).encode()
    assert choice(shop, "letters") == [(ChoiceState.GRANTED, ())]


@pytest.mark.parametrize("status", [400, 403, 422, 500])
async def test_what_the_app_does_not_accept_is_not_kept(shop: Shop, status: int) -> None:
    shop.reply = Reply(status=status)
    answer = await send(shop, "/letters", email=ANN)
    assert answer.status == status
    assert choice(shop, "letters") == []
    assert of_kind(shop, "consent") == []


async def test_app_that_fails_records_nothing(shop: Shop) -> None:
    async def failing(_scope: Any, _receive: Any, _send: Any) -> None:
        raise LookupError

    shop.inner = failing
    with pytest.raises(LookupError):
        await send(shop, "/letters", email=ANN)
    assert choice(shop, "letters") == []


async def test_nothing_is_written_before_the_app_accepts(shop: Shop) -> None:
    seen: list[Any] = []

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        seen.append(choice(shop, "letters"))
        for message in Reply().messages():
            await send(message)

    shop.inner = app
    seen_at_send: list[Any] = []
    await shop.ask(
        "POST", "/letters", body=urlencode({"email": ANN}).encode(), kind=FORM,
        on_send=lambda message: seen_at_send.append((message["type"], choice(shop, "letters"))),
    )  # fmt: skip
    assert seen == [[]]
    assert seen_at_send[0] == ("http.response.start", [(ChoiceState.GRANTED, ())])


# rules on the recording ------------------------------------------------------------------------------------------


async def test_refused_recording_neither_counts_nor_stays(shop: Shop) -> None:
    answer = await send(shop, "/seen", email=ANN)
    assert answer.status == 200
    assert answer.body_seen == b""
    assert choice(shop, "letters") == []
    assert sorted(shop.reasons()) == [("act", "withhold"), ("mail", "withhold")]
    assert of_kind(shop, "consent") == []


async def test_child_cannot_subscribe(shop: Shop) -> None:
    answer = await send(shop, "/letters", email=ANN, birth="2015-01-01")
    assert b"email" not in answer.body_seen
    assert choice(shop, "letters") == []
    assert ("young", "withhold") in shop.reasons()


async def test_only_the_member_publishes(shop: Shop) -> None:
    WHO["before"] = "bob"
    await send(shop, f"/topics/{ANN}", topic="drums")
    assert choice(shop, "topics") == []
    assert shop.reasons() == [("members-own", "withhold")]
    WHO["before"] = ANN
    await send(shop, f"/topics/{ANN}", topic="drums")
    assert choice(shop, "topics") == [(ChoiceState.GRANTED, (("topic", "drums"),))]
    assert b"drums" not in shop.trail()


async def test_what_rules_leave_open_is_judged_with_the_answer(shop: Shop) -> None:
    WHO["after"] = "bob"
    await send(shop, f"/topics/{ANN}", topic="drums")
    assert choice(shop, "topics") == []
    assert shop.reasons() == [("members-own", "withhold")]
    WHO["after"] = ANN
    await send(shop, f"/topics/{ANN}", topic="drums")
    assert choice(shop, "topics") == [(ChoiceState.GRANTED, (("topic", "drums"),))]


async def test_recording_is_judged_by_what_stood_before(shop: Shop) -> None:
    await send(shop, "/news", email="x@y.example")
    assert shop.reasons() == []
    declined = await shop.choose("refuse", "news")
    await send(shop, "/news", device=declined, email="x@y.example")
    assert shop.reasons() == [("never-again", "alert")]


# what is due -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "body", "due"),
    [
        ("step=last", {"letters": True}, True), ("step=last", {"letters": "true"}, True),
        ("step=last", {"letters": False}, False), ("step=last", {}, False), ("step=last", {"letters": [True]}, False),
        ("step=first", {"letters": True}, False), ("", {"letters": True}, False),
    ],
)  # fmt: skip
async def test_all_of_when_must_hold(shop: Shop, query: str, body: dict[str, Any], due: bool) -> None:
    answer = await shop.ask("POST", f"/boxes?{query}", json_body={"email": ANN, **body})
    assert (b"email" in answer.body_seen) == due
    assert bool(choice(shop, "letters")) == due


@pytest.mark.parametrize("given", [{}, {"topic": ""}, {"other": "drums"}])
async def test_write_without_its_parameter_is_not_due(shop: Shop, given: dict[str, str]) -> None:
    WHO["before"] = ANN
    await shop.ask("POST", f"/topics/{ANN}", body=urlencode(given or {"x": "y"}).encode(), kind=FORM)
    assert choice(shop, "topics") == []


async def test_address_in_the_query_waits_for_the_body_that_decides(shop: Shop) -> None:
    body = {"email": ANN, "letters": True}
    answer = await shop.ask("POST", f"/boxes?step=last&email={ANN}", json_body=body)
    assert answer.scope is not None
    assert answer.scope["query_string"] == f"step=last&email={ANN}".encode()
    answer = await shop.ask("POST", f"/boxes?step=last&email={ANN}", json_body=body | {"letters": False})
    assert answer.scope is not None
    assert answer.scope["query_string"] == f"step=last&email={ANN}".encode()  # granted by now
    answer = await shop.ask("POST", "/boxes?step=last&email=bob@y.example", json_body={"email": "bob@y.example"})
    assert answer.scope is not None
    assert answer.scope["query_string"] == b"step=last"


async def test_body_that_cannot_be_read_records_nothing(shop: Shop) -> None:
    answer = await shop.ask("POST", "/letters", body=b"{", kind=b"application/json")
    assert (answer.status, answer.called) == (400, False)
    answer = await shop.ask("POST", "/leave", body=b"{", kind=b"application/json")
    assert (answer.status, answer.called, answer.body_seen) == (200, True, b"")
    assert of_kind(shop, "consent") == []
    assert of_kind(shop, "exchange")[-1]["writes"] == "nobody"


# whose it is -----------------------------------------------------------------------------------------------------


async def test_leaving_by_form_holds_at_once(shop: Shop) -> None:
    await send(shop, "/letters", email=ANN)
    await send(shop, "/leave", email=ANN)
    assert choice(shop, "letters") == [(ChoiceState.WITHDRAWN, ())]
    assert [line["act"] for line in of_kind(shop, "consent")] == ["accept", "withdraw"]
    shop.reply = as_json({"email": ANN})
    assert b"email" not in (await shop.ask("GET", f"/mail/{ANN}")).body


async def test_who_asks_records_where_nobody_is_addressed(shop: Shop) -> None:
    WHO["before"] = ANN
    await send(shop, "/mine", x="y")
    assert choice(shop, "letters") == [(ChoiceState.GRANTED, ())]


async def test_who_signs_in_by_it_records_too(shop: Shop) -> None:
    WHO["after"] = ANN
    await send(shop, "/mine", x="y")
    assert choice(shop, "letters") == [(ChoiceState.GRANTED, ())]


async def test_nobody_known_records_nothing_and_the_line_says_so(shop: Shop) -> None:
    answer = await send(shop, "/mine", x="y")
    assert answer.status == 200
    assert of_kind(shop, "consent") == []
    assert shop.lines()[-1]["writes"] == "nobody"


async def test_missing_subject_is_not_whoever_asks(shop: Shop) -> None:
    WHO["before"] = ANN
    await send(shop, "/leave", other="x")
    assert choice(shop, "letters") == []
    assert shop.lines()[-1]["writes"] == "nobody"


async def test_device_gets_its_cookie_and_what_was_agreed_to_goes_out(shop: Shop) -> None:
    shop.reply = Reply(headers=[(b"set-cookie", b"_ga=1; Path=/")])
    answer = await send(shop, "/accept", ok="no")
    assert answer.values(b"set-cookie") == []
    answer = await send(shop, "/accept", ok="yes")
    ga, consent = answer.values(b"set-cookie")
    assert ga.startswith(b"_ga=1")
    cookie = consent.partition(b";")[0]
    assert (await shop.ask("GET", "/stats", headers=[(b"cookie", cookie)])).values(b"set-cookie") == [ga]
    [told] = of_kind(shop, "consent")
    assert (told["act"], told["holder"]) == ("accept", "device")


@pytest.mark.parametrize("way", ["refuse", "withdraw"])
async def test_device_that_takes_it_back_gets_no_cookie_any_more(shop: Shop, way: str) -> None:
    cookie = await shop.choose("accept", "analytics")
    shop.reply = Reply(headers=[(b"set-cookie", b"_ga=1; Path=/")])
    answer = await send(shop, f"/{way}", device=cookie + b"; _ga=0", x="y")
    assert not any(value.startswith(b"_ga=1") for value in answer.values(b"set-cookie"))
    assert answer.app_values(b"cookie") == [cookie]
    assert answer.values(b"clear-site-data") == [b'"cache"']
    answer = await shop.ask("GET", "/stats", headers=[(b"cookie", cookie + b"; _ga=0")])
    assert answer.app_values(b"cookie") == [cookie]  # the old cookie is retired


async def test_choice_of_either_goes_to_the_person_if_one_is_known(shop: Shop) -> None:
    answer = await send(shop, "/news", email=ANN)
    assert b"email" in answer.body_seen
    assert len(answer.values(b"set-cookie")) == 1
    WHO["before"] = ANN
    answer = await send(shop, "/news", email=ANN)
    assert b"email" in answer.body_seen
    assert answer.values(b"set-cookie") == []
    assert choice(shop, "news") == [(ChoiceState.GRANTED, ())]


@pytest.mark.parametrize("reply", [Reply(), as_json({"done": True}), Reply(length=False, cuts=(2,))])
async def test_cookie_goes_with_whatever_answer(shop: Shop, reply: Reply) -> None:
    shop.reply = reply
    answer = await send(shop, "/accept", ok="yes")
    assert [value[:14] for value in answer.values(b"set-cookie")] == [b"troth_consent="]
    assert answer.body == reply.body


async def test_page_may_load_what_its_own_form_agreed_to_and_the_next_one_only_that(shop: Shop) -> None:
    shop.reply = Reply(body=b"<p>", kind=b"text/html")
    seen = [(await send(shop, "/choose", ok=ok)).values(b"content-security-policy") for ok in ("yes", "no", "yes")]
    assert [b"stats.example" in b"".join(policies) for policies in seen] == [True, False, True]


async def test_express_lane_is_not_taken(tmp_path: Path) -> None:
    text = "\n".join(line for line in POLICY.splitlines() if "actor: {before" not in line)
    with Shop(tmp_path / "home", text).closing() as one:
        for _ in range(3):
            answer = await one.ask("POST", "/plain")
            assert len(answer.values(b"set-cookie")) == 1
        assert len(of_kind(one, "consent")) == 3


# states ----------------------------------------------------------------------------------------------------------


async def test_state_is_set_and_cleared_and_the_next_request_sees_it(shop: Shop) -> None:
    assert (await send(shop, "/restrict", id=ANN)).status == 200
    assert states(shop) == {("restricted", ())}
    [told] = of_kind(shop, "event")
    assert (told["event"], told["state"], told["subj_n"]) == ("state-set", "restricted", 1)
    assert (await shop.ask("GET", f"/mail/{ANN}")).status == 403
    assert (await send(shop, "/lift", id=ANN)).status == 200
    assert states(shop) == set()
    assert of_kind(shop, "event")[-1]["event"] == "state-cleared"
    assert (await shop.ask("GET", f"/mail/{ANN}")).status == 200
    assert ANN.encode() not in shop.trail()


async def test_state_has_its_parameters(shop: Shop) -> None:
    await send(shop, "/object", id=ANN, purpose="letters")
    await send(shop, "/object", id=ANN, purpose="whatever she wrote")
    assert ("objected", (("purpose", "letters"),)) in states(shop)
    first, second = of_kind(shop, "event")
    assert first["params"] == {"purpose": "letters"}
    assert b"whatever" not in shop.trail()
    assert second["params"] != {"purpose": "letters"}
    assert (await shop.ask("GET", f"/mail/{ANN}")).status == 403


async def test_state_of_nobody_is_told(shop: Shop) -> None:
    assert (await send(shop, "/lift", other="x")).status == 200
    assert of_kind(shop, "event") == []
    assert shop.lines()[-1]["writes"] == "nobody"


async def test_several_writes_of_one_form(shop: Shop) -> None:
    WHO["before"] = ANN
    assert (await send(shop, f"/both/{ANN}", x="y")).status == 200
    assert choice(shop, "letters") == [(ChoiceState.GRANTED, ())]
    assert choice(shop, "topics") == [(ChoiceState.GRANTED, (("topic", "drums"),))]
    assert states(shop) == {("restricted", ())}


async def test_each_value_of_a_field_that_comes_several_times_is_written(shop: Shop) -> None:
    WHO["before"] = ANN
    body = urlencode([("id", ANN), ("purpose", "news"), ("purpose", ""), ("purpose", "letters"), ("purpose", "news")])
    assert (await shop.ask("POST", "/object", body=body.encode(), kind=FORM)).status == 200
    assert states(shop) == {("objected", (("purpose", "letters"),)), ("objected", (("purpose", "news"),))}


async def test_more_values_than_anybody_ticks_are_not_written(shop: Shop) -> None:
    body = urlencode([("id", ANN), *(("purpose", f"p{n}") for n in range(101))])
    assert (await shop.ask("POST", "/object", body=body.encode(), kind=FORM)).status == 200
    assert states(shop) == set()


@pytest.mark.parametrize("values", [["yes", "no"], ["no", "yes"]])
async def test_a_yes_that_came_with_a_no_grants_nothing_and_the_no_holds(shop: Shop, values: list[str]) -> None:
    body = urlencode([("ok", value) for value in values])
    answer = await shop.ask("POST", "/choose", body=body.encode(), kind=FORM)
    cookie = answer.values(b"set-cookie")[0].partition(b";")[0]
    state = json.loads((await shop.ask("GET", "/.privacy/state", headers=[(b"cookie", cookie)])).body)
    assert state["choices"]["analytics"] == "declined"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (FORM, b"id=ann%40shop.example&id=bob"),
        (b"application/json", b'{"id":"ann@shop.example","id":"bob"}'),
        (
            b"multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="id"\r\n\r\nann@shop.example\r\n'
            b'--b\r\nContent-Disposition: form-data; name="id"\r\n\r\nbob\r\n--b--\r\n',
        ),
    ],
)
async def test_two_subjects_in_one_body_are_nobody(shop: Shop, kind: bytes, body: bytes) -> None:
    WHO["before"] = ANN
    refused = await shop.ask("POST", "/restrict", body=body, kind=kind)
    assert (refused.status, refused.called) == (403, False)  # whether one of them is frozen cannot be told
    assert states(shop) == states(shop, "bob") == set()
    await send(shop, "/restrict", id=ANN)
    assert (await shop.ask("POST", "/lift", body=body, kind=kind)).status == 200
    assert shop.lines()[-1]["writes"] == "nobody"
    assert states(shop) == {("restricted", ())}


# what cannot be written ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "values"),
    [("/letters", {"email": ANN}), ("/leave", {"email": ANN}), ("/restrict", {"id": ANN}), ("/refuse", {"x": "y"})],
)
async def test_ledger_that_cannot_be_written_answers_503(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, path: str, values: dict[str, str]
) -> None:
    cookie = await shop.choose("accept", "analytics")
    without_ledger(monkeypatch)
    shop.reply = Reply(body=b"done")
    answer = await send(shop, path, device=cookie, **values)
    assert answer.status == 503
    assert b"done" not in answer.body
    assert answer.values(b"set-cookie") == []
    line = of_kind(shop, "exchange")[-1]
    assert (line["status"], line["app_status"], line["writes"]) == (503, 200, "failed")
    monkeypatch.undo()
    assert choice(shop, "letters") == []
    assert states(shop) == set()


async def test_grant_that_cannot_be_told_is_not_kept(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    without_trail(shop, monkeypatch)
    assert (await send(shop, "/letters", email=ANN)).status == 503
    assert (await send(shop, "/restrict", id=ANN)).status == 503
    monkeypatch.undo()
    assert choice(shop, "letters") == []
    assert states(shop) == set()


async def test_leaving_holds_even_where_it_cannot_be_told(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    await send(shop, "/letters", email=ANN)
    await send(shop, "/restrict", id=ANN)
    without_trail(shop, monkeypatch)
    assert (await send(shop, "/leave", email=ANN)).status == 200
    assert (await send(shop, "/lift", id=ANN)).status == 200
    monkeypatch.undo()
    assert choice(shop, "letters") == [(ChoiceState.WITHDRAWN, ())]
    assert states(shop) == set()


async def test_write_that_fails_after_its_line_is_told_as_failed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    writing = Ledger.writing

    @contextmanager
    def failing(ledger: Ledger) -> Iterator[Batch]:
        with writing(ledger) as batch:
            yield batch
            raise LedgerError("the consent ledger could not be written (OperationalError)")

    monkeypatch.setattr(Ledger, "writing", failing)
    assert (await send(shop, "/restrict", id=ANN)).status == 503
    assert [line.get("outcome") for line in of_kind(shop, "event")] == [None, "failed"]
    assert states(shop) == set()
