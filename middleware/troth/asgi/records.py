"""Records in a body: found by a selector or row by row, judged each by its own subject, cut out one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, cast

from troth._types import HeaderList, Message
from troth.asgi.bodies import FieldFound, as_text
from troth.asgi.judging import Judging, masks, takes_away
from troth.asgi.rows import START, FieldEdits, Rows, edit_of, is_rows, read
from troth.engines.embedded.views import RecordView
from troth.errors import UnreadableBody
from troth.filters import coding, json_text
from troth.filters.headers import first, joined
from troth.filters.places import ITEM, Path, Place, parse_selector
from troth.filters.probes import Known
from troth.filters.splicing import ConcretePath, Edit
from troth.filters.tagging import Tagger, Tags
from troth.model.binding import Route
from troth.model.facts import ABSENT, UNREADABLE, Age, Direction, Field, Missing, Person, Record, Subject
from troth.model.findings import Finding
from troth.model.words import UNDECLARED, Carrier, Thing
from troth.runtime.people import People
from troth.runtime.tags import to_age

_LONG: Final = 18


class _Json:
    """Records that stand anywhere in a JSON body."""

    def __init__(self, body: bytes, selector: str, tagger: Tagger, known: Known) -> None:
        value = json_text.decode_all(body) if body.strip() else None
        found = [(path, part) for path, part in select(value, selector) if value is not None]
        self._body = body
        self._tagger = tagger
        self._known = known
        self._index_of = {path: index for index, (path, _) in enumerate(found)}
        self.paths = [path for path, _ in found]
        self.values = [part for _, part in found]

    def edit(self, gone: Set[int], edits: FieldEdits) -> bytes:
        index_of = self._index_of

        def verdict(place: Place | None, path: ConcretePath) -> Edit | None:
            if index_of.get(path) in gone:
                return Edit.REMOVE
            if place is None:
                return None
            index = next((index_of[path[:n]] for n in range(len(path)) if path[:n] in index_of), None)
            return edit_of(edits, index, place)

        return self._tagger.edit_at(self._body, verdict, known=self._known)


class Records:
    """The records of one body: where each stands and what is in it. Facts about them stand in the exchange."""

    __slots__ = ("_base", "_direction", "_judging", "_rows", "_starts", "_tags", "paths")

    def __init__(
        self, judging: Judging, rows: Rows, paths: list[Path], tags: list[Tags], base: int, direction: Direction
    ) -> None:  # fmt: skip
        self._judging = judging
        self._rows = rows
        self._starts = set(paths)
        self.paths = paths
        """Where each begins."""
        self._tags = tags
        self._base = base
        """How many records stand before them in the exchange: those of the request, before those of the response."""
        self._direction = direction

    def ages(self) -> list[Age]:
        """Return the ages stated in records that are nobody's in particular, or the whole body."""
        mine = self._judging.x.records[self._base : self._base + len(self._tags)]
        loose = [tags for tags, one in zip(self._tags, mine, strict=True) if one.whole_body or not _is_somebodys(one)]
        return [age for tags in loose for age in _ages(tags)]

    @property
    def whole(self) -> bool:
        """Nothing of the body was left unread."""
        return True

    def judge(self, fields: Iterable[FieldFound]) -> bytes | None:
        """Judge every record, its fields, and those `fields` of the body that stand in none.

        Returns the body without what has to go; None if all may stay.
        """
        judging = self._judging
        gone = {index for index in range(len(self._tags)) if takes_away(judge_one(judging, self._base + index))}
        edits: dict[tuple[int | None, Path, str], Edit] = {}
        for index, tags in enumerate(self._tags):
            edits |= self._judge_fields(index, tags)
        for field, n, key in fields:
            place, category = cast("tuple[Path, str]", key)
            if not any(place[: len(start)] == start for start in self._starts):
                edit = edit_for(judging.field(field, n))
                if edit is not None:
                    edits[None, place, category] = edit
        return self._rows.edit(gone, edits) if gone or edits else None

    def _judge_fields(self, index: int, tags: Tags) -> dict[tuple[int | None, Path, str], Edit]:
        edits: dict[tuple[int | None, Path, str], Edit] = {}
        for place, n in tags.places.items():
            for category in place.categories or (UNDECLARED,):
                field = Field(
                    category=category, carrier=Carrier.JSON, direction=self._direction, name=place.shown,
                    record=self._base + index,
                )  # fmt: skip
                edit = edit_for(self._judging.field_of_record(field, n))
                if edit is not None:
                    edits[index, place.path, category] = edit
        return edits


