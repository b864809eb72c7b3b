"""The trail that two loaded workers wrote: whatever is changed in it afterwards is named with file and line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.audit.test_verify import Edit, doubled, dropped, lines_before, mutants, swapped, with_data, with_lines
from tests.workers.client import Server, serving
from tests.workers.test_faults import loaded
from troth.audit.verify import Files, Finding, Report, Severity, check
from troth.audit.verify.ledger import read
from troth.audit.verify.segments import judge

LEDGER = "checkpoints.jsonl"
Trail = tuple[Files, bytes]
"""The files as they stood, and the public key."""


def files_of(server: Server) -> Trail:
    seed = bytes.fromhex((server.home / "keys" / "trail").read_text().strip())
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return Files({path.name: path.read_bytes() for path in server.trail.iterdir()}), public


def written(folder: Path, lines: int, threads: int, home: Path | None = None) -> Trail:
    """Load both workers until there are so many lines more, and end the server."""
    with serving(folder, home) as server:
        for worker in server.both():
            for _ in range(lines // 2):
                assert worker.ask(path=b"/api/account").status == 200
        loaded(server, lines // 4, threads)
        report = server.verified()
        assert report.lines >= lines
        assert report.anchored >= 0.9 * report.lines
        server.stop()
        return files_of(server)


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Trail:
    return written(tmp_path_factory.mktemp("tampering") / "run", 40, 1)


def judged(trail: Trail, files: Files) -> Report:
    return check(files, files.files.get(LEDGER), [trail[1]])


def places(report: Report) -> set[tuple[str, int]]:
    return {(found.file, found.line) for found in report.findings}


def segments(trail: Trail) -> list[str]:
    return list(trail[0].names())


def test_the_trail_as_it_was_written_is_sound(trail: Trail) -> None:
    report = judged(trail, trail[0])
    assert (report.exit_code, report.findings) == (0, ())
    assert report.lines >= 40
    assert report.anchored == report.lines
    assert len(segments(trail)) == 2


def findings(trail: Trail) -> Callable[[str, bytes], Sequence[Finding]]:
    """Return what verification finds with other bytes in place of one file; what does not change is read once."""
    ledger = read(trail[0].files[LEDGER], [trail[1]])

    def of(name: str, data: bytes) -> Sequence[Finding]:
        if name == LEDGER:
            return judged(trail, with_data(trail[0], name, data)).findings
        return judge(name, data, ledger.segments[name], live=False).findings

    return of


def missed(trail: Trail, name: str, part: tuple[int, int]) -> list[int]:
    """Change every byte of a part of a file, each by itself; return the positions that are not named."""
    data, look, found = trail[0].files[name], findings(trail), []
    for at, mutant in mutants(data):
        if part[0] <= at < part[1]:
            named = look(name, mutant)
            failed = any(one.severity is Severity.FAILED for one in named)
            if not failed or (name, lines_before(data, at)) not in {(one.file, one.line) for one in named}:
                found.append(at)
    return found


def not_named(trail: Trail, name: str, *, lines: int | None = None, step: int = 1000) -> list[int]:
    """Change every byte of a file, or of its first `lines`; return the positions that are not named."""
    size = sum(map(len, trail[0].files[name].splitlines(keepends=True)[:lines]))
    parts = [(start, min(start + step, size)) for start in range(0, size, step)]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        return [at for found in pool.map(partial(missed, trail, name), parts) for at in found]


def last_byte(trail: Trail, name: str) -> list[int]:
    """Return the last line feed of the checkpoint file: without it the last entry counts as torn, and is told so."""
    return [len(trail[0].files[name]) - 1] if name == LEDGER else []


def edits(count: int) -> Iterator[tuple[int, Edit]]:
    for at in range(count):
        yield at, dropped(at)
        yield at, doubled(at)
    for at in range(count - 1):
        yield at, swapped(at, at + 1)


def every_change_is_named(trail: Trail) -> None:
    files = trail[0]
    for name in segments(trail):
        for at, edit in edits(files.files[name].count(b"\n")):
            report = judged(trail, with_lines(files, name, edit))
            assert report.exit_code == 6
            assert any(file == name and at + 1 <= line <= at + 2 for file, line in places(report))


def every_cut_is_named(trail: Trail, step: int) -> None:
    look = findings(trail)
    for name in segments(trail):
        data = trail[0].files[name]
        for at in range(0, len(data), step):
            named = look(name, data[:at])
            assert any(one.severity is Severity.FAILED and one.line == lines_before(data, at) for one in named)


def test_every_changed_byte_of_forty_lines_is_named(trail: Trail) -> None:
    for name in segments(trail):
        assert not_named(trail, name, lines=20) == []


def test_every_changed_byte_of_the_checkpoint_file_is_named(trail: Trail) -> None:
    assert not_named(trail, LEDGER) == last_byte(trail, LEDGER)


def test_every_dropped_doubled_or_swapped_line_is_named(trail: Trail) -> None:
    every_change_is_named(trail)


def test_every_cut_is_named(trail: Trail) -> None:
    every_cut_is_named(trail, 7)


@pytest.mark.real
def test_every_change_to_three_hundred_lines_is_named(tmp_path: Path) -> None:
    # A segment is read anew for each of its bytes: several short ones take less than a long one.
    runs = [written(tmp_path / str(run), 75, 4, tmp_path / "home") for run in range(4)]
    trail = runs[-1]
    assert len(segments(trail)) == 8
    assert judged(trail, trail[0]).lines >= 300
    every_change_is_named(trail)
    every_cut_is_named(trail, 11)
    for name in (*segments(trail), LEDGER):
        assert not_named(trail, name, step=4000) == last_byte(trail, name)
