"""JSON Schema of a file of cases, made from the shapes that it is read by."""

from __future__ import annotations

from typing import Final

from troth.cases.files import CASE
from troth.cases.plain import INSTANT
from troth.rules import schema
from troth.rules.attestations import ATTESTATIONS
from troth.rules.binding import BINDING
from troth.rules.rows import POLICY
from troth.rules.shapes import Schema

FILES: Final = (*schema.FILES, "cases")


def json_schema(file: str) -> Schema:
    """Return the schema of one of `FILES`. Raises KeyError for another name."""
    return schema.document("a file of cases", _cases()) if file == "cases" else schema.json_schema(file)


def _cases() -> Schema:
    """Return the schema of a file; one that brings rules of its own brings its policy too."""
    path: Schema = {"type": "string"}
    sections = {
        "policy": POLICY.schema(), "rules": schema.rules(), "attestations": ATTESTATIONS.schema(),
        "binding": {"anyOf": [path, BINDING.schema()]}, "clock": INSTANT.schema(),
        "cases": {"type": "array", "items": CASE.schema()},
    }  # fmt: skip
    return {
        "type": "object",
        "properties": sections,
        "additionalProperties": False,
        "dependentRequired": {"rules": ["policy"], "attestations": ["policy"]},
        "dependentSchemas": {"policy": {"properties": {"binding": {"type": "object"}}}},
    }
