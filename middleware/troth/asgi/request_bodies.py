"""The body of a request: the values that the binding reads there, its records, its fields, and what goes from it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from troth._types import Receive, Scope
from troth.asgi.bodies import Held, Read, Watch, read_body
from troth.asgi.inbound import people_in_request, report_fields
from troth.asgi.judging import FieldFound, Judging
from troth.asgi.records import aged, counts_of, edit_for, found_in, in_json, judge_one, since_of, subjects_of
from troth.asgi.request import FORM, JSON, MULTIPART, Head, agreed, body_kind, proven_party
from troth.asgi.rows import START, is_rows
from troth.asgi.rows import read as read_rows
from troth.asgi.writes import Writes
from troth.errors import UnreadableBody
from troth.filters import coding
from troth.filters.json_text import Members
from troth.filters.places import Path, parse_selector
from troth.filters.splicing import Edit
from troth.model.binding import Limits, Source
from troth.model.facts import Direction, Person, Record
from troth.model.words import UNDECLARED, Carrier, Thing

_IN_BODY = "body"
_NO_STATUS = 0
_WITHOUT_BODY = frozenset(("GET", "HEAD"))
_PLAIN = frozenset((b"", b"identity"))
_OPENING = frozenset((b"{", b"["))
_FORMS = {FORM: Carrier.FORM, MULTIPART: Carrier.MULTIPART}


class _Judged(Protocol):
    """Records of a request that are judged one by one."""

    def judge(self, fields: Iterable[FieldFound], /) -> bytes | None:
        """Judge them and the `fields`; returns the body without what has to go, None if all stays."""
        ...


def kind_of(judging: Judging, head: Head) -> str:
    """Return which reader the body needs. Rows are read as JSON is, where the route binds records of the request."""
    kind = body_kind(head.content_type)
    return JSON if not kind and _in_rows(judging, head) else kind


def _in_rows(judging: Judging, head: Head) -> bool:
    return binds_records(judging) and is_rows(head.content_type)


def may_be_json(head: Head, scope: Scope) -> bool:
    """Whether a body of no type that is read may be there, which an app could read as JSON all the same."""
    announced = bool(head.length or head.content_type) or str(scope.get("http_version", "1.1")).startswith("1")
    return announced or scope["method"] not in _WITHOUT_BODY


async def is_json(held: Held, receive: Receive, head: Head, limit: int) -> bool:
    """Hold as much of such a body as tells whether it is JSON: an app that does not ask for the type would read it.

    A body of which only the beginning was held passes on as it comes. Raises UnreadableBody where two types are named.
    """
    if b"," in head.content_type.partition(b";")[0]:
        raise UnreadableBody("malformed")
    if head.encoding in _PLAIN:
        begun = await held.begin(receive, limit)
        if begun[:1] not in _OPENING and not (held.too_large and not begun):
            held.too_large = False
            return False
    await held.fill(receive, limit)
    if held.too_large and head.encoding not in _PLAIN:
        held.too_large = False
        return False
    return held.too_large or _reads_as_json(held.body(), head.encoding, limit)


def _reads_as_json(raw: bytes, encoding: bytes, limit: int) -> bool:
    """Whether some reader makes JSON of it: Python's takes more than the standard, and guesses the encoding."""
    try:
        return isinstance(json.loads(coding.decode(raw, encoding or None, limit=limit)), dict | list)
    except (ValueError, UnreadableBody):
        return False
    except RecursionError:
        return True


def binds_records(judging: Judging) -> bool:
    """Whether the binding says that records stand in the request."""
    route = judging.x.route
    return route is not None and route.request_records is not None


def hides_records(judging: Judging) -> bool:
    """Whether a body in which no record can be found may not pass: a rule may withhold one."""
    return binds_records(judging) and any(rule.restricts for rule in judging.site.engine.rules[Thing.RECORD])


def _read(judging: Judging, kind: str, raw: bytes, head: Head, limits: Limits) -> Read:
    if _in_rows(judging, head):
        return Read(coding.decode(raw, head.encoding or None, limit=limits.hold_request))
    return read_body(
        kind, raw, head.content_type, head.encoding, limits.hold_request, judging.site.tagging(judging.x.route),
        judging.x.now.date(), judging.known, Direction.REQUEST,
    )  # fmt: skip


