"""Workers that die and workers that start at once: nothing is revived, nothing that was received is missing."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.workers.client import Connection, Server, serving
from troth.audit.verify import FindingKind

AT_MOST = {FindingKind.UNANCHORED, FindingKind.TORN, FindingKind.RECOVERED, FindingKind.TORN_DECLARED}


def generation(server: Server) -> int:
    return int.from_bytes((server.home / "generation").read_bytes(), "little")


def analytics(connection: Connection, cookie: bytes) -> bool:
    """Whether analytics cookies get through, either way, for a browser with this consent cookie."""
    received = connection.ask(headers=[(b"cookie", b"_ga=1; " + cookie)])
    inbound = b"_ga=1" in received.app_saw
    outbound = any(value.startswith(b"_ga=") for value in received.browser_got)
    assert inbound is outbound
    return inbound


def person(connection: Connection, query: bytes = b"") -> bool:
    received = connection.ask(b"POST", b"/person" + (b"?" + query if query else b""))
    return bool(received.told["granted"])


def test_a_withdrawal_holds_though_its_worker_was_killed_before_it_told_the_other(tmp_path: Path) -> None:
    with serving(tmp_path / "run") as server:
        survivor, dying = server.both()
        old = dying.choose(b"accept").consent
        assert analytics(survivor, old)
        server.fault(on=True)
        with server.unattended():
            with pytest.raises(ConnectionError):
                dying.choose(b"withdraw", cookie=old)
            assert generation(server) % 2 == 1
            for _ in range(3):
                assert not analytics(survivor, old)
            assert {found.kind for found in server.verified().findings} <= AT_MOST
            server.fault(on=False)
        for worker in server.both():  # one of them is new
            assert not analytics(worker, old)
        assert generation(server) % 2 == 0
        assert not analytics(survivor, old)
        server.stop()
        assert {found.kind for found in server.verified().findings} <= AT_MOST
        assert server.verified().exit_code == 0


def test_a_persons_withdrawal_holds_though_its_worker_was_killed_before_it_told_the_other(tmp_path: Path) -> None:
    with serving(tmp_path / "run") as server:
        survivor, dying = server.both()
        assert not person(survivor)
        assert person(dying, b"grant")
        assert person(survivor)
        server.fault(on=True)
        with server.unattended():
            with pytest.raises(ConnectionError):
                person(dying, b"withdraw")
            assert not person(survivor)
            server.fault(on=False)
        for worker in server.both():
            assert not person(worker)


def started_together(folder: Path) -> None:
    """Start both workers at once on a fresh home, and let each see what the other does."""
    with serving(folder) as server:
        for here, there in (server.both(), tuple(reversed(server.both()))):
            old = here.choose(b"accept").consent
            assert analytics(there, old)
            new = there.choose(b"withdraw", cookie=old).consent
            assert not analytics(here, old)
            assert not analytics(there, old)
            assert not analytics(here, new)
        assert person(here, b"grant")
        assert person(there)
        assert not person(there, b"withdraw")
        assert not person(here)
        assert "ERROR" not in server.log
        assert max(server.seconds_to_start()) < 5
        server.stop()
        report = server.verified()
        assert (report.exit_code, report.streams) == (0, 2), report.text()
        assert report.anchored == report.lines


@pytest.mark.parametrize("run", range(3))
def test_workers_that_start_at_once_on_a_fresh_home_agree(tmp_path: Path, run: int) -> None:
    started_together(tmp_path / str(run))


@pytest.mark.real
def test_workers_that_start_at_once_agree_twenty_times(tmp_path: Path) -> None:
    for run in range(20):
        started_together(tmp_path / str(run))


def loaded(server: Server, each: int, threads: int = 4) -> Counter[int]:
    """Ask for personal data from several sides until `each` have been received or the worker dies; count by worker."""

    def load(_: int) -> Counter[int]:
        received: Counter[int] = Counter()
        connection = Connection(server.port)
        server.connections.append(connection)
        try:
            for _ in range(each):
                answer = connection.ask(path=b"/api/account")
                assert answer.status == 200
                assert b"gender" not in answer.body
                received[answer.told["worker"]] += 1
        except ConnectionError:
            pass
        return received

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(load, range(threads)), Counter())


def told(server: Server) -> Counter[str]:
    """Count the lines of these requests by stream."""
    return Counter(line["stream"] for line in server.lines() if line["route"] == "GET /api/account")


def test_after_a_kill_every_response_that_was_received_has_its_line(tmp_path: Path) -> None:
    with serving(tmp_path / "run") as server:
        victim, _ = server.both()
        with ThreadPoolExecutor(1) as pool:
            load = pool.submit(loaded, server, 400)
            while sum(told(server).values()) < 300:
                pass
            with server.unattended():
                server.kill(victim.worker)
                received = load.result()
                report = server.verified()
        assert sum(received.values()) >= 300
        lines = sorted(told(server).values())
        assert len(lines) == len(received) == 2
        for had, has in zip(sorted(received.values()), lines, strict=True):
            assert had <= has <= had + 4  # what was written, and whose answer the kill took back
        assert {found.kind for found in report.findings} <= AT_MOST
        server.both()
        server.stop()
        assert server.verified().exit_code == 0
