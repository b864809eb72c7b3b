"""A body in slices holds what it holds in one go, and is malformed where it is in one go."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troth.errors import UnreadableBody
from troth.filters.probes import Probes
from troth.filters.slices import pieces, tag_in_slices
from troth.filters.tagging import Tagger

TODAY = date(2024, 11, 22)
NAMES = {"email": ["email"], "dob": ["birth"], "x-*": ["any"]}
SELECTORS = {"$.a": ["whole"], "$[*].b": ["item"], "$.a.b[*]": ["deep"], "$.list": ["list"]}
PROBES = Probes([("email", "email", None), ("card", "luhn", None)])
TAGGERS = [
    Tagger(NAMES, SELECTORS, probes=PROBES, with_age=["birth"], undeclared=True),
    Tagger(NAMES, SELECTORS),
    Tagger({}, probes=PROBES),
]
KEYS = st.sampled_from(["email", "dob", "a", "b", "list", "x-1", "n", "é", 'q"', "\\"])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["ada@example.com", "2010-01-02", "4111111111111111", "[", "}", ",", '"', "\\", "", "é"]),
    st.just(4111111111111111),
)  # fmt: skip


def written(value, blank):
    """Write JSON with blanks anywhere, and pairs as objects in which a key may stand twice."""
    if isinstance(value, tuple):
        inner = f",{blank}".join(f"{json.dumps(key)}{blank}:{blank}{written(one, blank)}" for key, one in value)
        return f"{{{blank}{inner}{blank}}}"
    if isinstance(value, list):
        return f"[{blank}{f'{blank},'.join(written(one, blank) for one in value)}{blank}]"
    return json.dumps(value, ensure_ascii=False)


VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=6) | st.lists(st.tuples(KEYS, inner), max_size=6).map(tuple),
    max_leaves=40,
)
BODIES = st.builds(written, VALUES, st.sampled_from(["", " ", "\n\t"])).map(str.encode)


def seen(work):
    try:
        tags = work()
    except UnreadableBody as cause:
        return cause.reason
    places = Counter({(place.path, place.categories, place.shown): n for place, n in tags.places.items()})
    return places, {(place.path, stated) for place, stated in tags.ages}, tags.members


def in_slices(tagger, body, size):
    work = tag_in_slices(tagger, body, today=TODAY, size=size)
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


@given(BODIES, st.sampled_from([1, 5, 20, 60, 1000]), st.sampled_from(TAGGERS))
def test_a_body_in_slices_holds_what_it_holds_in_one_go(body, size, tagger):
    whole = seen(lambda: tagger.tag(body, today=TODAY))
    assert seen(lambda: in_slices(tagger, body, size)) == whole
    assert whole != "malformed"


@given(BODIES, st.data(), st.sampled_from([1, 5, 20, 60]))
def test_a_broken_body_is_malformed_in_slices_where_it_is_in_one_go(body, data, size):
    at = data.draw(st.integers(0, len(body)))
    to = data.draw(st.integers(at, min(len(body), at + 3)))
    put = data.draw(
        st.sampled_from([b"", b",", b"]", b"}", b"[", b"{", b'"', b":", b"\xff", b"\\", b"1", b" ", b"\x00"])
    )
    broken = body[:at] + put + body[to:]
    tagger = TAGGERS[0]
    assert seen(lambda: in_slices(tagger, broken, size)) == seen(lambda: tagger.tag(broken, today=TODAY))


@pytest.mark.parametrize(
    "body",
    [b"[1,]", b"[,1]", b"[1,,2]", b"[1 2]", b'{"a":1,}', b'{"a" 1}', b'{"a":[1}', b"[[1] [2]]", b"[[1]2]", b"[[1]]]",
     b"[", b'["a', b"[1]x", b'{"a":{"b":1} "c":2}', b'[1e400]', b"[NaN]", b"[[1],]", b'{"k":[1],}', b'["\xff"]',
     b'{"\xff":[1]}', b"{1:[2]}", b'["\\ud800"]', b"[\x01]", b"[" * 100_000,
     b'{"a":' * 100_000, b"[" * 5_000 + b"]" * 5_000]
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 3, 100])
def test_what_no_two_readers_agree_on_is_malformed(body, size):
    with pytest.raises(UnreadableBody, match="malformed"):
        in_slices(TAGGERS[0], body, size)


def test_pieces_are_small_and_hold_every_member():
    rows = [{"id": n, "email": f"user{n}@example.com", "tags": ["a", "b"]} for n in range(500)]
    cut = [(path, json.loads(piece)) for path, piece in pieces(json.dumps({"rows": rows, "n": 1}).encode())]
    assert [item for path, piece in cut if path == ("rows",) for item in piece] == rows
    assert max(len(json.dumps(piece)) for _, piece in cut) <= 600
