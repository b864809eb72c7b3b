"""A rule and its conditions as the loader hands them on: every name resolved, every list a tuple.

`match`, `only-if` and the `if` of an exception share one vocabulary of facts; `expect` adds duties. A flat map means
all; a list means one of, except after `shows` and `complete`, where it means each.
"""

from __future__ import annotations

from dataclasses import dataclass

from troth.model.period import Period
from troth.model.words import Action, Mode, Thing, Word


@dataclass(frozen=True, slots=True)
class All:
    """True if every part is."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True if one part is."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True if `part` is false; absent stays absent."""

    part: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """A fact that is compared with names: one of them is enough (`shows`, `complete`: each).

    For purpose, basis, origin, data, complete, party, role, country, region, asked, route, carrier, kind, event, shows.
    `names` may hold ``of-X`` and the values with a meaning of their own. `carriers` is the ``carrier`` that stands
    beside ``data`` or ``complete`` in one map and limits it; such a ``carrier`` is no fact of its own.
    """

    word: Word
    names: tuple[str, ...]
    carriers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentIs:
    """`consent` (granted, valid) or `refused` (declined, withdrawn, signalled).

    `name` is a declared consent, ``any`` or ``of-purpose``. `params` pairs a parameter with a literal, ``of-X`` or
    ``any``; `form` asks for that form of grant. Without its parameter a consent holds if granted for all, a refusal
    if for any.
    """

    word: Word
    name: str
    params: tuple[tuple[str, str], ...] = ()
    form: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StateIs:
    """The subject is in this declared state; `params` pairs a parameter with a literal or ``of-X``."""

    name: str
    params: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Under:
    """There is evidence of an age below `years`."""

    years: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorIs:
    """Who asks is one of `classes` (subject, account, party, nobody, shared, a role, ``of-route``).

    With `verified` instead: has proved the identity within that period.
    """

    classes: tuple[str, ...] = ()
    verified: Period | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """A valid statement `what` exists; `about` limits it to a literal or ``of-X``."""

    what: str
    about: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Https:
    """The scheme of the exchange, or of an element's target, is secure (`wanted`) or is not."""

    wanted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """No subject, no identifier, and every count is at least `minimum`."""

    minimum: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Not older, not living longer than the row says (`limit` None means ``of-purpose``) or than `limit`."""

    limit: Period | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Duty: the status is one of these: ``200``, a class ``2xx``, or ``open``."""

    wanted: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Duty: header `name` (lower case) has one of these `values`; ``of-version`` is the version's id, ``none`` is met
    where no such header is sent."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """Duty: an attribute of a cookie (lifetime, secure, http-only, same-site, domain) or of an element has a value.

    `value` is ``true``, ``false``, ``session``, ``own``, a word, or an ISO period for ``lifetime``.
    """

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedBy:
    """Duty of an event: `event` follows within the period. `remind`: how long before its end the trail says so."""

    event: str
    within: Period
    remind: Period | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AtMost:
    """Duty of an event: at most `count` of them per key (`per`) and period."""

    count: int
    per: str
    within: Period


Condition = (
    All
    | AnyOf
    | Not
    | Names
    | ConsentIs
    | StateIs
    | Under
    | ActorIs
    | Attested
    | Https
    | Aggregate
    | Keep
    | Status
    | Header
    | Attribute
    | FollowedBy
    | AtMost
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What is done when a rule acts; `status` belongs to ``deny: 401``."""

    action: Action
    status: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """An exception: the permission of a clause (or a law) that opens the prohibition it stands under."""

    condition: Condition
    clauses: tuple[str, ...] = ()
    law: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Why a contradicting clause is read as the rule does; accounts for the clauses in `against`."""

    against: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """About which things, which of them, on what condition, else what. Without `only_if` and `expect` it prohibits."""

    id: str
    clauses: tuple[str, ...]
    things: tuple[Thing, ...]
    match: Condition | None = None
    only_if: Condition | None = None
    expect: Condition | None = None
    effects: tuple[Effect, ...] = ()
    """Never empty after loading: defaults (`troth/docs/words.md`, actions) are filled in. For `page` a prohibition or
    duty without `otherwise` alerts; where one rule is for several things the effect is that of each thing's default
    only when `otherwise` is left out, see `effects_for`."""
    defaulted: bool = False
    """True if `otherwise` was left out."""
    openings: tuple[Opening, ...] = ()
    """Exceptions under this rule, and those of other rules that say ``to:`` this one."""
    readings: tuple[Reading, ...] = ()
    mode: Mode = Mode.ENFORCE
    evidence: bool = False
    unreadable_passes: bool = False

    def effects_for(self, thing: Thing) -> tuple[Effect, ...]:
        """Return the effects on `thing`: the default for a page is to alert, whatever else the rule is for."""
        if self.defaulted and thing is Thing.PAGE:
            return (Effect(action=Action.ALERT),)
        return self.effects
