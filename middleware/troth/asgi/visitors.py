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


def start_of_day(now: datetime) -> float:
    """Return when the day of an instant began, in seconds of Unix time."""
    return datetime.combine(now.date(), time(), now.tzinfo or UTC).timestamp()


class Visitor:
    """What the choices of one device come to on one site, from `since` until `until` (seconds of Unix time).

    `told` is what its consent adds to a line, `withheld` the same for one of which no id is told.
    """

    __slots__ = ("choices", "generation", "since", "site", "standing", "told", "until", "withheld")

    def __init__(self, site: Site) -> None:
        self.site = site
        self.choices: Choices = NO_CHOICES
        self.standing: object = frozenset()
        self.generation = 0
        self.since = self.until = 0.0
        self.told = self.withheld = b""

    def read(self, reading: ConsentReading, now: datetime) -> None:
        """Take over what a consent cookie says."""
        self.choices = reading.choices
        self.standing, until = self.site.engine.standing(self.choices, now)
        self.since, self.until = start_of_day(now), until.timestamp()
        if reading.device is not None:
            self.told = telling.consent_members(reading, refuses=False)
            self.withheld = telling.consent_members(reading, refuses=True)


class Visitors:
    """Knows the visitors of one guard by their consent cookies. Keeps up to 4,096 of them."""

    __slots__ = ("_clock", "_decoder", "_generation", "_standings", "known")

    def __init__(self, runtime: Runtime) -> None:
        self._clock = runtime.clock
        self._decoder = runtime.decoder
        self._generation = runtime.generation
        self.known: Recent[bytes, Visitor] = Recent(_REMEMBERED)
        self._standings: dict[object, object] = {}

    def of(self, cookie: bytes, nobody: Visitor, seconds: float) -> Visitor:
        """Return who brings a `Cookie` header; `nobody` is who brings no consent to the same site."""
        at = cookie.find(_CONSENT)
        if at < 0:
            return nobody
        end = cookie.find(b";", at)
        raw = cookie[at + _START :] if end < 0 else cookie[at + _START : end]
        found = self.known.get(raw)
        if (
            found is None
            or found.generation != self._generation.read()
            or not found.since <= seconds < found.until
            or found.site is not nobody.site
            or (at and cookie[at - 2 : at] != b"; ")
            or cookie.find(_CONSENT, at + 1) >= 0
        ):
            return self._read(cookie, raw, nobody.site)
        return found

    def _read(self, cookie: bytes, raw: bytes, site: Site) -> Visitor:
        """Read the consent cookies with care; what is beyond doubt is remembered until the ledger changes."""
        visitor = Visitor(site)
        visitor.generation = self._generation.read()
        values = Jar([(b"cookie", cookie)]).values(_NAME)
        reading = self._decoder.read(values)
        visitor.read(reading, self._clock())
        if len(self._standings) >= _MOST_STANDINGS:
            self._standings.clear()
        # Those of one standing share one object, which is found by its identity.
        visitor.standing = self._standings.setdefault(visitor.standing, visitor.standing)
        if reading.outcome is CookieOutcome.VALID and values == [raw] and not visitor.generation & 1:
            self.known.put(raw, visitor)
            site.values.pass_over(_CONSENT + raw)  # no rule is about our own cookie
        return visitor
