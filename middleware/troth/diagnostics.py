"""What is wrong in a file, where, and what to do about it. A leaf: one model, three renderings.

Every finding has a code from `CODES`; codes are never reused. Positions are 1-based and count characters.
A message is one sentence in the author's words; no message carries a value of a cookie, a token or a body.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from troth.errors import ConfigurationError

__all__ = ["CODES", "Code", "Diagnostic", "InvalidFiles", "Severity", "Source", "Span", "render", "to_json"]

_WIDEST_EXCERPT = 180


@dataclass(frozen=True, slots=True)
class Code:
    """What a code stands for. A `warning` does not keep a policy from being used."""

    title: str
    warning: bool = False


CODES: dict[str, Code] = {
    # Files and YAML.
    "TR001": Code("a file is missing"),
    "TR002": Code("not UTF-8"),
    "TR003": Code("a control character"),
    "TR004": Code("a tab indents"),
    "TR005": Code("not YAML"),
    "TR006": Code("too large"),
    "TR007": Code("nested too deep"),
    "TR008": Code("aliases that grow"),
    "TR009": Code("a merge key"),
    "TR010": Code("a key stands twice"),
    "TR011": Code("more than one document"),
    "TR012": Code("a tag"),
    "TR013": Code("a key that is no text"),
    "TR014": Code("a file cannot be opened"),
    # Keys and values.
    "TR101": Code("unknown key"),
    "TR102": Code("a key is missing"),
    "TR103": Code("another kind of value is wanted"),
    "TR104": Code("not in the closed list"),
    "TR105": Code("not a boolean"),
    "TR106": Code("not a number in range"),
    "TR107": Code("not a period"),
    "TR108": Code("not a date"),
    "TR109": Code("not a country"),
    "TR110": Code("not a name"),
    "TR111": Code("empty"),
    "TR112": Code("not a status"),
    "TR113": Code("not a size"),
    "TR114": Code("not a callable"),
    "TR115": Code("not a selector"),
    "TR116": Code("not a route"),
    "TR117": Code("not a host"),
    "TR118": Code("a reference to nothing"),
    "TR119": Code("not a place in the exchange"),
    "TR120": Code("listed twice"),
    "TR121": Code("not a header"),
    "TR122": Code("not a digest"),
    # Names.
    "TR201": Code("unknown purpose"),
    "TR202": Code("unknown consent"),
    "TR203": Code("unknown party"),
    "TR204": Code("unknown cookie row", warning=True),
    "TR205": Code("unknown state"),
    "TR206": Code("unknown event"),
    "TR207": Code("unknown mark"),
    "TR208": Code("unknown area or country"),
    "TR209": Code("unknown category of data"),
    "TR210": Code("unknown origin"),
    "TR211": Code("no route has this tag", warning=True),
    "TR212": Code("no statement of this kind", warning=True),
    "TR213": Code("unknown clause"),
    "TR214": Code("no party has this role", warning=True),
    "TR215": Code("unknown version"),
    "TR216": Code("unknown parameter"),
    "TR217": Code("which parameter is not said"),
    "TR218": Code("a clause stands twice"),
    "TR219": Code("a row of itself"),
    "TR220": Code("a statement about nobody known", warning=True),
    "TR221": Code("a version stands twice"),
    # Rules.
    "TR301": Code("a rule stands twice"),
    "TR302": Code("a word that says nothing about the thing"),
    "TR303": Code("a duty as condition, or a condition as duty"),
    "TR304": Code("an action that cannot be done to the thing"),
    "TR305": Code("nothing to amend"),
    "TR306": Code("a rule that never acts"),
    "TR307": Code("amends that contradict each other"),
    "TR308": Code("an empty condition"),
    "TR309": Code("a permission that stands alone"),
    "TR310": Code("a prohibition in the wrong place"),
    "TR311": Code("a condition and a duty in one rule"),
    "TR312": Code("an exception without one source"),
    "TR313": Code("an exception to an unknown rule"),
    "TR314": Code("a clause with a rule and without duty"),
    "TR315": Code("a header that cannot be taken away"),
    # Policy and binding together.
    "TR401": Code("a route stands twice"),
    "TR402": Code("a kind of thing without rules", warning=True),
    "TR403": Code("rules that run dry without a binding", warning=True),
    "TR404": Code("a rule that can never be kept"),
    "TR405": Code("a rule that is kept late", warning=True),
    "TR406": Code("nobody brings a fact", warning=True),
    "TR407": Code("a clause changed since its review", warning=True),
    "TR408": Code("a lock that cannot be read"),
    "TR409": Code("the text and its original differ in clauses"),
    # Cases.
    "TR501": Code("a case stands twice"),
    "TR502": Code("a case that expects nothing"),
    "TR503": Code("not an address"),
    "TR504": Code("two bodies"),
    "TR505": Code("a case without request"),
    "TR506": Code("a reason that no rule gives", warning=True),
}
"""Every code, never reused: TR0 files, TR1 keys and values, TR2 names, TR3 rules, TR4 policy and binding together,
TR5 cases."""


class Severity(StrEnum):
    """An error keeps a policy from being used; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, eq=False)
