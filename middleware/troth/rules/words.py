"""The registry of words: each fact and duty once, with the things it applies to, where it may stand and its reader.

`troth/docs/words.md` has the meanings. The loader, the JSON Schema and the pages are made or checked from this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from troth.model.rules import Condition
from troth.model.words import ANY, DECLARED, NONE, OWN, PERSONAL_DATA, UNDECLARED, Action, Thing, Word
from troth.rules import duties, facts
from troth.rules.facts import Held, Named
from troth.rules.reader import Kind
from troth.rules.rows import BASES
from troth.rules.shapes import Shape

_ALL = frozenset(Thing)
_PARTY = frozenset({Thing.COOKIE, Thing.ELEMENT, Thing.EXCHANGE, Thing.RECORD, Thing.FIELD})


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One word: what it applies to, whether it is a condition, a duty or both, and how its value is read."""

    shape: Shape[Condition]
    things: frozenset[Thing] = _ALL
    fact: bool = True
    duty: bool = False
    amendable: bool = False
    """Whether `amend` can make it true."""


def _spec(shape: Shape[Condition], *things: Thing, duty: bool = False, amendable: bool = False) -> Spec:
    return Spec(shape=shape, things=frozenset(things) or _ALL, duty=duty, amendable=amendable)


def _duty(shape: Shape[Condition], *things: Thing, amendable: bool = False) -> Spec:
    return Spec(shape=shape, things=frozenset(things), fact=False, duty=True, amendable=amendable)


KINDS = ("script", "inline", "image", "frame", "form", "box", "link")

WORDS: Mapping[Word, Spec] = {
    Word.PURPOSE: _spec(Named(Word.PURPOSE, Kind.PURPOSE, special=(DECLARED, UNDECLARED, NONE, ANY))),
    Word.BASIS: _spec(Named(Word.BASIS, words=BASES, special=(UNDECLARED, NONE, ANY))),
    Word.ORIGIN: _spec(Named(Word.ORIGIN, Kind.ORIGIN, special=(ANY, NONE)), Thing.EXCHANGE, Thing.FIELD, Thing.RECORD),
    Word.DATA: _spec(Named(Word.DATA, Kind.DATA, special=(PERSONAL_DATA, UNDECLARED, ANY, NONE))),
    # A record or an exchange has many categories; "every one of them" is no question about a single field.
    Word.COMPLETE: _spec(
        Named(Word.COMPLETE, Kind.DATA, special=(PERSONAL_DATA,)), Thing.EXCHANGE, Thing.RECORD, duty=True
    ),
    Word.PARTY: _spec(Named(Word.PARTY, Kind.PARTY, special=(ANY, OWN, DECLARED, UNDECLARED, NONE)), *_PARTY),
    Word.ROLE: _spec(facts.ROLE, *_PARTY),
    Word.COUNTRY: _spec(Named(Word.COUNTRY, Kind.AREA, special=(UNDECLARED,)), *_PARTY),
    Word.REGION: _spec(Named(Word.REGION, Kind.AREA, special=(UNDECLARED,))),
    Word.CONSENT: _spec(Held(Word.CONSENT, Kind.CONSENT, (ANY, "of-purpose"))),
    Word.REFUSED: _spec(Held(Word.REFUSED, Kind.CONSENT, (ANY, "of-purpose"))),
    Word.STATE: _spec(Held(Word.STATE, Kind.STATE), duty=True),
    Word.UNDER: _spec(facts.UNDER),
    Word.ACTOR: _spec(facts.ACTOR),
    Word.ATTESTED: _spec(facts.ATTESTED),
    Word.ASKED: _spec(Named(Word.ASKED), Thing.COOKIE, Thing.EVENT, Thing.EXCHANGE),
    Word.ROUTE: _spec(Named(Word.ROUTE)),
    Word.HTTPS: _spec(facts.HTTPS, Thing.EXCHANGE, Thing.ELEMENT),
    Word.CARRIER: _spec(facts.CARRIER, Thing.FIELD, Thing.COOKIE, Thing.RECORD, Thing.EXCHANGE),
    Word.KIND: _spec(Named(Word.KIND, words=KINDS, refers=False), Thing.ELEMENT),
    # A fact about a record that an exchange carries is open at its head, so it may stand on the exchange as well.
    Word.AGGREGATE: _spec(facts.AGGREGATE, Thing.RECORD, Thing.EXCHANGE),
    Word.EVENT: _spec(Named(Word.EVENT, Kind.EVENT, refers=False), Thing.EVENT),
    Word.SHOWS: _spec(Named(Word.SHOWS, Kind.MARK, refers=False), Thing.PAGE, Thing.ELEMENT, duty=True, amendable=True),
    Word.KEEP: _spec(facts.KEEP, Thing.COOKIE, Thing.RECORD, duty=True, amendable=True),
    Word.STATUS: _duty(duties.STATUS, Thing.EXCHANGE),
    Word.HEADER: _duty(duties.HEADER, Thing.EXCHANGE, Thing.PAGE, amendable=True),
    Word.ATTRIBUTE: _duty(duties.ATTRIBUTE, Thing.COOKIE, Thing.ELEMENT, amendable=True),
    Word.FOLLOWED_BY: _duty(duties.FOLLOWED_BY, Thing.EVENT),
    Word.AT_MOST: _duty(duties.AT_MOST, Thing.EVENT),
}

ACTIONS: Mapping[Action, frozenset[Thing]] = {
    Action.WITHHOLD: _ALL - {Thing.PAGE},
    Action.MASK: frozenset({Thing.FIELD}),
    Action.DENY: _ALL - {Thing.EVENT},
    Action.AMEND: frozenset({Thing.COOKIE, Thing.ELEMENT, Thing.EXCHANGE, Thing.PAGE}),
    Action.ALERT: _ALL,
}
"""The actions a rule may name, and the things that each can be done to. Their order is their strength."""
