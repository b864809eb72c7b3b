"""Conditions: facts and duties under all, any and not. A flat map means all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from troth.model.rules import All, AnyOf, Condition, Names, Not
from troth.model.words import Thing, Word
from troth.rules import facts
from troth.rules.nodes import Mapping, Node, Scalar, Sequence
from troth.rules.reader import Reader, described, did_you_mean, listing
from troth.rules.shapes import Schema
from troth.rules.words import WORDS, Spec

COMBINATORS = ("all", "any", "not")
_KEYS = (*WORDS, *COMBINATORS)
_KNOWN_FACTS = frozenset({Word.UNDER, Word.STATE})


class Role(StrEnum):
    """Where a condition stands."""

    MATCH = "match"
    ONLY_IF = "only-if"
    EXPECT = "expect"
    IF = "if"


@dataclass(frozen=True, slots=True)
class Conditions:
    """Reads the condition in one place of a rule for certain things. A word that does not fit is found at the word."""

    role: Role
    things: tuple[Thing, ...] = ()
    negated: bool = False

    def read(self, node: Node, reader: Reader) -> Condition | None:
        """Return the condition, or None after a finding."""
        if not isinstance(node, Mapping):
            message = f"`{self.role}` is a map of facts, but this is {described(node)}"
            reader.report("TR103", message, node, docs="grammar")
            return None
        if not node.pairs:
            reader.report("TR308", f"this `{self.role}` holds no condition", node, docs="grammar")
            return None
        return self._all_of(node, reader)

    def schema(self) -> Schema:
        """A reference to the schema of conditions; it is recursive, so it is defined once."""
        return {"$ref": "#/$defs/duty" if self.role is Role.EXPECT else "#/$defs/condition"}

    def _all_of(self, node: Mapping, reader: Reader) -> Condition | None:
        parts: list[Condition | None] = []
        carriers = self._carriers(node, reader)
        for key, value in node:
            if key.text == Word.CARRIER and carriers is not None:
                self._applies(Word.CARRIER, WORDS[Word.CARRIER], key, reader)
                continue
            parts.append(self._limited(self._part(key, value, reader), carriers))
        read = [part for part in parts if part is not None]
        if len(read) < len(parts):
            return None
        return read[0] if len(read) == 1 else All(tuple(read))

    def _carriers(self, node: Mapping, reader: Reader) -> tuple[str, ...] | None:
        """Return the carriers that limit `data` or `complete` beside them; None where `carrier` is a fact itself."""
        value = node.get(Word.CARRIER)
        beside = any(key.text in (Word.DATA, Word.COMPLETE) for key, _ in node)
        return (facts.CARRIERS.read(value, reader) or ()) if value is not None and beside else None

    def _limited(self, part: Condition | None, carriers: tuple[str, ...] | None) -> Condition | None:
        if carriers and isinstance(part, Names) and part.word in (Word.DATA, Word.COMPLETE):
            return replace(part, carriers=carriers)
        return part

    def _part(self, key: Scalar, value: Node, reader: Reader) -> Condition | None:
        match key.text:
            case "all" | "any":
                return self._several(key.text, value, reader)
            case "not":
                part = replace(self, negated=not self.negated).read(value, reader)
                return None if part is None else Not(part)
            case text if text in WORDS:
                return self._word(Word(text), key, value, reader)
            case _:
                self._unknown(key, reader)
                return None

    def _unknown(self, key: Scalar, reader: Reader) -> None:
        advice = did_you_mean(key.text, _KEYS) or f"facts and duties are {listing(self._words())}"
        reader.report("TR101", f"unknown word `{key.text}` in `{self.role}`", key, advice=advice, docs="words")

    def _several(self, word: str, value: Node, reader: Reader) -> Condition | None:
        if not isinstance(value, Sequence):
            message = f"`{word}` is a list of conditions, but this is {described(value)}"
            reader.report("TR103", message, value, docs=f"rule {word}")
            return None
        if not value.items:
            reader.report("TR308", f"this `{word}` holds no condition", value, docs=f"rule {word}")
            return None
        parts = [self.read(one, reader) for one in value]
        read = tuple(part for part in parts if part is not None)
        if len(read) < len(parts):
            return None
        return All(read) if word == "all" else AnyOf(read)

    def _word(self, word: Word, key: Scalar, value: Node, reader: Reader) -> Condition | None:
        spec = WORDS[word]
        fits = self._stands(word, spec, key, reader) and self._applies(word, spec, key, reader)
        with reader.page(f"rule {word}"):
            part = spec.shape.read(value, reader)
        return part if fits else None

    def _stands(self, word: Word, spec: Spec, key: Scalar, reader: Reader) -> bool:
        """Whether the word may stand here at all."""
        if self.role is Role.EXPECT and not spec.duty:
            message, advice = f"`{word}` is a condition, not a duty", "put it into `match` or `only-if`"
        elif self.role is not Role.EXPECT and not spec.fact:
            message, advice = f"`{word}` is a duty, not a condition", "put it into `expect`"
        elif self.role is Role.ONLY_IF and self.negated and word in _KNOWN_FACTS:
            reader.report(
                "TR310", f"`only-if: {{not: {{{word}: …}}}}` would act wherever nothing is known", key,
                advice=f"prohibit it: `match: {{{word}: …}}` without `only-if`", docs=f"rule {word}",
            )  # fmt: skip
            return False
        else:
            return True
        reader.report("TR303", message, key, advice=advice, docs=f"rule {word}")
        return False

    def _applies(self, word: Word, spec: Spec, key: Scalar, reader: Reader) -> bool:
        """Whether the word means something for every thing the rule is for."""
        odd = [thing for thing in self.things if thing not in spec.things]
        if not odd:
            return True
        reader.report(
            "TR302", f"`{word}` says nothing about {listing(odd)}", key,
            label=f"applies to {listing(sorted(spec.things))}", docs=f"rule {word}",
        )  # fmt: skip
        return False

    def _words(self) -> list[str]:
        wanted = [word.value for word, spec in WORDS.items() if (spec.duty if self.role is Role.EXPECT else spec.fact)]
        return [*wanted, *COMBINATORS]
