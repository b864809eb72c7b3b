"""`troth code`: what the manual says about the code of a finding."""

from __future__ import annotations

import click

from troth import manual
from troth.cli.exits import OK
from troth.diagnostics import CODES
from troth.rules.reader import did_you_mean


@click.command()
@click.argument("name", metavar="[CODE]", required=False)
def code(name: str | None) -> int:
    """Show what CODE means, an example, and a change that mends it; without CODE the list of all codes."""
    click.echo(_about(name) if name else _all(), nl=False)
    return OK


def _about(name: str) -> str:
    wanted = name.upper()
    said = manual.find(wanted) if wanted in CODES else None
    if said is None:
        raise click.UsageError(f"no finding has the code `{name}`; {did_you_mean(wanted, CODES) or 'see `troth code`'}")
    return said


def _all() -> str:
    return "".join(f"{name}  {'warning' if one.warning else 'error':<7}  {one.title}\n" for name, one in CODES.items())
