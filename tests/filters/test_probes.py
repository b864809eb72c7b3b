"""What a value shows, and what only looks like it."""

import base64
import hashlib
import json
import math
import random
import time
from datetime import date
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troth.filters.ages import age
from troth.filters.digits import is_card, is_card_number, is_phone
from troth.filters.patterns import compile_pattern
from troth.filters.probes import NO_PROBES, Known, Probes, has_address, has_email, probe_cookie

TODAY = date(2026, 11, 22)
INF = math.inf


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("dob", "2008-11-22", (18, 19)),
        ("dob", "2008-11-23", (17, 18)),
        ("dob", "2008-11-22T10:00:00Z", (18, 19)),
        ("dob", "20081122", (18, 19)),
        ("dob", 20081123, (17, 18)),
        ("dob", "22.11.2008", (18, 19)),
        ("dob", "23.11.2008", (17, 18)),
        ("dob", "11/23/2008", (17, 18)),
        ("dob", "03/12/2008", (17, 19)),
        ("dob", "22 Nov 2008", (18, 19)),
        ("dob", "November 23, 2008", (17, 18)),
        ("dob", "2008-11", (17, 19)),
        ("born", 2008, (17, 19)),
        ("age", 17, (17, 18)),
        ("age", "17", (17, 18)),
        ("age", 17.9, (17, 18)),
        ("age", "18-24", (18, 25)),
        ("age", "65+", (65, INF)),
        ("age", 0, (0, 1)),
        ("dob", "2026-11-22", (0, 1)),
        ("over18", "yes", (18, INF)),
        ("over_18", "on", (18, INF)),
        ("isOver18", True, (18, INF)),
        ("is_over_18", 1, (18, INF)),
        ("age_over_18", "false", (0, 18)),
        ("over-13", "0", (0, 13)),
        ("under18", True, (0, 18)),
        ("under_16", "no", (16, INF)),
        ("min_age_18", "true", (18, INF)),
        ("dob", {"year": 2008, "month": 11, "day": 23}, (17, 18)),
        ("dob", {"Day": "22", "Month": "November", "Year": "2008"}, (18, 19)),
        ("dob", {"y": "2008", "m": "11", "d": ""}, (17, 19)),
        ("dob", {"yyyy": 2008}, (17, 19)),
        ("dob", {"value": "2008-11-23", "verified": True, "note": "as told"}, (17, 18)),
        ("ages", [40, 12, None], (12, 13)),
        ("dob", [{"year": 2008, "month": 11, "day": 22}], (18, 19)),
    ],
)
def test_an_age_is_read_as_an_interval(name, value, expected):
    assert age(name, value, TODAY) == expected


@pytest.mark.parametrize("value", [None, "", "  ", [], {}, [None], {"year": ""}, {"a": None}])
def test_nothing_stated_is_no_age(value):
    assert age("dob", value, TODAY) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dob", "2009-02-30"), ("dob", "2027-01-01"), ("dob", "1800-01-01"), ("dob", "soon"), ("dob", "13.13.2008"),
        ("age", 200), ("age", -1), ("age", "-1"), ("age", True), ("age", float("nan")), ("age", 1e300),
        ("age", "24-18"),
        ("dob", "32 Nov 2008"), ("dob", "12 Foo 2008"), ("over18", "maybe"), ("over18", 18), ("age", "٣"),
        ("dob", ["x"]),
        ("dob", ["2008-11-22", "x"]), ("dob", {"year": 2008, "month": 13, "day": 1}), ("dob", {"a": 12, "b": 30}),
        ("dob", {"note": "x"}),
    ],
)  # fmt: skip
def test_a_value_that_is_no_age_is_unreadable(name, value):
    assert age(name, value, TODAY) == "unreadable"


@given(st.dates(date(1900, 1, 1), TODAY))
def test_a_birth_date_gives_the_completed_years(born):
    found = age("dob", born.isoformat(), TODAY)
    assert isinstance(found, tuple)
    low, high = found
    assert high == low + 1
    assert born.replace(year=born.year + int(low), day=min(born.day, 28)) <= TODAY
    for text in (
        born.strftime("%d.%m.%Y"),
        born.strftime("%Y%m%d"),
        born.strftime("%d %B %Y"),
        born.strftime("%Y/%m/%d"),
    ):
        assert age("dob", text, TODAY) == (low, high)
    other = age("dob", born.strftime("%m/%d/%Y"), TODAY)
    assert isinstance(other, tuple)
    low2, high2 = other
    assert low2 <= low < high <= high2


@given(st.text(max_size=40), st.text(max_size=40) | st.integers() | st.floats())
def test_no_value_breaks_the_reading_of_ages(name, value):
    stated = age(name, value, TODAY)
    assert stated is None or stated == "unreadable" or 0 <= stated[0] < stated[1]


@pytest.mark.parametrize(
    "text",
    ["ada@example.com", "to: <Ada.L+x@mail.example.co.uk>", "a@b.se,c", "mailto:é@müller.de", "x'ada@example.com."],
)
def test_an_email_address_is_found(text):
    assert has_email(text)


