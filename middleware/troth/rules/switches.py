"""`switches.yaml` in the home: single rules turned off, or dry, without touching the policy.

A switch only ever weakens: it cannot make a rule stricter than the policy has it. Who turned it and why is told in the
trail as it stands here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from troth.diagnostics import InvalidFiles
from troth.model.words import Mode
from troth.rules.load import read_file
from troth.rules.reader import Reader
from troth.rules.scalars import NAME, TEXT
from troth.rules.shapes import OneOf, Record, Table
from troth.rules.yaml import compose

_SWITCH = Record(
    "a switch",
    {"mode": OneOf((Mode.OFF.value, Mode.DRY_RUN.value), "`off` or `dry-run`"), "who": TEXT, "why": TEXT},
    ("mode", "who", "why"),
    docs="running switches",
)
SWITCHES = Table(NAME, _SWITCH, "a map of rule ids")


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """One rule turned off or dry: by whom, and for which reason."""

    rule: str
    mode: Mode
    who: str
    why: str


def load_switches(path: Path) -> tuple[Switch, ...]:
    """Return the switches of a file, none where it is missing or empty. Raises InvalidFiles with all that is wrong."""
    if not path.exists():
        return ()
    source, found = read_file(path)
    if found:
        raise InvalidFiles(found)
    reader = Reader()
    node, wrong = compose(source)
    reader.found.extend(wrong)
    rows = (SWITCHES.read(node, reader) or {}) if node is not None else {}
    if reader.failed:
        raise InvalidFiles(reader.found)
    return tuple(
        Switch(rule=rule, mode=Mode(row["mode"]), who=row["who"], why=row["why"]) for rule, row in rows.items()
    )
