"""Times ASGI apps on a machine that others disturb: every block of a case stands between two blocks of a reference.

The ratio of a block is ``2 · case / (before + after)`` in time per request. A block whose two references differ by more
than the allowed drift says nothing and is dropped. Cases are shuffled in every round; whole runs are repeated in
processes of their own, because the layout of memory differs from one to the next.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from troth._types import ASGIApp, Message, Scope

ROOT = Path(__file__).parents[1]
BLOCK_NS = 2_000_000
DRIFT = 0.08
WARM_UP = 300
LEAST_BLOCKS = 5
_CORES = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else {0}
"""The cores of the machine, as this process had them at first."""

Requests = Callable[[int], list[Scope]]
"""Gives that many fresh scopes, each with a header list of its own."""


@dataclass(slots=True, kw_only=True)
class Case:
    """An app under a name, with the requests that it is asked. `sent` counts them, `size` is requests per block."""

    name: str
    app: ASGIApp
    requests: Requests
    sent: int = 0
    size: int = 1


@dataclass(slots=True, kw_only=True)
class Measured:
    """What was seen of a case: the ratio of each block to its references, time per request in µs, blocks dropped."""

    ratios: list[float] = field(default_factory=list)
    micros: list[float] = field(default_factory=list)
    dropped: int = 0

    def note(self, before: float, block: float, after: float) -> None:
        """Keep a block, given in ns per request, unless its two references drifted apart."""
        if abs(before - after) > DRIFT * (before + after) / 2:
            self.dropped += 1
            return
        self.ratios.append(2 * block / (before + after))
        self.micros.append(block / 1000)

    def summary(self) -> dict[str, float]:
        """Return the medians. Raises `ValueError` where too few blocks were left to have one."""
        if len(self.ratios) < LEAST_BLOCKS:
            raise ValueError(f"{len(self.ratios)} blocks left, {self.dropped} dropped: the machine is too busy")
        return {
            "ratio": statistics.median(self.ratios),
            "least": min(self.micros),
            "micros": statistics.median(self.micros),
            "kept": len(self.ratios),
            "dropped": self.dropped,
        }


async def empty_request() -> Message:
    """Answer `receive` of a request without a body."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def discard(message: Message) -> None:
    """Take what the app sends."""


async def drive(app: ASGIApp, scopes: Sequence[Scope]) -> float:
    """Ask one request after the other; return ns per request."""
    started = time.perf_counter_ns()
    for scope in scopes:
        await app(scope, empty_request, discard)
    return (time.perf_counter_ns() - started) / len(scopes)


class Sandwich:
    """Measures cases against one reference on one loop. Make it when everything is set up: it freezes the heap."""

    def __init__(self, loop: asyncio.AbstractEventLoop, reference: Case, *, seed: int) -> None:
        self.loop = loop
        self.reference = reference
        self.random = random.Random(seed)
        gc.collect()
        gc.freeze()

    def block(self, case: Case, size: int | None = None) -> float:
        """Time one block of a case in ns per request; its requests are made before the clock starts."""
        scopes = case.requests(size or case.size)
        case.sent += len(scopes)
        return self.loop.run_until_complete(drive(case.app, scopes))

    def size(self, case: Case) -> None:
        """Warm a case up and find how many requests fill a block; the least of three, as a disturbed one is short."""
        case.size = max(1, round(BLOCK_NS / min(self.block(case, WARM_UP) for _ in range(3))))

    def cold(self, case: Case, *, requests: int) -> Measured:
        """Measure the very first requests of a case, in blocks between warm references. Call it before `measure`."""
        self.size(self.reference)
        found, size = Measured(), max(1, requests // 20)
        for _ in range(requests // size):
            before = self.block(self.reference)
            block = self.block(case, size)
            found.note(before, block, self.block(self.reference))
        return found

    def measure(self, cases: Sequence[Case], *, rounds: int) -> dict[str, Measured]:
        """Measure all cases so many rounds; neighbours share the reference block between them."""
        for case in (self.reference, *cases):
            self.size(case)
        found = {case.name: Measured() for case in cases}
        order = list(cases)
        for _ in range(rounds):
            self.random.shuffle(order)
            before = self.block(self.reference)
            for case in order:
                block = self.block(case)
                after = self.block(self.reference)
                found[case.name].note(before, block, after)
                before = after
        return found


def alone_on_a_core(*, last: bool = True) -> None:
    """Pin this process to the last core, or to the first, where the system allows it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {(max if last else min)(_CORES)})


def new_loop() -> asyncio.AbstractEventLoop:
    """Return a uvloop."""
    return uvloop.new_event_loop()


def in_processes(module: str, *, processes: int, arguments: Sequence[str]) -> list[Any]:
    """Run ``python -m module --worker SEED …`` so many times, one after the other; return the JSON that each prints."""
    results = []
    for seed in range(processes):
        command = [sys.executable, "-m", module, "--worker", str(seed), *arguments]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        results.append(json.loads(done.stdout))
        print(f"process {seed + 1} of {processes} done", file=sys.stderr)
    return results


def middle(values: Sequence[float]) -> float:
    """Return the median over processes."""
    return statistics.median(values)


def spread(values: Sequence[float]) -> float:
    """Return how far processes lie apart, as a share of their median."""
    return (max(values) - min(values)) / middle(values)


def versions(*packages: str) -> str:
    """Say on what was measured: interpreter, processor count, versions of packages."""
    from importlib.metadata import version

    python = ".".join(str(part) for part in sys.version_info[:3])
    listed = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"Python {python}, {os.cpu_count()} cores, {listed}"
