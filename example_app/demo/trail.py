"""The audit trail as its own commands show and check it, and what somebody declares by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from example_app.demo.server import ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a command printed, and its exit code."""

    line: str
    text: str
    code: int


def show(trail: Path) -> Told:
    """The trail as a table."""
    return _troth("audit", "show", str(trail), "--format", "text")


def verify(trail: Path) -> Told:
    """Whether the trail is whole."""
    return _troth("audit", "verify", str(trail))


def declare(trail: Path, event: str, customer: str) -> Told:
    """What reached the shop by telephone, declared about a customer."""
    words = ("declare", "policies/toontrack", event, "--home", str(trail.parent), "--persons", "-")
    return _troth(*words, given=customer)


def lines(trail: Path) -> list[dict[str, Any]]:
    """The trail's lines as they were written."""
    told = _troth("audit", "show", str(trail), "--format", "json")
    text = told.text.strip()
    if text.startswith("["):
        held = json.loads(text)
        return [line for line in held if isinstance(line, dict)]
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def clauses(held: list[dict[str, Any]]) -> set[str]:
    """The clauses that the lines name."""
    found: set[str] = set()
    for line in held:
        for reason in line.get("why", []):
            named = reason.get("clause", [])
            found |= {named} if isinstance(named, str) else set(named)
    return found


def told_of(trail: Path, values: Iterable[object]) -> set[str]:
    """Which of some values stand in the trail's files, as they are or in another case."""
    held = b"".join(file.read_bytes() for file in trail.rglob("*") if file.is_file()).lower()
    return {str(value) for value in values if str(value).lower().encode() in held}


def _troth(*words: str, given: str = "") -> Told:
    command = [sys.executable, "-m", "troth.cli", *words]
    done = subprocess.run(  # noqa: S603 - this interpreter and words of ours
        command, cwd=ROOT, input=given, capture_output=True, text=True, timeout=60, check=False
    )
    return Told(line=" ".join(["troth", *words]), text=done.stdout + done.stderr, code=done.returncode)
