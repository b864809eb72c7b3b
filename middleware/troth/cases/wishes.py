"""What a case expects, read from its file: status, headers, cookies, bodies, what the app saw, reasons."""

from __future__ import annotations

from typing import Any, Final

from troth.cases.plain import ANY_TEXT, ANYTHING, JSON, TEXTS, By, one_or_more, text_of, texts_of, values_by_name
from troth.cases.situation import STATUSES
from troth.cases.values import CookiesWanted, Expect, HeadersWanted, ReasonWanted, SeenWanted, Wanted
from troth.model.words import Action, Thing
from troth.rules.nodes import Mapping, Node, Scalar, Sequence, is_null
from troth.rules.reader import Reader, described
from troth.rules.scalars import BOOL, Int
from troth.rules.shapes import Many, OneOf, Record, Row, Schema, any_of

DOCS: Final = "cases expect"
Named = tuple[tuple[str, tuple[str, ...]], ...]


def _named(node: Node, reader: Reader) -> Named | None:
    """Read names with values: a map (nothing, or ``any``: any value; a list: one of them), a list of names, a name."""
    if isinstance(node, Mapping):
        return tuple((key.text, _values(value, reader)) for key, value in node)
    return tuple((name, ()) for name in texts_of(node, reader) or ())


def _values(node: Node, reader: Reader) -> tuple[str, ...]:
    if is_null(node) or (isinstance(node, Scalar) and node.plain and node.text in ("any", "true")):
        return ()
    return texts_of(node, reader) or ()


def _cookies_named(node: Node, reader: Reader) -> tuple[tuple[str, str | None], ...] | None:
    named = _named(node, reader)
    return None if named is None else tuple((name, values[0] if values else None) for name, values in named)


_NAMED: Final[Schema] = {"anyOf": [values_by_name(TEXTS.schema()), TEXTS.schema()]}
NAMED: By[Named] = By(_named, _NAMED)
COOKIES_NAMED: By[tuple[tuple[str, str | None], ...]] = By(_cookies_named, _NAMED)
_VALUE: Final = JSON

# bodies ----------------------------------------------------------------------------------------------------------

_MEMBERS: Final[dict[str, Any]] = {
    "with": TEXTS, "kept": TEXTS, "without": TEXTS, "removed": TEXTS, "masked": TEXTS, "unchanged": BOOL,
}  # fmt: skip
MEMBERS: Final = Record("what is in a body", {**_MEMBERS, "json": _VALUE, "is": _VALUE}, docs=DOCS)
BODY: Final = Record(
    "what a body holds",
    {**_MEMBERS, "json": _VALUE, "text": ANY_TEXT, "html": ANY_TEXT, "is": _VALUE, "contains": TEXTS, "lacks": TEXTS,
     "empty": BOOL},
    docs=DOCS,
)  # fmt: skip


def _wanted(row: Row) -> Wanted:
    exact = [row[name] for name in ("text", "html") if name in row]
    json = [row[name].value for name in ("json", "is") if name in row]
    return Wanted(
        kept=(*row.get("with", ()), *row.get("kept", ())),
        removed=(*row.get("without", ()), *row.get("removed", ())),
        masked=row.get("masked", ()),
        json=tuple(json),
        exact=tuple(exact),
        contains=row.get("contains", ()),
        lacks=row.get("lacks", ()),
        unchanged=row.get("unchanged"),
        empty=row.get("empty"),
    )


def _body(node: Node, reader: Reader) -> Wanted | None:
    """Read what a body holds; a text alone is the whole of it."""
    if isinstance(node, Scalar):
        return Wanted(unchanged=True) if node.text == "unchanged" else Wanted(exact=(text_of(node, reader) or "",))
    row = BODY.read(node, reader)
    return None if row is None else _wanted(row)


def _members(node: Node, reader: Reader) -> Wanted | None:
    row = MEMBERS.read(node, reader)
    return None if row is None else _wanted(row)


BODY_SHAPE: By[Wanted] = By(_body, lambda: any_of((ANY_TEXT, BODY)))
MEMBERS_SHAPE: By[Wanted] = By(_members, MEMBERS.schema)

# headers and cookies ---------------------------------------------------------------------------------------------

_HEADERS: Final = Record(
    "what headers say",
    {"has": NAMED, "present": NAMED, "not": NAMED, "absent": NAMED, "is": NAMED, "exact": NAMED},
    docs=DOCS,
)


def _headers(node: Node, reader: Reader) -> HeadersWanted | None:
    row = _HEADERS.read(node, reader)
    if row is None:
        return None
    return HeadersWanted(
        has=_lowered(row, "has", "present"), absent=_lowered(row, "not", "absent"), exact=_lowered(row, "is", "exact")
    )


def _lowered(row: Row, *names: str) -> Named:
    return tuple((name.lower(), values) for key in names for name, values in row.get(key, ()))


_COOKIES: Final = Record(
    "what becomes of cookies",
    {
        "set": COOKIES_NAMED, "present": COOKIES_NAMED, "not-set": TEXTS, "absent": TEXTS, "expired": TEXTS,
        "exact": TEXTS, "only": TEXTS, "with": NAMED, "without": NAMED,
    },
    docs=DOCS,
    hints={"not": "write `not-set`"},
)  # fmt: skip


def _cookies(node: Node, reader: Reader) -> CookiesWanted | None:
    row = _COOKIES.read(node, reader)
    if row is None:
        return None
    return CookiesWanted(
        set=(*row.get("set", ()), *row.get("present", ())),
        absent=(*row.get("not-set", ()), *row.get("absent", ())),
        expired=row.get("expired", ()),
        exact=row.get("exact", ()),
        only=row.get("only"),
        has=row.get("with", ()),
        lacks=row.get("without", ()),
    )


