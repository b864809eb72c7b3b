"""Outbound cookies: one `Set-Cookie` value at a time, read as browsers read it (RFC 6265bis section 5.6).

The last attribute of a name wins, `Max-Age` goes before `Expires`, names are compared without case. A cookie is never
re-made: `amend` is the smallest edit of the app's own bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Final

from troth.filters.cookie_date import read_date

_LONGEST: Final = 1024
_EPOCH: Final = b"Thu, 01 Jan 1970 00:00:00 GMT"
_FOREVER: Final = timedelta(days=365_000)
_DIGITS_THAT_MATTER: Final = 12
HEADER_BUDGET: Final = 2048
"""Bytes of expiring headers that one response carries at most."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: its `name` in lower case, its trimmed `value`; `start` its semicolon, `end` past its end."""

    name: bytes
    value: bytes
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class SetCookie:
    """One `Set-Cookie` value read: `name` (empty for a nameless cookie), `value` and all attributes in order."""

    header: bytes
    name: bytes
    value: bytes
    attributes: tuple[Attribute, ...]

    def get(self, name: bytes) -> bytes | None:
        """Return the value of the attribute that wins, ``b""`` for one without value, None where it is missing."""
        winner = self._winner(name)
        return None if winner is None else winner.value

    def lifetime(self, now: datetime) -> timedelta | None:
        """Return how long the cookie will live from `now` (aware); None for a session cookie.

        Zero or less deletes it. No browser's own ceiling (400 days) is applied.
        """
        max_age = self._winner(b"max-age")
        if max_age is not None:
            return _seconds(max_age.value)
        expires = self._winner(b"expires")
        return None if expires is None else _moment(expires.value) - now

    def _winner(self, name: bytes) -> Attribute | None:
        for attribute in reversed(self.attributes):
            if attribute.name == name and _counts(attribute):
                return attribute
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an amended cookie must have; what is left out is not touched.

    `session`: no lifetime at all. `max_age`: lives no longer than so many seconds. `host_only`: without `Domain`.
    """

    session: bool = False
    max_age: int | None = None
    secure: bool = False
    http_only: bool = False
    same_site: str | None = None
    host_only: bool = False


def name_of(header: bytes) -> bytes:
    """Return the name of the cookie that a `Set-Cookie` value sets; empty for a nameless one. The fast way."""
    at = header.find(b"=")
    end = header.find(b";")
    return header[:at].strip() if at >= 0 and (end < 0 or at < end) else b""


def parse(header: bytes) -> SetCookie:
    """Read one `Set-Cookie` value. Never raises: what browsers ignore is kept as an attribute that does not count."""
    end = header.find(b";")
    pair = header if end < 0 else header[:end]
    name, equals, value = pair.partition(b"=")
    if not equals:
        name, value = b"", pair
    return SetCookie(header, name.strip(), value.strip(), tuple(_attributes(header, end)))


def amend(header: bytes, wanted: Wanted, now: datetime) -> bytes:
    """Return `header` with the smallest edit that makes `wanted` true; the same object if it already is.

    A session cookie satisfies every `max_age`. Where a lifetime is cut, every attribute that says more is cut, so that
    readers who heed another one agree; `Max-Age` is added where only `Expires` stood. `now` is aware.
    """
    edits: list[tuple[int, int, bytes]] = []
    cookie = parse(header)
    added = _amend_lifetime(cookie, wanted, now, edits) + _amend_flags(cookie, wanted)
    if wanted.same_site is not None:
        added += _amend_same_site(cookie, wanted.same_site.encode("ascii"), edits)
    if wanted.host_only:
        edits += _removals(cookie, (b"domain",))
    return _edited(header, edits) + added if edits or added else header


def expire(
    name: bytes,
    *,
    domain: str | None = None,
    path: str = "/",
    secure: bool = False,
    partitioned: bool = False,
) -> bytes:
    """Return a `Set-Cookie` value that deletes the cookie `name`: host-only, or on a declared `domain`.

    A browser deletes by name, domain and path, and refuses a header that breaks the prefix of the name: `__Host-` gets
    `Secure` and ``Path=/`` and never a domain, `__Secure-` gets `Secure`. A partitioned cookie goes only with
    `Partitioned`. Raises ValueError if `name`, `domain` or `path` could not stand in a header.
    """
    prefix = name.lower()
    host_prefix = prefix.startswith(b"__host-")
    _check(name, domain, path)
    where = "/" if host_prefix else path
    parts = [name + b"=" if name else b"_", b"Path=" + where.encode("ascii"), b"Max-Age=0", b"Expires=" + _EPOCH]
    if domain and not host_prefix:
        parts.append(b"Domain=" + domain.encode("idna" if not domain.isascii() else "ascii"))
    if secure or partitioned or host_prefix or prefix.startswith((b"__secure-", b"__http-")):
        parts.append(b"Secure")
    if prefix.startswith((b"__http-", b"__host-http-")):
        parts.append(b"HttpOnly")
    if partitioned:
        parts += [b"SameSite=None", b"Partitioned"]
    return b"; ".join(parts)


def within_budget(values: Iterable[bytes], *, budget: int = HEADER_BUDGET) -> tuple[list[bytes], int]:
    """Return the header values that fit `budget` bytes, in order, and how many have to wait for the next response."""
    taken: list[bytes] = []
    waiting = 0
    for value in values:
        size = len(value) + len(b"set-cookie: \r\n")
        if size <= budget and not waiting:
            budget -= size
            taken.append(value)
        else:
            waiting += 1
    return taken, waiting


def _attributes(header: bytes, at: int) -> Iterable[Attribute]:
    while at >= 0:
        following = header.find(b";", at + 1)
        end = len(header) if following < 0 else following
        name, _, value = header[at + 1 : end].partition(b"=")
        yield Attribute(name.strip().lower(), value.strip(), at, end)
        at = following


def _counts(attribute: Attribute) -> bool:
    """Say whether browsers heed the attribute: what they cannot read counts as not there."""
    if len(attribute.value) > _LONGEST:
        return False
    match attribute.name:
        case b"max-age":
            return re.fullmatch(rb"-?[0-9]+", attribute.value) is not None
        case b"expires":
            return read_date(attribute.value) is not None
        case _:
            return True


def _seconds(value: bytes) -> timedelta:
    if value.startswith(b"-"):
        return timedelta(0)
    digits = value.lstrip(b"0")
    return _FOREVER if len(digits) > _DIGITS_THAT_MATTER else min(timedelta(seconds=int(digits or b"0")), _FOREVER)


def _moment(value: bytes) -> datetime:
    moment = read_date(value)
    assert moment is not None  # noqa: S101 - only attributes that `_counts` let through are asked
    return moment


def _amend_lifetime(cookie: SetCookie, wanted: Wanted, now: datetime, edits: list[tuple[int, int, bytes]]) -> bytes:
    """Add the edits that bound the lifetime; return what is appended to the header."""
    if wanted.session:
        edits += _removals(cookie, (b"max-age", b"expires"))
        return b""
    lifetime = None if wanted.max_age is None else cookie.lifetime(now)
    if wanted.max_age is None or lifetime is None or lifetime <= timedelta(seconds=wanted.max_age):
        return b""
    edits += _cuts(cookie, wanted.max_age, now)
    has_max_age = any(found.name == b"max-age" and _counts(found) for found in cookie.attributes)
    return b"" if has_max_age else b"; Max-Age=%d" % wanted.max_age


def _cuts(cookie: SetCookie, max_age: int, now: datetime) -> Iterable[tuple[int, int, bytes]]:
    cap = timedelta(seconds=max_age)
    last = now.astimezone(UTC) + cap
    for attribute in filter(_counts, cookie.attributes):
        if attribute.name == b"max-age" and _seconds(attribute.value) > cap:
            yield _replaced(cookie, attribute, b"%d" % max_age)
        elif attribute.name == b"expires" and _moment(attribute.value) > last:
            yield _replaced(cookie, attribute, format_datetime(last, usegmt=True).encode())


def _amend_flags(cookie: SetCookie, wanted: Wanted) -> bytes:
    flags = ((wanted.secure, b"Secure"), (wanted.http_only, b"HttpOnly"))
    return b"".join(b"; " + flag for asked, flag in flags if asked and cookie.get(flag.lower()) is None)


def _amend_same_site(cookie: SetCookie, value: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    now = [attribute for attribute in cookie.attributes if attribute.name == b"samesite"]
    if not now:
        return b"; SameSite=" + value
    if now[-1].value.lower() != value.lower():
        edits.append(_replaced(cookie, now[-1], value))
    return b""


def _replaced(cookie: SetCookie, attribute: Attribute, value: bytes) -> tuple[int, int, bytes]:
    """Return the edit that gives an attribute another value and leaves its name and spacing as written."""
    text = cookie.header[attribute.start : attribute.end]
    at = text.find(b"=")
    if at < 0:
        return attribute.end, attribute.end, b"=" + value
    start = attribute.start + at + 1
    raw = cookie.header[start : attribute.end]
    start += len(raw) - len(raw.lstrip())
    return start, start + len(attribute.value), value


def _removals(cookie: SetCookie, names: tuple[bytes, ...]) -> list[tuple[int, int, bytes]]:
    return [(found.start, found.end, b"") for found in cookie.attributes if found.name in names]


def _edited(header: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for start, end, value in sorted(edits, reverse=True):
        header = header[:start] + value + header[end:]
    return header


def is_name(name: bytes) -> bool:
    """Say whether a cookie of this name can be set at all."""
    return not re.search(rb"[\x00-\x1f\x7f;=]", name) and name == name.strip()


def _check(name: bytes, domain: str | None, path: str) -> None:
    if not is_name(name):
        raise ValueError("a cookie name cannot hold separators or control characters")
    if domain is not None and not re.fullmatch(r"\.?[\w-]+(\.[\w-]+)*", domain):
        raise ValueError("not a domain")
    if not re.fullmatch(r"/[\x21-\x3a\x3c-\x7e]*", path):
        raise ValueError("not a cookie path")