@pytest.mark.parametrize(
    "text", ["@", "a@", "@b.se", "a@b", "a@@b.se"[:3], "logo@2x.png", "pkg@1.2.3", "a @b.se", "a@b.s"]
)
def test_what_is_no_email_address_is_not_found(text):
    assert not has_email(text)


@pytest.mark.parametrize(
    "text",
    ["192.0.2.7", "from 192.0.2.7.", "[2001:db8::1]", "2001:DB8:0:0:0:0:0:1", "::ffff:192.0.2.7", "ip=10.0.0.1;"],
)
def test_an_address_is_found(text):
    assert has_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "1.2.3",
        "300.1.1.1",
        "1.2.3.4.5",
        "Chrome/126.0.0.0",
        "12:30:45",
        "v1.2.3.4x",
        "a::b::c",
        "10:00",
        "abc:def:ghi",
        "",
    ],
)
def test_what_is_no_address_is_not_found(text):
    assert not has_address(text)


CARDS = ["4111111111111111", "4222222222222", "5555555555554444", "2223003122003222", "378282246310005",
         "6011111111111117", "3530111333300000", "30569309025904", "6200000000000005"]  # fmt: skip


@pytest.mark.parametrize("number", CARDS)
def test_a_card_number_is_found_in_a_run_in_groups_and_as_an_integer(number):
    assert is_card(number)
    assert is_card_number(int(number))
    assert is_card(f"card {number}, thanks")
    if len(number) == 16:
        for separator in " -":
            grouped = separator.join(number[at : at + 4] for at in range(0, 16, 4))
            assert is_card(grouped)
            assert is_card(f"2024 {grouped}")
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert not is_card(wrong)


@pytest.mark.parametrize(
    "text",
    [
        "0.4111111111111111",
        "411111111111111",
        "4111 1111 11111111",
        "x" * 50,
        "",
        "9999999999999995",
        "12345678901234567890",
    ],
)
def test_what_is_no_card_is_not_found(text):
    assert not is_card(text)


def test_time_stamps_snowflakes_and_device_numbers_are_no_cards():
    dice = random.Random(7)
    for _ in range(20_000):
        millis = dice.randrange(1_000_000_000_000, 2_200_000_000_000)
        micros = dice.randrange(1_000_000_000_000_000, 2_200_000_000_000_000)
        snowflake = dice.randrange(100_000_000_000_000_000, 2_000_000_000_000_000_000)
        imei = f"35{dice.randrange(10**13):013d}"
        assert not any(map(is_card_number, (millis, micros, snowflake)))
        assert not is_card(imei)


@pytest.mark.parametrize(
    "text",
    [
        "+46701234567",
        "+1 (202) 555-0123",
        "call +44 20 7946 0958 now",
        "202-555-0123",
        "(202) 555-0123",
        "070-123 45 67",
        "08-123 456 78",
        "+49.30.901820",
    ],
)
def test_a_telephone_number_is_found(text):
    assert is_phone(text)


@pytest.mark.parametrize(
    "text",
    [
        "2024-11-22", "2024-11-22T10:11:12+02:00", "01-02-2024 10:11", "1700000000", "1700000000000", "v1.2.3", "+1",
        "550e8400-e29b-41d4-a716-446655440000", "192.168.100.200", "4111 1111 1111 1111", "12.50",
        "0701234567", "10:00+0200",
        "01/02/2024 10:11:12", "+0123456789", "SCN-125", "00000000-0000-0000-0000-000000000000",
    ],
)  # fmt: skip
def test_times_ids_and_prices_are_no_telephone_numbers(text):
    assert not is_phone(text)


def wrapped(value):
    yield value
    yield quote(value, safe="")
    yield quote(quote(value, safe=""), safe="")
    yield base64.b64encode(value.encode()).decode()
    yield base64.urlsafe_b64encode(value.encode()).decode().rstrip("=")
    yield json.dumps({"a": [1, {"b": value}]})
    yield quote(json.dumps([value]))
    yield base64.b64encode(json.dumps({"u": value}).encode()).decode() + ".aBc-1.sIgNaTuRe_x"
    yield f'"{value}"'


@pytest.mark.parametrize("form", range(9))
def test_a_cookie_value_is_read_in_every_form(form):
    probes = Probes([("email", "email", None), ("name", "known", None), ("card", "luhn", None)])
    known = Known({"name": ["Ada Lovelace"]})
    for value, category in (("ada@example.com", "email"), ("Ada Lovelace", "name"), ("4111111111111111", "card")):
        text = list(wrapped(value))[form]
        assert probe_cookie(probes, text.encode(), known) == {category}


def test_known_values_are_sought_as_whole_tokens_of_four_characters():
    known = Known({"id": ["42", "4711"], "name": ["  "]})
    assert list(known.find("42 and 47110 and a4711")) == []
    assert list(known.find("u:4711.9")) == ["id"]
    assert list(known.find("47114711 4711")) == ["id"]
    assert not Known({"id": ["42"]})


