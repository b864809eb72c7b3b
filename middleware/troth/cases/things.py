"""Facts of a case in place of bytes: elements, records, fields, marks of a page, events."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from troth.cases.plain import ANY_TEXT, INSTANT, MAP, TEXTS, By, values_by_name
from troth.cases.values import Facts
from troth.model.facts import ABSENT, UNREADABLE, Direction, Element, Event, Field, Missing, Page
from troth.model.facts import Record as RecordFact
from troth.model.words import UNDECLARED, Carrier
from troth.rules.nodes import Mapping, Node, Scalar
from troth.rules.reader import Kind, Reader, described
from troth.rules.scalars import BOOL, Int
from troth.rules.shapes import ListOf, Many, OneOf, Record, Ref, Row, Schema, any_of

DOCS: Final = "cases facts"
_KINDS: Final = ("script", "inline", "image", "frame", "form", "box", "link")
_CATEGORIES: Final = Many(Ref(Kind.DATA, (UNDECLARED,)), may_be_empty=True)
_MARKS: Final = Many(Ref(Kind.MARK), may_be_empty=True)
_OUTBOUND: Final = frozenset({Carrier.RESPONSE, Carrier.HTML, Carrier.TRAIL})
_UNREADABLE: Final = "unreadable"


def _lower(node: Node, reader: Reader) -> dict[str, str] | None:
    told = MAP.read(node, reader)
    if told is None:
        return None
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in told.items()}


def _since(node: Node, reader: Reader) -> datetime | Missing | None:
    if isinstance(node, Scalar) and node.text in (_UNREADABLE, "absent"):
        return UNREADABLE if node.text == _UNREADABLE else ABSENT
    return INSTANT.read(node, reader)


def _recent(node: Node, reader: Reader) -> dict[str, Any] | None:
    """Read how many events of its name came lately, by client or subject: a number, or a list of instants."""
    if not isinstance(node, Mapping):
        reader.report("TR103", f"a map of keys to numbers is wanted, but this is {described(node)}", node)
        return None
    found: dict[str, Any] = {}
    for key, value in node:
        if isinstance(value, Scalar):
            found[key.text] = _COUNT.read(value, reader)
        else:
            found[key.text] = _INSTANTS.read(value, reader)
    return {name: one for name, one in found.items() if one is not None}


def _shows(node: Node, reader: Reader) -> Any:
    if isinstance(node, Scalar) and node.text == _UNREADABLE:
        return UNREADABLE
    found = _MARKS.read(node, reader)
    return None if found is None else frozenset(found)


_COUNT: Final = Int(0, 100_000)
_INSTANTS: Final = ListOf(INSTANT, "a list of instants")


def _instant_or_none() -> Schema:
    return {"anyOf": [{"enum": [_UNREADABLE, "absent"]}, INSTANT.schema()]}


ELEMENT: Final = Record(
    "an element",
    {
        "kind": OneOf(_KINDS, "a kind of element", docs=DOCS), "host": ANY_TEXT, "secure": BOOL, "tokens": TEXTS,
        "data": _CATEGORIES, "shows": _MARKS, "attributes": By(_lower, MAP.schema),
    },
    ("kind",),
    docs=DOCS,
)  # fmt: skip
_DIRECTION: Final = OneOf(("request", "response"), "a direction", docs=DOCS)
_CARRIER: Final = OneOf(tuple(Carrier), "a carrier", docs=DOCS)
RECORD: Final = Record(
    "a record",
    {
        "subject": ANY_TEXT, "data": _CATEGORIES, "since": By(_since, _instant_or_none),
        "counts": Many(Int(0, 1_000_000_000 - 1), may_be_empty=True), "whole-body": BOOL, "direction": _DIRECTION,
        "carrier": _CARRIER,
    },
    docs=DOCS,
)  # fmt: skip
FIELD: Final = Record(
    "a field",
    {
        "data": Ref(Kind.DATA, (UNDECLARED,)), "carrier": _CARRIER, "direction": _DIRECTION, "name": ANY_TEXT,
        "record": Int(0, 100_000),
    },
    ("data",),
    docs=DOCS,
)  # fmt: skip


def _counted() -> Schema:
    return values_by_name(any_of((_COUNT, _INSTANTS)))


_LATER: Final = Record("a later event", {"event": ANY_TEXT, "at": INSTANT}, ("event", "at"), docs=DOCS)
EVENT: Final = Record(
    "an event",
    {
        "event": ANY_TEXT, "consent": Ref(Kind.CONSENT), "with": By(_lower, MAP.schema), "at": INSTANT,
        "later": ListOf(_LATER, "a list of events"), "recent": By(_recent, _counted),
    },
    ("event",),
    docs=DOCS,
)  # fmt: skip
PAGE: Final = Record("a page", {"shows": By(_shows, _MARKS.schema)}, docs=DOCS)
FACTS: Final = Record(
    "facts",
    {
        "elements": ListOf(ELEMENT, "a list of elements"), "records": ListOf(RECORD, "a list of records"),
        "fields": ListOf(FIELD, "a list of fields"), "page": PAGE, "events": ListOf(EVENT, "a list of events"),
    },
    docs=DOCS,
)  # fmt: skip


def facts_of(node: Node, reader: Reader) -> Facts | None:
    """Read facts in place of bytes."""
    row = FACTS.read(node, reader)
    if row is None:
        return None
    page = row.get("page")
    return Facts(
        elements=tuple(_element(one) for one in row.get("elements", ())),
        records=tuple(_record(one) for one in row.get("records", ())),
        fields=tuple(_field(one) for one in row.get("fields", ())),
        page=None if page is None else Page(shows=page.get("shows", frozenset())),
        events=tuple(_event(one) for one in row.get("events", ())),
    )


FACTS_SHAPE: By[Facts] = By(facts_of, FACTS.schema)


def _element(row: Row) -> Element:
    return Element(
        kind=row["kind"],
        host=row.get("host"),
        secure=row.get("secure"),
        tokens=frozenset(row.get("tokens", ())),
        data=frozenset(row.get("data", ())),
        shows=frozenset(row.get("shows", ())),
        attributes=row.get("attributes", {}),
    )


def _record(row: Row) -> tuple[RecordFact, str | None]:
    record = RecordFact(
        direction=Direction(row.get("direction", "response")),
        data=frozenset(row.get("data", ())),
        since=row.get("since", ABSENT),
        counts=row.get("counts", ()),
        whole_body=row.get("whole-body", False),
        carrier=Carrier(row.get("carrier", "json")),
    )
    return record, row.get("subject")


def _field(row: Row) -> Field:
    carrier = Carrier(row.get("carrier", "json"))
    usual = "response" if carrier in _OUTBOUND else "request"
    return Field(
        category=row["data"], carrier=carrier, direction=Direction(row.get("direction", usual)),
        name=str(row.get("name", row["data"])), record=row.get("record"),
    )  # fmt: skip


def _event(row: Row) -> Event:
    return Event(
        name=row["event"],
        consent=row.get("consent"),
        params=tuple(sorted(row.get("with", {}).items())),
        at=row.get("at"),
        later=tuple((one["event"], one["at"]) for one in row.get("later", ())),
        recent=row.get("recent", {}),
    )


def recent_at(told: Any, now: datetime) -> tuple[datetime, ...]:
    """Return the instants that a case means: those it lists, or so many within the last second."""
    if not isinstance(told, int):
        return tuple(told)
    return tuple(now - timedelta(milliseconds=index) for index in range(min(told, 1000))) + (now,) * max(0, told - 1000)
