"""References (``of-X``) and the facts that are compared with names (`docs/judging.md` sections 3 and 5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from troth.engines.reference import people, truth
from troth.engines.reference.truth import Value
from troth.engines.reference.view import (
    View,
    basis,
    covers,
    data,
    parties,
    purposes,
    stands_on,
)
from troth.model.facts import Cookie, Direction, Element, Event, Missing
from troth.model.rules import Names
from troth.model.words import ANY, DECLARED, NONE, OWN, UNDECLARED, Carrier, Thing, Word, reference


class Nothing(Enum):
    """Why a reference brings no value."""

    NOTHING = "nothing"
    UNDECLARED = "undeclared"


NOTHING: Final = Nothing.NOTHING
NOT_DECLARED: Final = Nothing.UNDECLARED

Referred = tuple[str, ...] | Nothing


@dataclass(frozen=True, slots=True)
class Place:
    """Where an atom stands: in `match` or in a way out, and whether an undeclared thing meets it there."""

    in_match: bool
    undeclared_holds: bool


PARTY_WORDS: Final = frozenset({Word.PARTY, Word.ROLE, Word.COUNTRY})
PURPOSE_WORDS: Final = frozenset({Word.PURPOSE, Word.BASIS})


# --- references ----------------------------------------------------------------------------------------------------


def referred(view: View, name: str) -> Referred:
    """Return what ``of-<name>`` brings for this thing; never an empty tuple."""
    match name:
        case "purpose" | "basis":
            return _of_purposes(view, name)
        case "party" | "country":
            return _of_parties(view, name)
        case "data":
            return tuple(sorted(data(view))) or NOTHING
        case "route":
            return _tags(view) or NOTHING
        case "version":
            return _version(view)
        case "actor":
            return people.classes_of(view)
        case _:
            value = view.exchange.bound.get(name)
            return NOTHING if value is None else (value,)


def _of_purposes(view: View, name: str) -> Referred:
    found = purposes(view)
    if found is None:
        return NOT_DECLARED
    if name == "basis":
        return tuple(dict.fromkeys(one for purpose in found if (one := basis(view, purpose)))) or NOTHING
    return tuple(purpose for purpose in found if purpose != NONE) or NOTHING


def _of_parties(view: View, name: str) -> Referred:
    found = parties(view)
    if found == (UNDECLARED,):
        return NOT_DECLARED
    if name == "party":
        return NOTHING if found == (OWN,) else found
    countries = [_country(view, party) for party in found]
    known = tuple(dict.fromkeys(country for country in countries if country is not None))
    return NOTHING if None in countries else known or NOTHING


def _country(view: View, party: str) -> str | None:
    return view.exchange.serving if party == OWN else view.policy.parties[party].country


def _version(view: View) -> Referred:
    event = view.part
    if isinstance(event, Event) and event.name == "policy-activated":
        return (view.exchange.coming,) if view.exchange.coming else NOTHING
    return (view.exchange.version,) if view.exchange.version else NOTHING


def _tags(view: View) -> tuple[str, ...]:
    route, own = view.exchange.route, view.exchange.own_route
    return (*(route.tags if route else ()), *((own,) if own else ()))


# --- atoms that an undeclared thing answers in its own way (section 3) -----------------------------------------------


def literal(view: View, asked: Names, place: Place, negated: bool) -> Value:
    """Return the value of an atom of names with the `not` that stands before it."""
    if asked.word in PARTY_WORDS:
        each = [_party_literal(view, asked, place, negated, party) for party in parties(view)]
        return truth.any_of(each) if place.in_match else truth.all_of(each)
    if asked.word in PURPOSE_WORDS:
        found = purposes(view)
        values = [_purpose_name(view, asked.word, name, place, found, negated) for name in asked.names]
        return _joined(values, negated)
    return _signed(names_value(view, asked), negated)


def _joined(values: list[Value], negated: bool) -> Value:
    return truth.all_of(values) if negated else truth.any_of(values)


def _signed(value: Value, negated: bool) -> Value:
    return truth.negation(value) if negated else value


def _purpose_name(
    view: View, word: Word, name: str, place: Place, found: tuple[str, ...] | None, negated: bool
) -> Value:
    if name in (DECLARED, UNDECLARED):
        return _signed(truth.known((found is not None) == (name == DECLARED)), negated)
    if found is None:
        return truth.known(place.undeclared_holds)
    return _signed(_purpose_plain(view, word, name, found), negated)


def _purpose_plain(view: View, word: Word, name: str, found: tuple[str, ...]) -> Value:
    own = [purpose for purpose in found if purpose != NONE]
    values = own if word is Word.PURPOSE else [one for purpose in own if (one := basis(view, purpose))]
    if name == ANY:
        return truth.known(bool(values))
    if name == NONE:
        return truth.known(not values)
    return _is_named(view, name, values)


def _party_literal(view: View, asked: Names, place: Place, negated: bool, party: str) -> Value:
    return _joined([_party_name(view, asked.word, name, place, party, negated) for name in asked.names], negated)


def _party_name(view: View, word: Word, name: str, place: Place, party: str, negated: bool) -> Value:
    if name in (DECLARED, UNDECLARED):
        asked = _has_row(word, party) if name == DECLARED else party == UNDECLARED
        return _signed(truth.known(asked), negated)
    if word is Word.PARTY and name == ANY:
        return _signed(truth.known(party != OWN), negated)
    if party == UNDECLARED:
        return truth.known(place.undeclared_holds)
    plain = {Word.PARTY: _party_plain, Word.ROLE: _role_plain, Word.COUNTRY: _country_plain}[word]
    return _signed(plain(view, name, party), negated)


def _has_row(word: Word, party: str) -> bool:
    # `party: declared` asks for a row; a role or country is declared wherever it is not undeclared.
    return party != UNDECLARED and not (word is Word.PARTY and party == OWN)


def _party_plain(view: View, name: str, party: str) -> Value:
    if name in (NONE, OWN):
        return truth.known(party == OWN)
    return _is_named(view, name, [party] if party != OWN else [])


def _role_plain(view: View, name: str, party: str) -> Value:
    roles = () if party == OWN else view.policy.parties[party].roles
    if name in (ANY, NONE):
        return truth.known(bool(roles) == (name == ANY))
    return _is_named(view, name, roles)


def _country_plain(view: View, name: str, party: str) -> Value:
    country = _country(view, party)
    if country is None:
        return truth.ABSENT
    return _place_named(view, name, country)


def _place_named(view: View, name: str, found: str) -> Value:
    if name in (ANY, NONE):
        return truth.known(name == ANY)
    return _is_named(view, name, [found, *(area for area, members in view.policy.areas.items() if found in members)])


def _is_named(view: View, name: str, values: list[str] | tuple[str, ...]) -> Value:
    """Compare values with a name; a name that the binding should bring and did not is absent."""
    target = reference(name)
    if target is None:
        return truth.known(name in values)
    found = referred(view, target)
    if isinstance(found, Nothing):
        return truth.ABSENT if _is_bound(target) else truth.FALSE
    return truth.known(any(one in values for one in found))


def _is_bound(target: str) -> bool:
    return target not in {"purpose", "basis", "party", "country", "data", "actor", "route", "version"}


# --- all other names -------------------------------------------------------------------------------------------------


def names_value(view: View, asked: Names) -> Value:
    """Return the value of an atom of names that is not about purpose or party."""
    match asked.word:
        case Word.DATA:
            return _data_value(view, asked)
        case Word.COMPLETE:
            return _complete_value(view, asked)
        case Word.SHOWS:
            return _shows_value(view, asked)
        case Word.REGION:
            return truth.any_of(_region_name(view, name) for name in asked.names)
        case Word.CARRIER:
            return truth.any_of(truth.known(stands_on(view, name)) for name in asked.names)
        case _:
            values = _values(view, asked.word)
            return truth.any_of(_plain_name(view, name, values) for name in asked.names)


def _region_name(view: View, name: str) -> Value:
    region = view.exchange.region
    if name in (DECLARED, UNDECLARED):
        return truth.known((region is not None) == (name == DECLARED))
    return truth.ABSENT if region is None else _place_named(view, name, region)


def _values(view: View, word: Word) -> tuple[str, ...]:
    exchange, part = view.exchange, view.part
    match word:
        case Word.ROUTE:
            return _tags(view)
        case Word.ORIGIN:
            has_origin = view.thing in (Thing.EXCHANGE, Thing.FIELD, Thing.RECORD)
            return exchange.route.reads if exchange.route and has_origin else ()
        case Word.ASKED:
            return tuple(exchange.asked) if view.thing in (Thing.COOKIE, Thing.EVENT, Thing.EXCHANGE) else ()
        case Word.KIND:
            return (part.kind,) if isinstance(part, Element) else ()
        case Word.EVENT:
            return (part.name,) if isinstance(part, Event) else ()
        case _:
            raise AssertionError(word)


def _plain_name(view: View, name: str, values: tuple[str, ...]) -> Value:
    if name in (ANY, NONE):
        return truth.known(bool(values) == (name == ANY))
    return _is_named(view, name, values)


def asked_value(view: View, asked: Names) -> Value:
    """Return whether the user's own act is one of these; a cookie that came in was asked for before."""
    part = view.part
    if isinstance(part, Cookie) and (part.direction is Direction.REQUEST or part.came_in):
        return truth.TRUE
    return names_value(view, asked)


