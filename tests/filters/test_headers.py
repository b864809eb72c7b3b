"""Header duties: met where they are met already, made true by the smallest change, and once is enough."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troth.filters import headers as h

CC, HSTS, CSP, CT = b"cache-control", b"strict-transport-security", b"content-security-policy", b"content-type"


@pytest.mark.parametrize(
    ("present", "name", "wanted", "met"),
    [
        ([b"no-store"], CC, b"no-store", True),
        ([b"private, NO-STORE, max-age=0"], CC, b"no-store", True),
        ([b"private", b"no-store"], CC, b"no-store", True),
        ([b"private"], CC, b"no-store", False),
        ([], CC, b"no-store", False),
        ([b"max-age=31536000"], HSTS, b"max-age=31536000", True),
        ([b'includeSubDomains; Max-Age="63072000"'], HSTS, b"max-age=31536000", True),
        ([b"max-age=31535999"], HSTS, b"max-age=31536000", False),
        ([b"max-age=x"], HSTS, b"max-age=31536000", False),
        ([b"max-age=0", b"max-age=31536000"], HSTS, b"max-age=31536000", False),
        ([b"max-age=31536000"], HSTS, b"max-age=31536000; includeSubDomains", False),
        ([b"application/json; charset=utf-8"], CT, b"application/json", True),
        ([b"Application/JSON"], CT, b"application/json;charset=x", True),
        ([b"text/html"], CT, b"application/json", False),
        ([b"default-src 'none'; frame-ancestors 'self'"], CSP, b"frame-ancestors 'self'", True),
        ([b"default-src 'none'", b"frame-ancestors  'self'"], CSP, b"frame-ancestors 'self'", True),
        ([b"frame-ancestors *"], CSP, b"frame-ancestors 'self'", False),
        ([b"DENY"], b"x-frame-options", b"deny", True),
    ],
)
def test_parameters_and_further_directives_do_not_matter(present, name, wanted, met):
    headers = [(b"x", b"y"), *((name.title(), value) for value in present)]
    assert h.meets(headers, name, wanted) is met
    result = h.ensured(headers, name, wanted)
    assert (result is headers) is met
    assert h.meets(result, name, wanted)
    assert h.ensured(result, name, wanted) is result


def test_a_duty_is_added_to_what_stands_there():
    assert h.ensured([(CC, b"public, max-age=60")], CC, b"no-store") == [(CC, b"no-store")]
    assert h.ensured([(CC, b"max-age=60")], CC, b"private") == [(CC, b"max-age=60, private")]
    assert h.ensured([(HSTS, b"max-age=5; includeSubDomains")], HSTS, b"max-age=9") == [
        (HSTS, b"max-age=9; includesubdomains")
    ]
    assert h.ensured([(CT, b"text/html; charset=x"), (CT, b"a/b")], CT, b"text/csv") == [(CT, b"text/csv")]
    app_policy = (CSP, b"script-src 'nonce-1'")
    assert h.ensured([app_policy], CSP, b"frame-ancestors 'self'") == [app_policy, (CSP, b"frame-ancestors 'self'")]


def test_a_second_policy_stands_beside_the_apps_own():
    app_policy = (CSP, b"script-src 'nonce-1' 'strict-dynamic'")
    headers = h.appended_csp([app_policy], b"img-src 'self'")
    assert headers == [app_policy, (CSP, b"img-src 'self'")]
    assert h.appended_csp(headers, b"img-src 'self'") is headers
    assert h.appended_csp([], b"x", report_only=True) == [(b"content-security-policy-report-only", b"x")]


def test_an_edited_body_has_its_own_length_and_no_old_digests():
    headers = [(b"Content-Length", b"10"), (b"content-encoding", b"gzip"), (b"Digest", b"x"), (b"set-cookie", b"a=1"),
               (b"accept-ranges", b"bytes"), (b"set-cookie", b"b=2")]  # fmt: skip
    assert h.resized(headers, 7) == [
        (b"Content-Length", b"7"),
        (b"content-encoding", b"gzip"),
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
    ]
    assert h.decoded(headers, 7) == [(b"Content-Length", b"7"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    assert h.resized([], 0) == [(b"content-length", b"0")]
    same = [(b"content-length", b"7")]
    assert h.resized(same, 7) is same


@pytest.mark.parametrize(
    ("asked", "result"),
    [
        ([b"gzip, deflate"], None),
        ([b"gzip, deflate, br, zstd"], b"gzip, deflate"),
        ([b"br;q=1.0, gzip;q=0.8, *;q=0.1"], b"gzip;q=0.8"),
        ([b"br"], b"identity"),
        ([b"*"], b"identity"),
        ([b"gzip, *;q=0"], None),
        ([b"identity, *; q=0.0"], None),
        ([b"br", b"GZIP"], b"GZIP"),
        ([b""], None),
    ],
)
def test_only_codings_that_can_be_read_are_asked_for(asked, result):
    headers = [(b"host", b"x"), *((b"accept-encoding", value) for value in asked)]
    changed = h.readable_encodings(headers)
    if result is None:
        assert changed is headers
    else:
        assert changed == [(b"host", b"x"), (b"accept-encoding", result)]
    assert h.readable_encodings(changed) is changed


def test_a_request_without_wishes_stays_without():
    headers = [(b"host", b"x")]
    assert h.readable_encodings(headers) is headers


def test_headers_are_found_and_removed_without_case():
    headers = [(b"X-A", b"1"), (b"x-b", b"2"), (b"x-a", b"3")]
    assert h.values(headers, b"x-a") == [b"1", b"3"]
    assert h.first(headers, b"x-a") == b"1"
    assert h.first(headers, b"x-c") is None
    assert h.without(headers, b"x-a") == [(b"x-b", b"2")]
    assert h.without(headers, b"x-c") is headers
    assert h.replaced(headers, b"x-a", b"9") == [(b"X-A", b"9"), (b"x-b", b"2")]


VALUE = st.lists(st.sampled_from([b"no-store", b"max-age=9", b"a", b"=", b";", b",", b" ", b'"'])).map(b"".join)


@given(name=st.sampled_from([CC, HSTS, CSP, CT, b"x-other"]), present=st.lists(VALUE, max_size=3), others=st.booleans())
def test_any_duty_is_made_true_once_and_other_headers_stay(name, present, others):
    extra = [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")] if others else []
    result = h.ensured([*extra, *((name, value) for value in present)], name, b"max-age=7")
    assert h.meets(result, name, b"max-age=7")
    assert h.ensured(result, name, b"max-age=7") is result
    assert [pair for pair in result if pair[0] == b"set-cookie"] == extra
