"""The compiled express lane finds what its Python namesakes find, or leaves it to them; it never knows better."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.conftest import Need
from troth.asgi import compiled, shapes
from troth.errors import UnreadableBody
from troth.filters.places import Node, Place
from troth.filters.probes import NOBODY, SIGNS, Probes
from troth.filters.tagging import Tagger

TODAY = date(2026, 11, 22)
ROOT = Path(__file__).parents[2]
NAMES = {"email": ["email"], "name": ["name"], "x-geo-*": ["location"], "phone": ["phone", "contact"]}
SELECTORS = {"$.who": ["subject"], "$.rows[*].id": ["id"], "$.product.name": []}
PROBES = Probes([("email", "email", None), ("phone", "phone", None), ("ip", "ip", None), ("card", "luhn", None)])
CODED = 16

ONCE = [HealthCheck.function_scoped_fixture]
"""What the fixtures give is the same for all examples."""

Find = Callable[[bytes, Node, Any], dict[Place, int] | None]


@pytest.fixture
def places(need: Need) -> Find:
    need(compiled.COMPILED, "the compiled express lane, for which a C compiler is needed")
    assert shapes.find_places is not None
    return shapes.find_places


@pytest.fixture
def signs(need: Need) -> Callable[[str], int]:
    need(compiled.COMPILED, "the compiled express lane, for which a C compiler is needed")
    from troth import _native

    return _native.signs


def tagger(probes: Probes = PROBES) -> Tagger:
    return Tagger(NAMES, SELECTORS, probes=probes)


def same(places: Find, body: bytes, probes: Probes) -> bool | None:
    """Compare both ways over one tree of places; None where the compiled one leaves the body to the other."""
    one = tagger(probes)
    found = places(body, one.fresh_root(), one.look)
    if found is None:
        return None
    return found == one.tag(body, today=TODAY).places and found == places(body, one.fresh_root(), one.look)


TEXTS = st.one_of(
    st.text(max_size=24),
    st.text("0123456789 ()+-./:@%abcdefT", max_size=24),
    st.sampled_from(
        [
            "ann@example.org", "+46 90 200 18 20", "4111 1111 1111 1111", "192.0.2.7", "2001:db8::1", "a%40example.org",
            "2026-11-28T09:58:00.123Z", "2026-11-28", "Umeå", "ann@exämple.org", "٤١١١١١١١١١١١١١١١",
        ]
    ),
)  # fmt: skip
NUMBERS = st.one_of(
    st.integers(-(10**20), 10**20), st.floats(allow_nan=False, allow_infinity=False), st.just(4111111111111111)
)
KEYS = st.one_of(
    st.sampled_from(["email", "name", "Phone", "x-geo-lat", "who", "rows", "id", "product"]), st.text(max_size=6)
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=24,
)
BODIES = st.one_of(st.lists(VALUES, max_size=4), st.dictionaries(KEYS, VALUES, max_size=6))


@pytest.mark.parametrize("probes", [PROBES, Probes(())], ids=["probes", "names"])
@settings(max_examples=400, suppress_health_check=ONCE)
@given(body=BODIES, ascii_only=st.booleans(), indent=st.sampled_from([None, 1]))
def test_places_of_a_body_are_those_that_the_tagger_finds(
    places: Find, probes: Probes, body: Any, ascii_only: bool, indent: int | None
) -> None:
    text = json.dumps(body, ensure_ascii=ascii_only, indent=indent)
    assert same(places, text.encode("utf-8", "surrogatepass"), probes) is not False


@settings(max_examples=600, suppress_health_check=ONCE)
@given(body=BODIES, cut=st.integers(0, 400), length=st.integers(0, 3), put=st.binary(max_size=3))
@example(body={"email": "a"}, cut=0, length=0, put=b"\xef\xbb\xbf")
@example(body={"email": "a"}, cut=11, length=0, put=b"\xff")
@example(body={"email": 1}, cut=9, length=1, put=b"01")
@example(body={"email": 1}, cut=9, length=1, put=b"1.")
@example(body={"email": 1}, cut=9, length=1, put=b"-")
def test_a_damaged_body_is_never_taken_for_another_one(
    places: Find, body: Any, cut: int, length: int, put: bytes
) -> None:
    text = json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
    at = cut % (len(text) + 1)
    damaged = text[:at] + put + text[at + length :]
    one = tagger()
    found = places(damaged, one.fresh_root(), one.look)
    if found is None:
        return
    try:
        assert found == one.tag(damaged, today=TODAY).places
    except UnreadableBody:
        pytest.fail(f"read {damaged!r}, which is unreadable")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"7", b'"a"', b"{", b"[", b'{"a"', b'{"a":}', b'{"a":1,}', b"[1,]", b"[1 2]", b"{1:2}", b"[tru]", b"[nul]",
        b"[+1]", b"[.5]", b"[1e5]", b"[00]", b"[1]x", b"[1] ]",
        b'["\x01"]', b'["\\ud800"]', b'["\xed\xa0\x80"]', b"\xff[1]",
        b"[" * 60,
        b"[NaN]", b"[Infinity]", b'{"a":1,"b"', b"[1\x00]", b'{"\\u0065mail":1}',
    ],
)  # fmt: skip
def test_what_is_odd_is_left_to_the_tagger(places: Find, body: bytes) -> None:
    assert places(body, tagger().fresh_root(), tagger().look) is None


def test_every_occurrence_of_a_key_that_stands_twice_is_seen(places: Find) -> None:
    assert same(places, b'{"email": 1, "email": 2, "rows": [{"id": 1, "id": [2]}]}', PROBES)


def test_a_plain_body_is_read_without_the_tagger(places: Find) -> None:
    body = b'{"email":"ann@example.org","n":[1,-2.50,true,null,"\xc3\xa5"],"at":"2026-11-28T09:58:00Z","who":{"x":[]}}'
    one = tagger()
    found = places(body, one.fresh_root(), one.look)
    assert found is not None
    assert sorted((place.shown, n) for place, n in found.items()) == [("$.email", 1), ("$.who", 1)]
    assert one.look is not None

    def fail(*_: object) -> Place | None:
        raise AssertionError("looked at a value again that its place has told about")

    assert places(body, one.fresh_root(), fail) == found


@settings(max_examples=1500, suppress_health_check=ONCE)
@given(text=TEXTS, probe=st.sampled_from(sorted(SIGNS)))
def test_no_text_in_which_a_probe_finds_something_is_without_its_sign(
    signs: Callable[[str], int], text: str, probe: str
) -> None:
    shown = signs(text) if text.isprintable() else -1
    found = Probes([("it", probe, None)]).find(text, NOBODY)
    if found and shown >= 0:
        assert shown & (SIGNS[probe] | CODED)


@pytest.mark.parametrize("probe", sorted(SIGNS))
def test_a_place_passes_the_signs_of_what_its_name_says(probe: str) -> None:
    probes = Probes([("it", probe, None), ("other", "email", None), ("other", "phone", None)])
    passed = probes.passed(("it",))
    assert bool(passed & SIGNS[probe]) == (probe not in {"email", "phone"})
    assert probes.passed(("it", "other")) == sum(SIGNS.values())


def test_whoever_uses_the_middleware_gets_the_compiled_part(need: Need) -> None:
    need(compiled.COMPILED, "the compiled express lane, for which a C compiler is needed")
    check = "import troth.asgi.middleware; from troth.asgi.express import Express; print(Express.send.__name__)"
    said = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["send"]


def test_without_the_compiled_part_everything_is_as_it_was() -> None:
    environment = {**os.environ, "TROTH_PURE": "1"}
    files = ["tests/asgi/test_express.py", "tests/asgi/test_cookies.py"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files]
    check = "from troth.asgi import compiled, express; print(compiled.COMPILED, express.Express.send.__name__)"
    said = subprocess.run([sys.executable, "-c", check], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["False", "send_plain"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert re.search(r"\d+ passed", done.stdout)
