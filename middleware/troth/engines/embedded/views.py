"""What each thing has (judging, section 4): one view per kind, read by the operators.

A set of values is a frozenset; None in its place means undeclared. Views are made per judgement and hold no state of
their own beyond what they look up.
"""

from __future__ import annotations

from typing import Final

from troth.model.facts import (
    ABSENT,
    PENDING,
    UNREADABLE,
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
from troth.model.policy import HostRow, Party, Purpose
from troth.model.words import NONE, OWN, UNDECLARED, Thing
from troth.plan.tables import Tables, host_fits

Values = frozenset[str] | None
"""Values of a fact; None: undeclared."""
EMPTY: Final[frozenset[str]] = frozenset()
_NONE: Final = frozenset((NONE,))


class View:
    """A thing of the exchange as the operators see it. Subclasses say what differs."""

    thing: Thing
    parties: tuple[Party, ...] | None = ()
    """Its parties; empty: own; None: undeclared."""

    def __init__(self, tables: Tables, exchange: Exchange) -> None:
        self.tables = tables
        self.x = exchange
        if exchange.party == UNDECLARED:
            self.parties = None
        elif exchange.party != OWN:
            party = tables.policy.parties.get(exchange.party)
            self.parties = None if party is None else (party,)

    # purposes and what follows from them

    def purposes(self) -> Values:
        """Ids of its purposes; ``none`` is one."""
        purpose = self.x.purpose
        if purpose == NONE:
            return _NONE
        return self.limited((purpose,))

    def limited(self, names: tuple[str, ...]) -> Values:
        """Drop purposes that are limited to other things, and undeclared ones; none left is undeclared."""
        rows = self.tables.policy.purposes
        kept = frozenset(n for n in names if n in rows and (not rows[n].on or self.thing in rows[n].on))
        return kept or None

    def rows(self) -> tuple[Purpose, ...]:
        """Rows of its purposes; ``none`` and undeclared have no row."""
        found = self.purposes() or EMPTY
        table = self.tables.policy.purposes
        return tuple(table[name] for name in sorted(found) if name in table)

    def basis_of(self, row: Purpose) -> str | None:
        """Legal basis of one of its purposes."""
        return row.basis

    def bases(self) -> Values:
        """Legal bases of its purposes."""
        if self.purposes() is None:
            return None
        return frozenset(b for b in (self.basis_of(row) for row in self.rows()) if b is not None)

    # parties

    def party_names(self) -> Values:
        """Ids of its parties; empty: own."""
        return None if self.parties is None else frozenset(p.id for p in self.parties)

    def roles(self) -> Values:
        """Roles of its parties."""
        return None if self.parties is None else frozenset(role for p in self.parties for role in p.roles)

    def countries(self) -> frozenset[str | None] | None:
        """Countries that the data go to; None among them is a party (or server) whose country nobody stated."""
        if self.parties is None:
            return None
        if not self.parties:
            return frozenset((self.x.serving,))
        return frozenset(p.country for p in self.parties)

    # people

    def asker(self) -> Asker:
        """Who asks, as known for this thing."""
        return self.x.actor

    def visitor(self) -> Subject:
        """The person who asks, if somebody is authenticated."""
        asker = self.asker()
        return asker.person if isinstance(asker, Actor) else asker

    def subject(self) -> Subject:
        """Whose data: the addressed subject, else the actor."""
        return self.visitor() if self.x.subject is None else self.x.subject

    def fits_subject(self) -> int | bool | Missing:
        """Whether who asks is the subject; a Missing where that is not known."""
        asker = self.asker()
        if isinstance(asker, Missing):
            return asker
        if asker is None:
            return False
        subject = self.subject()
        if isinstance(subject, Person):
            return subject.id == asker.person.id
        return subject if isinstance(subject, Missing) else False

    # facts of one kind of thing, empty elsewhere

    def data(self) -> frozenset[str] | Missing:
        """Categories in it; PENDING while a cookie's value has not been looked at."""
        return EMPTY

    def named(self, word: str) -> frozenset[str]:
        """Values of the facts that need no row: origin, route, asked, kind, event, carrier."""
        match word:
            case "origin":
                return frozenset(self.x.route.reads) if self.x.route else EMPTY
            case "route":
                tags = frozenset(self.x.route.tags) if self.x.route else EMPTY
                return tags | {self.x.own_route} if self.x.own_route else tags
            case "asked":
                return self.x.asked
            case _:
                return EMPTY

    varies = False
    """Facts about records are different for each: only of an exchange that binds records (judging, section 6)."""


class ExchangeView(View):
    """The exchange itself; pages and events read most facts from it."""

    thing = Thing.EXCHANGE

    def __init__(self, tables: Tables, exchange: Exchange) -> None:
        super().__init__(tables, exchange)
        self.sees_fields = True
        """Whether the fields of the head are in; not where a head is remembered for all that are like it."""
        route = exchange.route
        self.has_records = route is not None and bool(route.records or route.request_records)
        self.varies = self.has_records and exchange.subject is None

    def named(self, word: str) -> frozenset[str]:
        if word != "carrier":
            return super().named(word)
        fields = frozenset[str]().union(*map(places_of, self.x.fields))
        return fields.union(*((item.carrier.value, item.direction.value) for item in self.x.records))


class PageView(ExchangeView):
    """An HTML answer: the subject is the visitor."""

    thing = Thing.PAGE

    def __init__(self, tables: Tables, exchange: Exchange, page: Page | None = None) -> None:
        super().__init__(tables, exchange)
        self.varies = False

    def subject(self) -> Subject:
        return self.visitor()


class EventView(ExchangeView):
    """Something that happened in the exchange."""

    thing = Thing.EVENT

    def __init__(self, tables: Tables, exchange: Exchange, event: Event) -> None:
        super().__init__(tables, exchange)
        self.varies = False
        self.item = event

    def named(self, word: str) -> frozenset[str]:
        return frozenset((self.item.name,)) if word == "event" else super().named(word)


class CookieView(View):
    """One cookie: its own row goes before its party's."""

    thing = Thing.COOKIE

    def __init__(self, tables: Tables, exchange: Exchange, cookie: Cookie) -> None:
        self.tables = tables
        self.x = exchange
        self.item = cookie
        self.row = tables.cookie_row(cookie.name, cookie.row)
        self.parties = self._find_parties()

    def _find_parties(self) -> tuple[Party, ...] | None:
        row = self.row
        if row is not None and row.party is not None:
            party = self.tables.policy.parties.get(row.party)
            return None if party is None else (party,)
        return self.tables.cookie_parties(self.item.name) or (() if row is not None else None)

    def purposes(self) -> Values:
        if self.row is not None and self.row.purposes:
            return self.limited(self.row.purposes)
        return self.limited(tuple(n for p in self.parties or () for n in p.purposes))

    def basis_of(self, row: Purpose) -> str | None:
        return _basis(self, row)

    def asker(self) -> Asker:
        return self.x.actor_before if self.item.direction is Direction.REQUEST else self.x.actor

    def subject(self) -> Subject:
        return self.visitor()

    def data(self) -> frozenset[str] | Missing:
        return self.item.data

    def named(self, word: str) -> frozenset[str]:
        if word == "carrier":
            return frozenset(("cookie", self.item.direction.value))
        return super().named(word)


class ElementView(View):
    """An HTML element, which may belong to several parties at once."""

    thing = Thing.ELEMENT

    def __init__(self, tables: Tables, exchange: Exchange, element: Element) -> None:
        self.tables = tables
        self.x = exchange
        self.item = element
        self.parties = _parties_of_host(self, element.host, element.tokens)

    def purposes(self) -> Values:
        if self.parties is None:
            return None
        if not self.parties:
            return super().purposes()
        each = [self._of_hosts(party) for party in self.parties]
        # Consent to the purposes of one party opens no other.
        return self.limited(tuple(name for names in each for name in names)) if all(each) else None

    def _of_hosts(self, party: Party) -> tuple[str, ...]:
        """Purposes of the rows that fit its host and tokens best; of the party where none fits or says."""
        hosts = (self.item.host, *sorted(self.item.tokens)) if self.item.host else sorted(self.item.tokens)
        rows = [row for host in hosts if (row := _best_row(party, host)) is not None]
        return tuple(name for row in rows for name in row.purposes or party.purposes) if rows else party.purposes

    def basis_of(self, row: Purpose) -> str | None:
        return _basis(self, row)

    def subject(self) -> Subject:
        return self.visitor()

    def data(self) -> frozenset[str]:
        return self.item.data

    def named(self, word: str) -> frozenset[str]:
        return frozenset((self.item.kind,)) if word == "kind" else super().named(word)


class FieldView(View):
    """One category at one place."""

    thing = Thing.FIELD

    def __init__(self, tables: Tables, exchange: Exchange, field: Field) -> None:
        super().__init__(tables, exchange)
        self.item = field
        if field.host is not None:
            self.parties = _parties_of_host(self, field.host, frozenset())

    def asker(self) -> Asker:
        return self.x.actor_before if self.item.direction is Direction.REQUEST else self.x.actor

    def subject(self) -> Subject:
        if self.item.record is None:
            return super().subject()
        subject = self.x.records[self.item.record].subject
        return ABSENT if subject is None else subject

    def data(self) -> frozenset[str]:
        return frozenset((self.item.category,))

    def named(self, word: str) -> frozenset[str]:
        if word == "carrier":
            return frozenset((self.item.carrier.value, self.item.direction.value))
        return super().named(word)


class RecordView(View):
    """One record of a body, judged by its own subject."""

    thing = Thing.RECORD

    def __init__(self, tables: Tables, exchange: Exchange, record: Record) -> None:
        super().__init__(tables, exchange)
        self.item = record

    def asker(self) -> Asker:
        return self.x.actor_before if self.item.direction is Direction.REQUEST else self.x.actor

    def subject(self) -> Subject:
        return ABSENT if self.item.subject is None else self.item.subject

    def data(self) -> frozenset[str]:
        return self.item.data

    def named(self, word: str) -> frozenset[str]:
        if word == "carrier":
            return frozenset((self.item.carrier.value, self.item.direction.value))
        return super().named(word)


def places_of(field: Field) -> frozenset[str]:
    """Return where an exchange says that a field stands: one of a redirect in the response, not in its own query."""
    if field.host is not None:
        return frozenset((field.direction.value,))
    return frozenset((field.carrier.value, field.direction.value))


def _parties_of_host(view: View, host: str | None, tokens: frozenset[str]) -> tuple[Party, ...] | None:
    """Return whose a host is, or what a snippet holds."""
    found = view.tables.element_parties(host, tokens)
    return found or (() if view.tables.is_own(host, view.x.host) else None)


def _best_row(party: Party, host: str) -> HostRow | None:
    fitting = [row for row in party.hosts if host_fits(row.host, host)]
    return max(fitting, key=lambda row: (row.host == host, len(row.host)), default=None)


def _basis(view: CookieView | ElementView, row: Purpose) -> str | None:
    """Basis of a party's purpose: consent off the routes on which the party is essential."""
    tags = set(view.x.route.tags) if view.x.route else set[str]()
    if any(party.essential_on and not tags & set(party.essential_on) for party in view.parties or ()):
        return "consent"
    return row.basis


__all__ = [
    "ABSENT",
    "EMPTY",
    "PENDING",
    "UNREADABLE",
    "CookieView",
    "ElementView",
    "EventView",
    "ExchangeView",
    "FieldView",
    "PageView",
    "RecordView",
    "Values",
    "View",
    "places_of",
]
