"""The request side: people, fields of head and body, and what the app gets to see of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from troth._types import HeaderList, Scope
from troth.asgi.bodies import Read
from troth.asgi.denial import wants_html as wants_page
from troth.asgi.judging import Judging, denying, masks, takes_away
from troth.asgi.request import read, values
from troth.engines.embedded import CompiledRule
from troth.errors import HookError
from troth.filters import caching, query, referrer
from troth.filters.cookies import Jar, value_of
from troth.filters.headers import readable_encodings, replaced, without
from troth.filters.probes import Known, probe_cookie
from troth.filters.splicing import Edit
from troth.model.binding import Source
from troth.model.facts import PENDING, UNREADABLE, Actor, Cookie, Direction, Field
from troth.model.findings import Finding
from troth.model.words import UNDECLARED, Action, Carrier, Thing
from troth.runtime.heads import OWN_COOKIE, CookieEntry
from troth.runtime.hooks import Hook
from troth.runtime.line import Reason
from troth.runtime.people import People

_NEVER_FIELDS: Final = frozenset((b"cookie", b"host", b"content-length", b"content-type", b"transfer-encoding"))
_IN_BODY: Final = "body"

# people ----------------------------------------------------------------------------------------------------------


def _people(judging: Judging) -> People:
    return judging.runtime.people[id(judging.site)]


async def people_before(judging: Judging, scope: Scope) -> None:
    """Ask who asks, where the binding can tell before the app; read the addressed subject that the head names.

    What is told before the app counts from then on, so that a refusal comes before the app has done anything.
    """
    people, x = _people(judging), judging.x
    if people.before is not None:
        x.actor_before, known = await people.actor(people.before, scope, x.now)
        x.actor = x.actor_before
        _know(judging, known)
    if people.region is not None:
        x.region = await _region(people.region, scope)
    if x.subject is PENDING and not _in_body(x.route.subject if x.route else None):
        await people_in_request(judging, scope)


async def _region(hook: Hook, scope: Scope) -> str | None:
    """Ask where the visitor is; a hook that fails leaves it unknown."""
    try:
        told = await hook.call(scope)
    except HookError:
        return None
    return told.strip().upper() if isinstance(told, str) and told.strip() else None


async def people_after(judging: Judging, scope: Scope) -> None:
    """Ask who asked, once the app has answered: where nobody was asked before, or nobody was there (a login).

    A hook that fails leaves the actor unreadable.
    """
    people, x = _people(judging), judging.x
    if people.after is None or isinstance(x.actor, Actor) or x.actor is UNREADABLE:
        return
    actor, known = await people.actor(people.after, scope, x.now)
    if actor is None and x.actor is None:
        return
    nobody_before = x.actor is None
    x.actor = actor
    _know(judging, known)
    if nobody_before:
        judging.signed_in()
    else:
        judging.again()


def _know(judging: Judging, known: Mapping[str, Any]) -> None:
    """Keep what the app knows of the actor, for the probe that looks for it; it never leaves the filter."""
    rows = judging.site.policy.data
    wanted = {
        category: [str(one) for one in (value if isinstance(value, list | tuple) else [value]) if one is not None]
        for category, value in known.items()
        if category in rows and "known" in rows[category].probes
    }
    if wanted:
        judging.known = Known(wanted)


async def people_in_request(judging: Judging, scope: Scope, body: Read | None = None) -> None:
    """Resolve the addressed subject. One that the binding promises and the request lacks is unreadable."""
    x = judging.x
    if x.subject is not PENDING or x.route is None or x.route.subject is None:
        return
    source = x.route.subject
    try:
        given = await _subject_id(judging, source, scope, body)
    except HookError:
        given = None
    if not given:
        x.subject = UNREADABLE
    else:
        x.subject = (await _people(judging).persons([given], x.now))[0]


async def _subject_id(judging: Judging, source: Source, scope: Scope, body: Read | None) -> str | None:
    value = body.value(source.name) if source.place == _IN_BODY and body else read(source, scope, judging.params)
    if source.hook is None:
        return value
    told = await _people(judging).resolvers[source.hook].call(value if source.place else scope)
    return None if told is None else str(told)


def _in_body(source: object) -> bool:
    return isinstance(source, Source) and source.place == _IN_BODY


def reads_body(judging: Judging) -> bool:
    """Whether the binding reads a value of this route from the request body."""
    route = judging.x.route
    return route is not None and (_in_body(route.subject) or waits_for_body(judging))


def waits_for_body(judging: Judging) -> bool:
    """Whether the body says what the exchange is for, who takes part or what it is about: no rule knows that before."""
    route = judging.x.route
    return route is not None and any(map(_in_body, (route.purpose, route.party, route.topic)))


def waits_for_age(judging: Judging, scope: Scope, headers: HeaderList) -> bool:
    """Whether what becomes of a field of the head may hang on an age that stands in the body."""
    if not judging.site.engine.age_decides_fields:
        return False
    table = judging.site.tagging(judging.x.route).headers
    return bool(scope.get("query_string") or judging.params or any(table[name] for name, _ in headers))


# fields of the head ----------------------------------------------------------------------------------------------


def whole_head(judging: Judging, scope: Scope, headers: HeaderList) -> None:
    """Read the ages of the head, then report its fields, where none of them waits for a body."""
    tagging = judging.site.tagging(judging.x.route)
    found = list(_in_address(judging, tagging, scope))
    if tagging.with_age:
        _read_ages(judging, tagging, found)
    _report_all(judging, tagging, found, scope, headers)


def head_ages(judging: Judging, scope: Scope) -> None:
    """Read the ages that query and path state: before any field is judged, wherever it stands."""
    tagging = judging.site.tagging(judging.x.route)
    if tagging.with_age:
        _read_ages(judging, tagging, _in_address(judging, tagging, scope))


def head_fields(judging: Judging, scope: Scope, headers: HeaderList) -> None:
    """Report fields of query, path and headers, and note what has to go from them."""
    tagging = judging.site.tagging(judging.x.route)
    _report_all(judging, tagging, _in_address(judging, tagging, scope), scope, headers)


def _read_ages(judging: Judging, tagging: Any, found: Iterable[Stated]) -> None:
    for _, _, category, name, value, _ in found:
        _age_of(judging, tagging, name, category, value)
    if judging.x.ages:
        judging.again()


def _report_all(judging: Judging, tagging: Any, found: Iterable[Stated], scope: Scope, headers: HeaderList) -> None:
    for carrier, shown, category, _, _, place in found:
        _report(judging, carrier, shown, category, place)
    _selected(judging, tagging, scope)
    table = tagging.headers
    for at in [at for at, pair in enumerate(headers) if table[pair[0]]]:
        header, sent = headers[at]
        if header in _NEVER_FIELDS or (header == referrer.HEADER and not _tells_more(judging, sent)):
            continue
        for category in table[header]:
            _report(judging, Carrier.HEADER, header.decode("latin-1"), category, ("header", (at, sent)))


def _in_address(judging: Judging, tagging: Any, scope: Scope) -> Iterator[Stated]:
    yield from _query_fields(judging, tagging, scope.get("query_string", b""))
    for name, value in judging.params.items():
        for category in tagging.names.of(name):
            yield Carrier.PATH, name, category, name, value, None


def _tells_more(judging: Judging, value: bytes) -> bool:
    """Whether a `Referer` is a field at all: of another site, and more than that site's name."""
    host, site = judging.x.host, judging.site
    return referrer.tells_more(value, lambda other: other == host or site.is_own_host(other))


