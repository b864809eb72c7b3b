"""The JSON Schema, held against the loader: it takes what the loader takes, and refuses what is wrong in shape."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.project.test_pages import BLOCKS, completed, kind_of, value
from tests.rules.as_json import read
from tests.rules.mutations import Mutation, mutations
from troth.cases import load_cases_text
from troth.cases.schema import FILES, json_schema
from troth.diagnostics import CODES, Diagnostic
from troth.model.words import Word
from troth.rules import load_inline, load_policy, load_texts
from troth.rules.binding import BINDING
from troth.rules.load import load_binding_text
from troth.rules.routes import ROUTE
from troth.rules.rows import VOCABULARY
from troth.rules.rulefile import RULE

ROOT = Path(__file__).parents[2]
GOLDEN = sorted((ROOT / "tests" / "golden").glob("*.yaml"))
TOONTRACK = ROOT / "policies" / "toontrack"
BINDINGS = [ROOT / "example_app" / "binding.yaml"]
SAMPLE = (Path(__file__).parent / "sample.yaml").read_text("utf-8")
SHAPE = {code for code in CODES if code.startswith("TR1")} - {"TR118", "TR120"}
"""Keys and values. That `of-X` refers to something, and that a list says nothing twice, a schema does not say."""


@cache
def schema(file: str) -> Any:
    return Draft202012Validator(json_schema(file))


def wrong(file: str, text: str) -> list[str]:
    """Return what the schema of a file says is wrong in a text."""
    return [f"{error.json_path}: {error.message[:200]}" for error in schema(file).iter_errors(read(text))]


# what a schema is ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", FILES)
def test_each_schema_is_a_schema_and_plain_json(file: str) -> None:
    made = json_schema(file)
    Draft202012Validator.check_schema(made)
    assert json.loads(json.dumps(made)) == made


def patterns(shown: Any) -> Iterator[str]:
    if isinstance(shown, dict):
        for key, value in shown.items():
            if key == "pattern" and isinstance(value, str):
                yield value
            else:
                yield from patterns(value)
    elif isinstance(shown, list):
        for value in shown:
            yield from patterns(value)


@pytest.mark.parametrize("file", FILES)
def test_patterns_are_those_of_other_languages_too(file: str) -> None:
    """ECMA 262 in its Unicode mode, which validators use, knows no escape of a character that means nothing itself."""
    for pattern in set(patterns(json_schema(file))):
        escapes = re.findall(r"\\(.)", pattern)
        assert set(escapes) <= set("wsSdu" + "^$\\.*+?()[]{}|/"), pattern
        assert "(?P" not in pattern, pattern


def test_each_word_stands_as_condition_or_duty_and_says_what_it_means() -> None:
    defs = json_schema("rules")["$defs"]
    words = {**defs["condition"]["properties"], **defs["duty"]["properties"]}
    assert set(words) == {*Word, "all", "any", "not"}
    assert [name for name, word in words.items() if name in set(Word) and not word.get("description")] == []


@pytest.mark.parametrize(
    ("file", "keys"), [("rules", RULE.keys), ("policy", VOCABULARY), ("binding", BINDING.keys), ("route", ROUTE.keys)]
)
def test_each_key_says_what_its_page_says(file: str, keys: dict[str, Any]) -> None:
    made = ROUTE.schema() if file == "route" else json_schema(file)
    shown = made["properties"]["rules"]["items"] if file == "rules" else made
    assert [key for key in keys if not shown["properties"][key].get("description")] == []


def test_a_description_is_the_text_of_the_page() -> None:
    made = json_schema("rules")["properties"]["rules"]["items"]["properties"]
    assert made["match"]["description"] == "which of them: a condition"


# what the loader takes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_file_fits(path: Path) -> None:
    assert wrong("cases", path.read_text("utf-8")) == []


@pytest.mark.parametrize("file", ["policy", "rules", "attestations"])
def test_the_files_of_a_policy_folder_fit(file: str) -> None:
    for folder in sorted((ROOT / "policies").iterdir()):
        path = folder / f"{file}.yaml"
        assert not path.exists() or wrong(file, path.read_text("utf-8")) == []


def test_files_of_cases_and_bindings_fit() -> None:
    cases = [
        *TOONTRACK.glob("rules_test.yaml"),
        *TOONTRACK.glob("cases/*.yaml"),
        *(ROOT / "tests" / "differential").glob("words.yaml"),
    ]
    found = {path.name: wrong("cases", path.read_text("utf-8")) for path in cases}
    found |= {path.name: wrong("binding", path.read_text("utf-8")) for path in BINDINGS}
    assert {name: errors for name, errors in found.items() if errors} == {}
    assert len(found) > 3


@pytest.mark.parametrize("file", ["policy", "rules", "attestations", "binding"])
def test_the_sections_of_the_sample_fit(file: str) -> None:
    assert [error.message for error in schema(file).iter_errors(read(SAMPLE)[file])] == []


def test_the_examples_of_the_pages_fit() -> None:
    found = {}
    for block in BLOCKS:
        given, text = value(block.body), block.body
        kind = kind_of(given)
        if kind == "inline":
            kind = "rules" if "none" in given else "cases"
            text = text if kind == "rules" else completed(text, block.page)
        found[block.place] = wrong(kind, text)
    assert {place: errors for place, errors in found.items() if errors} == {}
    assert len(found) > 40


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("policy", "data: {x: {strong: yes, personal: Off}}"),
        ("policy", "versions: [{id: 1.5, effective: 2026-01-01}, {id: true}]"),
        ("policy", "purposes: {x: , y: ~}"),
        ("policy", "events: [asked, 12]"),
        ("binding", "limits: {hold-request: 1024, depth: '12'}"),
        ("binding", "routes: {'GET /a/{größe}': {records: $.größe}}"),
        ("rules", "- {id: 12, clause: 4, for: exchange, expect: {status: [200, 3xx, open]}}"),
        ("rules", "- {id: x, clause: C, for: field, match: {basis: of-purpose, not: {consent: {of-purpose: any}}}}"),
    ],
)
def test_what_the_loader_reads_by_the_type_that_is_wanted_fits(file: str, text: str) -> None:
    if file == "binding":
        policy = load_texts({"policy.yaml": "identity: {id: shop}"}).require()
        found = load_binding_text(text, policy, name="binding.yaml").diagnostics
    else:
        indented = "".join(f"  {line}\n" for line in text.split("\n"))
        found = load_inline(f"{file}:\n{indented}").diagnostics
    assert [one.short() for one in found if one.code in SHAPE] == []
    assert wrong(file, text) == []


# what the loader refuses ---------------------------------------------------------------------------------------------


def cases(text: str) -> tuple[Diagnostic, ...]:
    return load_cases_text(text, name="file.yaml").diagnostics


def hold(file: str, one: Mutation, load: Callable[[str], tuple[Diagnostic, ...]]) -> bool:
    """Assert that schema and loader agree on a slip; return whether it is one of shape."""
    found = [each for each in load(one.text) if each.is_error]
    if any(each.code.startswith("TR0") for each in found):
        return False
    # A key of `writes` may be a parameter of what is written.
    bad = [each.short() for each in found if each.code in SHAPE and not each.message.endswith(" in `writes`")]
    refused = wrong(file, one.text)
    assert not bad or refused, f"{one}: the schema takes it, the loader says {bad}"
    assert not refused or found, f"{one}: the loader takes it, the schema says {refused}"
    return bool(bad)


def some(texts: list[str], kind: str, count: int) -> Iterator[Mutation]:
    chance = random.Random(5)
    for text in texts:
        slips = [one for one in mutations(text) if one.kind.startswith(kind)]
        yield from chance.sample(slips, min(count, len(slips)))


@pytest.mark.parametrize("kind", ["misspelt", "mistyped", "dropped"])
def test_slips_of_shape_in_golden_files_are_refused(kind: str) -> None:
    texts = [path.read_text("utf-8") for path in random.Random(3).sample(GOLDEN, 8)]
    shapes = [hold("cases", one, cases) for one in some(texts, kind, 6)]
    assert sum(shapes) > 5


@pytest.mark.parametrize("kind", ["misspelt", "mistyped", "dropped"])
def test_slips_of_shape_in_the_sample_are_refused(kind: str) -> None:
    shapes = [hold("cases", one, cases) for one in some([SAMPLE], kind, 60)]
    assert sum(shapes) > 5


@pytest.mark.real
@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_many_slips_of_shape_in_each_golden_file_are_refused(path: Path) -> None:
    slips = [one for one in mutations(path.read_text("utf-8")) if one.kind != "doubled"]
    for one in random.Random(path.stem).sample(slips, 120):
        hold("cases", one, cases)


@pytest.mark.real
def test_many_slips_of_shape_in_the_sample_are_refused() -> None:
    for one in random.Random(23).sample([one for one in mutations(SAMPLE) if one.kind != "doubled"], 500):
        hold("cases", one, cases)


@pytest.mark.real
def test_no_slip_of_shape_in_the_binding_of_the_shop_is_missed() -> None:
    policy = load_policy(TOONTRACK).require()
    for one in mutations(BINDINGS[0].read_text("utf-8")):
        if one.kind != "doubled":
            hold("binding", one, lambda text: load_binding_text(text, policy, name="file.yaml").diagnostics)
