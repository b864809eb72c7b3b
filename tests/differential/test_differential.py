"""One plan, two judges, one answer: the embedded engine phase by phase against the reference interpreter."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tests.differential.compare import Tally, compare
from tests.differential.corpus import Ground, grounds
from troth.model.words import Action, Mode, Phase

SEED = int(os.environ.get("TROTH_SEED", "20261122"))
GROUNDS = {ground.name: ground for ground in grounds()}
GOLDEN = tuple(name for name in GROUNDS if name[:2].isdigit())
OTHER = tuple(name for name in GROUNDS if name not in GOLDEN)
SHORT, LONG, PIECE, OFTEN = 5_000, 500_000, 5_000, 200
_LONG_SHARES = {"toontrack": 0.3, "toontrack-in-shop": 0.04, "words": 0.04}
"""A whole policy is drawn for often enough that each of its 85 rules acts."""


def shares(total: int) -> dict[str, int]:
    """Spread a number of exchanges: most over the golden clauses, the rest over whole policies, which take longer."""
    many = total * 9 // 10
    spread = {name: many // len(GOLDEN) + 1 for name in GOLDEN}
    return spread | {name: (total - many) // len(OTHER) + 1 for name in OTHER}


def pieces(total: int) -> list[tuple[str, int, int]]:
    """Cut a long run into name, seed and number: pieces that processes take one by one, the long ones first."""
    spread = {name: int(total * share) for name, share in _LONG_SHARES.items()}
    spread |= {name: (total - sum(spread.values())) // len(GOLDEN) + 1 for name in GOLDEN}
    return [
        (name, SEED + number, min(PIECE, count - number * PIECE))
        for name, count in spread.items()
        for number in range(-(-count // PIECE))
    ]


def judged(piece: tuple[str, int, int]) -> tuple[str, Tally]:
    """Judge one piece, in a process of its own."""
    name, seed, count = piece
    return name, compare(GROUNDS[name], seed, count)


@pytest.mark.parametrize("name", GROUNDS)
def test_both_engines_give_the_same_answer(name: str) -> None:
    print(f"seed {SEED}")
    tally = compare(GROUNDS[name], SEED, shares(SHORT)[name])
    assert tally.disagreements == []


@pytest.mark.real
def test_both_engines_give_the_same_answer_on_many_exchanges(capsys: pytest.CaptureFixture[str]) -> None:
    cut, tallies = pieces(LONG), {name: Tally() for name in GROUNDS}
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for name, tally in pool.map(judged, cut):
            tallies[name].add(tally)
    judgements, seeds = sum(count for *_, count in cut), sorted({seed for _, seed, _ in cut})
    with capsys.disabled():
        print(f"\n{judgements:,} exchanges over {len(tallies)} policies, seeds {seeds[0]} to {seeds[-1]}")
    assert [line for tally in tallies.values() for line in tally.disagreements] == []
    rare = {name: seldom(GROUNDS[name], tallies[name], OFTEN) for name in (*GOLDEN, "toontrack")}
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
