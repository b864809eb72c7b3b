"""Statements, transport, aggregates and the duties after `expect` (`docs/judging.md` section 5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from troth.engines.reference import people, truth
from troth.engines.reference.choices import in_state
from troth.engines.reference.names import Nothing, referred
from troth.engines.reference.truth import Value
from troth.engines.reference.view import (
    View,
    cookie_row,
    exchange_data,
    is_personal,
    purposes,
    views,
)
from troth.model.facts import Cookie, Direction, Element, Event, Exchange, Missing, Record
from troth.model.period import Period
from troth.model.policy import Attestation, KeepRow
from troth.model.rules import AtMost, Attested, Attribute, FollowedBy, Header, Keep, Status
from troth.model.words import NONE, OPEN, OWN_COPY_TAGS, PROTECTED_TAGS, Carrier, Thing, reference

# --- statements and transport ----------------------------------------------------------------------------------------


def attested_value(view: View, asked: Attested) -> Value:
    """Return whether a valid statement of this kind exists, about this."""
    if asked.about is None:
        return truth.known(any(what == asked.what for what, _ in _statements(view)))
    wanted = _about(view, asked)
    return truth.known(bool(wanted) and all((asked.what, one) in _statements(view) for one in wanted))


def _about(view: View, asked: Attested) -> tuple[str, ...]:
    about = asked.about or ""
    target = reference(about)
    if target is None:
        return (about,)
    if target == "version" and asked.what == "announcement":
        return (view.exchange.coming,) if view.exchange.coming else ()
    found = referred(view, target)
    return () if isinstance(found, Nothing) else found


def _statements(view: View) -> set[tuple[str, str | None]]:
    today = view.exchange.now.astimezone(UTC).date()
    standing = {(one.what, one.about) for one in view.policy.attestations if _is_valid(one, today)}
    return standing | view.exchange.attested


def _is_valid(one: Attestation, today: date) -> bool:
    return (one.dated is None or one.dated <= today) and (one.expires is None or one.expires > today)


def https_value(view: View, wanted: bool) -> Value:
    """Return whether the scheme of the exchange, or of an element's target, is secure as wanted."""
    part = view.part
    secure = part.secure if isinstance(part, Element) else None
    return truth.known((view.exchange.https if secure is None else secure) == wanted)


def aggregate_value(view: View, minimum: int) -> Value:
    """Return whether no subject and no identifier are in it and every count reaches the minimum."""
    if view.has_records:
        return truth.OPEN
    part = view.part
    if isinstance(part, Record):
        return _aggregate_record(view, part, minimum)
    if view.thing is not Thing.EXCHANGE:
        return truth.FALSE
    carried = exchange_data(view.exchange, (Carrier.RESPONSE,))
    return truth.FALSE if is_personal(view, carried) else truth.ABSENT


def _aggregate_record(view: View, record: Record, minimum: int) -> Value:
    has_subject = record.subject is not None and record.subject is not Missing.ABSENT
    if has_subject or is_personal(view, record.data):
        return truth.FALSE
    return truth.known(all(count >= minimum for count in record.counts)) if record.counts else truth.ABSENT


# --- keep ------------------------------------------------------------------------------------------------------------


def keep_value(view: View, asked: Keep) -> Value:
    """Return whether a record is not older, and a cookie does not live longer, than its limit."""
    if view.has_records:
        return truth.OPEN
    part = view.part
    if isinstance(part, Cookie):
        return truth.known(part.direction is Direction.REQUEST or _lives_within(view, part, asked))
    return _record_kept(view, part, asked) if isinstance(part, Record) else truth.TRUE


def _purpose_keeps(view: View) -> list[KeepRow]:
    rows = [view.policy.purposes[name] for name in purposes(view) or () if name != NONE]
    return [row.keep for row in rows if row.keep is not None]


def _periods(rows: list[KeepRow], asked: Keep) -> list[Period]:
    return [asked.limit] if asked.limit is not None else [row.period for row in rows if row.period is not None]


def _lives_within(view: View, cookie: Cookie, asked: Keep) -> bool:
    row = cookie_row(view.policy, cookie)
    rows = _purpose_keeps(view) + ([row.keep] if row is not None and row.keep is not None else [])
    return all(_not_longer(cookie.lifetime, period, view.exchange.now) for period in _periods(rows, asked))


def _not_longer(lifetime: timedelta | Missing | None, period: Period, now: datetime) -> bool:
    return not isinstance(lifetime, timedelta) or now + lifetime <= period.after(now)


def _record_kept(view: View, record: Record, asked: Keep) -> Value:
    rows = _purpose_keeps(view)
    states = [row.until for row in rows if row.until is not None] if asked.limit is None else []
    aged = [_young(view, record, period) for period in _periods(rows, asked)]
    return truth.all_of((*aged, *(_not_in_state(view, state) for state in states)))


def _young(view: View, record: Record, period: Period) -> Value:
    if isinstance(record.since, datetime):
        return truth.known(period.after(record.since) >= view.exchange.now)
    return truth.UNREADABLE if record.since is Missing.UNREADABLE else truth.ABSENT


def _not_in_state(view: View, state: str) -> Value:
    value = in_state(view, state)
    return truth.TRUE if value == truth.ABSENT else truth.negation(value)


# --- status and headers ----------------------------------------------------------------------------------------------


_SHUT: Final = frozenset({401, 402, 403, 404, 451})


def status_value(view: View, asked: Status) -> Value:
    """Return whether the answer has one of these statuses."""
    return truth.any_of(_one_status(view, wanted) for wanted in asked.wanted)


