"""The consent cookie: what goes in comes out, and nothing else is believed."""

from __future__ import annotations

import base64
import hmac
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troth.consent.decoder import Decoder
from troth.consent.device import (
    MAX_COOKIE,
    ConsentTooLarge,
    CookieOutcome,
    DeviceConsent,
    consent_digest,
    encode,
    expire_header,
    set_cookie_header,
)
from troth.errors import LedgerError
from troth.model.consent import Choice, Choices, ChoiceState

KEY = b"k" * 32
OTHER_KEY = b"o" * 32
EPOCH = "0123456789abcdef" * 2
NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
G, D, W = ChoiceState.GRANTED, ChoiceState.DECLINED, ChoiceState.WITHDRAWN


def choice(state: ChoiceState, at: datetime = NOW, params: tuple[tuple[str, str], ...] = ()) -> Choice:
    return Choice(state=state, at=at, version="2", params=params)


def device(at: datetime = NOW, epoch: str = EPOCH[:12], **states: ChoiceState) -> DeviceConsent:
    return device_of(states, at, epoch)


def device_of(states: dict[str, ChoiceState], at: datetime = NOW, epoch: str = EPOCH[:12]) -> DeviceConsent:
    choices = Choices({name: (choice(state, at),) for name, state in states.items()})
    return DeviceConsent(id=b"i" * 16 if G in states.values() else None, epoch=epoch, at=at, choices=choices)


def decoder(*keys: bytes, retired: frozenset[bytes] = frozenset()) -> Decoder:
    return Decoder(keys or (KEY,), epoch=EPOCH, retired=retired.__contains__)


texts = st.text(max_size=12)
times = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(microsecond=0, tzinfo=UTC))  # noqa: DTZ001 - hypothesis wants naive bounds
choices = st.builds(
    Choice,
    state=st.sampled_from(ChoiceState),
    at=times,
    version=texts,
    form=st.none() | texts,
    params=st.lists(st.tuples(texts, texts), max_size=2).map(lambda pairs: tuple(sorted(pairs))),
)


@st.composite
def devices(draw: st.DrawFn) -> DeviceConsent:
    found = draw(st.dictionaries(texts, st.lists(choices, min_size=1, max_size=2).map(tuple), max_size=4))
    granted = any(one.state is G for several in found.values() for one in several)
    drawn = draw(st.binary(min_size=16, max_size=16))
    return DeviceConsent(id=drawn if granted else None, epoch=EPOCH[:12], at=draw(times), choices=Choices(found))


@given(devices())
def test_what_goes_in_comes_out(given_device: DeviceConsent) -> None:
    value = encode(given_device, KEY)
    assert decoder().decode(value) == given_device
    assert re.fullmatch(rb"[A-Za-z0-9_.-]+", value)


