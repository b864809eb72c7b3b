"""JSON Schema of the files, made from the definitions that the loader reads them by; for editors, which check less.

It never refuses what the loader takes. What it cannot know (which names other rows declare, which words fit which
things) `troth check` finds; the page ``docs/editors.md`` lists it.
"""

from __future__ import annotations

from typing import Any

from troth import manual
from troth.rules.attestations import ATTESTATIONS
from troth.rules.binding import BINDING
from troth.rules.conditions import COMBINATORS, Conditions, Role
from troth.rules.rows import POLICY
from troth.rules.rulefile import RULES_FILE
from troth.rules.shapes import Schema, Shape, described_as
from troth.rules.switches import SWITCHES
from troth.rules.words import WORDS

DRAFT = "https://json-schema.org/draft/2020-12/schema"
FILES = ("policy", "rules", "attestations", "binding", "switches")


def json_schema(file: str) -> Schema:
    """Return the schema of one of `FILES`. Raises KeyError for another name."""
    sections: dict[str, Shape[Any]] = {
        "policy": POLICY,
        "attestations": ATTESTATIONS,
        "binding": BINDING,
        "switches": SWITCHES,
    }
    return document(f"{file}.yaml", rules() if file == "rules" else sections[file].schema())


def document(title: str, shown: Schema) -> Schema:
    """Return a schema as a whole document, with the definitions that rules refer to."""
    defs = {"condition": _condition(Role.IF), "duty": _condition(Role.EXPECT)} if "rules" in _names(shown) else {}
    return {"$schema": DRAFT, "title": title, **shown, **({"$defs": defs} if defs else {})}


def rules() -> Schema:
    """Return the schema of rules: a file of them, or the bare list as cases and examples hold it."""
    file = RULES_FILE.schema()
    return {**file, "type": ["object", "array"], "items": file["properties"]["rules"]["items"]}


def _names(shown: Schema) -> set[str]:
    return set(shown.get("properties", ()))


def _condition(role: Role) -> Schema:
    inner = Conditions(role).schema()
    duties = role is Role.EXPECT
    words: dict[str, Any] = {
        word.value: spec.shape.schema() for word, spec in WORDS.items() if (spec.duty if duties else spec.fact)
    }
    several: Schema = {"type": "array", "items": inner, "minItems": 1}
    combined = {name: inner if name == "not" else several for name in COMBINATORS}
    named = {name: described_as(manual.summary(f"rule {name}"), one) for name, one in {**words, **combined}.items()}
    return {"type": "object", "properties": named, "additionalProperties": False, "minProperties": 1}
