"""Plan operators to closures: ``judge(view) -> truth``. One entry in `_BUILDERS` per operator of the plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from troth.engines.embedded.people import (
    Judge,
    actor_operator,
    consent_operator,
    counts,
    exchange_data,
    missing,
    refer,
    spread,
    state_operator,
    under_operator,
    verified_operator,
)
from troth.engines.embedded.truth import ABSENT as A
from troth.engines.embedded.truth import ALL, ANY, FALSE, NOT, OPEN, TRUE, UNREADABLE, known
from troth.engines.embedded.views import (
    CookieView,
    ElementView,
    EventView,
    ExchangeView,
    FieldView,
    RecordView,
    Values,
    View,
    places_of,
)
from troth.model.facts import Actor, Direction, Missing, Person
from troth.model.period import Period
from troth.model.words import NONE, OWN, PROTECTED_TAGS, Carrier, Phase
from troth.plan.compile import Op
from troth.plan.tables import Tables


def build(op: Op, tables: Tables) -> Judge:
    """Return the closure of an operator and everything under it."""
    return _BUILDERS[op[0]](tables, *op[1:])


# joining --------------------------------------------------------------------------------------------------------


def _const(_tables: Tables, truth: str) -> Judge:
    value = {"t": TRUE, "f": FALSE, "a": A}[truth]
    return lambda _view: value


def _all(tables: Tables, *ops: Op) -> Judge:
    judges = [build(op, tables) for op in ops]

    def every(view: View) -> int:
        result = TRUE
        for judge in judges:
            result = ALL[result][judge(view)]
            if result == FALSE:
                return FALSE
        return result

    return every


def _any(tables: Tables, *ops: Op) -> Judge:
    judges = [build(op, tables) for op in ops]

    def some(view: View) -> int:
        result = FALSE
        for judge in judges:
            result = ANY[result][judge(view)]
            if result == TRUE:
                return TRUE
        return result

    return some


def _not(tables: Tables, op: Op) -> Judge:
    judge = build(op, tables)
    return lambda view: NOT[judge(view)]


# facts that rows answer -----------------------------------------------------------------------------------------

_FACTS: dict[str, Callable[[View], Any]] = {
    "purpose": lambda view: view.purposes(),
    "basis": lambda view: view.bases(),
    "party": lambda view: view.party_names(),
    "role": lambda view: view.roles(),
    "country": lambda view: view.countries(),
    "region": lambda view: frozenset((view.x.region,)),
}


def _values(word: str) -> Callable[[View], Any]:
    if word in _FACTS:
        return _FACTS[word]
    return lambda view: view.named(word)


def _declared(tables: Tables, word: str, fallback: Op, op: Op) -> Judge:
    values, otherwise, judge = _values(word), build(fallback, tables), build(op, tables)
    return lambda view: otherwise(view) if values(view) is None else judge(view)


def _in(_tables: Tables, word: str, names: frozenset[str]) -> Judge:
    if word == "asked":
        return _asked(lambda view: known(bool(view.named("asked") & names)))
    if word == "carrier":
        return _stands(names)
    values = _values(word)

    def is_in(view: View) -> int:
        found = values(view)
        if found is None:
            return FALSE
        if found & names:
            return TRUE
        return A if None in found else FALSE

    return is_in


def _stands(names: frozenset[str]) -> Judge:
    """Whether something stands on one of these carriers; of an exchange that is open until all of it has come."""

    def stands(view: View) -> int:
        if view.named("carrier") & names:
            return TRUE
        if type(view) is not ExchangeView:
            return FALSE
        coming = not view.sees_fields or view.x.body_pending or view.x.response_pending
        return OPEN if coming else FALSE

    return stands


def _asked(judge: Judge) -> Judge:
    """The user's own act; of a cookie also that it came in, which is open while only its name is known."""

    def asked(view: View) -> int:
        truth = judge(view)
        if truth == TRUE or not isinstance(view, CookieView):
            return truth
        cookie = view.item
        if cookie.direction is Direction.REQUEST or cookie.came_in:
            return TRUE
        return OPEN if cookie.attributes is Missing.PENDING else truth

    return asked


