"""What does a look at consent cost? One line per operation, in time per call on this machine.

``python -m benchmarks.bench_consent`` prints the fastest of several rounds: what the operation needs, not what the
neighbours take. Memory is what a thousand remembered cookies hold.
"""

from __future__ import annotations

import sys
import tempfile
import timeit
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

from troth.consent.batch import LedgerEntry
from troth.consent.decoder import Decoder
from troth.consent.desk import ConsentDesk
from troth.consent.device import ConsentReading, CookieOutcome
from troth.consent.generation import Generation
from troth.consent.ledger import Ledger
from troth.consent.signals import signals_of
from troth.home import Home
from troth.model.consent import Choice, ChoiceState

NOW = datetime(2026, 11, 22, tzinfo=UTC)
NAMES = ("analytics", "advertising", "embeds", "newsletter", "transfer")
NOTHING = ConsentReading(None, CookieOutcome.ABSENT)
HEADERS = [(b"x-header-%d" % number, b"value") for number in range(12)]
VISITORS = 1000


def cost(operation: Callable[[], object], number: int) -> float:
    """Return the microseconds of one call, in the fastest of seven rounds."""
    return min(timeit.repeat(operation, number=number, repeat=7)) / number * 1e6


def cookies(desk: ConsentDesk) -> list[bytes]:
    made = (desk.choose(NOTHING, NAMES, ChoiceState.GRANTED, now=NOW, version="2026-01") for _ in range(VISITORS))
    return [outcome.set_cookie.partition(b"=")[2].partition(b";")[0] for outcome in made]


def remembered(decoder: Decoder, values: list[bytes]) -> float:
    """Return the bytes that each verified cookie keeps."""
    tracemalloc.start()
    for value in values:
        decoder.read_one(bytes(bytearray(value)))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return held / len(values)


def rows(home: Home) -> Iterator[tuple[str, float]]:
    generation = Generation.open(home.generation, home.lock)
    ledger = Ledger.open(home.ledger, generation, home.ledger_key)
    desk = ConsentDesk(ledger, home.cookie_keys[0], lasts={})
    decoder = Decoder(home.cookie_keys, epoch=ledger.epoch, retired=ledger.retired)
    cold = Decoder(home.cookie_keys, epoch=ledger.epoch, retired=ledger.retired, size=2)
    values = cookies(desk)
    each, other = cycle(values), cycle(values)
    people = [f"person {number}" for number in range(50)]
    entry = LedgerEntry(name="analytics", choice=Choice(state=ChoiceState.GRANTED, at=NOW, version="1"))
    with ledger.writing() as batch:
        for person in people:
            batch.record_person(person, [entry])
    empty = cost(lambda: None, 200_000)
    yield "an empty call (taken off below)", empty
    yield "generation read", cost(generation.read, 200_000)
    yield "browser signals of 12 headers", cost(lambda: signals_of(HEADERS), 100_000) - empty
    yield "consent cookie, remembered", cost(lambda: decoder.read([next(each)]), 50_000) - empty
    yield "consent cookie, first sight", cost(lambda: cold.read([next(other)]), 5_000) - empty
    yield "choices of 50 persons, remembered", cost(lambda: ledger.choices_of(people), 5_000) - empty
    yield "choices of 50 persons, from the file", cost(lambda: forgetful(ledger, people), 500) - empty
    yield "a choice, written", cost(lambda: ledger.record_person("p", [entry]), 50) - empty
    fresh = Decoder(home.cookie_keys, epoch=ledger.epoch, retired=ledger.retired)
    yield f"bytes per remembered cookie of {len(values[0])} characters", remembered(fresh, values)


def forgetful(ledger: Ledger, people: list[str]) -> None:
    """Look people up of whom nothing is remembered."""
    ledger._choices.clear()
    ledger.choices_of(people)


def main() -> int:
    """Measure in a home of its own and print. Returns the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        for name, value in rows(Home.open(Path(folder) / "home", environ={})):
            print(f"{name:50} {value:10.3f}{'' if 'bytes' in name else ' µs'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
