"""`policy.lock`: order, length and SHA-256 of every clause as last reviewed, ours and the original's.

One line a clause: ``id length sha256 length sha256``, with ``- -`` where no original was given. Lengths count
characters of the text in NFC with white space collapsed. So a lock proves which text was restated without holding it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from troth.diagnostics import Diagnostic, Source, Span
from troth.model.policy import Clause
from troth.rules.clauses import normalised
from troth.rules.nodes import Mapping as MappingNode
from troth.rules.nodes import Node, Scalar
from troth.rules.nodes import Sequence as SequenceNode
from troth.rules.reader import Reader, described

HEADER = "troth-lock 1"
_LINE = re.compile(r"(\S+) (\d+) ([0-9a-f]{64}) (?:(\d+) ([0-9a-f]{64})|- -)")


@dataclass(frozen=True, slots=True)
class Print:
    """Length in characters and SHA-256 (hex) of a text."""

    length: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """One clause as reviewed."""

    id: str
    ours: Print
    original: Print | None = None


def fingerprint(text: str) -> Print:
    """Return length and digest of a text in NFC with white space collapsed."""
    plain = normalised(text)
    return Print(len(plain), hashlib.sha256(plain.encode()).hexdigest())


def lock(clauses: Sequence[Clause], originals: Mapping[str, str] | None = None) -> tuple[Locked, ...]:
    """Return the lock of clauses; `originals` gives the original's text by id."""
    texts = originals or {}
    return tuple(
        Locked(id=one.id, ours=fingerprint(one.text), original=fingerprint(texts[one.id]) if one.id in texts else None)
        for one in clauses
    )


def write_lock(locked: Sequence[Locked]) -> str:
    """Return the text of a lock file."""
    lines = (f"{one.id} {_print(one.ours)} {_print(one.original)}" for one in locked)
    return "\n".join([HEADER, *lines, ""])


def _print(found: Print | None) -> str:
    return f"{found.length} {found.sha256}" if found else "- -"


def read_lock(source: Source) -> tuple[tuple[Locked, ...], tuple[Diagnostic, ...]]:
    """Return what a lock file says, and its lines that say nothing."""
    locked: list[Locked] = []
    found: list[Diagnostic] = []
    for number, line in enumerate(source.text.splitlines(), start=1):
        match = _LINE.fullmatch(line)
        if number == 1 and line != HEADER:
            found.append(_unreadable(source, number, f"the first line is not `{HEADER}`"))
        elif number > 1 and match is None:
            found.append(_unreadable(source, number, "this line names no clause with its fingerprint"))
        elif match:
            original = Print(int(match[4]), match[5]) if match[5] else None
            locked.append(Locked(id=match[1], ours=Print(int(match[2]), match[3]), original=original))
    return tuple(locked), tuple(found)


def _unreadable(source: Source, number: int, message: str) -> Diagnostic:
    end = len(source.line(number)) + 1
    span = Span(source=source, line=number, column=1, end_line=number, end_column=max(end, 2))
    return Diagnostic(code="TR408", message=message, span=span, help="write it anew with `troth lock`", docs="cli lock")


def compare_lock(
    locked: Sequence[Locked], clauses: Sequence[Clause], places: Mapping[str, Span], source: Source
) -> tuple[Diagnostic, ...]:
    """Return what changed since the lock was written: clauses changed, new, gone, or in another order."""
    before = {one.id: one.ours for one in locked}
    changed = [one for one in clauses if before.get(one.id) != fingerprint(one.text)]
    found = [
        _changed(places[one.id], f"the clause `{one.id}` {'has changed' if one.id in before else 'is new'}")
        for one in changed
    ]
    now = [one.id for one in clauses]
    gone = [one.id for one in locked if one.id not in set(now)]
    found += [_changed(source.whole(), f"the clause `{name}` is gone") for name in gone]
    if not found and [one.id for one in locked] != now:
        found.append(_changed(source.whole(), "the clauses stand in another order"))
    return tuple(found)


def _changed(span: Span, message: str) -> Diagnostic:
    whole = f"{message} since `policy.lock` was written"
    advice = "review its rules, then run `troth lock`"
    return Diagnostic(code="TR407", message=whole, span=span, help=advice, docs="cli lock")


def read_originals(node: Node | None, reader: Reader) -> dict[str, str]:
    """Return the quotes of a register: a list of maps with `id` and `quote`; other keys do not matter."""
    if not isinstance(node, SequenceNode):
        if node is not None:
            reader.report("TR103", f"a register is a list of clauses, but this is {described(node)}", node)
        return {}
    texts: dict[str, str] = {}
    for one in node:
        name = one.get("id") if isinstance(one, MappingNode) else None
        quote = one.get("quote") if isinstance(one, MappingNode) else None
        if isinstance(name, Scalar) and isinstance(quote, Scalar):
            texts[name.text] = quote.text
        else:
            reader.report("TR102", "a clause of a register needs the keys `id` and `quote`", one)
    return texts
