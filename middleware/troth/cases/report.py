"""What came of cases, for people (a diff beside the clause), for programs (JSON) and for build servers (JUnit)."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from troth.cases.diff import diff
from troth.cases.failure import Failure
from troth.cases.run import Outcome, Tally

_WIDE = 110
Texts = Mapping[str, str]
"""Clause id to the clause's text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """How many clauses a policy has, which of them nothing accounts for, and the percentage that must be reached."""

    clauses: int
    missing: tuple[str, ...]
    least: float

    @property
    def percent(self) -> float:
        """How many of the clauses are accounted for; of none it is none."""
        return 100 * (self.clauses - len(self.missing)) / self.clauses if self.clauses else 0.0

    @property
    def reached(self) -> bool:
        """Whether that is enough. What is printed is rounded; what is compared is not."""
        return self.percent >= self.least

    def __str__(self) -> str:
        held = f"{self.clauses - len(self.missing)} of {self.clauses} clauses"
        told = f"{held} accounted for ({self.percent:.1f} %), at least {self.least:g} % wanted"
        return told if self.reached else f"{told}; open: {', '.join(self.missing) or 'there is no clause'}"


def as_text(tally: Tally, texts: Texts, bar: Bar | None = None) -> str:
    """Return the failures, each beside its clause, and a summary; ends with a line feed."""
    blocks = ["\n".join(_failed(one, texts)) for one in tally.failed]
    if tally.waiting:
        blocks.append("\n".join(f"waits  {one.case.id}: {one.waits}" for one in tally.waiting))
    if bar is not None:
        blocks.append(str(bar))
    return "\n\n".join([*blocks, summary(tally)]) + "\n"


def summary(tally: Tally) -> str:
    """Say in one line how many cases hold."""
    total, failed, waiting = len(tally.outcomes), len(tally.failed), len(tally.waiting)
    parts = [f"{total} case{'' if total == 1 else 's'}", f"{total - failed - waiting} hold", f"{failed} failed"]
    return ", ".join([*parts, *([f"{waiting} wait"] if waiting else [])])


def _failed(outcome: Outcome, texts: Texts) -> Iterator[str]:
    case = outcome.case
    yield f"FAILED {case.id}  ({outcome.file}:{case.span.line})"
    for clause in case.clauses:
        yield from textwrap.wrap(_cited(clause, texts), _WIDE, initial_indent="  | ", subsequent_indent="  | ")
    for failure in outcome.failures:
        yield f"  {failure.what}"
        yield from (f"    {line}" for line in diff(failure.expected, failure.came))


def _cited(clause: str, texts: Texts) -> str:
    return f"{clause}: {texts[clause]}" if clause in texts else clause


def as_json(tally: Tally, texts: Texts, bar: Bar | None = None) -> str:
    """Return counts, the number of fires and rests per rule, and every case; ends with a line feed."""
    said: dict[str, object] = {
        "cases": len(tally.outcomes),
        "failed": len(tally.failed),
        "waiting": len(tally.waiting),
        "coverage": None if bar is None else _coverage(bar),
        "rules": {rule: {"fires": f, "rests": r} for rule, (f, r) in sorted(tally.per_rule().items())},
        "results": [_result(one, texts) for one in tally.outcomes],
    }
    return json.dumps(said, ensure_ascii=False, indent=2) + "\n"


def _coverage(bar: Bar) -> dict[str, object]:
    accounted = bar.clauses - len(bar.missing)
    return {
        "clauses": bar.clauses, "accounted": accounted, "percent": round(bar.percent, 2), "least": bar.least,
        "reached": bar.reached, "open": list(bar.missing),
    }  # fmt: skip


def _result(outcome: Outcome, texts: Texts) -> dict[str, object]:
    case = outcome.case
    return {
        "id": case.id,
        "clause": list(case.clauses),
        "texts": {clause: texts[clause] for clause in case.clauses if clause in texts},
        "file": outcome.file,
        "line": case.span.line,
        "result": _verdict(outcome),
        "waits": outcome.waits,
        "failures": [_failure(one) for one in outcome.failures],
        "reasons": list(map(str, outcome.reasons)),
    }


def _failure(failure: Failure) -> dict[str, object]:
    lines = list(diff(failure.expected, failure.came))
    return {"what": failure.what, "expected": failure.expected, "came": failure.came, "diff": lines}


def _verdict(outcome: Outcome) -> str:
    if outcome.ok:
        return "holds"
    return "failed" if outcome.waits is None else "waits"


def as_junit(tally: Tally, texts: Texts, bar: Bar | None = None) -> str:
    """Return the outcomes as JUnit XML, a test case each, and the coverage as one more; ends with a line feed."""
    tests = len(tally.outcomes) + (bar is not None)
    failed = len(tally.failed) + (bar is not None and not bar.reached)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuite name="troth" tests="{tests}" failures="{failed}" errors="0" skipped="{len(tally.waiting)}">',
    ]
    for one in tally.outcomes:
        lines += _junit(one, texts)
    if bar is not None:
        lines += _element("troth", "coverage", None if bar.reached else _failing(str(bar), ""))
    return "\n".join([*lines, "</testsuite>"]) + "\n"


def _junit(outcome: Outcome, texts: Texts) -> Iterable[str]:
    body = None
    if not outcome.ok:
        waits = outcome.waits
        body = _failing_case(outcome, texts) if waits is None else f"<skipped message={_attribute(waits)}/>"
    return _element(outcome.file, outcome.case.id, body)


def _element(group: str, name: str, body: str | None) -> list[str]:
    named = f"  <testcase classname={_attribute(group)} name={_attribute(name)}"
    return [f"{named}/>"] if body is None else [f"{named}>", f"    {body}", "  </testcase>"]


def _failing_case(outcome: Outcome, texts: Texts) -> str:
    lines = [_cited(clause, texts) for clause in outcome.case.clauses]
    for failure in outcome.failures:
        lines += [failure.what, *diff(failure.expected, failure.came)]
    return _failing(outcome.failures[0].what, "\n".join(lines))


def _failing(message: str, told: str) -> str:
    return f"<failure message={_attribute(message)}>{escape(_plain(told))}</failure>"


def _attribute(text: str) -> str:
    return quoteattr(_plain(text))


def _plain(text: str) -> str:
    """Drop what XML cannot hold."""
    return "".join(char for char in text if char in "\t\n" or (char >= " " and char not in "\ufffe\uffff"))
