"""Pseudonyms: the same for the same person under one key, and telling nothing under another."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from troth.audit.pseudonym import Pseudonyms

KEY, OTHER = b"\x01" * 32, b"\x02" * 32
named = st.tuples(st.text(max_size=20), st.text(max_size=20))


def test_a_pseudonym_names_its_key_and_holds_128_bits() -> None:
    made = Pseudonyms(KEY)
    name = made.digest("actor", "ada@example.org")
    assert re.fullmatch(rf"p_{made.key_id}_[0-9a-f]{{32}}", name)
    assert re.fullmatch(r"[0-9a-f]{8}", made.key_id)


def test_the_same_value_has_the_same_pseudonym_in_every_process() -> None:
    assert Pseudonyms(KEY).digest("actor", "ada") == Pseudonyms(KEY).digest("actor", "ada")


def test_another_key_has_another_id_and_other_pseudonyms() -> None:
    one, other = Pseudonyms(KEY), Pseudonyms(OTHER)
    assert one.key_id != other.key_id
    assert one.digest("actor", "ada")[-32:] != other.digest("actor", "ada")[-32:]


@given(named, named)
def test_other_kinds_or_values_have_other_pseudonyms(one: tuple[str, str], other: tuple[str, str]) -> None:
    assume(one != other)
    made = Pseudonyms(KEY)
    assert made.digest(*one) != made.digest(*other)


def test_what_is_forgotten_is_made_again_alike() -> None:
    made = Pseudonyms(KEY, remembered=2)
    names = [made.digest("actor", str(n)) for n in range(10)]
    assert [made.digest("actor", str(n)) for n in range(10)] == names
    assert len(set(names)) == 10


@pytest.mark.parametrize("key", [b"", b"x" * 31, b"x" * 33])
def test_a_key_of_another_length_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Pseudonyms(key)


def test_a_lone_surrogate_is_a_value_like_any_other() -> None:
    assert Pseudonyms(KEY).digest("name", "\ud800") != Pseudonyms(KEY).digest("name", "?")
