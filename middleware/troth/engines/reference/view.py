"""One thing of one exchange as a rule looks at it (`docs/judging.md` section 4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from troth.model.binding import Binding
from troth.model.facts import (
    Actor,
    Asker,
    Cookie,
    Direction,
    Element,
    Event,
    Exchange,
    Field,
    Missing,
    Page,
    Person,
    Record,
    Subject,
)
from troth.model.policy import CookieRow, Party, Policy
from troth.model.words import NONE, OWN, UNDECLARED, Carrier, Thing

Part = Cookie | Element | Field | Record | Page | Event | None
"""What stands in the exchange's tuple; None for the exchange itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A thing with everything around it."""

    policy: Policy
    binding: Binding
    exchange: Exchange
    thing: Thing
    item: int | None = None
    part: Part = None

    @property
    def from_request(self) -> bool:
        """Whether the thing came in with the request."""
        part = self.part
        return isinstance(part, Cookie | Field | Record) and part.direction is Direction.REQUEST

    @property
    def actor(self) -> Asker:
        """Who asks, as far as this thing may know: request things are judged before the app is called."""
        return self.exchange.actor_before if self.from_request else self.exchange.actor

    @property
    def person(self) -> Subject:
        """The person behind the actor."""
        return self.actor.person if isinstance(self.actor, Actor) else self.actor

    @property
    def has_records(self) -> bool:
        """Whether it is an exchange whose route binds records."""
        route = self.exchange.route
        return self.thing is Thing.EXCHANGE and bool(route and (route.records or route.request_records))

    @property
    def varies(self) -> bool:
        """Whether facts about a subject differ from record to record (section 6)."""
        return self.has_records and self.exchange.subject is None


def views(policy: Policy, binding: Binding, exchange: Exchange, thing: Thing) -> Iterator[View]:
    """Yield every thing of this kind."""
    for item, part in _parts(exchange, thing):
        yield View(policy=policy, binding=binding, exchange=exchange, thing=thing, item=item, part=part)


def _parts(exchange: Exchange, thing: Thing) -> Iterator[tuple[int | None, Part]]:
    if thing is Thing.EXCHANGE:
        yield None, None
        return
    if thing is Thing.PAGE:
        if exchange.page is not None:
            yield None, exchange.page
        return
    lists: dict[Thing, tuple[Part, ...]] = {
        Thing.COOKIE: exchange.cookies,
        Thing.ELEMENT: exchange.elements,
        Thing.FIELD: exchange.fields,
        Thing.RECORD: exchange.records,
        Thing.EVENT: exchange.events,
    }
    yield from enumerate(lists[thing])


def subject(view: View) -> Subject:
    """Return of whom the thing is."""
    part = view.part
    match part:
        case Record():
            return _of_record(part)
        case Field(record=int(index)):
            return _of_record(view.exchange.records[index])
        case Cookie() | Element() | Page():
            return view.person
        case _:
            return view.person if view.exchange.subject is None else view.exchange.subject


def _of_record(record: Record) -> Subject:
    return Missing.ABSENT if record.subject is None else record.subject


def is_of_a_record(view: View) -> bool:
    """Whether its subject is that of a record."""
    return isinstance(view.part, Record) or (isinstance(view.part, Field) and view.part.record is not None)


# --- parties -------------------------------------------------------------------------------------------------------


def covers_host(pattern: str, host: str) -> bool:
    """Tell whether a host stands under a pattern: ``x`` is x and its subdomains, ``*.x`` the subdomains only."""
    pattern, host = pattern.lower(), host.lower()
    if pattern.startswith("*."):
        return host.endswith(pattern[1:])
    return host == pattern or host.endswith("." + pattern)


def fits(pattern: str, name: str) -> bool:
    """Compare a name with a pattern in which only ``*`` is special."""
    return fnmatchcase(name, pattern.replace("[", "[[]").replace("?", "[?]"))


def parties(view: View) -> tuple[str, ...]:
    """Return the parties of a thing: ids of rows, or one of ``own`` and ``undeclared``."""
    match view.part:
        case Cookie() as cookie:
            return _parties_of_cookie(view, cookie)
        case Element() as element:
            return _parties_of_element(view, element)
        case Field(host=str(host)):
            return _parties_of_element(view, Element(kind="", host=host))
        case _:
            party = view.exchange.party
            return (party if party == OWN or party in view.policy.parties else UNDECLARED,)


