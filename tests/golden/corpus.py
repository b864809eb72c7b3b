"""The golden files as tests read them: the policy through the loader, the cases as plain values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from troth.model.binding import Binding
from troth.model.policy import Policy
from troth.model.rules import Rule
from troth.rules import load_inline

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Golden:
    """One golden clause."""

    number: int
    clause: str
    text: str
    policy: Policy
    binding: Binding
    cases: tuple[dict[str, Any], ...]


def files() -> list[Path]:
    return sorted(HERE.glob("[0-9][0-9]-*.yaml"))


def load(path: Path) -> Golden:
    """Load one file. Raises AssertionError with all findings where it cannot be used."""
    text = path.read_text("utf-8")
    inline = load_inline(text, name=path.name)
    assert inline.policy is not None, inline.diagnostics
    assert inline.binding is not None, inline.diagnostics
    number, _, clause = path.stem.partition("-")
    cases = yaml.load(text, Loader=yaml.SafeLoader)["cases"]
    return Golden(int(number), clause, text, inline.policy, inline.binding, tuple(cases))


def goldens() -> Iterator[Golden]:
    return map(load, files())


def lines_of_rules(text: str) -> dict[str, int]:
    """Count the lines of each rule as written, without its exceptions and its reading."""
    section = re.split(r"(?m)^(?=\w)", text.partition("\nrules:\n")[2])[0]
    counted = {}
    for block in re.split(r"(?m)^(?=- id: )", section):
        if not block.strip():
            continue
        keys = re.split(r"(?m)^(?=  \w)", block)
        kept = [key for key in keys if not key.startswith(("  except:", "  reading:"))]
        counted[block.split()[2]] = sum(key.count("\n") for key in kept)
    return counted


def fires(rule: Rule, case: dict[str, Any]) -> bool:
    """Tell whether a case expects the rule to act."""
    reasons = case["expect"].get("reasons", [])
    return any(_is_of(rule, reason) and reason["action"] not in ("kept", "opened") for reason in reasons)


def rests(rule: Rule, case: dict[str, Any]) -> bool:
    """Tell whether a case expects the rule to have nothing to say, or to let through."""
    expect = case["expect"]
    silent = expect.get("no-reason", [])
    if silent is True or (isinstance(silent, list) and {rule.id, *rule.clauses} & set(silent)):
        return True
    return not fires(rule, case) and any(reason["action"] in ("kept", "opened") for reason in expect.get("reasons", []))


def _is_of(rule: Rule, reason: dict[str, Any]) -> bool:
    named = reason.get("rule", rule.id) == rule.id
    return named and reason["clause"] in rule.clauses and reason["thing"] in rule.things


def gives(rule: Rule, reason: dict[str, Any]) -> bool:
    """Tell whether a rule can give this reason: one of its effects, or what evidence writes."""
    if reason["action"] == "opened":
        return rule.evidence and any(reason["clause"] in opening.clauses for opening in rule.openings)
    softer = {"kept"} if rule.evidence else set()
    if any(effect.action == "deny" for effect in rule.effects):
        softer |= {"withhold", "protected"}
    return _is_of(rule, reason) and reason["action"] in softer | {effect.action for effect in rule.effects}
