"""A complete exchange as it becomes known: one partial view for each phase, with the indexes of the complete one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

from troth.model.binding import Binding
from troth.model.facts import PENDING, Cookie, Direction, Event, Exchange, Field, Page, Record
from troth.model.words import Carrier, Phase

_Thing = TypeVar("_Thing", Cookie, Field, Record, Event)
AT_HEAD = frozenset({Carrier.QUERY, Carrier.PATH, Carrier.HEADER, Carrier.COOKIE, Carrier.CONNECTION})


def phase_of(thing: Cookie | Field | Record | Event) -> Phase:
    """Return the phase in which a thing comes in."""
    match thing:
        case Cookie(direction=direction):
            return Phase.HEAD if direction is Direction.REQUEST else Phase.RESPONSE_START
        case Record(direction=direction):
            return Phase.REQUEST_BODY if direction is Direction.REQUEST else Phase.RESPONSE_BODY
        case Event(name=name):
            return Phase.REQUEST_BODY if name == "consent-recorded" else Phase.END
        case Field(carrier=Carrier.TRAIL):
            return Phase.END
        case Field(carrier=carrier, direction=Direction.REQUEST):
            return Phase.HEAD if carrier in AT_HEAD else Phase.REQUEST_BODY
        case Field(carrier=carrier):
            return Phase.RESPONSE_START if carrier in (Carrier.HEADER, Carrier.QUERY) else Phase.RESPONSE_BODY


def has_body(exchange: Exchange) -> bool:
    """Tell whether the request has a body that brings something."""
    return exchange.method == "POST"


def views(exchange: Exchange, binding: Binding) -> Iterator[Exchange]:
    """Yield what is known of a complete exchange after each phase, the last one being complete."""
    for phase in Phase:
        yield _view(exchange, binding, phase)


def _come(things: tuple[_Thing, ...], phase: Phase) -> tuple[_Thing, ...]:
    return tuple(thing for thing in things if phase_of(thing) <= phase)


def _view(whole: Exchange, binding: Binding, phase: Phase) -> Exchange:
    body = phase < Phase.REQUEST_BODY and has_body(whole)
    answered = phase >= Phase.RESPONSE_START
    read = phase >= Phase.RESPONSE_BODY
    return replace(
        whole,
        phase=phase,
        recorded=() if body else whole.recorded,
        records_open=body and bool(whole.recorded),
        actor=whole.actor if answered or binding.actor.after is None else PENDING,
        subject=PENDING if body and _subject_in_body(whole) else whole.subject,
        ages=() if body else whole.ages,
        cookies=_come(whole.cookies, phase),
        fields=_come(whole.fields, phase),
        records=_come(whole.records, phase),
        events=_come(whole.events, phase),
        elements=whole.elements if read else (),
        page=_page(whole, phase),
        body_pending=body,
        request_unreadable=whole.request_unreadable and not body,
        response_pending=not read,
        response_unreadable=whole.response_unreadable and read,
        status=whole.status if answered else None,
        headers=whole.headers if answered else {},
    )


def _page(whole: Exchange, phase: Phase) -> Page | None:
    if whole.page is None or phase < Phase.RESPONSE_START:
        return None
    return whole.page if phase >= Phase.RESPONSE_BODY else Page(shows=PENDING)


def _subject_in_body(whole: Exchange) -> bool:
    source = whole.route.subject if whole.route is not None else None
    return source is not None and (source.place == "body" or source.hook is not None)
