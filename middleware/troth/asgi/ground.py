"""The ground of a lane: the head of one kind of request with what it settles, and its cookies by name."""

from __future__ import annotations

from typing import Final

from troth.asgi.guard import Guard
from troth.asgi.judging import Judging
from troth.model.binding import Route
from troth.runtime.heads import CookieEntry, Head
from troth.runtime.site import Site

_MOST_NAMES: Final = 512
_MOST_TOLD: Final = 256
_LONGEST: Final = 128


class Codes(dict[bytes, int]):
    """Inbound cookie names to what happens: 0 stays, any other code is told, goes, or is judged in full.

    Two cookies have the same code if nothing tells them apart: names that nobody declared are never told. A bounded
    number is remembered.
    """

    DROP: Final = 1 << 20
    """This code and all above go."""
    FULL: Final = 1 << 30

    __slots__ = ("_codes", "_entries", "_told")

    def __init__(self, entries: dict[bytes, CookieEntry]) -> None:
        super().__init__()
        self._entries = entries
        self._codes: dict[object, int] = {}
        self._told: list[CookieEntry] = []

    def __missing__(self, name: bytes) -> int:
        # A name with white space around it was cut at the wrong place: let it be split with care.
        code = self.FULL if not name or name != name.strip() else self._code(self._entries[name])
        if len(self) < _MOST_NAMES and len(name) <= _LONGEST:
            self[name] = code
        return code

    def _code(self, entry: CookieEntry) -> int:
        if entry.denies or entry.live:
            return self.FULL
        if not entry.drop and entry.silent:
            return 0
        key = (entry.name if entry.declared else None, entry.findings, entry.drop)
        found = self._codes.get(key)
        if found is None:
            if len(self._told) >= _MOST_TOLD:
                return self.FULL
            self._told.append(entry)
            found = self._codes[key] = len(self._told) + (self.DROP if entry.drop else 0)
        return found

    def entry(self, code: int) -> CookieEntry:
        """Return the entry, or one like it, of a cookie that is told."""
        return self._told[(code & (self.DROP - 1)) - 1]


class Ground:
    """What one kind of request head settles; everything that is worked out for a lane starts from it."""

    __slots__ = ("codes", "guard", "head", "method", "route", "scheme", "site", "values")

    def __init__(self, guard: Guard, site: Site, route: Route | None, head: Head, method: str, scheme: str) -> None:
        self.guard = guard
        self.site = site
        self.route = route
        self.head = head
        self.method = method
        self.scheme = scheme
        self.values = site.values
        self.codes = Codes(head.inbound)

    def fresh(self) -> Judging:
        """Return an exchange of this head about which nothing has been found yet."""
        judging = Judging(self.guard.runtime, self.site, self.head.residual.head, {}, observed=False)
        judging.head = self.head
        return judging
