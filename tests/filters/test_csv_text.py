"""Rows and cells of CSV go, bytes stay; what readers could disagree about is unreadable."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troth.errors import UnreadableBody
from troth.filters import csv_text
from troth.filters.splicing import Edit

TEXT = st.text(st.sampled_from('ab1 ,;\t"\n\r*ö'), max_size=6)


@pytest.mark.parametrize(
    ("body", "columns", "rows"),
    [
        (b"", (), []),
        (b"\r\n\n", (), []),
        (b"id,name\r\n", ("id", "name"), []),
        (b"id,name\r\n1,Ann\r\n2,Bob", ("id", "name"), [("1", "Ann"), ("2", "Bob")]),
        (b"\xef\xbb\xbfid;name\n1;Ann\n", ("id", "name"), [("1", "Ann")]),
        (b"id\tname\n1\tA,n;n\n", ("id", "name"), [("1", "A,n;n")]),
        (b'id,"na""me"\n1,"a\r\nb,""c"""\n\n2,\n', ("id", 'na"me'), [("1", 'a\r\nb,"c"'), ("2", "")]),
        (b'name\n"Ann; B, C"\n""\n', ("name",), [("Ann; B, C",), ("",)]),
        (b" id , name\n 1 , Ann\n", ("id", "name"), [("1", "Ann")]),
        (b"note\na; b\n", ("note",), [("a; b",)]),
        (b"id,id\n1,2", ("id", "id"), [("1", "2")]),
    ],
)
def test_a_table_has_the_names_of_its_first_row(body: bytes, columns: tuple[str, ...], rows: list[object]) -> None:
    table = csv_text.read(body)
    assert table.columns == columns
    assert [tuple(cell.value for cell in row.cells) for row in table.rows] == rows


@pytest.mark.parametrize(
    "body",
    [
        b"id,name\n1,Ann,3\n",
        b"id,name\n1\n",
        b"id;name\n1;Ann;3\n",
        b'id,name\n1,A"nn\n',
        b'id,name\n1,"Ann\n',
        b'id,name\n1, "Ann"\n',
        b'id,name\n1,"Ann" \n',
        b"id,name\r1,Ann\r",
        b"a,b;c\n1,2;3\n",
        b"id,name\n1,A\0nn\n",
        b"id,name\n1,\xe4\n",
        "id,name\n1,Ann\n".encode("utf-16"),
    ],
)
def test_what_readers_could_disagree_about_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableBody) as caught:
        csv_text.read(body)
    assert caught.value.reason == "malformed"


def test_a_table_of_tabs_knows_no_other_delimiter() -> None:
    assert csv_text.read(b"a,b\tc\n1,2\t3\n", tabs=True).columns == ("a,b", "c")


def test_rows_go_with_their_line_end_and_cells_leave_their_delimiters() -> None:
    body = b'\xef\xbb\xbfid;name;n\r\n1;"A;nn";1.10\r\n2;Bob;2\n\n3;"Eve";3'
    table = csv_text.read(body)
    cells = {(0, 1): Edit.REMOVE, (2, 1): Edit.MASK}
    assert csv_text.edit(body, table, {1}, cells) == b"\xef\xbb\xbfid;name;n\r\n1;;1.10\r\n\n3;***;3"
    assert csv_text.edit(body, table, {0, 1, 2}, cells) == b"\xef\xbb\xbfid;name;n\r\n\n"


def test_the_only_cell_of_a_row_leaves_quotes_behind() -> None:
    body = b"name\nAnn\nBob\n"
    edited = csv_text.edit(body, csv_text.read(body), set(), {(0, 0): Edit.REMOVE})
    assert edited == b'name\n""\nBob\n'


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[list[str]], str, str, bool, int]:
    width = draw(st.integers(1, 4))
    rows = draw(st.lists(st.lists(TEXT, min_size=width, max_size=width), max_size=5))
    delimiter = draw(st.sampled_from(",;\t")) if width > 1 else ","  # a bare comma in the only column is no cell's
    end = draw(st.sampled_from(["\r\n", "\n"]))
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    if end == "\n" and any("\r" in value for row in rows for value in row):
        quoting = csv.QUOTE_ALL  # the writer leaves a lone carriage return bare where it is no part of its line end
    return rows, delimiter, end, draw(st.booleans()), quoting


@given(tables(), st.data())
def test_another_reader_sees_exactly_what_was_kept(
    drawn: tuple[list[list[str]], str, str, bool, int], data: st.DataObject
) -> None:
    rows, delimiter, end, bom, quoting = drawn
    head = [f"c{n}" for n in range(len(rows[0]) if rows else 2)]
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows([head, *rows])  # type: ignore[arg-type]  # both are constants of the module
    body = (b"\xef\xbb\xbf" if bom else b"") + buffer.getvalue().encode()
    table = csv_text.read(body)
    assert [[cell.value for cell in row.cells] for row in table.rows] == [[one.strip() for one in row] for row in rows]
    places = [(r, c) for r in range(len(rows)) for c in range(len(head))]
    gone = data.draw(st.sets(st.sampled_from(range(len(rows))))) if rows else set()
    edits = data.draw(st.dictionaries(st.sampled_from(places), st.sampled_from(Edit))) if places else {}
    edited = csv_text.edit(body, table, gone, edits)
    instead = {Edit.REMOVE: "", Edit.MASK: "***"}
    wanted = [
        [instead[edits[r, c]] if (r, c) in edits else value for c, value in enumerate(row)]
        for r, row in enumerate(rows)
        if r not in gone
    ]
    read = csv.reader(io.StringIO(edited.decode("utf-8-sig"), newline=""), delimiter=delimiter, strict=True)
    assert list(read) == [head, *wanted]
    if not gone and not edits:
        assert edited == body
    if not edits:
        kept = [body[: table.rows[0].start] if rows else body]
        kept += [body[row.start : row.end] for r, row in enumerate(table.rows) if r not in gone]
        assert edited == b"".join(kept)


@given(st.lists(st.sampled_from([b"a", b",", b";", b'"', b'""', b"\r\n", b"\n", b"\r", b"\t", b" "])).map(b"".join))
def test_whatever_comes_is_read_as_another_strict_reader_does_or_not_at_all(body: bytes) -> None:
    try:
        table = csv_text.read(body)
    except UnreadableBody:
        return
    assert csv_text.edit(body, table, set(), {}) == body
    width = len(table.columns)
    cells = [[*table.columns], *([cell.value for cell in row.cells] for row in table.rows)] if width else []
    found = []
    for delimiter in ",;\t":
        read = csv.reader(io.StringIO(body.decode(), newline=""), delimiter=delimiter)
        found.append([[cell.strip() for cell in row] for row in read if row])
    assert cells in found
