"""The writer: what a line holds, when it is anchored, when a segment ends, what a fork and a thread do."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.audit.conftest import SEED, STAMP, Clock, Open
from troth.audit import stream as writer
from troth.audit.opening import PolicyStamp
from troth.audit.trail import Trail
from troth.audit.verify import FindingKind, Report, verify
from troth.errors import TrailError

LEDGER = "checkpoints.jsonl"


def lines(trail: Trail) -> list[dict[str, Any]]:
    paths = sorted(path for path in trail.directory.glob("*.jsonl") if path.name != LEDGER)
    return [json.loads(line) for path in paths for line in path.read_bytes().splitlines()]


def entries(trail: Trail) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (trail.directory / LEDGER).read_bytes().splitlines()]


def checked(trail: Trail) -> Report:
    return verify(trail.directory, trail.public_key, patience=0)


def test_a_line_is_in_the_file_when_write_returns(open_trail: Open, clock: Clock) -> None:
    trail = open_trail(clock=clock)
    number = trail.stream().write(b'"stage":"released","route":"GET /"')
    line = lines(trail)[-1]
    assert number == line["seq"] == 2
    assert (line["v"], line["stage"], line["route"]) == (1, "released", "GET /")
    assert line["t"] == "2026-11-22T12:00:00.123456Z"
    assert line["stream"] == trail.stream().id.hex()


def test_lines_are_chained_as_documented(open_trail: Open) -> None:
    trail = open_trail()
    for n in range(5):
        trail.stream().write(b'"n":%d' % n)
    path = next(path for path in trail.directory.glob("access-*.jsonl"))
    before = bytes(32)
    for raw in path.read_bytes().splitlines():
        assert json.loads(raw)["prev"] == before.hex()
        before = hashlib.sha256(trail.stream().id + before + raw).digest()


def test_the_first_line_names_policy_segment_and_schema(open_trail: Open) -> None:
    first = lines(open_trail())[0]
    assert first["kind"] == "trail.open"
    assert first["policy"] == {"id": "web", "version": "3", "hash": "ab" * 32}
    assert (first["v"], first["seq"], first["segment"], first["retention"]) == (1, 1, 1, "access")


def test_a_policy_that_changed_is_named_by_the_next_segment(open_trail: Open) -> None:
    trail = open_trail()
    trail.policy = PolicyStamp(id="web", version="4", hash="cd" * 32)
    trail.close()
    trail.stream().write(b'"n":1')
    assert [line["policy"]["version"] for line in lines(trail) if line.get("kind") == "trail.open"] == ["3", "4"]


def test_each_second_and_each_microsecond_is_dated(open_trail: Open, clock: Clock) -> None:
    trail = open_trail(clock=clock)
    clock.forward(microseconds=-123456)
    trail.stream().write(b'"n":1')
    clock.forward(days=1, seconds=1, microseconds=7)
    trail.stream().write(b'"n":2')
    clock.forward(seconds=-3600)
    trail.stream().write(b'"n":3')
    assert [line["t"] for line in lines(trail)[1:]] == [
        "2026-11-22T12:00:00.000000Z",
        "2026-11-23T12:00:01.000007Z",
        "2026-11-23T11:00:01.000007Z",
    ]


def test_a_checkpoint_follows_after_256_lines_at_the_latest(open_trail: Open) -> None:
    trail = open_trail()
    for n in range(1000):
        trail.stream().write(b'"n":%d' % n)
    anchors = [entry["seq"] for entry in entries(trail)]
    assert max(later - sooner for sooner, later in pairwise(anchors)) <= 256
    assert 1001 - anchors[-1] <= 256


def test_an_idle_trail_is_anchored_within_a_second_and_then_runs_no_thread(open_trail: Open) -> None:
    trail = open_trail(background=True)
    trail.stream().write(b'"n":1')
    deadline = time.monotonic() + 1.0
    while entries(trail)[-1]["seq"] < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert entries(trail)[-1]["seq"] == 2
    assert checked(trail).exit_code == 0
    deadline = time.monotonic() + 10
    while any(thread.name == "troth-trail" for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "the signer does not rest"
        time.sleep(0.05)
    trail.stream().write(b'"n":2')
    assert verify(trail.directory, trail.public_key, patience=2).exit_code == 0


def test_a_trail_without_lines_starts_no_thread(open_trail: Open) -> None:
    open_trail(background=True)
    assert not any(thread.name == "troth-trail" for thread in threading.enumerate())


def test_tick_anchors_what_waits_and_nothing_twice(open_trail: Open) -> None:
    trail = open_trail()
    trail.stream().write(b'"n":1')
    assert checked(trail).exit_code == 7
    trail.tick()
    count = len(entries(trail))
    trail.tick()
    assert len(entries(trail)) == count
    assert checked(trail).exit_code == 0


def test_closing_seals_and_a_later_line_opens_the_next_segment(open_trail: Open) -> None:
    trail = open_trail()
    trail.stream().write(b'"n":1')
    trail.close()
    trail.close()
    assert [entry["kind"] for entry in entries(trail)] == ["open", "checkpoint", "seal"]
    assert trail.stream().write(b'"n":2') == 4
    trail.close()
    assert checked(trail).exit_code == 0
    assert len(list(trail.directory.glob("access-*.jsonl"))) == 2


def test_entries_of_a_stream_are_numbered_without_gaps(open_trail: Open) -> None:
    trail = open_trail()
    for n in range(600):
        trail.stream("access").write(b'"n":%d' % n)
        trail.stream("consent").write(b'"n":%d' % n)
    trail.close()
    for stream in {entry["stream"] for entry in entries(trail)}:
        numbers = [entry["number"] for entry in entries(trail) if entry["stream"] == stream]
        assert numbers == list(range(1, len(numbers) + 1))
    assert [entry["n"] for entry in entries(trail)] == list(range(1, len(entries(trail)) + 1))


def test_retention_classes_never_share_a_file(open_trail: Open) -> None:
    trail = open_trail()
    trail.stream("consent").write(b'"n":1')
    trail.close()
    assert sorted(path.name.split("-")[0] for path in trail.directory.glob("*-*.jsonl")) == ["access", "consent"]
    assert trail.stream("consent") is trail.stream("consent")
    with pytest.raises(ValueError, match="retention"):
        trail.stream("../elsewhere")


@pytest.mark.parametrize(("size", "age"), [(4096, 10**18), (10**9, 60 * 10**9)])
def test_a_segment_that_is_full_or_old_is_sealed(
    open_trail: Open, clock: Clock, monkeypatch: pytest.MonkeyPatch, size: int, age: int
) -> None:
    monkeypatch.setattr(writer, "SEGMENT_BYTES", size)
    monkeypatch.setattr(writer, "SEGMENT_NANOSECONDS", age)
    trail = open_trail(clock=clock)
    for n in range(600):
        clock.forward(seconds=1)
        trail.stream().write(b'"n":%d' % n)
    trail.close()
    assert len(list(trail.directory.glob("access-*.jsonl"))) > 2
    report = checked(trail)
    assert (report.exit_code, report.streams) == (0, 1)
    assert [line["seq"] for line in lines(trail)] == list(range(1, report.lines + 1))


def test_threads_write_whole_lines_in_one_order(open_trail: Open) -> None:
    trail = open_trail(background=True)
    numbers: list[int] = []

    def work() -> None:
        numbers.extend(trail.stream().write(b'"n":1') for _ in range(500))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    trail.close()
    assert sorted(numbers) == list(range(2, 2002))
    assert checked(trail).exit_code == 0


def test_a_forked_child_writes_a_stream_of_its_own(open_trail: Open) -> None:
    trail = open_trail()
    trail.stream().write(b'"who":"parent"')
    child = os.fork()
    if child == 0:
        try:
            trail.stream().write(b'"who":"child"')
            trail.close()
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    trail.stream().write(b'"who":"parent"')
    trail.close()
    by_stream = {line["stream"]: line["who"] for line in lines(trail) if "who" in line}
    assert sorted(by_stream.values()) == ["child", "parent"]
    report = checked(trail)
    assert (report.exit_code, report.streams) == (0, 2)


def test_a_child_that_writes_nothing_keeps_no_lock_of_the_parent(open_trail: Open) -> None:
    trail = open_trail()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(read, 1)
        os._exit(0)
    trail.close()
    folder = verify(trail.directory, trail.public_key, patience=0)
    os.write(write, b"x")
    os.waitpid(child, 0)
    os.close(read)
    os.close(write)
    assert folder.exit_code == 0


def test_a_segment_that_was_unlinked_is_left_and_named(open_trail: Open) -> None:
    trail = open_trail()
    trail.stream().write(b'"n":1')
    next(trail.directory.glob("access-*.jsonl")).unlink()
    trail.tick()
    trail.stream().write(b'"n":2')
    trail.stream().write(b'"n":3')
    trail.close()
    assert [line.get("n") for line in lines(trail)] == [None, 2, 3]
    report = checked(trail)
    assert FindingKind.MISSING_SEGMENT in {found.kind for found in report.findings}
    assert report.exit_code == 6


def test_a_segment_that_was_cut_under_its_writer_is_left_and_named(open_trail: Open) -> None:
    trail = open_trail()
    for n in range(5):
        trail.stream().write(b'"n":%d' % n)
    trail.tick()
    path = next(trail.directory.glob("access-*.jsonl"))
    os.truncate(path, path.stat().st_size - 10)
    trail.stream().write(b'"n":5')
    trail.tick()
    trail.stream().write(b'"n":6')
    trail.close()
    assert (path.name, 6) in {(found.file, found.line) for found in checked(trail).findings}


def test_files_are_readable_by_their_owner_only(open_trail: Open) -> None:
    trail = open_trail()
    assert trail.directory.stat().st_mode & 0o077 == 0
    assert {path.stat().st_mode & 0o777 for path in trail.directory.iterdir()} == {0o600}


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(TrailError, match="trail directory"):
        Trail(tmp_path / "file" / "trail", signing_key=SEED, policy=STAMP)


def test_a_key_of_another_length_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="32"):
        Trail(tmp_path / "trail", signing_key=b"short", policy=STAMP)
