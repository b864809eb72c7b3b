"""Real uvicorn, two workers: files that change on disk, and a rule that is switched off, hold on both by themselves."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from tests.workers.app import TOONTRACK
from tests.workers.client import PATIENCE, Connection, Server, serving

RULE = "wait-for-acceptance"


def until(holds: Callable[[], bool], server: Server) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, server.log
        time.sleep(0.05)


def analytics(worker: Connection) -> bool:
    """Whether the cookie that needs consent passes on this worker, without any."""
    return any(value.startswith(b"_ga=") for value in worker.ask().browser_got)


def policy_lines(server: Server, event: str) -> list[dict[str, object]]:
    read = (line for path in sorted(server.trail.glob("access-*.jsonl")) for line in path.read_bytes().splitlines())
    return [line for line in map(json.loads, read) if line.get("event") == event]


def test_both_workers_come_to_what_stands_on_disk_by_themselves(tmp_path: Path) -> None:
    folder = tmp_path / "policy"
    shutil.copytree(TOONTRACK, folder)
    with serving(tmp_path / "run", GUARDED_BY=str(folder)) as server:
        workers = server.both()
        assert [analytics(worker) for worker in workers] == [False, False]

        switches = server.home / "switches.yaml"
        switches.write_text(f"{RULE}: {{mode: off, who: operations, why: a test}}\n")
        until(lambda: all(analytics(worker) for worker in workers), server)
        assert [line["rule"] for line in policy_lines(server, "rule-switched")] == [RULE] * 2
        switches.unlink()
        until(lambda: not any(analytics(worker) for worker in workers), server)

        rules = folder / "rules.yaml"
        good = rules.read_text("utf-8")
        rules.write_text(good + "\n- {id: broken, for: cook}\n", "utf-8")
        until(lambda: len(policy_lines(server, "policy-refused")) == 2, server)
        assert [analytics(worker) for worker in workers] == [False, False]
        assert len(re.findall(r"error\[TR\d+\].*\n *--> \S+/rules\.yaml:\d+", server.log)) == 2

        rules.write_text(re.sub(f"(?m)^( *)- id: {RULE}$", "\\g<0>\n\\1  mode: off", good), "utf-8")
        until(lambda: all(analytics(worker) for worker in workers), server)
        loaded = policy_lines(server, "policy-loaded")
        assert len({line["stream"] for line in loaded}) == len(loaded) == 2
        assert len({line["hash"] for line in loaded}) == 1
        assert {worker.ask().told["worker"] for worker in workers} == {worker.worker for worker in workers}
    assert server.verified().exit_code == 0
