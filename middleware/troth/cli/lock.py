"""`troth lock`: write down, or check, which text of each clause was last reviewed."""

from __future__ import annotations

from pathlib import Path

import click

from troth.cli.check import FILE, FOLDER
from troth.cli.exits import INVALID, OK
from troth.diagnostics import Diagnostic, render
from troth.rules.lock import Locked, write_lock
from troth.rules.locking import LockInput, read_lock_input


@click.command()
@click.argument("policy", type=FOLDER)
@click.option("--originals", type=FILE, help="A register of the original's clauses: YAML, a list of `id` and `quote`.")
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit 3 if the lock differs.")
def lock(policy: Path, originals: Path | None, only_check: bool) -> int:
    """Write POLICY/policy.lock: order, length and SHA-256 of every clause of policy.md.

    With --originals also those of the original that each clause restates; the file itself holds none of its words.
    Without, fingerprints of originals that the lock already has are kept for clauses that are still there.
    """
    given = read_lock_input(policy, originals)
    if given.diagnostics:
        return _fail(given.diagnostics)
    text = write_lock(given.locked)
    path = policy / "policy.lock"
    if only_check:
        return _compare(path, text, given)
    path.write_text(text, encoding="utf-8")
    click.echo(f"{path}: {_counts(given.locked)}")
    return OK


def _compare(path: Path, text: str, given: LockInput) -> int:
    if path.exists() and path.read_text(encoding="utf-8") == text:
        click.echo(f"{path}: {_counts(given.locked)}, as reviewed")
        return OK
    click.echo(f"{path}: differs from the text, or is not there", err=True)
    return INVALID


def _fail(found: tuple[Diagnostic, ...]) -> int:
    click.echo(render(found), err=True)
    return INVALID


def _counts(locked: tuple[Locked, ...]) -> str:
    originals = sum(one.original is not None for one in locked)
    return f"{len(locked)} clauses, {originals} with their original"
