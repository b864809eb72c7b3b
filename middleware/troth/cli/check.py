"""`troth check`: everything that is wrong in a policy folder and, if given, its binding."""

from __future__ import annotations

from pathlib import Path

import click

from troth.cli.exits import INVALID, OK
from troth.diagnostics import Diagnostic, in_order, render
from troth.rules import Loaded, check_together, load_binding, load_policy

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("policy", type=FOLDER)
@click.option("--binding", type=FILE, help="The binding of the app that the policy is for.")
@click.option("--format", "form", type=click.Choice(["text", "short", "json"]), default="text", show_default=True)
def check(policy: Path, binding: Path | None, form: str) -> int:
    """Check the folder POLICY: keys, names, rules, and what a binding lets it keep.

    Warnings do not fail the check; errors do, with exit code 3.
    """
    loaded = load_policy(policy)
    found = in_order([*loaded.diagnostics, *_bound(loaded, binding)])
    text = render(found, form)
    if text:
        click.echo(text)
    if form == "text":
        click.echo(_summary(loaded, found), err=True)
        if found:
            click.echo(
                f"`troth code {found[0].code}` says more about a code, and shows a change that mends it", err=True
            )
    return INVALID if any(one.is_error for one in found) else OK


def _bound(loaded: Loaded, path: Path | None) -> tuple[Diagnostic, ...]:
    if loaded.policy is None:
        return ()
    if path is None:
        return check_together(loaded, None)
    read = load_binding(path, loaded.policy)
    if read.binding is None:
        return read.diagnostics
    return (*read.diagnostics, *check_together(loaded, read.binding, name=str(path)))


def _summary(loaded: Loaded, found: tuple[Diagnostic, ...]) -> str:
    errors = sum(one.is_error for one in found)
    warnings = len(found) - errors
    counts = f"{errors} error{'' if errors == 1 else 's'}, {warnings} warning{'' if warnings == 1 else 's'}"
    if loaded.policy is None:
        return counts
    policy = loaded.policy
    return f"{policy.identity.id}: {len(policy.clauses)} clauses, {len(policy.rules)} rules; {counts}"
