"""The grammar's building blocks: each reads a node into a value and describes itself as JSON Schema.

A shape returns None where it has reported a finding; None is never a value. So one definition serves the loader and
the schema that editors use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from collections.abc import Mapping as Dict
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from troth import manual
from troth.rules.nodes import Mapping, Node, Scalar, Sequence, is_null
from troth.rules.reader import Kind, Reader, described, did_you_mean, listing

S = TypeVar("S")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Row = dict[str, Any]
"""Values of a map by key; only keys that stood there and were read."""
Schema = dict[str, Any]
SCALAR: Schema = {"type": ["string", "number", "boolean"]}
"""Any scalar but nothing: where text is wanted, `1` and `true` are read as text, and YAML tools see them as typed."""


class Shape(Protocol[T_co]):
    """Reads a node. `schema` returns the JSON Schema of what it reads."""

    def read(self, node: Node, reader: Reader) -> T_co | None:
        """Return the value, or None after a finding."""

    def schema(self) -> Schema:
        """Return the JSON Schema."""


def scalar(node: Node, reader: Reader, wanted: str, docs: str | None = None) -> Scalar | None:
    """Return the node if it is a scalar that holds something; else report that `wanted` belongs here."""
    if isinstance(node, Scalar) and not is_null(node):
        return node
    reader.report("TR103", f"{wanted} is wanted, but this is {described(node)}", node, docs=docs)
    return None


@dataclass(frozen=True, slots=True)
class Text:
    """Any text that is not empty; with `pattern` text of that form, else finding `code` saying what is wanted."""

    wanted: str = "a text"
    pattern: str | None = None
    code: str = "TR110"
    advice: str | None = None
    numbers: tuple[int, int] | None = None
    """Least and greatest of the numbers that are of this form, where not all are."""

    def read(self, node: Node, reader: Reader) -> str | None:
        """Return the text."""
        found = scalar(node, reader, self.wanted)
        if found is None:
            return None
        if not found.text.strip():
            reader.report("TR111", f"{self.wanted} is wanted, but this is empty", found)
            return None
        if self.pattern and not re.fullmatch(self.pattern, found.text):
            reader.report(self.code, f"`{found.text}` is not {self.wanted}", found, advice=self.advice)
            return None
        return found.text

    def schema(self) -> Schema:
        """Text, perhaps of a form; numbers and booleans count as text where they are of that form."""
        if self.pattern is None:
            return {**SCALAR, "pattern": r"\S"}
        types = [name for name, text in _SAMPLES.items() if re.fullmatch(self.pattern, text)]
        shown = {"type": ["string", *types] if types else "string", "pattern": anchored(self.pattern)}
        low, high = self.numbers or (None, None)
        return {**shown, "minimum": low, "maximum": high} if self.numbers else shown


_SAMPLES = {"number": "200", "boolean": "true"}


def anchored(pattern: str) -> str:
    """Return a pattern as JSON Schema wants it: of the whole text, `\\w` in a class of letters of any script."""
    return f"^(?:{pattern})$".replace(r"[\w", r"[\w\u0080-\uffff")


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a closed list of words."""

    words: tuple[str, ...]
    wanted: str = "one word of a closed list"
    docs: str | None = None

    def read(self, node: Node, reader: Reader) -> str | None:
        """Return the word."""
        found = scalar(node, reader, self.wanted, self.docs)
        if found is None or found.text in self.words:
            return found.text if found else None
        advice = did_you_mean(found.text, self.words) or f"one of {listing(self.words)}"
        reader.report("TR104", f"`{found.text}` is not {self.wanted}", found, advice=advice, docs=self.docs)
        return None

    def schema(self) -> Schema:
        """An enumeration."""
        return {"enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Ref:
    """A declared name of a kind, or one of `also`."""

    kind: Kind
    also: tuple[str, ...] = ()

    def read(self, node: Node, reader: Reader) -> str | None:
        """Return the name."""
        found = scalar(node, reader, f"the name of a {self.kind.singular}")
        if found is None or found.text in self.also or reader.known(self.kind, found.text):
            return found.text if found else None
        reader.unknown(self.kind, found, self.also)
        return None

    def schema(self) -> Schema:
        """Text; a schema does not know what is declared."""
        return dict(SCALAR)


@dataclass(frozen=True, slots=True)
class Many(Generic[T]):
    """One value or a list of values, none twice; always returned as a tuple."""

    item: Shape[T]
    may_be_empty: bool = False

    def read(self, node: Node, reader: Reader) -> tuple[T, ...] | None:
        """Return the values that could be read; None if none could."""
        if not isinstance(node, Sequence):
            one = self.item.read(node, reader)
            return None if one is None else (one,)
        if not node.items and not self.may_be_empty:
            reader.report("TR111", "this list is empty", node)
            return None
        _refuse_repeats(node, reader)
        values = tuple(value for value in (self.item.read(one, reader) for one in node) if value is not None)
        return values if values or not node.items else None

    def schema(self) -> Schema:
        """The value or a list of it."""
        item = self.item.schema()
        listed: Schema = {"type": "array", "items": item}
        return {"anyOf": [item, listed if self.may_be_empty else {**listed, "minItems": 1}]}


def _refuse_repeats(node: Sequence, reader: Reader) -> None:
    seen: set[str] = set()
    for one in node:
        if isinstance(one, Scalar):
            if one.text in seen:
                reader.report("TR120", f"`{one.text}` stands twice in this list", one)
            seen.add(one.text)


@dataclass(frozen=True, slots=True)
class ListOf(Generic[T]):
    """A list of values; one alone does not do."""

    item: Shape[T]
    wanted: str
    may_be_empty: bool = True

    def read(self, node: Node, reader: Reader) -> tuple[T, ...] | None:
        """Return the values that could be read."""
        if not isinstance(node, Sequence):
            reader.report("TR103", f"{self.wanted} is wanted, but this is {described(node)}", node)
            return None
        if not node.items and not self.may_be_empty:
            reader.report("TR111", f"{self.wanted} is wanted, but this is empty", node)
            return None
        return tuple(value for value in (self.item.read(one, reader) for one in node) if value is not None)

    def schema(self) -> Schema:
        """An array."""
        listed: Schema = {"type": "array", "items": self.item.schema()}
        return listed if self.may_be_empty else {**listed, "minItems": 1}


@dataclass(frozen=True, slots=True)
class Table(Generic[T]):
    """A map whose keys are names: name to row. `nullable` lets a name stand without a row."""

    key: Shape[str]
    row: Shape[T]
    wanted: str
    empty_row: Callable[[], T] | None = None

    def read(self, node: Node, reader: Reader) -> dict[str, T] | None:
        """Return the rows that could be read, in file order."""
        if not isinstance(node, Mapping):
            reader.report("TR103", f"{self.wanted} is wanted, but this is {described(node)}", node)
            return None
        rows: dict[str, T] = {}
        for key, value in node:
            name = self.key.read(key, reader)
            row = self.empty_row() if self.empty_row and is_null(value) else self.row.read(value, reader)
            if name is not None and row is not None:
                rows[name] = row
        return rows

    def schema(self) -> Schema:
        """An object with any names, of the form that keys have."""
        row, key = self.row.schema(), self.key.schema()
        below = {"anyOf": [row, {"type": "null"}]} if self.empty_row else row
        named: Schema = {} if key == SCALAR else {"propertyNames": {**key, "type": "string"}}
        return {"type": "object", **named, "additionalProperties": below}


@dataclass(frozen=True, slots=True)
class Record:
    """A map with a closed list of keys. Read into a `Row`: only keys that stood there and could be read."""

    what: str
    keys: Dict[str, Shape[Any]]
    required: tuple[str, ...] = ()
    docs: str | None = None
    hints: Dict[str, str] | None = None
    """Advice for keys that people try and that mean something elsewhere."""
    one_of: tuple[str, ...] = ()
    """Keys of which exactly one stands there. Who builds the row says it in its own words; the schema shows it."""
    some_of: tuple[str, ...] = ()
    """Keys of which at least one stands there, likewise."""

    def read(self, node: Node, reader: Reader) -> Row | None:
        """Return the row; None if this is no map or a required key is missing or could not be read."""
        if not isinstance(node, Mapping):
            reader.report("TR103", f"{self.what} is a map, but this is {described(node)}", node, docs=self.docs)
            return None
        with reader.page(self.docs):
            row = self._values(node, reader)
            self._require(node, reader)
        return row if all(name in row for name in self.required) else None

    def _values(self, node: Mapping, reader: Reader) -> Row:
        row: Row = {}
        for key, value in node:
            shape = self.keys.get(key.text)
            if shape is None:
                self.refuse(key, value, reader)
            elif (read := shape.read(value, reader)) is not None:
                row[key.text] = read
        return row

    def refuse(self, key: Scalar, value: Node, reader: Reader) -> None:
        """Report a key that is not in the list."""
        hint = (self.hints or {}).get(key.text)
        if " " in key.text and is_null(value):
            hint = "inside `{…}` a comma ends a text: put the text into quotes"
        advice = hint or did_you_mean(key.text, self.keys) or f"one of {listing(self.keys)}"
        reader.report("TR101", f"unknown key `{key.text}` in {self.what}", key, advice=advice, docs=self.docs)

    def _require(self, node: Mapping, reader: Reader) -> None:
        present = {key.text for key, _ in node}
        # A misspelt key is reported as such; that the right one is missing would only say it again.
        unknown = [key.text for key, _ in node if key.text not in self.keys]
        for name in self.required:
            if name not in present and not did_you_mean(name, unknown):
                at = node.pairs[0][0] if node.pairs else node
                reader.report("TR102", f"{self.what} needs the key `{name}`", at, docs=self.docs)

    def schema(self) -> Schema:
        """A closed object, its keys described as on the page `docs`."""
        shown: Schema = {"type": "object", "properties": self._properties(), "additionalProperties": False}
        if self.required:
            shown["required"] = list(self.required)
        if self.one_of:
            shown["oneOf"] = [{"required": [name]} for name in self.one_of]
        if self.some_of:
            shown["anyOf"] = [{"required": [name]} for name in self.some_of]
        return shown

    def _properties(self) -> Schema:
        page = self.docs or ""
        return {name: described_as(manual.key(page, name), shape.schema()) for name, shape in self.keys.items()}


@dataclass(frozen=True, slots=True)
class Later:
    """Reserves a key whose value is read later, once more is known: hands the node on."""

    shown: Callable[[], Schema]

    def read(self, node: Node, _reader: Reader) -> Node:
        """Return the node."""
        return node

    def schema(self) -> Schema:
        """As given."""
        return self.shown()


@dataclass(frozen=True, slots=True)
class Made(Generic[S, T]):
    """A shape whose value is turned into another."""

    shape: Shape[S]
    make: Callable[[S], T]

    def read(self, node: Node, reader: Reader) -> T | None:
        """Return what was made."""
        value = self.shape.read(node, reader)
        return None if value is None else self.make(value)

    def schema(self) -> Schema:
        """As what it is made from."""
        return self.shape.schema()


@dataclass(frozen=True, slots=True)
class ByKind(Generic[T]):
    """One shape for a scalar, one for a map, one for a list; a form that is not given is refused as `wanted`."""

    wanted: str
    scalar: Shape[T] | None = None
    mapping: Shape[T] | None = None
    sequence: Shape[T] | None = None

    def read(self, node: Node, reader: Reader) -> T | None:
        """Return what the fitting shape reads."""
        shape = self._shape_for(node)
        if shape is None:
            reader.report("TR103", f"{self.wanted} is wanted, but this is {described(node)}", node)
            return None
        return shape.read(node, reader)

    def _shape_for(self, node: Node) -> Shape[T] | None:
        match node:
            case Scalar():
                return self.scalar
            case Mapping():
                return self.mapping
            case Sequence():
                return self.sequence

    def schema(self) -> Schema:
        """Any of the forms."""
        return any_of(shape for shape in (self.scalar, self.mapping, self.sequence) if shape is not None)


def any_of(shapes: Iterable[Shape[Any]]) -> Schema:
    """Return the JSON Schema that takes what one of the shapes takes."""
    return {"anyOf": [shape.schema() for shape in shapes]}


def described_as(text: str | None, schema: Schema) -> Schema:
    """Return a schema with a description, where there is one."""
    return {"description": text, **schema} if text else schema
