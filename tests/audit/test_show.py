"""Reading a trail for people: order, filters, table and JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.audit.conftest import Clock, Open
from tests.audit.handmade import LEDGER, files, made
from troth.audit.show import COLUMNS, Filter, as_json, as_table, read_trail
from troth.cli import main

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
    "party": ["stats", "shipper"],
    "why": [{"rule": "share", "clause": "TOO-SHR-1", "thing": "exchange", "action": "alert", "would": "deny"}],
}


def at(second: int) -> datetime:
    """The instant of the line that is written after so many seconds."""
    return datetime(2026, 11, 22, 12, 0, second, 123456, tzinfo=UTC)


def members(line: dict[str, Any]) -> bytes:
    return json.dumps(line, separators=(",", ":")).encode()[1:-1]


@pytest.fixture
def trail_of_two_processes(open_trail: Open, clock: Clock) -> Path:
    one, other = open_trail(clock=clock), open_trail(clock=clock)
    for trail, line in ((one, WITHHELD), (other, DENIED), (one, {"kind": "consent-recorded", "purpose": "none"})):
        clock.forward(seconds=1)
        trail.stream().write(members(line))
    return one.directory


def kinds(directory: Path, **wanted: Any) -> list[str]:
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
        ({"rule": "row", "clause": "TOO-TBL-0"}, ["exchange"]),
        ({"rule": "row", "clause": "TOO-CHO-2"}, []),
        ({"action": "withhold"}, ["exchange"]),
        ({"action": "deny"}, ["denied"]),
        ({"action": "alert"}, ["denied"]),
        ({"action": "mask"}, []),
        ({"purpose": "sales"}, ["exchange"]),
        ({"purpose": "sale"}, []),
        ({"party": "stats"}, ["denied"]),
        ({"party": "shipper"}, ["denied"]),
        ({"party": "own"}, []),
        ({"purpose": "sales", "party": "stats"}, []),
        ({"category": "user.name"}, ["exchange"]),
        ({"category": "user"}, []),
        ({"route": "/orders/{id}"}, ["exchange"]),
        ({"route": "GET /orders/{id}"}, ["exchange"]),
        ({"route": "POST /orders/{id}"}, []),
        ({"route": "/orders"}, []),
        ({"route": "/admin"}, ["denied"]),
        ({"since": at(2)}, ["denied", "consent-recorded"]),
        ({"until": at(2)}, ["exchange"]),
        ({"since": at(2), "until": at(3)}, ["denied"]),
        ({"since": at(4)}, []),
    ],
)
def test_a_filter_keeps_what_meets_all_of_it(
    trail_of_two_processes: Path, wanted: dict[str, Any], expected: list[str]
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


def test_each_stream_is_shown_alone_by_how_its_id_begins(trail_of_two_processes: Path) -> None:
    streams = {line["kind"]: line["stream"] for line in read_trail(trail_of_two_processes).lines}
    assert streams["exchange"] != streams["denied"]
    assert kinds(trail_of_two_processes, stream=streams["exchange"]) == ["exchange", "consent-recorded"]
    assert kinds(trail_of_two_processes, stream=streams["denied"][:20]) == ["denied"]


def test_the_command_takes_instants_and_days(trail_of_two_processes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def shown(*options: str) -> list[str]:
        assert main(["audit", "show", str(trail_of_two_processes), "--format", "json", *options]) == 0
        return [line["kind"] for line in json.loads(capsys.readouterr().out)]

    assert shown("--since", "2026-11-22", "--until", "2026-11-23") == ["exchange", "denied", "consent-recorded"]
    assert shown("--since", "2026-11-23") == []
    assert shown("--since", "2026-11-22T13:00:03.000+01:00") == ["consent-recorded"]
    assert shown("--until", "2026-11-22T12:00:02Z", "--route", "GET /orders/{id}", "--action", "withhold") == [
        "exchange"
    ]
    assert main(["audit", "show", str(trail_of_two_processes), "--since", "yesterday"]) == 2
    assert "an instant is wanted" in capsys.readouterr().err


@pytest.mark.parametrize("told", ["yesterday", "2026-11-22T12:00:00", 5, None])
def test_a_line_without_a_time_is_in_no_span(told: object) -> None:
    assert not Filter(since=at(0)).holds({"kind": "exchange", "t": told})
    assert Filter().holds({"kind": "exchange", "t": told})
