"""Which members of a JSON body are fields, and which bodies nobody can be sure about."""

import json
import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troth.errors import UnreadableBody
from troth.filters.names import Glob, Names
from troth.filters.places import parse_selector
from troth.filters.probes import Known, Probes
from troth.filters.splicing import Edit
from troth.filters.tagging import Tagger

TODAY = date(2026, 11, 22)
NAMES = {"email": ["email"], "name": ["name"], "x-geo-*": ["location"], "dob": ["birth"], "phone": ["phone", "contact"]}


def counts(body, tagger=None, **options):
    tagger = tagger or Tagger(NAMES, **options)
    return tagger.tag(body if isinstance(body, bytes) else json.dumps(body).encode(), today=TODAY).counts()


def test_a_declared_name_with_a_scalar_value_is_a_field_wherever_it_stands():
    body = {"email": "a", "order": {"Email": None, "name": {"first": "x"}}, "rows": [{"email": 1}, {"email": True}]}
    assert counts(body) == {("email", "$.email"): 1, ("email", "$.?.email"): 1, ("email", "$.?[*].email"): 2}


def test_a_list_of_scalars_goes_by_its_name():
    assert counts({"email": ["a", "b", {"name": "x"}], "x": ["a"]}) == {
        ("email", "$.email[*]"): 2,
        ("name", "$.email[*].name"): 1,
    }


def test_with_whole_a_declared_name_says_it_of_objects_and_lists():
    body = {"email": ["a", "b"], "name": {"first": "x", "phone": "1"}, "rows": [{"name": []}], "x": {"y": "z"}}
    tagger = Tagger(NAMES, whole=True)
    assert counts(body, tagger) == {
        ("email", "$.email"): 1,
        ("name", "$.name"): 1,
        ("phone", "$.name.phone"): 1,
        ("contact", "$.name.phone"): 1,
        ("name", "$.?[*].name"): 1,
    }
    cut = tagger.edit(json.dumps(body).encode(), lambda one: Edit.REMOVE if "name" in one.categories else None)
    assert json.loads(cut) == {"email": ["a", "b"], "rows": [{}], "x": {"y": "z"}}
    held = Tagger(NAMES, {"$.name": []}, whole=True)
    assert counts({"name": [{"name": "x"}]}, held) == {("name", "$.name[*].name"): 1}, "the binding knows better"


def test_with_whole_an_age_may_come_in_parts():
    tagger = Tagger(NAMES, with_age=["birth"], whole=True)
    tags = tagger.tag(
        b'{"dob": {"year": 2010, "month": 1, "day": 1}, "rows": [{"dob": ["2009-01-01", 7]}]}', today=TODAY
    )
    assert {place.shown: stated for place, stated in tags.ages} == {"$.dob": (16.0, 17.0), "$.?[*].dob": (7.0, 8.0)}


def test_patterns_and_names_of_several_categories_are_matched_without_case():
    assert counts({"X-Geo-Lat": 1, "x-geo": 2, "PHONE": "1"}) == {
        ("location", "$.x-geo-*"): 1,
        ("phone", "$.phone"): 1,
        ("contact", "$.phone"): 1,
    }


@pytest.mark.parametrize("name", ["date_of_birth", "dateOfBirth", "Date of birth", "date-of-birth", "DATEOFBIRTH"])
def test_a_declared_name_fits_in_any_spelling(name):
    names = Names({"date_of_birth": ["birth"], "date-of-birth-x": ["other"]})
    assert names.of(name) == ("birth",)
    assert names.shown(name) == "date_of_birth"
    assert names.of(name + "s") == ()
    assert counts({name: 1}, Tagger({"date_of_birth": ["birth"]})) == {("birth", "$.date_of_birth"): 1}


def test_a_spelling_that_is_declared_goes_before_one_that_is_like_it():
    names = Names({"e-mail": ["email"], "email": ["account"], "x_*": ["x"], "x-y": ["y"], "_": ["odd"]})
    assert [names.of(name) for name in ("E-Mail", "email", "e_mail", "x_y", "X-Y", "xY", "", "--")] == [
        ("email",), ("account",), ("email",), ("x",), ("y",), ("y",), (), (),
    ]  # fmt: skip


def test_an_escaped_key_is_the_key_it_spells():
    assert counts(b'{"e\\u006dail": 1}') == {("email", "$.email"): 1}


