"""What a process may believe of a shared ledger, and until when; no server is needed for that."""

from __future__ import annotations

import pytest

from troth.consent.postgres.mirror import LEASE, Mirror
from troth.errors import LedgerError
from troth.model.consent import NO_CHOICES, Choices

ONE, TWO = b"1" * 16, b"2" * 16


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def mirror(clock: Clock) -> Mirror:
    made = Mirror(clock)
    made.apply(4, 1, [(1, ONE)])
    made.vouch(4, clock.now + LEASE)
    return made


def test_nothing_is_believed_before_the_first_look(clock: Clock) -> None:
    fresh = Mirror(clock)
    assert fresh.read() % 2 == 1
    with pytest.raises(LedgerError):
        fresh.is_retired(ONE)
    fresh.apply(0, 0, [])
    assert fresh.read() % 2 == 1


def test_what_is_vouched_for_is_believed_up_to_the_moment_and_no_longer(mirror: Mirror, clock: Clock) -> None:
    assert (mirror.is_retired(ONE), mirror.is_retired(TWO), mirror.read()) == (True, False, 8)
    clock.now += LEASE - 0.001
    assert mirror.read() == 8
    clock.now += 0.001
    assert mirror.read() % 2 == 1
    for digest in (ONE, TWO):
        with pytest.raises(LedgerError):
            mirror.is_retired(digest)


def test_a_look_at_an_older_generation_vouches_for_nothing(mirror: Mirror, clock: Clock) -> None:
    mirror.doubt()
    mirror.vouch(3, clock.now + LEASE)
    assert mirror.read() % 2 == 1


def test_a_newer_generation_changes_the_number_and_keeps_what_was_retired(mirror: Mirror) -> None:
    mirror.apply(5, 1, [(2, TWO)])
    assert mirror.read() == 10
    assert mirror.is_retired(ONE)
    assert mirror.is_retired(TWO)
    assert mirror.last_retired == 2


def test_persons_are_forgotten_when_one_of_them_chose_and_not_when_a_device_did(mirror: Mirror) -> None:
    found, missing, turn = mirror.look(mirror.choices, ["ann", "ben", "ann"])
    assert (found, missing) == ({}, ["ann", "ben"])
    mirror.keep(mirror.choices, {"ann": NO_CHOICES}, turn)
    assert mirror.look(mirror.choices, ["ann", "ben"])[:2] == ({"ann": NO_CHOICES}, ["ben"])
    mirror.apply(5, 1, [(2, TWO)])
    assert mirror.look(mirror.choices, ["ann"])[1] == []
    mirror.apply(6, 2, [])
    assert mirror.look(mirror.choices, ["ann"])[1] == ["ann"]


def test_what_was_read_before_a_choice_is_not_remembered_after_it(mirror: Mirror) -> None:
    before: Choices = NO_CHOICES
    turn = mirror.look(mirror.choices, ["ann"])[2]
    mirror.apply(5, 2, [])
    mirror.keep(mirror.choices, {"ann": before}, turn)
    assert mirror.look(mirror.choices, ["ann"])[1] == ["ann"]
