"""The tutorial, walked: its files are saved, its commands typed one by one, and what is shown is what comes."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project.test_docs import DOCS, FENCE
from tests.project.test_readme import Reader
from troth.cli import main

PAGE = DOCS / "tutorial.md"
SAVED = re.compile(r"(Save (?:it|them|both) as|Add to)\s+`([^`]+)`:\s*\Z")
"""The words before a block that is a file, or the rest of one."""
EXITS = re.compile(r"# exits (\d)$")


class Learner(Reader):
    """Somebody who follows the tutorial in an empty folder."""

    def type(self, line: str) -> None:
        """Do what one line of a shell does; of the command, what it prints is kept until the next shell block."""
        words = shlex.split(line, comments=True)
        if words[0] == "sed":
            subprocess.run(words, check=True)
        elif words[0] == "troth" and "verify" not in words:
            self.out.readouterr()
            code = EXITS.search(line)
            assert main(words[1:]) == (int(code[1]) if code else 0), line
            told = self.out.readouterr()
            self.printed += told.out + told.err
        else:
            super().type(line)

    def serve(self, name: str) -> None:
        """Start the app as it is saved now."""
        self.program = Path("app.py").read_text("utf-8")
        super().serve(name)

    def shown(self, text: str) -> None:
        """Hold what was printed to what is shown; `…` stands for what differs from one run to another."""
        printed = " ".join(self.printed.split())
        parts = [" ".join(part.split()) for part in text.split("…")]
        found = re.search(".*?".join(map(re.escape, parts)), printed)
        assert found, f"{text}\n--- is not what came:\n{self.printed}"


def steps() -> Iterator[tuple[str, str, str]]:
    """Yield the blocks of the page: the words before each, its kind and its text."""
    text, at = PAGE.read_text("utf-8"), 0
    for block in FENCE.finditer(text):
        yield text[at : block.start()], block["kind"], block["body"]
        at = block.end()


def save(before: str, body: str) -> None:
    """Write a file where the words before a block say so."""
    found = SAVED.search(before)
    assert found is not None, f"where does this go? {before[-60:]}"
    path = Path(found[2])
    path.parent.mkdir(exist_ok=True)
    with path.open("a" if found[1] == "Add to" else "x", encoding="utf-8") as file:
        file.write(body)


def test_the_tutorial_comes_out_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("TROTH_HOME", raising=False)
    monkeypatch.delitem(sys.modules, "people", raising=False)
    learner = Learner("", capsys)
    shown = 0
    try:
        for before, kind, body in steps():
            match kind:
                case "sh":
                    learner.printed = ""
                    for line in body.splitlines():
                        learner.type(line)
                case "text":
                    learner.shown(body)
                    shown += 1
                case "http":
                    learner.compare(body)
                    shown += 1
                case _:
                    save(before, body)
    finally:
        learner.stop()
        sys.modules.pop("people", None)
    assert shown > 10
