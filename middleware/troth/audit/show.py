"""Reading a trail for people: all segments in order of time, filtered, as a table or as JSON.

Nothing is verified here; `troth.audit.verify` does that. What a line may hold is listed in ``docs/trail.md``; members
that are missing leave their cell empty, members that are not known are shown in JSON only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from troth.audit.checkpoint import FILE_NAME
from troth.audit.opening import KIND as OPENING

Line = Mapping[str, Any]
"""One line of the trail, decoded."""
COLUMNS = ("time", "route", "stage", "who", "did", "rule", "clauses", "categories", "purpose")
"""The columns of the table, in order. A line with several reasons takes a row for each."""
_FIRST, _LAST = 4, 2
"""How many columns before and after the reasons stand only in the first row of a line."""
_CLAUSES = 2
"""Clauses named in a row; of the others the number. The JSON form has them all."""
_EMPTY = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which lines to show; what is None does not matter, and all that is given must hold.

    `subject` is a pseudonym, met as actor or as subject. `clause`, `rule` and `action` must meet in one reason of the
    line; an action is also met where a rule in dry-run would have taken it. `route` is a template, with its method or
    without. `purpose` and `party` are names of the policy, or ``undeclared``; `category` is one that was seen.
    `since` is the first instant that counts, `until` the first that does not. `stream` is the id of a stream,
    or how it begins. Opening lines of segments are shown only if asked for by `kind`.
    """

    kind: str | None = None
    rule: str | None = None
    clause: str | None = None
    action: str | None = None
    subject: str | None = None
    purpose: str | None = None
    party: str | None = None
    category: str | None = None
    route: str | None = None
    stream: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def holds(self, line: Line) -> bool:
        """Tell whether a line is to be shown."""
        return (
            (self.kind == line.get("kind") if self.kind else line.get("kind") != OPENING)
            and (self.subject is None or self.subject in _people(line))
            and (self.route is None or self.route in _route_names(line))
            and (self.purpose is None or self.purpose in _many(line.get("purpose")))
            and (self.party is None or self.party in _many(line.get("party")))
            and (self.category is None or self.category in _categories(line))
            and (self.stream is None or str(line.get("stream", "")).startswith(self.stream))
            and self._is_within(line)
            and self._is_reason(line)
        )

    def _is_within(self, line: Line) -> bool:
        """Whether a line was written in the span of time; one without a time that can be read was in none."""
        if self.since is None and self.until is None:
            return True
        try:
            at = datetime.fromisoformat(str(line.get("t")))
        except ValueError:
            return False
        if at.tzinfo is None:
            return False
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)

    def _is_reason(self, line: Line) -> bool:
        """Whether one reason of a line is all that is asked of reasons."""
        if self.rule is None and self.clause is None and self.action is None:
            return True
        return any(
            (self.rule is None or why.get("rule") == self.rule)
            and (self.clause is None or self.clause in _many(why.get("clause")))
            and (self.action is None or self.action in (why.get("action"), why.get("would")))
            for why in _reasons(line)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was read: lines in order of time, and how many could not be read (a torn end, or worse: verify says)."""

    lines: tuple[Line, ...]
    unreadable: int


def read_trail(directory: Path, wanted: Filter | None = None) -> Reading:
    """Read all segments of a trail directory. Raises OSError where a file cannot be read."""
    found: list[Line] = []
    unreadable = 0
    wanted = wanted or Filter()
    for path in sorted(directory.glob("*.jsonl")):
        if path.name != FILE_NAME:
            for line in _decoded(path.read_bytes()):
                if line is None:
                    unreadable += 1
                elif wanted.holds(line):
                    found.append(line)
    found.sort(key=lambda line: (str(line.get("t")), str(line.get("stream")), line.get("seq", 0)))
    return Reading(lines=tuple(found), unreadable=unreadable)


def _decoded(data: bytes) -> Iterator[Line | None]:
    decoder = msgspec.json.Decoder(dict[str, Any])
    for raw in data.split(b"\n"):
        if raw:
            try:
                yield decoder.decode(raw)
            except (msgspec.DecodeError, UnicodeDecodeError):
                yield None


def as_json(lines: Iterable[Line]) -> str:
    """Return the lines as one JSON array, a line each; ends with a line feed."""
    body = ",\n".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) for line in lines)
    return f"[{body}]\n"


def as_table(lines: Iterable[Line]) -> str:
    """Return the lines as a table of plain text with a header; ends with a line feed."""
    rows = [COLUMNS, *(tuple(map(_plain, row)) for line in lines for row in _rows(line))]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    return "".join("  ".join(map(str.ljust, row, widths)).rstrip() + "\n" for row in rows)


def _plain(text: str) -> str:
    """Keep a terminal from obeying what a line holds."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _rows(line: Line) -> Iterator[Sequence[str]]:
    """Yield a row for each reason of a line; what the line says once stands in the first."""
    before, after = _before(line), _after(line)
    for index, reason in enumerate(_reasons(line) or [{}]):
        said = _reason(reason) if reason else (_EMPTY, _EMPTY, _EMPTY)
        if index:
            yield (*[""] * _FIRST, *said, *[""] * _LAST)
        else:
            yield (*(cell or _EMPTY for cell in before), *said, *(cell or _EMPTY for cell in after))


def _before(line: Line) -> Sequence[str]:
    stage = str(line.get("stage") or line.get("kind") or "")
    return str(line.get("t", ""))[:23].replace("T", " "), _route(line), stage, _who(line)


def _after(line: Line) -> Sequence[str]:
    return (
        ", ".join(_categories(line)),
        " / ".join(text for name in ("purpose", "basis") for text in [", ".join(_many(line.get(name)))] if text),
    )


def _categories(line: Line) -> tuple[str, ...]:
    """Return the categories of data that were seen, each once."""
    return tuple(dict.fromkeys(str(each.get("cat", "")) for each in _dicts(line.get("pd"))))


def _route(line: Line) -> str:
    parts = _http(line)
    if parts[:2] == (None, None) and not isinstance(line.get("http"), Mapping):
        # Nobody asked for anything: a line about the rules themselves.
        parts = (line.get("event"), line.get("rule"), line.get("mode"))
    return " ".join(str(part) for part in parts if part is not None)


def _http(line: Line) -> tuple[object, object, object]:
    """Return method, route without it, and status of a line."""
    http = line.get("http")
    said: Line = http if isinstance(http, Mapping) else line
    route, method = said.get("route"), said.get("method")
    if isinstance(route, str) and isinstance(method, str):
        route = route.removeprefix(f"{method} ")
    return method, route, said.get("status")


def _route_names(line: Line) -> tuple[str, ...]:
    """Return what a route may be called: its template, and that with its method."""
    method, route, _ = _http(line)
    return (str(route), f"{method} {route}") if route is not None else ()


def _who(line: Line) -> str:
    actor = line.get("actor")
    name = actor.get("ref") or ", ".join(_many(actor.get("type"))) if isinstance(actor, Mapping) else actor
    subjects = _many(line.get("subj"))
    about = f"about {subjects[0]}" if len(subjects) == 1 and subjects[0] != name else ""
    about = f"about {len(subjects)} people" if len(subjects) > 1 else about
    return " ".join(part for part in (str(name or ""), about) if part)


def _people(line: Line) -> set[str]:
    actor = line.get("actor")
    return {*_many(line.get("subj")), str(actor.get("ref") if isinstance(actor, Mapping) else actor)}


def _reason(why: Line) -> Sequence[str]:
    """Say what was done to which thing, or would have been, by which rule, for which clauses."""
    action = f"would {why['would']}" if "would" in why else why.get("action", "")
    names, n = ", ".join(_many(why.get("what"))), why.get("n", 1)
    times = f" ×{n}" if n != 1 else ""
    about = f" [{names}]" if names else ""
    clauses = _many(why.get("clause"))
    more = f" +{len(clauses) - _CLAUSES}" if len(clauses) > _CLAUSES else ""
    did = f"{action} {why.get('thing', '')}{times}{about}".strip()
    return did, str(why.get("rule", "")), ", ".join(clauses[:_CLAUSES]) + more


def _reasons(line: Line) -> list[Line]:
    return _dicts(line.get("why"))


def _dicts(value: object) -> list[Line]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _many(value: object) -> list[str]:
    """Return a member that may be one text or a list of them as a list."""
    if value is None:
        return []
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]
