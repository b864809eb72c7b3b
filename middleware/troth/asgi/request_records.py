"""Records that come in with a request: in its JSON, its rows, its files; or a form that is one as a whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final, Protocol

from troth.asgi.bodies import FieldFound, Read
from troth.asgi.inbound import report_fields
from troth.asgi.judging import Judging
from troth.asgi.records import Records, aged, counts_of, edit_for, found_in, in_json, judge_one, since_of, subjects_of
from troth.asgi.request import FORM, JSON, MULTIPART, Head, body_kind
from troth.asgi.rows import START, Rows, is_rows
from troth.asgi.rows import read as read_rows
from troth.errors import UnreadableBody
from troth.filters import charset, multipart
from troth.filters.json_text import Members
from troth.filters.multipart import File, Part
from troth.filters.places import Path, parse_selector
from troth.filters.splicing import Edit
from troth.model.facts import Direction, Record
from troth.model.words import UNDECLARED, Carrier, Thing

_NO_STATUS: Final = 0
_FORMS: Final = {FORM: Carrier.FORM, MULTIPART: Carrier.MULTIPART}
_BY_NAME: Final = {
    "csv": b"text/csv", "tsv": b"text/tab-separated-values", "ndjson": b"application/x-ndjson",
    "jsonl": b"application/x-ndjson", "json": b"application/json",
}  # fmt: skip
"""What a file is that calls itself by its ending only: browsers give spreadsheets' types to CSV, or none at all."""


class Judged(Protocol):
    """Records of a request that are judged one by one."""

    @property
    def whole(self) -> bool:
        """Whether files were read as well."""
        ...

    def judge(self, fields: Iterable[FieldFound], /) -> bytes | None:
        """Judge them and the `fields`; returns the body without what has to go, None if all stays."""
        ...


def binds_records(judging: Judging) -> bool:
    """Whether the binding says that records stand in the request."""
    route = judging.x.route
    return route is not None and route.request_records is not None


def hides_records(judging: Judging) -> bool:
    """Whether a body in which no record can be found may not pass: a rule may withhold one."""
    return binds_records(judging) and any(rule.restricts for rule in judging.site.engine.rules[Thing.RECORD])


def in_rows(judging: Judging, head: Head) -> bool:
    """Whether the body is a list of rows that are records."""
    return binds_records(judging) and is_rows(head.content_type)


async def find(judging: Judging, kind: str, body: Read, head: Head) -> Judged | None:
    """Put the records of the body among the facts, and the ages that are nobody's in particular.

    An age that is stated in somebody's record is theirs, and no evidence about whoever sends a list of them.
    Raises UnreadableBody where they cannot be read.
    """
    x, route = judging.x, judging.x.route
    if route is None or route.request_records is None:
        x.ages = (*x.ages, *body.stated())
        return None
    if kind in _FORMS:
        x.ages = (*x.ages, *body.stated())
        if not parse_selector(route.request_records):
            return await _form(judging, kind, body)
        return await _files(judging, body, head) if body.files() else None
    records = await _rows(judging, body.body, head.content_type)
    x.ages = (*x.ages, *body.stated(records.paths), *records.ages())
    return records


async def _rows(judging: Judging, body: bytes, content_type: bytes) -> Records:
    route = judging.x.route
    if route is None or route.request_records is None:
        raise UnreadableBody("kind")
    rows: Rows
    if is_rows(content_type):
        tagging = judging.site.tagging(route)
        rows = read_rows(body, _NO_STATUS, content_type, tagging, judging.known, route.record_subject)
        paths: list[Path] = [START] * len(rows.values)
    else:
        charset.check(body, content_type)
        rows, paths = in_json(judging, body, route.request_records)
    people = judging.runtime.people[id(judging.site)]
    return await found_in(judging, people, route, rows, paths, Direction.REQUEST)


# forms -----------------------------------------------------------------------------------------------------------


class _Form:
    """A form that is a record as a whole. Of its files nothing but the names is read."""

    whole = False

    def __init__(self, judging: Judging, body: Read) -> None:
        self._judging = judging
        self._body = body

    def judge(self, fields: Iterable[FieldFound]) -> bytes | None:
        """Judge the record and its fields."""
        judge_one(self._judging, 0)
        edits: dict[object, Edit] = {}
        for field, n, key in fields:
            edit = edit_for(self._judging.field_of_record(replace(field, record=0), n))
            if edit is not None:
                edits[key] = edit
        return self._body.edit(edits) if edits else None


async def _form(judging: Judging, kind: str, body: Read) -> _Form | None:
    """Return a form as the record that it is; none where it is empty."""
    route = judging.x.route
    if route is None or not body.pairs:
        return None
    members = Members(body.pairs)
    (subject,) = await subjects_of(judging, judging.runtime.people[id(judging.site)], route, [members])
    record = Record(
        direction=Direction.REQUEST, subject=aged(subject, body.stated()), since=since_of(members, route),
        data=frozenset(field.category for field, _, _ in body.fields if field.category != UNDECLARED),
        counts=counts_of(members, route), whole_body=True, carrier=_FORMS[kind],
    )  # fmt: skip
    judging.x.records = (record,)
    return _Form(judging, body)


# files -----------------------------------------------------------------------------------------------------------


class _Files:
    """Files that are lists of records, in a multipart body."""

    def __init__(self, judging: Judging, body: Read, head: Head, found: list[tuple[File, Records]]) -> None:
        self._judging = judging
        self._body = body
        self._head = head
        self._found = found
        self.whole = len(found) == len(body.files())

    def judge(self, fields: Iterable[FieldFound]) -> bytes | None:
        """Judge the records of each file, and the fields of the form around them."""
        edits = report_fields(self._judging, fields)
        gone = {key[0] for key in edits if isinstance(key, tuple)}
        contents = {file: content for file, records in self._found if (content := records.judge(())) is not None}
        if not gone and not contents:
            return None
        parts = self._body.parts
        edited = multipart.edit(self._body.body, parts, lambda part: part.name in gone, contents)
        left = multipart.read(edited, self._head.content_type)
        if [part.name for part in left] != [part.name for part in parts if part.name not in gone]:
            raise UnreadableBody("malformed")  # what was left of a file must not look like a boundary
        return edited


async def _files(judging: Judging, body: Read, head: Head) -> _Files:
    """Find the records in the files of a multipart body. Raises UnreadableBody where some may hide in one."""
    found = []
    for part, file in body.files():
        kind = _kind_of(part, file)
        if kind:
            records = await _rows(judging, body.body[file.start : file.end], kind)
            judging.x.ages = (*judging.x.ages, *records.ages())
            found.append((file, records))
        elif hides_records(judging):
            raise UnreadableBody("kind")
    return _Files(judging, body, head, found)


def _kind_of(part: Part, file: File) -> bytes:
    """Return as what a file is read: by its type, else by how its name ends. Empty: it cannot be."""
    if body_kind(file.kind) == JSON or is_rows(file.kind):
        return file.kind
    return _BY_NAME.get(part.value.rpartition(".")[2].lower(), b"")


__all__ = ["Judged", "binds_records", "find", "hides_records", "in_rows"]
