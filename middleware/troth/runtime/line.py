"""One line of the trail, built as JSON members before it is due: what was seen, decided and done, and for which clause.

Nothing here is a value. Names stand only if they are declared; a name that a client chose counts, and no more. Of a
device that refused or signals no id is written, of a known child nothing but the decision.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from troth.audit.pseudonym import Pseudonyms
from troth.model.facts import Actor, Age, Direction, Exchange, Person
from troth.model.findings import Finding
from troth.model.words import NONE, OWN, UNDECLARED, Action
from troth.runtime.site import Site

_ENCODE: Final = msgspec.json.Encoder(order="deterministic").encode
_CHILD: Final = 18
MOST_SUBJECTS: Final = 20
"""A line names so many subjects; it counts them all."""

Reason = tuple[Finding, str | None, Direction | None]
"""A finding, the declared name of what it was about (None for a name that nobody declared), which way a cookie went."""


def grouped(reasons: Iterable[Reason]) -> list[dict[str, Any]]:
    """Return reasons as a line holds them: one entry per rule, thing and action, with names and a count."""
    entries: dict[tuple[object, ...], dict[str, Any]] = {}
    for finding, name, direction in reasons:
        action = finding.action.value if not finding.dry else Action.ALERT.value
        key = (finding.rule, finding.thing, finding.action, finding.dry, finding.clauses, direction)
        entry = entries.get(key)
        if entry is None:
            entry = entries[key] = {
                "rule": finding.rule,
                "clause": list(finding.clauses),
                "thing": finding.thing.value,
                "action": action,
                "n": 0,
            }
            if direction is not None:
                entry["dir"] = direction.value
            if finding.dry:
                entry["would"] = finding.action.value
        entry["n"] += 1
        if name is not None and name not in entry.setdefault("what", []):
            entry["what"].append(name)
    return list(entries.values())


def encode(members: dict[str, Any]) -> bytes:
    """Return the members of an object without its braces, as the trail takes them."""
    return _ENCODE(members)[1:-1]


def is_known_child(x: Exchange) -> bool:
    """Whether something in the exchange says that its subject or actor is a child."""
    people = (x.subject, getattr(x.actor, "person", None))
    return any(map(_of_a_child, x.ages)) or any(isinstance(one, Person) and _of_a_child(one.age) for one in people)


def _of_a_child(age: Age | None) -> bool:
    return age is not None and age.high is not None and age.high <= _CHILD


def released(
    site: Site, x: Exchange, why: list[dict[str, Any]], names: Pseudonyms, tags: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return the members that every line of an exchange has."""
    route = x.route
    line: dict[str, Any] = {
        "kind": "exchange",
        "stage": "released",
        "policy": f"{site.policy.identity.id}@{x.version}",
        "method": x.method if len(x.method) <= 16 and x.method.isalpha() else "?",
        "route": route.key if route is not None else (x.own_route or None),
        "status": x.status,
        "why": why,
    }
    if tags:
        line["pd"] = tags
    if is_known_child(x):
        line.pop("pd", None)
        return line
    if x.purpose != NONE:
        line["purpose"] = x.purpose
        row = site.policy.purposes.get(x.purpose)
        if row is not None:
            line["basis"] = row.basis
            if row.keep is not None and row.keep.period is not None:
                line["ret"] = row.keep.period.text
    if x.party not in (OWN, UNDECLARED):
        line["party"] = x.party
    elif x.party == UNDECLARED:
        line["party"] = UNDECLARED
    if x.serving:
        line["country"] = x.serving
    _people(line, x, names)
    return line


def _people(line: dict[str, Any], x: Exchange, names: Pseudonyms) -> None:
    if isinstance(x.actor, Actor):
        line["actor"] = {"type": sorted(x.actor.roles) or ["account"], "ref": names.digest("person", x.actor.person.id)}
    subjects = [x.subject] if isinstance(x.subject, Person) else []
    of_records = [record.subject for record in x.records if isinstance(record.subject, Person)]
    subjects += [one for one in of_records if not _of_a_child(one.age)]
    if subjects:
        line["subj"] = sorted({names.digest("person", one.id) for one in subjects})[:MOST_SUBJECTS]
        line["subj_n"] = len(subjects)
