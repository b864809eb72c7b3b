"""Records in a JSON response: found by the binding's selector, judged each by its own subject, cut out one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, cast

from troth.asgi.bodies import Read, as_text
from troth.asgi.judging import Judging, masks, takes_away
from troth.engines.embedded.views import RecordView
from troth.errors import UnreadableBody
from troth.filters import coding, json_text
from troth.filters.places import ITEM, Path, Place, parse_selector
from troth.filters.splicing import ConcretePath, Edit
from troth.filters.tagging import Tags
from troth.model.binding import Route
from troth.model.facts import ABSENT, UNREADABLE, Direction, Field, Missing, Person, Record
from troth.model.findings import Finding
from troth.model.words import UNDECLARED, Carrier, Thing
from troth.runtime.people import People


class Records:
    """The records of one body: where each stands and what is in it. Facts about them stand in the exchange."""

    __slots__ = ("_judging", "_tags", "found")

    def __init__(self, judging: Judging, found: list[tuple[ConcretePath, Any]], tags: list[Tags]) -> None:
        self._judging = judging
        self.found = found
        self._tags = tags

    def judge(self, read: Read, body: bytes) -> bytes:
        """Judge every record and every field; returns the body without what has to go."""
        judging = self._judging
        gone = {path for index, (path, _) in enumerate(self.found) if takes_away(self._judge_record(index))}
        edits: dict[tuple[int | None, Path, str], Edit] = {}
        for index, tags in enumerate(self._tags):
            edits |= self._judge_fields(index, tags)
        generic = {_generic(path) for path, _ in self.found}
        for field, n, key in read.fields:
            place, category = cast("tuple[Path, str]", key)
            if not any(place[: len(start)] == start for start in generic):
                edit = _edit(judging.field(field, n))
                if edit is not None:
                    edits[None, place, category] = edit
        if not gone and not edits:
            return body
        return judging.site.tagging(judging.x.route).json.edit_at(body, self._verdict(gone, edits), known=judging.known)

    def _judge_record(self, index: int) -> tuple[Finding, ...]:
        judging = self._judging
        engine = judging.site.engine
        view = RecordView(engine.tables, judging.x, judging.x.records[index])
        found = tuple(engine.settle(engine.rules[Thing.RECORD], view, index))
        judging.found(found, None)
        return found

    def _judge_fields(self, index: int, tags: Tags) -> dict[tuple[int | None, Path, str], Edit]:
        edits: dict[tuple[int | None, Path, str], Edit] = {}
        for place, n in tags.places.items():
            for category in place.categories or (UNDECLARED,):
                field = Field(
                    category=category, carrier=Carrier.JSON, direction=Direction.RESPONSE, name=place.shown,
                    record=index,
                )  # fmt: skip
                edit = _edit(self._judging.field_of_record(field, n))
                if edit is not None:
                    edits[index, place.path, category] = edit
        return edits

    def _verdict(self, gone: set[ConcretePath], edits: dict[tuple[int | None, Path, str], Edit]) -> Any:
        index_of = {path: index for index, (path, _) in enumerate(self.found)}

        def verdict(place: Place | None, path: ConcretePath) -> Edit | None:
            if path in gone:
                return Edit.REMOVE
            if place is None:
                return None
            index = next((index_of[path[:n]] for n in range(len(path)) if path[:n] in index_of), None)
            wanted = {edits.get((index, place.path, category)) for category in place.categories or (UNDECLARED,)}
            if Edit.REMOVE in wanted:
                return Edit.REMOVE
            return Edit.MASK if Edit.MASK in wanted else None

        return verdict


def _edit(found: tuple[Finding, ...]) -> Edit | None:
    if takes_away(found):
        return Edit.REMOVE
    return Edit.MASK if masks(found) else None


async def gather(judging: Judging, people: People, raw: bytes, encoding: bytes, limit: int) -> Records | None:
    """Find the records of a held response and look all their subjects up at once.

    None where the route binds none, or where the body cannot be read: what reads its fields says so.
    """
    route = judging.x.route
    if route is None or route.records is None:
        return None
    try:
        body = coding.decode(raw, encoding or None, limit=limit)
        value = json_text.decode_all(body) if body.strip() else None
        found = [(path, part) for path, part in select(value, route.records) if value is not None]
    except UnreadableBody:
        return None
    tagging = judging.site.tagging(route)
    today = judging.x.now.date()
    tags = [tagging.json.tag_part(part, _generic(path), today=today, known=judging.known) for path, part in found]
    subjects = await _subjects(judging, people, route, [part for _, part in found])
    counts = list(_counts(value, route))
    records = []
    for (path, part), subject, inside in zip(found, subjects, tags, strict=True):
        record = Record(
            subject=subject,
            data=inside.categories(),
            since=_since(part, route),
            counts=tuple(n for at, n in counts if at[: len(path)] == path),
            whole_body=not path,
        )
        records.append(record)
    judging.x.records = tuple(records)
    return Records(judging, found, tags)


async def _subjects(judging: Judging, people: People, route: Route, parts: list[Any]) -> list[Person | Missing | None]:
    """Return whose each record is; unreadable where the binding promises a subject that is not there.

    Where it names none for records, they are those of the subject that the request addresses, if it addresses one.
    """
    if route.record_subject is None:
        return [judging.x.subject] * len(parts)
    ids = [next((as_text(one) for _, one in select(part, route.record_subject)), None) for part in parts]
    known = sorted({one for one in ids if one is not None})
    persons = dict(zip(known, await people.persons(known, judging.x.now), strict=True))
    return [UNREADABLE if one is None else persons[one] for one in ids]


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


def _since(part: Any, route: Route) -> datetime | Missing:
    """Return from when a record is kept: absent where the binding does not say, unreadable where it is no date."""
    if route.since is None:
        return ABSENT
    text = next((one for _, one in select(part, route.since)), None)
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else datetime.fromtimestamp(text, UTC)  # type: ignore[arg-type]  # what is no number is caught
    except (ValueError, TypeError, OverflowError, OSError):
        return UNREADABLE
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _counts(value: Any, route: Route) -> Iterable[tuple[ConcretePath, int]]:
    for selector in route.counts:
        yield from ((path, n) for path, n in select(value, selector) if type(n) is int)


__all__ = ["Records", "gather", "select"]
