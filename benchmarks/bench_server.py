"""How much of a server's throughput is left: uvicorn with Troth, with nothing, and with `BaseHTTPMiddleware`?

``python -m benchmarks.bench_server`` starts a server per case, each on the last core, and loads them from the first,
one at a time: 32 connections that are kept, one request each in flight, written to bare sockets. Every second of a case
stands between two of the bare app. It exits 1 if Troth keeps less than its bar.
"""

from __future__ import annotations

import argparse
import random
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.bench_middleware import NONE, QUESTIONS, TROTH
from benchmarks.guarded import released
from benchmarks.harness import LEAST_BLOCKS, ROOT, alone_on_a_core, versions
from benchmarks.serve import CASES, CONSENTS
from benchmarks.traffic import POOL, Traffic

CONNECTIONS: Final = 32
BARS: Final = {"json": 0.62, "html": 0.68, "text": 0.68}
DRIFT: Final = 0.15
_PATHS: Final = {question.name: question.path for question in QUESTIONS if question.cookies}
_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length: "
_OF_THE_PROXY: Final = ((b"x-forwarded-for", b"192.0.2.1"), (b"x-forwarded-proto", b"https"))
"""What a proxy in front says, which has taken TLS off: uvicorn believes one on this machine."""


@dataclass(slots=True, kw_only=True)
class Seen:
    """One run: how many answers came, in how long, and how long each took. All times are in seconds."""

    answers: int = 0
    seconds: float = 0.0
    busy: float = 0.0
    """Processor time that the server took."""
    asking: float = 0.0
    """Processor time that it took to ask. Near `seconds`, the load is what is measured, not the server."""
    took: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds

    @property
    def effort(self) -> float:
        """Processor time of the server for an answer, in µs; 0 where the system does not tell."""
        return self.busy / self.answers * 1e6

    def percentile(self, share: float) -> float:
        """Return the time in ms within which that share of the answers came."""
        return sorted(self.took)[int(share * (len(self.took) - 1))] * 1000


class Connection:
    """One connection with one request in flight."""

    __slots__ = ("_came", "_socket", "_wanted", "asked")

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._came = b""
        self._wanted = 0
        self.asked = 0.0

    def fileno(self) -> int:
        """Return what a selector waits for."""
        return self._socket.fileno()

    def ask(self, request: bytes) -> None:
        """Send a request."""
        self._came, self._wanted = b"", 0
        self.asked = time.perf_counter()
        self._socket.sendall(request)

    def hear(self) -> bool:
        """Take what came; whether the answer is whole. Raises `RuntimeError` for any answer but a 200 with a length."""
        came = self._socket.recv(65_536)
        self._came = self._came + came if self._came else came
        if not self._wanted:
            end = self._came.find(_END)
            if end < 0 and came:
                return False
            at = self._came.find(_LENGTH, 0, end)
            if not self._came.startswith(b"HTTP/1.1 200 ") or at < 0:
                raise RuntimeError(f"an answer that begins with {self._came[:40]!r}")
            self._wanted = end + 4 + int(self._came[at + len(_LENGTH) : self._came.index(b"\r\n", at)])
        return len(self._came) >= self._wanted

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


class Load:
    """Asks one server; `sent` counts the requests that it was ever sent."""

    def __init__(self, port: int, consents: Sequence[bytes], process: int) -> None:
        self.sent = 0
        self._process = process
        self._traffic = Traffic(seed=7, consents=consents)
        self._connections = [Connection(port) for _ in range(CONNECTIONS)]
        self._selector = selectors.DefaultSelector()
        for connection in self._connections:
            self._selector.register(connection, selectors.EVENT_READ, connection)

    def run(self, path: str, seconds: float) -> Seen:
        """Keep all connections busy for so long, then let what is in flight arrive."""
        requests = self._requests(path)
        seen, clock = Seen(busy=-busy(self._process), asking=-time.process_time()), time.perf_counter
        started = clock()
        until, flying = started + seconds, 0
        for connection in self._connections:
            connection.ask(next(requests))
            flying += 1
        while flying:
            for key, _ in self._selector.select(10):
                heard: Connection = key.data
                if not heard.hear():
                    continue
                now = clock()
                seen.took.append(now - heard.asked)
                if now < until:
                    heard.ask(next(requests))
                else:
                    flying -= 1
        seen.answers, seen.seconds = len(seen.took), clock() - started
        seen.busy += busy(self._process)
        seen.asking += time.process_time()
        self.sent += seen.answers
        return seen

    def _requests(self, path: str) -> Iterator[bytes]:
        make = self._traffic.requests(path)
        while True:
            for scope in make(64):
                lines = [b"%b: %b" % pair for pair in (*scope["headers"], *_OF_THE_PROXY)]
                yield b"\r\n".join((b"GET %b HTTP/1.1" % scope["raw_path"], *lines, b"", b""))

    def close(self) -> None:
        """Hang up."""
        self._selector.close()
        for connection in self._connections:
            connection.close()


def busy(process: int) -> float:
    """Return the processor time that the threads of a process have taken, in seconds; 0 where Linux does not tell."""
    told = Path(f"/proc/{process}/task").glob("*/schedstat")
    return sum(int(one.read_text().split()[0]) for one in told) / 1e9


