"""JSON Schema of the files, made from the definitions that the loader reads them by; for editors, which check less."""

from __future__ import annotations

from typing import Any

from troth.rules.attestations import ATTESTATIONS
from troth.rules.binding import BINDING
from troth.rules.conditions import COMBINATORS, Conditions, Role
from troth.rules.rows import POLICY
from troth.rules.rulefile import RULE
from troth.rules.shapes import Schema
from troth.rules.words import WORDS

DRAFT = "https://json-schema.org/draft/2020-12/schema"
FILES = ("policy", "rules", "attestations", "binding")


def json_schema(file: str) -> Schema:
    """Return the schema of ``policy``, ``rules``, ``attestations`` or ``binding``. Raises KeyError for another name."""
    shapes: dict[str, Schema] = {
        "policy": POLICY.schema(),
        "rules": _rules(),
        "attestations": ATTESTATIONS.schema(),
        "binding": BINDING.schema(),
    }
    return {"$schema": DRAFT, "title": f"{file}.yaml", **shapes[file]}


def _rules() -> Schema:
    none: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
    listed: Schema = {"type": "array", "items": RULE.schema()}
    return {
        "type": "object",
        "properties": {"rules": listed, "none": none, "remainder": none},
        "additionalProperties": False,
        "$defs": {"condition": _condition(Role.IF), "duty": _condition(Role.EXPECT)},
    }


def _condition(role: Role) -> Schema:
    inner = Conditions(role).schema()
    duties = role is Role.EXPECT
    words: dict[str, Any] = {
        word.value: spec.shape.schema() for word, spec in WORDS.items() if (spec.duty if duties else spec.fact)
    }
    several: Schema = {"type": "array", "items": inner, "minItems": 1}
    combined = {name: inner if name == "not" else several for name in COMBINATORS}
    return {"type": "object", "properties": {**words, **combined}, "additionalProperties": False, "minProperties": 1}
