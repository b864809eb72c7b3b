"""Queries and forms: read as apps read them, edited without touching what stays."""

from urllib.parse import parse_qsl, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troth.errors import UnreadableBody
from troth.filters import form, query
from troth.filters.names import Names
from troth.filters.probes import Known, Probes


@pytest.mark.parametrize(
    ("text", "result"),
    [
        (b"a=1&email=x&b", b"a=1&b"),
        (b"email=x", b""),
        (b"email=x&email=y&a=1", b"a=1"),
        (b"a=1&&email=x&", b"a=1&&"),
        (b"e%6dail=x&a=%zz&b=%", b"a=%zz&b=%"),
        (b"email", b""),
        (b"a=email&b=1;email=2", b"a=email&b=1;email=2"),
        (b"=email&a=+%2B", b"=email&a=+%2B"),
        (b"", b""),
    ],
)
def test_a_parameter_goes_and_the_rest_stays_verbatim(text, result):
    assert query.remove_names(text, {"email"}) == result


def test_a_query_that_loses_nothing_is_the_same_object():
    text = b"a=1&&b=%zz"
    assert query.remove_names(text, {"email"}) is text


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        (b"a=1&b", [("a", "1"), ("b", "")]),
        (b"a+b=c+d%20e", [("a b", "c d e")]),
        (b"%zz=%4&a=%f", [("%zz", "%4"), ("a", "%f")]),
        (b"a=%ff", [("a", "�")]),
        (b"a=b=c&&", [("a", "b=c")]),
        (b"n=%C3%A9\xc3\xa9", [("n", "éé")]),
    ],
)
def test_names_and_values_are_decoded_and_malformed_codes_stay(text, pairs):
    assert [(pair.name, pair.value) for pair in query.split(text)] == pairs


@given(st.lists(st.tuples(st.text(min_size=1, max_size=6), st.text(max_size=6)), max_size=6), st.data())
def test_pairs_are_read_and_removed_as_the_standard_library_reads_them(pairs, data):
    pairs = [(n.encode("utf-8", "replace").decode(), v.encode("utf-8", "replace").decode()) for n, v in pairs]
    text = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs).encode()
    assert [(pair.name, pair.value) for pair in query.split(text)] == pairs
    gone = data.draw(st.sets(st.sampled_from([name for name, _ in pairs]))) if pairs else set()
    left = query.remove_names(text, gone)
    assert parse_qsl(left.decode(), keep_blank_values=True) == [pair for pair in pairs if pair[0] not in gone]
    assert query.remove_names(left, gone) is left


@given(st.lists(st.sampled_from([b"a", b"=", b"&", b"%", b"6", b"1", b"+", b";", b"\xff"])).map(b"".join))
def test_any_query_loses_exactly_the_named_pieces(text):
    left = query.remove_names(text, {"a"})
    pieces = [raw for raw in text.split(b"&") if not raw or query.split(raw)[0].name != "a"]
    assert left == b"&".join(pieces)


def test_fields_of_a_query_are_tagged_by_name_and_by_value():
    names = Names({"email": ["email"], "q*": ["search"]})
    probes = Probes([("email", "email", None), ("id", "known", None)])
    pairs = query.split(b"EMAIL=1&ref=ada%2540example.com&query=x&user%5Bemail%5D=y&n=u-4711&x=1")
    fields = query.tag(pairs, names, probes=probes, known=Known({"id": ["4711"]}))
    assert [(field.categories, field.shown, field.at) for field in fields] == [
        (("email",), "email", 0),
        (("email",), "?", 1),
        (("search",), "q*", 2),
        (("email",), "email", 3),
        (("id",), "?", 4),
    ]
    assert len(query.tag(pairs, names, undeclared=True)) == 6


def test_of_a_name_with_brackets_the_innermost_declared_word_counts():
    names = Names({"address": ["home"], "email": ["email"]})
    pairs = query.split(b"address[city]=x&address[lines][]=y&address[email]=z&a[b]=1&[]=2&email[=3")
    told = [(field.categories, field.name, field.at) for field in query.tag(pairs, names)]
    assert told == [
        (("home",), "address", 0),
        (("home",), "address", 1),
        (("email",), "email", 2),
        (("email",), "email", 5),
    ]


def test_an_urlencoded_form_is_read_and_edited():
    body = b"name=Ada+L&email=a%40b.se&ok=on"
    assert [(pair.name, pair.value) for pair in form.read(body)] == [
        ("name", "Ada L"),
        ("email", "a@b.se"),
        ("ok", "on"),
    ]
    assert form.remove(body, lambda pair: pair.name == "email") == b"name=Ada+L&ok=on"


@pytest.mark.parametrize("body", ["email=x".encode("utf-16"), "email=x".encode("utf-16-le"), b"a=\xff", b"a=\0"])
def test_a_form_in_another_charset_is_unreadable(body):
    with pytest.raises(UnreadableBody) as caught:
        form.read(body)
    assert caught.value.reason == "malformed"
    with pytest.raises(UnreadableBody):
        form.remove(body, lambda pair: False)
