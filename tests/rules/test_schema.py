"""The JSON Schema is made from the grammar: it names every key and word, and no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from troth.model.words import Word
from troth.rules.nodes import Mapping, Node, Scalar, Sequence
from troth.rules.schema import FILES, json_schema
from troth.rules.yaml import compose, decode

SAMPLE = Path(__file__).parent / "sample.yaml"


@pytest.mark.parametrize("file", FILES)
def test_a_schema_is_plain_json(file: str) -> None:
    assert json.loads(json.dumps(json_schema(file)))["title"] == f"{file}.yaml"


def test_each_word_stands_as_condition_or_duty() -> None:
    defs = json_schema("rules")["$defs"]
    named = set(defs["condition"]["properties"]) | set(defs["duty"]["properties"])
    assert named == {*Word, "all", "any", "not"}


@pytest.mark.parametrize("file", FILES)
def test_what_the_loader_takes_the_schema_takes(file: str) -> None:
    source, _ = decode(SAMPLE.read_bytes(), "sample.yaml")
    node, _ = compose(source)
    assert isinstance(node, Mapping)
    section = node.get(file)
    assert section is not None
    schema = json_schema(file)
    assert fits(section, schema, schema)


def fits(node: Node, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """Whether the keys of a node are those of a schema; the little of JSON Schema that the grammar uses."""
    if "$ref" in schema:
        return fits(node, root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root)
    if "anyOf" in schema:
        return any(fits(node, one, root) for one in schema["anyOf"])
    match node:
        case Mapping():
            return "object" in kinds(schema) and all(fits_key(key.text, value, schema, root) for key, value in node)
        case Sequence():
            return "array" in kinds(schema) and all(fits(one, schema.get("items", {}), root) for one in node)
        case Scalar():
            return node.text in schema["enum"] if "enum" in schema else not {"object", "array"} >= kinds(schema)


def fits_key(name: str, value: Node, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    properties = schema.get("properties", {})
    if name in properties:
        return fits(value, properties[name], root)
    more = schema.get("additionalProperties", True)
    return more is True or (isinstance(more, dict) and fits(value, more, root))


def kinds(schema: dict[str, Any]) -> set[str]:
    found = schema.get("type", [])
    return {found} if isinstance(found, str) else set(found) or {"any"}
