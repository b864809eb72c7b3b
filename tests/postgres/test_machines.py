"""Two machines, each with a home of its own, share a ledger: asserted on the wire, also while its server is killed."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import troth
from tests.asgi.wire import NOW, Answer, Shop, as_json
from tests.postgres.server import Server
from troth._types import Receive, Scope, Send
from troth.consent.postgres.mirror import LEASE
from troth.errors import ConfigurationError, LedgerError

pytestmark = pytest.mark.real

TEXT = """
policy:
  identity: {id: shop, hosts: [shop.example]}
  versions: [{id: '1'}]
  data: {name: {fields: [name]}}
  purposes:
    sale: {basis: contract, data: [name]}
    analytics: {basis: consent}
    letters: {basis: consent}
  consents: {analytics: {holder: device}, letters: {holder: person}}
  states: {restricted: {}}
  events: [restricted-by-post]
  cookies:
    troth_consent: {purpose: sale}
    session: {purpose: sale}
    _ga*: {purpose: [analytics]}
rules:
- {id: wait, clause: C-1, for: cookie, match: {basis: consent}, only-if: {consent: of-purpose}}
- {id: asked, clause: C-2, for: exchange, match: {route: letters}, only-if: {consent: letters}, otherwise: deny}
- {id: frozen, clause: C-3, for: exchange, match: {route: letters, state: restricted}, otherwise: {deny: 451}}
binding:
  routes:
    'GET /': {audience: public}
    'GET /letters/{person}': {tag: letters, purpose: sale, subject: path.person}
    'POST /person/{act}/{person}': {act: consent, purpose: sale}
"""
KEYS = {f"TROTH_KEY_{name}": bytes([number] * 32).hex() for number, name in enumerate(("COOKIE", "LEDGER"))}


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Record or withdraw what the path says, else answer a page."""
    path: list[str] = scope["path"].split("/")
    status = 200
    if path[1] == "person":
        consent = troth.consent(scope)
        try:
            if path[2] == "grant":
                await consent.record("letters", form="click", person=path[3])
            else:
                await consent.withdraw("letters", person=path[3])
        except LedgerError:
            status = 503
    for message in as_json({}, status=status).messages():
        await send(message)


@pytest.fixture
def machines(postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Shop, Shop]]:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TROTH_LEDGER", postgres.url)
    here = Shop(tmp_path / "here", TEXT, app)
    there = Shop(tmp_path / "there", TEXT, app)
    assert not (tmp_path / "here" / "ledger.sqlite3").exists()
    yield here, there
    here.close()
    there.close()


async def analytics(shop: Shop, consent: bytes) -> bool:
    """Ask for a page; say whether the analytics cookie reached the app, which is what the consent decides."""
    answer = await shop.ask(headers=[(b"cookie", b"_ga=1; " + consent)])
    assert answer.status == 200
    assert answer.scope is not None
    return any(b"_ga=1" in value for name, value in answer.scope["headers"] if name == b"cookie")


async def letters(shop: Shop, person: str) -> int:
    return (await shop.ask(path=f"/letters/{person}")).status


async def person(shop: Shop, act: str, name: str) -> Answer:
    return await shop.ask("POST", f"/person/{act}/{name}")


async def leave(shop: Shop, name: str) -> Answer:
    return await person(shop, "withdraw", name)


async def withdraw(shop: Shop, consent: bytes) -> Answer:
    return await shop.ask("POST", "/.privacy/withdraw", json_body={}, headers=[(b"cookie", consent)])


async def test_withdrawal_of_a_device_holds_on_the_next_request_of_the_other_machine(
    machines: tuple[Shop, Shop],
) -> None:
    for here, there in (machines, machines[::-1]) * 10:
        cookie = await here.choose("accept")
        assert await analytics(here, cookie)
        assert await analytics(there, cookie)
        assert await analytics(there, cookie)  # remembered
        assert (await withdraw(here, cookie)).status == 200
        assert not await analytics(there, cookie)
        assert not await analytics(here, cookie)
    lines = [line for line in machines[1].lines() if line["kind"] == "exchange"]
    assert ("wait", "withhold") in machines[1].reasons(lines[-1])


