"""What is known of one exchange: the facts that every engine is given, and nothing else.

Facts carry names, categories, counts and instants; never a value of personal data. The runtime
fills an `Exchange` phase by phase; the reference interpreter is given it complete.

Things that came in with the request are judged by what is known before the app is called; all others by everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final, Literal

from troth.model.binding import Route
from troth.model.consent import NO_CHOICES, Choices, Params
from troth.model.words import NONE, OWN, Carrier, Phase


class _NoEntries(dict[str, Any]):
    """An empty mapping that can stand as a default: nobody writes to it."""

    __hash__ = object.__hash__  # type: ignore[assignment]  # a dataclass takes only hashable defaults


_NOTHING: Final = _NoEntries()
_NO_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Missing(Enum):
    """Why a fact is not there."""

    PENDING = "pending"
    """It may still come in a later phase. Never in a complete exchange."""
    ABSENT = "absent"
    """Nobody stated it, nobody was asked."""
    UNREADABLE = "unreadable"
    """It was promised or is there, and could not be read."""


PENDING: Final = Missing.PENDING
ABSENT: Final = Missing.ABSENT
UNREADABLE: Final = Missing.UNREADABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """Evidence of an age in years: at least `low`, below `high`; None is open. Unreadable: a date that is none."""

    low: int | None = None
    high: int | None = None
    readable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody whose account or id is known: what is recorded of them."""

    id: str
    choices: Choices | Literal[Missing.UNREADABLE] = NO_CHOICES
    states: frozenset[tuple[str, Params]] | Literal[Missing.UNREADABLE] = frozenset()
    """``("objected", (("purpose", "improvement"),))``; ``()`` as parameters means for all."""
    age: Age | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who asks, once somebody is authenticated."""

    person: Person
    roles: frozenset[str] = frozenset()
    shared: bool = False
    """The session is used by several people."""
    verified: datetime | None = None
    """When the identity was last proved; None where the app does not say."""


Asker = Actor | Missing | None
"""An actor; None: nobody is authenticated; ABSENT: no hook tells; UNREADABLE: the hook failed; PENDING: not yet."""
Subject = Person | Missing | None
"""A person; None: no one is addressed; UNREADABLE: promised by the binding and not there; PENDING: not yet."""


class Direction(Enum):
    """Whether a thing came in with the request or goes out with the response."""

    REQUEST = "request"
    RESPONSE = "response"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """A cookie of the `Cookie` header (request) or one `Set-Cookie` header (response)."""

    name: str
    direction: Direction
    row: str | None = None
    """The pattern of the row that the binding maps this name to; None: look the name up in the policy."""
    data: frozenset[str] | Missing = frozenset()
    """Categories that probes found in its value; PENDING: not looked at yet."""
    lifetime: timedelta | Missing | None = None
    """How long it lives from now on; None for a session cookie. Response only."""
    attributes: Mapping[str, str] | Missing = field(default_factory=dict)
    """Response only: ``secure``, ``http-only`` (``true``/``false``), ``same-site`` (lower case), ``domain`` (``own`` or
    the domain)."""
    came_in: bool = False
    """The same name also came in with the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A JSON member, form, query, path, header or multipart value that has a category; judged once per category."""

    category: str
    """A data row, or ``undeclared`` for a member without category (only where a rule asks for those)."""
    carrier: Carrier
    direction: Direction
    name: str = ""
    """Declared name or path with ``*`` for list items; used to carry out the verdict, never written if undeclared."""
    record: int | None = None
    """Index into `Exchange.records` of the record it stands in."""
    host: str | None = None
    """The other site that the address of a redirect sends it to; its party goes before that of the exchange."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record of a body: whose it is, which categories are in it."""

    direction: Direction = Direction.RESPONSE
    subject: Subject = None
    """None: the binding names no subject for records."""
    data: frozenset[str] = frozenset()
    since: datetime | Missing | None = ABSENT
    counts: tuple[int, ...] = ()
    whole_body: bool = False
    carrier: Carrier = Carrier.JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """An HTML element that loads, embeds, sends or asks."""

    kind: str
    """script, inline, image, frame, form, box, link."""
    host: str | None = None
    """Host of its target; None: its own page's host, or no target."""
    secure: bool | None = None
    """Whether the target's scheme is secure; None: as the exchange's."""
    tokens: frozenset[str] = frozenset()
    """Hosts, script names and cookie names that an inline script holds, or the script name of a target."""
    data: frozenset[str] = frozenset()
    shows: frozenset[str] = frozenset()
    """Marks found within the span that each mark names."""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An HTML answer as a whole."""

    shows: frozenset[str] | Missing = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. `consent` and `params` say which consent it records."""

    name: str
    consent: str | None = None
    params: Params = ()
    at: datetime | None = None
    """When it happened, if not now; for duties that look back."""
    later: tuple[tuple[str, datetime], ...] = ()
    """Events of the same subject since then."""
    recent: Mapping[str, tuple[datetime, ...]] = field(default_factory=dict)
    """Per key of `at-most` (``client``, ``subject`` …): instants of events of this name, this one included."""


