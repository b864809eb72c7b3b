"""One route of a binding: `POST /order: {purpose: purchase-agreement, …}`."""

from __future__ import annotations

import re
from collections.abc import Mapping as Dict
from dataclasses import dataclass
from typing import Any

from troth.model.binding import Limits, Route, Source, Write
from troth.rules.nodes import Mapping, Node, Scalar, Sequence
from troth.rules.reader import Kind, Reader, did_you_mean, listing
from troth.rules.rows import DATA_NAMES
from troth.rules.scalars import (
    NAME,
    PLACE,
    PLACE_NAME,
    PLACE_OR_HOOK,
    SELECTOR,
    SIZE,
    TEXT,
    Int,
    place,
    text_of,
)  # fmt: skip
from troth.rules.shapes import (
    SCALAR,
    ByKind,
    Later,
    Made,
    Many,
    OneOf,
    Record,
    Ref,
    Row,
    Schema,
    Shape,
    Table,
    Text,
    any_of,
    scalar,
)

_KEY = r"(?:[A-Z]+|\*) (?=/)(?:/(?:\{[A-Za-z_]\w*\}|[^{}*/\s]*))*(?:/\*)?"


@dataclass(frozen=True, slots=True)
class RouteKey:
    """`METHOD /path/{name}`; `*` for any method, a last segment `*` for the rest of the path."""

    def read(self, node: Node, reader: Reader) -> str | None:
        """Return the key as written."""
        found = scalar(node, reader, "a route")
        if found is None:
            return None
        if not self._valid(found.text):
            advice = "write `GET /orders/{id}` or `* /static/*`"
            reader.report("TR116", f"`{found.text}` is not a route", found, advice=advice, docs="binding routes")
            return None
        return found.text

    def _valid(self, text: str) -> bool:
        names = re.findall(r"\{\w+\}", text)
        return re.fullmatch(_KEY, text) is not None and len(set(names)) == len(names)

    def schema(self) -> Schema:
        """Text of that form; that no name stands twice is not said."""
        return text_of(_KEY)


@dataclass(frozen=True, slots=True)
class NameOrPlace:
    """A declared name, or the place in the request where it stands."""

    kind: Kind | None
    also: tuple[str, ...] = ()

    def read(self, node: Node, reader: Reader) -> str | Source | None:
        """Return the name or the place."""
        if isinstance(node, Scalar):
            try:
                return place(node.text)
            except ValueError:
                pass
        return (Ref(self.kind, self.also) if self.kind else NAME).read(node, reader)

    def schema(self) -> Schema:
        """Text; where the name need not be declared, of the form of either."""
        return dict(SCALAR) if self.kind else any_of((NAME, PLACE))


@dataclass(frozen=True, slots=True)
class Subject:
    """`path.id`, a resolver `module:name`, or `$.id` inside each record; a list gives both."""

    def read(self, node: Node, reader: Reader) -> dict[str, Any] | None:
        """Return the fields of a route that it fills."""
        items = node.items if isinstance(node, Sequence) else (node,)
        fields: dict[str, Any] = {}
        if not items:
            reader.report("TR111", "this list is empty", node)
        for one in items:
            inside = isinstance(one, Scalar) and one.text.startswith("$")
            name, shape = ("record_subject", SELECTOR) if inside else ("subject", PLACE_OR_HOOK)
            value = shape.read(one, reader)
            if value is not None and name in fields:
                reader.report("TR120", "one addressed subject and one path inside a record are possible", one)
            elif value is not None:
                fields[name] = value
        return fields or None

    def schema(self) -> Schema:
        """Text or a list of text."""
        return Many(ByKind("a subject", scalar=Later(lambda: any_of((SELECTOR, PLACE_OR_HOOK))))).schema()


_RECORDS: Shape[dict[str, Any]] = ByKind(
    "a selector, or a map of `request` and `response`",
    scalar=Made(SELECTOR, lambda selector: {"records": selector}),
    mapping=Made(
        Record("`records`", {"request": SELECTOR, "response": SELECTOR}, docs="binding records"),
        lambda row: {{"request": "request_records", "response": "records"}[key]: text for key, text in row.items()},
    ),
)
LIMITS = Made(
    Record("`limits`", {"hold-request": SIZE, "hold-response": SIZE, "depth": Int(1, 1000)}, docs="binding limits"),
    lambda row: Limits(**{key.replace("-", "_"): value for key, value in row.items()}),
)
_FIELD = Text("the name of a member, or `$.path` to it", r"\S+")