def test_a_category_has_only_the_probes_of_its_row():
    probes = Probes([("name", "known", None)])
    assert probes.find("ada@example.com Lovelace", Known({"id": ["Lovelace"]})) == ()
    assert probes.find(4711, Known({"name": ["4711"]})) == ("name",)
    assert NO_PROBES.find("ada@example.com") == ()
    assert not NO_PROBES
    assert probes.find(None) == probes.find(1.5) == probes.find(True) == ()


@pytest.mark.parametrize("name", ["md5", "sha1", "sha256"])
def test_a_digest_of_a_known_value_tells_as_much_as_the_value(name: str) -> None:
    probes = Probes([("email", "known", None), ("id", "known", None)])
    known = Known({"email": [" Ada@Example.org "], "id": ["u-4711"]})
    digest = hashlib.new(name, b"ada@example.org", usedforsecurity=False).hexdigest()
    assert probes.find(digest, known) == ("email",)
    assert probes.find_within(f"fb.1.{digest.upper()}", known) == frozenset({"email"})
    assert probes.find_within(base64.b64encode(digest.encode()).decode(), known) == frozenset({"email"})
    assert probes.find(digest + "0", known) == probes.find("x" + digest, known) == probes.find(digest[1:], known) == ()
    assert probes.find(digest) == ()
    assert probes.find(hashlib.new(name, b"u-4712", usedforsecurity=False).hexdigest(), known) == ()


def test_an_unknown_probe_is_refused_and_age_is_none_of_these():
    assert not Probes([("birth", "age", None)])
    with pytest.raises(ValueError, match="unknown probe"):
        Probes([("x", "iban", None)])


@pytest.mark.parametrize("pattern", [r"SE\d{10}", r"[A-Z]{2}-\d+", r"\bK\d+\b", r"(?:foo|bar)\d?", r"\w+-\w+"])
def test_a_bounded_pattern_is_compiled(pattern):
    search = compile_pattern(pattern)
    assert isinstance(search("x" * 1000), bool)


@pytest.mark.parametrize(
    "pattern", [r"(a+)+", r"(\w{1,64}){1,64}", r"(a|aa)*b", r"(.)\1", r"\w+\w+\w+", r"(?=a)b", "", "(", r"(?:\d+,?)*"]
)
def test_a_pattern_that_could_take_long_is_refused(pattern):
    with pytest.raises(ValueError, match=r"pattern|expression"):
        compile_pattern(pattern)


def test_a_pattern_finds_what_stands_deep_in_a_long_text():
    probes = Probes([("customer", "pattern", r"CUST-\d{6}")])
    for before in (0, 100, 250, 257, 5_000):
        assert probes.find("x" * before + " CUST-123456 " + "y" * 300) == ("customer",)
    assert probes.find("CUST-12345") == ()


@pytest.mark.parametrize(
    "text", ["a" * 100_000, "@" * 100_000, "a@" * 50_000, "1." * 50_000, ":" * 100_000, "4111 " * 20_000,
             "+1 " * 30_000,
             "0" * 100_000, "%25" * 30_000, "[" * 100_000, "a." * 50_000,
             "(0" * 50_000, "1-" * 50_000, "%" + "25" * 50_000 + "40"]
)  # fmt: skip
def test_no_value_can_make_a_probe_slow(text):
    probes = Probes(
        [("e", "email", None), ("i", "ip", None), ("p", "phone", None), ("c", "luhn", None), ("k", "known", None)]
    )
    started = time.perf_counter()
    probes.find(text, Known({"k": ["aaaa"]}))
    probes.find_within(text, Known({"k": ["aaaa"]}))
    assert time.perf_counter() - started < 3


@given(st.binary(max_size=80))
def test_no_bytes_break_the_probe_of_cookies(value):
    probes = Probes([("e", "email", None), ("i", "ip", None), ("p", "phone", None), ("c", "luhn", None)])
    assert probe_cookie(probes, value) <= {"e", "i", "p", "c"}


OWN = Probes(
    [("email", "email", None), ("phone", "phone", None), ("card", "luhn", None)],
    ["Info@shop.example", "info(at)shop.example", "+46902001820", "112"],
)


@pytest.mark.parametrize(
    "value",
    [
        "write to info@shop.example", "INFO@shop.example.", "mailto:info@shop.example?subject=x",
        "email=info@shop.example",
        "'info@shop.example', info@shop.example", "<info%40shop.example>", "Call +46902001820",
        "Tel: +46 (0)90-200 18 20", "+46(0) 902001820",
    ],
)  # fmt: skip
def test_the_sites_own_contacts_are_nobodys(value):
    assert OWN.find(value) == ()
    assert OWN.find_within(base64.b64encode(value.encode()).decode()) == frozenset()


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("xinfo@shop.example", "email"), ("x.info@shop.example", "email"), ("no-info@shop.example", "email"),
        ("info@shop.example.org", "email"), ("info@shop.example and ada@shop.example", "email"),
        ("+46902001821", "phone"), ("Tel: +46 90 200 18 20 and +46 90 200 18 21", "phone"),
    ],
)  # fmt: skip
def test_what_only_looks_like_an_own_contact_is_somebodys(value, found):
    assert OWN.find(value) == (found,)
