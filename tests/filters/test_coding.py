"""Coded bodies are read within a limit or not at all."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troth.errors import UnreadableBody
from troth.filters.coding import decode

LIMIT = 1000


def bare(data):
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


CODED = {b"gzip": gzip.compress, b"X-GZip": gzip.compress, b"deflate": zlib.compress, b"Deflate ": bare}


@given(data=st.binary(max_size=LIMIT), coding=st.sampled_from([*CODED]))
def test_a_coded_body_reads_as_it_was(data, coding):
    assert decode(CODED[coding](data), coding, limit=LIMIT) == data


@pytest.mark.parametrize("coding", [None, b"", b"identity", b" , identity"])
def test_a_plain_body_is_the_same_object(coding):
    body = b"x" * LIMIT
    assert decode(body, coding, limit=LIMIT) is body


def test_layers_come_off_in_reverse_and_members_are_joined():
    assert decode(gzip.compress(zlib.compress(b"abc")), b"deflate, gzip", limit=LIMIT) == b"abc"
    assert decode(gzip.compress(b"abc") + gzip.compress(b"def"), b"gzip", limit=LIMIT) == b"abcdef"
    assert decode(b"", b"gzip", limit=LIMIT) == b""


def reason(body, coding, limit=LIMIT):
    with pytest.raises(UnreadableBody) as caught:
        decode(body, coding, limit=limit)
    assert caught.value.__cause__ is None
    return caught.value.reason


@pytest.mark.parametrize("coding", [b"br", b"zstd", b"gzip, br", b"compress", b"gzip,gzip,gzip", b"\xff"])
def test_an_unknown_coding_is_named_as_such(coding):
    assert reason(b"x", coding) == "coding"


@pytest.mark.parametrize("coding", [*CODED])
def test_a_bomb_does_not_go_off(coding):
    assert reason(CODED[coding](b"\0" * 10_000_000), coding) == "too-large"
    assert reason(CODED[coding](b"\0" * (LIMIT + 1)), coding) == "too-large"


def test_the_limit_holds_at_every_layer_and_over_all_members():
    assert reason(gzip.compress(b"x" * LIMIT) + gzip.compress(b"x"), b"gzip") == "too-large"
    assert reason(gzip.compress(gzip.compress(b"\0" * 10_000_000)), b"gzip, gzip") == "too-large"
    assert reason(b"x" * (LIMIT + 1), None) == "too-large"


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (b"not gzip", b"gzip"),
        (gzip.compress(b"abc")[:-1], b"gzip"),
        (gzip.compress(b"abc")[:-6] + b"\0\0\0\0\0\0", b"gzip"),
        (gzip.compress(b"abc") + b"junk", b"gzip"),
        (zlib.compress(b"abc") + b"junk", b"deflate"),
        (zlib.compress(b"abc")[:-1], b"deflate"),
        (b"\xff\xff\xff", b"deflate"),
    ],
)
def test_a_broken_stream_is_malformed(body, coding):
    assert reason(body, coding) == "malformed"


class Fed:
    """A stream of zlib that counts the bytes that it is given."""

    def __init__(self, stream, given):
        self._stream = stream
        self._given = given

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def decompress(self, data, most):
        self._given.append(len(data))
        return self._stream.decompress(data, most)


@pytest.mark.parametrize("size", [0, 10, 3000])
def test_however_many_members_no_byte_is_looked_at_many_times(monkeypatch, size):
    given: list[int] = []
    new = zlib.decompressobj
    monkeypatch.setattr("troth.filters.coding.zlib.decompressobj", lambda window: Fed(new(window), given))
    for count in (10, 1000):
        body = gzip.compress(bytes(size)) * count
        given.clear()
        assert decode(body, b"gzip", limit=size * count) == bytes(size * count)
        assert sum(given) <= 16 * len(body)
