"""`troth init`: a policy of ten lines, rules in dry-run and a binding to begin with."""

from __future__ import annotations

from pathlib import Path

import click

from troth.cli.exits import BAD_ARGUMENTS, OK

POLICY = """\
identity: {id: my-site, hosts: [www.example.com]}
versions: [{id: 1, effective: 2026-01-01}]
data:
  email: {probe: email, strong: true, fields: [email]}
purposes:
  service: {basis: contract, data: [email]}
  analytics: {basis: consent}
cookies:
  session: {purpose: service}
  _ga*: {purpose: analytics, keep: P6M}
"""
RULES = """\
# A rule says about which thing, which of them, on what condition, else what. In dry-run nothing is edited: the trail
# says what would have been done. Drop `mode` when you agree with it.
rules:
- id: wait-for-consent
  clause: choices-1
  for: [cookie, element]
  match: {basis: consent}
  only-if: {consent: of-purpose}
  mode: dry-run
- id: stay-with-the-purpose
  clause: data-1
  for: field
  match: {data: personal-data}
  only-if: {data: of-purpose}
  mode: dry-run
"""
TEXT = """\
# Privacy policy

Replace this text with the one you publish. Each paragraph is a clause; rules cite it by its heading and its number.

## Choices

We set cookies for analytics only after you have accepted them.

## Data

We use your e-mail address only to provide the service.
"""
BINDING = """\
# What the routes, cookies and people of this app are in the words of the policy.
routes:
  'GET /': {audience: public}
  'POST /account': {purpose: service, audience: account}
presets: [starlette]
"""
FILES = {
    "policy/policy.md": TEXT,
    "policy/policy.yaml": POLICY,
    "policy/rules.yaml": RULES,
    "binding.yaml": BINDING,
}


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
def init(folder: Path) -> int:
    """Start a policy in DIR: DIR/policy/ with its files, and DIR/binding.yaml. Nothing is overwritten."""
    there = [name for name in FILES if (folder / name).exists()]
    if there:
        click.echo(f"{folder / there[0]} is already there; nothing was written", err=True)
        return BAD_ARGUMENTS
    try:
        for name, text in FILES.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            click.echo(path)
    except OSError as error:
        click.echo(f"{folder} cannot be written: {error.strerror}", err=True)
        return BAD_ARGUMENTS
    click.echo(f"next: troth check {folder / 'policy'} --binding {folder / 'binding.yaml'}", err=True)
    return OK
