"""Bodies as the wire cuts them: collected message by message, replayed as they came, read for fields, edited."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import date
from typing import Any, Final

from troth._types import Message, Receive
from troth.errors import UnreadableBody
from troth.filters import charset, coding, form, json_text, multipart, query
from troth.filters.ages import age
from troth.filters.multipart import File, Part
from troth.filters.places import Path, Place
from troth.filters.probes import Known
from troth.filters.splicing import Cuts, Edit
from troth.filters.tagging import Tags
from troth.model.facts import Age, Direction, Field
from troth.model.words import UNDECLARED, Carrier
from troth.runtime.tags import Tagging, to_age

_DIFFERS: Final = "?"
"""Stands for a part of a date that is given in two different values."""
_CARRIERS: Final = {"json": Carrier.JSON, "form": Carrier.FORM, "multipart": Carrier.MULTIPART}
_BLANK: Final = b" \t\r\n\0\xef\xbb\xbf\xfe\xff"
"""What may stand before JSON for one reader or another: white space, byte order marks, halves of UTF-16."""
_PLACE: Final = re.compile(r"[^.\[\]]+")


def with_kept_headers(message: Message) -> Message:
    """Return a message whose headers can be read more than once: an app may send any iterable."""
    given = message.get("headers")
    return {**message, "headers": list(given)} if isinstance(given, Iterator) else message


class Held:
    """The messages of a request body, held until it is complete or over its limit."""

    __slots__ = ("complete", "gone", "messages", "size", "too_large")

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.size = 0
        self.too_large = self.gone = self.complete = False

    async def fill(self, receive: Receive, limit: int) -> None:
        """Receive until the body ends, the client goes, or more than `limit` bytes have come."""
        while not (self.complete or self.gone or self.too_large):
            await self._take(receive, limit)

    async def begin(self, receive: Receive, limit: int) -> bytes:
        """Receive until more than white space has come, or all there is; returns that, without white space before."""
        begun = b""
        while not (begun or self.complete or self.gone or self.too_large):
            await self._take(receive, limit)
            begun = self.messages[-1].get("body", b"").lstrip(_BLANK)
        return begun

    async def _take(self, receive: Receive, limit: int) -> None:
        message = await receive()
        self.messages.append(message)
        if message["type"] != "http.request":
            self.gone = True
            return
        self.size += len(message.get("body", b""))
        self.complete = not message.get("more_body", False)
        self.too_large = self.size > limit

    def body(self) -> bytes:
        """Return the bytes that came."""
        return b"".join(message.get("body", b"") for message in self.messages)

    def replace(self, body: bytes) -> None:
        """Put one message with `body` in place of all that came, and of what may still come of it."""
        self.messages = [{"type": "http.request", "body": body, "more_body": False}]

    def replay(self, receive: Receive) -> Receive:
        """Return a receive that gives what was held, cut as it came, and then whatever follows."""
        waiting = iter(self.messages)

        async def replayed() -> Message:
            for message in waiting:
                return message
            while True:
                message = await receive()
                if message["type"] != "http.request" or not self.too_large:
                    return message

        return replayed


class Watch:
    """Sees a body pass by on its way to the app; keeps a copy of up to `limit` bytes, for tagging alone."""

    __slots__ = ("_chunks", "_limit", "begun", "complete", "size")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._chunks: list[bytes] = []
        self.size = 0
        self.begun = self.complete = False

    def over(self, receive: Receive, before: Callable[[], Awaitable[None]]) -> Receive:
        """Return a receive that hands every message on; `before` is awaited while more of the body may come."""

        async def watched() -> Message:
            if not self.complete:
                await before()
            message = await receive()
            if message["type"] == "http.request":
                self._see(message)
            return message

        return watched

    def _see(self, message: Message) -> None:
        self.begun = True
        self.complete = not message.get("more_body", False)
        chunk = message.get("body", b"")
        self.size += len(chunk)
        if self.size <= self._limit:
            self._chunks.append(chunk)
        else:
            self._chunks.clear()

    def body(self) -> bytes:
        """Return the copy. Raises UnreadableBody (``too-large``) where it would not be whole."""
        if self.size > self._limit:
            raise UnreadableBody("too-large")
        return b"".join(self._chunks)


class Read:
    """What a body holds: fields with their number, ages, and how to take fields out again."""

    __slots__ = ("ages", "at", "body", "edit", "fields", "pairs", "parts")

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.fields: list[tuple[Field, int, object]] = []
        """Each with the number of values there and the key under which `edit` asks for it."""
        self.ages: list[tuple[Path, Age]] = []
        """Each with the place where it is stated."""
        self.pairs: list[tuple[str, str]] = []
        """Names and values of a form."""
        self.parts: list[Part] = []
        """The parts of a multipart body."""
        self.edit: Callable[[Mapping[object, Edit]], bytes] = lambda _edits: body
        self.at: Callable[[str], list[str | None]] = lambda _name: []
        """What stands at a place that the binding names (``body.customer.id``), each as text; None for no scalar."""

    def stated(self, starts: Iterable[Path] = ()) -> list[Age]:
        """Return the ages, without those inside of what begins at `starts`: somebody else's, there."""
        return [age for place, age in self.ages if not any(place[: len(start)] == start for start in starts)]

    def files(self) -> list[tuple[Part, File]]:
        """Return the parts that are files, of which nothing but the name was read; those that hold nothing left out."""
        return [(part, part.file) for part in self.parts if part.file is not None and part.file.end > part.file.start]

    def value(self, name: str) -> str | None:
        """Return the value at a place that the binding names; None where there is none.

        None as well where several differ: the app may read another of them than we would.
        """
        found = set(self.at(name))
        return found.pop() if len(found) == 1 else None

    def values(self, name: str) -> list[str]:
        """Return all values at a place, each once, in order."""
        return list(dict.fromkeys(one for one in self.at(name) if one is not None))


