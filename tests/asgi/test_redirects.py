"""What a redirect to another site takes along is a field that is sent to that site's party."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.asgi.conftest import MakeShop
from tests.asgi.wire import POLICY, ROUTES, Answer, Reply, Shop
from troth.filters import redirects

PARTIES = """
  parties:
    helper: {role: processor, country: SE, hosts: [pay.example], data: [email]}
    ads: {role: advertiser, country: US, hosts: [ads.example]}
"""
RULES = """
- id: gets-its-fields
  clause: R-1
  for: field
  match: {party: any, data: personal-data, carrier: response}
  only-if: {role: processor, data: of-party}
"""
LOOSE = """
- id: nothing-in-queries
  clause: R-2
  for: field
  match: {data: personal-data, carrier: query}
  only-if: {consent: ads}
"""
STRICT = """
- {id: nobody-leaves, clause: R-3, for: field, match: {party: any, data: email}, otherwise: {deny: 451}}
"""


async def redirected(one: Shop, location: str, status: int = 302, path: str = "/account") -> Answer:
    one.reply = Reply(body=b"", status=status, headers=[(b"Location", location.encode()), (b"x-kept", b"1")])
    return await one.ask("GET", path)


@pytest.fixture
def guarded(shop: MakeShop) -> Shop:
    return shop(RULES, policy=POLICY.rstrip() + PARTIES, watched=True)


@pytest.mark.parametrize(
    ("location", "left"),
    [
        ("https://ads.example/?x=1&email=a%40b.example&y=2", "https://ads.example/?x=1&y=2"),
        ("https://ads.example/land?name=Ann", "https://ads.example/land"),
        ("//stranger.example:8080/a/b?u=ann@b.example#top", "//stranger.example:8080/a/b#top"),
        (r"/\stranger.example/?mail=ann@b.example", r"/\stranger.example/"),
        ("HTTPS:\\\\ADS.example?q=ann@b.example&q2=1", "HTTPS:\\\\ADS.example?q2=1"),
        ("https://x@ads.example/#email=ann%40b.example&ok=1", "https://x@ads.example/#ok=1"),
        ("https://ads.example/?user[email]=x&page=YW5uQGIuZXhhbXBsZQ==", "https://ads.example/"),
        (
            "https://pay.example/?email=ann@b.example&name=Ann&amount=9",
            "https://pay.example/?email=ann@b.example&amount=9",
        ),
    ],
)
async def test_it_goes_without_what_the_party_may_not_get(guarded: Shop, location: str, left: str) -> None:
    answer = await redirected(guarded, location)
    assert answer.status == 302
    assert answer.values(b"location") == [left.encode()]
    assert answer.values(b"x-kept") == [b"1"]
    assert ("gets-its-fields", "withhold") in guarded.reasons()
    assert b"ann@b" not in guarded.trail()
    assert b"stranger" not in guarded.trail()


@pytest.mark.parametrize(
    "location",
    [
        "https://ads.example/landing?campaign=spring#drums", "/thanks?email=ann@b.example",
        "thanks?email=ann@b.example", "https://shop.example/thanks?email=ann@b.example", "mailto:ann@b.example",
        "https://pay.example/start?email=ann@b.example", "?email=ann@b.example", "shop-app://open?email=ann@b.example",
        "https://ads.example?", "https://ads.example/?&&a=1&#", "https:///?email=x", "",
    ],
)  # fmt: skip
async def test_any_other_is_untouched(guarded: Shop, location: str) -> None:
    answer = await redirected(guarded, location)
    assert answer.messages == guarded.reply.messages()


async def test_only_a_redirect_sends_anybody_anywhere(guarded: Shop) -> None:
    answer = await redirected(guarded, "https://ads.example/?email=ann@b.example", 201)
    assert answer.messages == guarded.reply.messages()


async def test_every_address_that_is_sent_is_looked_at(guarded: Shop) -> None:
    two = [(b"location", b"/ok"), (b"LOCATION", b"https://ads.example/?email=x")]
    guarded.reply = Reply(status=307, headers=two)
    answer = await guarded.ask("GET", "/account")
    assert answer.values(b"location") == [b"/ok", b"https://ads.example/"]


async def test_a_path_that_names_somebody_is_denied(guarded: Shop) -> None:
    for path in ("https://ads.example/u/ann@b.example/", "https://ads.example/u/ann%40b.example?x=1"):
        answer = await redirected(guarded, path)
        assert answer.status == 403
        assert answer.values(b"location") == []
        assert b"ann" not in answer.body + guarded.trail()


async def test_a_rule_that_denies_denies_the_redirect(shop: MakeShop) -> None:
    one = shop(STRICT, policy=POLICY.rstrip() + PARTIES, watched=True)
    answer = await redirected(one, "https://ads.example/?email=x")
    assert (answer.status, answer.values(b"location")) == (451, [])
    assert (await redirected(one, "https://ads.example/?name=x")).status == 302


async def test_without_a_purpose_strong_names_and_values_count(guarded: Shop) -> None:
    answer = await redirected(guarded, "https://ads.example/?name=Ann&email=x&z=ann@b.example", path="/")
    assert answer.values(b"location") == [b"https://ads.example/?name=Ann"]


async def test_what_depends_on_consent_says_so_to_caches(shop: MakeShop) -> None:
    one = shop(LOOSE, routes=ROUTES, policy=POLICY.rstrip() + PARTIES)
    location = "https://ads.example/?email=x"
    without = await redirected(one, location, 301)
    assert without.values(b"location") == [b"https://ads.example/"]
    one.reply = Reply(body=b"", status=301, headers=[(b"location", location.encode())])
    given_ = await one.ask("GET", "/account", headers=[(b"cookie", await one.choose("accept"))])
    assert given_.values(b"location") == [location.encode()]
    for answer in (without, given_):
        assert answer.values(b"vary") == [b"Cookie, Sec-GPC"]


@given(st.binary(max_size=60))
def test_any_bytes_can_be_read_and_what_loses_nothing_is_the_same(raw: bytes) -> None:
    for location in (raw, b"https://a.example/" + raw, b"//a.example?" + raw):
        assert redirects.without(location, ()) == location
        address = redirects.read(location)
        assert address is None or address.host
