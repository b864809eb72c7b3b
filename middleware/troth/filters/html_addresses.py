"""Where a link or a form leads, as a browser resolves it; held against an address, or against the tag of a route."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

_WEB: Final = ("http", "https")
_DROPPED: Final = re.compile(r"[\t\r\n]")
_BLANKS: Final = "".join(map(chr, range(33)))


class Target(NamedTuple):
    """An address taken apart: `path` is decoded, without a slash at its end; of others than web addresses the rest."""

    scheme: str
    host: str
    path: str
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a sign asks for: the tag of a route, or an address (of the site itself where it names no host)."""

    tag: str | None = None
    target: Target | None = None


def wanted(value: str) -> Wanted:
    """Return what a sign asks for: a word is the tag of a route; what holds a slash or a colon is an address."""
    if "/" not in value and ":" not in value:
        return Wanted(tag=value)
    return Wanted(target=_taken_apart(value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Resolves the addresses of one page."""

    scheme: str
    host: str
    path: str
    """Of the page, with the path below which the app is mounted."""
    mount: str
    own: Callable[[str], bool]
    """Whether a host is one of the site's."""
    tags: Callable[[str, str], Collection[str]]
    """The tags of the route that a method and a path of the app lead to."""
    _told: dict[object, bool] = field(default_factory=dict)

    def leads(self, address: str, base: str | None, to: Wanted, methods: tuple[str, ...]) -> bool:
        """Say whether an address of the page leads where a sign asks for."""
        key = (address, base, to, methods)
        if key not in self._told:
            self._told[key] = self._leads(address, base, to, methods)
        return self._told[key]

    def _leads(self, address: str, base: str | None, to: Wanted, methods: tuple[str, ...]) -> bool:
        found = self._resolve(address, base)
        if found is None:
            return False
        if to.tag is not None:
            inner = self._inner(found)
            return inner is not None and any(to.tag in self.tags(method, inner) for method in methods)
        asked = to.target
        if asked is None:
            return False
        if asked.scheme and asked.scheme not in _WEB:
            return (found.scheme, found.path.lower()) == (asked.scheme, asked.path.lower())
        if found.scheme not in _WEB or (asked.query and asked.query != found.query):
            return False
        if asked.host:
            return (found.host, found.path) == (asked.host, asked.path)
        return asked.path in (found.path, self._inner(found)) and self._is_own(found.host)

    def _is_own(self, host: str) -> bool:
        return host == self.host or self.own(host)

    def _inner(self, found: Target) -> str | None:
        """Return a path of the app itself; None where the address leads elsewhere."""
        if found.scheme not in _WEB or not self._is_own(found.host):
            return None
        below = found.path[len(self.mount) :]
        return (
            below or "/" if self.mount and found.path.startswith(self.mount) and below[:1] in ("", "/") else found.path
        )

    def _resolve(self, address: str, base: str | None) -> Target | None:
        address = _cleaned(address)
        try:
            if base is None and address[:1] == "/" and address[1:2] != "/" and "/." not in address:
                return _taken_apart(address)._replace(scheme=self.scheme, host=self.host)
            page = f"{self.scheme}://{self.host}{self.path}"
            if base is not None:
                page = urljoin(page, _cleaned(base))
            return _taken_apart(urljoin(page, address))
        except ValueError:
            return None


def _cleaned(address: str) -> str:
    """Return an address without what browsers drop from it; a backslash is a slash to them."""
    address = _DROPPED.sub("", address.strip(_BLANKS))
    scheme, colon, _ = address.partition(":")
    if colon and scheme.lower() not in _WEB and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        return address
    head, mark, tail = re.match(r"([^?#]*)([?#]?)(.*)", address, re.DOTALL).groups()  # type: ignore[union-attr]  # matches all
    return head.replace("\\", "/") + mark + tail


def _taken_apart(address: str) -> Target:
    parts = urlsplit(address)
    path = unquote(parts.path)
    if parts.scheme in ("", *_WEB):
        path = path.rstrip("/") or "/"
    return Target(parts.scheme, (parts.hostname or "").lower(), path, parts.query)


__all__ = ["Addresses", "Target", "Wanted", "wanted"]
