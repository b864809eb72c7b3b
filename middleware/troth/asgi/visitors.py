"""Visitors whose consent cookie was read before: what they chose, as long as nothing in the ledger has changed."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Final

from troth.asgi import telling
from troth.consent.device import COOKIE_NAME, ConsentReading, CookieOutcome
from troth.consent.recent import Recent
from troth.filters.cookies import Jar
from troth.model.consent import NO_CHOICES, Choices
from troth.runtime.runtime import Runtime
from troth.runtime.site import Site

_NAME: Final = COOKIE_NAME.encode()
_CONSENT: Final = _NAME + b"="
_START: Final = len(_CONSENT)
_REMEMBERED: Final = 4096
_MOST_STANDINGS: Final = 4096


class Visitor:
    """What the choices of one device come to on one site, from `since` until `until`.

    `told` is what its consent adds to a line, `withheld` the same for one of which no id is told.
    """

    __slots__ = ("choices", "generation", "since", "site", "standing", "told", "until", "withheld")

    def __init__(self, site: Site, reading: ConsentReading | None, now: datetime, generation: int) -> None:
        self.site = site
        self.choices: Choices = NO_CHOICES if reading is None else reading.choices
        self.generation = generation
        self.since = datetime.combine(now.date(), time(), now.tzinfo or UTC)
        self.standing, self.until = site.engine.standing(self.choices, now)
        self.told = self.withheld = b""
        if reading is not None and reading.device is not None:
            self.told = telling.consent_members(reading, refuses=False)
            self.withheld = telling.consent_members(reading, refuses=True)


class Visitors:
    """Knows the visitors of one guard by their consent cookies. Keeps up to 4,096 of them."""

    __slots__ = ("_decoder", "_generation", "_known", "_nobody", "_standings")

    def __init__(self, runtime: Runtime) -> None:
        self._decoder = runtime.decoder
        self._generation = runtime.generation
        self._known: Recent[bytes, Visitor] = Recent(_REMEMBERED)
        self._nobody: dict[int, Visitor] = {}
        self._standings: dict[object, object] = {}

    def nobody(self, site: Site, now: datetime) -> Visitor:
        """Return who brings no consent cookie."""
        found = self._nobody.get(id(site))
        if found is None or not found.since <= now < found.until:
            found = self._nobody[id(site)] = self._shared(Visitor(site, None, now, 0))
        return found

    def of(self, cookie: bytes, site: Site, now: datetime) -> Visitor:
        """Return who brings a `Cookie` header of one line."""
        at = cookie.find(_CONSENT)
        if at < 0:
            return self.nobody(site, now)
        end = cookie.find(b";", at)
        raw = cookie[at + _START :] if end < 0 else cookie[at + _START : end]
        found = self._known.get(raw)
        if (
            found is None
            or found.generation != self._generation.read()
            or not found.since <= now < found.until
            or found.site is not site
            or (at and cookie[at - 2 : at] != b"; ")
            or cookie.find(_CONSENT, at + 1) >= 0
        ):
            return self._read(cookie, raw, site, now)
        return found

    def _read(self, cookie: bytes, raw: bytes, site: Site, now: datetime) -> Visitor:
        """Read the consent cookies with care; what is beyond doubt is remembered until the ledger changes."""
        generation = self._generation.read()
        values = Jar([(b"cookie", cookie)]).values(_NAME)
        reading = self._decoder.read(values)
        visitor = self._shared(Visitor(site, reading, now, generation))
        if reading.outcome is CookieOutcome.VALID and values == [raw] and not generation & 1:
            self._known.put(raw, visitor)
        return visitor

    def _shared(self, visitor: Visitor) -> Visitor:
        """Let visitors of one standing share one object, which is found by its identity."""
        if len(self._standings) >= _MOST_STANDINGS:
            self._standings.clear()
        visitor.standing = self._standings.setdefault(visitor.standing, visitor.standing)
        return visitor