FieldFound = tuple[Field, int, object]
"""A field of a body, the number of values at its place, and the key by which it is edited."""


class Sliced:
    """A large JSON body: what `asgi.large` found in it or why it cannot be read, and what has to go from it."""

    __slots__ = ("body", "cuts", "failure", "tags")

    def __init__(self, body: bytes | bytearray) -> None:
        self.body = body
        self.tags = Tags()
        self.failure: UnreadableBody | None = None
        self.cuts: Cuts | None = None


def read_body(
    kind: str, raw: bytes, content_type: bytes, encoding: bytes, limit: int, tagging: Tagging, today: date,
    known: Known, direction: Direction,
) -> Read:  # fmt: skip
    """Read a body for its fields. Raises UnreadableBody for what cannot be read whole."""
    body = coding.decode(raw, encoding or None, limit=limit)
    charset.check(body, content_type)
    if kind == "json":
        tags = tagging.json.tag(body, today=today, known=known)
        read = Read(body)
        read.fields = fields_of(tags, direction)
        read.ages = [(place.path, found) for place, stated in tags.ages if (found := to_age(stated)) is not None]
        read.edit = lambda edits: tagging.json.edit(body, by_place(edits), known=known)
        read.at = lambda name: _at(body, name)
        return read
    return _read_pairs(kind, body, content_type, tagging, today, known)


def fields_of(tags: Tags, direction: Direction) -> list[FieldFound]:
    """Return the fields of a JSON body in which `tags` were found."""
    fields: list[FieldFound] = []
    for place, n in tags.places.items():
        for category in place.categories or (UNDECLARED,):
            field = Field(category=category, carrier=Carrier.JSON, direction=direction, name=place.shown)
            fields.append((field, n, (place.path, category)))
    return fields


def by_place(edits: Mapping[object, Edit]) -> Callable[[Place], Edit | None]:
    """Return the verdict on a place by its path and categories: out if one of them is, else masked if one is."""

    def verdict(place: Place) -> Edit | None:
        found = {edits.get((place.path, category)) for category in place.categories or (UNDECLARED,)}
        if Edit.REMOVE in found:
            return Edit.REMOVE
        return Edit.MASK if Edit.MASK in found else None

    return verdict


def _at(body: bytes, name: str) -> list[str | None]:
    """Return what stands at a dotted place of a JSON body, as text; of a key that is given twice both."""
    places: list[Any] = [json_text.decode_all(body)] if body.strip() else []
    for step in _PLACE.findall(name):
        places = [inner for value in places for inner in _inside(value, step)]
    return [as_text(value) for value in places]


def _inside(value: Any, step: str) -> Iterator[Any]:
    if isinstance(value, Mapping | json_text.Members):
        yield from (member for key, member in value.items() if key == step)
    elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
        yield value[int(step)]


def as_text(value: Any) -> str | None:
    """Return a scalar as the text that a binding compares with; None for what is no scalar."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int() | float():
            return str(value)
        case _:
            return None


def _read_pairs(kind: str, body: bytes, content_type: bytes, tagging: Tagging, today: date, known: Known) -> Read:
    read = Read(body)
    parts = multipart.read(body, content_type) if kind == "multipart" else None
    pairs: list[Any] = list(form.read(body) if parts is None else parts)
    carrier = _CARRIERS[kind]
    dated: dict[str, dict[str, str]] = {}
    for found in query.tag(pairs, tagging.names, probes=tagging.probes, known=known, undeclared=tagging.undeclared):
        name, value = pairs[found.at][0], pairs[found.at][1]
        for category in found.categories or (UNDECLARED,):
            field = Field(category=category, carrier=carrier, direction=Direction.REQUEST, name=found.shown)
            read.fields.append((field, 1, (name, category)))
            if category in tagging.with_age:
                whole, part = _part_of(name, found.name)
                if part:
                    held = dated.setdefault(whole, {})
                    held[part] = value if held.get(part, value) == value else _DIFFERS
                else:
                    _state(read, name, value, today)
    for whole, held in dated.items():
        _state(read, whole, held, today)
    read.pairs = [(pair[0], pair[1]) for pair in pairs]
    for said in (value for name, value in read.pairs if name == charset.FIELD):
        charset.check_said(body, said.encode())
    read.parts = parts or []
    read.edit = lambda edits: _without(body, edits, parts)
    read.at = lambda name: [pair[1] for pair in pairs if pair[0] == name]
    return read


def _state(read: Read, name: str, value: object, today: date) -> None:
    stated = to_age(age(name, value, today))
    read.ages += [] if stated is None else [((name,), stated)]


def _part_of(name: str, told: str) -> tuple[str, str]:
    """Return of what a pair states an age, and which part of it: of ``birth[year]`` the year, of a plain name none."""
    last = query.words_of(name)[-1:]
    return (name, "") if name == told or last == [told] else (name.rpartition("[")[0], last[0])


def _without(body: bytes, edits: Mapping[object, Edit], parts: list[Part] | None) -> bytes:
    """Cut every pair, or part, of which one category has to go, or to be masked: forms have no other mask.

    A name goes as a whole, however often it stands there: an app may read any of its values.
    """
    names = {key[0] for key in edits if isinstance(key, tuple)}
    if parts is None:
        return form.remove(body, lambda pair: pair.name in names)
    return multipart.edit(body, parts, lambda part: part.name in names)
