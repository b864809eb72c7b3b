"""`troth declare`: events that no request brings about, such as a breach or a legal hold."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TextIO

import click

from troth.cli.check import FOLDER
from troth.cli.exits import DENIED, OK
from troth.errors import DeclarationError, EventRefused
from troth.home import DEFAULT_HOME, HOME_VARIABLE
from troth.model.consent import Params
from troth.runtime.declaring import MOST, Declaration, Declaring, outside
from troth.runtime.runtime import Runtime


@click.command()
@click.argument("policy", type=FOLDER)
@click.argument("event")
@click.option("--home", type=click.Path(file_okay=False, path_type=Path), help="The home of the app; else TROTH_HOME.")
@click.option("--ledger", help="Where the ledger is, as the app was told; else TROTH_LEDGER.")
@click.option("--binding", type=click.Path(exists=True, dir_okay=False), help="The app's binding: for its look-ups.")
@click.option("--persons", type=click.File("r", encoding="utf-8"), help="A file of ids, one a line; `-` reads them.")
@click.option("--reference", help="Of which case this is: what follows carries the same.")
@click.option("--state", help="A state in which the persons are from now on.")
@click.option("--clear", is_flag=True, help="They are no longer in that state.")
@click.option("--param", "given", multiple=True, metavar="NAME=VALUE", help="A parameter of the state; repeatable.")
@click.option("--role", help="The role in which you declare, for rules that ask who does.")
def declare(
    policy: Path,
    event: str,
    home: Path | None,
    ledger: str | None,
    binding: str | None,
    persons: TextIO | None,
    reference: str | None,
    state: str | None,
    clear: bool,
    given: tuple[str, ...],
    role: str | None,
) -> int:
    """Declare EVENT of POLICY in the home of a running app: about persons, or about the site.

    Rules may refuse it: exit 5. Ids of persons are read from a file, so that no list of processes shows them.
    """
    ids = () if persons is None else tuple(dict.fromkeys(line.strip() for line in persons if line.strip()))
    place = Path(home or os.environ.get(HOME_VARIABLE) or DEFAULT_HOME)
    if not (place / "keys").is_dir():
        raise click.UsageError(f"{place} is no home of an app; name it with --home")
    done = 0
    runtime = Runtime(policy=policy, binding=binding, home=place, ledger=ledger)
    try:
        for part in [ids[n : n + MOST] for n in range(0, len(ids), MOST)] or [()]:
            what = Declaration(
                event=event, persons=part, reference=reference, state=state, to="clear" if clear else "set",
                params=_params(given),
            )  # fmt: skip
            site = runtime.first
            asyncio.run(Declaring(runtime, site, outside(site, runtime.clock(), role)).declare(what))
            done += len(part)
    except EventRefused as refused:
        before = f"; about {done} it was declared before" if done else ""
        click.echo(f"refused by {', '.join(refused.rules)} ({', '.join(refused.clauses)}){before}", err=True)
        return DENIED
    except DeclarationError as wrong:
        raise click.UsageError(str(wrong)) from None
    finally:
        runtime.close()
    click.echo(f"{event}: declared" + (f" about {done}" if done else ""))
    return OK


def _params(given: tuple[str, ...]) -> Params:
    pairs = [one.partition("=") for one in given]
    if not all(equals and name for name, equals, _ in pairs):
        raise click.UsageError("a parameter is NAME=VALUE")
    return tuple(sorted((name, value) for name, _, value in pairs))
