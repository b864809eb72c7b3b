"""What follows for a response of one kind on a lane: headers that are added, and the line. Worked out once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from troth._types import HeaderList
from troth.asgi import telling
from troth.asgi.ground import Ground
from troth.asgi.happenings import DENIED, REFUSED
from troth.asgi.shapes import NO_FIELDS, Fields
from troth.asgi.verdicts import Told
from troth.filters import caching
from troth.filters.set_cookie import within_budget
from troth.model.facts import Direction
from troth.model.words import NONE
from troth.runtime.heads import Head, Settled

SENT: Final = frozenset({b"content-type", b"content-length", b"set-cookie"})
"""What nearly every response has: a rule that asks for one of these is judged in full where it matters."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Headers that are added, and the members of the line that all exchanges like this one share (empty: none)."""

    added: HeaderList
    line: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of exchange on a lane: what came in and went out, as far as anything depends on it."""

    status: int
    page: bool
    cookies_in: tuple[int, ...]
    cookies_out: Told
    depends: bool
    """Some cookie that went out might not have under another consent, or the other way round."""
    fields: Fields

    @property
    def is_bare(self) -> bool:
        """Whether nothing but the status says anything of it."""
        return not (self.page or self.cookies_in or self.cookies_out or self.depends) and self.fields is NO_FIELDS


def work_out(ground: Ground, kind: Kind) -> Outcome | None:
    """Return what follows for a kind of exchange; None if that cannot be said beforehand.

    How often somebody was denied no head knows.
    """
    head = ground.head
    if kind.status in REFUSED and DENIED in ground.site.spoken_of:
        return None
    settled = [head.closing(kind.status, frozenset(kind.fields.seen)), *([head.page()] if kind.page else [])]
    if any(one.live for one in settled) or not all(one.quiet for one in settled):
        return None
    duties = [duty for one in settled for duty in one.duties]
    if any(not duty.names.isdisjoint(SENT) for duty in duties):
        return None
    expiring = _expiring(ground, kind)
    depends = kind.depends or kind.fields.depends or bool(expiring) or _hangs_on_consent(head, page=kind.page)
    added: HeaderList = []
    if kind.page:
        policy, varies = head.content_policy(head.residual.head)
        depends = depends or varies
        added += [] if policy is None else [(b"content-security-policy", policy)]
    added += [pair for duty in duties for pair in duty.headers]
    if depends:
        added = caching.made_private(caching.varied(added))
    return Outcome([*expiring, *added], _line(ground, kind, settled))


def _hangs_on_consent(head: Head, *, page: bool) -> bool:
    """Whether a header would be added under another consent, or is under this one; nothing asked for was sent."""
    return any(NONE not in duty.values for duty in head.headers_by_consent(page=page))


def _expiring(ground: Ground, kind: Kind) -> HeaderList:
    """Return the headers that expire the refused cookies which came in."""
    if not ground.head.refuses:
        return []
    entries = {entry.name: entry for entry in map(ground.codes.entry, kind.cookies_in) if entry.drop}
    secure = ground.scheme == "https"
    values = [value for _, entry in sorted(entries.items()) for value in entry.expiries[secure]]
    return [(b"set-cookie", value) for value in within_budget(values)[0]]


def _line(ground: Ground, kind: Kind, settled: list[Settled]) -> bytes:
    """Return the members of a line that all exchanges like this one share; empty if none is due."""
    head = ground.head
    judging = ground.fresh()
    judging.x = head.residual.head.but(status=kind.status, method=ground.method)
    judging.cookies_in = [ground.codes.entry(code) for code in kind.cookies_in]
    for verdict in kind.cookies_out:
        entry = verdict.entry
        if verdict.findings is None:
            judging.cookies_out.append(entry)
        else:
            judging.found(verdict.findings, entry.name if entry.declared else None, Direction.RESPONSE)
    judging.closing, judging.page = settled[0], settled[1] if len(settled) > 1 else None
    judging.duties = tuple(duty for one in settled for duty in one.duties if duty.headers)
    judging.tags = kind.fields.tags
    for findings, category in kind.fields.found:
        judging.found(findings, category)
    return telling.shared_line(judging) if telling.line_due(judging) else b""
