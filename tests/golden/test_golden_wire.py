"""The golden clauses and the policy folders, run: every case holds on the wire, and both engines agree."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from tests.golden.corpus import files
from troth.cases import CaseFile, Tally, case_paths, load_cases, load_files, run_files
from troth.model.words import Carrier
from troth.rules import load_policy

ROOT = Path(__file__).parents[2]
POLICIES = sorted(path.parent for path in (ROOT / "policies").glob("*/rules_test.yaml"))


def told(tally: Tally) -> list[str]:
    return [f"{one.case.id}: {failure}" for one in tally.failed for failure in one.failures]


@cache
def run_golden(path: Path) -> tuple[CaseFile, Tally]:
    file = load_cases(path)
    return file, run(file)


def run(file: CaseFile) -> Tally:
    assert [one.short() for one in file.diagnostics if one.is_error] == []
    return run_files([file])


@pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)
def test_every_case_of_a_golden_clause_holds(path: Path) -> None:
    _, tally = run_golden(path)
    assert told(tally) == []
    assert tally.outcomes


@pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)
def test_every_rule_of_a_golden_clause_fires_and_rests_when_run(path: Path) -> None:
    file, tally = run_golden(path)
    assert file.policy is not None
    counts = tally.per_rule()
    assert {rule.id for rule in file.policy.rules if not all(counts.get(rule.id, (0, 0)))} == set()


@pytest.mark.parametrize("folder", POLICIES, ids=lambda folder: folder.name)
def test_every_case_of_a_policy_folder_holds(folder: Path) -> None:
    files = load_files(case_paths(folder), load_policy(folder).require())
    assert [one.short() for file in files for one in file.diagnostics if one.is_error] == []
    named = [case.id for file in files for case in file.cases]
    assert len(set(named)) == len(named)
    tally = run_files(files)
    assert told(tally) == []
    assert len(tally.outcomes) > 100
    assert tally.waiting == []


def test_at_most_a_few_golden_cases_wait_for_what_is_not_there_yet() -> None:
    waiting = [case.id for path in files() for case in load_cases(path).cases if case.waits]
    assert len(waiting) <= 1


def test_only_what_no_filter_reads_yet_is_given_as_facts() -> None:
    """Elements, what the trail would hold, and what happens by the clock; all else stands on the wire."""
    by_clock = {"erasure-requested"}
    facts = [case.facts for path in files() for case in load_cases(path).cases if case.facts is not None]
    assert len(facts) > 20
    assert [one.records for one in facts if one.records] == []
    assert {field.carrier for one in facts for field in one.fields} == {Carrier.TRAIL}
    assert {event.name for one in facts for event in one.events} == by_clock
    assert [one for one in facts if one.page is not None and not one.elements] == []
