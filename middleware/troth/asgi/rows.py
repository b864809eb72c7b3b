"""Responses that are a list of rows: CSV and NDJSON. Each row is a record, whatever selector the binding names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Any, Final, Protocol

from troth.errors import UnreadableBody
from troth.filters import charset, csv_text, ndjson
from troth.filters.json_text import Members
from troth.filters.places import ITEM, Path, Place, parse_selector
from troth.filters.probes import Known, Probes
from troth.filters.splicing import ConcretePath, Edit
from troth.filters.tagging import Tagger
from troth.model.words import UNDECLARED
from troth.runtime.tags import Tagging

START: Final[Path] = (ITEM,)
"""Where a row stands, for the selectors of `fields`: ``$[*]``."""
_CSV: Final = frozenset((b"text/csv", b"application/csv", b"text/tab-separated-values"))
_LINES: Final = frozenset(
    (b"application/x-ndjson", b"application/ndjson", b"application/jsonl", b"application/x-jsonl")
)
_PARTIAL: Final = 206

FieldEdits = Mapping[tuple[int | None, Path, str], Edit]
"""What happens to the fields of a category at a place of a record."""


class Rows(Protocol):
    """The rows of one body, decoded, and how to take rows or fields of rows out of it."""

    @property
    def values(self) -> list[Any]:
        """Every row as a value of JSON would be: a mapping of names, for CSV to texts."""
        ...

    def edit(self, gone: Set[int], edits: FieldEdits, /) -> bytes:
        """Return the body without the rows in `gone` and without what `edits` takes out of others."""
        ...


def edit_of(edits: FieldEdits, index: int | None, place: Place) -> Edit | None:
    """Return what happens to a value at a place of a record: out if one of its categories is, else masked if one is."""
    wanted = {edits.get((index, place.path, category)) for category in place.categories or (UNDECLARED,)}
    if Edit.REMOVE in wanted:
        return Edit.REMOVE
    return Edit.MASK if Edit.MASK in wanted else None


def is_rows(content_type: bytes) -> bool:
    """Whether a response of this type is a list of rows."""
    kind = content_type.partition(b";")[0].strip().lower()
    return kind in _CSV or kind in _LINES


def read(body: bytes, status: int, content_type: bytes, tagging: Tagging, known: Known, promised: str | None) -> Rows:
    """Return the rows of a decoded body. `promised` is the selector of the subject inside each, if the binding has one.

    Raises UnreadableBody (``malformed``), also for a part of a body (status 206), whose first row is no head.
    """
    kind, *parameters = [part.strip().lower() for part in content_type.split(b";")]
    if status == _PARTIAL:
        raise UnreadableBody("malformed")
    charset.check(body, content_type)
    if kind in _LINES:
        return _Lines(body, tagging.json, known)
    if any(parameter.replace(b" ", b"") == b"header=absent" for parameter in parameters):
        raise UnreadableBody("malformed")  # nothing names its columns
    table = csv_text.read(body, tabs=kind.endswith(b"tab-separated-values"))
    _check_head(table, tagging.probes, known, promised)
    return _Table(body, table)


def _check_head(table: csv_text.Table, probes: Probes, known: Known, promised: str | None) -> None:
    """Refuse a table whose first row is none of names: it lacks the subject's column, or holds data itself."""
    if not table.columns:
        return
    wanted = parse_selector(promised) if promised is not None else ()
    if wanted and not any(wanted[0].fits(name) for name in table.columns):
        raise UnreadableBody("malformed")
    if any(probes.find(name, known) for name in table.columns):
        raise UnreadableBody("malformed")


class _Table:
    """Rows of CSV. An empty cell is no value."""

    def __init__(self, body: bytes, table: csv_text.Table) -> None:
        self._body = body
        self._table = table
        self.values: list[Any] = [_members(table.columns, row) for row in table.rows]

    def edit(self, gone: Set[int], edits: FieldEdits) -> bytes:
        named: dict[tuple[int, str], Edit] = {}
        for (index, path, _), wanted in edits.items():
            if index is not None and named.get((index, str(path[-1]))) is not Edit.REMOVE:
                named[index, str(path[-1])] = wanted
        cells = {
            (index, column): named[index, name]
            for index in {index for index, _ in named}
            for column, name in enumerate(self._table.columns)
            if (index, name) in named
        }
        return csv_text.edit(self._body, self._table, gone, cells)


def _members(columns: tuple[str, ...], row: csv_text.Row) -> Any:
    pairs = [(name, cell.value) for name, cell in zip(columns, row.cells, strict=True) if cell.value]
    members = dict(pairs)
    return members if len(members) == len(pairs) else Members(pairs)


class _Lines:
    """Lines of NDJSON."""

    def __init__(self, body: bytes, tagger: Tagger, known: Known) -> None:
        self._body = body
        self._tagger = tagger
        self._known = known
        self._lines = ndjson.read(body)
        self.values: list[Any] = [line.value for line in self._lines]

    def edit(self, gone: Set[int], edits: FieldEdits) -> bytes:
        indexes = {index for index, _, _ in edits if index is not None}
        return ndjson.edit(self._body, self._lines, gone, {index: self._inside(index, edits) for index in indexes})

    def _inside(self, index: int, edits: FieldEdits) -> Callable[[bytes], bytes]:
        """Return what edits one line: as the only item of a list, so that places are those by which it was tagged."""

        def verdict(place: Place | None, _path: ConcretePath) -> Edit | None:
            return None if place is None else edit_of(edits, index, place)

        def spliced(line: bytes) -> bytes:
            return self._tagger.edit_at(b"[%b]" % line, verdict, known=self._known)[1:-1]

        return spliced
