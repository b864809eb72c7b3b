"""What a policy and a binding can make happen: the values that exchanges are drawn from, and what each rule wants."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from troth.model.binding import Binding, Route, Source
from troth.model.period import Period
from troth.model.policy import CookieRow, Policy, Purpose
from troth.model.rules import (
    ActorIs,
    All,
    AnyOf,
    AtMost,
    Attested,
    Attribute,
    Condition,
    ConsentIs,
    FollowedBy,
    Header,
    Names,
    Not,
    Rule,
    StateIs,
    Under,
)
from troth.model.words import NONE, PERSONAL_DATA, UNDECLARED, Carrier, Thing, Word, reference

BUILT_IN_EVENTS = ("consent-recorded", "denied", "policy-activated")
KINDS = ("script", "inline", "image", "frame", "form", "box", "link")
SIGNALS = ("gpc", "dnt")
FREE = ("drums", "keys")
"""Values for parameters that nothing declares, such as a topic."""


def conditions(rule: Rule) -> Iterator[Condition]:
    """Yield the conditions of a rule, exceptions included."""
    yield from (one for one in (rule.match, rule.only_if, rule.expect) if one is not None)
    yield from (opening.condition for opening in rule.openings)


def leaves(condition: Condition) -> Iterator[Condition]:
    """Yield the atoms of a condition."""
    match condition:
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from leaves(part)
        case Not(part):
            yield from leaves(part)
        case _:
            yield condition


def atoms(rules: Iterable[Rule]) -> Iterator[Condition]:
    for rule in rules:
        for condition in conditions(rule):
            yield from leaves(condition)


def example(pattern: str) -> str:
    """Return a name that a pattern fits."""
    return pattern.replace("*", "x1")


class Pools:
    """Everything a policy and binding name, as lists to choose from. Made once, read only."""

    def __init__(self, policy: Policy, binding: Binding) -> None:
        self.policy, self.binding = policy, binding
        asked = list(atoms(policy.rules))
        self.routes: list[Route | None] = [*binding.routes, None]
        self.categories = self._categories(policy)
        self.umbrellas = [row.id for row in policy.data.values() if row.members]
        self.cookies = self._cookies(policy, binding)
        self.purposes = [*policy.purposes, NONE, UNDECLARED]
        self.parties = list(policy.parties)
        self.hosts = [row.host.replace("*", "a") for party in policy.parties.values() for row in party.hosts]
        self.own = [host.replace("*", "a") for host in policy.identity.hosts] or ["site.example"]
        self.tokens = self._tokens(policy)
        self.marks = list(policy.marks)
        self.events = list(dict.fromkeys([*policy.events, *BUILT_IN_EVENTS]))
        self.countries = self._countries(policy)
        self.versions = [version.id for version in policy.versions] or ["1"]
        self.words = self._words(asked)
        self.roles = self._roles(binding, asked)
        self.acts = sorted({act for route in binding.routes for act in route.act} | self.words.get(Word.ASKED, set()))
        self.headers = [one for one in asked if isinstance(one, Header)]
        self.attributes = [one for one in asked if isinstance(one, Attribute)]
        self.ages = sorted({one.years for one in asked if isinstance(one, Under)}) or [18]
        self.forms = [*sorted({one.form for one in asked if isinstance(one, ConsentIs) and one.form}), "click"]
        self.statements = self._statements(policy, asked)
        self.verified = [one.verified for one in asked if isinstance(one, ActorIs) and one.verified]
        self.followed = [one for one in asked if isinstance(one, FollowedBy)]
        self.counted = [one for one in asked if isinstance(one, AtMost)]
        self.periods = self._periods(policy)
        self.bound = self._bound(asked)
        self.special_fields = self._special_fields(asked)

    @staticmethod
    def _categories(policy: Policy) -> list[str]:
        return [row.id for row in policy.data.values() if not row.members] or ["thing"]

    @staticmethod
    def _cookies(policy: Policy, binding: Binding) -> list[tuple[str, str | None]]:
        """Pair a cookie's name with the row that a binding maps it to."""
        names = [example(row.pattern) for row in policy.cookies]
        names += [example(pattern) for party in policy.parties.values() for pattern in party.cookies]
        mapped = [(example(name), row) for name, row in binding.cookies.items()]
        known = {row.pattern for row in policy.cookies}
        return [(name, None) for name in dict.fromkeys(names or ["x"])] + [pair for pair in mapped if pair[1] in known]

    @staticmethod
    def _tokens(policy: Policy) -> list[str]:
        found = [example(script) for party in policy.parties.values() for script in (*party.scripts, *party.cookies)]
        return [*found, *(row.host for party in policy.parties.values() for row in party.hosts), "app.js"]

    @staticmethod
    def _countries(policy: Policy) -> list[str]:
        found = {country for members in policy.areas.values() for country in members[:2]}
        found |= {party.country for party in policy.parties.values() if party.country}
        return sorted(found | {"US", "BR"})

    @staticmethod
    def _words(asked: list[Condition]) -> dict[Word, set[str]]:
        found: dict[Word, set[str]] = {}
        for one in asked:
            if isinstance(one, Names):
                found.setdefault(one.word, set()).update(one.names)
        return found

    @staticmethod
    def _roles(binding: Binding, asked: list[Condition]) -> list[str]:
        found = {name for one in asked if isinstance(one, ActorIs) for name in one.classes}
        found |= {name for route in binding.routes for name in route.audience}
        known = {"subject", "account", "nobody", "shared", "party", "public", "any", "none", "of-route"}
        return sorted(found - known | {"staff"})

    @staticmethod
    def _statements(policy: Policy, asked: list[Condition]) -> list[tuple[str, str | None]]:
        abouts: list[str | None] = [None, *policy.parties, *(version.id for version in policy.versions)]
        kinds = sorted({one.what for one in asked if isinstance(one, Attested)})
        return [(what, about) for what in kinds for about in abouts]

    @staticmethod
    def _periods(policy: Policy) -> list[Period]:
        rows: list[Purpose | CookieRow] = [*policy.purposes.values(), *policy.cookies]
        keeps = [row.keep for row in rows if row.keep is not None]
        return [keep.period for keep in keeps if keep.period is not None] or [Period.parse("P30D")]

    @staticmethod
    def _bound(asked: list[Condition]) -> list[str]:
        known = {"purpose", "basis", "party", "country", "data", "actor", "route", "version"}
        found = {reference(name) for one in asked if isinstance(one, Names) for name in one.names}
        found |= {reference(value) for one in asked if isinstance(one, ConsentIs | StateIs) for _, value in one.params}
        return sorted(name for name in found if name is not None and name not in known)

    @staticmethod
    def _special_fields(asked: list[Condition]) -> list[Carrier | str]:
        """List the fields that exist only where a rule asks for them."""
        named = {name for one in asked if isinstance(one, Names) for name in (*one.names, *one.carriers)}
        found: list[Carrier | str] = [one for one in (Carrier.TRAIL, Carrier.CONNECTION) if one in named]
        return [*found, UNDECLARED] if UNDECLARED in named else found

    def parameter_values(self, name: str) -> list[str]:
        """Return values for a parameter of a consent or a state."""
        known: dict[str, list[str]] = {
            "party": self.parties,
            "purpose": list(self.policy.purposes),
            "basis": ["consent", "contract", "legitimate-interest", "law"],
            "country": self.countries,
            "data": self.categories,
            "actor": ["public", "account", "nobody", *self.roles],
        }
        lists = [value for row in self.policy.consents.values() if name in row.per for value in row.lists]
        return known.get(name) or lists or list(FREE)


