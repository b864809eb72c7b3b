"""Operators about categories of data: those of a thing, of a purpose or party, all that are needed, too few to tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from troth.engines.embedded.people import Judge, counts, exchange_data, missing, refer
from troth.engines.embedded.truth import ABSENT as A
from troth.engines.embedded.truth import FALSE, OPEN, TRUE, UNREADABLE, known
from troth.engines.embedded.views import ExchangeView, RecordView, View, places_of
from troth.model.facts import Missing, Person
from troth.model.words import Carrier
from troth.plan.tables import Tables


def _seen(view: View, carriers: tuple[str, ...]) -> frozenset[str]:
    """Categories in a thing, limited to carriers."""
    if not isinstance(view, ExchangeView):
        data = view.data()
        if isinstance(data, Missing) or (carriers and not view.named("carrier") & set(carriers)):
            return frozenset()
        return data
    if not carriers:
        return exchange_data(view)
    found: set[str] = set()
    for field in view.x.fields:
        if counts(field, carriers) and places_of(field) & set(carriers):
            found.add(field.category)
    for record in view.x.records:
        if {record.carrier.value, record.direction.value} & set(carriers):
            found |= record.data
    if view.x.route and Carrier.RESPONSE in carriers:
        found |= set(view.x.route.data)
    return frozenset(found)


_REQUEST_BODY = frozenset(("request", "form", "json", "multipart"))
_RESPONSE = frozenset(("response", "json", "html"))


def _not_seen(view: View, carriers: tuple[str, ...]) -> int:
    """Return what it means that a category has not been seen: false, still open, or hidden in an unreadable body."""
    if not isinstance(view, ExchangeView):
        return missing(Missing.PENDING) if isinstance(view.data(), Missing) else FALSE
    if not view.sees_fields:
        return OPEN
    request = not carriers or bool(_REQUEST_BODY & set(carriers))
    response = not carriers or bool(_RESPONSE & set(carriers))
    if (request and view.x.body_pending) or (response and view.x.response_pending):
        return OPEN
    if (request and view.x.request_unreadable) or (response and view.x.response_unreadable):
        return UNREADABLE
    return FALSE


def _data(_tables: Tables, names: frozenset[str], carriers: tuple[str, ...]) -> Judge:
    def data(view: View) -> int:
        seen = _seen(view, carriers)
        if seen & names or ("any" in names and seen):
            return TRUE
        unseen = _not_seen(view, carriers)
        return TRUE if "none" in names and not seen and unseen != OPEN else unseen

    return data


def _data_of(tables: Tables, ref: str, carriers: tuple[str, ...]) -> Judge:
    if ref == "party":
        return _data_of_party(tables, carriers)

    def of_purpose(view: View) -> int:
        purposes = view.purposes()
        if purposes is None or "none" in purposes:
            return FALSE
        seen = _seen(view, carriers)
        if all(seen & tables.row_data[name] for name in purposes):
            return TRUE
        return _not_seen(view, carriers)

    return of_purpose if ref == "purpose" else _data_like(ref, carriers)


def _data_of_party(tables: Tables, carriers: tuple[str, ...]) -> Judge:
    def of_party(view: View) -> int:
        if not view.parties:
            return FALSE
        seen = _seen(view, carriers)
        if any(seen & tables.party_data[party.id] for party in view.parties):
            return TRUE
        return _not_seen(view, carriers)

    return of_party


def _data_like(ref: str, carriers: tuple[str, ...]) -> Judge:
    def like(view: View) -> int:
        wanted = refer(view, ref)
        if isinstance(wanted, Missing):
            return missing(wanted)
        return TRUE if wanted and _seen(view, carriers) & wanted else _not_seen(view, carriers)

    return like


def _complete(tables: Tables, wanted: tuple[Any, ...], carriers: tuple[str, ...]) -> Judge:
    def complete(view: View) -> int:
        seen = _seen(view, carriers)
        groups: list[frozenset[str]] = []
        for name in wanted:
            if isinstance(name, frozenset):
                groups.append(name)
                continue
            purposes = view.purposes()
            if purposes is None or "none" in purposes:
                return FALSE
            groups += [
                frozenset({category}) | tables.categories((category,))
                for purpose in sorted(purposes)
                for category in tables.policy.purposes[purpose].data
            ]
        return TRUE if all(group & seen for group in groups) else _not_seen(view, carriers)

    return complete


def _aggregate(tables: Tables, minimum: int) -> Judge:
    def aggregate(view: View) -> int:
        if isinstance(view, RecordView):
            record = view.item
            if record.subject is Missing.PENDING:
                return OPEN
            if isinstance(record.subject, Person) or record.subject is Missing.UNREADABLE:
                return FALSE
            if record.data & tables.personal:
                return FALSE
            return known(all(count >= minimum for count in record.counts)) if record.counts else A
        if not isinstance(view, ExchangeView):
            return FALSE
        if view.has_records:
            return OPEN
        if _seen(view, ("response",)) & tables.personal:
            return FALSE
        return OPEN if view.x.response_pending else A

    return aggregate


OPERATORS: Final[dict[str, Callable[..., Judge]]] = {
    "data": _data,
    "data-of": _data_of,
    "complete": _complete,
    "aggregate": _aggregate,
}
"""What `operators` adds to its own."""