def _parties_of_cookie(view: View, cookie: Cookie) -> tuple[str, ...]:
    row = cookie_row(view.policy, cookie)
    if row is not None and row.party is not None:
        return (row.party,)
    found = tuple(
        party.id for party in view.policy.parties.values() if any(fits(one, cookie.name) for one in party.cookies)
    )
    return found or (UNDECLARED if row is None else OWN,)


def _parties_of_element(view: View, element: Element) -> tuple[str, ...]:
    found = tuple(party.id for party in view.policy.parties.values() if _has_element(party, element))
    if found:
        return found
    own = element.host is None or _is_own_host(view, element.host)
    return (OWN if own else UNDECLARED,)


def _has_element(party: Party, element: Element) -> bool:
    if any(covers_host(row.host, host) for row in party.hosts for host in _hosts(element)):
        return True
    return any(fits(pattern, token) for pattern in party.scripts + party.cookies for token in element.tokens)


def _hosts(element: Element) -> tuple[str, ...]:
    return (*((element.host,) if element.host else ()), *sorted(element.tokens))


def _is_own_host(view: View, host: str) -> bool:
    if host.lower() == view.exchange.host.lower():
        return True
    own = view.policy.identity.hosts
    return host.lower() in own or any(covers_host(one, host) for one in own if one.startswith("*."))


# --- purposes ------------------------------------------------------------------------------------------------------


def cookie_row(policy: Policy, cookie: Cookie) -> CookieRow | None:
    """Return the row of a cookie: the one the binding names, else the pattern that fits its name best."""
    if cookie.row is not None:
        return next((row for row in policy.cookies if row.pattern == cookie.row), None)
    fitting = [row for row in policy.cookies if fits(row.pattern, cookie.name)]
    return max(fitting, key=lambda row: _closeness(row.pattern), default=None)


def _closeness(pattern: str) -> tuple[bool, int]:
    return ("*" not in pattern, len(pattern.replace("*", "")))


def purposes(view: View) -> tuple[str, ...] | None:
    """Return the purposes of a thing, ``("none",)`` for a route without one, or None where they are undeclared."""
    named = _named_purposes(view)
    if named is None or named == (NONE,):
        return named
    rows = view.policy.purposes
    kept = tuple(name for name in named if name in rows and (not rows[name].on or view.thing in rows[name].on))
    return kept or None


def _named_purposes(view: View) -> tuple[str, ...] | None:
    match view.part:
        case Cookie() as cookie:
            row = cookie_row(view.policy, cookie)
            return row.purposes if row is not None and row.purposes else _purposes_of_parties(view, own=None)
        case Element():
            return _purposes_of_parties(view, own=_purpose_of_exchange(view))
        case _:
            return _purpose_of_exchange(view)


def _purpose_of_exchange(view: View) -> tuple[str, ...] | None:
    purpose = view.exchange.purpose
    return None if purpose == UNDECLARED else (purpose,)


def _purposes_of_parties(view: View, own: tuple[str, ...] | None) -> tuple[str, ...] | None:
    found = parties(view)
    if found == (UNDECLARED,):
        return None
    if found == (OWN,):
        return own
    each = [_purposes_of_party(view.policy.parties[name], view.part) for name in found]
    if not all(each):
        return None
    return tuple(dict.fromkeys(purpose for some in each for purpose in some))


def _purposes_of_party(party: Party, part: Part) -> tuple[str, ...]:
    hosts = _hosts(part) if isinstance(part, Element) else ()
    best = [row for host in hosts if (row := _best_host_row(party, host))]
    if not best:
        return party.purposes
    return tuple(dict.fromkeys(purpose for row in best for purpose in row[1] or party.purposes))


def _best_host_row(party: Party, host: str) -> tuple[str, tuple[str, ...]] | None:
    fitting = [(row.host, row.purposes) for row in party.hosts if covers_host(row.host, host)]
    return max(fitting, key=lambda row: (row[0].lower() == host.lower(), len(row[0])), default=None)


