"""The checks find faults: with one thing wrong in an engine or on the wire they do not pass, and without it they do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Protocol

import pytest

from tests.asgi.wire import Shop
from tests.differential import compare as comparing
from tests.differential import faults, faults_wire
from tests.differential.compare import compare
from tests.differential.corpus import Ground, grounds
from tests.differential.faults import Seed
from tests.differential.generate import Generator
from tests.golden.corpus import HERE as GOLDEN
from troth.cases import load_cases, run_files
from troth.model.facts import Exchange
from troth.model.words import OWN

SEED: Final = 20261122
OWN_CASES: Final = Path(__file__).with_name("faults.yaml")


class Check(Protocol):
    """Something that judges and tells what is wrong; finds nothing in a sound engine."""

    def __call__(self) -> list[str]: ...


@cache
def ground(name: str) -> Ground:
    return next(one for one in grounds() if one.name == name)


@dataclass(frozen=True, slots=True)
class Differential:
    """Both engines on generated exchanges, few at first; stops where they differ."""

    name: str
    most: int = 256

    def __str__(self) -> str:
        return f"{self.name} judged twice"

    def __call__(self) -> list[str]:
        count, found = self.most // 16, list[str]()
        while not found and count <= self.most:
            found = compare(ground(self.name), SEED, count).disagreements
            count *= 4
        return found


class Twins(Generator):
    """Draws each exchange with two that differ from it in one fact of the head alone, party or time: what is
    remembered of a head is asked for again. In the order of time, as a clock goes.
    """

    def exchanges(self, count: int) -> Iterator[Exchange]:
        drawn = [twin for x in super().exchanges(count) for twin in self._twins(x)]
        yield from sorted(drawn, key=lambda x: x.now)

    def _twins(self, x: Exchange) -> tuple[Exchange, ...]:
        return x, x.but(party=self.one([OWN, *self.pools.parties])), x.but(now=x.now + timedelta(days=400))


@dataclass(frozen=True, slots=True)
class WithTwins:
    """Both engines on exchanges that differ in party or time alone."""

    name: str

    def __str__(self) -> str:
        return f"twins of {self.name}"

    def __call__(self) -> list[str]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(comparing, "Generator", Twins)
            return Differential(self.name, 64)()


@dataclass(frozen=True, slots=True)
class Cases:
    """The cases of a file, on the wire: as they expect it, and as the reference judges."""

    path: Path

    def __str__(self) -> str:
        return f"cases of {self.path.stem}"

    def __call__(self) -> list[str]:
        tally = run_files([load_cases(self.path)])
        assert tally.outcomes
        return [f"{one.case.id} {failure}" for one in tally.failed for failure in one.failures]


@dataclass(frozen=True, slots=True)
class TwoDays:
    """One request today and again tomorrow, when a statement has run out, where nobody watches."""

    def __str__(self) -> str:
        return "two days"

    def __call__(self) -> list[str]:
        return asyncio.run(self._asked())

    async def _asked(self) -> list[str]:
        with TemporaryDirectory() as home, Shop(Path(home), OWN_CASES.read_text("utf-8")).closing() as shop:
            shop.now = datetime(2026, 2, 28, 12, tzinfo=UTC)
            today = [await shop.ask(path="/export", host=b"www.shop.example") for _ in range(2)]
            shop.now += timedelta(days=1)
            later = await shop.ask(path="/export", host=b"www.shop.example")
        statuses = [*(one.status for one in today), later.status]
        return [] if statuses == [200, 200, 403] else [f"answered with {statuses}"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong, in the words in which it was asked for; how it is seeded; which check has to find it."""

    what: str
    seed: Seed
    check: Check
    case: str = ""
    """The case that has to fail."""

    @property
    def id(self) -> str:
        return f"{self.what}: {self.seed.__name__.replace('_', ' ')}, {self.check}"


WORDS, TOGETHER = Differential("words"), Cases(OWN_CASES)
SHIPPERS, PARTNERS = Cases(GOLDEN / "05-TOO-LOC-2.yaml"), Differential("08-TOO-SHR-12")
SOURCES, PASSPORTS = Cases(GOLDEN / "19-TOO-OTH-1.yaml"), Cases(GOLDEN / "30-PEX-RGT-10.yaml")
VERSIONS, TWINS = Differential("15-BGM-8.2-2"), WithTwins("words")