@dataclass(init=False, kw_only=True, eq=False)
class Exchange:
    """One request and its answer. Mutable: the runtime fills it phase by phase; engines only read.

    Every fact has a default on the class, so that making one costs what is said of it and no more.
    """

    now: datetime = _NO_TIME
    phase: Phase = Phase.END
    """The last phase whose facts are in."""
    method: str = "GET"
    host: str = ""
    route: Route | None = None
    purpose: str = NONE
    """A declared purpose, ``none``, or ``undeclared``."""
    https: bool = True
    own_route: str | None = None
    """The protected tag of a route of Troth itself (``policy``, ``consent``, ``refuse``, ``withdraw``)."""
    signals: frozenset[str] = frozenset()
    device: Choices = NO_CHOICES
    region: str | None = None
    serving: str | None = None
    party: str = OWN
    """``own`` where no party takes part, a declared party, or ``undeclared``."""
    asked: frozenset[str] = frozenset()
    bound: Mapping[str, str] = _NOTHING
    """Values that the binding gives for ``of-NAME``, such as ``topic``."""
    version: str = ""
    """The policy version in force."""
    coming: str | None = None
    """The announced next version, if any."""
    attested: frozenset[tuple[str, str | None]] = frozenset()
    """Statements valid now: kind and what they are about."""
    recorded: tuple[tuple[str, Choices], ...] = ()
    """Choices that this exchange records (holder ``device`` or ``person``); they count in it."""
    records_open: bool = False
    """A ledger write that depends on the request body is still possible: consents are pending until then."""
    actor_before: Asker = ABSENT
    actor: Asker = ABSENT
    subject: Subject = None
    """The addressed subject."""
    ages: tuple[Age, ...] = ()
    """Evidence of an age in the request."""
    cookies: tuple[Cookie, ...] = ()
    fields: tuple[Field, ...] = ()
    records: tuple[Record, ...] = ()
    elements: tuple[Element, ...] = ()
    page: Page | None = None
    events: tuple[Event, ...] = ()
    body_pending: bool = False
    """The request has a body that may still be read for fields, records, ages or the subject."""
    request_unreadable: bool = False
    """The request body could not be read."""
    response_pending: bool = True
    """The response may still bring fields, records or elements (phases before RESPONSE_BODY)."""
    response_unreadable: bool = False
    status: int | None = None
    headers: Mapping[str, tuple[str, ...]] | Missing = _NOTHING
    """Response headers by lower-case name; PENDING: not looked at yet."""

    def __init__(self, **given: Any) -> None:
        self.__dict__.update(given)

    def but(self, **changes: Any) -> Exchange:
        """Return a copy with some facts changed."""
        return Exchange(**{**self.__dict__, **changes})