class _Writes:
    """A consent or state that the route writes, with the values of its parameters."""

    _fixed: Dict[str, Shape[Any]] = {
        "consent": Ref(Kind.CONSENT), "state": Ref(Kind.STATE), "form": NAME, "from": PLACE,
        "to": OneOf(("granted", "declined", "withdrawn", "set", "clear"), "what is written"),
        "when": Table(PLACE_NAME, TEXT, "a map of places and values"),
    }  # fmt: skip

    def read(self, node: Node, reader: Reader) -> Write | None:
        per = self._per(node, reader)
        params: Dict[str, Shape[Any]] = {name: NameOrPlace(None) for name in self._others(node, per, reader)}
        row = Record("`writes`", {**params, **self._fixed}, docs="binding writes").read(node, reader)
        if row is None:
            return None
        if ("consent" in row) == ("state" in row):
            if not isinstance(node, Mapping) or (node.key("consent") is None) == (node.key("state") is None):
                reader.report("TR102", "`writes` needs either `consent` or `state`", node, docs="binding writes")
            return None
        return self._build(row, per or (), node, reader)

    def _per(self, node: Node, reader: Reader) -> tuple[str, ...] | None:
        """Return the parameters of what is written; None where its row is not known."""
        if not isinstance(node, Mapping):
            return None
        consent, state = node.get("consent"), node.get("state")
        if isinstance(consent, Scalar) and consent.text in reader.consents:
            return reader.consents[consent.text].per
        if isinstance(state, Scalar) and state.text in reader.states:
            return reader.states[state.text].per
        return None

    def _others(self, node: Node, per: tuple[str, ...] | None, reader: Reader) -> tuple[str, ...]:
        """Return the keys that are parameters; one that the row does not have is found, unless it is a key misspelt."""
        names: list[str] = list(per or ())
        for key, _ in node if isinstance(node, Mapping) else ():
            if key.text in (*self._fixed, *names) or did_you_mean(key.text, self._fixed):
                continue
            names.append(key.text)
            if per is not None:
                advice = did_you_mean(key.text, per) or "declare it with `per`"
                reader.report("TR216", f"what is written has no parameter `{key.text}`", key, advice=advice)
        return tuple(names)

    def _build(self, row: Row, per: tuple[str, ...], node: Node, reader: Reader) -> Write | None:
        to = row.get("to", "set" if "state" in row else "granted")
        if (to in ("set", "clear")) != ("state" in row):
            at = node.get("to") if isinstance(node, Mapping) else None
            wanted = "`set` or `clear`" if "state" in row else "`granted`, `declined` or `withdrawn`"
            reader.report("TR104", f"{wanted} is wanted here", at or node, docs="binding writes")
            return None
        params = {name: row[name] for name in per if name in row}
        if "from" in row and (name := self._from(row["from"], per, node, reader)):
            params[name] = row["from"]
        when = tuple((place(key), value) for key, value in row.get("when", {}).items())
        return Write(
            consent=row.get("consent"), state=row.get("state"), to=to, params=tuple(sorted(params.items(), key=_first)),
            when=when, form=row.get("form"),
        )  # fmt: skip

    def _from(self, source: Source, per: tuple[str, ...], node: Node, reader: Reader) -> str | None:
        """Return the parameter that `from` fills: the one of the same name, else the only one."""
        if source.name in per:
            return source.name
        if len(per) == 1:
            return per[0]
        at = node.get("from") if isinstance(node, Mapping) else None
        advice = f"write one of {listing(per)} as key" if per else "declare the parameter with `per`"
        reader.report("TR217", "`from` does not say which parameter it fills", at or node, advice=advice)
        return None

    def schema(self) -> Schema:
        """The fixed keys; any other may be a parameter of what is written."""
        fixed = Record("`writes`", self._fixed, docs="binding writes", one_of=("consent", "state")).schema()
        return {**fixed, "additionalProperties": NameOrPlace(None).schema()}


def _first(pair: tuple[str, Any]) -> str:
    return pair[0]


ROUTE = Record("a route", {
    "tag": Many(NAME), "purpose": NameOrPlace(Kind.PURPOSE, ("none",)), "audience": Many(NAME),
    "party": NameOrPlace(Kind.PARTY), "subject": Subject(), "records": _RECORDS, "since": SELECTOR,
    "counts": Many(SELECTOR), "fields": Table(_FIELD, Ref(Kind.DATA, ("personal-data",)), "a map of fields"),
    "data": DATA_NAMES, "reads": Many(Ref(Kind.ORIGIN)), "selects": PLACE, "topic": NameOrPlace(None),
    "act": Many(NAME), "event": Ref(Kind.EVENT), "writes": Many(_Writes()), "cites": PLACE, "limits": LIMITS,
}, docs="binding routes")  # fmt: skip
_RENAMED = {"tag": "tags"}


def build_route(key: str, row: Row) -> Route:
    """Return the route of a key and its row."""
    method, _, path = key.partition(" ")
    merged = {**row.get("subject", {}), **row.get("records", {})}
    plain = {_RENAMED.get(name, name): value for name, value in row.items() if name not in ("subject", "records")}
    return Route(method=method, path=path, **plain, **merged)
