"""Verifying a directory to which servers write at the same time."""

from __future__ import annotations

import threading
from pathlib import Path

from tests.audit.conftest import Open
from tests.audit.handmade import PUBLIC, files, made
from troth.audit.verify import verify


def laid_out(directory: Path) -> None:
    for name, data in files(*made(40)).files.items():
        (directory / name).write_bytes(data)


def test_a_trail_is_verified_where_it_lies(tmp_path: Path) -> None:
    laid_out(tmp_path)
    report = verify(tmp_path, PUBLIC)
    assert (report.exit_code, report.lines) == (0, 40)
    assert report.text() == "trail sound: 40 lines (40 anchored) in 2 segments of 2 streams, 8 checkpoint entries\n"


def test_a_finding_is_told_with_file_line_and_kind(tmp_path: Path) -> None:
    laid_out(tmp_path)
    path = sorted(tmp_path.glob("access-*"))[0]
    path.write_bytes(path.read_bytes().replace(b"/orders/4", b"/orders/5", 1))
    report = verify(tmp_path, PUBLIC)
    assert report.text().startswith(f"{path.name}:3: changed: ")
    told = report.as_json()
    assert told["exit_code"] == 6
    assert told["findings"][0] | {"message": ""} == {
        "file": path.name,
        "line": 3,
        "kind": "changed",
        "severity": "failed",
        "message": "",
    }


def test_any_of_several_keys_may_have_signed(tmp_path: Path) -> None:
    laid_out(tmp_path)
    other = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    assert verify(tmp_path, other, PUBLIC).exit_code == 0
    assert verify(tmp_path, other).exit_code == 6


def test_a_busy_server_is_sound_up_to_where_it_was(open_trail: Open) -> None:
    trail = open_trail(background=True)
    stop, busy = threading.Event(), threading.Event()

    def work() -> None:
        while not stop.wait(0.001):
            trail.stream().write(b'"n":1')
            busy.set()

    thread = threading.Thread(target=work)
    thread.start()
    assert busy.wait(10)
    try:
        reports = [verify(trail.directory, trail.public_key) for _ in range(3)]
    finally:
        stop.set()
        thread.join()
    assert [report.text() for report in reports if report.exit_code] == []
    assert reports[-1].lines > reports[0].lines > 1


def test_a_folder_without_a_trail_proves_nothing(tmp_path: Path) -> None:
    assert verify(tmp_path, PUBLIC).exit_code == 7
    assert verify(tmp_path / "missing", PUBLIC).exit_code == 7