@dataclass(frozen=True, slots=True)
class Target:
    """What an exchange needs so that one rule has something to say: the values its `match` names, ready to choose."""

    rule: Rule
    routes: list[Route | None]
    categories: list[str]
    cookies: list[tuple[str, str | None]]
    parties: list[str]
    hosts: list[str]
    kinds: list[str]
    events: list[str]
    carriers: list[Carrier] = field(default_factory=list)

    @property
    def things(self) -> tuple[Thing, ...]:
        """The kinds of thing that the rule is about."""
        return self.rule.things


def target(pools: Pools, rule: Rule) -> Target:
    """Return what a rule looks for, by the names in its match."""
    wanted = _wanted(rule)
    parties = _parties(pools, wanted)
    return Target(
        rule=rule,
        routes=_routes(pools, wanted, records=rule.things == (Thing.RECORD,)) or pools.routes,
        categories=_categories(pools, wanted.get(Word.DATA, set())) or pools.categories,
        cookies=_cookies(pools, wanted) or pools.cookies,
        parties=parties,
        hosts=[row.host for name in parties for row in pools.policy.parties[name].hosts] or pools.hosts,
        kinds=sorted(wanted.get(Word.KIND, set())) or list(KINDS),
        events=sorted(wanted.get(Word.EVENT, set())) or pools.events,
        carriers=[Carrier(name) for name in sorted(wanted.get(Word.CARRIER, set()))],
    )


