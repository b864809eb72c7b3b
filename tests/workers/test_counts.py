"""Real uvicorn, two workers: what is counted over both is reached once, whoever asks whom, and over deaths as well."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tests.workers.client import Connection, Server, serving

FILES = {
    "policy.yaml": """
identity: {id: shop, hosts: [shop.example]}
versions: [{id: '1'}]
purposes: {stats: {basis: contract}}
events: [erasure-requested]
""",
    "rules.yaml": """
- {id: no-stats, clause: E-1, for: exchange, match: {purpose: stats}, otherwise: deny}
- id: few
  clause: E-2
  for: event
  match: {event: denied}
  expect: {at-most: {count: 6, per: client, within: PT1H}}
- id: thrice
  clause: E-3
  for: event
  match: {event: erasure-requested}
  expect: {at-most: {count: 3, per: subject, within: P1D}}
  otherwise: withhold
""",
    "binding.yaml": """
routes:
  'GET /': {audience: public}
  'GET /stats': {purpose: stats}
  'POST /erase/{id}': {event: erasure-requested, subject: path.id}
""",
}


def shop(folder: Path, name: str, home: Path | None = None) -> AbstractContextManager[Server]:
    policy = folder / "policy"
    policy.mkdir(exist_ok=True)
    for file, text in FILES.items():
        (policy / file).write_text(text)
    return serving(folder / name, home, GUARDED_BY=str(policy), BOUND_BY=str(policy / "binding.yaml"))


def reasons(line: dict[str, Any]) -> set[tuple[str, str]]:
    return {(why["rule"], why["action"]) for why in line["why"]}


def denied(connection: Connection) -> None:
    assert connection.ask(path=b"/stats").status == 403


def alerts(server: Server) -> int:
    return sum(("few", "alert") in reasons(line) for line in server.lines())


def test_two_workers_count_together_and_go_on_where_a_killed_one_stopped(tmp_path: Path) -> None:
    with shop(tmp_path, "run") as server:
        here, there = server.both()
        for number in range(6):
            denied((here, there)[number % 2])
        assert alerts(server) == 0, "each has seen three, both together six"
        server.kill(here.worker)
        denied(there)
        assert alerts(server) == 1, "the seventh, whoever is asked"
    with shop(tmp_path, "again", server.home) as server:
        denied(server.both()[0])
        assert alerts(server) == 2, "a restart forgets nothing"


def test_an_event_is_refused_where_both_workers_together_have_seen_too_many(tmp_path: Path) -> None:
    with shop(tmp_path, "run") as server:
        here, there = server.both()
        for connection in (here, there, here, there):
            assert connection.ask(b"POST", b"/erase/ann").status == 200
        lines = [line for line in server.lines() if line["route"] == "POST /erase/{id}"]
        assert sorted("event" in line for line in lines) == [False, True, True, True]
        (refused,) = [line for line in lines if "event" not in line]
        assert reasons(refused) == {("thrice", "withhold")}
        assert here.ask(b"POST", b"/erase/bob").status == 200
        assert sum("event" in line for line in server.lines()) == 4
