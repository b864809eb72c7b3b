"""What a lane knows of cookies: of those that come in by name, of those that go out by name and attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from troth._types import HeaderList
from troth.asgi import outbound
from troth.filters.cookies import Jar
from troth.model.findings import Finding
from troth.runtime.heads import CookieEntry

if TYPE_CHECKING:
    from troth.asgi.lanes import Lane

_MOST_NAMES: Final = 512
_MOST_TOLD: Final = 256
_MOST_VERDICTS: Final = 256
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

    @property
    def is_told(self) -> bool:
        """Whether the line has something to say of it."""
        return bool(self.entry.findings if self.findings is None else self.findings)


Told = tuple[SetCookieVerdict, ...]
Filtered = tuple[HeaderList, Told, bool]
"""The headers as they go out, what is told, and whether some answer depended on consent."""


class SetCookies:
    """Filters the `Set-Cookie` headers of one lane."""

    __slots__ = ("_by_attributes", "_by_name", "_lane")

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._by_name: dict[bytes, SetCookieVerdict | None] = {}
        """None: attributes count."""
        self._by_attributes: dict[tuple[bytes, bytes, bool], SetCookieVerdict] = {}

    def filter(self, headers: HeaderList, cookie: bytes) -> Filtered | None:
        """Judge the headers in order; None if one has to be judged in full. `cookie` is the request's header."""
        by_name, values = self._by_name, self._lane.values
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
        entry = self._lane.head.outbound[bare]
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
        if not self._lane.values.quiet(head):
            return None
        lane = self._lane
        entry = lane.head.outbound[bare]
        judging = lane.fresh()
        jar = Jar([(b"cookie", name)] if came_in else [])
        value = head + attributes
        kept = outbound.set_cookie_header(judging, value, jar, {"scheme": lane.scheme})
        findings = tuple(finding for finding, _, _ in judging.reasons)
        if judging.denial is not None or entry.denies or (kept is not None and not kept.startswith(head)):
            return None
        edited = None if kept is None or kept == value else kept[len(head) :]
        found = SetCookieVerdict(entry, kept is None, True, entry.depends, findings, edited)
        self._by_attributes[key] = found
        return found
