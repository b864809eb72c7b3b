"""What a case says, as plain frozen values (``docs/cases.md``). The loader has checked every key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from troth.diagnostics import Diagnostic, Span
from troth.model.binding import Binding
from troth.model.consent import ChoiceState, Params
from troth.model.facts import Element, Event, Field, Page, Record
from troth.model.policy import Policy

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The bytes of a body and the content type that goes with them, if the case names no other."""

    content: bytes
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    """A full address, taken apart; `path` and `query` as they travel."""

    scheme: str
    host: str
    path: str
    query: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the client sends. `cookies` are whole `Cookie` headers."""

    method: str
    url: Url
    headers: Headers = ()
    cookies: tuple[str, ...] = ()
    body: Body | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the app answers. `cookies` are whole `Set-Cookie` values; `raises`: it fails instead."""

    status: int = 200
    headers: Headers = ()
    cookies: tuple[str, ...] = ()
    body: Body | None = None
    raises: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks, as the app's hooks would tell. `fails`: the hook raises."""

    id: str | None = None
    roles: tuple[str, ...] = ()
    shared: bool = False
    verified: datetime | None = None
    known: Mapping[str, Any] = field(default_factory=dict)
    fails: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceGiven:
    """One recorded choice; `version` and `at` are None where the case leaves them to the clock."""

    consent: str
    state: ChoiceState
    params: Params = ()
    version: str | None = None
    form: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """An exchange that went before, in the same home and by the same browser. `status` is what it has to end with."""

    request: Request
    app: Answer | None
    clock: datetime | None = None
    signals: tuple[str, ...] = ()
    actor: Asker | None = None
    status: tuple[str, ...] = ()
    keeps_cookies: bool = True
    """Whether the browser takes the cookies of the answer; not: an old copy of them is sent later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What is so before the request comes in."""

    clock: datetime | None = None
    region: str | None = None
    serving: str | None = None
    signals: tuple[str, ...] = ()
    before: Asker | None = None
    """Who asks, as known before the app is called; None: nobody is authenticated."""
    actor: Asker | None = None
    """Who asks, as known after it."""
    knows_actor: bool = False
    """The case says who asks, now or earlier."""
    subject: str | None = None
    """Whom the binding's resolver names."""
    consents: Mapping[str, tuple[ChoiceGiven, ...]] = field(default_factory=dict)
    """By holder: ``device``, or the id of a person."""
    states: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    attested: tuple[tuple[str, str | None], ...] = ()
    earlier: tuple[Earlier, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Facts in place of bytes. A record stands beside the id of its subject (None: it has none)."""

    cookies: tuple[Any, ...] = ()
    elements: tuple[Element, ...] = ()
    records: tuple[tuple[Record, str | None], ...] = ()
    fields: tuple[Field, ...] = ()
    page: Page | None = None
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadersWanted:
    """Headers that are there (with one of these values, or any), that are not, and that read exactly so."""

    has: tuple[tuple[str, tuple[str, ...]], ...] = ()
    absent: tuple[tuple[str, tuple[str, ...]], ...] = ()
    exact: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CookiesWanted:
    """What becomes of cookies. In `set` a value of None is any value."""

    set: tuple[tuple[str, str | None], ...] = ()
    absent: tuple[str, ...] = ()
    expired: tuple[str, ...] = ()
    exact: tuple[str, ...] = ()
    """Whole `Set-Cookie` values, byte for byte."""
    only: tuple[str, ...] | None = None
    """The names of all that are set, in order."""
    has: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Attributes that a cookie has: ``HttpOnly``, ``Max-Age=60``."""
    lacks: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a body holds. `json` and `exact` are tuples of one value, empty where nothing is asked."""

    kept: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    json: tuple[Any, ...] = ()
    exact: tuple[str, ...] = ()
    contains: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    unchanged: bool | None = None
    empty: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenWanted:
    """What the app saw of the request."""

    called: bool | None = None
    unchanged: bool | None = None
    method: str | None = None
    cookies: tuple[tuple[str, str | None], ...] = ()
    absent_cookies: tuple[str, ...] = ()
    only_cookies: tuple[str, ...] | None = None
    cookie_header: tuple[str, ...] | None = None
    headers: HeadersWanted = HeadersWanted()
    query: Wanted = Wanted()
    json: Wanted = Wanted()
    form: Wanted = Wanted()
    multipart: Wanted = Wanted()
    body: Wanted = Wanted()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonWanted:
    """A reason that has to be given; None: any. `n`: about so many things."""

    clause: tuple[str, ...] = ()
    rule: str | None = None
    action: str | None = None
    thing: str | None = None
    category: str | None = None
    purpose: str | None = None
    party: str | None = None
    n: int | None = None
    dry: bool | None = None

    def __str__(self) -> str:
        said = {
            "rule": self.rule, "clause": ", ".join(self.clause) or None, "action": self.action, "thing": self.thing,
            "category": self.category, "purpose": self.purpose, "party": self.party, "n": self.n, "dry": self.dry,
        }  # fmt: skip
        return ", ".join(f"{name}: {value}" for name, value in said.items() if value is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What has to come of it."""

    status: tuple[str, ...] = ()
    denied: bool | None = None
    unchanged: bool | None = None
    headers: HeadersWanted = HeadersWanted()
    cookies: CookiesWanted = CookiesWanted()
    body: Wanted = Wanted()
    fields: Wanted = Wanted()
    records: Wanted = Wanted()
    seen: SeenWanted = SeenWanted()
    reasons: tuple[ReasonWanted, ...] = ()
    no_reason: tuple[ReasonWanted, ...] = ()
    nothing: bool = False
    """No reason at all: no rule did anything, or would have."""
    line: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case. `app` is None where the app is never to be reached; `answers`: the case says what the app answers."""

    id: str
    clauses: tuple[str, ...]
    span: Span
    given: Given = Given()
    request: Request
    app: Answer | None = Answer()
    answers: bool = False
    facts: Facts | None = None
    expect: Expect
    clock_only: bool = False
    """There is neither a request nor facts: what counts is what the clock says of the exchanges before."""
    waits: str | None = None
    """What part of Troth has to be there before this can hold; such a case is reported, and does not fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFile:
    """A file of cases, with the policy and the binding that they are about (None where an error is)."""

    name: str
    policy: Policy | None
    binding: Binding | None
    cases: tuple[Case, ...] = ()
    clock: datetime | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
