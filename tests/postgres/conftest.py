"""One server for all tests here; each test gets a fresh ledger on it, and machines that share it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from tests.conftest import Need
from tests.postgres.server import Server, programs
from troth.consent.postgres.ledger import PostgresLedger

KEY = bytes(range(32))
Machine = Callable[[], PostgresLedger]


@pytest.fixture(scope="module")
def server(need: Need) -> Iterator[Server]:
    found = programs()
    need(found is not None, "a PostgreSQL server (Debian, Ubuntu: apt-get install postgresql)")
    assert found is not None
    running = Server(found)
    yield running
    running.end()


@pytest.fixture
def postgres(server: Server) -> Server:
    """The server, with no ledger on it."""
    server.run("DROP SCHEMA IF EXISTS troth CASCADE")
    return server


@pytest.fixture
def machine(postgres: Server) -> Iterator[Machine]:
    """Open the ledger as one more machine would."""
    opened: list[PostgresLedger] = []

    def open_one() -> PostgresLedger:
        opened.append(PostgresLedger.open(postgres.url, KEY))
        return opened[-1]

    yield open_one
    for one in opened:
        with suppress(Exception):
            one.close()
