"""Operators that duties bring: a status, headers, attributes, what has to follow an event, how often it may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from troth.engines.embedded.people import Judge
from troth.engines.embedded.truth import ABSENT as A
from troth.engines.embedded.truth import FALSE, OPEN, TRUE, known
from troth.engines.embedded.views import CookieView, ElementView, EventView, FieldView, RecordView, View
from troth.model.facts import Actor, Direction, Missing, Person
from troth.model.period import Period
from troth.model.words import NONE, OWN, PROTECTED_TAGS, Phase
from troth.plan.tables import Tables

_CLOSED = frozenset(("401", "402", "403", "404", "451"))


def _status(tables: Tables, wanted: tuple[str, ...]) -> Judge:
    def status(view: View) -> int:
        given = view.x.status
        if given is None:
            return OPEN if view.x.phase < Phase.RESPONSE_START else A
        code = str(given)
        if code[0] == "3" and "open" in wanted and isinstance(view.x.headers, Missing):
            return OPEN
        hits = [code == one or (one.endswith("xx") and code[0] == one[0]) for one in wanted if one != "open"]
        return known(any(hits) or ("open" in wanted and _is_open(tables, view, code)))

    return status


def _is_open(tables: Tables, view: View, code: str) -> bool:
    route = view.x.route
    asked = route is None or "public" in route.audience or view.x.own_route or set(route.tags) & PROTECTED_TAGS
    if not asked and not is_protected(view):
        return True
    if code in _CLOSED:
        return False
    targets = () if isinstance(view.x.headers, Missing) else view.x.headers.get("location", ())
    walls = tables.binding.walls
    return not (code[0] == "3" and any(urlsplit(target).path in walls for target in targets))


def is_protected(view: View) -> bool:
    """Whether the exchange is protected, as far as is known now (judging, section 10)."""
    route = view.x.route
    if view.x.own_route is not None:
        return True
    if route is None:
        return False
    if set(route.tags) & PROTECTED_TAGS:
        return True
    return bool({"access", "export"} & set(route.tags)) and view.fits_subject() is True


def is_of_another(view: View) -> bool:
    """Whether this is a record of somebody else, or a part of one, on a copy that is protected for who asks alone."""
    x = view.x
    if x.own_route is not None or x.route is None or set(x.route.tags) & PROTECTED_TAGS:
        return False
    if not isinstance(view, RecordView) and not (isinstance(view, FieldView) and view.item.record is not None):
        return False
    owner = view.subject()
    return isinstance(owner, Person) and isinstance(x.actor, Actor) and owner.id != x.actor.person.id


_DIRECTIVES = frozenset(("cache-control", "strict-transport-security", "content-security-policy", "permissions-policy"))


def header_meets(name: str, sent: tuple[str, ...], wanted: str) -> bool:
    """Whether header values that were sent meet a wanted one: further directives and parameters do not matter."""
    if name not in _DIRECTIVES:
        plain = wanted.partition(";")[0].strip().lower()
        return any(value.partition(";")[0].strip().lower() == plain for value in sent)
    separator = ";" if name in ("strict-transport-security", "content-security-policy") else ","
    given = [part for value in sent for part in _directives(value, separator)]
    return all(_directive_met(part, given) for part in _directives(wanted, separator))


def _directives(value: str, separator: str) -> list[str]:
    return [" ".join(part.split()).lower() for part in value.split(separator) if part.strip()]


def _directive_met(wanted: str, given: list[str]) -> bool:
    if wanted in given:
        return True
    name, equals, number = wanted.partition("=")
    if name != "max-age" or not equals or not number.isdigit():
        return False
    ages = [one.partition("=")[2].strip('"') for one in given if one.startswith("max-age=")]
    return any(age.isdigit() and int(age) >= int(number) for age in ages)


def _header(_tables: Tables, name: str, values: tuple[str, ...]) -> Judge:
    def header(view: View) -> int:
        headers = view.x.headers
        if view.x.phase < Phase.RESPONSE_START or isinstance(headers, Missing):
            return OPEN
        sent = headers.get(name)
        if not sent:
            return known(NONE in values)
        wanted = [header_value(view, name, value) for value in values if value != NONE]
        return known(any(one is not None and header_meets(name, sent, one) for one in wanted))

    return header


def header_value(view: View, name: str, value: str) -> str | None:
    """Return a wanted header value with ``of-version`` filled in."""
    if value != "of-version":
        return value
    return view.x.coming if name == "policy-next" else view.x.version


def _attribute(_tables: Tables, name: str, value: str) -> Judge:
    period = Period.parse(value) if name == "lifetime" and value != "session" else None

    def attribute(view: View) -> int:
        if isinstance(view, ElementView):
            return known(view.item.attributes.get(name, "false") == value)
        if not isinstance(view, CookieView):
            return FALSE
        cookie = view.item
        if cookie.direction is Direction.REQUEST:
            return TRUE
        if isinstance(cookie.attributes, Missing) or isinstance(cookie.lifetime, Missing):
            return OPEN
        if name == "lifetime":
            lasting, now = cookie.lifetime, view.x.now
            return known(lasting is None or (period is not None and now + lasting <= period.after(now)))
        default = {"domain": OWN, "secure": "false", "http-only": "false"}.get(name, "")
        return known(cookie.attributes.get(name, default) == value)

    return attribute


def _followed_by(_tables: Tables, event: str, within: Period) -> Judge:
    def followed_by(view: View) -> int:
        if not isinstance(view, EventView):
            return FALSE
        due = within.after(view.item.at or view.x.now)
        if any(name == event and at <= due for name, at in view.item.later):
            return TRUE
        return known(view.x.now < due)

    return followed_by


def _at_most(_tables: Tables, count: int, per: str, within: Period) -> Judge:
    def at_most(view: View) -> int:
        if not isinstance(view, EventView):
            return FALSE
        since = within.before(view.x.now)
        return known(sum(1 for at in view.item.recent.get(per, ()) if at > since) <= count)

    return at_most


OPERATORS: Final[dict[str, Callable[..., Judge]]] = {
    "status": _status,
    "header": _header,
    "attribute": _attribute,
    "followed-by": _followed_by,
    "at-most": _at_most,
}
"""What `operators` adds to its own."""
