"""`troth schema`: the JSON Schema of each file, for editors."""

from __future__ import annotations

import json
from pathlib import Path

import click

from troth.cases.schema import FILES, json_schema
from troth.cli.exits import BAD_ARGUMENTS, OK


@click.command()
@click.argument("file", required=False, type=click.Choice(sorted(FILES)))
@click.option(
    "--write", "folder", metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path),
    help="Write the schemas of all files, or of FILE, into this folder.",
)  # fmt: skip
def schema(file: str | None, folder: Path | None) -> int:
    """Print the JSON Schema (draft 2020-12) of FILE, or write all of them into a folder."""
    if folder is None:
        if file is None:
            raise click.UsageError("name a file, or a folder with --write")
        click.echo(_text(file), nl=False)
        return OK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in [file] if file else sorted(FILES):
            path = folder / f"{name}.schema.json"
            path.write_text(_text(name), encoding="utf-8")
            click.echo(path)
    except OSError as error:
        click.echo(f"{folder} cannot be written: {error.strerror}", err=True)
        return BAD_ARGUMENTS
    return OK


def _text(file: str) -> str:
    return json.dumps(json_schema(file), ensure_ascii=False, indent=1) + "\n"
