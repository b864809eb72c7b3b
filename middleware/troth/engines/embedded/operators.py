"""Plan operators to closures: ``judge(view) -> truth``. One entry in `_BUILDERS` per operator of the plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from datetime import UTC, datetime
from typing import Any

from troth.engines.embedded import data, duties
from troth.engines.embedded.people import (
    Judge,
    actor_operator,
    consent_operator,
    missing,
    refer,
    state_operator,
    under_operator,
    verified_operator,
)
from troth.engines.embedded.truth import ABSENT as A
from troth.engines.embedded.truth import ALL, ANY, FALSE, NOT, OPEN, TRUE, known
from troth.engines.embedded.views import CookieView, ElementView, ExchangeView, RecordView, View
from troth.model.facts import Direction, Missing
from troth.model.period import Period
from troth.model.words import Phase
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


def _consent(word: str) -> Callable[..., Judge]:
    return lambda tables, name, params, form: consent_operator(tables, word, name, params, form)


_BUILDERS: dict[str, Callable[..., Judge]] = {
    **data.OPERATORS,
    **duties.OPERATORS,
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
    "consent": _consent("consent"),
    "refused": _consent("refused"),
    "state": lambda _tables, name, params: state_operator(name, params),
    "under": lambda _tables, years: under_operator(years),
    "actor": lambda _tables, classes: actor_operator(classes),
    "verified": lambda _tables, within: verified_operator(within),
    "attested": _attested,
    "https": _https,
    "shows": _shows,
    "keep": _keep,
}
"""Every operator of the plan."""
