"""The page about the trail, held against the code: every kind of finding with its exit code, every member, one line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import troth
from tests.audit.conftest import Open
from troth.audit.verify import Finding, FindingKind, Report

PAGE = (Path(troth.__file__).parent / "docs" / "trail.md").read_text("utf-8")


def exit_code_of(kind: FindingKind) -> int:
    found = Finding(file="x", line=1, kind=kind, message="")
    return Report(findings=(found,), segments=1, streams=1, lines=1, anchored=1, entries=1).exit_code


def test_every_kind_of_finding_is_listed_with_its_exit_code() -> None:
    listed = dict(re.findall(r"^\| `([^`]+)` \| (\d) \|", PAGE, re.M))
    assert listed == {kind.value: str(exit_code_of(kind)) for kind in FindingKind}


def test_every_member_that_the_writer_adds_is_explained(open_trail: Open) -> None:
    trail = open_trail()
    trail.stream().write(b'"kind":"exchange"')
    opened, line = next(trail.directory.glob("access-*")).read_bytes().splitlines()
    names = {*json.loads(opened), *json.loads(line)}
    assert {name for name in names if f"`{name}`" not in PAGE} == set()


# The package's own front imports everything, so it is left out here.
LOAD_VERIFY = """
import sys, types
troth = sys.modules["troth"] = types.ModuleType("troth")
troth.__path__ = [sys.argv[1]]
import troth.audit.verify
print(*[name for name in sys.modules if name.startswith("troth.")])
"""


def test_verification_needs_nothing_of_the_writer() -> None:
    command = [sys.executable, "-c", LOAD_VERIFY, str(Path(troth.__file__).parent)]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "troth.audit.verify.lines" in loaded
    assert [name for name in loaded if not name.startswith("troth.audit.verify")] == ["troth.audit"]