def basis(view: View, purpose: str) -> str | None:
    """Return the legal basis on which a purpose stands for this thing."""
    if isinstance(view.part, Cookie | Element) and any(_not_essential(view, name) for name in parties(view)):
        return "consent"
    row = view.policy.purposes.get(purpose)
    return None if row is None else row.basis


def _not_essential(view: View, name: str) -> bool:
    party = view.policy.parties.get(name)
    if party is None or not party.essential_on:
        return False
    tags = view.exchange.route.tags if view.exchange.route else ()
    return not set(tags) & set(party.essential_on)


# --- data ----------------------------------------------------------------------------------------------------------


def data(view: View, carriers: tuple[str, ...] = ()) -> frozenset[str]:
    """Return the categories in a thing, or those of them that stand on one of `carriers`."""
    part = view.part
    match part:
        case Field():
            return frozenset({part.category}) if _stands(part.carrier, part.direction, carriers) else frozenset()
        case Cookie():
            known = frozenset[str]() if isinstance(part.data, Missing) else part.data
            return known if _stands(Carrier.COOKIE, part.direction, carriers) else frozenset()
        case Record():
            return part.data if _stands(part.carrier, part.direction, carriers) else frozenset()
        case Element():
            return frozenset() if carriers else part.data
        case _:
            return exchange_data(view.exchange, carriers)


def _stands(carrier: Carrier, direction: Direction, carriers: tuple[str, ...]) -> bool:
    return not carriers or carrier.value in carriers or direction.value in carriers


def _stands_in_exchange(part: Field | Record, carriers: tuple[str, ...]) -> bool:
    """The query of an exchange is the request's: what a redirect takes along stands in the response alone."""
    if isinstance(part, Field) and part.host is not None:
        return not carriers or part.direction.value in carriers
    return _stands(part.carrier, part.direction, carriers)


def stands_on(view: View, name: str) -> bool:
    """Tell whether a field, cookie or record stands on this carrier; on an exchange, whether one of its parts does."""
    part = view.part
    match part:
        case Field() | Record():
            return _stands(part.carrier, part.direction, (name,))
        case Cookie():
            return _stands(Carrier.COOKIE, part.direction, (name,))
        case _:
            parts: tuple[Field | Record, ...] = (*view.exchange.fields, *view.exchange.records)
            parts = parts if view.thing is Thing.EXCHANGE else ()
            return any(_stands_in_exchange(one, (name,)) for one in parts)


def exchange_data(exchange: Exchange, carriers: tuple[str, ...] = ()) -> frozenset[str]:
    """Return the categories of an exchange: those its route declares, of its fields and of its records."""
    found: set[str] = set()
    if exchange.route is not None and (not carriers or Carrier.RESPONSE in carriers):
        found.update(exchange.route.data)
    for one in exchange.fields:
        if one.category != UNDECLARED and _counts(one.carrier, carriers):
            found.update({one.category} if _stands_in_exchange(one, carriers) else ())
    for record in exchange.records:
        found.update(record.data if _stands(record.carrier, record.direction, carriers) else ())
    return frozenset(found)


def _counts(carrier: Carrier, carriers: tuple[str, ...]) -> bool:
    if carrier is Carrier.CONNECTION:
        return Carrier.CONNECTION in carriers
    return carrier is not Carrier.TRAIL


def covers(policy: Policy, name: str, category: str) -> bool:
    """Tell whether a named category is this one or an umbrella over it."""
    if name == category or category in _members(policy, name, frozenset()):
        return True
    return name == "personal-data" and _is_personal(policy, category)


def _members(policy: Policy, name: str, seen: frozenset[str]) -> frozenset[str]:
    row = policy.data.get(name)
    if row is None or name in seen:
        return frozenset()
    found = frozenset(row.members)
    return found.union(*(_members(policy, member, seen | {name}) for member in row.members))


def _is_personal(policy: Policy, category: str) -> bool:
    row = policy.data.get(category)
    if row is None:
        return False
    if not row.members:
        return row.personal
    return any(_is_personal(policy, member) for member in row.members if member != category)


def is_personal(view: View, categories: frozenset[str]) -> bool:
    """Tell whether one of the categories is personal data."""
    return any(covers(view.policy, "personal-data", category) for category in categories)


def known_person(found: Subject) -> Person | None:
    """Return the person if it is one."""
    return found if isinstance(found, Person) else None
