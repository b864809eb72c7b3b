"""The response side: cookies one header at a time, duties on headers, fields taken out, the line that tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from troth._types import HeaderList, Message, Scope
from troth.asgi import redirects
from troth.asgi.bodies import FieldFound, Sliced, fields_of, read_body
from troth.asgi.inbound import guards_of, report_fields
from troth.asgi.judging import Judging, Sent, takes_away
from troth.asgi.request import body_kind
from troth.asgi.rows import is_rows
from troth.engines.embedded.duties import header_value, is_protected
from troth.engines.embedded.views import CookieView, ExchangeView
from troth.errors import UnreadableBody
from troth.filters import caching, set_cookie
from troth.filters import headers as pairs
from troth.filters.cookies import Jar
from troth.filters.probes import probe_cookie
from troth.filters.set_cookie import SetCookie, Wanted
from troth.filters.splicing import Edit
from troth.model.facts import UNREADABLE, Cookie, Direction, Page
from troth.model.findings import Denial, Finding
from troth.model.period import Period
from troth.model.rules import Header
from troth.model.words import Action, Carrier, Phase, Thing
from troth.runtime.heads import OWN_COOKIE, CookieEntry

_NEVER_EXPIRED: Final = b"troth_consent"


@dataclass(slots=True)
class Outgoing:
    """What is sent in place of what the app sent: the same messages if nothing was changed."""

    start: Message
    body: list[Message]
    unreadable: bool = False
    edits: Mapping[object, Edit] = field(default_factory=dict)
    """What is still to be taken out of a large body."""


def content_type(message: Message) -> bytes:
    """Return the content type of a response start."""
    for name, value in message.get("headers", ()):
        if name == b"content-type" or name.lower() == b"content-type":
            return bytes(value)
    return b""


def encoding_of(message: Message) -> bytes:
    """Return the content codings of a response start."""
    return pairs.joined(list(message.get("headers", ())), b"content-encoding") or b""


def is_read(judging: Judging, start: Message) -> bool:
    """Whether the body of a response can be read: JSON everywhere, CSV and NDJSON where the route binds records."""
    kind = content_type(start)
    if body_kind(kind) == "json":
        return True
    return judging.x.route is not None and judging.x.route.records is not None and is_rows(kind)


def length_of(message: Message) -> int | None:
    """Return the declared length of a response body; None for a stream."""
    for name, value in message.get("headers", ()):
        if (name == b"content-length" or name.lower() == b"content-length") and value.isdigit() and len(value) < 19:
            return int(value)
    return None


def judge(
    judging: Judging, start: Message, buffer: list[Message] | None, limit: int, jar: Jar, extra: list[bytes],
    scope: Scope,
) -> Outgoing:  # fmt: skip
    """Judge a response, held (`buffer`) or about to stream; returns what goes out. May leave a denial behind."""
    outgoing = Outgoing(start, buffer or [])
    headers: HeaderList = start["headers"] if isinstance(start.get("headers"), list) else list(start.get("headers", ()))
    x = judging.x
    sent = Sent(headers)
    body: bytes | None = None
    if judging.sliced is not None:
        _sliced_body(judging, judging.sliced, outgoing)
    elif buffer is not None:
        body = _held_body(judging, headers, buffer, limit, outgoing)
    elif _hides_records(judging, start):
        _unreadable(judging, "records in a form that cannot be read", outgoing)
    given, headers = headers, redirects.filtered(judging, start.get("status", 0), headers)
    x.response_pending = False
    x.phase = Phase.RESPONSE_BODY
    judging.close_exchange(sent)
    if outgoing.unreadable or judging.settle_denial() is not None:
        return outgoing
    changed = filter_cookies(judging, headers, jar, extra, scope)
    page = content_type(start).partition(b";")[0].strip().lower() == b"text/html"
    if page:
        changed = _page(judging, changed, sent)
    changed = _amended(judging, changed, page=page)
    if judging.depends:
        changed = caching.mark_etags(caching.made_private(caching.varied(changed)), judging.head.consent_tag)
    denial = judging.settle_denial()
    if denial is not None:
        _unread_page(judging, denial, outgoing)
        return outgoing
    if body is not None:
        changed = pairs.decoded(changed, len(body))
        kind = "http.response.body" if buffer is None else buffer[-1]["type"]
        outgoing.body = [{"type": kind, "body": body, "more_body": False}]
    if changed is not given:
        outgoing.start = {**start, "headers": changed}
    return outgoing


def _hides_records(judging: Judging, start: Message) -> bool:
    """Whether a route that binds records answers with something in which they cannot be found: that may not pass."""
    x = judging.x
    if x.route is None or x.route.records is None or x.method == "HEAD" or not 200 <= start["status"] < 300:
        return False
    if start["status"] in (204, 205) or is_read(judging, start):
        return False
    restricted = any(rule.restricts for rule in judging.site.engine.rules[Thing.RECORD])
    return restricted and not is_protected(ExchangeView(judging.site.engine.tables, x))


# body ------------------------------------------------------------------------------------------------------------


def _held_body(
    judging: Judging, headers: HeaderList, buffer: list[Message], limit: int, outgoing: Outgoing
) -> bytes | None:
    """Read a held body and report its fields. Returns it edited; None if it stays as it is."""
    x = judging.x
    if not buffer:
        _unreadable(judging, "not in the response", outgoing)
        return None
    raw = buffer[0].get("body", b"") if len(buffer) == 1 else b"".join(message.get("body", b"") for message in buffer)
    tagging = judging.site.tagging(x.route)
    try:
        if len(raw) > limit or buffer[-1].get("more_body", False):
            raise UnreadableBody("too-large")  # noqa: TRY301 - one place answers for all reasons
        if judging.records is not None and is_rows(pairs.first(headers, b"content-type") or b""):
            return judging.records.judge(())
        read = read_body(
            "json", raw, b"", pairs.joined(headers, b"content-encoding") or b"", limit, tagging, x.now.date(),
            judging.known, Direction.RESPONSE,
        )  # fmt: skip
    except UnreadableBody as cause:
        _unreadable(judging, cause.reason, outgoing)
        return None
    if judging.records is not None:
        return judging.records.judge(read.fields)
    edits = _edits(judging, read.fields)
    edited = read.edit(edits) if edits else read.body
    return None if edited is read.body else edited


def _sliced_body(judging: Judging, sliced: Sliced, outgoing: Outgoing) -> None:
    """Report the fields of a large body that was read already; what has to go from it is for `asgi.large`."""
    if sliced.failure is not None:
        _unreadable(judging, sliced.failure.reason, outgoing)
    else:
        outgoing.edits = _edits(judging, fields_of(sliced.tags, Direction.RESPONSE))


def _edits(judging: Judging, fields: list[FieldFound]) -> Mapping[object, Edit]:
    """Report the fields of a response; return what has to go."""
    edits = report_fields(judging, fields)
    if not judging.depends:
        judging.depends = any(judging.head.field_depends(field.category, Carrier.JSON) for field, _, _ in fields)
    return edits


def _unreadable(judging: Judging, reason: str, outgoing: Outgoing) -> None:
    """A body that a restricting rule had to read is not shown; one that was only to be tagged is, or is protected."""
    judging.inspect["response"] = reason
    judging.x.response_unreadable = True
    protected = is_protected(ExchangeView(judging.site.engine.tables, judging.x))
    if judging.head.residual.guards(Carrier.JSON, Direction.RESPONSE) and not protected:
        outgoing.unreadable = True
        guards = guards_of(judging, "json", Direction.RESPONSE)
        judging.reasons += guards
        judging.denial = Denial(status=502, redirect=False, findings=tuple(reason[0] for reason in guards))


def _unread_page(judging: Judging, denial: Denial, outgoing: Outgoing) -> None:
    """A page that was to be denied unless it shows something, and could not be read, is a response that failed."""
    pages = all(finding.thing is Thing.PAGE and finding.status is None for finding in denial.findings)
    if judging.shown is UNREADABLE and pages:
        outgoing.unreadable = True
        judging.denial = Denial(status=502, redirect=False, findings=denial.findings)


# cookies ---------------------------------------------------------------------------------------------------------


def filter_cookies(judging: Judging, headers: HeaderList, jar: Jar, extra: list[bytes], scope: Scope) -> HeaderList:
    """Judge each `Set-Cookie` header in order; expire declared cookies that were refused and still arrive."""
    changed: HeaderList | None = None
    for at, (name, value) in enumerate(headers):
        if name != b"set-cookie" and name.lower() != b"set-cookie":
            if changed is not None:
                changed.append((name, value))
            continue
        kept = set_cookie_header(judging, value, jar, scope)
        if kept is value:
            if changed is not None:
                changed.append((name, value))
            continue
        if changed is None:
            changed = list(headers[:at])
        if kept is not None:
            changed.append((name, kept))
    expiring = expiries(judging, jar, scope)
    if not expiring and not extra:
        return headers if changed is None else changed
    return [*(headers if changed is None else changed), *((b"set-cookie", one) for one in (*expiring, *extra))]


def set_cookie_header(judging: Judging, value: bytes, jar: Jar, scope: Scope) -> bytes | None:
    """Return the header value as it may go out; None if it may not."""
    entry = judging.head.outbound[set_cookie.name_of(value)]
    if entry.depends:
        judging.depends = True
    settled = entry is OWN_COOKIE or not (entry.denies or judging.observed)
    if settled and entry.drop:
        judging.cookies_out.append(entry)
        return None
    if settled and not entry.live and not (entry.reads_value and not _is_quiet(judging, value)):
        if not entry.silent:
            judging.cookies_out.append(entry)
        return value
    found = judging.cookie(entry, _facts(judging, entry, set_cookie.parse(value), jar))
    if takes_away(found):
        return None
    return _amend_cookie(judging, entry, value, found, scope)


def _is_quiet(judging: Judging, value: bytes) -> bool:
    """Whether the value of a `Set-Cookie` header holds nothing; where people are known, it is looked at anew."""
    return not judging.known and judging.site.values.quiet(value.partition(b";")[0])


def _plain(entry: CookieEntry) -> Cookie:
    return Cookie(name=entry.name, direction=Direction.RESPONSE, row=entry.row)


def _facts(judging: Judging, entry: CookieEntry, parsed: SetCookie, jar: Jar) -> Cookie:
    """Read what rules may ask of a `Set-Cookie` header."""
    domain = parsed.get(b"domain")
    same_site = parsed.get(b"samesite")
    return Cookie(
        name=entry.name,
        direction=Direction.RESPONSE,
        row=entry.row,
        data=probe_cookie(judging.site.cookie_probes, parsed.value, judging.known),
        lifetime=parsed.lifetime(judging.x.now),
        attributes={
            "secure": "true" if parsed.get(b"secure") is not None else "false",
            "http-only": "true" if parsed.get(b"httponly") is not None else "false",
            "same-site": (same_site or b"").decode("latin-1").lower(),
            "domain": domain.decode("latin-1").lower() if domain else "own",
        },
        came_in=any(name == parsed.name for name, _ in jar.pieces),
    )


def _amend_cookie(
    judging: Judging, entry: CookieEntry, value: bytes, found: tuple[Finding, ...], scope: Scope
) -> bytes:
    for finding in found:
        if finding.action is Action.AMEND and not finding.dry:
            value = set_cookie.amend(value, _wanted(judging, entry, finding.rule, scope), judging.x.now)
    return value


def _wanted(judging: Judging, entry: CookieEntry, rule: str, scope: Scope) -> Wanted:
    """Return what a rule's duties ask of a cookie. `Secure` is not asked on plain http, which is loopback here."""
    site = judging.site
    duties = {duty.name: duty.value for duty in site.attributes[rule]}
    lifetime = duties.get("lifetime")
    periods = [] if lifetime in (None, "session") else [Period.parse(lifetime)]
    for keep in site.keeps[rule]:
        periods += _kept_for(judging, entry) if keep.limit is None else [keep.limit]
    now = judging.x.now
    seconds = [int((period.after(now) - now) / timedelta(seconds=1)) for period in periods]
    return Wanted(
        session=lifetime == "session",
        max_age=min(seconds) if seconds else None,
        secure=duties.get("secure") == "true" and scope.get("scheme") == "https",
        http_only=duties.get("http-only") == "true",
        same_site=duties.get("same-site"),
        host_only=duties.get("domain") == "own",
    )


