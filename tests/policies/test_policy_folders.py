"""A policy folder loads without errors, accounts honestly for its clauses, and keeps its rules short."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from troth.model.policy import Policy
from troth.rules import Loaded, check_together, load_policy
from troth.rules.coverage import State, coverage

POLICIES = Path(__file__).resolve().parents[2] / "policies"
ROOT = POLICIES.parent
SLUGS = ("toontrack",)
FOLDERS = tuple(POLICIES / slug for slug in SLUGS)
TODAY = date(2026, 11, 28)


@pytest.fixture(scope="module", params=SLUGS)
def loaded(request: pytest.FixtureRequest) -> Loaded:
    return load_policy(POLICIES / request.param)


@pytest.fixture
def policy(loaded: Loaded) -> Policy:
    return loaded.require()


def rule_texts(slug: str) -> Iterator[str]:
    text = (POLICIES / slug / "rules.yaml").read_text(encoding="utf-8")
    listed = text.partition("\nrules:\n")[2].partition("\nnone:\n")[0]
    return iter(re.split(r"^(?=- id: )", listed, flags=re.MULTILINE)[1:])


def counted_lines(rule: str) -> list[str]:
    """The lines of a rule without comments, exceptions and readings, which may be as long as they need."""
    plain = [line for line in rule.split("\n") if line.strip() and not line.lstrip().startswith("#")]
    kept: list[str] = []
    aside = False
    for line in plain:
        if re.match(r"(- |  )\w", line):
            aside = line.lstrip().startswith(("except:", "reading:"))
        if not aside:
            kept.append(line)
    return kept


def test_a_policy_folder_loads_without_errors(loaded: Loaded) -> None:
    found = (*loaded.diagnostics, *check_together(loaded, None))
    assert [str(one) for one in found if one.is_error] == []
    assert loaded.ok


@pytest.mark.parametrize("slug", SLUGS)
def test_no_rule_is_longer_than_eight_lines(slug: str) -> None:
    rules = list(rule_texts(slug))
    assert len(rules) == len(load_policy(POLICIES / slug).require().rules)
    assert [rule.split("\n")[0] for rule in rules if len(counted_lines(rule)) > 8] == []


def test_no_clause_needs_more_than_four_rules(policy: Policy) -> None:
    cited = Counter(clause for rule in policy.rules for clause in rule.clauses)
    assert {clause: count for clause, count in cited.items() if count > 4} == {}


def test_every_clause_is_accounted_for_and_none_says_why(policy: Policy) -> None:
    found = coverage(policy, today=TODAY)
    assert [one.id for one in found.clauses] == [clause.id for clause in policy.clauses]
    assert all(one.reason for one in found.clauses if one.state in (State.NONE, State.OPEN))
    assert {one.id for one in found.clauses if one.state is State.NONE} == set(policy.none)


def test_no_clause_is_open(policy: Policy) -> None:
    assert [one.id for one in coverage(policy, today=TODAY).clauses if one.state is State.OPEN] == []


def test_what_people_vouched_for_is_open_again_when_their_word_has_run_out(policy: Policy) -> None:
    later = {one.id: one.state for one in coverage(policy, today=date(2027, 11, 28)).clauses}
    attested = [one.id for one in coverage(policy, today=TODAY).clauses if one.state is State.ATTESTED]
    assert attested
    assert {later[name] for name in attested} == {State.OPEN}


def test_statements_run_out_and_name_their_evidence(policy: Policy) -> None:
    for one in policy.attestations:
        assert one.dated is not None
        assert one.expires is not None
        assert one.dated < one.expires <= one.dated.replace(year=one.dated.year + 1)
        named = re.findall(r"(?:example_app|\.ci)[\w/.]*\w|policy\.yaml|requirements\.lock", one.evidence or "")
        assert named or "list under" in (one.evidence or ""), one.id
        assert [name for name in named if not any((root / name).exists() for root in (ROOT, FOLDERS[0]))] == []


def test_nobodys_statement_is_made_up(policy: Policy) -> None:
    assert [one.id for one in policy.attestations if one.dated is None or not one.evidence] == []
