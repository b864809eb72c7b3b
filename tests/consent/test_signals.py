"""Browser signals, header by header."""

from __future__ import annotations

import pytest

from troth.consent.signals import signals_of


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], set()),
        ([(b"host", b"shop.example"), (b"accept", b"*/*")], set()),
        ([(b"sec-gpc", b"1")], {"gpc"}),
        ([(b"dnt", b"1")], {"dnt"}),
        ([(b"dnt", b"1"), (b"x", b"y"), (b"sec-gpc", b"1")], {"gpc", "dnt"}),
        ([(b"sec-gpc", b"0"), (b"sec-gpc", b"1")], {"gpc"}),
        ([(b"sec-gpc", b"1"), (b"sec-gpc", b"0")], {"gpc"}),
        ([(b"dnt", b"0")], set()),
        *(
            [
                ([(b"sec-gpc", value)], set())
                for value in (b"", b"0", b"true", b"?1", b"1, 1", b"1;a", b"01", b" 1", b"11")
            ]
        ),
    ],
)
def test_only_the_exact_value_one_is_a_signal(headers: list[tuple[bytes, bytes]], expected: set[str]) -> None:
    assert signals_of(headers) == expected
    assert signals_of([list(pair) for pair in headers]) == expected  # type: ignore[misc]  # some servers give lists
