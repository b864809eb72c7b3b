"""The rows of `policy.yaml`: one shape for each kind, read into the values of the model."""

from __future__ import annotations

from typing import Any

from troth.model.period import Period
from troth.model.policy import (
    ConsentRow,
    CookieRow,
    DataRow,
    HostRow,
    KeepRow,
    Mark,
    Party,
    Purpose,
    Signal,
    SignalRule,
    StateRow,
    Version,
)
from troth.model.words import PERSONAL_DATA, Thing
from troth.rules import scalars
from troth.rules.nodes import Node
from troth.rules.reader import Kind, Reader
from troth.rules.scalars import BOOL, CLAUSE_ID, COOKIE_PATTERN, COUNTRY, DATE, HOST, NAME, PERIOD, TEXT, WORD
from troth.rules.shapes import ByKind, ListOf, Made, Many, OneOf, Record, Ref, Row, Shape, Table

BASES = ("consent", "contract", "law", "legitimate-interest", "vital-interest", "public-task")
PROBES = ("email", "phone", "ip", "luhn", "age", "known", "pattern")
BUILT_IN_EVENTS = ("consent-recorded", "denied", "policy-activated")
SIGNS = ("text", "link", "control", "date", "notice", "script", "near", "once")
_THINGS = tuple(Thing)

CLAUSES = Many(Ref(Kind.CLAUSE))
DATA_NAMES = Many(Ref(Kind.DATA, (PERSONAL_DATA,)), may_be_empty=True)
PURPOSES = Many(Ref(Kind.PURPOSE))
_LIST = OneOf(("closed", "open"), "`closed` or `open`")


def _named(what: str, keys: dict[str, Shape[Any]], docs: str) -> Record:
    return Record(what, {"clause": CLAUSES, **keys}, docs=docs)


# keep ---------------------------------------------------------------------------------------------------------------

_UNTIL = Record("an end of keeping", {"until": Ref(Kind.STATE)}, ("until",))
_SET: ByKind[Period | str] = ByKind(
    "a period or `until: STATE`", scalar=PERIOD, mapping=Made(_UNTIL, lambda row: str(row["until"]))
)


def _keep(row: Row) -> KeepRow:
    limit = row.get("set")
    return KeepRow(
        stated=row.get("stated"), attested=row.get("attested"),
        period=limit if isinstance(limit, Period) else None, until=limit if isinstance(limit, str) else None,
    )  # fmt: skip


class _PeriodAlone:
    """`keep: P14D` is short for `keep: {set: P14D}`."""

    def read(self, node: Node, reader: Reader) -> KeepRow | None:
        period = PERIOD.read(node, reader)
        return None if period is None else KeepRow(period=period)

    def schema(self) -> dict[str, Any]:
        return PERIOD.schema()


KEEP: ByKind[KeepRow] = ByKind(
    "a period, or a map of `stated` and `set`",
    scalar=_PeriodAlone(),
    mapping=Made(Record("`keep`", {"stated": TEXT, "set": _SET, "attested": WORD}), _keep),
)

# data ---------------------------------------------------------------------------------------------------------------


class _Members:
    """`umbrella: [a, b]` names the categories under this one; `umbrella: x` puts this one under x."""

    def read(self, node: Node, reader: Reader) -> tuple[str, tuple[str, ...]] | None:
        names = Many(Ref(Kind.DATA, (PERSONAL_DATA,))).read(node, reader)
        if names is None:
            return None
        return ("under" if hasattr(node, "text") else "over", names)

    def schema(self) -> dict[str, Any]:
        return DATA_NAMES.schema()


DATA = _named("a category of data", {
    "fideslang": WORD, "fields": Many(TEXT), "probe": Many(OneOf(PROBES, "a probe", "words probes")),
    "pattern": TEXT, "strong": BOOL, "personal": BOOL, "umbrella": _Members(), "list": _LIST, "connection": BOOL,
}, "grammar data")  # fmt: skip


