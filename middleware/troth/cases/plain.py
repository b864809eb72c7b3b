"""Values inside a case that are data, not grammar: JSON as it is written, texts, instants."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Generic, TypeVar

from troth.rules.nodes import Mapping, Node, Scalar, Sequence, is_null
from troth.rules.reader import Reader, described
from troth.rules.shapes import SCALAR, Schema, scalar

T = TypeVar("T")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_WORDS = ("true", "false", "null")


@dataclass(frozen=True, slots=True)
class By(Generic[T]):
    """A shape that a function reads; the function reports what it cannot read and returns None."""

    reads: Callable[[Node, Reader], T | None]
    shown: Schema | Callable[[], Schema]

    def read(self, node: Node, reader: Reader) -> T | None:
        """Return the value."""
        return self.reads(node, reader)

    def schema(self) -> Schema:
        """As given."""
        return dict(self.shown() if callable(self.shown) else self.shown)


@dataclass(frozen=True, slots=True)
class Json:
    """A JSON value: `text` as it is sent, numbers as they were written, and `value` as Python reads it."""

    text: str
    value: Any


def json_of(node: Node, reader: Reader | None = None) -> Json:
    """Return a node as JSON: unquoted numbers, ``true``, ``false`` and ``null`` as such, all else as text."""
    del reader
    text = _text(node)
    return Json(text, json.loads(text))


def value_of(node: Node, reader: Reader | None = None) -> Any:
    """Return a node as a Python value."""
    return json_of(node, reader).value


def _text(node: Node) -> str:
    match node:
        case Mapping():
            return "{" + ", ".join(f"{_quoted(key.text)}: {_text(value)}" for key, value in node) + "}"
        case Sequence():
            return "[" + ", ".join(_text(one) for one in node) + "]"
        case Scalar():
            if is_null(node):
                return "null"
            literal = node.plain and (node.text in _WORDS or _NUMBER.fullmatch(node.text))
            return node.text if literal else _quoted(node.text)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _instant(node: Node, reader: Reader) -> datetime | None:
    found = scalar(node, reader, "an instant")
    if found is None:
        return None
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", found.text):
            return datetime.combine(date.fromisoformat(found.text), datetime.min.time(), UTC).replace(hour=12)
        told = datetime.fromisoformat(found.text)
    except ValueError:
        advice = "write `2026-03-01T12:00:00Z`, or a day for its noon"
        reader.report("TR108", f"`{found.text}` is not an instant", found, advice=advice)
        return None
    return told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC)


def text_of(node: Node, reader: Reader) -> str | None:
    """Return any scalar as text, also one that is empty."""
    if isinstance(node, Scalar):
        return "" if is_null(node) else node.text
    reader.report("TR103", f"a text is wanted, but this is {described(node)}", node)
    return None


def texts_of(node: Node, reader: Reader) -> tuple[str, ...] | None:
    """Return one text or a list of them."""
    nodes = node.items if isinstance(node, Sequence) else (node,)
    return tuple(text for text in (text_of(one, reader) for one in nodes) if text is not None)


def one_or_more(item: Schema) -> Schema:
    """Return the schema of one value or a list of them, which may be empty."""
    return {"anyOf": [item, {"type": "array", "items": item}]}


def values_by_name(value: Schema) -> Schema:
    """Return the schema of a map of any names to values."""
    return {"type": "object", "additionalProperties": value}


ANYTHING: Schema = {"type": [*SCALAR["type"], "null"]}
"""Any scalar, nothing too."""


def _map(node: Node, reader: Reader) -> dict[str, Any] | None:
    told = value_of(node)
    if isinstance(told, dict):
        return told
    reader.report("TR103", f"a map is wanted, but this is {described(node)}", node)
    return None


INSTANT: By[datetime] = By(
    _instant,
    {"type": ["string", "integer"], "pattern": "^[0-9]{4}-?(?:[0-9]{2}-?[0-9]{2}|W)", "minimum": 10101},
)
"""An instant; without dashes a day looks like a number."""
ANY_TEXT: By[str] = By(text_of, ANYTHING)
TEXTS: By[tuple[str, ...]] = By(texts_of, one_or_more(ANYTHING))
JSON: By[Json] = By(json_of, {})
MAP: By[dict[str, Any]] = By(_map, {"type": "object"})
