"""The hash chain: two lines worked out by hand, and what no change of its input may leave as it was."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from troth.audit.chain import ZERO, head, link

STREAM = bytes(range(16))
lines = st.lists(st.binary(max_size=60), min_size=1, max_size=12)


def test_the_first_two_hashes_are_those_of_the_documentation() -> None:
    first = hashlib.sha256(STREAM + bytes(32) + b'{"seq":1}').digest()
    second = hashlib.sha256(STREAM + first + b'{"seq":2}').digest()
    assert head(STREAM, [b'{"seq":1}', b'{"seq":2}']) == second
    assert link(STREAM, first, b'{"seq":2}') == second


def test_no_line_leaves_the_head_where_it_was() -> None:
    assert head(STREAM, []) == ZERO == bytes(32)


@pytest.mark.parametrize(("stream", "previous"), [(b"short", ZERO), (STREAM, b"short"), (STREAM + b"x", ZERO)])
def test_what_has_another_length_is_refused(stream: bytes, previous: bytes) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        link(stream, previous, b"")


@given(lines, st.data())
def test_a_chain_can_be_taken_up_anywhere(given_lines: list[bytes], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(given_lines)))
    assert head(STREAM, given_lines) == head(STREAM, given_lines[at:], head(STREAM, given_lines[:at]))


@given(lines, lines)
def test_other_lines_have_another_head(one: list[bytes], other: list[bytes]) -> None:
    assume(one != other)
    assert head(STREAM, one) != head(STREAM, other)


@given(lines, st.binary(min_size=16, max_size=16))
def test_another_stream_has_another_head(given_lines: list[bytes], stream: bytes) -> None:
    assume(stream != STREAM)
    assert head(STREAM, given_lines) != head(stream, given_lines)
