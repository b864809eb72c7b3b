"""What a lane knows of the cookies that go out, by their names and attributes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from troth._types import HeaderList
from troth.asgi import outbound
from troth.asgi.ground import Ground
from troth.filters.cookies import Jar
from troth.model.findings import Finding
from troth.runtime.heads import CookieEntry

_MOST_VERDICTS: Final = 256
_LONGEST: Final = 128


@dataclass(frozen=True, slots=True, eq=False)
class SetCookieVerdict:
    """What happens to a `Set-Cookie` header of this name and these attributes, as long as its value holds nothing.

    `attributes` are those that it goes out with in place of its own; None: it does not go out, or stays as it is.
    """

    entry: CookieEntry
    drops: bool
    reads: bool
    """Counts only if the value holds nothing."""
    depends: bool
    findings: tuple[Finding, ...] | None
    """What is told; None: what the entry says."""
    attributes: bytes | None = None
    is_told: bool = field(init=False)
    """Whether the line has something to say of it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_told", bool(self.entry.findings if self.findings is None else self.findings))


Told = tuple[SetCookieVerdict, ...]
Filtered = tuple[HeaderList, Told, bool]
"""The headers as they go out, what is told, and whether some answer depended on consent."""


class SetCookies:
    """Filters the `Set-Cookie` headers of one lane."""

    __slots__ = ("_by_attributes", "_by_name", "_ground")

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._by_name: dict[bytes, SetCookieVerdict | None] = {}
        """None: attributes count."""
        self._by_attributes: dict[tuple[bytes, bytes, bool], SetCookieVerdict] = {}

    def filter(self, headers: HeaderList, cookie: bytes) -> Filtered | None:
        """Judge the headers in order; None if one has to be judged in full. `cookie` is the request's header."""
        by_name, values = self._by_name, self._ground.values
        kept: HeaderList = []
        told: list[SetCookieVerdict] = []
        depends = changed = False
        for pair in headers:
            if pair[0] != b"set-cookie":
                kept.append(pair)
                continue
            head, semicolon, attributes = pair[1].partition(b";")
            name = head[: head.find(b"=") + 1]
            verdict = by_name[name] if name in by_name else self._named(name)
            if verdict is None:
                verdict = self._judged(name, head, semicolon + attributes, cookie)
            if verdict is None or (verdict.reads and not values.quiet(head)):
                return None
            depends = depends or verdict.depends
            if verdict.is_told:
                told.append(verdict)
            if verdict.drops or verdict.attributes is not None:
                changed = True
            if not verdict.drops:
                kept.append(pair if verdict.attributes is None else (pair[0], head + verdict.attributes))
        return (kept if changed else headers), tuple(told), depends

    def _named(self, name: bytes) -> SetCookieVerdict | None:
        """Return the verdict on a name if attributes do not count."""
        bare = name[:-1]
        if not bare or bare != bare.strip():
            return None
        entry = self._ground.head.outbound[bare]
        verdict = None
        if not entry.denies and not entry.live:
            verdict = SetCookieVerdict(entry, entry.drop, entry.reads_value, entry.depends, None)
        if len(self._by_name) < _MOST_VERDICTS and len(name) <= _LONGEST:
            self._by_name[name] = verdict
            return verdict
        return None

    def _judged(self, name: bytes, head: bytes, attributes: bytes, cookie: bytes) -> SetCookieVerdict | None:
        """Judge a header by its attributes; None for odd names, and where they speak of a date."""
        bare = name[:-1]
        came_in = b"; " + name in b"; " + cookie
        key = (name, attributes, came_in)
        found = self._by_attributes.get(key)
        if found is not None:
            return found
        full = len(self._by_attributes) >= _MOST_VERDICTS
        if not bare or bare != bare.strip() or full or b"expires" in attributes.lower():
            return None
        if not self._ground.values.quiet(head):
            return None
        ground = self._ground
        entry = ground.head.outbound[bare]
        judging = ground.fresh()
        jar = Jar([(b"cookie", name)] if came_in else [])
        value = head + attributes
        kept = outbound.set_cookie_header(judging, value, jar, {"scheme": ground.scheme})
        findings = tuple(finding for finding, _, _ in judging.reasons)
        if judging.denial is not None or entry.denies or (kept is not None and not kept.startswith(head)):
            return None
        edited = None if kept is None or kept == value else kept[len(head) :]
        found = SetCookieVerdict(entry, kept is None, True, entry.depends, findings, edited)
        self._by_attributes[key] = found
        return found
