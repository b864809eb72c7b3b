"""Members go, bytes stay."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troth.errors import UnreadableBody
from troth.filters.splicing import Edit, splice_paths
from troth.filters.tagging import Tagger

NAMES = {"email": ["email"], "name": ["name"]}


def cut(body, *names):
    return splice_paths(body, lambda path: Edit.REMOVE if path[-1] in names else None)


def mask(body, *names):
    return splice_paths(body, lambda path: Edit.MASK if path[-1] in names else None)


@pytest.mark.parametrize(
    ("body", "result"),
    [
        (b'{"x":1,"b":2}', b'{"b":2}'),
        (b'{"b":2,"x":1}', b'{"b":2}'),
        (b'{"a":1,"x":2,"b":3}', b'{"a":1,"b":3}'),
        (b'{"x":1}', b"{}"),
        (b'{ "x" : 1 }', b"{  }"),
        (b'{"x":1,"x":2}', b"{}"),
        (b'{"x":1 , "x":2 , "b":3}', b'{"b":3}'),
        (b'{"a":1 , "x":2 , "x":3}', b'{"a":1  }'),
        (b'{"a": 1.10, "x": {"y": [1, {"x": "}"}]}, "b": 1e2}', b'{"a": 1.10, "b": 1e2}'),
        (b'{"a":{"x":1},"b":[{"x":1}]}', b'{"a":{},"b":[{}]}'),
        (b'{\n  "x": 1,\n  "b": 2\n}', b'{\n  "b": 2\n}'),
        (b'{\n  "a": 1,\n  "x": 2\n}\n', b'{\n  "a": 1\n}\n'),
        (b'{"\\u0078":1,"b":"x"}', b'{"b":"x"}'),
        (b'{"b":"\\"x\\":1,","x":"\\\\"}', b'{"b":"\\"x\\":1,"}'),
        (b'["x",{"x":[]},"x"]', b'["x",{},"x"]'),
        (b' {"b":[ ]} ', b' {"b":[ ]} '),
        (b'"x"', b'"x"'),
        (b"-1.5e3", b"-1.5e3"),
    ],
)
def test_a_member_goes_with_its_comma_and_the_rest_stays_verbatim(body, result):
    assert cut(body, "x") == result
    assert json.loads(result) is not Ellipsis


@pytest.mark.parametrize(
    ("body", "result"),
    [
        (b'{"x":"secret","b":1}', b'{"x":"***","b":1}'),
        (b'{"x": 12, "y": {"x": null}}', b'{"x": null, "y": {"x": null}}'),
        (b'{"x":[1,"a"],"b":{"x":{"x":"a"}}}', b'{"x":null,"b":{"x":null}}'),
        (b'{"x":true}', b'{"x":null}'),
    ],
)
def test_a_masked_value_keeps_its_key(body, result):
    assert mask(body, "x") == result


def test_items_of_a_list_go_by_index():
    body = b'[ 1, {"a":2} , [3] ,4 ]'
    gone = {(0,), (2,)}
    assert splice_paths(body, lambda path: Edit.REMOVE if path in gone else None) == b'[ {"a":2}  ,4 ]'
    assert splice_paths(body, lambda path: Edit.REMOVE if len(path) == 1 else None) == b"[  ]"
    nested = b'{"rows":[{"id":1,"tags":["a","b"]},{"id":2}]}'
    assert splice_paths(nested, lambda path: Edit.REMOVE if path == ("rows", 0, "tags", 1) else None) == (
        b'{"rows":[{"id":1,"tags":["a"]},{"id":2}]}'
    )


def test_a_body_that_loses_nothing_is_the_same_object():
    body = b'{"a": [1, 2, {"b": null}]}'
    assert cut(body, "x") is body


def test_what_the_tagger_saw_is_what_goes():
    tagger = Tagger(NAMES, {"$.who": ["subject"]})
    body = b'{"who":{"name":"a"},"EMAIL":"x","rows":[{"email":"y","n":1.0}],"email":["z"],"name":{"email":"w"}}'
    gone = {"email": Edit.REMOVE, "subject": Edit.MASK}
    verdict = lambda place: next((gone[one] for one in place.categories if one in gone), None)  # noqa: E731 - a table
    assert tagger.edit(body, verdict) == b'{"who":null,"rows":[{"n":1.0}],"email":[],"name":{}}'
    assert tagger.edit(b"", verdict) == b""


@pytest.mark.parametrize("body", [b'{"a":NaN}', b"\xef\xbb\xbf{}", b'{"x":1', b'{"x":1}}', b"{" * 50_000])
def test_an_unreadable_body_is_not_edited(body):
    with pytest.raises(UnreadableBody):
        cut(body, "x")


KEYS = st.sampled_from(["a", "b", "x", "y", 'q"', "\\", "é", ""])
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=25
)


def encodable(value):
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def removed(value, gone):
    if isinstance(value, dict):
        return {key: removed(member, gone) for key, member in value.items() if key not in gone}
    return [removed(member, gone) for member in value] if isinstance(value, list) else value


@given(
    value=VALUES.filter(encodable),
    gone=st.sets(KEYS),
    indent=st.sampled_from([None, 0, 3]),
    separators=st.sampled_from([(",", ":"), (" , ", " : "), (",\r\n", ":\t")]),
    ascii_only=st.booleans(),
)
def test_removing_from_bytes_is_removing_from_the_decoded_value(value, gone, indent, separators, ascii_only):
    body = json.dumps(value, indent=indent, separators=separators, ensure_ascii=ascii_only).encode()
    result = cut(body, *gone)
    assert json.loads(result) == removed(value, gone)
    assert cut(result, *gone) is result
    at = 0
    for byte in result:
        at = body.index(byte, at) + 1


@given(value=st.lists(VALUES.filter(encodable), max_size=6), gone=st.sets(st.integers(0, 6)))
def test_removing_items_is_removing_from_the_decoded_list(value, gone):
    body = json.dumps(value).encode()
    result = splice_paths(body, lambda path: Edit.REMOVE if len(path) == 1 and path[0] in gone else None)
    assert json.loads(result) == [item for at, item in enumerate(value) if at not in gone]


@given(pairs=st.lists(st.tuples(KEYS, SCALARS.filter(encodable)), max_size=8), gone=st.sets(KEYS))
def test_every_occurrence_of_a_repeated_key_goes(pairs, gone):
    body = ("{" + ", ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in pairs) + "}").encode()
    left = json.loads(cut(body, *gone), object_pairs_hook=list)
    assert left == [pair for pair in pairs if pair[0] not in gone]


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":[' + b",".join([b'{"x":1,"b":"' + b"c" * 20 + b'"}'] * 25_000) + b"]}",
        b'{"x":"' + b"\\\\" * 500_000 + b'"}',
        b'{"a":"' + b'\\"' * 500_000 + b'"}',
        b'{"x":1' + b" " * 1_000_000 + b"}",
        b"[{}]" + b" " * 1_000_000,
        b" " * 500_000 + b"[{}" + b" " * 500_000 + b",1]",
        b"[" + b" ,".join([b"1"] * 350_000) + b"]",
        b'["' + b'","'.join([b"x"] * 250_000) + b'"]',
    ],
    ids=[
        "records",
        "escapes in a cut value",
        "escaped quotes",
        "white space",
        "behind",
        "between",
        "numbers",
        "strings",
    ],
)
def test_a_megabyte_takes_time_in_proportion(body):
    started = time.perf_counter()
    result = cut(body, "x")
    assert time.perf_counter() - started < 8
    assert json.loads(result) is not None


def test_deep_nesting_is_no_recursion():
    body = b'{"a":' * 400 + b'{"x":1}' + b"}" * 400
    assert cut(body, "x") == b'{"a":' * 400 + b"{}" + b"}" * 400
