"""Two servers of two workers each, every one a process of its own, share a ledger on PostgreSQL: asked over sockets."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres.server import Server as Postgres
from tests.workers.client import Connection, Received, Server, serving
from troth.consent.postgres.mirror import LEASE

pytestmark = pytest.mark.real

KEYS = {f"TROTH_KEY_{name}": bytes([n] * 32).hex() for n, name in enumerate(("COOKIE", "LEDGER", "PSEUDONYM"), 1)}
PATIENCE = 20.0


@pytest.fixture
def hosts(postgres: Postgres, tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    """Two servers on homes of their own; only keys and ledger are the same."""
    shared = {**KEYS, "TROTH_LEDGER": postgres.url}
    with serving(tmp_path / "one", None, **shared) as one, serving(tmp_path / "two", None, **shared) as two:
        yield one, two


def processes(hosts: tuple[Server, Server]) -> list[Connection]:
    """Return a connection to each of the four workers."""
    found = [connection for host in hosts for connection in host.both()]
    assert len({one.worker for one in found}) == 4
    return found


def analytics(connection: Connection, consent: bytes) -> bool:
    """Whether the analytics cookie reaches the app, which is what the consent decides."""
    return b"_ga=1" in connection.ask(headers=[(b"cookie", b"_ga=1; " + consent)]).app_saw


def person(connection: Connection, act: bytes = b"") -> Received:
    return connection.ask(b"POST", b"/person" + (b"?" + act if act else b""), body=b"")


def letters(connection: Connection) -> bool:
    told = person(connection).told["granted"]
    assert isinstance(told, bool)
    return told


def test_what_is_withdrawn_in_one_process_is_withdrawn_in_all_at_their_next_request(
    hosts: tuple[Server, Server],
) -> None:
    workers = processes(hosts)
    for number in range(12):
        here = workers[number % 4]
        consent = here.choose(b"accept", "analytics").consent
        assert all(analytics(one, consent) for one in workers)
        assert here.choose(b"withdraw", cookie=consent).status == 200
        assert not any(analytics(one, consent) for one in workers)
        assert person(here, b"grant").status == 200
        assert all(letters(one) for one in workers)
        assert person(here, b"withdraw").status == 200
        assert not any(letters(one) for one in workers)


def test_a_worker_that_was_killed_holds_nobody_up_for_longer_than_a_lease(hosts: tuple[Server, Server]) -> None:
    workers = processes(hosts)
    consent = workers[0].choose(b"accept", "analytics").consent
    assert all(analytics(one, consent) for one in workers)
    with hosts[1].unattended():
        hosts[1].kill(workers[2].worker)
        began = time.monotonic()
        assert workers[0].choose(b"withdraw", cookie=consent).status == 200
        assert time.monotonic() - began < LEASE + 2
        assert not any(analytics(one, consent) for one in (workers[0], workers[1], workers[3]))


def test_a_worker_that_hangs_grants_nothing_withdrawn_when_it_goes_on(hosts: tuple[Server, Server]) -> None:
    workers = processes(hosts)
    consent = workers[0].choose(b"accept", "analytics").consent
    assert all(analytics(one, consent) for one in workers)
    os.kill(workers[3].worker, signal.SIGSTOP)
    try:
        assert workers[0].choose(b"withdraw", cookie=consent).status == 200
        time.sleep(0.2)
    finally:
        os.kill(workers[3].worker, signal.SIGCONT)
    assert not any(analytics(one, consent) for one in workers)


def test_server_killed_and_started_again_brings_no_consent_back(
    hosts: tuple[Server, Server], postgres: Postgres
) -> None:
    workers = processes(hosts)
    kept, ended = (workers[0].choose(b"accept", "analytics").consent for _ in range(2))
    assert workers[1].choose(b"withdraw", cookie=ended).status == 200
    assert person(workers[2], b"grant").status == 200
    postgres.kill()
    time.sleep(LEASE)
    assert not any(analytics(one, cookie) for one in workers for cookie in (kept, ended))
    assert not any(letters(one) for one in workers)
    assert [one.choose(b"withdraw", cookie=kept).status for one in workers] == [503] * 4
    postgres.start()
    end = time.monotonic() + PATIENCE
    while not all(analytics(one, kept) for one in workers):
        assert time.monotonic() < end, "they did not connect again"
        time.sleep(0.05)
    assert not any(analytics(one, ended) for one in workers)
    assert all(letters(one) for one in workers)
    assert workers[3].choose(b"withdraw", cookie=kept).status == 200
    assert not any(analytics(one, kept) for one in workers)
    for host in hosts:
        assert not (host.home / "ledger.sqlite3").exists()
