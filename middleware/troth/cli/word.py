"""`troth word`: the page of one word of the rule language, as it ships with the package."""

from __future__ import annotations

from pathlib import Path

import click

import troth
from troth.cli.exits import OK
from troth.model.words import DECLARED, NONE, OPEN, OWN, UNDECLARED, reference
from troth.rules.reader import did_you_mean

DOCS = Path(troth.__file__).parent / "docs"
_VALUES = frozenset({NONE, OWN, DECLARED, UNDECLARED, OPEN})
"""Values that share a page; `any` is a combinator too, and has its own."""


@click.command()
@click.argument("name", required=False)
def word(name: str | None) -> int:
    """Show what the word NAME of the rule language means, with examples; without NAME the list of all words."""
    click.echo(page_of(name).read_text("utf-8") if name else (DOCS / "words.md").read_text("utf-8"), nl=False)
    return OK


def page_of(name: str) -> Path:
    """Return the page of a word, a reference (``of-purpose``) or a value (``undeclared``). Raises UsageError."""
    pages = {path.stem: path for path in (DOCS / "words").glob("*.md")}
    shared = "of-x" if reference(name) else "values" if name in _VALUES else name
    if shared not in pages:
        advice = did_you_mean(name, pages) or "`troth word` lists them all"
        raise click.UsageError(f"the rule language has no word `{name}`; {advice}")
    return pages[shared]
