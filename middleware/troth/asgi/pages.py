"""HTML answers that a rule has to read: held whole, read for their marks, sent as they came."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import date
from hashlib import blake2b
from typing import Final

from troth._types import Message, Scope
from troth.asgi.judging import Judging, Sent
from troth.asgi.outbound import content_type, encoding_of
from troth.engines.embedded import CompiledRule
from troth.errors import UnreadableBody
from troth.filters import coding
from troth.filters import headers as pairs
from troth.filters.html import Scanner, decode
from troth.filters.html_addresses import Addresses
from troth.filters.html_marks import Page
from troth.filters.html_outline import Outline, composed
from troth.model.facts import UNREADABLE, Actor, Exchange, Missing
from troth.runtime.runtime import OWN_TAGS, PREFIX
from troth.runtime.site import Site

_SLICE: Final = 16 * 1024
"""Characters that are read at once; then others get their turn."""
_REMEMBERED: Final = 256
_LONGEST: Final = 512
_PART: Final = 206
_PARTLY: Final = "partial"


def is_page(kind: bytes) -> bool:
    """Whether a content type is that of an HTML page."""
    return kind.partition(b";")[0].strip().lower() == b"text/html"


def waiting(judging: Judging, start: Message) -> list[CompiledRule]:
    """Return the rules that wait for what a page shows: those for which it is held.

    What browsers do not show is not read: the page of a redirect. A part of a page (206) cannot be.
    """
    headers = list(start.get("headers", ()))
    status = start["status"]
    if 300 <= status < 400 and pairs.first(headers, b"location") is not None:
        return []
    rules = judging.waiting_for_marks(Sent(headers))
    if rules and status == _PART:
        _unread(judging, _PARTLY)
        return []
    return rules


async def shown(
    judging: Judging, scope: Scope, start: Message, held: list[Message] | None, limit: int
) -> frozenset[str] | Missing:
    """Return the marks that a held page shows; unreadable where it is not whole, or cannot be decoded."""
    if held is None:
        return _unread(judging, _PARTLY)
    if not held:
        return _unread(judging, "not in the response")
    raw = b"".join(message.get("body", b"") for message in held)
    if len(raw) > limit or held[-1].get("more_body", False):
        return _unread(judging, _PARTLY)
    try:
        body = coding.decode(raw, encoding_of(start) or None, limit=limit)
        return await _remembered(judging, scope, body, content_type(start))
    except UnreadableBody as cause:
        return _unread(judging, _PARTLY if cause.reason == "too-large" else cause.reason)


async def _remembered(judging: Judging, scope: Scope, body: bytes, kind: bytes) -> frozenset[str]:
    """Read a page, unless the very same one was read just before. Of a page its digest is kept, and its marks."""
    x, site = judging.x, judging.site
    states = _states(x)
    addresses = _addresses(site, x, scope)
    around = (addresses.scheme, addresses.host, addresses.path, addresses.mount, x.version, states)
    key = (blake2b(body, digest_size=16).digest(), kind, around)
    found = site.pages.get(key)
    if found is None:
        outline = await _outline(composed(decode(body, kind)))
        page = Page(outline=outline, addresses=addresses, effective=_effective(site, x.version))
        found = await _marks(site, page, states, patient=len(body) > _SLICE)
        if len(site.pages) >= _REMEMBERED:
            site.pages.pop(next(iter(site.pages)), None)
        if len(addresses.path) <= _LONGEST:
            site.pages[key] = found
    return found


async def _outline(text: str) -> Outline:
    outline = Outline()
    scanner = Scanner(outline)
    for at in range(0, len(text), _SLICE):
        if at:
            await asyncio.sleep(0)
        scanner.feed(text[at : at + _SLICE])
    scanner.close()
    return outline


async def _marks(site: Site, page: Page, states: frozenset[str], *, patient: bool) -> frozenset[str]:
    found = set()
    for mark in site.marks:
        if patient:
            await asyncio.sleep(0)
        if mark.is_shown(page, states):
            found.add(mark.id)
    return frozenset(found)


def _unread(judging: Judging, reason: str) -> Missing:
    judging.inspect["response"] = reason
    judging.shown = UNREADABLE
    return UNREADABLE


def _addresses(site: Site, x: Exchange, scope: Scope) -> Addresses:
    mount = str(scope.get("root_path") or "").rstrip("/")
    path = str(scope["path"])
    return Addresses(
        scheme=str(scope.get("scheme", "http")), host=x.host,
        path=path if not mount or path.startswith(mount) else mount + path, mount=mount, own=site.is_own_host,
        tags=lambda method, path: _tags(site, method, path),
    )  # fmt: skip


def _tags(site: Site, method: str, path: str) -> Collection[str]:
    """Return the tags of a route of the app, or of one of our own."""
    if path.startswith(PREFIX + "/"):
        return (OWN_TAGS.get(path[len(PREFIX) + 1 :], ""),)
    route = site.routes.find(method, path)
    return () if route is None else route.tags


def _effective(site: Site, version: str) -> date | None:
    row = next((row for row in site.policy.versions if row.id == version), None)
    return None if row is None else row.effective or row.updated


def _states(x: Exchange) -> frozenset[str]:
    """Return the states that the visitor is in, whatever their parameters."""
    states = x.actor.person.states if isinstance(x.actor, Actor) else frozenset()
    return frozenset() if isinstance(states, Missing) else frozenset(name for name, _ in states)


__all__ = ["is_page", "shown", "waiting"]