Stated = tuple[Carrier, str, str, str, str, tuple[str, Any] | None]
"""A field of the head: where it stands, the name that may be shown, category, name, value, and how to take it out."""


def _query_fields(judging: Judging, tagging: Any, raw: bytes) -> Iterator[Stated]:
    if not raw:
        return
    pairs = query.split(raw)
    found = query.tag(pairs, tagging.names, probes=tagging.probes, known=judging.known, undeclared=tagging.undeclared)
    for field in found:
        name = pairs[field.at].name
        for category in field.categories or (UNDECLARED,):
            yield Carrier.QUERY, field.shown, category, name, pairs[field.at].value, ("query", name)


def _selected(judging: Judging, tagging: Any, scope: Scope) -> None:
    """Report the fields that a request asks for by name, as the binding's `selects` says: they count as seen."""
    route = judging.x.route
    if route is None or route.selects is None:
        return
    given = ",".join(values(route.selects, scope, judging.params))
    for name in filter(None, map(str.strip, given.split(","))):
        for category in tagging.names.of(name):
            field = Field(category=category, carrier=Carrier.JSON, direction=Direction.RESPONSE, name=category)
            judging.field(field, 0)


def _age_of(judging: Judging, tagging: Any, name: str, category: str, value: str) -> None:
    age = tagging.age(name, category, value, judging.x.now)
    if age is not None:
        judging.x.ages = (*judging.x.ages, age)