@given(devices(), st.data())
def test_any_bit_changed_is_nothing(given_device: DeviceConsent, data: st.DataObject) -> None:
    value = bytearray(encode(given_device, KEY))
    bit = data.draw(st.integers(0, len(value) * 8 - 1))
    value[bit // 8] ^= 1 << bit % 8
    assert decoder().decode(bytes(value)) is None


def test_every_single_bit_of_one_cookie_counts() -> None:
    value = encode(device(analytics=G, advertising=D), KEY)
    reader = decoder()
    assert reader.decode(value) is not None
    for bit in range(len(value) * 8):
        changed = bytearray(value)
        changed[bit // 8] ^= 1 << bit % 8
        assert reader.read([bytes(changed)]).outcome in (CookieOutcome.FORGED, CookieOutcome.MALFORMED)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_an_error(raw: bytes) -> None:
    reading = decoder().read([raw])
    assert reading.device is None
    assert reading.outcome is CookieOutcome.MALFORMED


def test_cookie_of_a_dozen_choices_stays_small() -> None:
    names = {f"purpose-number-{number}": G if number % 2 else D for number in range(12)}
    assert len(encode(device_of(names), KEY)) <= 1024


def test_no_id_where_nothing_is_granted() -> None:
    value = encode(device(analytics=D, advertising=W), KEY)
    assert value == encode(device(analytics=D, advertising=W), KEY)
    read = decoder().decode(value)
    assert read is not None
    assert read.id is None


@pytest.mark.parametrize(("consent_id", "state"), [(None, G), (b"i" * 16, D)])
def test_id_and_grant_only_together(consent_id: bytes | None, state: ChoiceState) -> None:
    wrong = DeviceConsent(id=consent_id, epoch="e", at=NOW, choices=Choices({"analytics": (choice(state),)}))
    with pytest.raises(ValueError, match="id"):
        encode(wrong, KEY)


def test_choices_that_do_not_fit_are_refused() -> None:
    many = {f"{number:040}": D for number in range(60)}
    with pytest.raises(ConsentTooLarge) as caught:
        encode(device_of(many), KEY)
    assert caught.value.length > MAX_COOKIE


def test_older_key_still_verifies_and_an_unknown_one_does_not() -> None:
    value = encode(device(analytics=G), OTHER_KEY)
    assert decoder(KEY, OTHER_KEY).read([value]).outcome is CookieOutcome.VALID
    assert decoder(KEY).read([value]).outcome is CookieOutcome.FORGED


@pytest.mark.parametrize(
    "raw", [b"", b"yes", b"1..", b"2.aaaa.aaaaaaaaaaaaaaaaaaaaaa", b'"1.aa.aaaaaaaaaaaaaaaaaaaaaa"']
)
def test_another_format_is_malformed(raw: bytes) -> None:
    assert decoder().read([raw]).outcome is CookieOutcome.MALFORMED


@pytest.mark.parametrize(
    "body",
    [
        b"no json",
        b"{}",
        b'["e","",0,[],[]] ',
        b'["e","",0,[],[["analytics","g",0,-1,0]]]',
        b'["e","",0,["2"],[["analytics","x",0,-1,0]]]',
        b'["e","",0,["2"],[["analytics","g",0,-1,0]]]',
        b'["e","aWQ",0,["2"],[["analytics","d",0,-1,0]]]',
        b'["e","",99999999999999999,["2"],[["analytics","d",0,-1,0]]]',
        b'["e","a",0,["2"],[["analytics","g",0,-1,0]]]',
    ],
)
def test_body_that_we_never_write_is_malformed_although_it_is_signed(body: bytes) -> None:
    signed = b"1." + base64.urlsafe_b64encode(body).rstrip(b"=")
    tag = hmac.digest(KEY, b"troth consent cookie\x00" + signed, "sha256")[:16]
    raw = signed + b"." + base64.urlsafe_b64encode(tag).rstrip(b"=")
    reading = decoder().read([raw])
    expected = CookieOutcome.OTHER_EPOCH if body.endswith(b" ") else CookieOutcome.MALFORMED
    assert reading.outcome is expected


def test_cookie_over_the_limit_is_malformed() -> None:
    raw = b"1." + b"a" * MAX_COOKIE + b"." + b"a" * 22
    assert decoder().read([raw]).outcome is CookieOutcome.MALFORMED


def test_no_cookie_is_absent() -> None:
    reading = decoder().read([])
    assert reading.outcome is CookieOutcome.ABSENT
    assert not reading.choices
    assert reading.ids == ()


def test_retired_id_grants_nothing_and_its_refusals_stand() -> None:
    value = encode(device(analytics=G, advertising=D, embeds=W), KEY)
    reading = decoder(retired=frozenset({consent_digest(b"i" * 16)})).read([value])
    assert reading.outcome is CookieOutcome.RETIRED
    assert reading.ids == ()
    assert dict(reading.choices.by_name) == {"advertising": (choice(D),), "embeds": (choice(W),)}


def test_id_retired_after_it_was_remembered_grants_nothing() -> None:
    retired: set[bytes] = set()
    reader = Decoder((KEY,), epoch=EPOCH, retired=retired.__contains__)
    value = encode(device(analytics=G), KEY)
    assert reader.read([value]).outcome is CookieOutcome.VALID
    retired.add(consent_digest(b"i" * 16))
    assert reader.read([value]).outcome is CookieOutcome.RETIRED


def test_other_epoch_grants_nothing_and_its_refusals_stand() -> None:
    value = encode(device(epoch="ffffffffffff", analytics=G, advertising=D), KEY)
    reading = decoder().read([value])
    assert reading.outcome is CookieOutcome.OTHER_EPOCH
    assert dict(reading.choices.by_name) == {"advertising": (choice(D),)}


def test_ledger_that_does_not_answer_grants_nothing_and_forgets_no_id() -> None:
    def fails(_: bytes) -> bool:
        raise LedgerError("down")

    value = encode(device(analytics=G, advertising=D), KEY)
    reading = Decoder((KEY,), epoch=EPOCH, retired=fails).read([value])
    assert reading.outcome is CookieOutcome.UNCHECKED
    assert reading.ids == (b"i" * 16,)
    assert list(reading.choices) == ["advertising"]


def test_same_cookie_twice_is_one() -> None:
    value = encode(device(analytics=G), KEY)
    assert decoder().read([value, value]).outcome is CookieOutcome.VALID


def test_different_cookies_grant_nothing_the_latest_refusals_of_genuine_ones_stand() -> None:
    old = encode(device(NOW - timedelta(days=1), analytics=G, advertising=D), KEY)
    new = encode(device(NOW, analytics=D, advertising=W), KEY)
    forged = encode(device(embeds=D), OTHER_KEY)
    reading = decoder().read([old, forged, new])
    assert reading.outcome is CookieOutcome.DUPLICATE
    assert dict(reading.choices.by_name) == {"analytics": (choice(D),), "advertising": (choice(W),)}
    assert reading.ids == (b"i" * 16,)
    assert decoder().read([forged, b"x"]).device is None


def test_header_carries_what_the_cookie_needs() -> None:
    header = set_cookie_header(b"1.a.b", secure=True, max_age=timedelta(days=2, microseconds=7))
    assert header == b"troth_consent=1.a.b; Max-Age=172800; Path=/; HttpOnly; SameSite=Lax; Secure"
    assert b"Secure" not in set_cookie_header(b"1.a.b", secure=False, max_age=timedelta(days=2))


def test_header_that_removes_it_has_the_same_scope() -> None:
    header = expire_header(secure=True)
    assert header.startswith(b"troth_consent=; ")
    assert b"Max-Age=0" in header
    assert b"Path=/;" in header
    assert header.endswith(b"Secure")


def test_memory_of_verified_cookies_is_bounded_and_still_right() -> None:
    reader = Decoder((KEY,), epoch=EPOCH, retired=frozenset[bytes]().__contains__, size=8)
    values = [encode(device(NOW + timedelta(seconds=number), analytics=G), KEY) for number in range(50)]
    for _ in range(2):
        for number, value in enumerate(values):
            read = reader.decode(value)
            assert read is not None
            assert read.at == NOW + timedelta(seconds=number)
