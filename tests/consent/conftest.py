"""A home, a ledger and a desk, each fresh for its test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from troth.consent.decoder import Decoder
from troth.consent.desk import ConsentDesk
from troth.consent.generation import Generation
from troth.consent.ledger import Ledger
from troth.home import Home
from troth.model.period import Period

OpenLedger = Callable[[], Ledger]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home", environ={})


@pytest.fixture
def open_ledger(home: Home) -> Iterator[OpenLedger]:
    """Open the ledger as one more worker would."""
    opened: list[tuple[Ledger, Generation]] = []

    def open_one() -> Ledger:
        generation = Generation.open(home.generation, home.lock)
        ledger = Ledger.open(home.ledger, generation, home.ledger_key)
        opened.append((ledger, generation))
        return ledger

    yield open_one
    for ledger, generation in opened:
        ledger.close()
        generation.close()


@pytest.fixture
def ledger(open_ledger: OpenLedger) -> Ledger:
    return open_ledger()


@pytest.fixture
def decoder(home: Home, ledger: Ledger) -> Decoder:
    return Decoder(home.cookie_keys, epoch=ledger.epoch, retired=ledger.retired)


@pytest.fixture
def desk(home: Home, ledger: Ledger) -> ConsentDesk:
    lasts = {"analytics": Period.parse("P6M"), "advertising": Period.parse("P1M"), "embeds": None}
    return ConsentDesk(ledger, home.cookie_keys[0], lasts=lasts)
