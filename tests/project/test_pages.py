"""The pages of the rule language, held against the code: every word, operator and phase; every example is run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.project.test_docs import DOCS, FENCE, PAGES, anchors, relative
from troth.cases import load_cases_text, run_files
from troth.engines.embedded.operators import _BUILDERS as OPERATORS
from troth.model.words import Phase
from troth.plan import compile_plan
from troth.plan.tables import Tables
from troth.rules import load_binding, load_inline
from troth.rules.binding import BINDING
from troth.rules.load import SECTIONS
from troth.rules.presets import PRESETS
from troth.rules.routes import ROUTE
from troth.rules.rows import VOCABULARY
from troth.rules.rulefile import RULE
from troth.rules.switches import load_switches
from troth.runtime.people import read_states

GRAMMAR, PHASES, PLAN, BINDING_PAGE = (DOCS / f"{name}.md" for name in ("grammar", "phases", "plan", "binding"))
WORDS_FOLDER = DOCS / "words"
TUTORIAL = DOCS / "tutorial.md"
"""Its blocks are parts of files, and saved, completed and run in `test_tutorial`."""


def section(page: Path, heading: str) -> str:
    """Return what stands under a heading, up to the next of its level or above."""
    text = page.read_text("utf-8")
    found = re.search(rf"(?ms)^(#+) {re.escape(heading)}\n(.*?)(?=^#{{1,3}} |\Z)", text)
    assert found is not None, f"{relative(page)} has no heading `{heading}`"
    return found[2]


def first_cells(page: Path, heading: str) -> list[str]:
    """Return the names in the first column of the tables under a heading."""
    rows = re.findall(r"(?m)^\| (`[^|]+`) +\|", section(page, heading))
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


# grammar and binding -------------------------------------------------------------------------------------------------


def keys(shape: object) -> set[str]:
    return set(shape.keys)  # type: ignore[attr-defined]  # every record has its keys


@pytest.mark.parametrize(
    ("page", "heading", "named"),
    [
        (GRAMMAR, "policy", set(VOCABULARY)),
        (GRAMMAR, "A rule", keys(RULE)),
        (BINDING_PAGE, "The file", keys(BINDING)),
        (BINDING_PAGE, "routes", keys(ROUTE)),
        (BINDING_PAGE, "presets", set(PRESETS)),
    ],
)
def test_every_key_is_in_the_table_of_its_section(page: Path, heading: str, named: set[str]) -> None:
    assert set(first_cells(page, heading)) == named


def test_every_page_that_a_finding_names_is_there() -> None:
    """`grammar except` is the heading `except` of grammar.md; `rule cookie` the page of that word."""
    source = "\n".join(path.read_text("utf-8") for path in DOCS.parent.rglob("*.py"))
    named = set(re.findall(r'"((?:rule|grammar|words|binding|cases|cli)(?: [a-z-]+)?)"', source)) - {"rule"}
    missing = []
    for name in sorted(named):
        page, _, heading = name.partition(" ")
        if page == "rule":
            found = (WORDS_FOLDER / f"{heading}.md").exists()
        else:
            found = not heading or bool({heading, f"troth-{heading}"} & anchors(DOCS / f"{page}.md"))
        if not found:
            missing.append(name)
    assert missing == []
    assert len(named) > 20


def test_every_page_is_in_the_index() -> None:
    named = set(re.findall(r"\]\(([a-z-]+\.md)\)", (DOCS / "index.md").read_text("utf-8")))
    assert named == {path.name for path in DOCS.glob("*.md")} - {"index.md"}


# plan and phases -----------------------------------------------------------------------------------------------------


def test_every_operator_of_the_plan_is_on_its_page() -> None:
    assert sorted(first_cells(PLAN, "Operators")) == sorted(OPERATORS)


def test_every_phase_is_on_its_page_in_order() -> None:
    assert first_cells(PHASES, "The five phases") == [phase.name.lower().replace("_", "-") for phase in Phase]


def written(part: Any) -> str:
    """Return an operator as the page writes it."""
    if isinstance(part, frozenset):
        return "{" + " ".join(sorted(part)) + "}"
    return f"({' '.join(map(written, part))})" if isinstance(part, tuple) else str(part)


def test_the_plan_of_the_page_is_the_plan_of_its_rule() -> None:
    (shown,) = (block["body"] for block in FENCE.finditer(PLAN.read_text("utf-8")) if block["kind"] == "text")
    inline = load_inline(completed("rules:\n" + yaml_of(PLAN)[0].body, PLAN), name="plan.md")
    assert inline.policy is not None, inline.diagnostics
    assert inline.binding is not None, inline.diagnostics
    (planned,) = compile_plan(Tables(inline.policy, inline.binding))
    ways = (f"way {written(way.op)}" + (f" by {', '.join(way.clauses)}" if way.clauses else "") for way in planned.ways)
    assert shown.split() == "\n".join([f"match {written(planned.match)}", *ways]).split()


# examples ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Block:
    """One YAML block of a page."""

    page: Path
    line: int
    body: str

    @property
    def place(self) -> str:
        return f"{relative(self.page)}:{self.line}"


def yaml_of(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    found = [block for block in FENCE.finditer(text) if block["kind"] == "yaml"]
    return [Block(page, text.count("\n", 0, block.start()) + 1, block["body"]) for block in found]


BLOCKS = [block for page in PAGES if page != TUTORIAL for block in yaml_of(page)]


def value(text: str) -> Any:
    return yaml.load(text, Loader=yaml.SafeLoader)


def indented(section: str, body: str) -> str:
    return f"{section}:\n" + "".join(f"  {line}\n" for line in body.splitlines())


def completed(body: str, page: Path) -> str:
    """Return an inline file: a block without policy takes it from its page's first that has one, else the grammar's."""
    given = value(body)
    if "policy" in given:
        return body
    bases = (one.body for one in yaml_of(page) if "policy" in value(one.body))
    base = next(bases, None) or indented("policy", next(one.body for one in yaml_of(GRAMMAR) if is_vocabulary(one)))
    lacking = [name for name in ("policy", "binding") if name not in given]
    parts = [part for part in re.split(r"(?m)^(?=\w)", base) if part.partition(":")[0] in lacking]
    return "".join([*parts, body])


def is_vocabulary(block: Block) -> bool:
    return "identity" in value(block.body)


def kind_of(given: Any) -> str:
    if isinstance(given, list):
        return "rules"
    if {"rules", "policy", "cases"} & set(given):
        return "inline"
    if set(given) <= keys(BINDING):
        return "binding"
    if all(isinstance(row, dict) and "who" in row for row in given.values()):
        return "switches"
    return "policy" if set(given) <= set(VOCABULARY) else "attestations"


def files_of(block: Block) -> Iterator[str]:
    """Yield the block as a whole file, whatever part of one it is."""
    given = value(block.body)
    match kind_of(given):
        case "rules":
            yield completed("rules:\n" + block.body, block.page)
        case "inline":
            yield completed(block.body, block.page)
        case "policy":
            yield indented("policy", block.body)
        case "attestations":
            yield completed(indented("attestations", block.body), block.page)
        case _:
            return


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_every_yaml_block_loads(block: Block, tmp_path: Path) -> None:
    given = value(block.body)
    if kind_of(given) == "switches":
        (tmp_path / "switches.yaml").write_text(block.body, "utf-8")
        assert len(load_switches(tmp_path / "switches.yaml")) == len(given)
    if kind_of(given) == "binding":
        base = load_inline(completed("rules: []\n", block.page), name=block.place)
        assert base.policy is not None
        found = load_binding(given, base.policy).diagnostics
        assert [str(one) for one in found if one.is_error] == []
    for text in files_of(block):
        sections = "".join(part for part in re.split(r"(?m)^(?=\w)", text) if part.partition(":")[0] in SECTIONS)
        found = load_inline(sections, name=block.place).diagnostics
        assert [str(one) for one in found if one.is_error] == []


def test_every_case_of_the_pages_holds() -> None:
    """Those of the pages of words are run in `test_words`."""
    files = [
        load_cases_text(completed(block.body, block.page), name=block.place)
        for block in BLOCKS
        if block.page.parent != WORDS_FOLDER and isinstance(value(block.body), dict) and "cases" in value(block.body)
    ]
    for file in files:
        assert [str(one) for one in file.diagnostics if one.is_error] == [], file.name
    tally = run_files(files)
    assert [(one.file, one.case.id, [str(failure) for failure in one.failures]) for one in tally.failed] == []
    assert tally.outcomes
    fired = {(one.file, rule) for one in tally.outcomes for rule in one.fired}
    quiet = [
        (file.name, rule.id)
        for file in files
        for rule in (file.policy.rules if file.policy is not None else ())
        if (file.name, rule.id) not in fired
    ]
    assert quiet == [], "an example shows what its rule does"


# programs ------------------------------------------------------------------------------------------------------------


def test_the_hooks_of_the_binding_page_tell_what_a_binding_can_read() -> None:
    told: dict[str, Any] = {}
    for block in FENCE.finditer(BINDING_PAGE.read_text("utf-8")):
        if block["kind"] == "python":
            exec(compile(block["body"], "binding.md", "exec"), told)
    assert told["actor"]({}) is None
    somebody = told["actor"]({"session": {"user": "ann", "staff": True, "email": "ann@example.com"}})
    assert somebody == {"id": "ann", "roles": ["staff"], "known": {"email": "ann@example.com"}}
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    held, age = read_states(told["states"](["ann"])["ann"], {"restricted": (), "objected": ("purpose",)}, now)
    assert held == {("restricted", ()), ("objected", (("purpose", "analytics"),))}
    assert age is not None
    assert (age.low, age.high) == (12, 13)