def _by_party(tables: Tables, joint: str, op: Op) -> Judge:
    """Judge a thing of several parties for each of them: one is enough in a match, a way out wants all."""
    judge, table = build(op, tables), ANY if joint == "any" else ALL

    def by_party(view: View) -> int:
        if view.parties is None or len(view.parties) < 2:
            return judge(view)
        result = FALSE if joint == "any" else TRUE
        for party in view.parties:
            one = copy(view)
            one.parties = (party,)
            result = table[result][judge(one)]
        return result

    return by_party


def _unnamed(_tables: Tables, hidden: frozenset[str]) -> Judge:
    """Whether a field is a thing for rules that do not name its carrier or say `undeclared`."""

    def unnamed(view: View) -> int:
        data = view.data()
        seen = view.named("carrier") if isinstance(data, Missing) else data | view.named("carrier")
        return known(not seen & hidden)

    return unnamed


def _is(_tables: Tables, word: str, which: str) -> Judge:
    values = _values(word)

    def status(view: View) -> int:
        found = values(view)
        match which:
            case "undeclared":
                return known(found is None or (word == "region" and None in found))
            case "declared":
                return known(found is not None and (word == "purpose" or bool(found)))
            case "own":
                return known(word == "party" and found is not None and not found)
            case "none":
                return known(found is not None and not found - {"none", None})
            case _:
                return known((word == "party") if found is None else bool(found - {"none", None}))

    return status


def _like(_tables: Tables, word: str, ref: str) -> Judge:
    values = _values(word)

    def like(view: View) -> int:
        found, wanted = values(view), refer(view, ref)
        if isinstance(wanted, Missing):
            return missing(wanted)
        if found is None:
            return FALSE
        if wanted and found & wanted:
            return TRUE
        return A if None in found else FALSE  # a reference without value names nothing

    return _asked(like) if word == "asked" else like


# data -----------------------------------------------------------------------------------------------------------


def _seen(view: View, carriers: tuple[str, ...]) -> frozenset[str]:
    """Categories in a thing, limited to carriers."""
    if not isinstance(view, ExchangeView):
        data = view.data()
        if isinstance(data, Missing) or (carriers and not view.named("carrier") & set(carriers)):
            return frozenset()
        return data
    if not carriers:
        return exchange_data(view)
    found: set[str] = set()
    for field in view.x.fields:
        if counts(field, carriers) and places_of(field) & set(carriers):
            found.add(field.category)
    for record in view.x.records:
        if {record.carrier.value, record.direction.value} & set(carriers):
            found |= record.data
    if view.x.route and Carrier.RESPONSE in carriers:
        found |= set(view.x.route.data)
    return frozenset(found)


_REQUEST_BODY = frozenset(("request", "form", "json", "multipart"))
_RESPONSE = frozenset(("response", "json", "html"))


def _not_seen(view: View, carriers: tuple[str, ...]) -> int:
    """Return what it means that a category has not been seen: false, still open, or hidden in an unreadable body."""
    if not isinstance(view, ExchangeView):
        return missing(Missing.PENDING) if isinstance(view.data(), Missing) else FALSE
    if not view.sees_fields:
        return OPEN
    request = not carriers or bool(_REQUEST_BODY & set(carriers))
    response = not carriers or bool(_RESPONSE & set(carriers))
    if (request and view.x.body_pending) or (response and view.x.response_pending):
        return OPEN
    if (request and view.x.request_unreadable) or (response and view.x.response_unreadable):
        return UNREADABLE
    return FALSE


def _data(_tables: Tables, names: frozenset[str], carriers: tuple[str, ...]) -> Judge:
    def data(view: View) -> int:
        seen = _seen(view, carriers)
        if seen & names or ("any" in names and seen):
            return TRUE
        unseen = _not_seen(view, carriers)
        return TRUE if "none" in names and not seen and unseen != OPEN else unseen

    return data


def _data_of(tables: Tables, ref: str, carriers: tuple[str, ...]) -> Judge:
    if ref == "party":
        return _data_of_party(tables, carriers)

    def of_purpose(view: View) -> int:
        purposes = view.purposes()
        if purposes is None or "none" in purposes:
            return FALSE
        seen = _seen(view, carriers)
        if all(seen & tables.row_data[name] for name in purposes):
            return TRUE
        return _not_seen(view, carriers)

    return of_purpose if ref == "purpose" else _data_like(ref, carriers)


