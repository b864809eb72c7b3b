"""`troth rule`: one rule as a privacy officer reads it, with the text that it keeps and the cases that show it."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from troth import manual
from troth.cases import case_paths, run_files
from troth.cases.run import Tally
from troth.cli.check import FILE, FOLDER
from troth.cli.exits import INVALID, OK
from troth.cli.test import load_all
from troth.diagnostics import render
from troth.model.binding import Binding
from troth.model.policy import Policy
from troth.model.rules import Rule
from troth.model.words import Word
from troth.plan import compile_plan
from troth.plan.tables import Tables
from troth.plan.text import text as plan_text
from troth.rules.coverage import coverage
from troth.rules.effects import duties
from troth.rules.english import condition, sentences
from troth.rules.excerpt import excerpt
from troth.rules.load import load_binding, load_policy
from troth.rules.loaded import Loaded
from troth.rules.reader import did_you_mean
from troth.rules.switches import Switch, load_switches

_WIDTH = 100


@click.command()
@click.argument("name", metavar="NAME")
@click.argument("policy", type=FOLDER, default=".")
@click.option("--home", type=FOLDER, help="The home of a server: its switches are told too.")
@click.option("--binding", type=FILE, help="With --plan: the binding that the plan is made for.")
@click.option("--plan", "planned", is_flag=True, help="Show also what the rule is compiled to.")
@click.option("--no-cases", is_flag=True, help="Run no cases.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def rule(
    name: str, policy: Path, home: Path | None, binding: Path | None, planned: bool, no_cases: bool, form: str
) -> int:  # fmt: skip
    """Show the rule NAME of the folder POLICY, else of the current one.

    What it says in plain English, the clauses that it keeps, what opens it, how it is turned, when it is judged, the
    cases in which it fires and rests, and its YAML.
    """
    loaded = load_policy(policy)
    if loaded.policy is None:
        click.echo(render(one for one in loaded.diagnostics if one.is_error), err=True)
        return INVALID
    rules = {one.id: one for one in loaded.policy.rules}
    if name not in rules:
        raise click.UsageError(f"{policy} has no rule `{name}`; {did_you_mean(name, rules) or 'see its rules.yaml'}")
    switches = {one.rule: one for one in load_switches(home / "switches.yaml")} if home is not None else {}
    told = about(rules[name], loaded, None if no_cases else _played(policy), switches.get(name))
    if planned:
        bound = load_binding(binding, loaded.policy).require() if binding is not None else Binding()
        told["plan"] = _plan(name, Tables(loaded.policy, bound))
    click.echo(json.dumps(told, ensure_ascii=False, indent=2) if form == "json" else _text(told))
    return OK


def _played(folder: Path) -> Tally | None:
    """Return what came of the cases of a folder; None where there are none, or where they have errors."""
    paths = case_paths(folder)
    files, found = load_all(paths, folder)
    if any(one.is_error for one in found):
        click.echo(render(one for one in found if one.is_error), err=True)
        return None
    return run_files(files) if paths else None


def about(rule: Rule, loaded: Loaded, tally: Tally | None, switch: Switch | None) -> dict[str, Any]:
    """Return all that is told of a rule, as plain values."""
    policy = loaded.require()
    place = loaded.places[rule.id]["id"]
    return {
        "rule": rule.id,
        "says": list(sentences(rule)),
        "clauses": list(_clauses(rule, policy, tally)),
        "readings": [{"against": list(one.against), "why": one.why} for one in rule.readings],
        "exceptions": [
            {"clauses": list(one.clauses), "law": one.law, "if": condition(one.condition, rule.things)}
            for one in rule.openings
        ],
        "mode": rule.mode.value,
        "switch": None if switch is None else {"mode": switch.mode.value, "who": switch.who, "why": switch.why},
        "judged": {word.value: known(word) for word in _words(rule)},
        "cases": None if tally is None else _cases(rule, tally),
        "file": place.file,
        "line": place.line,
        "yaml": excerpt(place.source, rule.id),
    }


def _clauses(rule: Rule, policy: Policy, tally: Tally | None) -> Iterator[dict[str, Any]]:
    """Yield the clauses that a rule keeps, reads otherwise or is opened by, with their texts and what stands behind."""
    texts = {clause.id: clause.text for clause in policy.clauses}
    covered = coverage(policy, today=datetime.now(UTC).date(), results=tally.per_rule() if tally is not None else None)
    behind = {one.id: one for one in covered.clauses}
    ways = [("kept", rule.clauses)]
    ways += [("read otherwise", one.against) for one in rule.readings]
    ways += [("permits", one.clauses) for one in rule.openings]
    for how, clauses in ways:
        for one in clauses:
            state = behind.get(one)
            yield {
                "id": one, "how": how, "text": texts.get(one, ""), "state": state.state.value if state else None,
                "remainder": state.remainder if state else policy.remainder.get(one),
            }  # fmt: skip


def _words(rule: Rule) -> tuple[Word, ...]:
    conditions = (rule.match, rule.only_if, rule.expect, *(one.condition for one in rule.openings))
    return tuple(dict.fromkeys(word for one in conditions for word in duties(one)))


def known(word: Word) -> str:
    """Return when a word is known, as its page says; a word that is known *as* another tells of that."""
    found = re.search(r"Known (.+?)\.(?:\s|$)", manual.find(f"rule {word}") or "", re.S)
    said = " ".join(found[1].split()) if found else ""
    other = re.fullmatch(r"as `([a-z-]+)`", said)
    return known(Word(other[1])) if other else said


def _cases(rule: Rule, tally: Tally) -> dict[str, list[str]]:
    """Return the passing cases in which a rule acts, and those in which it lets pass, as `troth explain` takes them."""
    passing = [(f"{one.file}#{one.case.id}", one) for one in tally.outcomes if one.ok]
    return {
        "fires": [name for name, one in passing if rule.id in one.fired],
        "rests": [name for name, one in passing if rule.id in one.rested],
    }


def _plan(name: str, tables: Tables) -> dict[str, list[str]]:
    """Return what a rule is compiled to on each of its things; nothing for one that is off."""
    return {one.thing.value: plan_text(one).split("\n") for one in compile_plan(tables) if one.rule.id == name}


# text ----------------------------------------------------------------------------------------------------------------


def _text(told: dict[str, Any]) -> str:
    parts = [
        _part(told["rule"], map(_wrapped, told["says"])),
        *(_part(title, _of_clauses(told, how)) for how, title in _HEADINGS.items()),
        _part("How it is turned", _turned(told)),
        _part("When it is judged", (f"  {word}: known {when}" for word, when in told["judged"].items())),
        _part("Cases", _of_cases(told["cases"])),
        _part("Plan", (f"  {thing}: {line}" for thing, lines in told.get("plan", {}).items() for line in lines)),
        _part(f"As it stands in {told['file']}:{told['line']}", [textwrap.indent(told["yaml"], "  ")]),
    ]
    return "\n\n".join(part for part in parts if part)


_HEADINGS = {
    "kept": "Clauses that it keeps",
    "read otherwise": "Clauses that it reads otherwise",
    "permits": "Clauses that open it",
}


def _part(title: str, lines: Any) -> str:
    told = list(lines)
    return "\n".join([title, *told]) if told else ""


def _wrapped(text: str, indent: str = "  ") -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False)


def _of_clauses(told: dict[str, Any], how: str) -> Iterator[str]:
    why = {one: reading["why"] for reading in told["readings"] for one in reading["against"]}
    for one in told["clauses"]:
        if one["how"] != how:
            continue
        waits = f", waits for {one['remainder']}" if one["remainder"] else ""
        reading = f": {why[one['id']]}" if how == "read otherwise" else ""
        state = f" ({one['state']}{waits})" if one["state"] else ""
        yield f"  {one['id']}{state}{reading}"
        if one["text"]:
            yield _wrapped(one["text"], "    ")


def _turned(told: dict[str, Any]) -> Iterator[str]:
    yield f"  {told['mode']}"
    if told["switch"] is not None:
        switch = told["switch"]
        yield _wrapped(f"switched to {switch['mode']} by {switch['who']}: {switch['why']}")


def _of_cases(cases: dict[str, list[str]] | None) -> Iterator[str]:
    for what, names in (cases or {}).items():
        yield f"  {what} in {len(names)}{':' if names else ''}"
        yield from (f"    {name}" for name in names)
