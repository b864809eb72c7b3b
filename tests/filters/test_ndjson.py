"""Lines of JSON go, the others stay byte for byte."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troth.errors import UnreadableBody
from troth.filters import ndjson

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)


@pytest.mark.parametrize(
    "body", [b"{}{}", b'{"a":1}\n{"a":', b"{}\r{}\n", b"\xef\xbb\xbf{}", b"{}\n\xff", b"[1,\n2]\n", b"NaN\n"]
)
def test_a_body_in_which_a_line_is_no_json_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableBody) as caught:
        ndjson.read(body)
    assert caught.value.reason == "malformed"


def test_a_key_that_stands_twice_is_seen_twice() -> None:
    (line,) = ndjson.read(b'{"a":1,"a":2}\r\n')
    assert list(line.value.items()) == [("a", 1), ("a", 2)]


@given(st.lists(VALUES), st.sampled_from(["\n", "\r\n", "\n\n", "\n \n"]), st.booleans(), st.data())
def test_another_reader_sees_exactly_the_lines_that_were_kept(
    values: list[object], end: str, last: bool, data: st.DataObject
) -> None:
    texts = [json.dumps(value, ensure_ascii=False) for value in values]
    body = (end.join(texts) + (end if last else "")).encode()
    lines = ndjson.read(body)
    assert [json.dumps(line.value) for line in lines] == [json.dumps(value) for value in values]
    gone = data.draw(st.sets(st.sampled_from(range(len(values))))) if values else set()
    edited = ndjson.edit(body, lines, gone, {})
    assert [json.loads(text) for text in edited.split(b"\n") if text.strip()] == [
        value for index, value in enumerate(values) if index not in gone
    ]
    assert gone or edited == body
    inside = {index: lambda line: line.replace(b"1", b"22") for index in range(len(values))}
    everywhere = ndjson.edit(body, lines, set(), inside)
    assert everywhere == body.replace(b"1", b"22")