def _data_of_party(tables: Tables, carriers: tuple[str, ...]) -> Judge:
    def of_party(view: View) -> int:
        if not view.parties:
            return FALSE
        seen = _seen(view, carriers)
        if any(seen & tables.party_data[party.id] for party in view.parties):
            return TRUE
        return _not_seen(view, carriers)

    return of_party


def _data_like(ref: str, carriers: tuple[str, ...]) -> Judge:
    def like(view: View) -> int:
        wanted = refer(view, ref)
        if isinstance(wanted, Missing):
            return missing(wanted)
        return TRUE if wanted and _seen(view, carriers) & wanted else _not_seen(view, carriers)

    return like


def _complete(tables: Tables, wanted: tuple[Any, ...], carriers: tuple[str, ...]) -> Judge:
    def complete(view: View) -> int:
        seen = _seen(view, carriers)
        groups: list[frozenset[str]] = []
        for name in wanted:
            if isinstance(name, frozenset):
                groups.append(name)
                continue
            purposes = view.purposes()
            if purposes is None or "none" in purposes:
                return FALSE
            groups += [
                frozenset({category}) | tables.categories((category,))
                for purpose in sorted(purposes)
                for category in tables.policy.purposes[purpose].data
            ]
        return TRUE if all(group & seen for group in groups) else _not_seen(view, carriers)

    return complete


# the exchange ---------------------------------------------------------------------------------------------------


def _attested(tables: Tables, what: str, about: str | None) -> Judge:
    def attested(view: View) -> int:
        valid = {(a.what, a.about) for a in tables.policy.attestations if _valid(a.dated, a.expires, view.x.now)}
        valid |= view.x.attested
        if about is None:
            return known(any(kind == what for kind, _ in valid))
        if not about.startswith("of-"):
            return known((what, about) in valid)
        wanted = refer(view, about[3:])
        if isinstance(wanted, Missing):
            return missing(wanted) if wanted is Missing.PENDING else FALSE
        return known(bool(wanted) and all((what, one) in valid for one in wanted or ()))

    return attested


def _valid(dated: Any, expires: Any, now: datetime) -> bool:
    today = now.astimezone(UTC).date()
    return (dated is None or dated <= today) and (expires is None or expires > today)


def _https(_tables: Tables, wanted: bool) -> Judge:
    def https(view: View) -> int:
        secure = view.item.secure if isinstance(view, ElementView) and view.item.secure is not None else view.x.https
        return known(secure == wanted)

    return https


def _aggregate(tables: Tables, minimum: int) -> Judge:
    def aggregate(view: View) -> int:
        if isinstance(view, RecordView):
            record = view.item
            if record.subject is Missing.PENDING:
                return OPEN
            if isinstance(record.subject, Person) or record.subject is Missing.UNREADABLE:
                return FALSE
            if record.data & tables.personal:
                return FALSE
            return known(all(count >= minimum for count in record.counts)) if record.counts else A
        if not isinstance(view, ExchangeView):
            return FALSE
        if view.has_records:
            return OPEN
        if _seen(view, ("response",)) & tables.personal:
            return FALSE
        return OPEN if view.x.response_pending else A

    return aggregate


def _shows(_tables: Tables, marks: tuple[str, ...]) -> Judge:
    wanted = frozenset(marks)

    def shows(view: View) -> int:
        if isinstance(view, ElementView):
            return known(wanted <= view.item.shows)
        page = view.x.page
        if page is None:
            return OPEN if view.x.phase < Phase.RESPONSE_BODY else A
        return missing(page.shows) if isinstance(page.shows, Missing) else known(wanted <= page.shows)

    return shows


def _keep(tables: Tables, limit: Period | None) -> Judge:
    def keep(view: View) -> int:
        if isinstance(view, CookieView):
            return _cookie_keep(view, limit)
        if isinstance(view, RecordView):
            return _record_keep(view, limit)
        return OPEN if isinstance(view, ExchangeView) and view.has_records else TRUE

    return keep