FAULTS: Final = (
    Fault(what="any/all swapped", seed=faults.any_and_all_swapped, check=WORDS),
    Fault(what="not lost", seed=faults.not_lost, check=WORDS),
    Fault(what="absent taken for false", seed=faults.absent_taken_for_false, check=WORDS),
    Fault(what="unreadable passed", seed=faults.unreadable_passed, check=WORDS),
    Fault(what="undeclared unmatched", seed=faults.undeclared_unmatched, check=WORDS),
    Fault(what="an exception opening a second rule", seed=faults.exception_opens_a_second_rule, check=WORDS),
    Fault(what="exceptions conjoined", seed=faults.exceptions_conjoined, check=PARTNERS),
    Fault(what="of-purpose any for each", seed=faults.of_purpose_data_any_for_each, check=WORDS),
    Fault(what="of-purpose any for each", seed=faults.of_purpose_consent_any_for_each, check=WORDS),
    Fault(what="wrong subject", seed=faults.record_taken_for_the_actors, check=WORDS),
    Fault(what="wrong subject", seed=faults.field_taken_from_its_record, check=WORDS),
    Fault(what="wrong subject", seed=faults.exchange_taken_for_the_actors, check=WORDS),
    Fault(what="expired consent valid", seed=faults.expired_consent_valid, check=WORDS),
    Fault(what="old version valid", seed=faults.old_version_valid, check=VERSIONS),
    Fault(what="signal ignored", seed=faults.signal_ignored, check=WORDS),
    Fault(what="protected after deny", seed=faults.protected_after_deny, check=WORDS),
    Fault(
        what="order of actions",
        seed=faults_wire.masked_before_withheld,
        check=TOGETHER,
        case="what-one-rule-masks-and-another-withholds-goes",
    ),
    Fault(
        what="order of actions",
        seed=faults.last_rule_names_the_status,
        check=TOGETHER,
        case="the-first-of-two-rules-names-the-status",
    ),
    Fault(what="edit before read", seed=faults.fields_cut_before_the_exchange_is_read, check=WORDS),
    Fault(
        what="edit before read",
        seed=faults_wire.fields_cut_before_the_exchange_is_read,
        check=PASSPORTS,
        case="a-passport-for-offers",
    ),
    Fault(
        what="edit before read",
        seed=faults_wire.fields_cut_before_the_exchange_is_read,
        check=TOGETHER,
        case="what-goes-is-still-read",
    ),
    Fault(what="cache key without party", seed=faults.cache_key_without_party, check=TWINS),
    Fault(what="cache key without party", seed=faults.cache_key_without_party, check=SOURCES, case="an-unknown-key"),
    Fault(what="cache key without clock", seed=faults.cache_key_without_clock, check=TWINS),
    Fault(
        what="cache key without clock",
        seed=faults.cache_key_without_clock,
        check=TOGETHER,
        case="a-statement-that-ran-out-between-two-requests",
    ),
    Fault(what="cache key without clock", seed=faults_wire.lane_without_clock, check=TwoDays()),
    Fault(what="denial too early", seed=faults.denied_too_early, check=WORDS),
    Fault(what="denial too late", seed=faults_wire.denied_after_the_app, check=SHIPPERS, case="a-mailer-abroad"),
    Fault(what="denial too late", seed=faults.settled_too_late, check=SHIPPERS, case="a-mailer-abroad"),
    Fault(what="dry-run editing", seed=faults.dry_run_told_as_done, check=WORDS),
    Fault(
        what="dry-run editing",
        seed=faults_wire.dry_run_edits,
        check=TOGETHER,
        case="a-dry-run-leaves-cookies-and-fields",
    ),
    Fault(
        what="a duplicate field kept",
        seed=faults_wire.second_member_kept,
        check=TOGETHER,
        case="every-member-of-a-name-goes",
    ),
    Fault(
        what="a duplicate field kept",
        seed=faults_wire.second_pair_kept,
        check=TOGETHER,
        case="every-pair-of-a-name-goes-from-a-form",
    ),
)
ASKED_FOR: Final = {
    "any/all swapped", "not lost", "absent taken for false", "unreadable passed", "undeclared unmatched",
    "an exception opening a second rule", "exceptions conjoined", "of-purpose any for each", "wrong subject",
    "expired consent valid", "old version valid", "signal ignored", "protected after deny", "order of actions",
    "edit before read", "cache key without party", "cache key without clock", "denial too early", "denial too late",
    "dry-run editing", "a duplicate field kept",
}  # fmt: skip


def test_every_fault_that_was_asked_for_is_seeded() -> None:
    assert {fault.what for fault in FAULTS} == ASKED_FOR


@pytest.mark.parametrize("check", dict.fromkeys(fault.check for fault in FAULTS), ids=str)
def test_a_sound_engine_passes(check: Check) -> None:
    assert check() == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_a_seeded_fault_is_found(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    fault.seed(monkeypatch)
    found = fault.check()
    print(f"seed {SEED}: {found[:1]}")
    assert [one for one in found if fault.case in ("", one.split()[0])]