def test_every_occurrence_of_a_key_that_stands_twice_is_seen():
    assert counts(b'{"email": 1, "email": 2}') == {("email", "$.email"): 2}
    assert counts(b'{"a": {"email": 1}, "a": 2}') == {("email", "$.?.email"): 1}
    assert counts(b'{"email" :1,"email" :2,"b":":x","c":":y"}') == {("email", "$.email"): 2}
    assert counts(b'[{"a": [{"email": 1}], "a": []}]') == {("email", "$[*].?[*].email"): 1}


def test_a_selector_goes_before_a_name_and_takes_whatever_stands_there():
    selectors = {"$.who": ["subject"], "$.product.name": [], "$.by_country.*": ["country"], "$[*].id": ["id"]}
    body = {"who": {"name": "x"}, "product": {"name": "p"}, "by_country": {"SE": 1, "NO": {"n": 2}}, "name": "n"}
    assert counts(body, selectors=selectors) == {
        ("subject", "$.who"): 1,
        ("name", "$.who.name"): 1,
        ("country", "$.by_country.*"): 2,
        ("name", "$.name"): 1,
    }
    assert counts([{"id": 7}, {"id": 8}], selectors=selectors) == {("id", "$[*].id"): 2}


@pytest.mark.parametrize("text", ["", "a", "$a", "$.", "$..a", "$[0]", "$[*", "$.a[", "$['a]"])
def test_what_is_no_selector_is_refused(text):
    with pytest.raises(ValueError, match="selector"):
        parse_selector(text)


def test_an_odd_member_name_can_be_selected():
    assert counts({"a.b": {"c d": 1}}, selectors={"$['a.b'][\"c d\"]": ["odd"]}) == {("odd", "$.a.b.c d"): 1}


def test_a_name_that_a_client_chose_is_never_shown():
    shown = {
        place
        for _, place in counts(
            {"ada@x": {"EMAIL": 1}, "x-geo-ada@x": 2, "rows": {"ada": {"name": 1}}}, selectors={"$.rows.*": []}
        )
    }
    assert shown == {"$.?.email", "$.x-geo-*", "$.rows.*.name"}


def test_a_probe_makes_a_field_of_a_member_without_a_name():
    probes = Probes([("email", "email", None), ("card", "luhn", None)])
    body = {
        "note": "write to ada@example.com",
        "n": 4111111111111111,
        "email": "ada@example.com",
        "l": ["x", "b@example.com"],
    }
    assert counts(body, probes=probes) == {
        ("email", "$.?"): 1,
        ("card", "$.?"): 1,
        ("email", "$.email"): 1,
        ("email", "$.?[*]"): 1,
    }


def test_known_values_are_found_and_only_where_they_stand():
    tagger = Tagger({}, probes=Probes([("name", "known", None)]))
    body = b'[{"note": "Hi Ada Lovelace!"}, {"note": "nobody"}]'
    known = Known({"name": ["ada lovelace"], "other": ["nobody"]})
    assert tagger.tag(body, today=TODAY, known=known).categories() == {"name"}
    cut = tagger.edit(body, lambda place: Edit.REMOVE if "name" in place.categories else None, known=known)
    assert cut == b'[{}, {"note": "nobody"}]'


def test_stated_ages_are_read_where_they_are_asked_for():
    tagger = Tagger(NAMES, {"$.kids[*]": ["age"]}, with_age=["birth", "age"])
    tags = tagger.tag(b'{"dob": "2010-01-01", "kids": [7, null], "rows": [{"dob": "never"}], "name": "x"}', today=TODAY)
    assert {place.shown: stated for place, stated in tags.ages} == {
        "$.dob": (16.0, 17.0),
        "$.kids[*]": (7.0, 8.0),
        "$.?[*].dob": "unreadable",
    }


def test_members_without_category_are_reported_only_where_asked():
    assert counts({"a": 1, "email": 2, "b": {"c": 3}}, undeclared=True) == {
        ("email", "$.email"): 1,
        ("", "$.?"): 1,
        ("", "$.?.?"): 1,
    }
    assert counts({"a": 1}) == {}


@pytest.mark.parametrize("body", [b"", b" \r\n\t", b"[]", b"{}", b"null", b'"x"', b"1"])
def test_a_body_without_members_holds_nothing(body):
    tags = Tagger(NAMES).tag(body, today=TODAY)
    assert (tags.places, tags.members, tags.categories()) == ({}, 0, frozenset())