def _cookie_keep(view: CookieView, limit: Period | None) -> int:
    cookie, now = view.item, view.x.now
    if cookie.direction is Direction.REQUEST or cookie.lifetime is None:
        return TRUE
    if isinstance(cookie.lifetime, Missing):
        return missing(cookie.lifetime)
    limits: list[Period | None] = [row.keep.period for row in view.rows() if row.keep] if limit is None else [limit]
    if limit is None and view.row is not None and view.row.keep is not None:
        limits.append(view.row.keep.period)
    lasting = cookie.lifetime
    return known(all(now + lasting <= period.after(now) for period in limits if period is not None))


def _record_keep(view: RecordView, limit: Period | None) -> int:
    rows = [row.keep for row in view.rows() if row.keep]
    ended = _ended(view, [keep.until for keep in rows if keep.until]) if limit is None else TRUE
    periods = [keep.period for keep in rows if keep.period] if limit is None else [limit]
    if not periods:
        return ended
    since = view.item.since
    if isinstance(since, Missing) or since is None:
        return ALL[ended][missing(since or Missing.ABSENT)]
    return ALL[ended][known(all(period.after(since) >= view.x.now for period in periods))]


def _ended(view: View, states: Iterable[str]) -> int:
    """Return false once the subject is in a state that ends the keeping."""
    result = TRUE
    for name in states:
        there = state_operator(name, ())(view)
        result = ALL[result][TRUE if there == A else NOT[there]]
    return result


# duties ---------------------------------------------------------------------------------------------------------

_CLOSED = frozenset(("401", "402", "403", "404", "451"))


def _status(tables: Tables, wanted: tuple[str, ...]) -> Judge:
    def status(view: View) -> int:
        given = view.x.status
        if given is None:
            return OPEN if view.x.phase < Phase.RESPONSE_START else A
        code = str(given)
        if code[0] == "3" and "open" in wanted and isinstance(view.x.headers, Missing):
            return OPEN
        hits = [code == one or (one.endswith("xx") and code[0] == one[0]) for one in wanted if one != "open"]
        return known(any(hits) or ("open" in wanted and _is_open(tables, view, code)))

    return status


def _is_open(tables: Tables, view: View, code: str) -> bool:
    route = view.x.route
    asked = route is None or "public" in route.audience or view.x.own_route or set(route.tags) & PROTECTED_TAGS
    if not asked and not is_protected(view):
        return True
    if code in _CLOSED:
        return False
    targets = () if isinstance(view.x.headers, Missing) else view.x.headers.get("location", ())
    walls = tables.binding.walls
    return not (code[0] == "3" and any(urlsplit(target).path in walls for target in targets))


def is_protected(view: View) -> bool:
    """Whether the exchange is protected, as far as is known now (judging, section 10)."""
    route = view.x.route
    if view.x.own_route is not None:
        return True
    if route is None:
        return False
    if set(route.tags) & PROTECTED_TAGS:
        return True
    return bool({"access", "export"} & set(route.tags)) and view.fits_subject() is True


def is_of_another(view: View) -> bool:
    """Whether this is a record of somebody else, or a part of one, on a copy that is protected for who asks alone."""
    x = view.x
    if x.own_route is not None or x.route is None or set(x.route.tags) & PROTECTED_TAGS:
        return False
    if not isinstance(view, RecordView) and not (isinstance(view, FieldView) and view.item.record is not None):
        return False
    owner = view.subject()
    return isinstance(owner, Person) and isinstance(x.actor, Actor) and owner.id != x.actor.person.id


_DIRECTIVES = frozenset(("cache-control", "strict-transport-security", "content-security-policy", "permissions-policy"))


def header_meets(name: str, sent: tuple[str, ...], wanted: str) -> bool:
    """Whether header values that were sent meet a wanted one: further directives and parameters do not matter."""
    if name not in _DIRECTIVES:
        plain = wanted.partition(";")[0].strip().lower()
        return any(value.partition(";")[0].strip().lower() == plain for value in sent)
    separator = ";" if name in ("strict-transport-security", "content-security-policy") else ","
    given = [part for value in sent for part in _directives(value, separator)]
    return all(_directive_met(part, given) for part in _directives(wanted, separator))


