"""Reading a trail for people: order, filters, table and JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.audit.conftest import Clock, Open
from tests.audit.handmade import LEDGER, files, made
from troth.audit.show import COLUMNS, Filter, as_json, as_table, read_trail

WITHHELD = {
    "kind": "exchange",
    "stage": "released",
    "method": "GET",
    "route": "GET /orders/{id}",
    "status": 200,
    "actor": {"type": ["user"], "ref": "p_aa_01"},
    "subj": ["p_aa_01"],
    "pd": [{"cat": "user.contact.email", "n": 2}, {"cat": "user.name"}, {"cat": "user.name"}],
    "purpose": "sales",
    "basis": "contract",
    "why": [
        {
            "rule": "wait",
            "clause": ["TOO-CHO-2", "TOO-AUT-3"],
            "thing": "cookie",
            "action": "withhold",
            "n": 3,
            "what": ["_ga"],
        },
        {"rule": "row", "clause": "TOO-TBL-0", "thing": "field", "action": "withhold", "n": 1},
    ],
}
DENIED = {
    "kind": "denied",
    "http": {"method": "GET", "route": "/admin", "status": 403},
    "actor": "anonymous",
    "subj": ["p_aa_02", "p_aa_03"],
    "why": [{"rule": "share", "clause": "TOO-SHR-1", "thing": "exchange", "action": "alert", "would": "deny"}],
}


def members(line: dict[str, Any]) -> bytes:
    return json.dumps(line, separators=(",", ":")).encode()[1:-1]


@pytest.fixture
def trail_of_two_processes(open_trail: Open, clock: Clock) -> Path:
    one, other = open_trail(clock=clock), open_trail(clock=clock)
    for trail, line in ((one, WITHHELD), (other, DENIED), (one, {"kind": "consent-recorded", "purpose": "none"})):
        clock.forward(seconds=1)
        trail.stream().write(members(line))
    return one.directory


def kinds(directory: Path, **wanted: str) -> list[str]:
    return [line["kind"] for line in read_trail(directory, Filter(**wanted)).lines]


def test_lines_of_all_processes_come_in_order_of_time(trail_of_two_processes: Path) -> None:
    assert kinds(trail_of_two_processes) == ["exchange", "denied", "consent-recorded"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"kind": "denied"}, ["denied"]),
        ({"kind": "trail.open"}, ["trail.open", "trail.open"]),
        ({"rule": "row"}, ["exchange"]),
        ({"clause": "TOO-AUT-3"}, ["exchange"]),
        ({"clause": "TOO-SHR-1"}, ["denied"]),
        ({"clause": "TOO"}, []),
        ({"subject": "p_aa_01"}, ["exchange"]),
        ({"subject": "p_aa_03"}, ["denied"]),
        ({"subject": "p_aa_03", "rule": "row"}, []),
    ],
)
def test_a_filter_keeps_what_meets_all_of_it(
    trail_of_two_processes: Path, wanted: dict[str, str], expected: list[str]
) -> None:
    assert kinds(trail_of_two_processes, **wanted) == expected


def test_the_table_tells_who_saw_what_and_which_clause_acted(trail_of_two_processes: Path) -> None:
    header, first, again, second, third = as_table(read_trail(trail_of_two_processes).lines).splitlines()
    assert header.split() == list(COLUMNS)
    assert first.split()[:6] == ["2026-11-22", "12:00:01.123", "GET", "/orders/{id}", "200", "released"]
    assert first.split()[6] == "p_aa_01"
    assert "withhold cookie ×3 [_ga]" in first
    assert "TOO-CHO-2, TOO-AUT-3" in first
    assert again.split() == ["withhold", "field", "row", "TOO-TBL-0"]
    assert first.endswith("user.contact.email, user.name  sales / contract")
    assert "anonymous about 2 people" in second
    assert "GET /admin 403" in second
    assert "would deny exchange" in second
    assert "TOO-SHR-1" in second
    assert third.split()[-1] == "none"
    assert "consent-recorded" in third


def test_a_line_cannot_command_the_terminal() -> None:
    table = as_table([{"t": "2026-11-22T12:00:00.000000Z", "route": "GET /\x1b[2J\u202e\n", "kind": "pd.access"}])
    assert "\x1b" not in table
    assert "\u202e" not in table
    assert table.count("\n") == 2


def test_json_gives_the_lines_as_they_were_written(trail_of_two_processes: Path) -> None:
    lines = json.loads(as_json(read_trail(trail_of_two_processes).lines))
    assert {key: lines[0][key] for key in WITHHELD} == WITHHELD
    assert json.loads(as_json([])) == []


def test_a_member_of_an_unexpected_shape_leaves_its_cell_empty() -> None:
    odd: dict[str, Any] = {
        "t": 5,
        "why": "x",
        "pd": {"cat": 1},
        "actor": [],
        "subj": 7,
        "http": 3,
        "purpose": ["a", "b"],
    }
    assert "a, b" in as_table([odd])


def test_lines_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    trail = files(*made(10))
    for name, data in trail.files.items():
        (tmp_path / name).write_bytes(data if name == LEDGER else data[:-5])
    reading = read_trail(tmp_path)
    assert (len(reading.lines), reading.unreadable) == (8, 2)
