"""The coverage as a page for people who do not use a terminal: each clause, its text, and what stands behind it.

One file that asks nobody for anything: no script, no font, no image from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Final

from troth.model.policy import Policy
from troth.rules.coverage import ClauseCoverage, Coverage
from troth.rules.english import sentences

_STYLE: Final = """\
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1b1b1b }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid #d0d0d0 }
.state { white-space: nowrap; font-weight: 600 }
.enforced { color: #0a5c2b } .observed { color: #14508c } .attested { color: #5a3e8c } .none { color: #555 }
.open { color: #a11212 }
"""


def as_html(covered: Iterable[tuple[Policy, Coverage]]) -> str:
    """Return a whole page, a table for each policy."""
    parts = "\n".join("\n".join(_policy(policy, one)) for policy, one in covered)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Coverage</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n{parts}\n</body>\n</html>"
    )


def _policy(policy: Policy, covered: Coverage) -> Iterator[str]:
    says = {rule.id: " ".join(sentences(rule)) for rule in policy.rules}
    texts = {clause.id: clause.text for clause in policy.clauses}
    counts = ", ".join(f"{count} {state}" for state, count in covered.counts().items())
    yield f"<h1>{escape(covered.policy)}</h1>"
    yield f"<p>{len(covered.clauses)} clauses: {counts}{'' if covered.by_cases else '; no case was run'}</p>"
    yield "<table>"
    yield "<thead><tr><th>Clause</th><th>State</th><th>Text</th><th>What stands behind it</th></tr></thead>"
    yield "<tbody>"
    yield from (_row(one, texts.get(one.id, ""), says) for one in covered.clauses)
    yield "</tbody>"
    yield "</table>"


def _row(one: ClauseCoverage, text: str, says: Mapping[str, str]) -> str:
    behind = "".join(_rule(rule, says.get(rule, "")) for rule in one.rules) or escape(one.reason or "")
    rest = f"<br>waits for {escape(one.remainder)}" if one.remainder else ""
    return (
        f'<tr><td>{escape(one.id)}</td><td class="state {one.state}">{one.state}</td>'
        f"<td>{escape(text)}</td><td>{behind}{rest}</td></tr>"
    )


def _rule(name: str, says: str) -> str:
    """Return a rule that unfolds to what it says in English."""
    return f"<details><summary><code>{escape(name)}</code></summary>{escape(says)}</details>"