def _directives(value: str, separator: str) -> list[str]:
    return [" ".join(part.split()).lower() for part in value.split(separator) if part.strip()]


def _directive_met(wanted: str, given: list[str]) -> bool:
    if wanted in given:
        return True
    name, equals, number = wanted.partition("=")
    if name != "max-age" or not equals or not number.isdigit():
        return False
    ages = [one.partition("=")[2].strip('"') for one in given if one.startswith("max-age=")]
    return any(age.isdigit() and int(age) >= int(number) for age in ages)


def _header(_tables: Tables, name: str, values: tuple[str, ...]) -> Judge:
    def header(view: View) -> int:
        headers = view.x.headers
        if view.x.phase < Phase.RESPONSE_START or isinstance(headers, Missing):
            return OPEN
        sent = headers.get(name)
        if not sent:
            return known(NONE in values)
        wanted = [header_value(view, name, value) for value in values if value != NONE]
        return known(any(one is not None and header_meets(name, sent, one) for one in wanted))

    return header


def header_value(view: View, name: str, value: str) -> str | None:
    """Return a wanted header value with ``of-version`` filled in."""
    if value != "of-version":
        return value
    return view.x.coming if name == "policy-next" else view.x.version


def _attribute(_tables: Tables, name: str, value: str) -> Judge:
    period = Period.parse(value) if name == "lifetime" and value != "session" else None

    def attribute(view: View) -> int:
        if isinstance(view, ElementView):
            return known(view.item.attributes.get(name, "false") == value)
        if not isinstance(view, CookieView):
            return FALSE
        cookie = view.item
        if cookie.direction is Direction.REQUEST:
            return TRUE
        if isinstance(cookie.attributes, Missing) or isinstance(cookie.lifetime, Missing):
            return OPEN
        if name == "lifetime":
            lasting, now = cookie.lifetime, view.x.now
            return known(lasting is None or (period is not None and now + lasting <= period.after(now)))
        default = {"domain": OWN, "secure": "false", "http-only": "false"}.get(name, "")
        return known(cookie.attributes.get(name, default) == value)

    return attribute


def _followed_by(_tables: Tables, event: str, within: Period) -> Judge:
    def followed_by(view: View) -> int:
        if not isinstance(view, EventView):
            return FALSE
        due = within.after(view.item.at or view.x.now)
        if any(name == event and at <= due for name, at in view.item.later):
            return TRUE
        return known(view.x.now < due)

    return followed_by


def _at_most(_tables: Tables, count: int, per: str, within: Period) -> Judge:
    def at_most(view: View) -> int:
        if not isinstance(view, EventView):
            return FALSE
        since = within.before(view.x.now)
        return known(sum(1 for at in view.item.recent.get(per, ()) if at > since) <= count)

    return at_most


def _consent(word: str) -> Callable[..., Judge]:
    return lambda tables, name, params, form: consent_operator(tables, word, name, params, form)


_BUILDERS: dict[str, Callable[..., Judge]] = {
    "const": _const,
    "all": _all,
    "any": _any,
    "not": _not,
    "declared": _declared,
    "in": _in,
    "by-party": _by_party,
    "unnamed": _unnamed,
    "is": _is,
    "like": _like,
    "data": _data,
    "data-of": _data_of,
    "complete": _complete,
    "consent": _consent("consent"),
    "refused": _consent("refused"),
    "state": lambda _tables, name, params: state_operator(name, params),
    "under": lambda _tables, years: under_operator(years),
    "actor": lambda _tables, classes: actor_operator(classes),
    "verified": lambda _tables, within: verified_operator(within),
    "attested": _attested,
    "https": _https,
    "aggregate": _aggregate,
    "shows": _shows,
    "keep": _keep,
    "status": _status,
    "header": _header,
    "attribute": _attribute,
    "followed-by": _followed_by,
    "at-most": _at_most,
}
"""Every operator of the plan."""

__all__ = ["Values", "build", "header_meets", "header_value", "is_of_another", "is_protected", "spread"]