HEADERS_SHAPE: By[HeadersWanted] = By(_headers, _HEADERS.schema)
COOKIES_SHAPE: By[CookiesWanted] = By(_cookies, _COOKIES.schema)

# what the app saw ------------------------------------------------------------------------------------------------


def _query(node: Node, reader: Reader) -> Wanted | None:
    if isinstance(node, Scalar):
        return Wanted(exact=(text_of(node, reader) or "",))
    return _members(node, reader)


_NOTHING: Final = ("nothing", "never")
_SEEN: Final = Record(
    "what the app sees",
    {
        "called": BOOL, "unchanged": BOOL, "method": ANY_TEXT, "cookies": COOKIES_NAMED, "not-cookies": TEXTS,
        "only-cookies": TEXTS, "cookie-header": TEXTS, "headers": HEADERS_SHAPE, "not-headers": NAMED,
        "query": By(_query, lambda: any_of((ANY_TEXT, MEMBERS))), "json": MEMBERS_SHAPE, "form": MEMBERS_SHAPE,
        "multipart": MEMBERS_SHAPE, "body": BODY_SHAPE, "text": ANY_TEXT,
    },
    docs=DOCS,
)  # fmt: skip


def _seen(node: Node, reader: Reader) -> SeenWanted | None:
    if isinstance(node, Scalar) and node.text in (*_NOTHING, "unchanged"):
        return SeenWanted(unchanged=True) if node.text == "unchanged" else SeenWanted(called=False)
    row = _SEEN.read(node, reader)
    if row is None:
        return None
    headers = row.get("headers", HeadersWanted())
    absent = (*headers.absent, *_lowered(row, "not-headers"))
    body = row.get("body", Wanted())
    return SeenWanted(
        called=row.get("called"), unchanged=row.get("unchanged"), method=row.get("method"),
        cookies=row.get("cookies", ()), absent_cookies=row.get("not-cookies", ()),
        only_cookies=row.get("only-cookies"), cookie_header=row.get("cookie-header"),
        headers=HeadersWanted(has=headers.has, absent=absent, exact=headers.exact),
        query=row.get("query", Wanted()), json=row.get("json", Wanted()), form=row.get("form", Wanted()),
        multipart=row.get("multipart", Wanted()),
        body=Wanted(exact=(row["text"],)) if "text" in row else body,
    )  # fmt: skip


SEEN_SHAPE: By[SeenWanted] = By(_seen, lambda: {"anyOf": [{"enum": [*_NOTHING, "unchanged"]}, _SEEN.schema()]})

# reasons ---------------------------------------------------------------------------------------------------------

_REASON: Final = Record(
    "a reason",
    {
        "clause": Many(ANY_TEXT), "rule": ANY_TEXT, "action": OneOf(tuple(Action), "an action", docs=DOCS),
        "thing": OneOf(tuple(Thing), "a thing", docs=DOCS), "category": ANY_TEXT, "purpose": ANY_TEXT,
        "party": ANY_TEXT, "n": Int(1, 1_000_000), "dry": BOOL,
    },
    docs=DOCS,
)  # fmt: skip


def _reason(node: Node, reader: Reader) -> ReasonWanted | None:
    if isinstance(node, Scalar):
        return ReasonWanted(clause=(node.text,))
    row = _REASON.read(node, reader)
    if row is None:
        return None
    if not row and isinstance(node, Mapping) and not node.pairs:
        reader.report("TR111", "a reason that says nothing is met by anything", node)
    return ReasonWanted(**row)


def _reasons(node: Node, reader: Reader) -> tuple[ReasonWanted, ...] | None:
    items = node.items if isinstance(node, Sequence) else (node,)
    return tuple(one for one in (_reason(item, reader) for item in items) if one is not None)


def _listed_reasons() -> Schema:
    return one_or_more({"anyOf": [ANYTHING, {**_REASON.schema(), "minProperties": 1}]})


def _no_reason(node: Node, reader: Reader) -> tuple[bool, tuple[ReasonWanted, ...]] | None:
    """Read what no reason may be: ``true`` is none at all, a list holds clauses, rules or reasons."""
    if isinstance(node, Scalar) and node.plain and node.text in ("true", "false"):
        return node.text == "true", ()
    if isinstance(node, Mapping | Sequence | Scalar):
        found = _reasons(node, reader)
        return None if found is None else (False, found)
    reader.report("TR103", f"`true` or a list of clauses is wanted, but this is {described(node)}", node)
    return None


EXPECT: Final = Record(
    "what is expected",
    {
        "status": STATUSES, "denied": BOOL, "unchanged": BOOL, "headers": HEADERS_SHAPE, "cookies": COOKIES_SHAPE,
        "body": BODY_SHAPE, "fields": MEMBERS_SHAPE, "records": MEMBERS_SHAPE, "app-sees": SEEN_SHAPE,
        "reasons": By(_reasons, _listed_reasons), "no-reason": By(_no_reason, _listed_reasons), "line": BOOL,
    },
    docs=DOCS,
    hints={"reason": "write `reasons`", "no-reasons": "write `no-reason`"},
)  # fmt: skip


def expect_of(node: Node, reader: Reader) -> Expect | None:
    """Read what has to come of a case."""
    row = EXPECT.read(node, reader)
    if row is None:
        return None
    if isinstance(node, Mapping) and not node.pairs:
        reader.report("TR502", "a case that expects nothing proves nothing", node, docs=DOCS)
    nothing, silent = row.pop("no-reason", (False, ()))
    seen = row.pop("app-sees", SeenWanted())
    return Expect(nothing=nothing, no_reason=silent, seen=seen, **row)


EXPECT_SHAPE: By[Expect] = By(expect_of, EXPECT.schema)
