"""Several processes on one home: what one of them does holds at the next look of all others, whatever becomes of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import troth.home
from troth.consent.decoder import Decoder
from troth.consent.desk import ConsentDesk
from troth.consent.device import ConsentReading, CookieOutcome
from troth.consent.ledger import Ledger
from troth.home import Home
from troth.model.consent import ChoiceState

PACKAGES = str(Path(troth.home.__file__).parents[1])
NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
NOTHING = ConsentReading(None, CookieOutcome.ABSENT)
G, W = ChoiceState.GRANTED, ChoiceState.WITHDRAWN
OpenLedger = Callable[[], Ledger]

PROLOGUE = """
import os, signal, sys
from datetime import UTC, datetime
from troth.consent.batch import LedgerEntry
from troth.consent.decoder import Decoder
from troth.consent.desk import ConsentDesk
from troth.consent.generation import Generation
from troth.consent.ledger import Ledger
from troth.home import Home
from troth.model.consent import Choice, ChoiceState

NOW = datetime(2026, 11, 22, 12, 0, 1, tzinfo=UTC)

class Dying(Generation):
    __slots__ = ()
    def _announce(self, value):
        os.kill(os.getpid(), signal.SIGKILL)

def start(kind=Generation):
    global ledger, decoder, desk
    home = Home.open(sys.argv[1], environ={})
    ledger = Ledger.open(home.ledger, kind.open(home.generation, home.lock), home.ledger_key)
    decoder = Decoder(home.cookie_keys, epoch=ledger.epoch, retired=ledger.retired)
    desk = ConsentDesk(ledger, home.cookie_keys[0], lasts={})
"""


class Worker:
    """One more process that has the home open, and answers each line it is sent with the value of that expression."""

    def __init__(self, home: Home, script: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROLOGUE + script, str(home.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": PACKAGES},
        )

    def ask(self, line: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def end(self) -> int:
        self.process.communicate(timeout=20)
        return self.process.returncode


READER = """
start()
for line in sys.stdin:
    print(eval(line), flush=True)
"""

DYING_WRITER = """
start(Dying)
cookie = sys.stdin.readline().strip().encode()
with ledger.writing() as batch:
    for old_id in decoder.read([cookie]).ids:
        batch.retire(old_id, at=NOW, keep_until=None)
    withdrawn = Choice(state=ChoiceState.WITHDRAWN, at=NOW, version="2")
    batch.record_person("anna", [LedgerEntry(name="analytics", choice=withdrawn)])
"""

DYING_AFTER_A_PAUSE = (
    DYING_WRITER
    + """
    print("written, not committed", flush=True)
    sys.stdin.readline()
"""
)

DYING_BEFORE_COMMIT = (
    DYING_WRITER
    + """
    os.kill(os.getpid(), signal.SIGKILL)
