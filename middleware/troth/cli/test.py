"""`troth test`: run cases on the wire, and hold them against the clauses that they were written from."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import click

from troth.cases import CaseFile, Tally, case_paths, load_files, run_files
from troth.cases.folder import CASES, only
from troth.cases.report import Bar, as_json, as_junit, as_text
from troth.cli.check import FILE
from troth.cli.exits import CASES_FAILED, INVALID, OK
from troth.diagnostics import Diagnostic, render
from troth.model.binding import Binding
from troth.model.policy import Policy
from troth.rules.coverage import State
from troth.rules.coverage import coverage as cover
from troth.rules.load import load_binding, load_policy


@click.command()
@click.argument("given", metavar="[POLICY] [FILE...]", type=click.Path(exists=True, path_type=Path), nargs=-1)
@click.option("--cases", "files", type=FILE, multiple=True, metavar="FILE...", help="Case files, not the folder's own.")
@click.option("--binding", type=FILE, help="The binding for case files that bring none.")
@click.option("--only", "ids", multiple=True, metavar="ID", help="Run only the cases with this id.")
@click.option(
    "--min-coverage",
    "least",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="Fail if fewer clauses of POLICY are accounted for.",
)
@click.option("--format", "form", type=click.Choice(["text", "json", "junit"]), default="text", show_default=True)
def test(
    given: tuple[Path, ...],
    files: tuple[Path, ...],
    binding: Path | None,
    ids: tuple[str, ...],
    least: float | None,
    form: str,
) -> int:
    """Run the cases of the folder POLICY (rules_test.yaml and cases/*.yaml), or those of the files that --cases names.

    A case file may bring a binding, and even a policy, of its own. No app is needed. Exits 4 if a case fails or the
    coverage is under the bar, 3 if a file has errors.
    """
    policy, paths = sort_out(given, files)
    if least is not None and (policy is None or ids):
        raise click.UsageError("--min-coverage is about all cases of a policy folder")
    read, found = load_all(paths, policy, binding)
    if found:
        click.echo(render(found), err=True)
    if any(one.is_error for one in found):
        return INVALID
    chosen = [only(file, ids) for file in read]
    if ids and not any(file.cases for file in chosen):
        raise click.UsageError("no case has that id")
    tally = run_files(chosen)
    bar = None if least is None or policy is None else bar_of(policy, tally, least)
    click.echo(shown(tally, read, form, bar), nl=False)
    return CASES_FAILED if tally.failed or (bar is not None and not bar.reached) else OK


def bar_of(policy: Path, tally: Tally, least: float) -> Bar:
    """Return how many clauses of a folder these cases account for, beside how many have to be."""
    covered = cover(load_policy(policy).require(), today=datetime.now(UTC).date(), results=tally.per_rule())
    missing = tuple(one.id for one in covered.clauses if one.state is State.OPEN)
    return Bar(clauses=len(covered.clauses), missing=missing, least=least)


def sort_out(given: tuple[Path, ...], files: tuple[Path, ...]) -> tuple[Path | None, tuple[Path, ...]]:
    """Return the policy folder and the case files; without files the folder's own. Raises UsageError."""
    folders = [path for path in given if path.is_dir()]
    paths = (*files, *(path for path in given if not path.is_dir()))
    if len(folders) > 1:
        raise click.UsageError("one policy folder at a time")
    if not folders and not paths:
        raise click.UsageError("give a policy folder, case files, or both")
    policy = folders[0] if folders else None
    if not paths and policy is not None:
        paths = case_paths(policy)
        if not paths:
            raise click.UsageError(f"there is no {policy / CASES}; name case files with --cases")
    return policy, paths


def load_all(
    paths: Iterable[Path], policy: Path | None, binding: Path | None = None
) -> tuple[list[CaseFile], list[Diagnostic]]:
    """Load case files with the policy folder and the binding that they may lean on; returns all findings too."""
    known, bound, found = _given(policy, binding)
    if any(one.is_error for one in found):
        return [], found
    read = load_files(paths, known, bound)
    return read, [*found, *(one for file in read for one in file.diagnostics)]


def _given(policy: Path | None, binding: Path | None) -> tuple[Policy | None, Binding | None, list[Diagnostic]]:
    if policy is None:
        return None, None, []
    loaded = load_policy(policy)
    found = [one for one in loaded.diagnostics if one.is_error]
    if loaded.policy is None or binding is None:
        return loaded.policy, None, found
    bound = load_binding(binding, loaded.policy)
    return loaded.policy, bound.binding, [*found, *(one for one in bound.diagnostics if one.is_error)]


def shown(tally: Tally, files: Iterable[CaseFile], form: str, bar: Bar | None = None) -> str:
    """Return outcomes as ``text``, ``json`` or ``junit``."""
    texts = {clause.id: clause.text for file in files if file.policy is not None for clause in file.policy.clauses}
    write = {"json": as_json, "junit": as_junit}.get(form, as_text)
    return write(tally, texts, bar)