def data_rows(table: dict[str, Row]) -> dict[str, DataRow]:
    """Return the categories; a member that an umbrella names needs no row of its own."""
    members: dict[str, list[str]] = {}
    for name, row in table.items():
        way, names = row.get("umbrella", ("over", ()))
        for other in names:
            over, under = (name, other) if way == "over" else (other, name)
            members.setdefault(over, []).append(under)
    named = dict.fromkeys([*table, *(one for under in members.values() for one in under)])
    return {name: _data_row(name, table.get(name, {}), members.get(name, [])) for name in named}


def _data_row(name: str, row: Row, members: list[str]) -> DataRow:
    return DataRow(
        id=name, clauses=row.get("clause", ()), fideslang=row.get("fideslang"), fields=row.get("fields", ()),
        probes=row.get("probe", ()), pattern=row.get("pattern"), strong=row.get("strong", False),
        personal=row.get("personal", True), members=tuple(members), connection=row.get("connection", False),
        closed=row.get("list", "closed") == "closed",
    )  # fmt: skip


# purposes -----------------------------------------------------------------------------------------------------------

PURPOSE = _named("a purpose", {
    "basis": OneOf(BASES, "a legal basis", "rule basis"), "data": DATA_NAMES, "keep": KEEP, "of": Ref(Kind.PURPOSE),
    "on": Many(OneOf(_THINGS, "a thing")), "consent": Ref(Kind.CONSENT), "since": Ref(Kind.VERSION), "list": _LIST,
}, "grammar purposes")  # fmt: skip


def purposes(table: dict[str, Row]) -> dict[str, Purpose]:
    """Return the purposes; a row that is `of` another inherits what it does not say, and adds to its data."""
    return {name: _purpose(name, _inherited(name, table)) for name in table}


def _inherited(name: str, table: dict[str, Row], seen: tuple[str, ...] = ()) -> Row:
    row = table[name]
    parent = row.get("of")
    if parent is None or parent not in table or parent in (*seen, name):
        return row
    above = _inherited(parent, table, (*seen, name))
    data = tuple(dict.fromkeys([*above.get("data", ()), *row.get("data", ())]))
    kept = {key: value for key, value in above.items() if key not in ("clause", "of")}
    return {**kept, **row, "data": data}


def _purpose(name: str, row: Row) -> Purpose:
    return Purpose(
        id=name, clauses=row.get("clause", ()), basis=row.get("basis"), data=row.get("data", ()), keep=row.get("keep"),
        of=row.get("of"), on=tuple(Thing(one) for one in row.get("on", ())), consent=row.get("consent"),
        since=row.get("since"),
    )  # fmt: skip


# consents and states ------------------------------------------------------------------------------------------------

_SIGNAL = OneOf(tuple(SignalRule), "what a signal means", "grammar consents")
CONSENT = _named("a consent", {
    "holder": Many(OneOf(("device", "person"), "a holder of a consent")), "per": Many(NAME), "form": NAME,
    "lasts": PERIOD, "signals": Record("`signals`", dict.fromkeys(Signal, _SIGNAL)), "lists": Many(NAME),
}, "grammar consents")  # fmt: skip


def consent(name: str, row: Row) -> ConsentRow:
    """Return a consent; a signal that is not mentioned keeps its default, `always`."""
    signals = {Signal.GPC: SignalRule.ALWAYS, Signal.DNT: SignalRule.ALWAYS}
    signals |= {Signal(key): SignalRule(value) for key, value in row.get("signals", {}).items()}
    return ConsentRow(
        id=name, clauses=row.get("clause", ()), holders=row.get("holder", ("device",)), per=row.get("per", ()),
        form=row.get("form"), lasts=row.get("lasts"), signals=signals, lists=row.get("lists", ()),
    )  # fmt: skip


STATE = _named("a state", {"of": OneOf(("person", "device"), "a subject"), "per": Many(NAME)}, "grammar states")


def state(name: str, row: Row) -> StateRow:
    """Return a state."""
    return StateRow(id=name, clauses=row.get("clause", ()), of=row.get("of", "person"), per=row.get("per", ()))


# parties and cookies ------------------------------------------------------------------------------------------------

_HOST_ROW = Made(
    Record("a host", {"host": HOST, "purpose": PURPOSES}, ("host",)),
    lambda row: HostRow(host=row["host"], purposes=row.get("purpose", ())),
)


