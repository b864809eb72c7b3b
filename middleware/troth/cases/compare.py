"""The reference interpreter judges what the middleware saw; a difference fails the case, whatever it expects.

Not denied: the findings are equal. Denied: both deny, and the rules that denied on the wire are among those of the
reference. A part that could not be taken out, such as a segment of the path, denies on the wire
only; so does a rule on fields or records of a body that could not be read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from troth.cases.stage import Judged
from troth.engines import reference
from troth.model.binding import Binding
from troth.model.facts import ABSENT, PENDING, Exchange, Missing, Page
from troth.model.findings import Denial, Finding, Judgement
from troth.model.policy import Policy
from troth.model.words import RESTRICTING, Carrier, Phase, Thing
from troth.runtime.site import asks_marks


def whole(x: Exchange) -> Exchange:
    """Return what was seen of an exchange as all that there is: what never came is absent."""
    return replace(
        x,
        phase=Phase.END,
        actor=ABSENT if x.actor is PENDING else x.actor,
        actor_before=ABSENT if x.actor_before is PENDING else x.actor_before,
        subject=None if x.subject is PENDING else x.subject,
        body_pending=False,
        records_open=False,
        response_pending=False,
    )


def readable(policy: Policy, x: Exchange) -> Policy:
    """Return the policy without the rules that ask for marks of a page whose text nobody read."""
    if x.page is None or not isinstance(x.page.shows, Missing) or x.page.shows is not PENDING:
        return policy
    return replace(policy, rules=tuple(rule for rule in policy.rules if not asks_marks(rule)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What the reference found for the same exchange, and how that differs, a sentence each."""

    exchange: Exchange
    findings: tuple[Finding, ...]
    differences: tuple[str, ...]


def compare(judged: Judged, policy: Policy, binding: Binding) -> Compared:
    """Have the reference judge what was seen."""
    x = whole(judged.exchange)
    policy = readable(policy, x)
    x = x if x.page is None or x.page.shows is not PENDING else replace(x, page=Page(shows=ABSENT))
    found = reference.judge(policy, binding, x)
    if judged.denial is not None:
        said = _denied_otherwise(judged.denial, found, x)
    elif found.denial is not None:
        said = (f"the reference denies: {_named(found.denial.findings)}",)
    else:
        rules = {rule.id for rule in policy.rules}
        mine = sorted(finding for finding in map(_plain, judged.findings) if finding.rule in rules)
        said = _unequal(mine, sorted(map(_plain, found.findings)))
    return Compared(exchange=x, findings=found.findings, differences=said)


def _denied_otherwise(denial: Denial, found: Judgement, x: Exchange) -> tuple[str, ...]:
    """Say which rules denied on the wire and not for the reference. A body that could not be read no rule denied."""
    theirs = {finding.rule for finding in found.denial.findings} if found.denial is not None else set()
    theirs |= {finding.rule for finding in found.findings if _cannot_be_cut(finding, x)}
    beyond = [finding for finding in denial.findings if finding.rule not in theirs and not _saw_nothing(finding, x)]
    return (f"the reference does not deny by: {_named(beyond)}",) if beyond else ()


def _plain(finding: Finding) -> Finding:
    return replace(finding, item=-1 if finding.item is None else finding.item, status=finding.status or 0)


def _cannot_be_cut(finding: Finding, x: Exchange) -> bool:
    if finding.thing is not Thing.FIELD or finding.item is None or finding.action not in RESTRICTING:
        return False
    return x.fields[finding.item].carrier is Carrier.PATH


def _saw_nothing(finding: Finding, x: Exchange) -> bool:
    """Whether a rule on parts denied because a body could not be read: the reference is given no part to judge."""
    if finding.thing not in (Thing.FIELD, Thing.RECORD):
        return False
    return finding.item is None and (x.request_unreadable or x.response_unreadable)


def _unequal(mine: list[Finding], theirs: list[Finding]) -> tuple[str, ...]:
    more = [finding for finding in mine if finding not in theirs]
    less = [finding for finding in theirs if finding not in mine]
    said = [f"the reference does not find: {_named([one])}" for one in more]
    said += [f"only the reference finds: {_named([one])}" for one in less]
    if not said and len(mine) != len(theirs):
        said.append("a finding was reported more than once")
    return tuple(said)


def _named(findings: Iterable[Finding]) -> str:
    return "; ".join(
        f"{finding.action} {finding.thing}"
        f"{'' if finding.item in (None, -1) else f' {finding.item}'} by {finding.rule}{' (dry)' if finding.dry else ''}"
        for finding in findings
    )
