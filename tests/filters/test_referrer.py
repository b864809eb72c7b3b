"""What is left of a referrer: the site, and nothing that its address tells beside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troth.filters.referrer import Referrers, site_of, tells_more

HOSTS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?(\.[a-z]{2,5}){1,2}", fullmatch=True)


def is_own(host: str) -> bool:
    return host == "shop.example"


@pytest.mark.parametrize(
    ("value", "site", "more"),
    [
        (b"https://blog.example/", b"https://blog.example/", False),
        (b"https://blog.example", b"https://blog.example/", False),
        (b"HTTPS://Blog.Example/", b"https://blog.example/", False),
        (b"https://blog.example:8443/", b"https://blog.example:8443/", False),
        (b"https://mail.example/inbox?user=ann%40example.org", b"https://mail.example/", True),
        (b"https://mail.example?user=ann", b"https://mail.example/", True),
        (b"https://mail.example#ann", b"https://mail.example/", True),
        (b"https://ann:secret@mail.example/", b"https://mail.example/", True),
        (b"http://[2001:db8::1]/x", b"http://[2001:db8::1]/", True),
        (b"https://shop.example/drums?kit=jazz", b"https://shop.example/", False),
        (b"https://shop.example.evil.example/x", b"https://shop.example.evil.example/", True),
        (b"https://shop.example@evil.example/x", b"https://evil.example/", True),
        (b"https://evil.example\\@shop.example/x", b"", True),
        (b"android-app://mail.example/inbox", b"", True),
        (b"about:blank", b"", True),
        (b"https://mail.example/a b\r\nx", b"https://mail.example/", True),
        (b"", b"", False),
    ],
)
def test_another_sites_address_is_cut_to_the_site(value: bytes, site: bytes, more: bool) -> None:
    assert site_of(value) == site
    assert tells_more(value, is_own) is more


@given(HOSTS, st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30))
def test_nothing_beside_the_host_is_left(host: str, rest: str) -> None:
    value = f"https://{host}/{rest}".encode()
    assert site_of(value) == f"https://{host}/".encode()
    assert tells_more(value, is_own) is bool(rest)
    assert not tells_more(site_of(value), is_own)


@given(st.binary(max_size=60))
def test_whatever_a_client_sends_the_site_is_an_address_or_nothing(value: bytes) -> None:
    site = site_of(value)
    assert not site or (site_of(site) == site and not tells_more(site, is_own))


def test_what_is_remembered_is_bounded() -> None:
    table = Referrers(is_own)
    for n in range(3000):
        assert table[b"https://other.example/%d" % n] == 1
    assert table[b"https://shop.example/" + b"x" * 5000] == 0
    assert len(table) <= 1024
