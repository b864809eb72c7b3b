"""Scenarios of Toontrack, written from the clauses by somebody who had not read the rules; each file has a binding."""

from __future__ import annotations

from pathlib import Path

import pytest

from troth.cases import load_cases, run_files
from troth.cases.report import as_text
from troth.model.policy import Policy
from troth.rules.load import load_policy

FOLDER = Path(__file__).resolve().parents[2] / "policies" / "toontrack"
SCENARIOS = sorted((Path(__file__).parent / "toontrack").glob("*.yaml"))


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy(FOLDER).require()


def test_there_are_scenarios() -> None:
    assert SCENARIOS


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenarios_hold(path: Path, policy: Policy) -> None:
    file = load_cases(path, policy)
    assert [str(one) for one in file.diagnostics if one.is_error] == []
    assert file.cases
    tally = run_files([file])
    assert not tally.failed, as_text(tally, {})
