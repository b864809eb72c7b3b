"""A ledger that does not answer for a while: who needs it waits, the loop goes on and everybody else is served."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import troth
from tests.asgi.conftest import MakeShop
from tests.asgi.wire import NOW, Answer, Shop, as_json
from troth._types import Receive, Scope, Send
from troth.consent.batch import LedgerEntry
from troth.consent.ledger import Ledger
from troth.model.consent import Choice, ChoiceState

TEXT = """
policy:
  identity: {id: shop, hosts: [shop.example]}
  versions: [{id: '1'}]
  data: {name: {fields: [name]}}
  purposes: {sale: {basis: contract, data: [name]}, analytics: {basis: consent}, letters: {basis: consent}}
  consents: {analytics: {holder: device}, letters: {holder: person}}
  states: {restricted: {}}
  cookies: {troth_consent: {purpose: sale}, _ga: {purpose: analytics}}
rules:
- {id: wait, clause: L-1, for: cookie, match: {basis: consent}, only-if: {consent: of-purpose}}
- {id: asked, clause: L-2, for: exchange, match: {route: letters}, only-if: {consent: letters}, otherwise: deny}
- {id: frozen, clause: L-3, for: [exchange, record], match: {state: restricted}, otherwise: withhold}
binding:
  routes:
    'GET /letters/{person}': {tag: letters, purpose: sale, subject: path.person}
    'GET /list': {purpose: sale, records: '$[*]', subject: '$.id'}
    'POST /person/{person}': {act: consent, purpose: sale}
    'POST /freeze/{person}': {purpose: sale, subject: path.person, writes: {state: restricted}}
"""
PEOPLE = [{"id": f"p{number}", "name": "x"} for number in range(500)]
PATIENCE = 20.0
GRANTED = Choice(state=ChoiceState.GRANTED, at=NOW, version="1")


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"].startswith("/person/"):
        await troth.consent(scope).record("letters", form="click", person=scope["path"].rpartition("/")[2])
    for message in as_json(PEOPLE if scope["path"] == "/list" else {}).messages():
        await send(message)


class Jam:
    """Stands in a method of the ledger: whoever comes there waits, in whatever thread, until it is opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def wait(self) -> None:
        self.reached.set()
        assert threading.current_thread() is not threading.main_thread(), "the event loop came here"
        assert self.opened.wait(PATIENCE)


@pytest.fixture
def jam(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Jam]:
    """Return ``jam(method)``, which puts a `Jam` before a method of every ledger."""

    def make(name: str) -> Jam:
        made, real = Jam(), getattr(Ledger, name)

        def slow(self: Ledger, *given: Any) -> Any:
            made.wait()
            return real(self, *given)

        @contextmanager
        def slow_block(self: Ledger) -> Iterator[Any]:
            made.wait()
            with real(self) as batch:
                yield batch

        monkeypatch.setattr(Ledger, name, slow_block if name == "writing" else slow)
        return made

    return make


@pytest.fixture
def busy(shop: MakeShop) -> Shop:
    return shop(text=TEXT, app=app)


async def analytics(shop: Shop, cookie: bytes) -> bool:
    """Ask for a page; say whether the analytics cookie reached the app."""
    answer = await shop.ask(headers=[(b"cookie", b"_ga=1; " + cookie)])
    assert answer.status == 200
    return b"_ga" in b"".join(answer.app_values(b"cookie"))


async def served_meanwhile(shop: Shop, jammed: Jam, job: Awaitable[Answer], cookie: bytes) -> Answer:
    """Begin a request; while it waits for the ledger serve others, then let it go on. Returns its answer."""
    task = asyncio.ensure_future(job)
    async with asyncio.timeout(PATIENCE):
        while not jammed.reached.is_set():
            await asyncio.sleep(0.005)
            assert not task.done(), task.result()
        for _ in range(3):
            assert await analytics(shop, cookie)
            assert not await analytics(shop, b"")
        assert not task.done(), "it was to wait"
        jammed.opened.set()
        return await task


@pytest.mark.parametrize("method", ["choices_of", "states_of"])
async def test_while_one_person_is_looked_up_elsewhere_others_are_served(
    busy: Shop, jam: Callable[[str], Jam], monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    cookie = await busy.choose("accept")
    busy.middleware.runtime.ledger.record_person("ann", [LedgerEntry(name="letters", choice=GRANTED)])
    monkeypatch.setattr(Ledger, "waits", lambda self, persons: True)  # as a ledger on another machine says
    answer = await served_meanwhile(busy, jam(method), busy.ask(path="/letters/ann"), cookie)
    assert answer.status == 200
    assert (await busy.ask(path="/letters/ben")).status == 403
    assert busy.reasons() == [("asked", "deny")]


async def test_a_long_list_of_people_is_looked_up_beside_the_loop(busy: Shop, jam: Callable[[str], Jam]) -> None:
    cookie = await busy.choose("accept")
    busy.middleware.runtime.ledger.set_state("p3", "restricted", at=NOW)
    answer = await served_meanwhile(busy, jam("states_of"), busy.ask(path="/list"), cookie)
    assert [one["id"] for one in json.loads(answer.body)] == [f"p{number}" for number in range(500) if number != 3]
    assert busy.reasons() == [("frozen", "withhold")]
    assert not busy.middleware.runtime.ledger.waits([one["id"] for one in PEOPLE]), "they are remembered now"


@pytest.mark.parametrize("path", ["/.privacy/withdraw", "/person/ann", "/freeze/ann"])
async def test_while_a_choice_is_written_others_are_served(busy: Shop, jam: Callable[[str], Jam], path: str) -> None:
    cookie = await busy.choose("accept")
    ending = await busy.choose("accept")
    headers = [(b"cookie", ending)]
    job = busy.ask("POST", path, json_body={}, headers=headers)
    assert (await served_meanwhile(busy, jam("writing"), job, cookie)).status == 200
    assert await analytics(busy, cookie)
    assert await analytics(busy, ending) == (path != "/.privacy/withdraw")
    assert (await busy.ask(path="/letters/ann")).status == (200 if path == "/person/ann" else 403)
    frozen = ("frozen", "withhold") in busy.reasons()
    assert frozen == (path == "/freeze/ann")


async def test_what_is_remembered_of_people_stays_within_its_bounds(busy: Shop) -> None:
    ledger = busy.middleware.runtime.ledger
    assert isinstance(ledger, Ledger)
    for start in range(0, 9000, 500):
        PEOPLE[:] = [{"id": f"p{number}", "name": "x"} for number in range(start, start + 500)]
        await busy.ask(path="/list")
    PEOPLE[:] = [{"id": f"p{number}", "name": "x"} for number in range(500)]
    assert 2000 <= len(ledger._states) <= 4096
    assert 2000 <= len(ledger._choices) <= 4096
