"""The reference interpreter: `docs/judging.md` written down as plainly as it reads, slow and without phases.

It reads the model and nothing else, so that a mistake in the plan or in the embedded engine cannot repeat itself here.
"""

from __future__ import annotations

from troth.engines.reference.rules import findings
from troth.engines.reference.verdict import denial, protect
from troth.engines.reference.view import views
from troth.model.binding import Binding
from troth.model.facts import Exchange
from troth.model.findings import Finding, Judgement
from troth.model.policy import Policy

__all__ = ["judge"]


def judge(policy: Policy, binding: Binding, exchange: Exchange) -> Judgement:
    """Judge one complete exchange: all its facts are in, none is pending."""
    found = [
        protect((rule, view, finding))
        for rule in policy.rules
        for thing in rule.things
        for view in views(policy, binding, exchange, thing)
        for finding in findings(rule, view)
    ]
    return Judgement(findings=tuple(sorted((one for *_, one in found), key=_order)), denial=denial(exchange, found))


def _order(finding: Finding) -> tuple[str, str, int, str, bool, int, tuple[str, ...]]:
    item = -1 if finding.item is None else finding.item
    status = finding.status or 0
    return (finding.rule, finding.thing, item, finding.action, finding.dry, status, finding.clauses)
