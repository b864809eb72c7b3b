"""A bounded map."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from troth.consent.recent import Recent


@given(st.lists(st.integers(0, 40)), st.integers(2, 12))
def test_it_never_grows_over_its_size_and_never_tells_a_wrong_value(keys: list[int], size: int) -> None:
    recent: Recent[int, int] = Recent(size)
    for key in keys:
        assert recent.get(key) in (None, -key)
        recent.put(key, -key)
        assert recent.get(key) == -key
        assert len(recent) <= size


def test_what_is_asked_for_stays_while_others_pass() -> None:
    recent: Recent[int, str] = Recent(8)
    recent.put(-1, "kept")
    for number in range(100):
        recent.put(number, "passing")
        assert recent.get(-1) == "kept"
    assert recent.get(0) is None


def test_clear_forgets_all() -> None:
    recent: Recent[int, str] = Recent(4)
    for number in range(4):
        recent.put(number, "x")
    recent.clear()
    assert len(recent) == 0
