"""A policy: identity, vocabulary, clauses, statements and rules. Plain frozen data; the loader checks every name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from troth.model.period import Period
from troth.model.rules import Rule
from troth.model.words import Thing


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who speaks. `hosts` decide what is own (``*.x`` covers subdomains); `contacts` are its own addresses."""

    id: str
    hosts: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()
    controller: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of the text: two dates, and how long before its effect it is announced."""

    id: str
    updated: date | None = None
    effective: date | None = None
    notice: Period | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRow:
    """A category of data: how it is recognised (field names, probes) and what it belongs to."""

    id: str
    clauses: tuple[str, ...] = ()
    fideslang: str | None = None
    fields: tuple[str, ...] = ()
    """Names of members, parameters or headers; ``*`` as wildcard; compared without case."""
    probes: tuple[str, ...] = ()
    pattern: str | None = None
    strong: bool = False
    """The name alone identifies: counts also on a route without purpose."""
    personal: bool = True
    members: tuple[str, ...] = ()
    """Of an umbrella: the categories under it (direct members)."""
    connection: bool = False
    """Names the client's address itself."""
    closed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepRow:
    """How long data of a purpose or cookie are kept: what the text says, the number set, or until a state holds."""

    stated: str | None = None
    period: Period | None = None
    until: str | None = None
    attested: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """A row of the table of purposes. The loader has merged what a row `of` another inherits."""

    id: str
    clauses: tuple[str, ...] = ()
    basis: str | None = None
    data: tuple[str, ...] = ()
    keep: KeepRow | None = None
    of: str | None = None
    on: tuple[Thing, ...] = ()
    """Things that it is limited to; for any other thing the purpose is undeclared. Empty: all."""
    consent: str | None = None
    """The consent it rests on where it is named otherwise than the purpose."""
    since: str | None = None
    """The version that added it: older grants do not hold for it."""


class Signal(StrEnum):
    """Refusals that a browser sends."""

    GPC = "gpc"
    DNT = "dnt"


class SignalRule(StrEnum):
    """What a signal means for a device-held consent."""

    ALWAYS = "always"
    UNTIL_CHOICE = "until-choice"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRow:
    """A consent that can be recorded. `per` names its parameters; `lists` the values known beforehand."""

    id: str
    clauses: tuple[str, ...] = ()
    holders: tuple[str, ...] = ("device",)
    """``device``, ``person`` or both; with both a refusal goes before a grant."""
    per: tuple[str, ...] = ()
    form: str | None = None
    lasts: Period | None = None
    signals: Mapping[Signal, SignalRule] = field(
        default_factory=lambda: {Signal.GPC: SignalRule.ALWAYS, Signal.DNT: SignalRule.ALWAYS}
    )
    lists: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRow:
    """A host of a party, with purposes of its own where they differ. ``*.x`` covers subdomains; ``x`` covers both."""

    host: str
    purposes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A vendor, partner, processor, recipient or source."""

    id: str
    clauses: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    country: str | None = None
    hosts: tuple[HostRow, ...] = ()
    scripts: tuple[str, ...] = ()
    cookies: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    essential_on: tuple[str, ...] = ()
    """Route tags on which its purposes keep their basis; elsewhere it is consent. Empty: as the row, everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CookieRow:
    """A declared cookie: name pattern (``*`` as wildcard), purposes, lifetime, what its value may hold."""

    pattern: str
    clauses: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    keep: KeepRow | None = None
    holds: str | None = None
    domains: tuple[str, ...] = ()
    """Domains on which it is expired besides host-only."""
    party: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRow:
    """A state that a subject can be in, with its parameters."""

    id: str
    clauses: tuple[str, ...] = ()
    of: str = "person"
    per: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a page can show. `signs` pairs a kind of sign with its value; several are looked for together."""

    id: str
    clauses: tuple[str, ...] = ()
    signs: tuple[tuple[str, str], ...] = ()
    within: str = "page"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """A statement by a role, dated, with evidence and expiry. `what` is its kind, `about` a party or version."""

    id: str
    what: str
    clauses: tuple[str, ...] = ()
    about: str | None = None
    role: str = ""
    dated: date | None = None
    evidence: str = ""
    expires: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """The smallest addressable promise: our wording under its id; `text` in NFC with white space collapsed."""

    id: str
    heading: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything that stands in a policy folder, loaded and checked."""

    identity: Identity
    versions: tuple[Version, ...] = ()
    """In order of time; the last one whose effective date has come is in force."""
    data: Mapping[str, DataRow] = field(default_factory=dict)
    purposes: Mapping[str, Purpose] = field(default_factory=dict)
    consents: Mapping[str, ConsentRow] = field(default_factory=dict)
    parties: Mapping[str, Party] = field(default_factory=dict)
    cookies: tuple[CookieRow, ...] = ()
    """In file order; an exact pattern goes before a wildcard, then the longer pattern (see `troth/docs/grammar.md`)."""
    states: Mapping[str, StateRow] = field(default_factory=dict)
    events: tuple[str, ...] = ()
    marks: Mapping[str, Mark] = field(default_factory=dict)
    areas: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    origins: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    none: Mapping[str, str] = field(default_factory=dict)
    """Clauses that put no duty on the site, each with the reason."""
    remainder: Mapping[str, str] = field(default_factory=dict)
    """Clauses of which a part waits for another mechanism or a person: ``markup``, ``outbound`` or ``person``."""
    attestations: tuple[Attestation, ...] = ()
    clauses: tuple[Clause, ...] = ()
    text: str = ""
    """policy.md as written."""
    fingerprint: str = ""
    """SHA-256 (hex) over all files of the folder: names the policy that a line was judged by."""