class _HostAlone:
    """A host without purposes of its own."""

    def read(self, node: Node, reader: Reader) -> HostRow | None:
        host = HOST.read(node, reader)
        return None if host is None else HostRow(host=host)

    def schema(self) -> dict[str, Any]:
        return HOST.schema()


PARTY = _named("a party", {
    "role": Many(NAME), "country": COUNTRY,
    "hosts": Many(ByKind("a host", scalar=_HostAlone(), mapping=_HOST_ROW)), "scripts": Many(TEXT),
    "cookies": Many(COOKIE_PATTERN), "purpose": PURPOSES, "data": DATA_NAMES, "essential-on": Many(NAME),
}, "grammar parties")  # fmt: skip
_PARTY_FIELDS = {"clause": "clauses", "role": "roles", "purpose": "purposes", "essential-on": "essential_on"}


def party(name: str, row: Row) -> Party:
    """Return a party."""
    return Party(id=name, **{_PARTY_FIELDS.get(key, key): value for key, value in row.items()})


COOKIE = _named("a cookie", {
    "purpose": PURPOSES, "keep": KEEP, "holds": NAME, "domains": Many(HOST), "party": Ref(Kind.PARTY),
}, "rule cookie")  # fmt: skip
_COOKIE_FIELDS = {"clause": "clauses", "purpose": "purposes"}


def cookie(pattern: str, row: Row) -> CookieRow:
    """Return a cookie row."""
    return CookieRow(pattern=pattern, **{_COOKIE_FIELDS.get(key, key): value for key, value in row.items()})


# marks, areas, versions, identity -----------------------------------------------------------------------------------


def _day_of_mark(text: str) -> str:
    return text if text == "of-version" else DATE.parse(text).isoformat()


_MARKED_DAY: scalars.Parsed[str] = scalars.Parsed(
    "a date",
    "TR108",
    _day_of_mark,
    {"anyOf": [{"const": "of-version"}, DATE.json]},
    "write `2026-11-22`, or `of-version`",
)
MARK = Record(
    "a mark",
    {
        "clause": CLAUSES, **dict.fromkeys(SIGNS, TEXT), "date": _MARKED_DAY,
        "within": OneOf(("element", "form", "after", "page"), "a span of a mark"),
    },
    docs="rule marks",
    some_of=SIGNS,
)  # fmt: skip


def mark(name: str, row: Row) -> Mark:
    """Return a mark; its signs are looked for together."""
    signs = tuple((sign, row[sign]) for sign in SIGNS if sign in row)
    return Mark(id=name, clauses=row.get("clause", ()), signs=signs, within=row.get("within", "page"))


VERSION = Made(
    Record("a version", {"id": CLAUSE_ID, "updated": DATE, "effective": DATE, "notice": PERIOD}, ("id",)),
    lambda row: Version(**row),
)
IDENTITY = Record(
    "`identity`",
    {"id": NAME, "hosts": Many(HOST), "contacts": Many(TEXT), "controller": TEXT},
    docs="grammar identity",
)
_ORIGIN = _named("an origin", {}, "grammar origins")
_EVENT = _named("an event", {}, "grammar events")

VOCABULARY: dict[str, Shape[Any]] = {
    "identity": IDENTITY,
    "versions": ListOf(VERSION, "a list of versions"),
    "data": Table(NAME, DATA, "a map of categories of data", dict),
    "purposes": Table(NAME, PURPOSE, "a map of purposes", dict),
    "consents": Table(NAME, CONSENT, "a map of consents", dict),
    "parties": Table(NAME, PARTY, "a map of parties", dict),
    "cookies": Table(COOKIE_PATTERN, COOKIE, "a map of cookies", dict),
    "states": Table(NAME, STATE, "a map of states", dict),
    "events": ByKind(
        "a list of events", sequence=ListOf(NAME, "a list of events"), mapping=Table(NAME, _EVENT, "events", dict)
    ),
    "marks": Table(NAME, MARK, "a map of marks"),
    "areas": Table(NAME, Many(scalars.COUNTRY), "a map of areas"),
    "origins": ByKind(
        "a map of origins", sequence=ListOf(NAME, "a list of origins"), mapping=Table(NAME, _ORIGIN, "origins", dict)
    ),
}
POLICY = Record("a policy", VOCABULARY, docs="grammar policy")