class Source:
    """A file by the name that messages use, and its text; text is empty where the file is not there."""

    name: str
    text: str = ""

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The lines without their ends."""
        return tuple(self.text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))

    def line(self, number: int) -> str:
        """Return line `number`, from 1; empty where there is none."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def whole(self) -> Span:
        """Return the place that stands for the file itself."""
        return Span(source=self, line=1, column=1, end_line=1, end_column=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A token in a source: first character and the place after the last, lines and columns from 1."""

    source: Source = field(repr=False)
    line: int
    column: int
    end_line: int
    end_column: int

    @property
    def is_whole_file(self) -> bool:
        """Whether no token is meant, but the file."""
        return (self.end_line, self.end_column) == (1, 1)

    @property
    def file(self) -> str:
        """The name of the source."""
        return self.source.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One finding. `label` stands beside the carets, `help` is advice, `docs` the page to read."""

    code: str
    message: str
    span: Span
    label: str | None = None
    help: str | None = None
    docs: str | None = None

    @property
    def severity(self) -> Severity:
        """What the code says: error or warning."""
        return Severity.WARNING if CODES[self.code].warning else Severity.ERROR

    @property
    def is_error(self) -> bool:
        """Whether the file cannot be used."""
        return self.severity is Severity.ERROR

    def short(self) -> str:
        """Return the one-line form, as compilers write it."""
        span = self.span
        return f"{span.file}:{span.line}:{span.column}: {self.severity}[{self.code}]: {self.message}"

    def full(self) -> str:
        """Return the form for people: message, place, the line with carets, advice."""
        gutter = " " * len(str(self.span.line))
        head = [f"{self.severity}[{self.code}]: {self.message}"]
        head.append(f"{gutter}--> {self.span.file}:{self.span.line}:{self.span.column}")
        notes = [f"{gutter} = {name}: {text}" for name, text in (("help", self.help), ("docs", self._docs())) if text]
        return "\n".join([*head, *_excerpt(self.span, self.label, gutter), *notes])

    def as_dict(self) -> dict[str, str | int | None]:
        """Return the finding as plain values, for JSON."""
        span = self.span
        return {
            "code": self.code, "severity": str(self.severity), "message": self.message, "file": span.file,
            "line": span.line, "column": span.column, "end_line": span.end_line, "end_column": span.end_column,
            "label": self.label, "help": self.help, "docs": self._docs(),
        }  # fmt: skip

    def _docs(self) -> str:
        return self.docs or f"diagnostics {self.code}"


class InvalidFiles(ConfigurationError):
    """A policy folder or binding has errors. `diagnostics` holds them all; the text shows them all."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n\n".join(["the policy cannot be used", *(found.full() for found in self.diagnostics)]))


def in_order(found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Return the findings sorted by place, each place and code once."""
    seen: dict[tuple[str, int, int, str, str], Diagnostic] = {}
    for one in found:
        seen.setdefault((one.span.file, one.span.line, one.span.column, one.code, one.message), one)
    return tuple(seen[key] for key in sorted(seen))


def render(found: Iterable[Diagnostic], form: str = "text") -> str:
    """Return findings as ``text``, ``short`` or ``json``, sorted; empty text where there are none."""
    ordered = in_order(found)
    match form:
        case "json":
            return to_json(ordered)
        case "short":
            return "\n".join(one.short() for one in ordered)
        case _:
            return "\n\n".join(one.full() for one in ordered)


def to_json(found: Sequence[Diagnostic]) -> str:
    """Return one JSON object with counts and all findings."""
    errors = sum(one.is_error for one in found)
    counts = {"errors": errors, "warnings": len(found) - errors}
    return json.dumps({**counts, "diagnostics": [one.as_dict() for one in found]}, ensure_ascii=False, indent=2)


def _excerpt(span: Span, label: str | None, gutter: str) -> list[str]:
    """Return the line before, the line itself and the carets."""
    text = span.source.line(span.line)
    if not text.strip() or span.is_whole_file:
        return []
    edge = f"{gutter} |"
    before = span.source.line(span.line - 1)
    lines = [edge]
    if before.strip():
        lines.append(f"{span.line - 1:>{len(gutter)}} | {_visible(before[:_WIDEST_EXCERPT])}")
    return [*lines, *_marked(span, text, label, edge), edge]


def _marked(span: Span, text: str, label: str | None, edge: str) -> list[str]:
    """Return the line and its carets; a very long line is cut to a window around the token."""
    start = span.column - 1
    cut = max(0, start - _WIDEST_EXCERPT // 2) if len(text) > _WIDEST_EXCERPT else 0
    shown = text[cut : cut + _WIDEST_EXCERPT]
    end = span.end_column - 1 if span.end_line == span.line else len(text.rstrip())
    token = text[start : min(end, cut + _WIDEST_EXCERPT)]
    carets = "^" * max(1, _width(token))
    indent = "".join("\t" if char == "\t" else " " * _width(char) for char in text[cut:start])
    note = f" {label}" if label else ""
    return [f"{span.line} | {_visible(shown)}", f"{edge} {indent}{carets}{note}"]


def _visible(text: str) -> str:
    """Return text in which no control character reaches a terminal."""
    return "".join(chr(0x2400 + ord(char)) if ord(char) < 32 and char != "\t" else char for char in text).rstrip()


def _width(text: str) -> int:
    """Return how many columns a terminal gives to the text."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
