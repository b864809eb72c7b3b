"""What does each step of the request path cost? Every row does what the row above does, and one thing more.

``python -m benchmarks.bench_steps`` prints a table per kind of request, and one of single parts measured alone. Ratios
are to the bare app of the same run; a part alone flatters, since within a request its memory has gone cold.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

from benchmarks import harness
from benchmarks.bench_middleware import BASE, QUESTIONS, BasePassOn, PassOn, Question, Row, summaries
from benchmarks.guarded import Guarded
from benchmarks.harness import Case, Requests, Sandwich
from benchmarks.target import ORDERS, SET_COOKIES, target
from benchmarks.traffic import Traffic
from troth import PolicyMiddleware
from troth._types import ASGIApp, Receive, Scope, Send
from troth.asgi.entrance import Entrance
from troth.asgi.express import Express

Part = Callable[[Scope], object]
_WARM = 3_000


class WayIn:
    """Finds the lane, takes cookies out of the request, and lets the response pass as it is."""

    def __init__(self, app: ASGIApp, entrance: Entrance) -> None:
        self.app = app
        self.entrance = entrance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        express = self.entrance.enter(scope, receive, send)
        if express is None:
            raise RuntimeError("this request does not take the lane")
        await self.app(express.scope, receive, send)


def entrance_of(middleware: PolicyMiddleware) -> Entrance:
    """Return what puts the requests of a middleware on their lanes."""
    return middleware._server.entrance


def without_line(middleware: PolicyMiddleware) -> PolicyMiddleware:
    """Return the middleware, from now on writing no line."""
    middleware.runtime.write_encoded = lambda members: len(members)  # the step to leave out
    return middleware


def measure(question: Question, options: argparse.Namespace) -> Row:
    """Measure all steps on one kind of request in this process."""
    loop = harness.new_loop()
    with tempfile.TemporaryDirectory() as folder:
        guarded = [Guarded(loop, target, Path(folder) / f"home{n}") for n in range(3)]
        homes = [Traffic(seed=7, consents=one.consents) for one in guarded]
        asked = [one.requests(question.path, cookies=question.cookies) for one in homes]
        way_in, no_line, whole = (one.app for one in guarded)
        steps: Sequence[tuple[str, ASGIApp, Requests]] = (
            ("none", target(), asked[0]),
            ("send wrapper", PassOn(target()), asked[0]),
            ("way in: head, lane, cookies", WayIn(target(), entrance_of(way_in)), asked[0]),
            ("+ way out: head, body, verdicts", without_line(no_line), asked[1]),
            ("+ line: chained, written, signed", whole, asked[2]),
            (BASE, BasePassOn(target()), asked[0]),
        )
        bare = Case(name="bare", app=target(), requests=asked[0])
        cases = [Case(name=name, app=app, requests=requests) for name, app, requests in steps]
        sandwich = Sandwich(loop, bare, seed=options.worker)
        for case in cases:
            sandwich.block(case, _WARM)
        return summaries(sandwich.measure(cases, rounds=options.rounds))


def parts(guarded: Guarded, traffic: Traffic) -> dict[str, tuple[Part, Requests]]:
    """Return single parts of the path, each with the requests that it is given."""
    text, page, order = (traffic.requests(one.path) for one in QUESTIONS[:3])
    entrance = entrance_of(guarded.app)
    bodies = [json.dumps(one, ensure_ascii=False, separators=(",", ":")).encode() for one in ORDERS]

    def on_lane(requests: Requests) -> Express:
        express = entrance.enter(requests(1)[0], harness.empty_request, harness.discard)
        if express is None:
            raise RuntimeError("no lane")
        return express

    lane, tagger = on_lane(text)._lane, guarded.app.runtime.first.tagging(on_lane(order)._lane.route).json
    setting = on_lane(page)._lane.set_cookies
    headers = [(b"content-type", b"text/html"), *((b"set-cookie", one) for one in SET_COOKIES)]
    line = next(outcome.line for outcome in lane.outcomes.values() if outcome is not None)
    today = date(2026, 11, 1)
    return {
        "the whole way in, twelve cookies": (
            lambda scope: entrance.enter(scope, harness.empty_request, harness.discard), text,
        ),
        "twelve cookies sorted": (lambda scope: lane.sort(scope["headers"][-1][1]), text),
        "six Set-Cookie headers": (lambda scope: setting.filter(headers, b""), page),
        "1 KB of JSON decoded and tagged": (
            lambda scope: tagger.tag(bodies[int(scope["path"][-1])], today=today), order,
        ),
        f"a line of {len(line)} bytes chained and written": (
            lambda scope: guarded.app.runtime.write_encoded(line), text,
        ),
    }  # fmt: skip


def measure_parts() -> dict[str, float]:
    """Return µs per part, the best of several runs."""
    loop = harness.new_loop()
    with tempfile.TemporaryDirectory() as folder:
        guarded = Guarded(loop, target, Path(folder) / "home")
        traffic = Traffic(seed=7, consents=guarded.consents)
        for question in QUESTIONS:
            loop.run_until_complete(harness.drive(guarded.app, traffic.requests(question.path)(_WARM)))
        return {name: _best(part, requests) for name, (part, requests) in parts(guarded, traffic).items()}


def _best(part: Part, requests: Requests) -> float:
    best = float("inf")
    for _ in range(9):
        scopes = requests(500)
        started = time.perf_counter_ns()
        for scope in scopes:
            part(scope)
        best = min(best, (time.perf_counter_ns() - started) / len(scopes) / 1000)
    return best


def print_steps(question: Question, rows: list[Row]) -> None:
    """Print what each step adds to the row above it, in µs of this machine and as a share of what Base adds."""
    ratio = {name: harness.middle([row[name]["ratio"] for row in rows]) for name in rows[0]}
    bare = harness.middle([row["none"]["micros"] for row in rows])
    print(f"\n{question.name:40}   ÷ bare  added µs  step µs  ÷ Base")
    above = 1.0
    for name, value in ratio.items():
        share = (value - 1) / (ratio[BASE] - 1)
        print(f"{name:40} {value:8.3f} {(value - 1) * bare:9.2f} {(value - above) * bare:8.2f} {share:7.3f}")
        above = 1.0 if name.startswith("+ line") else value


def main() -> int:
    """Measure in processes of their own and print. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="bench_steps", description=__doc__)
    parser.add_argument("--rounds", type=int, default=61)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        harness.alone_on_a_core()
        found = {question.name: measure(question, options) for question in QUESTIONS}
        print(json.dumps({"steps": found, "parts": measure_parts()}))
        return 0
    results = harness.in_processes("benchmarks.bench_steps", processes=options.processes, arguments=sys.argv[1:])
    print(harness.versions("starlette", "uvloop"))
    for question in QUESTIONS:
        print_steps(question, [result["steps"][question.name] for result in results])
    print(f"\n{'alone':40}  best µs")
    for name in results[0]["parts"]:
        print(f"{name:40} {min(result['parts'][name] for result in results):8.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