UNREADABLE = [
    b"\xef\xbb\xbf{}",
    '{"email": 1}'.encode("utf-16"),
    '{"email": 1}'.encode("utf-16-le"),
    '{"email": 1}'.encode("utf-32"),
    b'{"a": NaN}',
    b'{"a": Infinity}',
    b'{"a": -Infinity}',
    b'{"a": "\\ud800"}',
    b'{"\\udc00": 1}',
    b'{"a": "\xed\xa0\x80"}',
    b'{"a": 1e400}',
    b"{} x",
    b"{}{}",
    b'{"a": "\x01"}',
    b'{"a": "\n"}',
    b'{"\xff": 1}',
    b"{'a': 1}",
    b'{"a": 1,}',
    b'{"a": 01}',
    b'{"a": 1',
    b"[1] // x",
    b"[" * 100_000,
    b"[" * 65 + b"]" * 65,
    b'{"a":' * 65 + b"1" + b"}" * 65,
    b'{"a": ' + b"9" * 5000 + b"}",
]


@pytest.mark.parametrize("body", UNREADABLE, ids=range(len(UNREADABLE)))
def test_a_body_on_which_readers_could_disagree_is_unreadable(body):
    with pytest.raises(UnreadableBody) as caught:
        Tagger(NAMES).tag(body, today=TODAY)
    assert caught.value.reason == "malformed"
    with pytest.raises(UnreadableBody):
        Tagger(NAMES).edit(body, lambda place: None)


def test_an_error_carries_nothing_of_the_body():
    with pytest.raises(UnreadableBody) as caught:
        Tagger(NAMES).tag(b'{"secret-canary": "\xff"', today=TODAY)
    error = caught.value
    assert error.__cause__ is None or "canary" not in str(error.__cause__)
    assert error.__suppress_context__


def test_the_depth_limit_can_be_set():
    body = b'{"a":' * 300 + b'{"email": 1}' + b"}" * 300
    assert Tagger(NAMES, depth=512).tag(body, today=TODAY).categories() == {"email"}


KEYS = st.sampled_from(["a", "b", "email", "EMAIL", "name", "x-geo-1", "é", "", 'a"b', "c\\", ":", " :"])
SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", ":", '":', "x", "é\n", "a\\"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=20
)


def names_in(value, found=()):
    if isinstance(value, dict):
        for key, member in value.items():
            own = Names(NAMES).of(key)
            if isinstance(member, dict | list):
                yield from names_in(member, own)
            else:
                yield from own
    elif isinstance(value, list):
        for member in value:
            if isinstance(member, dict | list):
                yield from names_in(member, found)
            else:
                yield from found


@given(value=VALUES, indent=st.sampled_from([None, 0, 2]), ascii_only=st.booleans())
def test_tagging_finds_what_a_plain_walk_finds(value, indent, ascii_only):
    body = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    found = sorted(category for (category, _), n in counts(body).items() for _ in range(n))
    assert found == sorted(names_in(value))


@given(pairs=st.lists(st.tuples(KEYS, SCALARS), max_size=6), colon=st.sampled_from([":", " :", "\n: ", "\t:"]))
def test_no_repeated_key_is_lost(pairs, colon):
    members = [f"{json.dumps(key)}{colon}{json.dumps(value)}" for key, value in pairs]
    body = ("{" + ",".join(members) + "}").encode()
    tags = Tagger(NAMES).tag(body, today=TODAY)
    assert tags.members == len(pairs)
    assert sum(tags.counts().values()) == sum(len(Names(NAMES).of(key)) for key, _ in pairs)


def test_learning_is_bounded_and_goes_on():
    tagger = Tagger(NAMES)
    for start in range(0, 20_000, 2_000):
        body = {f"key{n}": {"email": n} for n in range(start, start + 2_000)}
        assert counts(body, tagger) == {("email", "$.?.email"): 2_000}
    assert tagger._shape.learned <= 4_096
    assert counts({"email": 1}, tagger) == {("email", "$.email"): 1}


@given(pattern=st.text("ab*", max_size=6), name=st.text("ab", max_size=8))
def test_a_pattern_means_what_a_shell_pattern_means(pattern, name):
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name) is not None
    assert Glob(pattern).matches(name) is expected