def _shows_value(view: View, asked: Names) -> Value:
    if isinstance(view.part, Element):
        return truth.known(set(asked.names) <= view.part.shows)
    page = view.exchange.page
    if page is None or page.shows is Missing.ABSENT:
        return truth.ABSENT
    if isinstance(page.shows, Missing):
        return truth.UNREADABLE
    return truth.known(set(asked.names) <= page.shows)


# --- data ----------------------------------------------------------------------------------------------------------

_REQUEST_BODY: Final = frozenset({Carrier.REQUEST, Carrier.FORM, Carrier.JSON, Carrier.MULTIPART})
_RESPONSE_BODY: Final = frozenset({Carrier.RESPONSE, Carrier.JSON, Carrier.HTML})


def _data_value(view: View, asked: Names) -> Value:
    found = data(view, asked.carriers)
    value = truth.any_of(_data_name(view, name, found) for name in asked.names)
    return value if value.certain or not _unreadable(view, asked.carriers) else truth.UNREADABLE


def _unreadable(view: View, carriers: tuple[str, ...]) -> bool:
    if view.thing not in (Thing.EXCHANGE, Thing.PAGE, Thing.EVENT):
        return False
    exchange = view.exchange
    request = exchange.request_unreadable and (not carriers or bool(_REQUEST_BODY & set(carriers)))
    response = exchange.response_unreadable and (not carriers or bool(_RESPONSE_BODY & set(carriers)))
    return request or response


