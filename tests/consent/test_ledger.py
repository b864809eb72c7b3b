"""The ledger: what counts of what was recorded, what it remembers, and what it never holds."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from troth.consent.batch import LedgerEntry
from troth.consent.device import consent_digest
from troth.consent.generation import Generation
from troth.consent.ledger import Ledger
from troth.errors import HomeError, LedgerError
from troth.home import Home
from troth.model.consent import Choice, ChoiceState, params

NOW = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
G, D, W = ChoiceState.GRANTED, ChoiceState.DECLINED, ChoiceState.WITHDRAWN
OpenLedger = Callable[[], Ledger]


def entry(name: str, state: ChoiceState, **given: str) -> LedgerEntry:
    choice = Choice(state=state, at=NOW, version="2", params=params(**given), form="click")
    return LedgerEntry(name=name, choice=choice, validity="P6M", language="en", jurisdiction="SE")


def states(ledger: Ledger, person: str, name: str) -> list[tuple[ChoiceState, tuple[tuple[str, str], ...]]]:
    return [(choice.state, choice.params) for choice in ledger.choices_of([person])[person].of(name)]


def raw(home: Home, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(home.ledger)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_choice_comes_back_as_it_was_recorded(ledger: Ledger) -> None:
    given = entry("program", G, party="p1")
    ledger.record_person("anna", [given])
    found = ledger.choices_of(["anna", "ben"])
    assert found["anna"].of("program") == (given.choice,)
    assert not found["ben"]


def test_latest_record_counts_per_parameters(ledger: Ledger) -> None:
    ledger.record_person("anna", [entry("list", G, list="news"), entry("list", G, list="offers")])
    ledger.record_person("anna", [entry("list", W, list="news")])
    assert states(ledger, "anna", "list") == [(G, params(list="offers")), (W, params(list="news"))]


def test_choice_for_all_replaces_those_before_it_only(ledger: Ledger) -> None:
    ledger.record_person("anna", [entry("list", G, list="news"), entry("list", W)])
    assert states(ledger, "anna", "list") == [(W, ())]
    ledger.record_person("anna", [entry("list", G, list="news")])
    assert states(ledger, "anna", "list") == [(W, ()), (G, params(list="news"))]


def test_record_stands_under_the_standard_names_and_nothing_is_overwritten(home: Home, ledger: Ledger) -> None:
    ledger.record_person("anna", [entry("analytics", G)])
    ledger.record_person("anna", [entry("analytics", W)])
    rows = raw(
        home,
        "SELECT holder, purpose, params, event_state, event_time, validity_duration, privacy_notice, collection_method,"
        " language, jurisdiction FROM consent_records ORDER BY seq",
    )
    time = (NOW - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    rest = (time, "P6M", "2", "click", "en", "SE")
    assert rows == [
        ("person", "analytics", "[]", "ConsentGiven", *rest),
        ("person", "analytics", "[]", "ConsentWithdrawn", *rest),
    ]
    assert len(set(raw(home, "SELECT record_id FROM consent_records"))) == 2


def test_file_holds_no_id_of_a_person_or_a_device(home: Home, ledger: Ledger) -> None:
    with ledger.writing() as batch:
        batch.record_person("anna@shop.example", [entry("analytics", D)])
        batch.set_state("anna@shop.example", "objected", at=NOW)
        batch.record_device(b"sixteen-byte-id!", [entry("analytics", G)])
        batch.retire(b"sixteen-byte-id!", at=NOW, keep_until=None)
    for path in home.path.iterdir():
        if path.is_file():
            held = path.read_bytes()
            assert b"anna" not in held
            assert b"sixteen-byte-id!" not in held
            assert b"sixteen-byte-id!".hex().encode() not in held


def test_many_persons_come_in_one_call(ledger: Ledger) -> None:
    people = [f"person {number}" for number in range(3000)]
    with ledger.writing() as batch:
        for person in people[::2]:
            batch.record_person(person, [entry("analytics", G)])
            batch.set_state(person, "customer", at=NOW)
    choices = ledger.choices_of(people)
    found = ledger.states_of(people)
    assert [bool(choices[person]) for person in people] == [True, False] * 1500
    assert [bool(found[person]) for person in people] == [True, False] * 1500


def test_states_come_and_go_with_their_parameters(ledger: Ledger) -> None:
    ledger.set_state("anna", "objected", params(purpose="improvement"), at=NOW)
    ledger.set_state("anna", "restricted", at=NOW)
    ledger.set_state("anna", "restricted", at=NOW)
    assert ledger.states_of(["anna"])["anna"] == {("objected", params(purpose="improvement")), ("restricted", ())}
    ledger.clear_state("anna", "objected")
    ledger.clear_state("anna", "restricted")
    assert ledger.states_of(["anna"])["anna"] == {("objected", params(purpose="improvement"))}


def test_erasing_a_person_leaves_nothing_of_that_one_and_all_of_others(home: Home, ledger: Ledger) -> None:
    for person in ("anna", "ben"):
        ledger.record_person(person, [entry("analytics", G)])
        ledger.set_state(person, "customer", at=NOW)
    ledger.erase("anna")
    assert not ledger.choices_of(["anna"])["anna"]
    assert not ledger.states_of(["anna"])["anna"]
    assert ledger.choices_of(["ben"])["ben"]
    assert (
        raw(home, "SELECT count(*) FROM consent_records") == raw(home, "SELECT count(*) FROM subject_states") == [(1,)]
    )


def test_what_another_worker_writes_is_known_at_the_next_look(open_ledger: OpenLedger) -> None:
    one, other = open_ledger(), open_ledger()
    digest = consent_digest(b"i" * 16)
    assert not other.retired(digest)
    assert not other.choices_of(["anna"])["anna"]
    one.record_person("anna", [entry("analytics", W)])
    one.retire(b"i" * 16, at=NOW, keep_until=None)
    assert other.retired(digest)
    assert states(other, "anna", "analytics") == [(W, ())]
    one.set_state("anna", "restricted", at=NOW)
    assert other.states_of(["anna"])["anna"] == {("restricted", ())}


def test_what_is_remembered_needs_no_file(home: Home, ledger: Ledger) -> None:
    ledger.record_person("anna", [entry("analytics", G)])
    ledger.retire(b"i" * 16, at=NOW, keep_until=None)
    first = ledger.choices_of(["anna"])["anna"]
    ledger.states_of(["anna"])
    ledger.close()
    home.ledger.unlink()
    assert ledger.choices_of(["anna"])["anna"] is first
    assert ledger.states_of(["anna"])["anna"] == frozenset()
    assert ledger.retired(consent_digest(b"i" * 16))
    with pytest.raises(LedgerError):
        ledger.choices_of(["ben"])


def test_many_at_once_are_for_a_thread_until_they_are_remembered(ledger: Ledger) -> None:
    people = [f"p{number}" for number in range(200)]
    with ledger.writing() as batch:
        for number, person in enumerate(people):
            batch.record_person(person, [entry("analytics", G if number % 3 else W)])
            batch.set_state(person, "restricted", at=NOW)
    assert not ledger.waits(people[:32])
    assert ledger.waits(people)
    found = ledger.choices_of(people)
    assert [one.of("analytics")[0].state for one in found.values()] == [G if n % 3 else W for n in range(200)]
    assert ledger.waits(people), "states are not known yet"
    assert set(ledger.states_of(people).values()) == {frozenset({("restricted", ())})}
    assert not ledger.waits(people)
    assert ledger.choices_of(people) == found
    ledger.record_person("p7", [entry("analytics", W)])
    assert ledger.waits(people)
    assert states(ledger, "p7", "analytics") == [(W, ())]
    assert ledger.choices_of(people)["p7"].of("analytics")[0].state is W


def test_what_changes_while_many_are_read_is_not_remembered_as_it_was(
    open_ledger: OpenLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = open_ledger(), open_ledger()
    people = [f"p{number}" for number in range(100)]
    with writer.writing() as batch:
        for person in people:
            batch.record_person(person, [entry("analytics", G)])
    real = Ledger._of_persons

    def slow(self: Ledger, *given: Any) -> list[Any]:
        rows = list(real(self, *given))
        if self is reader and len(given[-1]) > 32:
            monkeypatch.setattr(Ledger, "_of_persons", real)
            writer.record_person("p7", [entry("analytics", W)])
        return rows

    monkeypatch.setattr(Ledger, "_of_persons", slow)
    assert reader.choices_of(people)["p7"].of("analytics")[0].state is G, "it began before"
    assert reader.choices_of(people)["p7"].of("analytics")[0].state is W
    assert states(reader, "p7", "analytics") == [(W, ())]


def test_who_reads_many_keeps_nobody_else_waiting(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.record_person("anna", [entry("analytics", G)])
    reading, go_on = threading.Event(), threading.Event()
    real = Ledger._of_persons

    def slow(self: Ledger, *given: Any) -> Any:
        if len(given[-1]) > 32:
            reading.set()
            assert go_on.wait(20)
        return real(self, *given)

    monkeypatch.setattr(Ledger, "_of_persons", slow)
    many = threading.Thread(target=ledger.choices_of, args=([f"p{number}" for number in range(100)],))
    many.start()
    try:
        assert reading.wait(20)
        assert states(ledger, "anna", "analytics") == [(G, ())]
        ledger.record_person("anna", [entry("analytics", W)])
        assert states(ledger, "anna", "analytics") == [(W, ())]
        assert not ledger.retired(consent_digest(b"i" * 16))
    finally:
        go_on.set()
        many.join()


def test_choice_of_a_device_leaves_remembered_persons_alone(ledger: Ledger) -> None:
    ledger.record_person("anna", [entry("analytics", G)])
    before = ledger.choices_of(["anna"])["anna"]
    ledger.retire(b"i" * 16, at=NOW, keep_until=None)
    assert ledger.choices_of(["anna"])["anna"] is before


def test_while_a_write_is_under_way_the_file_is_asked(home: Home, open_ledger: OpenLedger) -> None:
    reader, writer = open_ledger(), open_ledger()
    digest = consent_digest(b"i" * 16)
    assert not reader.retired(digest)
    with writer.writing() as batch:
        batch.retire(b"i" * 16, at=NOW, keep_until=None)
        batch.record_person("anna", [entry("analytics", G)])
        assert not reader.retired(digest)
        assert not reader.choices_of(["anna"])["anna"]
    assert reader.retired(digest)
    assert reader.choices_of(["anna"])["anna"]


def test_batch_that_fails_writes_nothing(ledger: Ledger) -> None:
    def write_and_fail() -> None:
        with ledger.writing() as batch:
            batch.record_person("anna", [entry("analytics", G)])
            batch.retire(b"i" * 16, at=NOW, keep_until=None)
            raise KeyError

    with pytest.raises(KeyError):
        write_and_fail()
    assert not ledger.choices_of(["anna"])["anna"]
    assert not ledger.retired(consent_digest(b"i" * 16))
    ledger.record_person("anna", [entry("analytics", G)])
    assert ledger.choices_of(["anna"])["anna"]


def test_retired_ids_are_forgotten_when_their_grants_have_ended(home: Home, ledger: Ledger) -> None:
    ledger.retire(b"a" * 16, at=NOW, keep_until=NOW + timedelta(days=1))
    ledger.retire(b"b" * 16, at=NOW, keep_until=None)
    ledger.retire(b"c" * 16, at=NOW + timedelta(days=1), keep_until=NOW + timedelta(days=3))
    assert raw(home, "SELECT count(*) FROM device_retired") == [(3,)]
    ledger.retire(b"d" * 16, at=NOW + timedelta(days=2), keep_until=NOW + timedelta(days=9))
    kept = {row[0] for row in raw(home, "SELECT consent FROM device_retired")}
    assert kept == {consent_digest(letter * 16) for letter in (b"b", b"c", b"d")}


def test_last_activated_version_survives_a_restart_for_each_policy(open_ledger: OpenLedger) -> None:
    first = open_ledger()
    assert first.active("web") is None
    first.activate("1", policy="web", at=NOW)
    first.activate("2", policy="web", at=NOW)
    first.activate("7", policy="shop", at=NOW)
    again = open_ledger()
    assert (again.active("web"), again.active("shop"), again.active("other")) == ("2", "7", None)


def test_epoch_is_the_same_for_all_workers_and_new_with_a_new_file(home: Home, open_ledger: OpenLedger) -> None:
    first = open_ledger()
    assert open_ledger().epoch == first.epoch
    home.ledger.unlink()  # its journal stays behind, as after a careless clean-up
    assert home.ledger.with_name("ledger.sqlite3-wal").exists()
    new = open_ledger()
    assert new.epoch != first.epoch
    assert not new.choices_of(["anna"])["anna"]


def test_epoch_can_be_renewed_when_an_older_copy_is_put_back(home: Home, open_ledger: OpenLedger) -> None:
    first = open_ledger()
    connection = sqlite3.connect(home.ledger)
    connection.execute("DELETE FROM meta WHERE name = 'epoch'")
    connection.commit()
    connection.close()
    assert open_ledger().epoch != first.epoch


def test_ledger_of_another_key_is_refused(home: Home, ledger: Ledger) -> None:
    with pytest.raises(HomeError, match="another ledger key"):
        Ledger.open(home.ledger, Generation.open(home.generation, home.lock), b"x" * 32)


def test_file_that_is_no_ledger_is_named(home: Home) -> None:
    home.ledger.write_bytes(b"certainly no data base" * 100)
    with pytest.raises(HomeError) as caught:
        Ledger.open(home.ledger, Generation.open(home.generation, home.lock), home.ledger_key)
    assert caught.value.path == str(home.ledger)


def test_ledger_of_a_later_schema_is_refused(home: Home, ledger: Ledger) -> None:
    connection = sqlite3.connect(home.ledger)
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(HomeError, match="no ledger that can be used"):
        Ledger.open(home.ledger, Generation.open(home.generation, home.lock), home.ledger_key)


def test_write_to_a_ledger_that_is_gone_says_so_and_frees_the_lock(home: Home, ledger: Ledger) -> None:
    home.ledger.unlink()
    with pytest.raises(LedgerError, match="written"):
        ledger.record_person("anna", [])
    with home.lock():
        pass


def test_files_are_closed_to_others(home: Home, ledger: Ledger) -> None:
    ledger.record_person("anna", [])
    files = [path for path in home.path.iterdir() if path.name.startswith(("ledger", "generation"))]
    assert len(files) == 4
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_threads_that_write_and_read_at_once_all_get_their_turn(ledger: Ledger) -> None:
    failed: list[Exception] = []

    def work(person: str) -> None:
        try:
            for _ in range(10):
                ledger.record_person(person, [entry("analytics", G)])
                assert states(ledger, person, "analytics") == [(G, ())]
        except Exception as error:  # noqa: BLE001 - whatever went wrong in the thread is reported below
            failed.append(error)

    threads = [threading.Thread(target=work, args=(f"p{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failed == []
    assert len(ledger.choices_of([f"p{number}" for number in range(4)])) == 4
