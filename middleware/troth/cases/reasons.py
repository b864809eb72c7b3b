"""Reasons: what the engines found, told with what it was about, and held against what a case expects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from troth.cases.values import ReasonWanted
from troth.engines.embedded.views import CookieView, ElementView, View
from troth.model.facts import Exchange, Missing
from troth.model.findings import Finding
from troth.model.words import Action, Thing
from troth.plan.tables import Tables

SILENT: Final = frozenset({Action.KEPT, Action.OPENED})
"""Actions that say a rule let something through: no reason against anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One finding and what it was about. `n` counts things where only a line tells of them."""

    rule: str
    clauses: tuple[str, ...]
    thing: str
    action: str
    dry: bool = False
    item: int | None = None
    categories: frozenset[str] = frozenset()
    purposes: frozenset[str] = frozenset()
    party: str = ""
    n: int = 1

    def __str__(self) -> str:
        about = ", ".join(sorted(self.categories))
        would = "would " if self.dry else ""
        cited = ", ".join(self.clauses)
        return f"{would}{self.action} {self.thing}{f' [{about}]' if about else ''} by {self.rule} ({cited})"


def told(x: Exchange, findings: Iterable[Finding], tables: Tables) -> tuple[Reason, ...]:
    """Return findings as reasons, each with the categories and purposes of its thing."""
    return tuple(_told(x, finding, tables) for finding in findings)


def _told(x: Exchange, finding: Finding, tables: Tables) -> Reason:
    categories, purposes = _about(x, finding, tables)
    return Reason(
        rule=finding.rule, clauses=finding.clauses, thing=finding.thing.value, action=finding.action.value,
        dry=finding.dry, item=finding.item, categories=categories, purposes=purposes, party=x.party,
    )  # fmt: skip


def _about(x: Exchange, finding: Finding, tables: Tables) -> tuple[frozenset[str], frozenset[str]]:
    own = frozenset({x.purpose})
    item = finding.item
    match finding.thing:
        case Thing.COOKIE if item is not None:
            return _data(x.cookies[item].data), _purposes(CookieView(tables, x, x.cookies[item]))
        case Thing.ELEMENT if item is not None:
            return x.elements[item].data, _purposes(ElementView(tables, x, x.elements[item]))
        case Thing.FIELD if item is not None:
            return frozenset({x.fields[item].category}), own
        case Thing.RECORD if item is not None:
            return x.records[item].data, own
        case Thing.EXCHANGE:
            return frozenset(field.category for field in x.fields), own
        case _:
            return frozenset(), own


def _data(data: frozenset[str] | Missing) -> frozenset[str]:
    return frozenset() if isinstance(data, Missing) else data


def _purposes(view: View) -> frozenset[str]:
    return view.purposes() or frozenset({"undeclared"})


def of_line(line: Mapping[str, Any]) -> tuple[Reason, ...]:
    """Return the reasons that a line of the trail holds; an alert of no rule is none."""
    return tuple(
        Reason(
            rule=why["rule"], clauses=tuple(why["clause"]), thing=why["thing"], action=why.get("would", why["action"]),
            dry="would" in why, categories=frozenset(why.get("what", ())),
            purposes=frozenset({line["purpose"]} if "purpose" in line else ()), party=line.get("party", ""), n=why["n"],
        )
        for why in line.get("why", ())
        if "rule" in why
    )  # fmt: skip


def counted(reasons: Iterable[Reason]) -> dict[tuple[object, ...], int]:
    """Count reasons as lines do, to hold one against the other."""
    counts: dict[tuple[object, ...], int] = {}
    for one in reasons:
        key = (one.rule, one.clauses, one.thing, one.action, one.dry)
        counts[key] = counts.get(key, 0) + one.n
    return counts


# expected --------------------------------------------------------------------------------------------------------


def fits(wanted: ReasonWanted, reason: Reason) -> bool:
    """Whether a reason is one that is wanted, its number aside. A name alone is that of a clause or a rule."""
    clauses = {*reason.clauses, reason.rule}
    return (
        (not wanted.clause or all(one in clauses for one in wanted.clause))
        and wanted.rule in (None, reason.rule)
        and wanted.action in (None, reason.action)
        and wanted.thing in (None, reason.thing)
        and (wanted.category is None or wanted.category in reason.categories)
        and (wanted.purpose is None or wanted.purpose in reason.purposes)
        and wanted.party in (None, reason.party)
        and wanted.dry in (None, reason.dry)
    )


def number(reasons: Iterable[Reason]) -> int:
    """Return how many things reasons are about."""
    named, unnamed = set(), 0
    for one in reasons:
        if one.item is None:
            unnamed = max(unnamed, one.n)
        else:
            named.add((one.thing, one.item))
    return len(named) or unnamed


def speaks(reason: Reason) -> bool:
    """Whether a reason says that something was done, or would have been."""
    return reason.action not in SILENT