def _data_name(view: View, name: str, found: frozenset[str]) -> Value:
    match name:
        case "any" | "none":
            return truth.known(bool(found) == (name == ANY))
        case "undeclared":
            return truth.known(UNDECLARED in found)
        case "declared":
            return truth.known(bool(found - {UNDECLARED}))
        case "of-purpose":
            return truth.known(_in_every_row(view, found))
        case "of-party":
            return truth.known(any(_in_row(view, row, found) for row in _party_rows(view)))
        case _:
            return _data_named(view, name, found)


def _data_named(view: View, name: str, found: frozenset[str]) -> Value:
    target = reference(name)
    wanted: Referred = (name,) if target is None else referred(view, target)
    if isinstance(wanted, Nothing):
        return truth.ABSENT if _is_bound(target or "") else truth.FALSE
    return truth.known(_in_row(view, wanted, found))


def _in_row(view: View, row: tuple[str, ...], found: frozenset[str]) -> bool:
    return any(covers(view.policy, name, category) for name in row for category in found)


def _in_every_row(view: View, found: frozenset[str]) -> bool:
    rows = _purpose_rows(view)
    return bool(rows) and all(_in_row(view, row, found) for row in rows)


def _purpose_rows(view: View) -> list[tuple[str, ...]]:
    named = purposes(view)
    if named is None or named == (NONE,):
        return []
    return [view.policy.purposes[purpose].data for purpose in named]


def _party_rows(view: View) -> list[tuple[str, ...]]:
    return [view.policy.parties[party].data for party in parties(view) if party in view.policy.parties]


def _complete_value(view: View, asked: Names) -> Value:
    if view.thing not in (Thing.EXCHANGE, Thing.RECORD):
        return truth.FALSE
    found = data(view, asked.carriers)
    value = truth.all_of(_complete_name(view, name, found) for name in asked.names)
    return value if value.certain or not _unreadable(view, asked.carriers) else truth.UNREADABLE


def _complete_name(view: View, name: str, found: frozenset[str]) -> Value:
    target = reference(name)
    if target in ("purpose", "party"):
        rows = _purpose_rows(view) if target == "purpose" else _party_rows(view)
        return truth.known(bool(rows) and all(_in_row(view, (one,), found) for row in rows for one in row))
    wanted: Referred = (name,) if target is None else referred(view, target)
    if isinstance(wanted, Nothing):
        return truth.ABSENT if _is_bound(target or "") else truth.FALSE
    return truth.known(all(_in_row(view, (one,), found) for one in wanted))
