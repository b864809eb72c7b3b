"""`otherwise`: what a rule does, and whether that can be done to what it is about."""

from __future__ import annotations

from collections.abc import Iterator

from troth.model import rules as model
from troth.model.rules import Condition, Effect, Rule
from troth.model.words import Action, Word
from troth.rules.nodes import Mapping, Node, Scalar, Sequence
from troth.rules.reader import Reader, listing
from troth.rules.scalars import Int
from troth.rules.shapes import ByKind, Made, Many, OneOf, Record, Schema
from troth.rules.words import ACTIONS, WORDS

_STATUS = Int(400, 599, "TR112")
_PERMITS = frozenset({"allow", "permit", "pass"})


class _Plain:
    """An action by its name."""

    _shape = OneOf(tuple(ACTIONS), "an action", "words actions")

    def read(self, node: Node, reader: Reader) -> Effect | None:
        if isinstance(node, Scalar) and node.text in _PERMITS:
            advice = "a permission stands only under `except` of the rule that it opens"
            reader.report("TR309", f"`{node.text}` is a permission, not an action", node, advice=advice)
            return None
        name = self._shape.read(node, reader)
        return None if name is None else Effect(action=Action(name))

    def schema(self) -> Schema:
        return self._shape.schema()


_DENY = Made(
    Record("an action with a status", {"deny": _STATUS}, ("deny",), docs="words actions"),
    lambda row: Effect(action=Action.DENY, status=row["deny"]),
)
OTHERWISE = Many(ByKind("an action", scalar=_Plain(), mapping=_DENY))


def check_effects(node: Mapping, rule: Rule, reader: Reader) -> None:
    """Find actions that cannot be done to a thing of the rule, and an `amend` with nothing to amend."""
    written = node.get("otherwise")
    if written is None or rule.defaulted:
        return
    items = written.items if isinstance(written, Sequence) else (written,)
    if len(items) != len(rule.effects):
        return
    for one, effect in zip(items, rule.effects, strict=True):
        odd = [thing for thing in rule.things if thing not in ACTIONS[effect.action]]
        if odd:
            message = f"`{effect.action}` cannot be done to {listing(odd)}"
            possible = [action for action, things in ACTIONS.items() if set(rule.things) <= things]
            advice = f"possible here: {listing(possible)}"
            reader.report("TR304", message, one, advice=advice, docs="words actions")
        elif effect.action is Action.AMEND:
            _check_amend(one, node, rule, reader)


def _check_amend(at: Node, node: Mapping, rule: Rule, reader: Reader) -> None:
    if node.get("expect") is None:
        message = "`amend` makes `expect` true, but this rule has none"
        reader.report("TR305", message, at, docs="words actions")
        return
    fixed = sorted({word for word in duties(rule.expect) if not WORDS[word].amendable})
    if fixed:
        message = f"no edit makes {listing(fixed)} true"
        reader.report("TR305", message, at, advice="write `alert`", docs="words actions")


def duties(condition: Condition | None) -> Iterator[Word]:
    """Yield the words of the leaves of a condition."""
    match condition:
        case None:
            return
        case model.All(parts=parts) | model.AnyOf(parts=parts):
            for part in parts:
                yield from duties(part)
        case model.Not(part=part):
            yield from duties(part)
        case _:
            yield word_of(condition)


_WORDS: dict[type, Word] = {
    model.StateIs: Word.STATE, model.Under: Word.UNDER, model.ActorIs: Word.ACTOR, model.Attested: Word.ATTESTED,
    model.Https: Word.HTTPS, model.Aggregate: Word.AGGREGATE, model.Keep: Word.KEEP, model.Status: Word.STATUS,
    model.Header: Word.HEADER, model.Attribute: Word.ATTRIBUTE, model.FollowedBy: Word.FOLLOWED_BY,
    model.AtMost: Word.AT_MOST,
}  # fmt: skip


def word_of(leaf: Condition) -> Word:
    """Return the word that a leaf of a condition came from."""
    if isinstance(leaf, model.Names | model.ConsentIs):
        return leaf.word
    return _WORDS[type(leaf)]
