"""Large JSON answers are looked at, edited and sent a piece at a time: other requests have their turn in between.

A body that the app sends in many messages is put together as they come, so it never stands in memory twice. What has
to go from it is remembered as numbers; the body without it is never made whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterable
from time import perf_counter_ns
from typing import Final, TypeVar

from troth._types import Message, Send
from troth.asgi.bodies import Sliced, by_place
from troth.asgi.judging import Judging
from troth.asgi.outbound import Outgoing, content_type, encoding_of
from troth.asgi.request import body_kind
from troth.errors import UnreadableBody
from troth.filters.headers import decoded
from troth.filters.slices import LARGE, tag_in_slices
from troth.filters.splicing import Cuts

_TURN: Final = 50_000
"""Nanoseconds after which the others have their turn; a piece, or a small step of an edit, takes less."""
T = TypeVar("T")


def is_fit(judging: Judging, start: Message) -> bool:
    """Whether a body can be looked at in pieces: JSON as it is written, in which no records are sought."""
    if body_kind(content_type(start)) != "json" or encoding_of(start) not in (b"", b"identity"):
        return False
    return judging.x.route is None or judging.x.route.records is None


def gather(held: list[Message]) -> None:
    """Put the messages of a large body together into one, whose body is a bytearray until it is sent."""
    first, *others = held
    if not others:
        return
    if not isinstance(first.get("body"), bytearray):
        first = {**first, "body": bytearray(first.get("body", b""))}
    for message in others:
        first["body"] += message.get("body", b"")
    first["more_body"] = others[-1].get("more_body", False)
    held[:] = [first]


async def tagged(judging: Judging, held: list[Message], start: Message, limit: int) -> Sliced | None:
    """Return a large held JSON body with what stands in it; None if it is no such body, or not the whole of one."""
    body = held[0].get("body", b"")
    if len(held) > 1 or not LARGE < len(body) <= limit or held[0].get("more_body", False):
        return None
    if not is_fit(judging, start):
        return None
    sliced, x = Sliced(body), judging.x
    try:
        work = tag_in_slices(judging.site.tagging(x.route).json, sliced.body, today=x.now.date(), known=judging.known)
        sliced.tags = await _in_turns(work)
    except UnreadableBody as cause:
        sliced.failure = cause
    return sliced


async def cut(judging: Judging, outgoing: Outgoing) -> None:
    """Find what has to go from a large body, if there is one, and say in its head how long the rest is."""
    sliced = judging.sliced
    if sliced is None or not outgoing.edits:
        return
    tagger = judging.site.tagging(judging.x.route).json
    cuts = await _in_turns(tagger.edit_in_steps(sliced.body, by_place(outgoing.edits), known=judging.known))
    if cuts:
        sliced.cuts = cuts
        headers = decoded(list(outgoing.start["headers"]), len(sliced.body) - cuts.gone)
        outgoing.start = {**outgoing.start, "headers": headers}


async def send_on(sliced: Sliced | None, held: Iterable[Message], send: Send) -> None:
    """Send a held body: what is left of a large one in parts, everything else as it came."""
    for message in held:
        body = message.get("body", b"")
        cuts = None if sliced is None else sliced.cuts
        if cuts is None and not isinstance(body, bytearray):
            await send(message)
            continue
        cuts = cuts or Cuts()
        left, more = len(body) - cuts.gone, message.get("more_body", False)
        for part in cuts.parts(body):
            left -= len(part)
            await send({"type": message["type"], "body": part, "more_body": more or left > 0})
            await asyncio.sleep(0)


async def _in_turns(work: Generator[None, None, T]) -> T:
    until = perf_counter_ns() + _TURN
    while True:
        try:
            next(work)
        except StopIteration as done:
            result: T = done.value
            return result
        if perf_counter_ns() > until:
            await asyncio.sleep(0)
            until = perf_counter_ns() + _TURN