"""
)

ASK_COOKIE = "decoder.read([{!r}]).outcome"
ASK_PERSON = "[str(c.state) for c in ledger.choices_of(['anna'])['anna'].of('analytics')]"


@pytest.fixture
def worker(home: Home) -> Iterator[Callable[[str], Worker]]:
    started: list[Worker] = []

    def start(script: str) -> Worker:
        started.append(Worker(home, script))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.communicate()


@pytest.fixture
def cookie(desk: ConsentDesk) -> bytes:
    outcome = desk.choose(NOTHING, ["analytics"], G, now=NOW, version="2")
    return outcome.set_cookie.partition(b"=")[2].partition(b";")[0]


def test_withdrawal_in_one_worker_holds_at_the_next_look_of_another(
    worker: Callable[[str], Worker], desk: ConsentDesk, decoder: Decoder, cookie: bytes
) -> None:
    other = worker(READER)
    for _ in range(20):
        assert other.ask(ASK_COOKIE.format(cookie)) == "valid"
        current = decoder.read([cookie])
        desk.choose(current, ["analytics"], W, now=NOW, version="2")
        assert other.ask(ASK_COOKIE.format(cookie)) == "retired"
        granted = desk.choose(NOTHING, ["analytics"], G, now=NOW, version="2")
        cookie = granted.set_cookie.partition(b"=")[2].partition(b";")[0]


def test_withdrawal_holds_though_its_writer_was_killed_before_telling_anyone(
    worker: Callable[[str], Worker], ledger: Ledger, home: Home, cookie: bytes
) -> None:
    reader = worker(READER)
    assert reader.ask(ASK_COOKIE.format(cookie)) == "valid"
    assert reader.ask(ASK_PERSON) == "[]"
    writer = worker(DYING_WRITER)
    writer.ask(cookie.decode())
    assert writer.end() == -signal.SIGKILL
    assert reader.ask("ledger._generation.read() % 2") == "1"
    assert reader.ask(ASK_COOKIE.format(cookie)) == "retired"
    assert reader.ask(ASK_PERSON) == "['withdrawn']"
    # The next writer closes what was left open; nothing of it is lost by that.
    ledger.set_state("ben", "customer", at=NOW)
    assert reader.ask("ledger._generation.read() % 2") == "0"
    assert reader.ask(ASK_COOKIE.format(cookie)) == "retired"
    assert reader.ask(ASK_PERSON) == "['withdrawn']"


def test_reader_that_looked_before_the_commit_of_a_killed_writer_sees_it_at_its_next_look(
    worker: Callable[[str], Worker], cookie: bytes
) -> None:
    reader = worker(READER)
    assert reader.ask("'ready'") == "ready"  # a worker that is starting would wait for the lock
    writer = worker(DYING_AFTER_A_PAUSE)
    assert writer.ask(cookie.decode()) == "written, not committed"
    assert reader.ask(ASK_COOKIE.format(cookie)) == "valid"
    assert reader.ask(ASK_PERSON) == "[]"
    writer.ask("commit and die")
    assert writer.end() == -signal.SIGKILL
    assert reader.ask(ASK_COOKIE.format(cookie)) == "retired"
    assert reader.ask(ASK_PERSON) == "['withdrawn']"


def test_worker_that_starts_after_a_killed_one_closes_the_number_and_sees_the_withdrawal(
    worker: Callable[[str], Worker], cookie: bytes
) -> None:
    writer = worker(DYING_WRITER)
    writer.ask(cookie.decode())
    assert writer.end() == -signal.SIGKILL
    new = worker(READER)
    assert new.ask("ledger._generation.read() % 2") == "0"
    assert new.ask(ASK_COOKIE.format(cookie)) == "retired"
    assert new.ask(ASK_PERSON) == "['withdrawn']"


def test_write_cut_off_before_its_commit_is_none(
    worker: Callable[[str], Worker], ledger: Ledger, cookie: bytes
) -> None:
    reader = worker(READER)
    assert reader.ask(ASK_PERSON) == "[]"
    writer = worker(DYING_BEFORE_COMMIT)
    writer.ask(cookie.decode())
    assert writer.end() == -signal.SIGKILL
    assert reader.ask(ASK_COOKIE.format(cookie)) == "valid"
    ledger.set_state("ben", "customer", at=NOW)
    assert reader.ask(ASK_COOKIE.format(cookie)) == "valid"
    assert reader.ask(ASK_PERSON) == "[]"


def test_lost_ledger_revives_nothing(home: Home, open_ledger: OpenLedger, decoder: Decoder, desk: ConsentDesk) -> None:
    granted = desk.choose(NOTHING, ["analytics"], G, now=NOW, version="2")
    cookie = granted.set_cookie.partition(b"=")[2].partition(b";")[0]
    desk.choose(decoder.read([cookie]), ["analytics"], W, now=NOW, version="2")
    for path in home.path.glob("ledger*"):
        path.unlink()
    new = open_ledger()
    reading = Decoder(home.cookie_keys, epoch=new.epoch, retired=new.retired).read([cookie])
    assert reading.outcome is CookieOutcome.OTHER_EPOCH
    assert not reading.choices


def test_forked_child_reads_and_writes_beside_its_parent(ledger: Ledger) -> None:
    ledger.set_state("anna", "customer", at=NOW)
    ledger.clear_state("anna", "customer")
    inherited = (ledger._reader.get(), ledger._writer.get())
    child = os.fork()
    if child == 0:
        ledger.set_state("anna", "restricted", at=NOW)
        own = ledger._reader.get() is not inherited[0] and ledger._writer.get() is not inherited[1]
        os._exit(0 if own and ledger.states_of(["anna"])["anna"] else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert ledger.states_of(["anna"])["anna"] == {("restricted", ())}
    ledger.clear_state("anna", "restricted")
    assert not ledger.states_of(["anna"])["anna"]


def test_workers_that_all_write_at_once_lose_nothing(worker: Callable[[str], Worker], ledger: Ledger) -> None:
    script = """
start()
name = sys.stdin.readline().strip()
for number in range(50):
    ledger.set_state("anna", f"{name}-{number}", at=NOW)
print("done", flush=True)
"""
    workers = [worker(script) for _ in range(3)]
    for number, one in enumerate(workers):
        assert one.process.stdin is not None
        one.process.stdin.write(f"w{number}\n")
        one.process.stdin.flush()
    seen = 0
    while any(one.process.poll() is None for one in workers):
        found = len(ledger.states_of(["anna"])["anna"])
        assert found >= seen
        seen = found
    assert [one.end() for one in workers] == [0, 0, 0]
    assert len(ledger.states_of(["anna"])["anna"]) == 150
