"""The restatements are ours: no long run of an original policy's words stands in a policy folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
POLICIES = ROOT / "policies"
SHARED = ROOT.parent / "shared"
SOURCES = SHARED / "sources"
REGISTER = SHARED / "promises"
RUN = 9
"""So many of an original's words in a row are a quotation."""

Run = tuple[str, ...]


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower().replace("\u2019", "'"))


def runs(text: str, length: int = RUN) -> Iterator[Run]:
    found = words(text)
    return (tuple(found[start : start + length]) for start in range(len(found) - length + 1))


def headings(policy: Path) -> list[str]:
    return re.findall(r"^### (\S+)$", policy.read_text(encoding="utf-8"), re.MULTILINE)


def policy_files() -> list[Path]:
    return sorted(path for path in POLICIES.rglob("*") if path.suffix in {".md", ".yaml", ".lock"})


@pytest.fixture(scope="module")
def original_runs() -> set[Run]:
    if not SOURCES.is_dir():
        pytest.skip("the original texts are not beside this checkout")
    return {run for path in SOURCES.glob("*.txt") for run in runs(path.read_text(encoding="utf-8"))}


def register_ids(slug: str) -> list[str]:
    path = REGISTER / f"{slug}.yaml"
    if not path.is_file():
        pytest.skip("the register is not beside this checkout")
    return re.findall(r"^- id: (\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("path", policy_files(), ids=lambda path: str(path.relative_to(POLICIES)))
def test_no_original_sentence_stands_in_a_policy_folder(path: Path, original_runs: set[Run]) -> None:
    lines = path.read_text(encoding="utf-8").split("\n")
    quoted = [number for number, line in enumerate(lines, 1) if any(run in original_runs for run in runs(line))]
    assert not quoted, f"lines that quote: {quoted}"


@pytest.mark.parametrize("slug", ["toontrack"])
def test_every_clause_is_restated_once_in_the_order_of_the_original(slug: str) -> None:
    assert headings(POLICIES / slug / "policy.md") == register_ids(slug)


@pytest.mark.parametrize("slug", ["toontrack"])
def test_every_restatement_says_something(slug: str) -> None:
    text = (POLICIES / slug / "policy.md").read_text(encoding="utf-8")
    entries = re.findall(r"^### (\S+)\n\n(.+)\n", text, re.MULTILINE)
    assert len(entries) == len(headings(POLICIES / slug / "policy.md"))
    assert [clause for clause, said in entries if len(words(said)) < 5] == []
