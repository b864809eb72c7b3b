"""One plan, two judges, one answer: the embedded engine phase by phase against the reference interpreter."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable

import pytest

from tests.differential.compare import Tally, compare
from tests.differential.corpus import Ground, grounds
from troth.model.words import Action, Mode, Phase

SEED = int(os.environ.get("TROTH_SEED", "20261122"))
GROUNDS = tuple(grounds())
GOLDEN = tuple(ground for ground in GROUNDS if ground.name[:2].isdigit())
WHOLE = tuple(ground for ground in GROUNDS if ground not in GOLDEN)
SHORT, LONG = 5_000, 100_000


def shares(total: int) -> dict[str, int]:
    """Spread a number of exchanges: most over the golden clauses, the rest over whole policies, which take longer."""
    many = total * 9 // 10
    spread = {ground.name: many // len(GOLDEN) + 1 for ground in GOLDEN}
    return spread | {ground.name: (total - many) // len(WHOLE) + 1 for ground in WHOLE}


def names(ground: Ground) -> str:
    return ground.name


@pytest.mark.parametrize("ground", GROUNDS, ids=names)
def test_both_engines_give_the_same_answer(ground: Ground) -> None:
    print(f"seed {SEED}")
    tally = compare(ground, SEED, shares(SHORT)[ground.name])
    assert tally.disagreements == []


@pytest.mark.real
def test_both_engines_give_the_same_answer_on_many_exchanges() -> None:
    print(f"seed {SEED}")
    tallies = {ground.name: compare(ground, SEED, shares(LONG)[ground.name]) for ground in GROUNDS}
    assert [line for tally in tallies.values() for line in tally.disagreements] == []
    rare = {ground.name: seldom(ground, tallies[ground.name], 200) for ground in GOLDEN}
    assert {name: found for name, found in rare.items() if found} == {}
    assert_everything_occurred(tallies.values())


def seldom(ground: Ground, tally: Tally, least: int) -> dict[str, tuple[int, int]]:
    """Return the rules that acted or rested less often, with both numbers."""
    counts = {rule.id: (tally.fired[rule.id], tally.rested[rule.id]) for rule in ground.policy.rules}
    off = {rule.id for rule in ground.policy.rules if rule.mode is Mode.OFF}
    return {name: pair for name, pair in counts.items() if min(pair) < least and name not in off}


def assert_everything_occurred(tallies: Iterable[Tally]) -> None:
    actions, denied, found = Counter[Action](), Counter[Phase](), Counter[Phase]()
    passed = 0
    for tally in tallies:
        actions.update(tally.actions)
        denied.update(tally.denied_at)
        found.update(tally.found_at)
        passed += tally.passed
    assert set(actions) == set(Action)
    assert set(found) == set(Phase)
    assert set(denied) >= {Phase.HEAD, Phase.REQUEST_BODY, Phase.RESPONSE_START, Phase.RESPONSE_BODY}
    assert passed
