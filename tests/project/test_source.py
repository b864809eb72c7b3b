"""Habits of the whole source: small functions, reasons beside every ignored check, no one else's prose."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ORIGINALS = ROOT.parent / "shared" / "sources"
RUN = 9  # so many words in a row as in an original are a quotation
LONGEST = 45

# A function of more lines needs a reason here: "file.py:name": "why it cannot be split"
LONG_FOR_A_REASON: dict[str, str] = {}


def project_files() -> list[Path]:
    """List what is tracked or would be, so that a forgotten `git add` hides nothing."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()]


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def text_of(path: Path) -> str:
    """Return the text, or nothing for a file that is no text."""
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        return ""


def long_functions(path: Path) -> dict[str, int]:
    tree = ast.parse(path.read_text("utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    lengths = {f"{path.relative_to(ROOT)}:{node.name}": (node.end_lineno or 0) - node.lineno + 1 for node in functions}
    return {name: lines for name, lines in lengths.items() if lines > LONGEST}


def test_no_function_is_longer_than_a_screen() -> None:
    found = {
        name: n
        for path in python_files("middleware", "example_app", "benchmarks")
        for name, n in long_functions(path).items()
    }
    assert {name: n for name, n in found.items() if name not in LONG_FOR_A_REASON} == {}
    assert set(LONG_FOR_A_REASON) <= set(found), "the allow-list names functions that are short by now"


@pytest.mark.parametrize(
    ("ignored", "wanted"),
    [
        (r"#\s*type:\s*ignore", r"#\s*type: ignore\[[a-z-]+(, ?[a-z-]+)*\]\s+#\s*\S.{3,}"),
        (r"#\s*noqa", r"#\s*noqa: [A-Z]+\d+(, ?[A-Z]+\d+)*\s+[-#–(]?\s*\S.{3,}"),
    ],
)
def test_every_ignored_check_names_its_code_and_its_reason(ignored: str, wanted: str) -> None:
    bare = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in python_files("middleware", "example_app", "benchmarks", "tests")
        if path != Path(__file__)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(ignored, line) and not re.search(wanted, line)
    ]
    assert bare == []


def test_nothing_waits_to_be_written_in_the_package() -> None:
    unfinished = re.compile(r"\b(TODO|FIXME|XXX)\b|raise NotImplementedError")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in python_files("middleware", "example_app", "benchmarks")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if unfinished.search(line)
    ]
    assert found == []


def test_no_address_of_a_package_index_is_committed() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    assert re.findall(r"https?://|--(?:extra-)?index|--find|--trusted", lock) == []
    pinned = re.findall(r"^([a-z0-9-]+)(?:\[[a-z0-9,-]+\])?==\S+ \\$", lock, re.M)
    assert len(pinned) > 20
    assert len(re.findall(r"^[a-z0-9]", lock, re.M)) == len(pinned), "something stands in the lock without a hash"


def test_the_project_explains_itself() -> None:
    """No sentence leans on a paper that a reader of the project does not have, or on somebody's folders."""
    elsewhere = re.compile(r"\b(DESIGN|INTERFACES)(\.md)?\b|\bSTYLE\.md\b|/work/|/tmp/|\.\./shared")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in project_files()
        if path != Path(__file__)
        for number, line in enumerate(text_of(path).splitlines(), 1)
        if elsewhere.search(line)
    ]
    assert found == []


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower().replace("’", "'"))


def runs(text: str) -> list[tuple[str, ...]]:
    listed = words(text)
    return [tuple(listed[i : i + RUN]) for i in range(len(listed) - RUN + 1)]


def test_no_sentence_of_an_original_policy_stands_in_the_project() -> None:
    """The policies are other people's texts: we restate them. The originals are not part of the project."""
    if not ORIGINALS.is_dir():
        pytest.skip("the original texts are not at hand")
    known = {run for path in ORIGINALS.glob("*.txt") for run in runs(path.read_text("utf-8"))}
    assert known
    found = [
        f"{path.relative_to(ROOT)}: {' '.join(run)}"
        for path in project_files()
        if path.name not in {"requirements.lock", "LICENSE"}
        for run in runs(text_of(path))
        if run in known
    ]
    assert found == []
