"""A virtual clock on which an app and a client exchange messages; who sent what at which tick is written down.

One coroutine is stepped by hand. Whoever waits yields, and each yield lets one tick pass; a wait without end is a
deadlock. Nothing depends on real time or on an event loop.
"""

from __future__ import annotations

import copy
import types
from collections.abc import Awaitable, Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import Any

from troth._types import ASGIApp, Message, Receive, Scope, Send

_PATIENCE = 400
Entry = tuple[int, str, Message]


class Deadlock(AssertionError):
    """Somebody waits for what never comes."""


@dataclass(frozen=True)
class Sent:
    """A message of the client: not before `tick`, and not before it has received so many messages."""

    message: Message
    tick: int = 0
    after: int = 0


@dataclass
class Log:
    """What passed between server and outermost app (`wire`), and between the app and what stands around it (`app`)."""

    wire: list[Entry] = field(default_factory=list)
    app: list[Entry] = field(default_factory=list)
    scope: Scope | None = None
    raised: str = ""


class Clock:
    def __init__(self) -> None:
        self.now = 0

    @types.coroutine
    def until(self, ready: Callable[[], bool]) -> Generator[None, None, None]:
        while not ready():
            yield

    async def sleep(self, ticks: int) -> None:
        end = self.now + ticks
        await self.until(lambda: self.now >= end)

    def run(self, job: Awaitable[None]) -> None:
        steps = job.__await__()
        while True:
            try:
                next(steps)
            except StopIteration:
                return
            self.now += 1
            if self.now > _PATIENCE:
                steps.close()
                raise Deadlock


Script = Callable[[Clock, Scope, Receive, Send], Awaitable[None]]


def play(
    script: Script,
    around: Callable[[ASGIApp], ASGIApp],
    scope: Scope,
    client: Iterable[Sent],
) -> Log:
    """Let `script` answer `client` behind `around`; returns everything that passed."""
    clock, log = Clock(), Log()
    waiting = list(client)
    sent = 0

    async def receive() -> Message:
        await clock.until(lambda: bool(waiting) and waiting[0].tick <= clock.now and waiting[0].after <= sent)
        message = waiting.pop(0).message
        log.wire.append((clock.now, "in", copy.deepcopy(message)))
        return message

    async def send(message: Message) -> None:
        nonlocal sent
        sent += 1
        log.wire.append((clock.now, "out", copy.deepcopy(message)))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        log.scope = scope

        async def received() -> Message:
            message = await receive()
            log.app.append((clock.now, "in", copy.deepcopy(message)))
            return message

        async def sending(message: Message) -> None:
            log.app.append((clock.now, "out", copy.deepcopy(message)))
            await send(message)

        await script(clock, scope, received, sending)

    try:
        clock.run(around(app)(scope, receive, send))
    except Deadlock:
        raise
    except Exception as cause:  # noqa: BLE001 - whatever comes out of it is what is compared
        log.raised = type(cause).__name__
    return log


def messages(log: Iterable[Entry]) -> list[tuple[str, Any]]:
    """Return the log without its ticks."""
    return [(direction, message) for _, direction, message in log]