async def request_body(
    judging: Judging, scope: Scope, kind: str, raw: bytes, head: Head, limits: Limits, writes: Writes | None = None
) -> bytes | None:
    """Read a held body: what it says about subject and ages, what it records, its fields. Returns it edited, or None.

    Raises UnreadableBody where it cannot be read, or where a part that must go cannot be taken out.
    """
    x = judging.x
    body = _read(judging, kind, raw, head, limits)
    _values_of_body(judging, scope, body)
    await people_in_request(judging, scope, body)
    records = await _records(judging, kind, body, head)
    x.body_pending = False
    if writes is not None:
        writes.read(body)
    judging.again()
    if records is not None:
        return records.judge(body.fields)
    edits = report_fields(judging, body.fields)
    return body.edit(edits) if edits else None


async def watched(judging: Judging, kind: str, watch: Watch, head: Head, limits: Limits) -> None:
    """Tag a body that passed by. It was given to the app already: rules see it, nothing is taken out."""
    x = judging.x
    x.body_pending = False
    if not watch.complete:
        judging.inspect["request"] = "partial"
        return
    try:
        body = _read(judging, kind, watch.body(), head, limits)
        records = await _records(judging, kind, body, head)
    except UnreadableBody as cause:
        judging.inspect["request"] = cause.reason
        x.request_unreadable = True
        return
    judging.again()
    if records is not None:
        records.judge(body.fields)
    else:
        report_fields(judging, body.fields)


def _values_of_body(judging: Judging, scope: Scope, body: Read) -> None:
    """Take purpose, party and topic from the body where the binding says that they stand there."""
    x = judging.x
    route = x.route
    if route is None:
        return
    if isinstance(route.purpose, Source) and route.purpose.place == _IN_BODY:
        given = body.value(route.purpose.name)
        x.purpose = given if given and given in judging.site.policy.purposes else UNDECLARED
    if isinstance(route.party, Source) and route.party.place == _IN_BODY:
        named = body.value(route.party.name)
        named = named if named and named in judging.site.policy.parties else UNDECLARED
        x.party = agreed(proven_party(judging.site, scope), named)
    if isinstance(route.topic, Source) and route.topic.place == _IN_BODY:
        topic = body.value(route.topic.name)
        x.bound = {} if topic is None else {"topic": topic}


# records ---------------------------------------------------------------------------------------------------------


async def _records(judging: Judging, kind: str, body: Read, head: Head) -> _Judged | None:
    """Put the records of the body among the facts, and the ages that are nobody's in particular.

    An age that is stated in somebody's record is theirs, and no evidence about whoever sends a list of them.
    """
    x, route = judging.x, judging.x.route
    if route is None or route.request_records is None:
        x.ages = (*x.ages, *body.stated())
        return None
    people = judging.runtime.people[id(judging.site)]
    if kind in _FORMS:
        x.ages = (*x.ages, *body.stated())
        return await _form(judging, kind, body)
    if _in_rows(judging, head):
        rows = read_rows(
            body.body, _NO_STATUS, head.content_type, judging.site.tagging(route), judging.known, route.record_subject
        )
        paths: list[Path] = [START] * len(rows.values)
    else:
        rows, paths = in_json(judging, body.body, route.request_records)
    records = await found_in(judging, people, route, rows, paths, Direction.REQUEST)
    of_somebody = [path for path, one in zip(paths, x.records, strict=True) if path and isinstance(one.subject, Person)]
    x.ages = (*x.ages, *body.stated(of_somebody))
    return records


class _Form:
    """A form that is a record as a whole."""

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
    """Return a form as the record that it is, if the binding says that the whole body (``$``) is one."""
    route = judging.x.route
    if route is None or route.request_records is None or parse_selector(route.request_records) or not body.pairs:
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


__all__ = ["binds_records", "hides_records", "is_json", "kind_of", "may_be_json", "request_body", "watched"]
