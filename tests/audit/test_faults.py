"""Disks that are full, writers that are killed, workers that start together: nothing acknowledged is lost."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.audit.conftest import SEED, STAMP, Open
from tests.conftest import Need
from troth.audit.entries import Signing
from troth.audit.trail import Trail
from troth.audit.verify import FindingKind, Report, verify
from troth.errors import TrailError

K = FindingKind
ROOT = Path(__file__).parents[2]
PUBLIC = Signing(SEED).public
HEAD = """
import os, sys, signal, resource, time
from pathlib import Path
from troth.audit.trail import PolicyStamp, Trail
from troth.errors import TrailError
def open_trail(path):
    return Trail(Path(path), signing_key=b"\\x01" * 32, policy=PolicyStamp(id="web", version="3", hash="ab"))
"""


def child(code: str, *arguments: object, **more: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", HEAD + textwrap.dedent(code), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "middleware")}
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, **more)


def output(process: subprocess.Popen[bytes]) -> bytes:
    with process:
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return out


def checked(directory: Path) -> Report:
    return verify(directory, PUBLIC, patience=0)


def numbers(directory: Path) -> set[tuple[str, int]]:
    """Return (stream, number) of every whole line."""
    found = set()
    for path in directory.glob("*-*.jsonl"):
        for raw in path.read_bytes().split(b"\n")[:-1]:
            line = json.loads(raw)
            found.add((line["stream"], line["seq"]))
    return found


AFTER_A_KILL = {K.UNANCHORED, K.TORN, K.RECOVERED, K.TORN_DECLARED}
WRITE_ON = """
    trail = open_trail(sys.argv[1])
    stream = trail.stream()
    while True:
        number = stream.write(b'"filler":"' + b"x" * (number_of_bytes := 50 + os.urandom(1)[0]) + b'"')
        os.write(1, b"%s %d\\n" % (stream.id.hex().encode(), number))