def _kept_for(judging: Judging, entry: CookieEntry) -> list[Period]:
    """Return the periods that the cookie's own row and its purposes set."""
    view = CookieView(judging.site.engine.tables, judging.x, _plain(entry))
    rows = [row.keep for row in view.rows()] + [view.row.keep if view.row else None]
    return [keep.period for keep in rows if keep is not None and keep.period is not None]


def expiries(judging: Judging, jar: Jar, scope: Scope) -> list[bytes]:
    """Return headers that delete cookies which came in although their consent was refused, within the budget."""
    if not judging.head.refuses or not jar.pieces:
        return []
    secure = scope.get("scheme") == "https"
    values: list[bytes] = []
    for raw in sorted({name for name, _ in jar.pieces}):
        entry = judging.head.inbound[raw]
        if entry.drop and raw != _NEVER_EXPIRED:
            values += entry.expiries[secure]
    if not values:
        return []
    judging.depends = True
    taken, _ = set_cookie.within_budget(values)
    return taken


# headers ---------------------------------------------------------------------------------------------------------


def _page(judging: Judging, headers: HeaderList, sent: Sent) -> HeaderList:
    """Judge an HTML page by its head, and by its marks where it was read; hold back third parties by a CSP."""
    judging.x.page = Page(shows=judging.shown)
    judging.close_page(sent)
    policy, depends = judging.head.content_policy(judging.x)
    judging.depends = judging.depends or depends
    return headers if policy is None else pairs.appended_csp(headers, policy)


