"""A binding: how an app's routes, fields, people and parties map to the policy's words (a closed list)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A value read from the exchange: ``path.party``, ``query.topic``, ``header.x-purpose``, ``body.ref`` …

    `place` is path, query, header, cookie, body or record; `hook` instead is ``module:name``, called with the scope.
    """

    place: str = ""
    name: str = ""
    hook: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """A ledger write that a route makes when the app accepts it: a consent or a state, with parameters."""

    consent: str | None = None
    state: str | None = None
    to: str = "granted"
    """``granted``, ``declined``, ``withdrawn`` for a consent; ``set`` or ``clear`` for a state."""
    params: tuple[tuple[str, str | Source], ...] = ()
    when: tuple[tuple[Source, str], ...] = ()
    """All must hold: the value of the source, as JSON text, equals."""
    form: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bytes held of a body before the rest is unreadable, and the depth of JSON."""

    hold_request: int = 64 * 1024
    hold_response: int = 16 * 1024 * 1024
    depth: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route of the app: method and path template, and what happens there.

    `path` is a template: ``/orders/{id}``, a trailing ``/*`` takes the rest. `method` may be ``*``.
    """

    method: str
    path: str
    tags: tuple[str, ...] = ()
    purpose: str | Source | None = None
    audience: tuple[str, ...] = ()
    party: str | Source | None = None
    subject: Source | None = None
    """Where the addressed subject's id stands in the request (or a resolver). With `records`: see `record_subject`."""
    records: str | None = None
    """Selector of the records in the response: ``$``, ``$[*]``, ``$.items[*]``."""
    request_records: str | None = None
    """Selector of records in the request."""
    record_subject: str | None = None
    """Path inside a record to its subject's id, ``$.id``."""
    since: str | None = None
    """Path inside a record to the date from which it is kept, ``$.created``."""
    counts: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    """Member, parameter or header name (or ``$.path``) to a category."""
    data: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    """Origins of the data that it reads."""
    selects: Source | None = None
    """Where the request lists the fields it asks for; they count as seen."""
    topic: str | Source | None = None
    act: tuple[str, ...] = ()
    event: str | None = None
    writes: tuple[Write, ...] = ()
    cites: Source | None = None
    limits: Limits | None = None

    @property
    def key(self) -> str:
        """``POST /order``: how the binding names it, and how lines name it."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """Where a party proves itself. Without `party` and `keys` the credential is the party's id in clear."""

    source: Source
    party: str | None = None
    """The party of whoever brings one, whatever it is."""
    keys: Mapping[str, str] | None = None
    """SHA-256 (hex) of a credential to the party it belongs to; nothing else is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorHooks:
    """Callables ``module:name`` that tell who asks, before the app is called and after it has answered."""

    before: str | None = None
    after: str | None = None
    known: tuple[str, ...] = ()
    """Categories whose values the hook brings for the `known` probe."""
    verified: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """The whole of ``binding.yaml``."""

    routes: tuple[Route, ...] = ()
    cookies: Mapping[str, str] = field(default_factory=dict)
    """The app's cookie name (or pattern) to the pattern of a cookie row of the policy."""
    presets: tuple[str, ...] = ()
    credentials: tuple[Credential, ...] = ()
    region: Source | str | None = None
    serving: str | None = None
    """Country that serves (ISO 3166 alpha-2)."""
    actor: ActorHooks = ActorHooks()
    state: str | None = None
    """Batched look-up ``module:name``: ids to states."""
    consents: str | None = None
    """Batched look-up ``module:name``: ids to choices that the app keeps in tables of its own."""
    walls: tuple[str, ...] = ()
    limits: Limits = Limits()


NO_BINDING = Binding()
