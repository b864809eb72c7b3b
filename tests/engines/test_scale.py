"""Thousands of rules cost a request no more than a few do, and are read in less than thrice the time of YAML."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.bench_scale import FEW, MANY, check_over_compose, guarded, requests
from benchmarks.harness import drive, new_loop


def calls_per_request(count: int, at: Path) -> float:
    loop, app, seen = new_loop(), guarded(count, at), 0
    loop.run_until_complete(drive(app, requests(50)))

    def note(frame: object, event: str, argument: object) -> None:
        nonlocal seen
        seen += event in ("call", "c_call")

    asked = requests(100)
    sys.setprofile(note)
    try:
        loop.run_until_complete(drive(app, asked))
    finally:
        sys.setprofile(None)
    loop.close()
    return seen / len(asked)


def test_a_request_takes_no_more_calls_with_many_rules_than_with_few(tmp_path):
    few = calls_per_request(FEW, tmp_path / "few")
    assert few > 50
    assert calls_per_request(FEW * 20, tmp_path / "many") <= 1.1 * few


@pytest.mark.real
def test_five_thousand_rules_take_no_more_calls_and_are_checked_in_thrice_the_time_of_yaml(tmp_path):
    assert calls_per_request(MANY, tmp_path / "many") <= 1.1 * calls_per_request(FEW, tmp_path / "few")
    assert check_over_compose(rounds=1) <= 3
