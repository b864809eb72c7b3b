"""Inbound cookies: what browsers really send, and that nothing but the dropped cookies changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troth.filters.cookies import Jar, filter_headers, split, value_of

ODD = [
    (b"a=1; b=2", [(b"a", b"a=1"), (b"b", b"b=2")]),
    (b"a=1;b=2;", [(b"a", b"a=1"), (b"b", b"b=2")]),
    (b" ; ;a=1;; ", [(b"a", b"a=1")]),
    (b"_gaonly", [(b"", b"_gaonly")]),
    (b"=_ga=1", [(b"", b"=_ga=1")]),
    (b"a b=1", [(b"a b", b"a b=1")]),
    (b"a = 1", [(b"a", b"a = 1")]),
    (b"a\t=1", [(b"a", b"a\t=1")]),
    (b"foo=a; foo=root", [(b"foo", b"foo=a"), (b"foo", b"foo=root")]),
    (b'q="x; _ga=1"', [(b"q", b'q="x'), (b"_ga", b'_ga=1"')]),
    (b"a=b=c", [(b"a", b"a=b=c")]),
    (b"a=", [(b"a", b"a=")]),
    (b"=", [(b"", b"=")]),
    (b"", []),
    (b"\xff\xfe=\x80", [(b"\xff\xfe", b"\xff\xfe=\x80")]),
    (b"a=1, b=2", [(b"a", b"a=1, b=2")]),
]


@pytest.mark.parametrize(("header", "cookies"), ODD)
def test_odd_cookie_headers_are_split_as_browsers_mean_them(header, cookies):
    assert split(header) == cookies


def test_headers_of_which_nothing_goes_come_back_as_the_same_object():
    headers = [(b"host", b"x"), (b"cookie", b" a=1;;b=2 ; ")]
    kept, dropped = filter_headers(headers, {b"other": True}.get)
    assert kept is headers
    assert dropped == []


def test_kept_cookies_stay_verbatim_and_in_order():
    headers = [(b"host", b"x"), (b"cookie", b'z="q" ;_ga=1;  a b=2; nameless; _ga=3;s = 4')]
    kept, dropped = filter_headers(headers, {b"_ga": True}.get)
    assert kept == [(b"host", b"x"), (b"cookie", b'z="q"; a b=2; nameless; s = 4')]
    assert dropped == [b"_ga", b"_ga"]
    assert headers[1][1].startswith(b'z="q" ;_ga')


def test_a_header_of_which_nothing_is_left_goes_and_the_others_stay_where_they_were():
    headers = [
        (b"cookie", b"_ga=1"),
        (b"host", b"x"),
        (b"Cookie", b"a=1; _ga=2"),
        (b"cookie", b"b=2"),
        (b"x", b"cookie"),
    ]
    kept, dropped = filter_headers(headers, {b"_ga": True}.get)
    assert kept == [(b"host", b"x"), (b"Cookie", b"a=1"), (b"cookie", b"b=2"), (b"x", b"cookie")]
    assert dropped == [b"_ga", b"_ga"]


def test_a_nameless_cookie_is_dropped_by_the_empty_name():
    kept, dropped = filter_headers([(b"cookie", b"a=1; _gaonly")], {b"": True}.get)
    assert kept == [(b"cookie", b"a=1")]
    assert dropped == [b""]


def test_names_can_be_read_before_anything_is_decided():
    jar = Jar([(b"cookie", b"consent=one; a=1"), (b"cookie", b'consent = "two"')])
    assert jar.values(b"consent") == [b"one", b'"two"']
    assert jar.values(b"missing") == []
    assert jar.without({b"a": 1}.get) == ([(b"cookie", b"consent=one"), (b"cookie", b'consent = "two"')], [b"a"])


def test_of_two_cookies_with_one_name_only_the_one_with_that_value_goes():
    jar = Jar([(b"cookie", b"id=ada@example.com; id=7")])
    kept, dropped = jar.without_pieces(lambda name, piece: b"@" in value_of(piece))
    assert kept == [(b"cookie", b"id=7")]
    assert dropped == [b"id"]
    assert jar.without_pieces(lambda name, piece: False)[0] is jar.headers


HEADER = st.lists(st.sampled_from([b"a", b"b", b"=", b";", b" ", b'"', b"\t", b"\xe9", b",", b"_ga"])).map(b"".join)


@given(values=st.lists(HEADER, max_size=3), gone=st.sets(st.sampled_from([b"a", b"b", b"_ga", b"", b"ab"])))
def test_filtering_removes_exactly_the_named_cookies(values, gone):
    headers = [(b"x", b"y"), *((b"cookie", value) for value in values)]
    kept, dropped = filter_headers(headers, gone.__contains__)
    before = [piece for value in values for piece in split(value)]
    after = [piece for name, value in kept if name == b"cookie" for piece in split(value)]
    assert after == [piece for piece in before if piece[0] not in gone]
    assert dropped == [piece[0] for piece in before if piece[0] in gone]
    assert filter_headers(kept, gone.__contains__)[0] is kept
    assert all(value in values or gone for name, value in kept if name == b"cookie")
