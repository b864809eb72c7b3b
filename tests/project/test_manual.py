"""The manual as the package reads it: by the names that findings give their pages."""

from __future__ import annotations

import re

import pytest

from tests.project.test_docs import DOCS
from troth import manual
from troth.diagnostics import CODES
from troth.rules.words import WORDS

SOURCES = "\n".join(path.read_text("utf-8") for path in DOCS.parent.rglob("*.py"))
NAMES = set(re.findall(r'docs="((?:rule|grammar|words|binding|cases|cli|running)(?: [a-z-]+)?)"', SOURCES))


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_name_that_a_finding_gives_its_page_is_found(name: str) -> None:
    assert manual.find(name)


@pytest.mark.parametrize("code", CODES)
def test_each_code_has_a_section_of_its_own(code: str) -> None:
    said = manual.find(f"diagnostics {code}")
    assert said is not None
    assert said.startswith(f"### {code}: ")
    assert said.count("\n### ") == said.count("\n## ") == 0


@pytest.mark.parametrize("word", WORDS)
def test_the_summary_of_a_word_is_the_first_sentence_of_its_page(word: str) -> None:
    said = manual.summary(f"rule {word}")
    assert said is not None
    assert said in " ".join((DOCS / "words" / f"{word}.md").read_text("utf-8").split())
    assert said.endswith(".")


def test_a_section_ends_where_the_next_of_its_level_or_above_begins() -> None:
    said = manual.section("grammar", "none")
    assert said is not None
    assert said.startswith("### none\n")
    assert "### remainder" not in said
    assert "rules:\n" in said, "a heading inside a block is none, and the block belongs to the section"


def test_a_key_is_what_its_row_says_without_links() -> None:
    assert manual.key("grammar", "otherwise") == "the action, or a list of them, if the condition or duty does not hold"
    assert manual.key("binding", "routes") == "what each route is for"
    assert manual.key("grammar", "nothing-of-that-name") is None


@pytest.mark.parametrize(
    "name", ["", "../errors", "grammar nothing", "rule ../grammar", "TR999", "words/", "/etc/hosts"]
)
def test_a_name_without_a_page_is_nothing_and_no_way_out(name: str) -> None:
    assert manual.find(name) is None
    assert manual.summary(name) is None