async def test_a_version_is_activated_once_for_all_machines(machines: tuple[Shop, Shop]) -> None:
    told = [shop.trail().count(b'"event":"policy-activated"') for shop in machines]
    assert told == [1, 0]
    assert [shop.middleware.runtime.first.versions.activated for shop in machines] == ["1", "1"]


async def test_a_declared_state_holds_on_the_next_request_of_the_other_machine(machines: tuple[Shop, Shop]) -> None:
    here, there = machines
    assert (await person(here, "grant", "bea")).status == 200
    assert await letters(there, "bea") == 200
    await here.middleware.declare("restricted-by-post", "bea", state="restricted")
    assert await letters(there, "bea") == 451
    await there.middleware.declare("restricted-by-post", "bea", state="restricted", to="clear")
    assert await letters(here, "bea") == 200


async def test_withdrawal_and_state_of_a_person_hold_on_the_next_request_of_the_other_machine(
    machines: tuple[Shop, Shop],
) -> None:
    for here, there in (machines, machines[::-1]) * 10:
        assert await letters(there, "anna") == 403
        assert (await person(here, "grant", "anna")).status == 200
        assert await letters(there, "anna") == 200
        assert await letters(here, "anna") == 200
        await asyncio.to_thread(here.middleware.runtime.ledger.set_state, "anna", "restricted", at=NOW)
        assert await letters(there, "anna") == 451
        await asyncio.to_thread(here.middleware.runtime.ledger.clear_state, "anna", "restricted")
        assert await letters(there, "anna") == 200
        assert (await person(here, "withdraw", "anna")).status == 200
        assert await letters(there, "anna") == 403
        assert there.reasons() == [("asked", "deny")]


async def test_without_a_server_nothing_is_granted_and_prohibitions_hold(
    machines: tuple[Shop, Shop], postgres: Server
) -> None:
    here, there = machines
    cookie = await here.choose("accept")
    await person(here, "grant", "anna")
    assert await analytics(there, cookie)
    assert await letters(there, "anna") == 200
    postgres.kill()
    try:
        await asyncio.sleep(LEASE)
        for shop in machines:
            assert not await analytics(shop, cookie)
            assert await letters(shop, "anna") in (403, 451)
            assert (await withdraw(shop, cookie)).status == 503
            assert (await person(shop, "withdraw", "anna")).status == 503
    finally:
        postgres.start()
    await _until(partial(analytics, here, cookie))
    await _until(partial(analytics, there, cookie))
    assert await letters(there, "anna") == 200
    assert (await withdraw(here, cookie)).status == 200
    assert not await analytics(there, cookie)


async def test_machine_does_not_start_without_its_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TROTH_LEDGER", "postgresql://troth:geheim@127.0.0.1:1/postgres")
    with pytest.raises(ConfigurationError, match="consent ledger") as caught:
        Shop(tmp_path / "home", TEXT, app)
    assert "geheim" not in str(caught.value)


@dataclass
class Holder:
    """A visitor or person, and what they are owed. `sure`: what they last asked for was answered with success."""

    name: Any
    withdrawn: bool = False
    sure: bool = True