def _report(judging: Judging, carrier: Carrier, name: str, category: str, place: tuple[str, Any] | None) -> None:
    """Report one field of the head; what goes is noted, what cannot go makes a denial."""
    found = judging.field(Field(category=category, carrier=carrier, direction=Direction.REQUEST, name=name))
    if not (takes_away(found) or masks(found)):
        return
    if place is None:
        judging.found([denying(finding) for finding in found if not finding.dry], category)
    elif place[0] == "query":
        judging.edits.query.add(place[1])
    else:
        _out_of_headers(judging, name, place[1], masked=not takes_away(found))


def _out_of_headers(judging: Judging, name: str, place: tuple[int, bytes], *, masked: bool) -> None:
    """Note what becomes of a header: the mask of a `Referer` is its site; others have no form to keep and go."""
    at, value = place
    site = referrer.site_of(value) if masked and name.encode() == referrer.HEADER else b""
    if site and at not in judging.edits.headers:
        judging.edits.masked[at] = site
    else:
        judging.edits.headers.add(at)
        judging.edits.masked.pop(at, None)


# body ------------------------------------------------------------------------------------------------------------


def report_fields(judging: Judging, fields: Iterable[tuple[Field, int, object]]) -> dict[object, Edit]:
    """Report the fields of a body; returns the edits that follow."""
    edits: dict[object, Edit] = {}
    for field, n, key in fields:
        found = judging.field(field, n)
        if takes_away(found):
            edits[key] = Edit.REMOVE
        elif masks(found):
            edits[key] = Edit.MASK
    return edits


def guards_of(judging: Judging, kind: str, direction: Direction) -> list[Reason]:
    """Return the rules that an unreadable body would have had to pass, each as the reason of the refusal."""
    residual = judging.head.residual
    carrier = Carrier(kind)
    found: dict[str, Reason] = {}
    for category in judging.site.engine.categories_on(judging.x.route):
        verdict = residual.field(category, carrier, direction)
        for finding in verdict.findings:
            if not finding.dry and finding.action is not Action.ALERT:
                found.setdefault(finding.rule, (denying(finding), None, None))
        for rule in verdict.live:
            if rule.restricts:
                found.setdefault(*_would_deny(rule, Thing.FIELD))
    route = judging.x.route
    bound = route is not None and (route.records if direction is Direction.RESPONSE else route.request_records)
    for rule in judging.site.engine.rules[Thing.RECORD] if bound else ():
        if rule.restricts:
            found.setdefault(*_would_deny(rule, Thing.RECORD))
    return list(found.values())


def _would_deny(rule: CompiledRule, thing: Thing) -> tuple[str, Reason]:
    planned = rule.planned.rule
    return planned.id, (Finding(planned.id, thing, None, Action.DENY, False, None, planned.clauses), None, None)


