"""What does a middleware add to a request: none, a no-op, a no-op `BaseHTTPMiddleware`, Troth under a whole policy?

``python -m benchmarks.bench_middleware`` prints a table and exits 1 if a bar is broken.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint  # noqa: TID251 - the yardstick itself
from starlette.requests import Request
from starlette.responses import Response

from benchmarks import harness
from benchmarks.harness import Case, Measured, Sandwich
from benchmarks.target import target
from benchmarks.traffic import POOL, VISITORS, Traffic
from troth._types import ASGIApp, Message, Receive, Scope, Send

Row = dict[str, dict[str, float]]
"""What one process saw of one question, by case."""

TITLES = "  min µs   med µs   ÷ bare  added ÷ Base  by min  spread  blocks"
TROTH = "troth"
NONE = "none"
BASE = "no-op BaseHTTPMiddleware"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One kind of request, the bar it has to stay under, and what that bar is compared with."""

    name: str
    path: str
    bar: float
    cookies: bool = True
    writes: bool = True

    @property
    def against_base(self) -> bool:
        """Whether the bar is on added ÷ added by one no-op `BaseHTTPMiddleware`, else it is on total ÷ bare."""
        return self.writes


QUESTIONS = (
    Question(name="text", path="/text", bar=0.18),
    Question(name="html", path="/", bar=0.22),
    Question(name="json", path="/api/orders/{visitor}", bar=0.30),
    Question(name="nothing", path="/text", bar=1.2, cookies=False, writes=False),
)


class PassOn:
    """A pure ASGI middleware that does nothing but wrap `send`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_on(message: Message) -> None:
            await send(message)

        await self.app(scope, receive, send_on)


class BasePassOn(BaseHTTPMiddleware):
    """A `BaseHTTPMiddleware` that does nothing."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)


def answer(loop: asyncio.AbstractEventLoop, case: Case) -> tuple[int, bytes]:
    """Ask a case once; return status and body."""
    heard: list[Message] = []

    async def send(message: Message) -> None:
        heard.append(message)

    (scope,) = case.requests(1)
    case.sent += 1
    loop.run_until_complete(case.app(scope, harness.empty_request, send))
    return heard[0]["status"], b"".join(message.get("body", b"") for message in heard[1:])


def check_equal(loop: asyncio.AbstractEventLoop, reference: Case, cases: Sequence[Case]) -> None:
    """Raise `RuntimeError` if a case answers with another status, or nothing at all."""
    status, body = answer(loop, reference)
    for case in cases:
        got, content = answer(loop, case)
        if got != status or not content or abs(len(content) - len(body)) > len(body) // 4:
            raise RuntimeError(f"{case.name}: {got} with {len(content)} bytes, bare: {status} with {len(body)}")


def peers(requests: harness.Requests) -> list[Case]:
    """Return what Troth is held against."""
    return [
        Case(name=NONE, app=target(), requests=requests),
        Case(name="no-op pure ASGI", app=PassOn(target()), requests=requests),
        Case(name=BASE, app=BasePassOn(target()), requests=requests),
    ]


def measure(question: Question, options: argparse.Namespace) -> Row:
    """Measure all cases of one question in this process."""
    loop = harness.new_loop()
    requests = Traffic(seed=7).requests(question.path, cookies=question.cookies)
    bare = Case(name="bare", app=target(), requests=requests)
    cases = peers(requests)
    check_equal(loop, bare, cases)
    if options.peers_only:
        return summaries(Sandwich(loop, bare, seed=options.worker).measure(cases, rounds=options.rounds))
    with tempfile.TemporaryDirectory() as folder:
        return with_troth(question, options, loop, bare, cases, Path(folder) / "home")


