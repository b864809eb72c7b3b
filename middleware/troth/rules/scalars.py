"""Scalars by the type that the schema wants: `NO` is Norway where a country is wanted and false where a boolean is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Generic, TypeVar

from troth.model import period
from troth.model.binding import Source
from troth.model.period import Period
from troth.rules.countries import COUNTRIES
from troth.rules.nodes import Node
from troth.rules.reader import Reader
from troth.rules.shapes import Schema, Text, anchored, scalar

T = TypeVar("T")

RESERVED = ("any", "none", "own", "declared", "undeclared", "open")


def _spelled(*words: str) -> frozenset[str]:
    """Return words in lower case, with a capital, and in capitals: the spellings that YAML knows."""
    return frozenset(form for word in words for form in (word, word.capitalize(), word.upper()))


_TRUE = _spelled("true", "yes", "on")
_FALSE = _spelled("false", "no", "off")
_UNITS = {"": 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_NUMBER = r"-?[0-9]{1,9}"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_SIZE = r"([0-9]{1,9}) ?(B|KiB|MiB|GiB)?"
_PLACES = "path|query|header|cookie|body|record"
_PLACE = rf"({_PLACES})[.:]([^\s.:][^\s:]*)"
_HOOK = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*[.:][A-Za-z_]\w*"
_SELECTOR = r"\$(?:\.[\w-]+|\.\*|\[\*\]|\[\d+\])*"


@dataclass(frozen=True, slots=True)
class Parsed(Generic[T]):
    """Text that a function turns into a value; its ValueError becomes finding `code`."""

    wanted: str
    code: str
    parse: Callable[[str], T]
    json: Schema
    advice: str | None = None

    def read(self, node: Node, reader: Reader) -> T | None:
        """Return the value."""
        found = scalar(node, reader, self.wanted)
        if found is None:
            return None
        try:
            return self.parse(found.text)
        except ValueError:
            reader.report(self.code, f"`{found.text}` is not {self.wanted}", found, advice=self.advice)
            return None

    def schema(self) -> Schema:
        """As given."""
        return dict(self.json)


@dataclass(frozen=True, slots=True)
class Bool:
    """A boolean in any spelling of YAML, without quotes."""

    def read(self, node: Node, reader: Reader) -> bool | None:
        """Return the boolean."""
        found = scalar(node, reader, "`true` or `false`")
        if found is None:
            return None
        if not found.plain or found.text not in _TRUE | _FALSE:
            reader.report("TR105", f"`{found.text}` is neither `true` nor `false`", found)
            return None
        return found.text in _TRUE

    def schema(self) -> Schema:
        """A boolean; the spellings that YAML 1.2 takes for text are text."""
        told = sorted((_TRUE | _FALSE) - _spelled("true", "false"))
        return {"type": ["boolean", "string"], "pattern": anchored("|".join(told))}


@dataclass(frozen=True, slots=True)
class Int:
    """A whole number within bounds."""

    low: int
    high: int
    code: str = "TR106"

    def read(self, node: Node, reader: Reader) -> int | None:
        """Return the number."""
        wanted = f"a whole number from {self.low} to {self.high}"
        found = scalar(node, reader, wanted)
        if found is None:
            return None
        if not re.fullmatch(_NUMBER, found.text, re.ASCII) or not self.low <= int(found.text) <= self.high:
            reader.report(self.code, f"`{found.text}` is not {wanted}", found)
            return None
        return int(found.text)

    def schema(self) -> Schema:
        """An integer, perhaps in quotes."""
        return {"type": ["integer", "string"], "pattern": anchored(_NUMBER), "minimum": self.low, "maximum": self.high}


def text_of(*patterns: str) -> Schema:
    """Return the JSON Schema of text of one of several forms."""
    return {"type": "string", "pattern": anchored("|".join(patterns))}


def _date(text: str) -> date:
    if not re.fullmatch(_DATE, text):
        raise ValueError(text)
    return date.fromisoformat(text)


def _country(text: str) -> str:
    if text not in COUNTRIES:
        raise ValueError(text)
    return text


def _size(text: str) -> int:
    found = re.fullmatch(_SIZE, text)
    if found is None or int(found[1]) == 0:
        raise ValueError(text)
    return int(found[1]) * _UNITS[found[2] or ""]


def hook(text: str) -> str:
    """Return ``module:name``; the last dot of a dotted path is read as the colon. Raises ValueError."""
    if not re.fullmatch(_HOOK, text, re.ASCII):
        raise ValueError(text)
    if ":" in text:
        return text
    module, _, name = text.rpartition(".")
    return f"{module}:{name}"


def place(text: str) -> Source:
    """Return where a value stands: ``path.party``, ``header:x-purpose``. Raises ValueError for any other text."""
    found = re.fullmatch(_PLACE, text)
    if found is None:
        raise ValueError(text)
    return Source(place=found[1], name=found[2].lower() if found[1] == "header" else found[2])


def _place_name(text: str) -> str:
    place(text)
    return text


def place_or_hook(text: str) -> Source:
    """Return a place, or the hook that finds the value. Raises ValueError."""
    try:
        return place(text)
    except ValueError:
        return Source(hook=hook(text))


PERIOD: Parsed[Period] = Parsed(
    "a period", "TR107", Period.parse, text_of(period.FORM), "write an ISO 8601 duration: `P30D`, `P6M`, `PT10M`"
)
DATE: Parsed[date] = Parsed("a date", "TR108", _date, {**text_of(_DATE), "format": "date"}, "write `2026-11-22`")
COUNTRY: Parsed[str] = Parsed(
    "a country", "TR109", _country, {"enum": sorted(COUNTRIES)}, "write the two capital letters of ISO 3166: `SE`"
)
SIZE: Parsed[int] = Parsed(
    "a size", "TR113", _size, {**text_of(_SIZE), "type": ["string", "integer"], "minimum": 1},
    "write bytes, `64KiB` or `1MiB`",
)  # fmt: skip
HOOK: Parsed[str] = Parsed("a callable", "TR114", hook, text_of(_HOOK), "write `module:name`")
PLACE: Parsed[Source] = Parsed(
    "a place in the exchange", "TR119", place, text_of(_PLACE),
    "write `path.id`, `query.topic`, `header.x-purpose`, `cookie.sid`, `body.ref` or `record.ref`",
)  # fmt: skip
PLACE_OR_HOOK: Parsed[Source] = Parsed(
    "a place in the exchange or a callable", "TR119", place_or_hook, text_of(_PLACE, _HOOK),
    "write `path.id`, `query.t`, `header.x-id`, `cookie.sid`, `body.token` or `module:name`",
)  # fmt: skip
PLACE_NAME: Parsed[str] = Parsed(PLACE.wanted, PLACE.code, _place_name, PLACE.json, PLACE.advice)
"""A place as key of a map: checked, and left as text."""
SELECTOR = Text("a selector", _SELECTOR, "TR115", "write `$`, `$[*]`, `$.items[*]` or `$.created`")
BOOL = Bool()
NAME = Text(
    "a name", rf"(?!(?:{'|'.join(RESERVED)})$)(?!of-)[A-Za-z0-9][A-Za-z0-9_.-]*", "TR110",
    "letters, digits, `-`, `_` and `.`; not `of-…` nor a word with a meaning of its own (`any`, `none`, `own`, …)",
)  # fmt: skip
WORD = Text("a word", r"[A-Za-z0-9*_$][^\s]*", "TR110", "one word, without spaces")
HOST = Text(
    "a host", r"(?:\*\.)?(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})\.)*[A-Za-z0-9_-]{1,63}(?::\d{1,5})?", "TR117",
    "write the host alone: `www.example.com`, or `*.example.com` with all below it",
)  # fmt: skip
HEADER_NAME = Text("the name of a header", r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", "TR121")
COOKIE_PATTERN = Text("the name of a cookie", r'[^\s;,="]+', "TR110", "a name, with `*` where anything may stand")
TEXT = Text()
CLAUSE_ID = Text("the id of a clause", r"[A-Za-z0-9][A-Za-z0-9._-]*", "TR110")