class Unread:
    """Stands for the rows of a body that cannot be read: judging it says why."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def judge(self, fields: Iterable[FieldFound]) -> bytes | None:
        """Raise UnreadableBody."""
        del fields
        raise UnreadableBody(self._reason)


def judge_one(judging: Judging, index: int) -> tuple[Finding, ...]:
    """Judge one record of the exchange; returns what was found."""
    engine = judging.site.engine
    view = RecordView(engine.tables, judging.x, judging.x.records[index])
    found = tuple(engine.settle(engine.rules[Thing.RECORD], view, index))
    judging.found(found, None)
    return found


def edit_for(found: tuple[Finding, ...]) -> Edit | None:
    """Return what happens to a field about which this was found."""
    if takes_away(found):
        return Edit.REMOVE
    return Edit.MASK if masks(found) else None


async def gather(judging: Judging, people: People, raw: bytes, start: Message, limit: int) -> Records | Unread | None:
    """Find the records of a held response and look all their subjects up at once.

    None where the route binds none, or where JSON cannot be read: what reads its fields says so.
    """
    route = judging.x.route
    if route is None or route.records is None:
        return None
    headers: HeaderList = list(start.get("headers", ()))
    content_type = first(headers, b"content-type") or b""
    in_rows = is_rows(content_type)
    try:
        body = coding.decode(raw, joined(headers, b"content-encoding"), limit=limit)
        tagging = judging.site.tagging(route)
        rows: Rows
        if in_rows:
            rows = read(body, start["status"], content_type, tagging, judging.known, route.record_subject)
            paths = [START] * len(rows.values)
        else:
            rows, paths = in_json(judging, body, route.records)
    except UnreadableBody as cause:
        return Unread(cause.reason) if in_rows else None
    return await found_in(judging, people, route, rows, paths, Direction.RESPONSE)


def in_json(judging: Judging, body: bytes, selector: str) -> tuple[Rows, list[Path]]:
    """Find the records of a JSON body, and where each begins. Raises UnreadableBody (``malformed``)."""
    rows = _Json(body, selector, judging.site.tagging(judging.x.route).json, judging.known)
    return rows, [_generic(path) for path in rows.paths]


async def found_in(
    judging: Judging, people: People, route: Route, rows: Rows, paths: list[Path], direction: Direction
) -> Records:
    """Put the records of a body among the facts; their subjects are all looked up at once."""
    tagger, today = judging.site.tagging(route).json, judging.x.now.date()
    tags = [
        tagger.tag_part(part, path, today=today, known=judging.known)
        for path, part in zip(paths, rows.values, strict=True)
    ]
    subjects = await subjects_of(judging, people, route, rows.values)
    before = judging.x.records
    judging.x.records = (*before, *(
        Record(
            direction=direction, subject=aged(subject, _ages(inside)), data=inside.categories(),
            since=since_of(part, route), counts=counts_of(part, route), whole_body=not path,
        )
        for path, part, subject, inside in zip(paths, rows.values, subjects, tags, strict=True)
    ))  # fmt: skip
    return Records(judging, rows, paths, tags, len(before), direction)


def _is_somebodys(record: Record) -> bool:
    return isinstance(record.subject, Person)


def _ages(tags: Tags) -> list[Age]:
    return [age for _, stated in tags.ages if (age := to_age(stated)) is not None]


def aged(subject: Subject, stated: list[Age]) -> Subject:
    """Return the subject of a record with the ages that are stated in it: the lower end of all evidence counts."""
    if not isinstance(subject, Person) or not stated:
        return subject
    ages = stated if subject.age is None else [*stated, subject.age]
    lows = [age.low for age in ages if age.low is not None]
    highs = [age.high for age in ages if age.high is not None]
    if not all(age.readable for age in ages):
        return replace(subject, age=Age(readable=False))
    return replace(subject, age=Age(low=max(lows, default=None), high=min(highs, default=None)))


async def subjects_of(judging: Judging, people: People, route: Route, parts: list[Any]) -> list[Subject]:
    """Return whose each record is; unreadable where the binding promises a subject that is not there, or is two.

    Where it names none for records, they are those of the subject that the request addresses, if it addresses one.
    """
    if route.record_subject is None:
        return [judging.x.subject] * len(parts)
    ids = [_only({as_text(one) for _, one in select(part, route.record_subject)}) for part in parts]
    known = sorted({one for one in ids if one is not None})
    persons = dict(zip(known, await people.persons(known, judging.x.now), strict=True))
    return [UNREADABLE if one is None else persons[one] for one in ids]


def _only(found: set[str | None]) -> str | None:
    return (found.pop() or None) if len(found) == 1 else None


def select(value: Any, selector: str) -> Iterator[tuple[ConcretePath, Any]]:
    """Yield every part of a decoded body that a selector names, with the keys and indexes that lead there."""
    places: list[tuple[ConcretePath, Any]] = [((), value)]
    for step in parse_selector(selector):
        places = [found for path, part in places for found in _children(path, part, step)]
    yield from places


def _children(path: ConcretePath, part: Any, step: Any) -> Iterator[tuple[ConcretePath, Any]]:
    if isinstance(part, list) and not isinstance(part, json_text.Members):
        yield from (((*path, index), item) for index, item in enumerate(part) if step.fits(ITEM))
    elif hasattr(part, "items"):
        yield from (((*path, key), member) for key, member in part.items() if step.fits(key))


def _generic(path: ConcretePath) -> Path:
    return tuple(step if isinstance(step, str) else ITEM for step in path)


def since_of(part: Any, route: Route) -> datetime | Missing:
    """Return from when a record is kept: absent where the binding does not say, unreadable where it is no date."""
    if route.since is None:
        return ABSENT
    text = next((one for _, one in select(part, route.since)), None)
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else datetime.fromtimestamp(text, UTC)  # type: ignore[arg-type]  # what is no number is caught
    except (ValueError, TypeError, OverflowError, OSError):
        return UNREADABLE
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def counts_of(part: Any, route: Route) -> tuple[int, ...]:
    """Return the counts inside a record. What stands for one and is no whole number counts as nobody: too few."""
    counted = (count for selector in route.counts for _, count in select(part, selector) if count is not None)
    return tuple(_count(count) for count in counted)


def _count(count: Any) -> int:
    if type(count) is int:
        return count
    return int(count) if isinstance(count, str) and count.isascii() and count.isdigit() and len(count) < _LONG else 0


__all__ = [
    "Records", "Unread", "aged", "counts_of", "edit_for", "found_in", "gather", "in_json", "judge_one", "select",
    "since_of", "subjects_of",
]  # fmt: skip