def _wanted(rule: Rule) -> dict[Word, set[str]]:
    found: dict[Word, set[str]] = {}
    for atom in leaves(rule.match) if rule.match is not None else ():
        if isinstance(atom, Names):
            found.setdefault(atom.word, set()).update(atom.names)
            found.setdefault(Word.CARRIER, set()).update(atom.carriers)
    return found


def _routes(pools: Pools, wanted: dict[Word, set[str]], *, records: bool) -> list[Route | None]:
    found: list[Route | None] = [route for route in pools.binding.routes if _route_fits(pools, route, wanted)]
    with_records = [route for route in found if route is not None and (route.records or route.request_records)]
    return list(with_records) if records and with_records else found


def _route_fits(pools: Pools, route: Route, wanted: dict[Word, set[str]]) -> bool:
    purpose = pools.policy.purposes.get(route.purpose) if isinstance(route.purpose, str) else None
    checks = (
        (Word.ROUTE, set(route.tags)),
        (Word.ORIGIN, set(route.reads)),
        (Word.PURPOSE, {route.purpose} if isinstance(route.purpose, str) else set()),
        (Word.BASIS, {purpose.basis} if purpose is not None else set()),
    )
    if any(wanted.get(word) and not wanted[word] & has for word, has in checks if word is not Word.PURPOSE):
        return False
    named = wanted.get(Word.PURPOSE, set()) - {"declared", "undeclared", "any"}
    return not named or isinstance(route.purpose, Source) or bool(named & checks[2][1])


def _categories(pools: Pools, names: set[str]) -> list[str]:
    if PERSONAL_DATA in names:
        return [name for name in pools.categories if name in pools.policy.data and pools.policy.data[name].personal]
    found = [name for name in names if name in pools.categories]
    below = [member for name in names if name in pools.policy.data for member in pools.policy.data[name].members]
    return sorted({*found, *(member for member in below if member in pools.categories)})


def _parties(pools: Pools, wanted: dict[Word, set[str]]) -> list[str]:
    roles, named = wanted.get(Word.ROLE, set()), wanted.get(Word.PARTY, set())
    rows = pools.policy.parties
    found = [name for name in named if name in rows]
    found += [name for name, row in rows.items() if roles & set(row.roles)]
    return found or pools.parties


def _cookies(pools: Pools, wanted: dict[Word, set[str]]) -> list[tuple[str, str | None]]:
    return [pair for pair in pools.cookies if _cookie_fits(pools, pair, wanted)]


def _cookie_fits(pools: Pools, pair: tuple[str, str | None], wanted: dict[Word, set[str]]) -> bool:
    name, mapped = pair
    row = next((row for row in pools.policy.cookies if mapped == row.pattern or example(row.pattern) == name), None)
    if row is None:
        return True
    purposes = [pools.policy.purposes[one] for one in row.purposes if one in pools.policy.purposes]
    has_basis = {purpose.basis for purpose in purposes}
    if wanted.get(Word.BASIS) and not wanted[Word.BASIS] & has_basis:
        return False
    return not wanted.get(Word.PURPOSE) or bool(wanted[Word.PURPOSE] & set(row.purposes))
