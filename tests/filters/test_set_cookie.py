"""Outbound cookies: read as browsers read them, changed by the smallest edit, deleted so that browsers obey."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troth.filters.cookie_date import read_date
from troth.filters.set_cookie import HEADER_BUDGET, Wanted, amend, expire, name_of, parse, within_budget

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
MONTH = 30 * 86400


def seconds(header):
    lifetime = parse(header).lifetime(NOW)
    return None if lifetime is None else lifetime.total_seconds()


@pytest.mark.parametrize(
    ("header", "name", "value"),
    [
        (b"a=1; Path=/", b"a", b"1"),
        (b" a b = 1 2 ;secure", b"a b", b"1 2"),
        (b"nameless", b"", b"nameless"),
        (b"=x", b"", b"x"),
        (b"nameless; Path=/a=b", b"", b"nameless"),
        (b'a="x"', b"a", b'"x"'),
        (b"a=b=c", b"a", b"b=c"),
        (b"", b"", b""),
    ],
)
def test_name_and_value_are_read(header, name, value):
    cookie = parse(header)
    assert (cookie.name, cookie.value) == (name, value)
    assert name_of(header) == name


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"a=1", None),
        (b"a=1; Max-Age=10", 10),
        (b"a=1;MAX-AGE = 10 ;Max-Age=20", 20),
        (b"a=1; Max-Age=20; Max-Age=x", 20),
        (b'a=1; Max-Age="20"', None),
        (b"a=1; Max-Age=+20", None),
        (b"a=1; Max-Age=0", 0),
        (b"a=1; Max-Age=-1", 0),
        (b"a=1; Max-Age=-", None),
        (b"a=1; Max-Age", None),
        (b"a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60", 60),
        (b"a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", 60),
        (b"a=1; Expires=Sun, 22 Nov 2026 12:01:00 GMT", 60),
        (b"a=1; Expires=Sunday, 22-Nov-26 12:01:00 GMT", 60),
        (b"a=1; expires=Sun Nov 22 12:01:00 2026", 60),
        (b"a=1; Expires=soon", None),
        (b"a=1; Expires=Sun, 22 Nov 2026 25:01:00 GMT", None),
        (b"a=1; Expires=Sun, 22 Nov 2026 12:01:00 GMT; Expires=junk", 60),
    ],
)
def test_the_attribute_that_browsers_heed_gives_the_lifetime(header, expected):
    assert seconds(header) == expected


def test_a_huge_max_age_is_a_long_life_not_an_error():
    assert parse(b"a=1; Max-Age=" + b"9" * 5000).lifetime(NOW) is None
    long = parse(b"a=1; Max-Age=" + b"9" * 500).lifetime(NOW)
    assert long is not None
    assert long > timedelta(days=300_000)
    assert seconds(b"a=1; Max-Age=" + b"0" * 40 + b"7") == 7


@pytest.mark.parametrize(
    ("header", "wanted", "result"),
    [
        (b"a=1; Max-Age=63072000; Path=/", {"max_age": MONTH}, b"a=1; Max-Age=2592000; Path=/"),
        (b"a=1;max-age= 63072000 ;Path=/", {"max_age": MONTH}, b"a=1;max-age= 2592000 ;Path=/"),
        (
            b"a=1; Expires=Tue, 22 Nov 2033 12:00:00 GMT; Path=/",
            {"max_age": 60},
            b"a=1; Expires=Sun, 22 Nov 2026 12:01:00 GMT; Path=/; Max-Age=60",
        ),
        (
            b"a=1; Max-Age=900; Expires=Tue, 22 Nov 2033 12:00:00 GMT",
            {"max_age": 60},
            b"a=1; Max-Age=60; Expires=Sun, 22 Nov 2026 12:01:00 GMT",
        ),
        (b"a=1; Max-Age=5; Max-Age=900", {"max_age": 60}, b"a=1; Max-Age=5; Max-Age=60"),
        (b"a=1; Max-Age=900; Expires=Sun, 22 Nov 2026 13:00:00 GMT; Path=/", {"session": True}, b"a=1; Path=/"),
        (b"a=1; Path=/", {"secure": True, "http_only": True}, b"a=1; Path=/; Secure; HttpOnly"),
        (b"a=1; secure", {"secure": True}, b"a=1; secure"),
        (b"a=1; SameSite=None", {"same_site": "Lax"}, b"a=1; SameSite=Lax"),
        (b"a=1; samesite=lax", {"same_site": "Lax"}, b"a=1; samesite=lax"),
        (b"a=1; samesite", {"same_site": "Lax"}, b"a=1; samesite=Lax"),
        (b"a=1", {"same_site": "Lax"}, b"a=1; SameSite=Lax"),
        (b"a=1;Domain=example.com; domain=.x.example;Path=/", {"host_only": True}, b"a=1;Path=/"),
        (b"a=Max-Age=900", {"max_age": 60}, b"a=Max-Age=900"),
    ],
)
def test_the_smallest_edit_makes_the_attributes_true(header, wanted, result):
    assert amend(header, Wanted(**wanted), NOW) == result


@pytest.mark.parametrize("header", [b"a=1", b"a=1; Max-Age=60", b"a=1; Max-Age=0", b"a=1; Expires=junk"])
def test_a_cookie_that_lives_no_longer_than_asked_is_the_same_object(header):
    assert amend(header, Wanted(max_age=60), NOW) is header


PART = st.sampled_from(
    [
        b"Max-Age=100",
        b"max-age = 1",
        b"Max-Age=x",
        b"Max-Age",
        b"Expires=Tue, 22 Nov 2033 12:00:00 GMT",
        b"expires=x",
        b"Secure",
        b"secure=1",
        b"HttpOnly",
        b"SameSite=None",
        b"SAMESITE",
        b"Domain=x.example",
        b"domain",
        b"Path=/",
        b"",
        b" ",
    ]
)


@given(
    parts=st.lists(PART, max_size=6),
    value=st.sampled_from([b"a=1", b"x", b"a = b=c ", b""]),
    wanted=st.builds(
        Wanted,
        session=st.booleans(),
        max_age=st.none() | st.sampled_from([0, 50, 200]),
        secure=st.booleans(),
        http_only=st.booleans(),
        same_site=st.sampled_from([None, "Lax", "Strict"]),
        host_only=st.booleans(),
    ),
)
def test_amending_makes_all_wishes_true_once_and_leaves_the_value_alone(parts, value, wanted):
    header = b";".join([value, *parts])
    result = amend(header, wanted, NOW)
    cookie = parse(result)
    assert (cookie.name, cookie.value) == (parse(header).name, parse(header).value)
    lifetime = cookie.lifetime(NOW)
    if wanted.session:
        assert lifetime is None
    elif wanted.max_age is not None:
        assert lifetime is None or lifetime <= timedelta(seconds=wanted.max_age)
        assert (lifetime is None) == (parse(header).lifetime(NOW) is None)
    assert not wanted.secure or cookie.get(b"secure") is not None
    assert not wanted.http_only or cookie.get(b"httponly") is not None
    assert wanted.same_site is None or cookie.get(b"samesite") == wanted.same_site.encode()
    assert not wanted.host_only or cookie.get(b"domain") is None
    assert amend(result, wanted, NOW) is result


@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader(header):
    assert parse(header).header == header
    assert name_of(header) == parse(header).name
    read_date(header)


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001 - made aware below
def test_every_way_to_write_a_date_reads_the_same(moment):
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    for form in ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%Y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"):
        assert read_date(moment.strftime(form).encode()) == moment


def test_a_cookie_is_expired_host_only_or_on_its_domain():
    assert expire(b"_ga") == b"_ga=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
    assert expire(b"_ga", domain="example.com", path="/shop").endswith(b"; Domain=example.com")
    assert b"; Path=/shop;" in expire(b"_ga", path="/shop")


@pytest.mark.parametrize("name", [b"__Host-id", b"__host-id", b"__Host-Http-id"])
def test_the_host_prefix_gets_secure_and_the_root_path_and_no_domain(name):
    cookie = parse(expire(name, domain="example.com", path="/a"))
    assert cookie.get(b"secure") == b""
    assert cookie.get(b"path") == b"/"
    assert cookie.get(b"domain") is None


def test_other_prefixes_and_partitions_get_what_browsers_ask_for():
    assert parse(expire(b"__Secure-id")).get(b"secure") == b""
    assert parse(expire(b"__Http-id")).get(b"httponly") == b""
    partitioned = parse(expire(b"id", partitioned=True))
    assert (partitioned.get(b"secure"), partitioned.get(b"samesite"), partitioned.get(b"partitioned")) == (
        b"",
        b"None",
        b"",
    )
    assert parse(expire(b"id")).get(b"secure") is None
    assert parse(expire(b"id", secure=True)).get(b"secure") == b""


def test_a_nameless_cookie_is_expired_by_a_nameless_one():
    cookie = parse(expire(b""))
    assert cookie.name == b""
    assert cookie.value
    assert cookie.lifetime(NOW) == timedelta(0)


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": b"a\r\nb"},
        {"name": b"a;b"},
        {"name": b" a"},
        {"name": b"a", "domain": "x; Secure"},
        {"name": b"a", "path": "/;x"},
    ],
)
def test_nothing_can_be_injected_into_an_expiry(arguments):
    with pytest.raises(ValueError, match=r"cookie|domain"):
        expire(**arguments)


@given(st.lists(st.binary(min_size=1, max_size=400), max_size=40))
def test_expiries_stay_within_the_budget_and_in_order(values):
    taken, waiting = within_budget(values)
    assert taken == values[: len(taken)]
    assert len(taken) + waiting == len(values)
    assert sum(map(len, taken)) <= HEADER_BUDGET