# what the app sees -----------------------------------------------------------------------------------------------


def forwarded(judging: Judging, scope: Scope, jar: Jar, headers: HeaderList, *, validated: bool = False) -> Scope:
    """Return the scope that the app is given: the very same object if nothing goes."""
    kept = _cookies(judging, jar)
    changed = headers if kept is jar.headers else _with_cookies(headers, jar.headers, kept)
    edits = judging.edits
    query_string = scope.get("query_string", b"")
    if edits:
        gone = [jar.headers[at] for at in edits.headers]
        changed = [pair for pair in changed if pair not in gone] if gone else changed
        masked = {jar.headers[at]: (jar.headers[at][0], value) for at, value in edits.masked.items()}
        changed = [masked.get(pair, pair) for pair in changed] if masked else changed
        query_string = query.remove_names(query_string, edits.query) if edits.query else query_string
    if validated and (caching.holds_marks(headers) or (judging.head.varies and wants_page(headers))):
        changed = caching.own_validators(changed, judging.head.consent_tag)
    if judging.head.reads_bodies and scope["type"] == "http":
        changed = readable_encodings(changed)
    if changed is jar.headers and not edits:
        return _without_bypass(judging, scope)
    return _without_bypass(judging, {**scope, "headers": changed, "query_string": query_string})


def _with_cookies(headers: HeaderList, before: HeaderList, kept: HeaderList) -> HeaderList:
    """Put filtered cookies into headers that were changed otherwise as well (the length of an edited body)."""
    if headers is before:
        return kept
    return [pair for pair in headers if pair[0] != b"cookie"] + [pair for pair in kept if pair[0] == b"cookie"]


def _without_bypass(judging: Judging, scope: Scope) -> Scope:
    """Withdraw extensions that would carry a body past a filter that is needed."""
    extensions = scope.get("extensions")
    if not extensions or not judging.head.reads_bodies:
        return scope
    bypassing = {"http.response.pathsend", "http.response.zerocopysend"} & set(extensions)
    if not bypassing:
        return scope
    kept = {name: value for name, value in extensions.items() if name not in bypassing}
    return {**scope, "extensions": kept}


def _cookies(judging: Judging, jar: Jar) -> HeaderList:
    """Judge the inbound cookies; returns the headers without those that are withheld."""
    table, known = judging.head.inbound, judging.site.values
    gone: list[tuple[bytes, bytes]] = []
    for cookie in jar.pieces:
        entry = table[cookie[0]]
        if entry.drop and not entry.denies and not judging.observed:
            judging.cookies_in.append(entry)
            gone.append(cookie)
        elif entry.live or entry.denies or judging.observed or (entry.reads_value and not known.quiet(cookie[1])):
            if _looked_at(judging, entry, cookie[1]):
                gone.append(cookie)
        elif not entry.silent:
            judging.cookies_in.append(entry)
    return jar.dropping(gone) if gone else jar.headers


def _looked_at(judging: Judging, entry: CookieEntry, piece: bytes) -> bool:
    """Judge one cookie by its value and everything else; whether it goes."""
    if entry is OWN_COOKIE:
        return False
    data = frozenset[str]()
    if entry.reads_value and (judging.known or not judging.site.values.quiet(piece)):
        data = probe_cookie(judging.site.cookie_probes, value_of(piece), judging.known)
    cookie = Cookie(name=entry.name, direction=Direction.REQUEST, row=entry.row, data=data)
    return takes_away(judging.cookie(entry, cookie))


def resized(headers: HeaderList, length: int) -> HeaderList:
    """Return request headers for an edited body, which is plain whatever it came as."""
    return replaced(without(headers, b"content-encoding", b"transfer-encoding"), b"content-length", b"%d" % length)


__all__ = [
    "forwarded", "guards_of", "head_ages", "head_fields", "people_after", "people_before", "people_in_request",
    "reads_body", "report_fields", "resized", "waits_for_age", "waits_for_body", "whole_head",
]  # fmt: skip
