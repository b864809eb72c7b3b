"""Text of any kind becomes nodes or a finding at a place, within limits, and never anything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troth.diagnostics import Source
from troth.rules.nodes import Mapping, Node, Scalar, Sequence
from troth.rules.yaml import MAX_ALIASES, MAX_BYTES, MAX_DEPTH, compose, decode, dump


def read(text: str) -> Node:
    node, found = compose(Source("file.yaml", text))
    assert found == ()
    assert node is not None
    return node


def codes(text: str) -> list[str]:
    return [one.code for one in compose(Source("file.yaml", text))[1]]


def test_scalars_stay_text_and_know_whether_they_were_quoted() -> None:
    node = read("a: NO\nb: 'NO'\nc: 2026-01-01\nd: 010\n")
    assert isinstance(node, Mapping)
    values = [value for _, value in node]
    assert [(one.text, one.plain) for one in values if isinstance(one, Scalar)] == [
        ("NO", True),
        ("NO", False),
        ("2026-01-01", True),
        ("010", True),
    ]


def test_places_count_characters_from_one() -> None:
    node = read("ключ:\n  - é: x\n")
    assert isinstance(node, Mapping)
    items = node.get("ключ")
    assert isinstance(items, Sequence)
    inner = items.items[0]
    assert isinstance(inner, Mapping)
    span = inner.pairs[0][1].span
    assert (span.line, span.column, span.end_line, span.end_column) == (2, 8, 2, 9)


def test_an_empty_file_is_nothing_without_findings() -> None:
    assert compose(Source("file.yaml", "# only a comment\n")) == (None, ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\na: 2\n", ["TR010"]),
        ("a: 1\na: 2\nb: {c: 1, c: 2}\n", ["TR010", "TR010"]),
        ("a: &x {b: 1}\nc: {<<: *x}\n", ["TR009"]),
        ("a: 1\n---\nb: 2\n", ["TR011"]),
        ("a: !!python/object:os.system x\n", ["TR012"]),
        ("a: !custom [1]\n", ["TR012"]),
        ("? [a]\n: b\n", ["TR013"]),
        ("a: *nowhere\n", ["TR005"]),
        ("a: [1, 2\n", ["TR005"]),
        ("\ta: 1\n", ["TR004"]),
        ("a: \x00\n", ["TR003"]),
        ("a: \u2028\n", ["TR003"]),
        ("a: &x [*x]\n", ["TR008"]),
    ],
)
def test_what_is_not_read_is_a_finding_of_its_own(text: str, expected: list[str]) -> None:
    assert sorted(codes(text)) == expected


def test_a_quoted_double_angle_is_a_plain_key() -> None:
    assert codes("'<<': 1\n") == []


def test_depth_is_counted_before_anything_is_built() -> None:
    assert codes("[" * MAX_DEPTH + "]" * MAX_DEPTH) == []
    assert codes("[" * (MAX_DEPTH + 1)) == ["TR007"]
    assert codes("[" * 200_000) == ["TR007"]


def test_aliases_may_repeat_but_not_multiply() -> None:
    few = "a: &a [1]\nb: [" + ", ".join(["*a"] * MAX_ALIASES) + "]\n"
    assert codes(few) == []
    assert codes(few.replace("b: [", "b: [*a, ")) == ["TR008"]
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    assert codes("\n".join(lines)) == ["TR008"]


def test_a_hundred_copies_of_a_huge_list_are_refused() -> None:
    text = "a: &a [" + "x, " * 5000 + "x]\nb: [" + ", ".join(["*a"] * 50) + "]\n"
    assert codes(text) == ["TR008"]


def test_size_is_counted_in_bytes() -> None:
    assert [one.code for one in decode(b"#" * (MAX_BYTES + 1), "file.yaml")[1]] == ["TR006"]
    assert codes("#" + "é" * (MAX_BYTES // 2)) == ["TR006"]


def test_bytes_that_are_no_text_are_found_at_their_place() -> None:
    _, found = decode("a: é\nb: ".encode() + b"\xff\n", "file.yaml")
    assert [(one.code, one.span.line, one.span.column) for one in found] == [("TR002", 2, 4)]


def test_a_byte_order_mark_shifts_no_column() -> None:
    source, found = decode(b"\xef\xbb\xbfa: 1\n", "file.yaml")
    node, wrong = compose(source)
    assert isinstance(node, Mapping)
    assert (found, wrong, node.pairs[0][0].span.column) == ((), (), 1)


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_never_raise(data: bytes) -> None:
    source, found = decode(data, "file.yaml")
    if not found:
        compose(source)


@given(st.text(alphabet="ab:-[]{}&*!|>'\"#%@, \n\t?<~\\0", max_size=80))
def test_text_made_of_yaml_signs_never_raises_and_findings_lie_inside_it(text: str) -> None:
    _, found = compose(Source("file.yaml", text))
    for one in found:
        assert 1 <= one.span.line <= text.count("\n") + 2
        assert one.full()


@given(st.recursive(st.text(max_size=5), lambda inner: st.lists(inner, max_size=3), max_leaves=10))
def test_dumped_values_are_read_back(value: object) -> None:
    text = dump({"key": value})
    node, found = compose(Source("file.yaml", text))
    if not any(one.code == "TR003" for one in found):
        assert isinstance(node, Mapping)
        assert plain(node.pairs[0][1]) == value


def plain(node: Node) -> object:
    match node:
        case Scalar():
            return node.text
        case Sequence():
            return [plain(one) for one in node]
        case Mapping():
            return {key.text: plain(value) for key, value in node}
