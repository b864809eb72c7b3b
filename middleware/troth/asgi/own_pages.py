"""What the own routes show, and forms that lead to them: the policy text with its anchors, GPC, one-button choices."""

from __future__ import annotations

import html
import re
from datetime import date
from itertools import groupby
from typing import Any, Final

from troth.errors import ConsentError
from troth.model.policy import Policy, Signal, SignalRule
from troth.runtime.runtime import PREFIX

_LABELS: Final = {"accept": "Accept", "refuse": "Decline", "withdraw": "Withdraw"}
_WORDS: Final = re.compile(r"[^\w]+")


def policy_page(policy: Policy, version: str) -> bytes:
    """Render the policy text as HTML: version, headings, an anchor for each clause under its id."""
    name = html.escape(policy.identity.controller or policy.identity.id)
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Privacy policy of {name}</title></head>'
        f'<body><h1>Privacy policy of {name}</h1><p id="version">Version {html.escape(version)}</p>'
    ]
    for heading, clauses in groupby(policy.clauses, key=lambda clause: clause.heading):
        if heading:
            parts.append(f'<h2 id="{_slug(heading)}">{html.escape(heading)}</h2>')
        for clause in clauses:
            anchor = html.escape(clause.id, quote=True)
            parts.append(f'<p id="{anchor}"><a href="#{anchor}">{anchor}</a> {html.escape(clause.text)}</p>')
    return "".join([*parts, "</body></html>"]).encode()


def policy_markdown(policy: Policy, version: str) -> bytes:
    """Return the policy text as Markdown: its own where there is one, an anchor before each clause's heading."""
    ids = "|".join(re.escape(clause.id) for clause in policy.clauses)
    text = policy.text
    if ids:
        text = re.sub(rf"(?m)^(#+[ \t]+)({ids})[ \t]*$", r'<a id="\2"></a>\n\n\1\2', text)
    return f"<!-- {policy.identity.id}, version {version} -->\n\n{text}".encode()


def gpc_statement(policy: Policy, today: date) -> dict[str, Any]:
    """Return the members of ``gpc.json``: whether every consent of a device yields to the signal, and since when."""
    rows = [row for row in policy.consents.values() if "device" in row.holders]
    honoured = all(row.signals.get(Signal.GPC, SignalRule.NEVER) is not SignalRule.NEVER for row in rows)
    dates = [version.updated or version.effective for version in policy.versions]
    known = [one for one in dates if one is not None and one <= today]
    return {"gpc": honoured, "lastUpdate": max(known, default=date(1970, 1, 1)).isoformat()}


def _slug(heading: str) -> str:
    return html.escape(_WORDS.sub("-", heading.lower()).strip("-"), quote=True)


class Html(str):
    """Markup that a template may take over as it is; Jinja and Markupsafe ask for `__html__`."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


def choice_form(act: str, *consents: str, label: str | None = None, return_to: str = "/", root_path: str = "") -> Html:
    """Return the HTML of a form with one button that makes a choice on the own route `act`.

    Raises ConsentError for an `act` other than ``accept``, ``refuse`` and ``withdraw``.
    """
    if act not in _LABELS:
        raise ConsentError(f"a form is for one of: {', '.join(_LABELS)}")
    hidden = [("return_to", return_to), *(("consents", name) for name in consents)]
    inputs = "".join(f'<input type="hidden" name="{name}" value="{html.escape(value)}">' for name, value in hidden)
    action = html.escape(f"{root_path}{PREFIX}/{act}")
    text = html.escape(_LABELS[act] if label is None else label)
    return Html(f'<form method="post" action="{action}">{inputs}<button type="submit">{text}</button></form>')
