"""What does each step of the request path cost? Every row does what the row above does, and one thing more.

``python -m benchmarks.bench_steps`` prints a table per kind of request. Ratios are to the bare app of the same run.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import harness
from benchmarks.bench_middleware import BASE, QUESTIONS, BasePassOn, PassOn, Question, Row, summaries
from benchmarks.harness import Case, Sandwich
from benchmarks.target import target
from benchmarks.traffic import Traffic
from troth._types import ASGIApp


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One row: its name, and the app as it stands with this step and all before it."""

    name: str
    make: Callable[[], ASGIApp]


STEPS: tuple[Step, ...] = (
    Step(name="none", make=target),
    Step(name="send wrapper", make=lambda: PassOn(target())),
    Step(name=BASE, make=lambda: BasePassOn(target())),
)


def measure(question: Question, options: argparse.Namespace) -> Row:
    """Measure all steps on one kind of request in this process."""
    requests = Traffic(seed=7).requests(question.path, cookies=question.cookies)
    bare = Case(name="bare", app=target(), requests=requests)
    cases = [Case(name=step.name, app=step.make(), requests=requests) for step in STEPS]
    sandwich = Sandwich(harness.new_loop(), bare, seed=options.worker)
    return summaries(sandwich.measure(cases, rounds=options.rounds))


def print_steps(question: Question, rows: list[Row]) -> None:
    """Print what each step adds to the row above it, in µs of this machine and as a share of what Base adds."""
    ratio = {name: harness.middle([row[name]["ratio"] for row in rows]) for name in rows[0]}
    bare = harness.middle([row["none"]["micros"] for row in rows])
    print(f"\n{question.name:40}   ÷ bare  added µs  step µs  ÷ Base")
    above = 1.0
    for name, value in ratio.items():
        share = (value - 1) / (ratio[BASE] - 1)
        print(f"{name:40} {value:8.3f} {(value - 1) * bare:9.2f} {(value - above) * bare:8.2f} {share:7.3f}")
        above = value


def main() -> int:
    """Measure in processes of their own and print. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="bench_steps", description=__doc__)
    parser.add_argument("--rounds", type=int, default=61)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        harness.alone_on_a_core()
        print(json.dumps({question.name: measure(question, options) for question in QUESTIONS}))
        return 0
    found = harness.in_processes("benchmarks.bench_steps", processes=options.processes, arguments=sys.argv[1:])
    print(harness.versions("starlette", "uvloop"))
    for question in QUESTIONS:
        print_steps(question, [rows[question.name] for rows in found])
    return 0


if __name__ == "__main__":
    sys.exit(main())
