"""`troth explain`: which rules matched, acted, rested or opened for one exchange, and why."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import click

from troth.cases import Case, CaseFile, Outcome, load_cases_text
from troth.cases.bench import Bench
from troth.cases.explain import Story
from troth.cases.explain import explain as tell
from troth.cases.folder import case_paths
from troth.cases.run import run_case
from troth.cli.check import FILE, FOLDER
from troth.cli.exits import DENIED, INVALID, OK
from troth.cli.test import load_all
from troth.diagnostics import render
from troth.rules.load import load_binding, load_policy


@click.command()
@click.argument("policy", type=FOLDER)
@click.option("--cases", "named", metavar="FILE#ID", help="A case by its file and id; `#ID` for the folder's own.")
@click.option("--request", metavar='"GET https://…"', help="A request in place of a case.")
@click.option("--binding", type=FILE, help="The binding for --request, or for a file that brings none.")
@click.option("--header", "headers", multiple=True, metavar="NAME:VALUE", help="With --request; may be repeated.")
@click.option("--cookie", "cookies", multiple=True, metavar="NAME=VALUE", help="With --request; may be repeated.")
@click.option("--json", "body", metavar="TEXT", help="With --request: a JSON body.")
@click.option(
    "--consent", "consents", multiple=True, metavar="NAME=STATE", help="What the device chose: granted, declined."
)
@click.option("--signal", "signals", multiple=True, type=click.Choice(["gpc", "dnt"]), help="What the browser signals.")
@click.option("--actor", metavar="ID", help="Who asks.")
@click.option("--all", "whole", is_flag=True, help="Show also the rules that do not match.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--exit-code", "exits", is_flag=True, help="Exit 5 if the exchange is denied.")
def explain(
    policy: Path, named: str | None, request: str | None, binding: Path | None, headers: tuple[str, ...],
    cookies: tuple[str, ...], body: str | None, consents: tuple[str, ...], signals: tuple[str, ...],
    actor: str | None, whole: bool, form: str, exits: bool,
) -> int:  # fmt: skip
    """Explain under POLICY one exchange: a case, or a request that the app answers with 200."""
    if (named is None) == (request is None):
        raise click.UsageError("give one of --cases FILE#ID and --request")
    if named is not None:
        file, case = _case(policy, named, binding)
    else:
        asked = _request(request or "", headers, cookies, body)
        given = {"signals": list(signals), "consents": {"device": dict(map(_choice, consents))}}
        file, case = _made(policy, asked, {**given, **({"actor": {"id": actor}} if actor else {})}, binding)
    if case is None:
        click.echo(render(file.diagnostics), err=True)
        return INVALID
    outcome, stories = asyncio.run(_played(file, case))
    click.echo(_json(outcome, stories) if form == "json" else _text(outcome, stories, whole=whole))
    denied = outcome.judged is not None and outcome.judged.denial is not None
    return DENIED if denied and exits else OK


def _case(policy: Path, named: str, binding: Path | None) -> tuple[CaseFile, Case | None]:
    path, _, name = named.rpartition("#")
    paths = (Path(path),) if path else case_paths(policy)
    files, found = load_all(paths, policy, binding)
    if any(one.is_error for one in found):
        return CaseFile(name=path, policy=None, binding=None, diagnostics=tuple(found)), None
    named_so = [(file, case) for file in files for case in file.cases if case.id == name]
    if not named_so:
        raise click.UsageError(f"{path or policy} has no case {name}")
    return named_so[0]


def _request(request: str, headers: tuple[str, ...], cookies: tuple[str, ...], body: str | None) -> dict[str, object]:
    method, space, url = request.partition(" ")
    asked: dict[str, object] = {"method": method if space else "GET", "url": url if space else request}
    if headers:
        asked["headers"] = list(headers)
    if cookies:
        asked["cookies"] = ["; ".join(cookies)]
    if body is not None:
        asked |= {"body": body, "headers": [*headers, "content-type: application/json"]}
    return asked


def _choice(text: str) -> tuple[str, str]:
    name, _, state = text.partition("=")
    return name, state or "granted"


def _made(
    policy: Path, asked: dict[str, object], given: dict[str, object], binding: Path | None
) -> tuple[CaseFile, Case | None]:
    """Return a file of one case, made of options; JSON is YAML, so that options are read as a case would be."""
    loaded = load_policy(policy).require()
    bound = load_binding(binding, loaded).require() if binding is not None else None
    case = {"id": "request", "given": given, "request": asked, "expect": {"no-reason": True}}
    file = load_cases_text(json.dumps({"cases": [case]}), name="<options>", policy=loaded, binding=bound)
    wrong = any(one.is_error for one in file.diagnostics)
    return file, None if wrong or not file.cases else replace(file.cases[0], answers=False)


async def _played(file: CaseFile, case: Case) -> tuple[Outcome, tuple[Story, ...]]:
    bench = Bench()
    try:
        outcome = await run_case(bench, file, case)
        site = bench.latest.site
        return outcome, tell(outcome.judged, site) if outcome.judged is not None else ()
    finally:
        bench.close()


def _verdict(outcome: Outcome) -> str:
    denial = outcome.judged.denial if outcome.judged is not None else None
    if denial is None:
        return "not denied"
    rules = ", ".join(dict.fromkeys(finding.rule for finding in denial.findings))
    return f"denied with {denial.status}{f' by {rules}' if rules else ''}"


def _text(outcome: Outcome, stories: tuple[Story, ...], *, whole: bool) -> str:
    request = outcome.case.request
    address = f"{request.url.scheme}://{request.url.host}{request.url.path}"
    shown = [str(one) for one in stories if whole or one.outcome != "rests"]
    silent = len(stories) - len(shown)
    rest = [f"{silent} more do not match (--all shows them)"] if silent else []
    return "\n".join([f"{request.method} {address}: {_verdict(outcome)}", *shown, *rest])


def _json(outcome: Outcome, stories: tuple[Story, ...]) -> str:
    denial = outcome.judged.denial if outcome.judged is not None else None
    said = {
        "case": outcome.case.id,
        "denied": denial is not None,
        "status": denial.status if denial is not None else None,
        "reasons": list(map(str, outcome.reasons)),
        "rules": [one.as_dict() for one in stories],
    }
    return json.dumps(said, ensure_ascii=False, indent=2)
