"""`troth coverage`: which clause is enforced, observed, attested, without duty or open."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from troth.cases import case_paths, run_files
from troth.cli.check import FOLDER
from troth.cli.coverage_html import as_html
from troth.cli.exits import INVALID, OK
from troth.cli.test import load_all
from troth.diagnostics import render
from troth.model.policy import Policy
from troth.rules.coverage import Coverage, Results, State
from troth.rules.coverage import coverage as cover
from troth.rules.load import load_policy


@click.command()
@click.argument("policies", metavar="POLICY...", type=FOLDER, nargs=-1, required=True)
@click.option("--format", "form", type=click.Choice(["text", "json", "html"]), default="text", show_default=True)
@click.option("--open", "only_open", is_flag=True, help="Show only clauses that are open (text).")
def coverage(policies: tuple[Path, ...], form: str, only_open: bool) -> int:
    """Show, for each POLICY and clause, what stands behind it.

    A rule in dry-run counts as observed, one that is off not at all. A policy with errors exits 3.
    """
    covered: list[tuple[Policy, Coverage]] = []
    failed = False
    for path in policies:
        loaded = load_policy(path)
        if loaded.policy is None:
            click.echo(render(one for one in loaded.diagnostics if one.is_error), err=True)
            failed = True
            continue
        result = cover(loaded.policy, today=datetime.now(UTC).date(), results=case_results(path))
        covered.append((loaded.policy, result))
    click.echo(_shown(covered, form, only_open))
    if not all(one.by_cases for _, one in covered):
        click.echo("counted by rules alone: no case was run", err=True)
    return INVALID if failed else OK


def case_results(folder: Path) -> Results | None:
    """Return what the cases of a folder say about each rule: fired, rested. None where none can be run."""
    paths = case_paths(folder)
    if not paths:
        return None
    files, found = load_all(paths, folder)
    if any(one.is_error for one in found):
        click.echo(render(one for one in found if one.is_error), err=True)
        return None
    return run_files(files).per_rule()


def _shown(covered: list[tuple[Policy, Coverage]], form: str, only_open: bool) -> str:
    if form == "html":
        return as_html(covered)
    results = [one for _, one in covered]
    return _json(results) if form == "json" else "\n\n".join(_text(one, only_open) for one in results)


def _json(covered: list[Coverage]) -> str:
    found = {one.policy: [clause.as_dict() for clause in one.clauses] for one in covered}
    return json.dumps(found, ensure_ascii=False, indent=2)


def _text(covered: Coverage, only_open: bool) -> str:
    counts = ", ".join(f"{count} {state}" for state, count in covered.counts().items())
    lines = [f"{covered.policy}: {len(covered.clauses)} clauses: {counts}"]
    width = max((len(one.id) for one in covered.clauses), default=0)
    for one in covered.clauses:
        if only_open and one.state is not State.OPEN:
            continue
        behind = ", ".join(one.rules) or one.reason or ""
        rest = f" (waits for {one.remainder})" if one.remainder else ""
        lines.append(f"  {one.id:<{width}}  {one.state:<8}  {behind}{rest}".rstrip())
    return "\n".join(lines)
