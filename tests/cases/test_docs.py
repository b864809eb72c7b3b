"""The page of cases: what it shows holds, and what a case may say is said there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import troth
from troth.cases import files, load_cases_text, messages, run_files, situation, things, wishes
from troth.rules.shapes import Record

PAGE = Path(troth.__file__).parent / "docs" / "cases.md"
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)


def keys() -> Iterator[tuple[str, str]]:
    for module in (files, messages, situation, things, wishes):
        for value in vars(module).values():
            if isinstance(value, Record):
                yield from ((value.what, key) for key in value.keys)


@pytest.mark.parametrize("text", BLOCKS, ids=lambda text: text.split("\n")[1].strip())
def test_every_example_holds(text: str) -> None:
    file = load_cases_text(text, name="cases.yaml")
    assert [one.short() for one in file.diagnostics] == []
    tally = run_files([file])
    assert [(one.case.id, one.failures) for one in tally.failed] == []
    assert len(tally.outcomes) == len(file.cases) > 3


def test_there_are_examples() -> None:
    assert len(BLOCKS) >= 2


def test_every_key_of_a_case_is_explained() -> None:
    text = PAGE.read_text("utf-8")
    missing = {(what, key) for what, key in keys() if not re.search(rf"`[^`\n]*(?<![\w-]){key}(?![\w-])[^`\n]*`", text)}
    assert missing == set()


def test_every_rule_of_the_first_example_fires_and_rests() -> None:
    counts: dict[str, Any] = run_files([load_cases_text(BLOCKS[0])]).per_rule()
    assert set(counts) == {"wait-for-consent", "stay-in-the-row", "restricted-means-restricted"}
    assert all(fires and rests for fires, rests in counts.values())
