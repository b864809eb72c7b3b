"""Lanes: what one kind of request head settles, worked out once by the full judging and then looked up.

A lane never decides anything by itself. What it does not know for certain it leaves to the full exchange.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from troth._types import HeaderList, Message, Scope
from troth.asgi.ground import Codes, Ground
from troth.asgi.guard import Guard
from troth.asgi.judging import Judging
from troth.asgi.kinds import (
    BODY_LENGTH,
    CONTENTS,
    HELD,
    HTML,
    LEAVE,
    LIMITS,
    PLAIN,
    REFERRER,
    REQUEST,
    RESPONSE,
    SET_COOKIE,
    SETS_COOKIES,
    SPECIAL,
    TYPE,
    Kinds,
)
from troth.asgi.outcomes import SENT, Outcome
from troth.asgi.request import Head as RequestHead
from troth.asgi.request import first_facts
from troth.asgi.shapes import Shapes
from troth.asgi.verdicts import SetCookies
from troth.asgi.visitors import Visitor, start_of_day
from troth.filters.referrer import HEADER, Referrers
from troth.model.binding import Route, Source
from troth.model.words import NONE, Thing
from troth.runtime.heads import Head
from troth.runtime.runtime import GPC_PATH, PREFIX
from troth.runtime.site import Site

_MOST_REMEMBERED: Final = 4096
"""Lanes and outcomes of one guard, about 1 KB each. When there are more, all are worked out again."""
_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_UNANNOUNCED: Final = frozenset({"2", "3"})
"""Versions of HTTP in which a body needs no header that announces it."""
_NO_BODY: Final = frozenset({204, 205, 304})
_LONGEST_LENGTH: Final = 19
_MOST_PATHS: Final = 4096
_LONGEST_PATH: Final = 256
"""Paths under templates whose route is remembered, about 300 bytes each."""

Window = tuple[float, float]
"""From when until when something holds, in seconds of Unix time."""


class NoLane:
    """Remembers until when there is no lane for a head."""

    __slots__ = ("since", "until")

    def __init__(self, since: float, until: float) -> None:
        self.since = since
        self.until = until


class Lane(Ground):
    """Everything that one head settles, ready to be carried out."""

    __slots__ = (
        "_lanes", "limits", "outcomes", "reads", "refuses", "response", "set_cookies", "shapes", "silent", "since",
        "until", "write",
    )  # fmt: skip

    def __init__(self, lanes: Lanes, entry: Entry, head: Head, scope: Scope, now: datetime, window: Window) -> None:
        super().__init__(lanes.guard, entry.site, entry.route, head, scope["method"], scope.get("scheme", "http"))
        self._lanes = lanes
        self.response = lanes.response
        self.since, self.until = window
        self.reads = bool(head.reads_bodies)
        self.refuses = bool(head.refuses)
        self.write = lanes.guard.runtime.write_encoded
        """Writes one line of the trail."""
        self.set_cookies = SetCookies(self)
        self.shapes = Shapes(self, now.date()) if entry.holds or head.reads_responses else None
        """Reads JSON bodies; None where they are not held."""
        self.limits = head.content_policy(head.residual.head)[0]
        """The policy for third parties that pages get."""
        self.outcomes: dict[object, Outcome | None] = {}
        self.silent: set[int] = set()
        """Statuses of plain responses of which nothing is told and to which nothing is added."""

    def remember(self, key: object, outcome: Outcome | None) -> None:
        """Remember what follows for a kind of response."""
        self._lanes.count()
        self.outcomes[key] = outcome

    def look(self, start: Message) -> int:
        """Say what kind of response begins; 0 where it is one that the lane does not know."""
        headers = start.get("headers")
        status = start["status"]
        if type(headers) is not list or status < 200 or status in _NO_BODY:
            return 0
        kinds = self.response
        content = length = cookies = 0
        page_limits = False
        for name, value in headers:
            kind = kinds[name]
            if not kind:
                continue
            if kind == TYPE and not content:
                content = CONTENTS[value]
            elif kind == BODY_LENGTH and value.isdigit() and len(value) < _LONGEST_LENGTH and not length:
                length = 1
            elif kind == SET_COOKIE:
                cookies = SETS_COOKIES
            elif kind == LIMITS:
                page_limits = page_limits or value == self.limits
            else:
                return 0
        if not length or (page_limits and content == HTML):
            return 0
        if content == HELD and self.shapes is None:
            content = PLAIN
        return cookies | (content or PLAIN)

    def sort(self, cookie: bytes) -> tuple[list[bytes], tuple[int, ...]] | None:
        """Return the cookies that stay, and the codes of those of which something is told.

        None for an odd header, or one of which a cookie has to be judged in full.
        """
        pieces = cookie.split(b"; ")
        if cookie.count(b";") >= len(pieces):
            return None
        table, drop = self.codes, Codes.DROP
        codes = [table[piece.partition(b"=")[0]] for piece in pieces]
        told = sorted(codes)
        most = told[-1]
        if most >= Codes.FULL:
            return None
        if most >= drop:
            # A nameless cookie is not what it looks like; as one that stays it is found not to be quiet.
            both = zip(pieces, codes, strict=True)
            pieces = [piece for piece, code in both if code < drop or piece.find(b"=") < 0]
        if not self.values.quiet_all(pieces) and not self._are_quiet(pieces):
            return None
        return pieces, tuple(told[told.count(0) :])

    def _are_quiet(self, pieces: list[bytes]) -> bool:
        """Whether no rule wants to know what these cookies hold, though one of them holds something."""
        table = self.head.inbound
        return all(
            b"=" in piece
            and piece == piece.strip()
            and (not table[piece.partition(b"=")[0]].reads_value or self.values.quiet(piece))
            for piece in pieces
        )


class Entry:
    """The lanes of one route (or none) of a site, by what else a head says."""

    __slots__ = ("fits", "holds", "lanes", "method", "nobody", "route", "site")

    def __init__(self, site: Site, route: Route | None) -> None:
        self.site = site
        self.route = route
        self.method = "" if route is None else route.method
        self.fits = _fits(site, route)
        """Facts follow from the head alone: nothing of the path, of a body, of a person."""
        self.holds = route is not None and (route.purpose not in (None, NONE) or bool(route.fields))
        """JSON answers are held to be tagged, whatever the rules say."""
        self.lanes: dict[object, Lane | NoLane] = {}
        self.nobody = Visitor(site)
        """Who brings no consent cookie."""


class SiteEntries:
    """Finds the entry of a request to one site."""

    __slots__ = ("_entries", "_site", "_templates", "exact")

    def __init__(self, site: Site) -> None:
        self._site = site
        self._entries = {id(route): Entry(site, route) for route in (None, *site.binding.routes)}
        self._templates = 0
        self.exact: dict[tuple[str, str], Entry] = {}
        """By method and path: the routes that are one path, and a bounded number of others that were found."""
        self._forget()

    def find(self, method: str, path: str) -> Entry:
        """Return the entry of a path that is none of our own."""
        return self._entries[id(self._site.routes.find(method, path))]

    def remember(self, method: str, path: str, entry: Entry) -> None:
        """Remember the entry of a path, unless both are odd; clients choose paths."""
        if entry.route is None or len(path) > _LONGEST_PATH:
            return
        if self._templates >= _MOST_PATHS:
            self._forget()
        self._templates += 1
        self.exact[method, path] = entry

    def _forget(self) -> None:
        self._templates = 0
        self.exact.clear()  # the same dict stays: the way in holds it
        for route in self._site.binding.routes:
            if "{" not in route.path and not route.path.endswith("*") and not is_own(route.path):
                self.exact[route.method, route.path] = self._entries[id(route)]

    def clear(self) -> None:
        """Forget all lanes."""
        for entry in self._entries.values():
            entry.lanes.clear()


class Lanes:
    """All lanes of one guard."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        sites = guard.runtime.sites.values()
        self.sites = {id(site): SiteEntries(site) for site in sites}
        taggings = [tagging for site in sites for tagging in (site.unbound, *map(site.tagging, site.binding.routes))]
        self.request = Kinds(REQUEST, lambda name: any(tagging.headers[name] for tagging in taggings), LEAVE)
        if self.request[HEADER] == LEAVE:  # a field, but mostly of our own pages: its value tells
            self.request[HEADER] = REFERRER
        self.referrers = Referrers(lambda host: all(site.is_own_host(host) for site in sites))
        asked = frozenset(duty.name.encode() for site in sites for duties in site.headers.values() for duty in duties)
        if any(site.engine.rules[Thing.FIELD] for site in sites):
            asked |= {b"location"}
        self.response = Kinds(RESPONSE, (asked - SENT).__contains__, SPECIAL)
        self._remembered = 0

    def count(self) -> None:
        """Count one more thing that is remembered; when there are too many, forget all."""
        self._remembered += 1
        if self._remembered > _MOST_REMEMBERED:
            self._remembered = 0
            for site in self.sites.values():
                site.clear()

    def make(self, entry: Entry, key: object, scope: Scope, visitor: Visitor) -> Lane | None:
        """Make and remember the lane of a request; None where its head leaves more to find than cookies."""
        if scope["method"] not in _METHODS:  # clients choose methods: none of these is remembered
            return None
        self.count()
        now = self.guard.runtime.clock()
        standing, until = entry.site.engine.standing(visitor.choices, now)
        if standing != visitor.standing:  # it has run out this very moment
            return None
        window = start_of_day(now), until.timestamp()
        judged = self._judged(entry, scope, visitor, now) if _is_plain(entry, scope) else None
        lane = None if judged is None else Lane(self, entry, judged, scope, now, window)
        entry.lanes[key] = NoLane(*window) if lane is None else lane
        return lane

    def _judged(self, entry: Entry, scope: Scope, visitor: Visitor, now: datetime) -> Head | None:
        """Judge a request of this head without cookies; None where more than cookies is left to find."""
        runtime = self.guard.runtime
        headers: HeaderList = scope["headers"]
        found = None if entry.route is None else (entry.route, dict[str, str]())
        x = first_facts(runtime, entry.site, scope, RequestHead(headers, scope), now, found)
        x.device = visitor.choices
        judging = Judging(runtime, entry.site, x, {}, observed=False)
        judging.enter()
        judging.judge_exchange(final=False)
        settled = len(judging.open) == len(judging.head.residual.exchange.live)
        return None if judging.reasons or not settled or not judging.head.quiet else judging.head


def host_of(headers: HeaderList) -> bytes:
    """Return the host that a request names."""
    return next((value for name, value in headers if name == b"host" and value), b"")


def is_own(path: str) -> bool:
    """Whether a path is one of Troth's own."""
    return path.startswith(PREFIX) or path == GPC_PATH


def _is_plain(entry: Entry, scope: Scope) -> bool:
    """Whether a request can have a lane at all."""
    unannounced = str(scope.get("http_version", "1.1"))[:1] in _UNANNOUNCED
    return entry.fits and not (unannounced and entry.holds)


def _fits(site: Site, route: Route | None) -> bool:
    binding = site.binding
    if binding.credentials or binding.actor.before or binding.actor.after or isinstance(binding.region, Source):
        return False
    if route is None:
        return True
    read: tuple[Any, ...] = (route.purpose, route.party, route.topic)
    people = route.subject, route.records, route.request_records, route.selects, route.writes or None, route.event
    if any(one is not None for one in people) or any(isinstance(source, Source) for source in read):
        return False
    names = site.tagging(route).names
    return not any(part.startswith("{") and names.of(part[1:-1]) for part in route.path.split("/"))
