"""What does a line of the trail cost, next to one bare `os.write` of the same bytes?

``python -m benchmarks.bench_trail`` takes turns: a batch of bare writes, a batch of lines, a batch of bare writes. The
ratio of each turn is the lines' time over the mean of the two bare batches, so that a machine that drifts does so for
both. Bar: at most 5 in the median (3 as a stretch), checkpoints and their thread included. Exits 1 above the bar.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from troth.audit.log import line_logger
from troth.audit.opening import PolicyStamp
from troth.audit.pseudonym import Pseudonyms
from troth.audit.trail import Trail
from troth.audit.verify import verify

BAR, STRETCH = 5.0, 3.0
TURNS, BATCH = 60, 1000
MEMBERS = (
    b'"kind":"pd.access","stage":"released","http":{"method":"GET","route":"/orders/{id}","status":200},'
    b'"actor":{"type":"user","ref":"p_0011aabb_00112233445566778899aabbccddeeff"},"purpose":"sales","basis":"contract",'
    b'"why":[{"rule":"wait-for-acceptance","clause":["TOO-CHO-2"],"thing":"cookie","action":"withhold","n":3}]'
)


def timed(operation: Callable[[bytes], object], data: bytes) -> float:
    """Return the microseconds of one of `BATCH` calls."""
    start = time.perf_counter()
    for _ in range(BATCH):
        operation(data)
    return (time.perf_counter() - start) / BATCH * 1e6


def turns(trail: Trail, bare: Path) -> list[tuple[float, float]]:
    """Return (bare write, line) in microseconds for each turn."""
    line = line_logger(trail.stream()).line
    line(MEMBERS)
    whole = next(trail.directory.glob("access-*")).read_bytes().splitlines(keepends=True)[-1]
    fd = os.open(bare, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(data: bytes) -> int:
        return os.write(fd, data)

    measured = []
    for _ in range(TURNS):
        before, own, after = timed(write, whole), timed(line, MEMBERS), timed(write, whole)
        measured.append(((before + after) / 2, own))
    os.close(fd)
    return measured


def measure(folder: Path, *, background: bool) -> float:
    """Print what one way of running the trail costs and return the median ratio."""
    stamp = PolicyStamp(id="bench", version="1", hash="00" * 32)
    trail = Trail(folder / "trail", signing_key=bytes(range(32)), policy=stamp, background=background)
    measured = turns(trail, folder / "bare")
    ratio = statistics.median(line / bare for bare, line in measured)
    bare, line = (statistics.median(column) for column in zip(*measured, strict=True))
    trail.close()
    report = verify(trail.directory, trail.public_key)
    assert report.exit_code == 0, report.text()
    assert report.lines == TURNS * BATCH + 2
    name = "checkpoints by the thread" if background else "checkpoints in line"
    print(f"{name:28} {line:8.2f} µs a line {bare:8.2f} µs a bare write   ratio {ratio:5.2f}")
    return ratio


def main() -> int:
    print(f"Python {platform.python_version()}, {platform.system()} {platform.release()}, {os.cpu_count()} CPUs")
    print(f"line of about {len(MEMBERS) + 180} bytes, {TURNS} turns of {BATCH}, median")
    ratios = []
    for background in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            ratios.append(measure(Path(folder), background=background))
    made = Pseudonyms(bytes(range(32)))
    known = timed(lambda value: made.digest("actor", "ada"), b"")
    fresh = timed(lambda value: made.digest("actor", str(time.perf_counter_ns())), b"")
    print(f"{'pseudonym, known / fresh':28} {known:8.2f} / {fresh:.2f} µs")
    print(f"bar {BAR}, stretch {STRETCH}: {'kept' if max(ratios) <= BAR else 'missed'}")
    return int(max(ratios) > BAR)


if __name__ == "__main__":
    sys.exit(main())