@dataclass
class Load:
    """Clients that ask all the time, and what they found."""

    machines: tuple[Shop, Shop]
    visitors: list[Holder]
    people: list[Holder]
    frozen: list[str]
    lot: random.Random = field(default_factory=lambda: random.Random(7))
    seen: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    longest: float = 0.0
    away_since: float | None = None
    ended: bool = False

    def shop(self) -> Shop:
        return self.lot.choice(self.machines)

    def note(self, what: str, granted: bool, holder: Holder | None, began: float) -> None:
        """Hold an answer against what was promised before the request began."""
        away = self.away_since is not None and began > self.away_since + LEASE
        self.seen[f"{what} {'granted' if granted else 'withheld'}{' while away' if away else ''}"] += 1
        if granted and (holder is None or holder.withdrawn):
            self.wrong.append(f"{what} granted after withdrawal, or never asked")
        if granted and away:
            self.wrong.append(f"{what} granted while nobody could know")

    async def visit(self) -> None:
        while not self.ended:
            holder, began = self.lot.choice([None, *self.visitors]), time.monotonic()
            owed = None if holder is None else Holder(holder.name, holder.withdrawn)
            self.note("cookie", await analytics(self.shop(), b"" if owed is None else owed.name), owed, began)
            holder, began = self.lot.choice(self.people), time.monotonic()
            owed = Holder(holder.name, holder.withdrawn)
            self.note("letters", await letters(self.shop(), owed.name) == 200, owed, began)
            self.note("frozen", await letters(self.shop(), self.lot.choice(self.frozen)) == 200, None, began)
            await asyncio.sleep(0)

    async def end_consents(self) -> None:
        while not self.ended:
            for holders, job in ((self.visitors, withdraw), (self.people, leave)):
                holder = self.lot.choice([one for one in holders if not one.withdrawn and one.sure])
                answer = await job(self.shop(), holder.name)
                self.seen[f"withdrawal {answer.status}"] += 1
                holder.withdrawn, holder.sure = answer.status == 200, answer.status == 200
            await asyncio.sleep(0.05)

    async def tick(self) -> None:
        while not self.ended:
            began = time.monotonic()
            await asyncio.sleep(0.01)
            self.longest = max(self.longest, time.monotonic() - began)


async def _until(holds: Callable[[], Any], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < end, "it did not come to hold in time"
        await asyncio.sleep(0.05)


async def test_killed_and_restarted_under_load_nothing_withdrawn_is_granted(
    machines: tuple[Shop, Shop], postgres: Server
) -> None:
    here, there = machines
    visitors = [Holder(await here.choose("accept")) for _ in range(400)]
    people = [Holder(f"p{number}") for number in range(400)]
    for one in people:
        await person(there, "grant", one.name)
    for name in ("f1", "f2"):
        await person(here, "grant", name)
        await asyncio.to_thread(here.middleware.runtime.ledger.set_state, name, "restricted", at=NOW)
    kept_cookie, kept_person = visitors.pop().name, people.pop().name
    load = Load(machines, visitors, people, ["f1", "f2"])
    tasks = [asyncio.create_task(job) for job in (load.visit(), load.visit(), load.end_consents(), load.tick())]
    for _ in range(2):
        await asyncio.sleep(1.5)
        await asyncio.to_thread(postgres.kill)
        load.away_since = time.monotonic()
        await asyncio.sleep(LEASE + 2)
        load.away_since = None
        await asyncio.to_thread(postgres.start)
        for shop in machines:
            await _until(partial(analytics, shop, kept_cookie))
            assert await letters(shop, kept_person) == 200
    await asyncio.sleep(1.5)
    load.ended = True
    await asyncio.gather(*tasks)
    print(dict(sorted(load.seen.items())), f"longest stall of the loop: {load.longest * 1000:.0f} ms")
    assert load.wrong == []
    for wanted in ("cookie granted", "letters granted", "cookie withheld while away", "letters withheld while away"):
        assert load.seen[wanted] > 20, load.seen
    assert load.seen["frozen withheld while away"] > 20
    assert load.seen["withdrawal 200"] > 20
    assert load.seen["withdrawal 503"] > 2
    assert load.longest < 1.0, "no look may wait for a server that is away"
    for holder in [one for one in visitors if one.withdrawn]:
        assert not await analytics(here, holder.name)
    for holder in [one for one in people if one.withdrawn]:
        assert await letters(there, holder.name) == 403
