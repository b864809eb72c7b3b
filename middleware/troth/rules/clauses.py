"""`policy.md`: the text, taken apart into clauses with their ids.

Three ways, the first that occurs in the file holds for all of it:

1. headings that are an id, as in ``### TOO-CHO-3``: the clause is what follows, up to the next heading;
2. anchors, ``{#choice}`` after a heading, paragraph or list item, or ``<a id="choice"></a>`` in it;
3. neither: each paragraph and list item is a clause, called after its heading and counted, ``your-choices-2``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

from troth.diagnostics import Diagnostic, Source, Span
from troth.model.policy import Clause

_HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*#*\s*$")
_CLAUSE_ID = re.compile(r"(?=.*\d)[A-Z][A-Za-z0-9]*(?:[-.][A-Za-z0-9.]+)+")
_PLAIN_ID = re.compile(r"[A-Z][A-Z0-9]*(?:[-.][A-Z0-9]+)+")
"""Beside headings that are an id with a number, one without is an id as well: ``TOO-TBL-L``."""
_ANCHOR = re.compile(r"""\{\#([A-Za-z0-9][\w.-]*)\}|<a\s+(?:id|name)=["']([A-Za-z0-9][\w.-]*)["']\s*>\s*</a>""")
_ITEM = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+")
_FENCE = re.compile(r"\s*(?:```|~~~)")


@dataclass(slots=True)
class _Block:
    """A heading (`level` > 0), paragraph or list item."""

    line: int
    level: int
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join(self.lines)


@dataclass(slots=True)
class _Found:
    id: str
    line: int
    heading: str
    parts: list[str] = field(default_factory=list)


def normalised(text: str) -> str:
    """Return text in NFC with white space collapsed: what fingerprints are taken of."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def read_clauses(source: Source) -> tuple[tuple[Clause, ...], dict[str, Span], tuple[Diagnostic, ...]]:
    """Return the clauses in order, where each stands, and ids that stand twice."""
    blocks = list(_blocks(source))
    places: dict[str, Span] = {}
    clauses: list[Clause] = []
    findings: list[Diagnostic] = []
    for one in _taken_apart(blocks):
        span = _span(source, one)
        if one.id in places:
            label = f"first given on line {places[one.id].line}"
            message = f"the clause `{one.id}` stands twice"
            findings.append(Diagnostic(code="TR218", message=message, span=span, label=label))
            continue
        places[one.id] = span
        clauses.append(Clause(id=one.id, heading=one.heading, text=normalised(" ".join(one.parts))))
    return tuple(clauses), places, tuple(findings)


def _span(source: Source, found: _Found) -> Span:
    line = source.line(found.line)
    start = max(line.find(found.id), 0)
    end = start + len(found.id) if found.id in line else len(line)
    return Span(source=source, line=found.line, column=start + 1, end_line=found.line, end_column=end + 1)


def _blocks(source: Source) -> Iterator[_Block]:
    current: _Block | None = None
    fenced = False
    for number, line in enumerate(source.lines, start=1):
        if _FENCE.match(line):
            fenced = not fenced
        heading = None if fenced else _HEADING.match(line)
        starts_item = not fenced and _ITEM.match(line)
        if current and (heading or starts_item or not line.strip()):
            yield current
            current = None
        if heading:
            yield _Block(number, len(heading[1]), [heading[2]])
        elif line.strip():
            current = current or _Block(number, 0)
            current.lines.append(_ITEM.sub("", line, count=1) if starts_item else line.strip())
    if current:
        yield current


def _taken_apart(blocks: list[_Block]) -> list[_Found]:
    if any(block.level and _CLAUSE_ID.fullmatch(block.text) for block in blocks):
        return _by_headings(blocks)
    if any(_ANCHOR.search(block.text) for block in blocks):
        return _by_anchors(blocks)
    return _by_counting(blocks)


def _by_headings(blocks: list[_Block]) -> list[_Found]:
    found: list[_Found] = []
    heading, inside = "", False
    for block in blocks:
        if block.level and (_CLAUSE_ID.fullmatch(block.text) or _PLAIN_ID.fullmatch(block.text)):
            found.append(_Found(block.text, block.line, heading))
            inside = True
        elif block.level:
            heading, inside = block.text, False
        elif inside:
            found[-1].parts.append(block.text)
    return found


def _by_anchors(blocks: list[_Block]) -> list[_Found]:
    found: list[_Found] = []
    heading, inside = "", False
    for block in blocks:
        anchor = _ANCHOR.search(block.text)
        plain = _ANCHOR.sub("", block.text).strip()
        if block.level:
            heading, inside = plain, anchor is not None
        if anchor:
            found.append(_Found(anchor[1] or anchor[2], block.line, heading))
        if not block.level and (anchor or inside):
            found[-1].parts.append(plain)
            inside = inside and anchor is None
    return found


def _by_counting(blocks: list[_Block]) -> list[_Found]:
    found: list[_Found] = []
    heading, counts = "", dict[str, int]()
    for block in blocks:
        if block.level:
            heading = block.text
            continue
        slug = _slug(heading)
        counts[slug] = counts.get(slug, 0) + 1
        found.append(_Found(f"{slug}-{counts[slug]}", block.line, heading, [block.text]))
    return found


def _slug(heading: str) -> str:
    plain = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "text"