def _one_status(view: View, wanted: str) -> Value:
    status = view.exchange.status
    if wanted == OPEN and not _is_asked_to_be_open(view):
        return truth.TRUE
    if status is None:
        return truth.ABSENT
    if wanted == OPEN:
        return truth.known(status not in _SHUT and not (300 <= status < 400 and _leads_to_wall(view)))
    if wanted.endswith("xx"):
        return truth.known(status // 100 == int(wanted[0]))
    return truth.known(status == int(wanted))


def _is_asked_to_be_open(view: View) -> bool:
    route = view.exchange.route
    return route is None or "public" in route.audience or is_protected(view)


def _headers(exchange: Exchange) -> Mapping[str, tuple[str, ...]]:
    return {} if isinstance(exchange.headers, Missing) else exchange.headers


def _leads_to_wall(view: View) -> bool:
    targets = _headers(view.exchange).get("location", ())
    return any(urlsplit(target).path in view.binding.walls for target in targets)


def is_protected(view: View) -> bool:
    """Tell whether the exchange is protected (section 10)."""
    return _is_for_all(view.exchange) or is_own_copy(view)


def is_own_copy(view: View) -> bool:
    """Tell whether the exchange is protected only as a copy for who asks."""
    exchange = view.exchange
    if _is_for_all(exchange) or exchange.route is None or not OWN_COPY_TAGS & set(exchange.route.tags):
        return False
    return people.is_subject(next(views(view.policy, view.binding, exchange, Thing.EXCHANGE)))


def _is_for_all(exchange: Exchange) -> bool:
    tags = set(exchange.route.tags) if exchange.route else set()
    return bool(tags & PROTECTED_TAGS) or exchange.own_route is not None


_DIRECTIVES: Final = {
    "cache-control": ",",
    "permissions-policy": ",",
    "strict-transport-security": ";",
    "content-security-policy": ";",
}


def header_value(exchange: Exchange, asked: Header) -> Value:
    """Return whether a response header has one of the wanted values."""
    sent = _headers(exchange).get(asked.name, ())
    if NONE in asked.values and not sent:
        return truth.TRUE
    wanted = [_header_wanted(exchange, asked.name, value) for value in asked.values if value != NONE]
    mark = _DIRECTIVES.get(asked.name)
    return truth.known(any(_has(sent, one, mark) for one in wanted if one))


def _has(sent: tuple[str, ...], wanted: str, mark: str | None) -> bool:
    return _has_value(sent, wanted) if mark is None else _has_directives(sent, wanted, mark)


def _header_wanted(exchange: Exchange, name: str, value: str) -> str | None:
    if value != "of-version":
        return value
    return exchange.coming if name == "policy-next" else exchange.version


def _has_value(sent: tuple[str, ...], wanted: str) -> bool:
    return any(_bare(one) == _bare(wanted) for one in sent)


def _bare(value: str) -> str:
    return value.partition(";")[0].strip().lower()


def _has_directives(sent: tuple[str, ...], wanted: str, mark: str) -> bool:
    standing = [directive for value in sent for directive in _directives(value, mark)]
    return all(any(_meets(one, asked) for one in standing) for asked in _directives(wanted, mark))


def _directives(value: str, mark: str) -> list[tuple[str, str]]:
    parts = [" ".join(part.lower().split()) for part in value.split(mark)]
    return [(found[0], found[2].strip().strip('"')) for part in parts if part for found in [_split(part)]]


def _split(part: str) -> tuple[str, str, str]:
    mark = "=" if re.match(r"[^ =]*=", part) else " "
    return part.partition(mark)


def _meets(sent: tuple[str, str], asked: tuple[str, str]) -> bool:
    if sent[0] != asked[0]:
        return False
    if sent[0] == "max-age" and sent[1].isdigit() and asked[1].isdigit():
        return int(sent[1]) >= int(asked[1])
    return sent[1] == asked[1]


# --- attributes and events -------------------------------------------------------------------------------------------

_UNSAID: Final = {"secure": "false", "http-only": "false", "domain": "own", "same-site": ""}


def attribute_value(view: View, asked: Attribute) -> Value:
    """Return whether an attribute of a cookie or an element has this value."""
    part = view.part
    if isinstance(part, Element):
        return truth.known(part.attributes.get(asked.name, "false").lower() == asked.value.lower())
    if not isinstance(part, Cookie):
        return truth.FALSE
    return truth.known(part.direction is Direction.REQUEST or _cookie_has(view, part, asked))


def _cookie_has(view: View, cookie: Cookie, asked: Attribute) -> bool:
    if asked.name == "lifetime":
        if asked.value == "session":
            return cookie.lifetime is None
        return _not_longer(cookie.lifetime, Period.parse(asked.value), view.exchange.now)
    said = {} if isinstance(cookie.attributes, Missing) else cookie.attributes
    return said.get(asked.name, _UNSAID.get(asked.name, "")).lower() == asked.value.lower()


def followed_by_value(view: View, asked: FollowedBy) -> Value:
    """Return whether the event was followed in time, or still may be."""
    event = view.part
    if not isinstance(event, Event):
        return truth.FALSE
    due = asked.within.after(event.at or view.exchange.now)
    done = any(name == asked.event and at <= due for name, at in event.later)
    return truth.known(done or view.exchange.now < due)


def at_most_value(view: View, asked: AtMost) -> Value:
    """Return whether there were no more such events of this key within the period."""
    event = view.part
    if not isinstance(event, Event):
        return truth.FALSE
    start = asked.within.before(view.exchange.now)
    return truth.known(sum(at > start for at in event.recent.get(asked.per, ())) <= asked.count)