@contextmanager
def serving(case: str, folder: Path) -> Iterator[Load]:
    """Give the load on a server of its own."""
    folder.mkdir()
    command = [sys.executable, "-m", "benchmarks.serve", case, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline())
            left = folder / CONSENTS
            load = Load(port, left.read_bytes().splitlines() if left.exists() else (), process.pid)
            yield load
            load.close()
        finally:
            process.terminate()


@dataclass(slots=True, kw_only=True)
class Row:
    """What was seen of one case: its rate ÷ that of its neighbours, rates, percentiles in ms, runs left out."""

    kept: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    middles: list[float] = field(default_factory=list)
    tails: list[float] = field(default_factory=list)
    efforts: list[float] = field(default_factory=list)
    """Processor time for an answer ÷ that of the neighbours."""
    asking: list[float] = field(default_factory=list)
    """Processor time of the load ÷ time."""
    least: float = float("inf")
    """Least processor time for an answer, in µs."""
    dropped: int = 0

    def note(self, before: Seen, seen: Seen, after: Seen) -> None:
        """Keep a run, unless its two neighbours drifted apart."""
        if abs(before.rate - after.rate) > DRIFT * (before.rate + after.rate) / 2:
            self.dropped += 1
            return
        self.kept.append(2 * seen.rate / (before.rate + after.rate))
        self.rates.append(seen.rate)
        self.asking.append(seen.asking / seen.seconds)
        if seen.busy:
            self.efforts.append(2 * seen.effort / (before.effort + after.effort))
            self.least = min(self.least, seen.effort)
        self.middles.append(seen.percentile(0.5))
        self.tails.append(seen.percentile(0.99))

    @property
    def share(self) -> float:
        """The throughput that is kept, of the bare app's. Raises `RuntimeError` where too few runs were left."""
        if len(self.kept) < LEAST_BLOCKS:
            raise RuntimeError(f"{len(self.kept)} runs left, {self.dropped} dropped: the machine is too busy")
        return statistics.median(self.kept)


def measure(loads: dict[str, Load], path: str, *, rounds: int, seconds: float, seed: int = 1) -> dict[str, Row]:
    """Load the servers in turn; neighbours share the run of the bare app between them."""
    chance, bare = random.Random(seed), loads[NONE]
    rows = {case: Row() for case in loads}
    for load in loads.values():
        load.run(path, seconds)
        while load.sent < 2 * POOL:  # by then it has met every visitor
            load.run(path, seconds)
    for _ in range(rounds):
        order = list(loads)
        chance.shuffle(order)
        before = bare.run(path, seconds)
        for case in order:
            seen = loads[case].run(path, seconds)
            after = bare.run(path, seconds)
            rows[case].note(before, seen, after)
            before = after
    return rows


def print_rows(name: str, rows: dict[str, Row]) -> None:
    """Print one table."""
    times = f"{'p50 ms':>8} {'p99 ms':>8} {'CPU':>6} {'min µs':>7} {'load':>5}"
    print(f"\n{name:32} {'kept':>7} {'req/s':>8} {times} {'runs':>6}")
    for case, row in rows.items():
        middle, tail = statistics.median(row.middles), statistics.median(row.tails)
        effort = statistics.median(row.efforts) if row.efforts else float("nan")
        rate = f"{row.share:7.1%} {max(row.rates):8.0f}"
        cost = f"{effort:6.2f} {row.least:7.1f} {statistics.median(row.asking):5.0%}"
        print(f"{case:32} {rate} {middle:8.2f} {tail:8.2f} {cost} {len(row.kept):6}")


def verdict(name: str, rows: dict[str, Row]) -> bool:
    """Print whether Troth keeps its bar; return that."""
    share, bar = rows[TROTH].share, BARS[name]
    print(f"{name}: throughput kept {share:.1%}, bar {bar:.0%}: {'kept' if share >= bar else 'BROKEN'}")
    return share >= bar


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="bench_server", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--only", choices=list(_PATHS), action="append")
    return parser.parse_args(arguments)


def main() -> int:
    """Measure, print, judge. Returns the exit status."""
    options = parse()
    asked = [name for name in _PATHS if name in (options.only or [name])]
    alone_on_a_core(last=False)
    with tempfile.TemporaryDirectory() as made, ExitStack() as stack:
        folders = {case: Path(made) / str(number) for number, case in enumerate(CASES)}
        loads = {case: stack.enter_context(serving(case, folder)) for case, folder in folders.items()}
        before = released(folders[TROTH] / "home")
        found = {name: measure(loads, _PATHS[name], rounds=options.rounds, seconds=options.seconds) for name in asked}
        sent, written = loads[TROTH].sent, released(folders[TROTH] / "home") - before
    print(versions("uvicorn", "httptools", "uvloop", "starlette"))
    for name, rows in found.items():
        print_rows(name, rows)
    print()
    if sent != written:
        raise RuntimeError(f"{sent} requests, {written} lines")
    kept = [verdict(name, rows) for name, rows in found.items()]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
