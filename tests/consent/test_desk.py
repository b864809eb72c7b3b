"""Choices of a device: what is kept, what is retired, what the cookie says afterwards."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from troth.consent.batch import LedgerEntry
from troth.consent.decoder import Decoder
from troth.consent.desk import ConsentDesk, Outcome
from troth.consent.device import ConsentReading, ConsentTooLarge, CookieOutcome, consent_digest
from troth.consent.ledger import Ledger
from troth.errors import LedgerError
from troth.home import Home
from troth.model.consent import Choice, ChoiceState, params

NOW = datetime(2026, 11, 22, 12, 0, 0, 654321, tzinfo=UTC)
SECOND = NOW.replace(microsecond=0)
G, D, W = ChoiceState.GRANTED, ChoiceState.DECLINED, ChoiceState.WITHDRAWN
NOTHING = ConsentReading(None, CookieOutcome.ABSENT)
Choose = Callable[..., Outcome]


@pytest.fixture
def choose(desk: ConsentDesk) -> Choose:
    def choose(current: ConsentReading, names: list[str], state: ChoiceState, **more: object) -> Outcome:
        return desk.choose(current, names, state, **{"now": NOW, "version": "2", **more})  # type: ignore[arg-type]  # plain defaults

    return choose


def value(outcome: Outcome) -> bytes:
    name, _, rest = outcome.set_cookie.partition(b"=")
    assert name == b"troth_consent"
    return rest.partition(b";")[0]


def states(reading: ConsentReading | Outcome) -> dict[str, list[ChoiceState]]:
    choices = reading.choices if isinstance(reading, ConsentReading) else reading.device.choices
    return {name: [choice.state for choice in choices.of(name)] for name in choices}


def evidence(home: Home) -> list[tuple[str, str, str, str]]:
    connection = sqlite3.connect(home.ledger)
    try:
        return connection.execute(
            "SELECT holder, pii_principal_id, purpose, event_state FROM consent_records ORDER BY seq"
        ).fetchall()
    finally:
        connection.close()


def test_grant_gets_an_id_and_the_cookie_says_what_the_outcome_says(choose: Choose, decoder: Decoder) -> None:
    outcome = choose(NOTHING, ["analytics"], G, form="click")
    reading = decoder.read([value(outcome)])
    assert reading.outcome is CookieOutcome.VALID
    assert reading.device == outcome.device
    assert outcome.device.id is not None
    assert outcome.retired == ()
    assert outcome.recorded == (("analytics", Choice(state=G, at=SECOND, version="2", form="click")),)


def test_choice_changes_only_what_it_names(choose: Choose, decoder: Decoder) -> None:
    first = choose(NOTHING, ["analytics", "advertising"], G)
    second = choose(decoder.read([value(first)]), ["advertising"], D, now=NOW + timedelta(days=1))
    assert states(second) == {"analytics": [G], "advertising": [D]}
    assert second.device.choices.of("analytics")[0].at == SECOND


def test_every_choice_retires_the_old_id_and_one_that_grants_gets_a_new_one(choose: Choose, decoder: Decoder) -> None:
    first = choose(NOTHING, ["analytics"], G)
    second = choose(decoder.read([value(first)]), ["advertising"], G)
    assert first.device.id
    assert second.device.id not in (None, first.device.id)
    assert second.retired == (consent_digest(first.device.id).hex(),)
    assert decoder.read([value(first)]).outcome is CookieOutcome.RETIRED
    assert states(decoder.read([value(second)])) == {"analytics": [G], "advertising": [G]}


@pytest.mark.parametrize("state", [D, W])
def test_old_cookie_revives_nothing_after_a_refusal(choose: Choose, decoder: Decoder, state: ChoiceState) -> None:
    first = choose(NOTHING, ["analytics"], G)
    second = choose(decoder.read([value(first)]), ["analytics"], state)
    assert second.device.id is None
    assert states(decoder.read([value(second)])) == {"analytics": [state]}
    old = decoder.read([value(first)])
    assert states(old) == {}
    third = choose(old, ["advertising"], G)
    assert states(third) == {"advertising": [G]}


def test_refusing_everything_writes_nothing_and_needs_no_ledger(home: Home, choose: Choose) -> None:
    before = home.generation.read_bytes()
    outcome = choose(NOTHING, ["analytics", "advertising", "embeds"], D)
    assert outcome.device.id is None
    assert home.generation.read_bytes() == before
    assert evidence(home) == []


def test_evidence_stands_under_digests_and_says_nothing_of_refusals(
    home: Home, choose: Choose, decoder: Decoder
) -> None:
    first = choose(NOTHING, ["analytics", "embeds"], G)
    second = choose(decoder.read([value(first)]), ["advertising"], D)
    choose(decoder.read([value(second)]), ["analytics"], W)
    assert first.device.id
    assert second.device.id
    one, two = (consent_digest(given).hex() for given in (first.device.id, second.device.id))
    rows = evidence(home)
    assert rows[:4] == [
        ("device", one, "analytics", "ConsentGiven"),
        ("device", one, "embeds", "ConsentGiven"),
        ("device", two, "analytics", "ConsentGiven"),
        ("device", two, "embeds", "ConsentGiven"),
    ]
    assert rows[4] == ("device", two, "analytics", "ConsentWithdrawn")
    assert [row[2:] for row in rows[5:]] == [("embeds", "ConsentGiven")]


def test_retired_id_is_kept_until_its_last_grant_ends(home: Home, choose: Choose, decoder: Decoder) -> None:
    for names, expected in (
        (["analytics", "advertising"], datetime(2027, 5, 22, 12, tzinfo=UTC)),
        (["advertising"], datetime(2026, 12, 22, 12, tzinfo=UTC)),
        (["advertising", "embeds"], None),
    ):
        first = choose(NOTHING, names, G)
        choose(decoder.read([value(first)]), names, W)
        connection = sqlite3.connect(home.ledger)
        kept = connection.execute("SELECT keep_until FROM device_retired ORDER BY seq DESC LIMIT 1").fetchone()[0]
        connection.close()
        assert kept == (expected and expected.timestamp() * 1_000_000)


def test_grant_whose_time_has_passed_leaves_no_id_behind(choose: Choose, decoder: Decoder) -> None:
    first = choose(NOTHING, ["advertising"], G)
    later = choose(decoder.read([value(first)]), ["analytics"], D, now=NOW + timedelta(days=40))
    assert later.device.id is None
    assert states(later) == {"analytics": [D]}


@pytest.mark.parametrize(
    ("names", "days"), [(["advertising"], 30), (["advertising", "analytics"], 181), (["advertising", "embeds"], 400)]
)
def test_cookie_lives_as_long_as_its_longest_choice_but_never_over_400_days(
    choose: Choose, names: list[str], days: int
) -> None:
    outcome = choose(NOTHING, names, D)
    assert f"; Max-Age={days * 86400};".encode() in outcome.set_cookie


def test_plain_http_on_loopback_gets_no_secure(choose: Choose) -> None:
    assert b"Secure" in choose(NOTHING, ["analytics"], D).set_cookie
    assert b"Secure" not in choose(NOTHING, ["analytics"], D, secure=False).set_cookie


def test_choice_with_parameters_leaves_those_with_others(choose: Choose, decoder: Decoder) -> None:
    first = choose(NOTHING, ["embeds"], G, params=params(party="a"))
    second = choose(decoder.read([value(first)]), ["embeds"], G, params=params(party="b"))
    third = choose(decoder.read([value(second)]), ["embeds"], W, params=params(party="a"))
    found = {choice.params: choice.state for choice in third.device.choices.of("embeds")}
    assert found == {params(party="a"): W, params(party="b"): G}
    everything = choose(decoder.read([value(third)]), ["embeds"], D)
    assert [(choice.params, choice.state) for choice in everything.device.choices.of("embeds")] == [((), D)]


def test_choice_over_two_cookies_retires_both_ids(choose: Choose, decoder: Decoder) -> None:
    first, second = (choose(NOTHING, ["analytics"], G) for _ in range(2))
    both = decoder.read([value(first), value(second)])
    outcome = choose(both, ["analytics"], W)
    assert len(outcome.retired) == 2
    for old in (first, second):
        assert decoder.read([value(old)]).outcome is CookieOutcome.RETIRED


def test_ledger_that_cannot_be_written_leaves_the_old_choice(
    choose: Choose, decoder: Decoder, ledger: Ledger, home: Home
) -> None:
    first = choose(NOTHING, ["analytics"], G)
    current = decoder.read([value(first)])
    ledger.close()
    aside = home.ledger.rename(home.ledger.with_name("aside"))
    with pytest.raises(LedgerError):
        choose(current, ["analytics"], W)
    aside.rename(home.ledger)
    assert decoder.read([value(first)]).outcome is CookieOutcome.VALID


def test_choices_that_do_not_fit_change_nothing(choose: Choose, decoder: Decoder) -> None:
    first = choose(NOTHING, ["analytics"], G)
    with pytest.raises(ConsentTooLarge):
        choose(decoder.read([value(first)]), [f"{number:040}" for number in range(60)], G)
    assert decoder.read([value(first)]).outcome is CookieOutcome.VALID


def test_choice_moves_to_the_person_as_it_was_made(
    desk: ConsentDesk, choose: Choose, decoder: Decoder, ledger: Ledger
) -> None:
    first = choose(NOTHING, ["analytics", "transfer"], G, form="click")
    outcome = desk.move_to_person(
        decoder.read([value(first)]), "anna", ["transfer", "never-asked"], now=NOW + timedelta(hours=1)
    )
    assert states(outcome) == {"analytics": [G]}
    assert outcome.recorded == (("transfer", first.device.choices.of("transfer")[0]),)
    assert ledger.choices_of(["anna"])["anna"].of("transfer") == first.device.choices.of("transfer")
    assert decoder.read([value(first)]).outcome is CookieOutcome.RETIRED


def test_older_choice_of_a_device_does_not_undo_a_later_one_of_the_person(
    desk: ConsentDesk, choose: Choose, decoder: Decoder, ledger: Ledger
) -> None:
    first = choose(NOTHING, ["transfer"], G)
    withdrawn = Choice(state=W, at=NOW + timedelta(days=1), version="2")
    ledger.record_person("anna", [LedgerEntry(name="transfer", choice=withdrawn)])
    outcome = desk.move_to_person(decoder.read([value(first)]), "anna", ["transfer"], now=NOW + timedelta(days=2))
    assert outcome.recorded == ()
    assert states(outcome) == {}
    assert ledger.choices_of(["anna"])["anna"].of("transfer") == (withdrawn,)


def test_refusal_of_a_device_moves_too(desk: ConsentDesk, choose: Choose, decoder: Decoder, ledger: Ledger) -> None:
    first = choose(NOTHING, ["transfer"], D)
    desk.move_to_person(decoder.read([value(first)]), "anna", ["transfer"], now=NOW)
    assert [choice.state for choice in ledger.choices_of(["anna"])["anna"].of("transfer")] == [D]