def with_troth(
    question: Question,
    options: argparse.Namespace,
    loop: asyncio.AbstractEventLoop,
    bare: Case,
    cases: list[Case],
    home: Path,
    *,
    cold: bool = True,
) -> Row:
    """Measure with a Troth row, and count its lines. `cold`: its very first requests as well, in a row of their own."""
    from benchmarks.guarded import Guarded  # here, so that the peers can be measured without it

    guarded = Guarded(loop, target, home)
    requests = Traffic(seed=7, consents=guarded.consents).requests(question.path, cookies=question.cookies)
    troth = Case(name=TROTH, app=guarded.app, requests=requests)
    sandwich = Sandwich(loop, bare, seed=options.worker)
    first = {f"{TROTH}, first requests": sandwich.cold(troth, requests=VISITORS)} if cold else {}
    check_equal(loop, bare, [troth])
    sandwich.block(troth, POOL)  # now it has met every visitor
    seen = sandwich.measure([*cases, troth], rounds=options.rounds)
    if guarded.lines() != (troth.sent if question.writes else 0):
        raise RuntimeError(f"{question.name}: {troth.sent} requests, {guarded.lines()} lines")
    return summaries({**seen, **first})


def summaries(seen: Mapping[str, Measured]) -> Row:
    """Return what is kept of each case."""
    return {name: measured.summary() for name, measured in seen.items()}


def share_of_base(rows: Sequence[Row], case: str) -> list[float]:
    """Return added ÷ added by the no-op `BaseHTTPMiddleware`, per process."""
    return [(row[case]["ratio"] - 1) / (row[BASE]["ratio"] - 1) for row in rows]


def share_by_least(rows: Sequence[Row], case: str) -> float:
    """Return the same of the calmest block of each case over all processes: what disturbed blocks cannot change."""
    bare, base, of_case = (min(row[name]["least"] for row in rows) for name in (NONE, BASE, case))
    return (of_case - bare) / (base - bare)


def print_question(question: Question, rows: Sequence[Row]) -> None:
    """Print one table."""
    print(f"\n{question.name:32} {TITLES}")
    for case in rows[0]:
        ratios = [row[case]["ratio"] for row in rows]
        share = harness.middle(share_of_base(rows, case))
        least = min(row[case]["least"] for row in rows)
        micros = harness.middle([row[case]["micros"] for row in rows])
        kept = sum(int(row[case]["kept"]) for row in rows)
        columns = (
            f"{least:8.2f} {micros:8.2f} {harness.middle(ratios):8.3f} {share:13.3f} {share_by_least(rows, case):7.3f}"
        )
        print(f"{case:32} {columns} {harness.spread(ratios):7.1%} {kept:7}")


def verdict(question: Question, rows: Sequence[Row], bar: float) -> bool:
    """Print whether the warm Troth row keeps its bar; return that."""
    values = share_of_base(rows, TROTH) if question.against_base else [row[TROTH]["ratio"] for row in rows]
    value, what = harness.middle(values), "added ÷ Base" if question.against_base else "total ÷ bare"
    print(f"{question.name}: {what} {value:.3f}, bar {bar:.2f}: {'kept' if value <= bar else 'BROKEN'}")
    return value <= bar


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="bench_middleware", description=__doc__)
    parser.add_argument("--rounds", type=int, default=61)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--peers-only", action="store_true", help="leave Troth out")
    parser.add_argument("--only", choices=[question.name for question in QUESTIONS], action="append")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    for question in QUESTIONS:
        parser.add_argument(f"--{question.name}", type=float, default=question.bar, metavar="BAR")
    return parser.parse_args(arguments)


def main() -> int:
    """Measure in processes of their own, print, judge. Returns the exit status."""
    options = parse()
    asked = [question for question in QUESTIONS if question.name in (options.only or [question.name])]
    if options.worker is not None:
        harness.alone_on_a_core()
        print(json.dumps({question.name: measure(question, options) for question in asked}))
        return 0
    found: list[dict[str, Any]] = harness.in_processes(
        "benchmarks.bench_middleware", processes=options.processes, arguments=sys.argv[1:]
    )
    print(harness.versions("starlette", "uvloop"))
    for question in asked:
        print_question(question, [rows[question.name] for rows in found])
    if options.peers_only:
        return 0
    print()
    kept = [verdict(q, [rows[q.name] for rows in found], getattr(options, q.name)) for q in asked]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
