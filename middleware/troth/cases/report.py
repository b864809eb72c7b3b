"""What came of cases, for people (a diff beside the clause), for programs (JSON) and for build servers (JUnit)."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from xml.sax.saxutils import escape, quoteattr

from troth.cases.failure import Failure
from troth.cases.run import Outcome, Tally

_WIDE = 110
_MOST = 400
Texts = Mapping[str, str]
"""Clause id to the clause's text."""


def as_text(tally: Tally, texts: Texts) -> str:
    """Return the failures, each beside its clause, and a summary; ends with a line feed."""
    blocks = ["\n".join(_failed(one, texts)) for one in tally.failed]
    waiting = [f"waits  {one.case.id}: {one.waits}" for one in tally.waiting]
    return "\n\n".join([*blocks, *(["\n".join(waiting)] if waiting else []), summary(tally)]) + "\n"


def summary(tally: Tally) -> str:
    """Say in one line how many cases hold."""
    total, failed, waiting = len(tally.outcomes), len(tally.failed), len(tally.waiting)
    parts = [f"{total} case{'' if total == 1 else 's'}", f"{total - failed - waiting} hold", f"{failed} failed"]
    return ", ".join([*parts, *([f"{waiting} wait"] if waiting else [])])


def _failed(outcome: Outcome, texts: Texts) -> Iterator[str]:
    case = outcome.case
    yield f"FAILED {case.id}  ({outcome.file}:{case.span.line})"
    for clause in case.clauses:
        said = f"{clause}: {texts[clause]}" if clause in texts else clause
        yield from textwrap.wrap(said, _WIDE, initial_indent="  | ", subsequent_indent="  | ")
    for failure in outcome.failures:
        yield f"  {failure.what}"
        yield from _lines("-", failure.expected)
        yield from _lines("+", failure.came)


def _lines(sign: str, text: str) -> Iterator[str]:
    shown = text if len(text) <= _MOST else text[:_MOST] + " …"
    for line in shown.splitlines() or [""]:
        yield f"    {sign} {line}"


def as_json(tally: Tally) -> str:
    """Return counts, the number of fires and rests per rule, and every case; ends with a line feed."""
    said = {
        "cases": len(tally.outcomes),
        "failed": len(tally.failed),
        "waiting": len(tally.waiting),
        "rules": {rule: {"fires": f, "rests": r} for rule, (f, r) in sorted(tally.per_rule().items())},
        "results": [_result(one) for one in tally.outcomes],
    }
    return json.dumps(said, ensure_ascii=False, indent=2) + "\n"


def _result(outcome: Outcome) -> dict[str, object]:
    return {
        "id": outcome.case.id,
        "clause": list(outcome.case.clauses),
        "file": outcome.file,
        "line": outcome.case.span.line,
        "result": _verdict(outcome),
        "waits": outcome.waits,
        "failures": [{"what": one.what, "expected": one.expected, "came": one.came} for one in outcome.failures],
        "reasons": list(map(str, outcome.reasons)),
    }


def _verdict(outcome: Outcome) -> str:
    if outcome.ok:
        return "holds"
    return "failed" if outcome.waits is None else "waits"


def as_junit(tally: Tally) -> str:
    """Return the outcomes as JUnit XML, a test case each; ends with a line feed."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuite name="troth" tests="{len(tally.outcomes)}" failures="{len(tally.failed)}" errors="0"'
        f' skipped="{len(tally.waiting)}">',
    ]
    for one in tally.outcomes:
        lines += _junit(one)
    return "\n".join([*lines, "</testsuite>"]) + "\n"


def _junit(outcome: Outcome) -> Iterable[str]:
    named = f"  <testcase classname={_attribute(outcome.file)} name={_attribute(outcome.case.id)}"
    if outcome.ok:
        return [f"{named}/>"]
    if outcome.waits is not None:
        return [f"{named}>", f"    <skipped message={_attribute(outcome.waits)}/>", "  </testcase>"]
    told = "\n".join(map(_told, outcome.failures))
    first = _attribute(outcome.failures[0].what)
    return [f"{named}>", f"    <failure message={first}>{escape(_plain(told))}</failure>", "  </testcase>"]


def _told(failure: Failure) -> str:
    return f"{failure.what}\n- {failure.expected}\n+ {failure.came}"


def _attribute(text: str) -> str:
    return quoteattr(_plain(text))


def _plain(text: str) -> str:
    """Drop what XML cannot hold."""
    return "".join(char for char in text if char in "\t\n" or (char >= " " and char not in "\ufffe\uffff"))
