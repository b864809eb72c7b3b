"""The bars that the golden clauses are held to."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.golden.corpus import files, fires, gives, lines_of_rules, load, rests

SHARED = Path(__file__).parents[3] / "shared" / "language" / "forty-clauses.yaml"
EVERY = pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)


def test_there_are_forty() -> None:
    assert [int(path.name[:2]) for path in files()] == list(range(1, 41))


@pytest.mark.skipif(not SHARED.exists(), reason="the worked example is not beside this checkout")
def test_each_entry_of_the_worked_example_has_its_file() -> None:
    entries = yaml.load(SHARED.read_text("utf-8"), Loader=yaml.SafeLoader)
    assert [path.stem for path in files()] == [f"{entry['n']:02}-{entry['clause']}" for entry in entries]


@EVERY
def test_a_clause_takes_at_most_four_rules_of_eight_lines(path: Path) -> None:
    golden = load(path)
    lines = lines_of_rules(golden.text)
    assert set(lines) == {rule.id for rule in golden.policy.rules}
    assert len(lines) <= 4
    assert {rule: n for rule, n in lines.items() if n > 8} == {}


@EVERY
def test_each_rule_fires_in_one_case_and_rests_in_another(path: Path) -> None:
    golden = load(path)
    for rule in golden.policy.rules:
        assert any(fires(rule, case) for case in golden.cases), f"{rule.id} never fires"
        assert any(rests(rule, case) for case in golden.cases), f"{rule.id} never rests"


@EVERY
def test_cases_have_names_of_their_own_and_an_expectation(path: Path) -> None:
    cases = load(path).cases
    assert len({case["id"] for case in cases}) == len(cases)
    for case in cases:
        assert case["clause"]
        assert {"reasons", "no-reason"} & set(case["expect"]), case["id"]


@EVERY
def test_each_expected_reason_is_one_that_a_rule_can_give(path: Path) -> None:
    golden = load(path)
    for case in golden.cases:
        for reason in case["expect"].get("reasons", []):
            assert any(gives(rule, reason) for rule in golden.policy.rules), (case["id"], reason)


@EVERY
def test_what_is_expected_to_be_silent_is_there(path: Path) -> None:
    golden = load(path)
    names = {name for rule in golden.policy.rules for name in (rule.id, *rule.clauses)}
    for case in golden.cases:
        silent = case["expect"].get("no-reason", [])
        assert silent is True or set(silent) <= names, case["id"]
