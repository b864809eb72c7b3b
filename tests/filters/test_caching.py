"""What depends on consent stays with the one who chose."""

import pytest

from troth.filters.caching import made_private, mark_etags, own_validators, varied

CC = b"cache-control"


@pytest.mark.parametrize(
    ("present", "result"),
    [
        ([], [b"Cookie, Sec-GPC"]),
        ([b"Accept"], [b"Accept, Cookie, Sec-GPC"]),
        ([b"accept, cookie"], [b"accept, cookie, Sec-GPC"]),
        ([b"Accept", b"Origin"], [b"Accept, Origin, Cookie, Sec-GPC"]),
        ([b"*"], None),
        ([b"Accept, *"], None),
        ([b"sec-gpc,COOKIE"], None),
        ([b""], [b"Cookie, Sec-GPC"]),
    ],
)
def test_vary_is_merged_and_a_star_stays(present, result):
    headers = [(b"x", b"y"), *((b"Vary", value) for value in present)]
    changed = varied(headers)
    if result is None:
        assert changed is headers
    else:
        assert [value for name, value in changed if name.lower() == b"vary"] == result
    assert varied(changed) is changed


@pytest.mark.parametrize(
    ("present", "result"),
    [
        ([], b"private"),
        ([b"public, max-age=60"], b"private, max-age=60"),
        ([b"s-maxage=60", b"max-age=5"], b"private, max-age=5"),
        ([b'private="set-cookie, x", max-age=5'], b"private, max-age=5"),
        ([b"private, max-age=5"], None),
        ([b"private, s-maxage=5"], b"private"),
        ([b"no-store"], None),
        ([b"No-Store, public"], None),
    ],
)
def test_shared_caches_are_kept_out(present, result):
    headers = [(b"x", b"y"), *((CC, value) for value in present)]
    changed = made_private(headers)
    if result is None:
        assert changed is headers
    else:
        assert [value for name, value in changed if name == CC] == [result]
    assert made_private(changed) is changed


@pytest.mark.parametrize("name", [b"CDN-Cache-Control", b"surrogate-control", b"cloudflare-cdn-cache-control"])
def test_a_header_that_only_a_cdn_heeds_goes(name):
    assert made_private([(name, b"max-age=60"), (CC, b"no-store")]) == [(CC, b"no-store")]


def test_etags_carry_the_state_and_keep_their_strength():
    assert mark_etags([(b"ETag", b'"a"'), (b"etag", b'W/"b"')], b"s1") == [
        (b"ETag", b'"a~c.s1"'),
        (b"etag", b'W/"b~c.s1"'),
    ]
    plain = [(b"x", b'"a"')]
    assert mark_etags(plain, b"s1") is plain
    marked = mark_etags([(b"etag", b'""')], b"s1")
    assert mark_etags(marked, b"s1") is marked


@pytest.mark.parametrize(
    ("name", "value", "result"),
    [
        (b"if-none-match", b'"a~c.s1"', b'"a"'),
        (b"If-None-Match", b'"a~c.s2", W/"b~c.s1" , "c"', b'W/"b"'),
        (b"if-none-match", b'"a"', None),
        (b"if-none-match", b'"a~c.s2"', None),
        (b"if-none-match", b"*", b"*"),
        (b"if-none-match", b"junk", None),
        (b"if-range", b'"a~c.s1"', b'"a"'),
        (b"if-range", b"Sun, 22 Nov 2026 12:01:00 GMT", None),
        (b"if-match", b'"a~c.s2", "b"', b'"a", "b"'),
        (b"if-match", b"*", b"*"),
        (b"if-modified-since", b"Sun, 22 Nov 2026 12:01:00 GMT", None),
        (b"if-unmodified-since", b"x", b"x"),
    ],
)
def test_validators_of_another_state_are_dropped_and_own_ones_stripped(name, value, result):
    changed = own_validators([(b"host", b"x"), (name, value)], b"s1")
    assert changed == [(b"host", b"x"), *([(name, result)] if result is not None else [])]


def test_what_was_marked_comes_back_as_the_app_made_it():
    for etag in (b'"a"', b'W/"a,b"', b'"a~c.x"'):
        [(_, marked)] = mark_etags([(b"etag", etag)], b"s-1_A")
        assert own_validators([(b"if-none-match", marked)], b"s-1_A") == [(b"if-none-match", etag)]
        assert own_validators([(b"if-none-match", marked)], b"other") == []


def test_a_request_without_validators_is_the_same_object():
    headers = [(b"host", b"x"), (b"cookie", b"a=1")]
    assert own_validators(headers, b"s1") is headers


@pytest.mark.parametrize("tag", [b"", b'a"', b"a b", b"x" * 65])
def test_a_tag_that_could_break_a_header_is_refused(tag):
    with pytest.raises(ValueError, match="tag"):
        mark_etags([], tag)
    with pytest.raises(ValueError, match="tag"):
        own_validators([], tag)
