"""Which rows of the vocabulary a rule reads: a row that cites a clause accounts for it through such a rule."""

from __future__ import annotations

from collections.abc import Iterator

from troth.model import rules as model
from troth.model.policy import CookieRow, DataRow, Party, Policy, Purpose
from troth.model.rules import Condition, Rule
from troth.model.words import ANY, DECLARED, Thing, Word
from troth.rules.feasible import facts_of

_EVERY = frozenset({ANY, DECLARED})


def rows_read(rule: Rule, policy: Policy) -> Iterator[tuple[str, ...]]:
    """Yield the clauses of every row that a fact or duty of the rule looks into."""
    found = facts_of(rule)
    met = (row for row in policy.purposes.values() if _meets(rule, row, policy))
    purposes = {row.id for row in met if any(_reads_purpose(leaf, row) for leaf in found)}
    yield from (policy.purposes[name].clauses for name in purposes)
    yield from (row.clauses for row in policy.cookies if _reads_cookie(rule, row, purposes))
    yield from (row.clauses for row in policy.data.values() if any(_reads_data(leaf, row, policy) for leaf in found))
    yield from (row.clauses for row in policy.parties.values() if _reads_party(rule, found, row, purposes))
    yield from _held(found, policy, purposes)
    names = {name for leaf in found if isinstance(leaf, model.Names) and leaf.word is Word.SHOWS for name in leaf.names}
    yield from (row.clauses for row in policy.marks.values() if row.id in names)


def _meets(rule: Rule, row: Purpose, policy: Policy) -> bool:
    """Whether a thing of the rule can have the purpose: a cookie or an element only if one is declared with it."""
    things = set(rule.things)
    if things & {Thing.EXCHANGE, Thing.FIELD, Thing.RECORD} and not (row.on and things.isdisjoint(row.on)):
        return True
    cookies = Thing.COOKIE in things and any(row.id in cookie.purposes for cookie in policy.cookies)
    return cookies or any(row.id in party.purposes for party in policy.parties.values())


def _reads_purpose(leaf: Condition, row: Purpose) -> bool:
    match leaf:
        case model.Names(word=Word.PURPOSE, names=names):
            return row.id in names or not _EVERY.isdisjoint(names)
        case model.Names(word=Word.BASIS, names=names):
            return row.basis in names or ANY in names
        case model.Names(names=names):
            return "of-purpose" in names
        case model.ConsentIs(name="of-purpose"):
            return row.basis == "consent"
        case model.Keep(limit=None):
            return row.keep is not None
        case _:
            return False


def _reads_cookie(rule: Rule, row: CookieRow, purposes: set[str]) -> bool:
    return Thing.COOKIE in rule.things and not purposes.isdisjoint(row.purposes)


def _reads_data(leaf: Condition, row: DataRow, policy: Policy) -> bool:
    if not isinstance(leaf, model.Names) or leaf.word not in (Word.DATA, Word.COMPLETE):
        return False
    if "of-purpose" in leaf.names:
        return any(_holds(row.id, purpose.data, policy) for purpose in policy.purposes.values())
    return _holds(row.id, leaf.names, policy)


def _holds(name: str, names: tuple[str, ...], policy: Policy) -> bool:
    """Whether a category is among names, itself or under a declared umbrella.

    That a rule is about personal data at large says nothing about what the text promises of one category.
    """
    if name in names:
        return True
    return any(name in policy.data[over].members for over in names if over in policy.data)


def _reads_party(rule: Rule, found: tuple[Condition, ...], row: Party, purposes: set[str]) -> bool:
    if Thing.ELEMENT in rule.things and not purposes.isdisjoint(row.purposes):
        return True
    return any(_names_party(leaf, row) for leaf in found)


def _names_party(leaf: Condition, row: Party) -> bool:
    match leaf:
        case model.Names(word=Word.PARTY, names=names):
            return row.id in names or not _EVERY.isdisjoint(names)
        case model.Names(word=Word.ROLE, names=names):
            return not set(names).isdisjoint(row.roles)
        case model.Names(word=Word.COUNTRY):
            return row.country is not None
        case model.Names(names=names):
            return "of-party" in names
        case _:
            return False


def _held(found: tuple[Condition, ...], policy: Policy, purposes: set[str]) -> Iterator[tuple[str, ...]]:
    consents = {leaf.name for leaf in found if isinstance(leaf, model.ConsentIs)}
    if "of-purpose" in consents:
        consents |= {policy.purposes[name].consent or name for name in purposes}
    for consent in policy.consents.values():
        if consent.id in consents or ANY in consents:
            yield consent.clauses
    states = {leaf.name for leaf in found if isinstance(leaf, model.StateIs)}
    yield from (row.clauses for row in policy.states.values() if row.id in states)
