"""The way in: which requests take the express lane, and which lane that is."""

from __future__ import annotations

from typing import Final

from troth._types import Receive, Scope, Send
from troth.asgi.express import Express
from troth.asgi.guard import Guard
from troth.asgi.kinds import COOKIE, ENCODING, LENGTH, REFERRER, SIGNAL
from troth.asgi.lanes import Entry, Lane, Lanes, host_of, is_own
from troth.asgi.request import hostname, inner_path, is_loopback
from troth.asgi.visitors import Visitor, Visitors
from troth.consent.generation import Generation

_NO_SIGNALS: Final[frozenset[str]] = frozenset()
_SECURE: Final = frozenset({"https", "wss"})


class Entrance:
    """Puts requests on their lanes; made once per guard."""

    __slots__ = (
        "_exact", "_guard", "_known", "_meanings", "_only", "_read", "_referrers", "_seconds", "_view", "_visitors",
        "lanes", "open",
    )  # fmt: skip

    def __init__(self, guard: Guard) -> None:
        self.lanes = Lanes(guard)
        self.open = guard.observer is None
        """Whoever watches wants every exchange judged in full."""
        self._guard = guard
        self._meanings = self.lanes.request
        self._referrers = self.lanes.referrers
        self._visitors = Visitors(guard.runtime)
        self._seconds = guard.runtime.seconds
        self._only = self.lanes.sites[id(guard.runtime.first)] if len(guard.runtime.sites) == 1 else None
        self._exact = None if self._only is None else self._only.exact
        self._known = self._visitors.known
        generation = guard.runtime.generation
        self._read = generation.read
        self._view = generation.view if isinstance(generation, Generation) else None

    def enter_plain(self, scope: Scope, receive: Receive, send: Send) -> Express | None:  # noqa: C901 - one pass over the headers
        """Return the exchange of a request on its lane; None where it has to be judged in full."""
        headers = scope["headers"]
        if type(headers) is not list or scope.get("query_string") or not self.open:
            return None
        meanings = self._meanings
        cookie = coding = None
        signals = _NO_SIGNALS
        for pair in headers:
            kind = meanings[pair[0]]
            if not kind:
                continue
            if kind == COOKIE and cookie is None:
                cookie = pair
            elif kind == ENCODING and coding is None:
                coding = pair
            elif kind == SIGNAL:
                signals = signals | _signal(pair)
            elif self._referrers[pair[1]] if kind == REFERRER else kind != LENGTH or pair[1] != b"0":
                return None
        entry = self._entry(scope)
        if entry is None:
            return None
        seconds = self._seconds()
        value = b"" if cookie is None else cookie[1]
        visitor = self._visitors.of(value, entry.nobody, seconds) if value else entry.nobody
        lane = self._lane(scope, entry, visitor, signals, seconds)
        if lane is None:
            return None
        express = Express(lane, visitor, scope, receive, send)
        if cookie is None and not lane.reads:
            return express
        return express if express.filter(cookie, coding) else None

    enter = enter_plain
    """The same; compiled, where that was built (`compiled`)."""

    def _entry(self, scope: Scope) -> Entry | None:
        """Return the entry of a request; None for a path of our own."""
        entries = self._only
        if entries is None:
            runtime = self._guard.runtime
            entries = self.lanes.sites[id(runtime.site_of(hostname(host_of(scope["headers"]))))]
        method, mounted = scope["method"], scope.get("root_path")
        found = None if mounted else entries.exact.get((method, scope["path"]))
        if found is not None:
            return found
        path = inner_path(scope)
        if is_own(path):
            return None
        found = entries.find(method, path)
        if not mounted:
            entries.remember(method, path, found)
        return found

    def _lane(
        self, scope: Scope, entry: Entry, visitor: Visitor, signals: frozenset[str], seconds: float
    ) -> Lane | None:
        """Return the lane of a request that may have one."""
        scheme = scope.get("scheme", "http")
        key: object = visitor.standing
        if scheme != "https" or signals or scope["method"] != entry.method:
            secure = scheme in _SECURE or is_loopback(hostname(host_of(scope["headers"])))
            key = (key, signals, scheme, secure, scope["method"])
        lane = entry.lanes.get(key)
        if lane is None or not lane.since <= seconds < lane.until:
            lane = self.lanes.make(entry, key, scope, visitor)
        return lane if type(lane) is Lane else None


def _signal(pair: tuple[bytes, bytes]) -> frozenset[str]:
    if pair[1] != b"1":
        return _NO_SIGNALS
    return frozenset({"gpc" if pair[0] == b"sec-gpc" else "dnt"})
