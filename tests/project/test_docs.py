"""The documentation, held against what it speaks of: a name that a user may meet and no page explains fails here."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "middleware" / "troth" / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "benchmarks" / "README.md"])
FENCE = re.compile(r"^(?P<tick>```+)(?P<kind>\S*)[^\n]*\n(?P<body>.*?)^(?P=tick)\s*$", re.M | re.S)
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\((?P<to>[^)\s]+)\)")
HEADING = re.compile(r"^#+\s+(.*?)\s*#*$", re.M)
SET_BY_ENVIRONMENT = re.compile(r"\bTROTH_[A-Z_]+\b")
EXIT_CODES = range(8)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def prose(page: Path) -> str:
    """Return a page without its code blocks."""
    return FENCE.sub("", page.read_text("utf-8"))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page, as GitHub makes them of its headings."""
    headings = (re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in HEADING.findall(prose(page)))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> Iterator[str]:
    for found in LINK.finditer(prose(page)):
        to = found["to"]
        if re.match(r"[a-z]+:", to):
            continue
        name, _, anchor = to.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            yield f"{relative(page)}: {to}"


def documented() -> str:
    """Return all prose and code of the manual: the README and the pages that travel with the package."""
    return "\n".join(page.read_text("utf-8") for page in PAGES if page.name != "CHANGELOG.md")


def test_every_link_leads_somewhere() -> None:
    assert [line for page in PAGES for line in broken_links(page)] == []


def blocks(kind: str) -> list[tuple[str, str]]:
    """Return every fenced block of a kind with where it stands."""
    found = []
    for page in PAGES:
        text = page.read_text("utf-8")
        for block in FENCE.finditer(text):
            if block["kind"] == kind:
                found.append((f"{relative(page)}:{text.count(chr(10), 0, block.start()) + 1}", block["body"]))
    return found


def doubled_keys(node: yaml.Node | None) -> Iterator[str]:
    """Yield the keys that a mapping holds twice, at any depth."""
    if isinstance(node, yaml.MappingNode):
        names = [key.value for key, _ in node.value]
        yield from (str(name) for name in set(map(str, names)) if list(map(str, names)).count(name) > 1)
        for _, value in node.value:
            yield from doubled_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from doubled_keys(item)


def test_every_yaml_block_is_yaml_without_a_key_twice() -> None:
    for place, body in blocks("yaml"):
        try:
            assert list(doubled_keys(yaml.compose(body))) == [], place
        except yaml.YAMLError as error:
            pytest.fail(f"{place}: {error}")


def test_every_python_block_compiles() -> None:
    for place, body in blocks("python"):
        compile(body, place, "exec", flags=0)


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    named = set(re.findall(r"(?:`|^)make ([a-z][a-z-]*)", documented(), re.M))
    assert {"demo", "test"} <= named <= targets


def test_every_setting_of_the_middleware_is_explained() -> None:
    from troth import PolicyMiddleware

    settings = set(inspect.signature(PolicyMiddleware).parameters) - {"app"}
    text = documented()
    assert {name for name in settings if not re.search(rf"`{name}\b", text)} == set()


def test_every_environment_variable_is_explained() -> None:
    used = {
        name
        for path in (ROOT / "middleware").rglob("*.py")
        for name in SET_BY_ENVIRONMENT.findall(path.read_text("utf-8"))
    }
    text = documented()
    assert {name for name in used if name not in text} == set()


def test_every_diagnostic_code_is_explained() -> None:
    from troth.diagnostics import CODES

    text = documented()
    assert [code for code in CODES if not re.search(rf"\b{code}\b", text)] == []


def help_of(*verbs: str) -> str:
    """Return what ``troth VERBS --help`` prints."""
    command = [sys.executable, "-c", "import sys; from troth.cli import main; sys.exit(main())", *verbs, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def verbs_below(*verbs: str) -> Iterator[tuple[str, ...]]:
    """Yield every verb of the command, and the verbs below it."""
    _, _, listed = help_of(*verbs).partition("\nCommands:\n")
    for name in re.findall(r"^  (\S+)", listed, re.M):
        yield (*verbs, name)
        yield from verbs_below(*verbs, name)


def test_every_verb_and_option_of_the_command_is_explained() -> None:
    text, missing, found = documented(), [], list(verbs_below())
    for verbs in found:
        name = " ".join(("troth", *verbs))
        if name not in text:
            missing.append(name)
        options = set(re.findall(r"(?<!\S)--[a-z-]+", help_of(*verbs))) - {"--help"}
        missing += [f"{name} {option}" for option in sorted(options) if option not in text]
    assert missing == []
    assert len(found) > 5


def test_every_exit_code_is_explained() -> None:
    text = documented()
    assert [code for code in EXIT_CODES if not re.search(rf"^\|?\s*`?{code}`?\s*\|", text, re.M)] == []


def test_the_changelog_has_a_place_for_what_is_not_released() -> None:
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text("utf-8")
