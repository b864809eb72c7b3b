"""A ledger on a real PostgreSQL server: what it keeps, and that all machines know it at their next look."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.postgres.conftest import KEY, Machine
from tests.postgres.server import Server
from troth.consent.batch import LedgerEntry
from troth.consent.device import consent_digest
from troth.consent.postgres.ledger import PostgresLedger
from troth.consent.postgres.mirror import LEASE
from troth.errors import ConfigurationError, LedgerError
from troth.model.consent import Choice, ChoiceState, Params
from troth.model.consent import params as canonical

pytestmark = pytest.mark.real

NOW = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
G, D, W = ChoiceState.GRANTED, ChoiceState.DECLINED, ChoiceState.WITHDRAWN


def entry(name: str, state: ChoiceState, params: Params = (), form: str | None = None) -> LedgerEntry:
    return LedgerEntry(name=name, choice=Choice(state=state, at=NOW, version="2", params=params, form=form))


def states(ledger: PostgresLedger, person: str, name: str) -> list[tuple[ChoiceState, Params]]:
    return [(choice.state, choice.params) for choice in ledger.choices_of([person])[person].of(name)]


def test_choice_comes_back_on_every_machine_as_it_was_recorded(machine: Machine) -> None:
    here, there = machine(), machine()
    given = entry("sharing", G, canonical(party="p1"), form="written")
    here.record_person("anna", [given])
    assert there.choices_of(["anna"])["anna"].of("sharing") == (given.choice,)
    assert here.epoch == there.epoch


def test_latest_record_counts_per_parameters_and_one_for_all_replaces_those_before(machine: Machine) -> None:
    ledger = machine()
    one, two = canonical(party="p1"), canonical(party="p2")
    ledger.record_person("anna", [entry("sharing", G, one), entry("sharing", G, two)])
    ledger.record_person("anna", [entry("sharing", W, one)])
    assert states(ledger, "anna", "sharing") == [(G, two), (W, one)]
    ledger.record_person("anna", [entry("sharing", D)])
    assert states(ledger, "anna", "sharing") == [(D, ())]
    ledger.record_person("anna", [entry("sharing", G, two)])
    assert states(ledger, "anna", "sharing") == [(D, ()), (G, two)]


def test_withdrawal_on_one_machine_holds_at_the_next_look_of_the_other(machine: Machine) -> None:
    here, there = machine(), machine()
    for _ in range(30):
        here.record_person("anna", [entry("news", G)])
        assert states(there, "anna", "news") == [(G, ())]
        there.record_person("anna", [entry("news", W)])
        assert states(here, "anna", "news") == [(W, ())]


def test_retired_id_is_known_at_the_next_look_of_the_other(machine: Machine) -> None:
    here, there = machine(), machine()
    for number in range(30):
        one = number.to_bytes(16, "big")
        before = there.number.read()
        assert not there.retired(consent_digest(one))
        here.retire(one, at=NOW, keep_until=None)
        assert there.retired(consent_digest(one))
        assert there.number.read() != before
    late = machine()
    assert all(late.retired(consent_digest(number.to_bytes(16, "big"))) for number in range(30))


def test_retired_ids_are_forgotten_when_their_grants_have_ended(machine: Machine, postgres: Server) -> None:
    ledger = machine()
    ledger.retire(b"a" * 16, at=NOW, keep_until=NOW + timedelta(days=1))
    ledger.retire(b"b" * 16, at=NOW + timedelta(days=2), keep_until=None)
    assert postgres.run("SELECT count(*) FROM troth.device_retired") == [(1,)]


def test_states_come_and_go_and_erasing_leaves_nothing_of_a_person(machine: Machine, postgres: Server) -> None:
    here, there = machine(), machine()
    here.set_state("anna", "restricted", at=NOW)
    here.set_state("anna", "restricted", at=NOW)
    here.set_state("anna", "objected", canonical(purpose="news"), at=NOW)
    here.set_state("ben", "restricted", at=NOW)
    here.record_person("anna", [entry("news", W)])
    both = {("restricted", ()), ("objected", (("purpose", "news"),))}
    assert there.states_of(["anna", "ben"]) == {"anna": both, "ben": {("restricted", ())}}
    there.clear_state("anna", "restricted")
    assert here.states_of(["anna"])["anna"] == {("objected", (("purpose", "news"),))}
    there.erase("anna")
    assert here.states_of(["anna"])["anna"] == frozenset()
    assert not here.choices_of(["anna"])["anna"]
    assert postgres.run("SELECT count(*) FROM troth.consent_records") == [(0,)]
    assert postgres.run("SELECT count(*) FROM troth.subject_states") == [(1,)]


def test_no_id_of_a_person_or_device_stands_in_the_database(machine: Machine, postgres: Server) -> None:
    ledger = machine()
    ledger.record_person("anna@shop.example", [entry("news", G)])
    ledger.set_state("anna@shop.example", "restricted", at=NOW)
    with ledger.writing() as batch:
        batch.record_device(b"0123456789abcdef", [entry("news", G)])
        batch.retire(b"0123456789abcdef", at=NOW, keep_until=None)
    for table in ("consent_records", "subject_states", "device_retired", "meta", "listeners"):
        text = str(postgres.run(f"SELECT * FROM troth.{table}"))
        assert "anna" not in text
        assert "0123456789abcdef" not in text
        assert b"0123456789abcdef".hex() not in text


def test_last_activated_version_is_that_of_all_machines(machine: Machine) -> None:
    here, there = machine(), machine()
    assert there.active("shop") is None
    here.activate("1", policy="shop", at=NOW)
    here.activate("2", policy="shop", at=NOW)
    here.activate("9", policy="forum", at=NOW)
    assert (there.active("shop"), there.active("forum")) == ("2", "9")


def test_batch_that_fails_writes_nothing_and_frees_the_turn(machine: Machine) -> None:
    here, there = machine(), machine()

    def fail() -> None:
        with here.writing() as batch:
            batch.record_person("anna", [entry("news", G)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert states(there, "anna", "news") == []
    there.record_person("anna", [entry("news", D)])
    assert states(here, "anna", "news") == [(D, ())]


def test_writer_reads_what_is_committed_and_nobody_writes_in_between(machine: Machine) -> None:
    here, there = machine(), machine()
    order: list[str] = []

    def other() -> None:
        there.retire(b"a" * 16, at=NOW, keep_until=None)
        order.append("other")

    with here.writing() as batch:
        assert not here.retired(consent_digest(b"a" * 16))
        assert not here.choices_of(["anna"])["anna"]
        thread = threading.Thread(target=other)
        thread.start()
        time.sleep(0.2)
        batch.record_person("anna", [entry("news", G)])
        order.append("this")
    thread.join()
    assert order == ["this", "other"]


def test_machines_that_start_and_write_at_once_make_one_ledger_and_lose_nothing(machine: Machine) -> None:
    opened: list[PostgresLedger] = []

    def work(name: str) -> None:
        ledger = machine()
        opened.append(ledger)
        for number in range(20):
            ledger.set_state("anna", f"{name}-{number}", at=NOW)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({ledger.epoch for ledger in opened}) == 1
    assert [len(ledger.states_of(["anna"])["anna"]) for ledger in opened] == [80] * 4


def test_machine_that_died_is_waited_for_once_and_for_no_longer_than_a_lease(
    machine: Machine, postgres: Server
) -> None:
    ledger = machine()
    postgres.run("INSERT INTO troth.listeners VALUES ('dead', 0)")
    began = time.monotonic()
    ledger.set_state("anna", "restricted", at=NOW)
    assert LEASE <= time.monotonic() - began < LEASE + 2
    began = time.monotonic()
    ledger.clear_state("anna", "restricted")
    assert time.monotonic() - began < LEASE / 2


def test_machine_whose_row_was_deleted_says_again_what_it_knows(machine: Machine, postgres: Server) -> None:
    here, there = machine(), machine()
    postgres.run("DELETE FROM troth.listeners")
    here.record_person("anna", [entry("news", G)])
    time.sleep(1.0)
    assert postgres.run("SELECT count(*) FROM troth.listeners") == [(2,)]
    here.record_person("anna", [entry("news", W)])
    assert states(there, "anna", "news") == [(W, ())]


def test_one_that_rests_is_not_waited_for_and_believes_nothing(machine: Machine, postgres: Server) -> None:
    here, there = machine(), machine()
    there.rest()
    assert postgres.run("SELECT count(*) FROM troth.listeners") == [(1,)]
    here.retire(b"a" * 16, at=NOW, keep_until=None)
    with pytest.raises(LedgerError):
        there.retired(consent_digest(b"b" * 16))
    assert there.number.read() % 2 == 1


def test_many_persons_come_in_one_query_and_what_is_remembered_needs_no_server(
    machine: Machine, postgres: Server
) -> None:
    ledger = machine()
    everyone = [f"p{number}" for number in range(500)]
    with ledger.writing() as batch:
        for person in everyone[::2]:
            batch.record_person(person, [entry("news", G)])
    assert ledger.waits(everyone)
    found = ledger.choices_of(everyone)
    ledger.states_of(everyone)
    assert [bool(found[person]) for person in everyone] == [number % 2 == 0 for number in range(500)]
    assert not ledger.waits(everyone)
    postgres.pause()
    try:
        assert ledger.choices_of(everyone) == found
    finally:
        postgres.resume()


def test_silent_server_is_believed_for_no_longer_than_a_lease_and_no_look_waits_for_it(
    machine: Machine, postgres: Server
) -> None:
    ledger = machine()
    ledger.choices_of(["anna"])
    postgres.pause()
    try:
        time.sleep(LEASE + 0.1)
        began = time.monotonic()
        for look in (ledger.choices_of, ledger.states_of):
            with pytest.raises(LedgerError):
                look(["anna"])
        with pytest.raises(LedgerError):
            ledger.retired(consent_digest(b"a" * 16))
        assert not ledger.waits(["anna", "ben"])
        assert ledger.number.read() % 2 == 1
        assert time.monotonic() - began < 0.1
    finally:
        postgres.resume()
    assert _answers_again(ledger)


def test_other_key_and_other_schema_are_refused(machine: Machine, postgres: Server) -> None:
    machine()
    with pytest.raises(ConfigurationError, match="another ledger key"):
        PostgresLedger.open(postgres.url, bytes(32))
    postgres.run("UPDATE troth.meta SET value = '99' WHERE name = 'schema'")
    with pytest.raises(ConfigurationError, match="another version"):
        PostgresLedger.open(postgres.url, KEY)


def test_ledger_made_anew_under_a_running_machine_is_not_believed(machine: Machine, postgres: Server) -> None:
    here = machine()
    here.retire(b"a" * 16, at=NOW, keep_until=None)
    postgres.run("DROP SCHEMA troth CASCADE")
    PostgresLedger.open(postgres.url, KEY).close()
    time.sleep(LEASE)
    with pytest.raises(LedgerError):
        here.retired(consent_digest(b"b" * 16))


def test_no_message_shows_the_url(postgres: Server) -> None:
    for url in ("postgresql://troth:geheim@127.0.0.1:1/postgres", "postgresql://troth:geheim@[::1/x?y"):
        with pytest.raises(ConfigurationError) as caught:
            PostgresLedger.open(url, KEY)
        assert "geheim" not in str(caught.value)
        assert "geheim" not in repr(caught.value.__cause__)


def test_forked_child_reads_and_writes_beside_its_parent(machine: Machine) -> None:
    ledger = machine()
    ledger.set_state("anna", "customer", at=NOW)
    child = os.fork()
    if child == 0:
        fine = _answers_again(ledger)
        ledger.set_state("anna", "restricted", at=NOW)
        fine = fine and len(ledger.states_of(["anna"])["anna"]) == 2
        ledger.close()
        os._exit(0 if fine else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert len(ledger.states_of(["anna"])["anna"]) == 2
    ledger.clear_state("anna", "restricted")
    assert ledger.states_of(["anna"])["anna"] == {("customer", ())}


def _answers_again(ledger: PostgresLedger) -> bool:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            ledger.retired(consent_digest(b"a" * 16))
        except LedgerError:
            time.sleep(0.02)
        else:
            return True
    return False
