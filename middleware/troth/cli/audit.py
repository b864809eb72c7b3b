"""`troth audit`: reading the trail, and putting it to the test."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from troth.audit.show import Filter, as_json, as_table, read_trail
from troth.audit.verify import verify as check
from troth.cli.check import FILE
from troth.cli.exits import OK

_KEY_BYTES = 32
_PLACE = click.Path(exists=True, file_okay=False, path_type=Path)


def instant(_: click.Context, __: click.Parameter, value: str | None) -> datetime | None:
    """Read an instant or a day, as ISO 8601 writes them; a day is its beginning, what names no offset is UTC."""
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter("an instant is wanted: 2026-11-22, or 2026-11-22T12:00:00Z") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@click.group()
def audit() -> None:
    """Read the trail of a home, or put it to the test."""


@audit.command()
@click.argument("place", metavar="HOME_OR_TRAIL", type=_PLACE)
@click.option("--kind", help="Only lines of this kind: exchange, consent, …")
@click.option("--rule", help="Only lines with a reason of this rule.")
@click.option("--clause", help="Only lines with a reason of this clause.")
@click.option("--action", help="Only lines with a reason that took this action, or would have: withhold, deny, …")
@click.option("--subject", help="Only lines about this pseudonym.")
@click.option("--purpose", help="Only lines of this purpose, or `undeclared`.")
@click.option("--party", help="Only lines of this party, or `undeclared`.")
@click.option("--category", help="Only lines in which data of this category were seen.")
@click.option("--route", help="Only lines of this route: `/orders/{id}` or `GET /orders/{id}`.")
@click.option("--stream", help="Only lines of the stream whose id begins so.")
@click.option(
    "--since",
    callback=instant,
    metavar="INSTANT",
    help="Only lines from this instant or day on; without an offset in UTC.",
)
@click.option("--until", callback=instant, metavar="INSTANT", help="Only lines before this instant or day.")
@click.option("--last", type=click.IntRange(min=1), help="Only so many lines, the last ones.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def show(place: Path, last: int | None, form: str, **wanted: Any) -> int:
    """Show the lines of a trail in order of time. Nothing is verified here."""
    read = read_trail(trail_of(place), Filter(**wanted))
    lines = read.lines[-last:] if last is not None else read.lines
    click.echo(as_json(lines) if form == "json" else as_table(lines), nl=False)
    if read.unreadable:
        click.echo(f"{read.unreadable} lines could not be read: `troth audit verify` says more", err=True)
    return OK


@audit.command()
@click.argument("place", metavar="HOME_OR_TRAIL", type=_PLACE)
@click.option("--key", "keys", type=FILE, multiple=True, help="A public key; else those in the home's keys/ are taken.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def verify(place: Path, keys: tuple[Path, ...], form: str) -> int:
    """Verify a trail: 0 sound, 6 changed, cut or missing, 7 not wholly anchored or with a declared gap.

    Keys that lie beside the trail prove only that nobody changed it who could not change them too: keep a copy
    elsewhere and name it with --key.
    """
    trail = trail_of(place)
    files = keys or tuple(sorted((trail.parent / "keys").glob("trail.pub*")))
    if not files:
        raise click.UsageError(f"no public key lies in {trail.parent / 'keys'}; name one with --key")
    report = check(trail, *map(public_key, files))
    text = json.dumps(report.as_json(), ensure_ascii=False, indent=2) + "\n" if form == "json" else report.text()
    click.echo(text, nl=False)
    return report.exit_code


def trail_of(place: Path) -> Path:
    """Return the trail of a home, or the folder itself where it is a trail."""
    return place / "trail" if (place / "trail").is_dir() else place


def public_key(path: Path) -> bytes:
    """Read a public key: 32 bytes in hex or base64url. Raises UsageError for anything else."""
    text = path.read_text("ascii", "replace").strip()
    for decode in (bytes.fromhex, _base64):
        try:
            key = decode(text)
        except (ValueError, binascii.Error):
            continue
        if len(key) == _KEY_BYTES:
            return key
    raise click.UsageError(f"{path} holds no public key: 32 bytes in hex or base64url are wanted")


def _base64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
