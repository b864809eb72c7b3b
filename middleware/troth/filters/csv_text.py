"""Tables in CSV as everyone must agree on them: read by RFC 4180, edited by cutting bytes.

What one reader takes for a cell and another for two (a quote inside a bare cell, a lone carriage return, rows of
different lengths, two delimiters that both fit) is unreadable, never clean.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Set
from functools import cache
from typing import Final, NamedTuple

from troth.errors import UnreadableBody
from troth.filters.splicing import Edit

COMMA, TAB = b",", b"\t"
_DELIMITERS: Final = (COMMA, b";", TAB)
_BOM: Final = b"\xef\xbb\xbf"
_MASK: Final = b"***"
_NOTHING: Final = b'""'


class Cell(NamedTuple):
    """Where a cell stands, quotes included, and what it says: without quotes and without white space around it."""

    start: int
    end: int
    value: str


class Row(NamedTuple):
    """Where a row stands, its line end included, and its cells."""

    start: int
    end: int
    cells: tuple[Cell, ...]


class Table(NamedTuple):
    """What a CSV body holds: the names in its first row, and all other rows. Empty lines are no rows."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read(body: bytes, *, tabs: bool = False) -> Table:
    """Return the table in `body`; an empty body has neither columns nor rows. `tabs`: only a tab parts cells.

    The delimiter is the one of ``,`` ``;`` and tab by which all rows are as long as the first. Raises UnreadableBody
    (``malformed``) where there is no such delimiter or more than one, and for what is no UTF-8 text. A first row
    without any of them has one column.
    """
    _check(body)
    start = len(_BOM) if body.startswith(_BOM) else 0
    candidates = (TAB,) if tabs else tuple(one for one in _DELIMITERS if one == COMMA or one in body)
    tables = [rows for one in candidates if (rows := _rows(body, start, one)) is not None]
    chosen = [rows for rows in tables if rows and len(rows[0].cells) > 1]
    if not chosen and tables and not (tables[0] and _is_parted(body, tables[0][0].cells[0])):
        chosen = tables[:1]
    if len(chosen) != 1:
        raise UnreadableBody("malformed")
    rows = chosen[0]
    if not rows:
        return Table((), ())
    return Table(tuple(cell.value for cell in rows[0].cells), tuple(rows[1:]))


def edit(body: bytes, table: Table, gone: Set[int], cells: Mapping[tuple[int, int], Edit]) -> bytes:
    """Return `body` without the rows in `gone` (by their place in the table) and with single `cells` emptied or masked.

    A row goes with its line end. A cell that goes leaves its delimiters, so that all others keep their column; in a
    table of one column it leaves a pair of quotes, for an empty line would be no row. All other bytes stay.
    """
    empty = b"" if len(table.columns) > 1 else _NOTHING
    parts: list[bytes] = []
    at = 0
    for index, row in enumerate(table.rows):
        if index in gone:
            parts.append(body[at : row.start])
            at = row.end
            continue
        for column, cell in enumerate(row.cells):
            wanted = cells.get((index, column))
            if wanted is not None:
                parts += (body[at : cell.start], empty if wanted is Edit.REMOVE else _MASK)
                at = cell.end
    parts.append(body[at:])
    return b"".join(parts)


def _is_parted(body: bytes, cell: Cell) -> bool:
    """Whether a bare cell holds what might have been a delimiter, had the rows below agreed."""
    text = body[cell.start : cell.end]
    return text[:1] != b'"' and any(one in text for one in _DELIMITERS)


def _check(body: bytes) -> None:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        raise UnreadableBody("malformed") from None
    if b"\0" in body:
        raise UnreadableBody("malformed")


@cache
def _cells(delimiter: bytes) -> Callable[[bytes, int], re.Match[bytes] | None]:
    """Return what finds one cell and what ends it. Quantifiers are possessive: no backtracking."""
    odd = re.escape(delimiter)
    return re.compile(
        rb'(?:"(?P<quoted>[^"]*+(?:""[^"]*+)*+)"|(?P<bare>[^"\r\n' + odd + rb"]*+))"
        rb"(?:(?P<more>" + odd + rb")|\r\n|\n|\Z)"
    ).match  # fmt: skip


def _rows(body: bytes, at: int, delimiter: bytes) -> list[Row] | None:
    """Return all rows, the first included; None where `body` is no table with this delimiter."""
    match = _cells(delimiter)
    rows: list[Row] = []
    cells: list[Cell] = []
    start, end = at, len(body)
    while at < end or cells:
        found = match(body, at)
        if found is None:
            return None
        cells.append(_cell(found))
        at = found.end()
        if found["more"] is not None:
            continue
        if len(cells) > 1 or cells[0].start != cells[0].end:
            if rows and len(cells) != len(rows[0].cells):
                return None
            rows.append(Row(start, at, tuple(cells)))
        cells, start = [], at
    return rows


def _cell(found: re.Match[bytes]) -> Cell:
    quoted = found["quoted"]
    if quoted is None:
        start, end = found.span("bare")
        return Cell(start, end, found["bare"].decode().strip())
    return Cell(found.start(), found.end("quoted") + 1, quoted.replace(b'""', b'"').decode().strip())