"""


def killed_while_writing(directory: Path, seconds: float) -> set[tuple[str, int]]:
    """Let a child write until it is killed; return the lines that it was told are written."""
    with child(WRITE_ON, directory) as process:
        assert process.stdout is not None
        told = process.stdout.readline()
        os.set_blocking(process.stdout.fileno(), False)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            told += process.stdout.read() or b""
        process.send_signal(signal.SIGKILL)
        process.wait()
        os.set_blocking(process.stdout.fileno(), True)
        told += process.stdout.read()
    whole = told[: told.rfind(b"\n") + 1].split(b"\n")[:-1]
    return {(stream.decode(), int(number)) for stream, _, number in (line.partition(b" ") for line in whole)}


def test_after_kill_9_every_acknowledged_line_is_there_and_the_end_is_unanchored_at_most(tmp_path: Path) -> None:
    directory = tmp_path / "trail"
    told: set[tuple[str, int]] = set()
    for delay in (0.0, 0.05, 0.6):
        told |= killed_while_writing(directory, delay)
        assert {found.kind for found in checked(directory).findings} <= AFTER_A_KILL
        assert told <= numbers(directory)
    Trail(directory, signing_key=SEED, policy=STAMP, background=False).close()
    report = checked(directory)
    assert report.exit_code == 0
    assert report.anchored == report.lines >= len(told) > 100


def unsealed(open_trail: Open, count: int = 8) -> Path:
    """Make a segment as a killed process leaves it: lines, some anchored, no seal, no lock."""
    trail = open_trail()
    pid = os.fork()
    if pid == 0:
        for n in range(count):
            trail.stream().write(b'"n":%d' % n)
            if n == count // 2:
                trail.tick()
        os._exit(0)
    os.waitpid(pid, 0)
    trail.close()
    own = f"access-{trail.stream().id.hex()}-0001.jsonl"
    return next(path for path in trail.directory.glob("access-*.jsonl") if path.name != own)


def test_recovery_seals_an_orphan_and_cites_it(open_trail: Open) -> None:
    path = unsealed(open_trail)
    assert checked(path.parent).exit_code == 7
    trail = open_trail()
    (orphan,) = trail.orphans
    assert (orphan.segment, orphan.lines, orphan.torn, orphan.broken) == (path.name, 9, 0, False)
    own = next(trail.directory.glob(f"access-{trail.stream().id.hex()}-*.jsonl"))
    cited = json.loads(own.read_bytes().splitlines()[0])["orphans"]
    assert cited == [{"segment": path.name, "lines": 9, "head": orphan.head.hex()}]
    trail.close()
    report = checked(path.parent)
    assert report.exit_code == 0
    assert (path.name, K.RECOVERED) in {(found.file, found.kind) for found in report.findings}


def test_recovery_leaves_a_torn_tail_of_any_length_in_place_and_describes_it(open_trail: Open) -> None:
    path = unsealed(open_trail)
    whole = path.read_bytes()
    ledger = path.parent / "checkpoints.jsonl"
    entries = ledger.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for length in range(1, len(whole) - last, 7):
        path.write_bytes(whole[: last + length])
        ledger.write_bytes(entries)
        trail = open_trail()
        assert [(orphan.lines, orphan.torn) for orphan in trail.orphans] == [(8, length)]
        trail.close()
        assert path.read_bytes() == whole[: last + length]
        report = checked(path.parent)
        assert report.exit_code == 0
        assert (path.name, 9, K.TORN_DECLARED) in {(found.file, found.line, found.kind) for found in report.findings}
        for mine in path.parent.glob(f"access-{trail.stream().id.hex()}-*.jsonl"):
            mine.unlink()


@pytest.mark.parametrize("line", range(9))
def test_recovery_hides_no_line_that_was_changed_before_it(open_trail: Open, line: int) -> None:
    path = unsealed(open_trail)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[line] = lines[line].replace(b'"v":1', b'"v":2')
    path.write_bytes(b"".join(lines))
    before = {(found.file, found.line) for found in checked(path.parent).findings}
    trail = open_trail()
    trail.close()
    report = checked(path.parent)
    if line < 8:
        assert trail.orphans[0].broken
        assert report.exit_code == 6
        assert any(found.file == path.name for found in report.findings)
    assert before


def test_what_was_denied_before_recovery_is_denied_after_it(open_trail: Open) -> None:
    path = unsealed(open_trail)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2] + lines[3:]))
    assert (path.name, 3, K.MISSING) in {
        (found.file, found.line, found.kind) for found in checked(path.parent).findings
    }
    open_trail().close()
    after = checked(path.parent)
    assert (path.name, 3, K.MISSING) in {(found.file, found.line, found.kind) for found in after.findings}
    assert after.exit_code == 6


def test_an_orphan_of_a_replaced_key_is_sealed_with_the_new_one(open_trail: Open) -> None:
    path = unsealed(open_trail)
    assert open_trail(signing_key=b"\x02" * 32).orphans == ()
    trail = open_trail(signing_key=b"\x02" * 32, older_keys=(PUBLIC,))
    assert [(orphan.segment, orphan.broken) for orphan in trail.orphans] == [(path.name, False)]


def test_recovery_leaves_the_living_alone(open_trail: Open) -> None:
    first = open_trail()
    second = open_trail()
    assert second.orphans == ()
    first.stream().write(b'"n":1')
    first.close()
    second.close()
    assert checked(first.directory).exit_code == 0


def test_workers_that_recover_at_once_seal_each_orphan_once(tmp_path: Path) -> None:
    directory = tmp_path / "trail"
    for _ in range(3):
        killed_while_writing(directory, 0.0)
    open_and_say = """
    sys.stdin.readline()
    trail = open_trail(sys.argv[1])
    print(len(trail.orphans))
    trail.stream().write(b'"n":1')
    trail.close()
    """
    workers = [child(open_and_say, directory, stdin=subprocess.PIPE) for _ in range(4)]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(b"\n")
        worker.stdin.flush()
    sealed = sum(int(output(worker)) for worker in workers)
    assert sealed == 1  # two of the three were sealed by the one that came after them
    report = checked(directory)
    assert (report.exit_code, report.streams) == (0, 7)


def test_an_entry_torn_by_a_dying_writer_is_ended_and_declared_by_the_next(open_trail: Open) -> None:
    trail = open_trail()
    ledger = trail.directory / "checkpoints.jsonl"
    with ledger.open("ab") as file:
        file.write(b'{"v":1,"n":3,"prev":"ab')
    assert K.TORN in {found.kind for found in checked(trail.directory).findings}
    trail.stream().write(b'"n":1')
    trail.close()
    report = checked(trail.directory)
    assert [(found.file, found.line, found.kind) for found in report.findings] == [(ledger.name, 3, K.TORN_DECLARED)]
    assert report.exit_code == 0


# Disks that refuse.


class Disk:
    """Stands in for `os.write` in the writer: after `room` bytes it is full, or fails with another error."""

    def __init__(self, room: int, error: int) -> None:
        self.room, self.error, self.real = room, error, os.write

    def write(self, fd: int, data: bytes) -> int:
        if len(data) <= self.room:
            self.room -= len(data)
            return self.real(fd, data)
        part, self.room = data[: self.room], 0
        if part:
            return self.real(fd, part)
        raise OSError(self.error, os.strerror(self.error))


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("room", [0, 1, 100, 190, 400, 1000])
def test_a_line_that_does_not_fit_is_refused_and_the_trail_goes_on_when_there_is_room(
    open_trail: Open, monkeypatch: pytest.MonkeyPatch, room: int, error: int
) -> None:
    trail = open_trail()
    disk = Disk(room, error)
    told = []
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", disk.write)
        refused = []
        for n in range(30):
            try:
                told.append(trail.stream().write(b'"n":%d' % n))
            except TrailError as raised:
                refused.append(str(raised))
    assert refused
    assert all("written" in message and '"' not in message for message in refused)
    told.append(trail.stream().write(b'"n":30'))
    trail.close()
    assert {(trail.stream().id.hex(), number) for number in told} <= numbers(trail.directory)
    report = checked(trail.directory)
    assert {found.kind for found in report.findings} <= {K.DECLARED_GAP, K.TORN_DECLARED}
    assert K.DECLARED_GAP in {found.kind for found in report.findings}
    assert report.exit_code == 7


def test_when_no_checkpoint_can_be_written_line_257_is_refused(
    open_trail: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail = open_trail()
    ledger, aside = trail.directory / "checkpoints.jsonl", trail.directory / "aside"
    ledger.rename(aside)
    ledger.mkdir()
    for n in range(256):
        trail.stream().write(b'"n":%d' % n)
    with pytest.raises(TrailError, match="checkpoint"):
        trail.stream().write(b'"n":256')
    ledger.rmdir()
    aside.rename(ledger)
    trail.stream().write(b'"n":256')
    trail.close()
    assert checked(trail.directory).exit_code == 0


FILE_LIMIT = """
    trail = open_trail(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
    told, refused = [], 0
    for n in range(300):
        try:
            told.append(trail.stream().write(b'"filler":"%s"' % (b"x" * 100)))
        except TrailError:
            refused += 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    trail.close()
    print(len(told), refused, trail.stream().id.hex(), max(told))
"""


def test_a_segment_that_may_not_grow_is_left_for_the_next(tmp_path: Path) -> None:
    told, refused, stream, highest = output(child(FILE_LIMIT, tmp_path / "trail")).split()
    assert int(refused) > 0
    found = {number for name, number in numbers(tmp_path / "trail") if name == stream.decode()}
    assert found == set(range(1, max(found) + 1))
    assert int(highest) in found
    assert len(found) >= int(told)
    assert len(list((tmp_path / "trail").glob("*-*.jsonl"))) > 1
    report = checked(tmp_path / "trail")
    assert report.exit_code == 7
    assert {found.kind for found in report.findings} <= {K.DECLARED_GAP, K.TORN_DECLARED}


@pytest.fixture
def small_disk(tmp_path: Path, need: Need) -> Iterator[Path]:
    """Mount a file system of 64 KiB, where that is allowed."""
    mount = tmp_path / "disk"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(mount)]
    try:
        done = subprocess.run(command, capture_output=True, check=False).returncode
    except OSError:
        done = 1
    need(done == 0, "the right to mount a tmpfs")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


@pytest.mark.real
def test_a_disk_that_is_really_full_loses_no_acknowledged_line(small_disk: Path) -> None:
    trail = Trail(small_disk / "trail", signing_key=SEED, policy=STAMP, background=False)
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 20_000)
    told, refused = [], 0
    for _ in range(2):
        for n in range(400):
            try:
                told.append(trail.stream().write(b'"n":%d,"filler":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxx"' % n))
            except TrailError:
                refused += 1
        ballast.unlink(missing_ok=True)
    trail.close()
    assert refused
    assert {(trail.stream().id.hex(), number) for number in told} <= numbers(trail.directory)
    report = checked(trail.directory)
    assert {found.kind for found in report.findings} <= {K.DECLARED_GAP, K.TORN_DECLARED}