def _amended(judging: Judging, headers: HeaderList, *, page: bool) -> HeaderList:
    """Carry out the header duties whose rules amend."""
    if not judging.depends:
        duties = judging.head.headers_by_consent(page=page)
        judging.depends = any(_carried_out(judging, headers, duty) is not headers for duty in duties)
    if judging.duties:
        headers = [*headers, *(pair for duty in judging.duties for pair in duty.headers)]
    closing = judging.closing.findings if judging.closing is not None else ()
    for finding in (*closing, *(finding for finding, _, _ in judging.reasons)):
        if finding.action is not Action.AMEND or finding.dry or finding.thing not in (Thing.EXCHANGE, Thing.PAGE):
            continue
        for duty in judging.site.headers[finding.rule]:
            headers = _carried_out(judging, headers, duty)
    return headers


def _carried_out(judging: Judging, headers: HeaderList, duty: Header) -> HeaderList:
    """Return headers that have one of the values wanted: the same list where they do, else with the first of them."""
    view = ExchangeView(judging.site.engine.tables, judging.x)
    name = duty.name.encode()
    values = [value.encode() for value in (header_value(view, duty.name, one) for one in duty.values) if value]
    if not values or any(pairs.meets(headers, name, value) for value in values):
        return headers
    return pairs.ensured(headers, name, values[0])
