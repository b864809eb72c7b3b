"""The policy that stands beside the app's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troth.filters.csp import DEFAULT_DIRECTIVES, OWN_SOURCES, build, is_host


def parsed(value):
    return {words[0]: words[1:] for words in (part.split() for part in value.decode().split("; "))}


def test_the_pages_own_scripts_are_left_alone():
    policy = parsed(build({}))
    assert set(policy) == set(DEFAULT_DIRECTIVES)
    assert policy["script-src"] == ["'self'", "'unsafe-inline'", "'unsafe-eval'", "blob:", "data:"]
    assert policy["img-src"][:2] == ["'self'", "data:"]


def test_hosts_stand_under_their_directive_and_those_for_all_everywhere():
    policy = parsed(build({"script-src": ["CDN.example", "*.b.example"], "*": ["own.example"], "media-src": []}))
    assert policy["script-src"][-3:] == ["*.b.example", "cdn.example", "own.example"]
    assert policy["connect-src"][-1] == policy["media-src"][-1] == "own.example"
    assert "font-src" not in policy
    assert "form-action" in parsed(build({}, also=["form-action"]))


def test_the_same_hosts_give_the_same_bytes():
    assert build({"img-src": ["a.example", "b.example", "a.example"]}) == build({"img-src": {"b.example", "A.example"}})


@pytest.mark.parametrize(
    "host",
    [
        "a",
        "a.example",
        "*.a.example",
        "https://a.example",
        "wss://a.example:8443",
        "a-b.example:*",
        "localhost:8000",
        "10.0.0.1",
    ],
)
def test_a_host_can_be_named(host):
    assert is_host(host)
    assert build({"img-src": [host]})


@pytest.mark.parametrize(
    "host",
    ["", "*", "a.example; script-src *", "a b", "'self'",
     "https:", "a.example/path", "a.example\r\nx: y", "-a.example", "a..b",
     "*.*.example", "javascript:x", "a,b", "é.example", "a.example\n", "a" * 300],
)  # fmt: skip
def test_nothing_but_a_host_gets_in(host):
    assert not is_host(host)
    with pytest.raises(ValueError, match="host"):
        build({"img-src": [host]})


@pytest.mark.parametrize("directive", ["default-src", "img-src; script-src *", "", "report-uri"])
def test_an_unknown_directive_is_refused(directive):
    with pytest.raises(ValueError, match="directive"):
        build({directive: []})
    with pytest.raises(ValueError, match="directive"):
        build({}, also=[directive])


@given(st.dictionaries(st.sampled_from([*OWN_SOURCES, "*"]), st.lists(st.text(max_size=20), max_size=3)))
def test_no_text_can_inject_a_directive(hosts):
    try:
        value = build(hosts)
    except ValueError:
        assert not all(is_host(host) for each in hosts.values() for host in each)
        return
    assert set(parsed(value)) == {*DEFAULT_DIRECTIVES, *(name for name in hosts if name != "*")}
    assert not {b"\r", b"\n", b","} & {bytes([byte]) for byte in value}
