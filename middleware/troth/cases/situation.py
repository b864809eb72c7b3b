"""What a case gives: people, consents, states, statements, earlier exchanges; and facts in place of bytes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from troth.cases.messages import ANSWER_SHAPE, REQUEST_SHAPE
from troth.cases.plain import (
    ANY_TEXT,
    ANYTHING,
    INSTANT,
    MAP,
    TEXTS,
    By,
    one_or_more,
    value_of,
    values_by_name,
)
from troth.cases.values import Answer, Asker, ChoiceGiven, Earlier, Given
from troth.model.consent import ChoiceState, Params
from troth.model.policy import ConsentRow
from troth.rules.nodes import Mapping, Node, Scalar, Sequence, is_null
from troth.rules.reader import Kind, Reader, described
from troth.rules.scalars import BOOL, COUNTRY
from troth.rules.shapes import Many, OneOf, Record, Row, Schema, any_of

DOCS: Final = "cases given"
_STATES: Final = {
    "granted": ChoiceState.GRANTED,
    "accepted": ChoiceState.GRANTED,
    "declined": ChoiceState.DECLINED,
    "refused": ChoiceState.DECLINED,
    "withdrawn": ChoiceState.WITHDRAWN,
}
_STATE: Final = OneOf((*_STATES, "none"), "a choice", docs=DOCS)
_AGE: Final = "age"
_HOUR: Final = timedelta(hours=1)

# who asks --------------------------------------------------------------------------------------------------------

_ACTOR: Final = Record(
    "who asks",
    {
        "id": ANY_TEXT, "roles": TEXTS, "role": TEXTS, "shared": BOOL, "verified": INSTANT,
        "known": MAP,
    },
    docs=DOCS,
)  # fmt: skip


def asker_of(node: Node, reader: Reader) -> tuple[Asker | None] | None:
    """Read who asks, in a tuple of one: ``nobody``, an id, ``unreadable`` (the hook fails), or a map."""
    if isinstance(node, Scalar):
        if is_null(node) or node.text == "nobody":
            return (None,)
        return (Asker(fails=True),) if node.text == "unreadable" else (Asker(id=node.text),)
    row = _ACTOR.read(node, reader)
    if row is None:
        return None
    return (
        Asker(
            id=row.get("id", "somebody"),
            roles=(*row.get("roles", ()), *row.get("role", ())),
            shared=row.get("shared", False),
            verified=row.get("verified"),
            known=row.get("known", {}),
        ),
    )


def _askers(node: Node, reader: Reader) -> tuple[Asker | None, Asker | None] | None:
    """Read who asks before and after the app was called."""
    if isinstance(node, Mapping) and (node.get("before") or node.get("after")):
        row = _BEFORE_AND_AFTER.read(node, reader)
        if row is None:
            return None
        before = row.get("before", (None,))[0]
        return before, row["after"][0] if "after" in row else before
    one = asker_of(node, reader)
    return None if one is None else (one[0], one[0])


ASKER: By[tuple[Asker | None]] = By(asker_of, lambda: any_of((ANY_TEXT, _ACTOR)))
_BEFORE_AND_AFTER: Final = Record("who asks", {"before": ASKER, "after": ASKER}, docs=DOCS)
ASKERS: By[tuple[Asker | None, Asker | None]] = By(_askers, lambda: any_of((ANY_TEXT, _ACTOR, _BEFORE_AND_AFTER)))

# consents --------------------------------------------------------------------------------------------------------

_CHOICE: Final = Record(
    "a choice",
    {"is": _STATE, "version": ANY_TEXT, "form": ANY_TEXT, "at": INSTANT, "with": MAP},
    ("is",),
    docs=DOCS,
)


def _consents(node: Node, reader: Reader) -> dict[str, tuple[ChoiceGiven, ...]] | None:
    if not isinstance(node, Mapping):
        reader.report("TR103", f"consents are a map of holders, but this is {described(node)}", node)
        return None
    found = {}
    for holder, held in node:
        if not isinstance(held, Mapping):
            reader.report("TR103", f"a map of consents is wanted, but this is {described(held)}", held)
            continue
        found[holder.text] = tuple(one for key, value in held for one in _choices(key, value, reader))
    return found


def _choices(key: Scalar, node: Node, reader: Reader) -> list[ChoiceGiven]:
    if not reader.known(Kind.CONSENT, key.text):
        reader.unknown(Kind.CONSENT, key)
        return []
    row = reader.consents.get(key.text)
    return [choice for one in _items(node) for choice in _told(key, one, row, reader)]


def _told(key: Scalar, node: Node, row: ConsentRow | None, reader: Reader) -> list[ChoiceGiven]:
    if isinstance(node, Mapping) and node.get("is") is None and not _misspelt(node):
        return _by_parameter(key, node, row, reader)
    return _choice(key, node, (), row, reader)


def _misspelt(node: Mapping) -> bool:
    """Whether a map means a choice, though it does not say which: it has a key of one and no other."""
    return bool(node.pairs) and all(key.text in ("version", "form", "at", "with") for key, _ in node)


def _by_parameter(key: Scalar, node: Mapping, row: ConsentRow | None, reader: Reader) -> list[ChoiceGiven]:
    per = row.per if row is not None else ()
    if len(per) != 1:
        advice = "write `{is: granted, with: {…}}`" if per else "this consent takes no parameter: write `granted`"
        reader.report("TR217", f"which parameter of `{key.text}` is not said", node, advice=advice)
        return []
    return [one for value, choice in node for one in _choice(key, choice, ((per[0], value.text),), row, reader)]


def _choice(key: Scalar, node: Node, params: Params, row: ConsentRow | None, reader: Reader) -> list[ChoiceGiven]:
    if isinstance(node, Scalar):
        told: Row | None = {"is": _STATE.read(node, reader)}
    else:
        told = _CHOICE.read(node, reader)
    if told is None or told.get("is") is None or told["is"] == "none":
        return []
    given = tuple(sorted((str(name), str(value)) for name, value in told.get("with", {}).items()))
    for name, _ in given:
        if row is not None and name not in row.per:
            reader.report("TR216", f"`{key.text}` has no parameter `{name}`", node)
    return [
        ChoiceGiven(
            consent=key.text, state=_STATES[told["is"]], params=params or given, version=told.get("version"),
            form=told.get("form") or (row.form if row is not None else None), at=told.get("at"),
        )
    ]  # fmt: skip


def _held() -> Schema:
    """Return the schema of consents: holder to consent to a choice, choices, or choices by the consent's parameter."""
    one = any_of((_STATE, _CHOICE))
    return values_by_name(values_by_name(one_or_more({"anyOf": [*one["anyOf"], values_by_name(one)]})))


# states and statements -------------------------------------------------------------------------------------------


def _states(node: Node, reader: Reader) -> dict[str, tuple[Any, ...]] | None:
    if not isinstance(node, Mapping):
        reader.report("TR103", f"states are a map of people, but this is {described(node)}", node)
        return None
    return {key.text: tuple(_state(one, reader) for one in _items(value)) for key, value in node}


def _items(node: Node) -> tuple[Node, ...]:
    return node.items if isinstance(node, Sequence) else (node,)


def _state(node: Node, reader: Reader) -> Any:
    names = [key for key, _ in node] if isinstance(node, Mapping) else [node]
    if isinstance(node, Sequence):
        reader.report("TR103", f"a state is wanted, but this is {described(node)}", node)
    for name in names:
        if (
            isinstance(name, Scalar)
            and name.text not in (_AGE, "unreadable")
            and not reader.known(Kind.STATE, name.text)
        ):
            reader.unknown(Kind.STATE, name, (_AGE,))
    told = value_of(node)
    return {name: _parameter(name, value, reader) for name, value in told.items()} if isinstance(told, dict) else told


def _parameter(name: str, value: Any, reader: Reader) -> Any:
    """Return what a state is about: where it may be about several things, the one that has a value of that name."""
    row = reader.states.get(name)
    if row is None or len(row.per) < 2 or isinstance(value, dict):
        return value
    tables = {"purpose": Kind.PURPOSE, "party": Kind.PARTY, "data": Kind.DATA, "version": Kind.VERSION}
    for parameter in row.per:
        kind = tables.get(parameter)
        if kind is not None and kind in reader.names and str(value) in reader.names[kind]:
            return {parameter: value}
    unlisted = [parameter for parameter in row.per if parameter not in tables]
    return {(unlisted or row.per)[0]: value}


def _statements(node: Node, reader: Reader) -> tuple[tuple[str, str | None], ...] | None:
    found: list[tuple[str, str | None]] = []
    for one in (node,) if isinstance(node, Mapping) else _items(node):
        if isinstance(one, Mapping):
            found += [(key.text, None if is_null(value) else str(value_of(value))) for key, value in one]
        elif isinstance(one, Scalar):
            found.append((one.text, None))
        else:
            reader.report("TR103", f"a statement is wanted, but this is {described(one)}", one)
    return tuple(found)


_STATED: Final[Schema] = one_or_more({"anyOf": [ANYTHING, {"type": "object"}]})

# earlier exchanges -----------------------------------------------------------------------------------------------


def statuses_of(node: Node, reader: Reader) -> tuple[str, ...] | None:
    """Read one status or several: ``200``, ``2xx``."""
    found = []
    for one in _items(node):
        text = one.text if isinstance(one, Scalar) else ""
        if len(text) != 3 or text[0] not in "12345" or not (text[1:].isdigit() or text[1:] == "xx"):
            reader.report(
                "TR112", f"{described(one)} is not a status", one, advice="write `403`, `[200, 204]` or `2xx`"
            )
        else:
            found.append(text)
    return tuple(found)


_STATUS: Final[Schema] = {
    "type": ["integer", "string"], "minimum": 100, "maximum": 599, "pattern": "^[1-5](?:[0-9][0-9]|xx)$",
}  # fmt: skip
STATUSES: By[tuple[str, ...]] = By(statuses_of, one_or_more(_STATUS))
SIGNALS: Final = Many(OneOf(("gpc", "dnt"), "a signal", docs=DOCS), may_be_empty=True)
_EARLIER: Final = Record(
    "an earlier exchange",
    {
        "request": REQUEST_SHAPE, "app": ANSWER_SHAPE, "clock": INSTANT, "signals": SIGNALS, "actor": ASKER,
        "status": STATUSES, "keeps-cookies": BOOL,
    },
    ("request",),
    docs=DOCS,
)  # fmt: skip


def _earlier(node: Node, reader: Reader) -> tuple[Earlier, ...] | None:
    return tuple(one for one in (_one_earlier(item, reader) for item in _items(node)) if one is not None)


def _one_earlier(node: Node, reader: Reader) -> Earlier | None:
    if isinstance(node, Scalar):
        request = REQUEST_SHAPE.read(node, reader)
        return None if request is None else Earlier(request=request, app=Answer())
    row = _EARLIER.read(node, reader)
    if row is None:
        return None
    return Earlier(
        request=row["request"], app=row.get("app", (Answer(),))[0], clock=row.get("clock"),
        signals=row.get("signals", ()), actor=row.get("actor", (None,))[0], status=row.get("status", ()),
        keeps_cookies=row.get("keeps-cookies", True),
    )  # fmt: skip


def _sequence() -> Schema:
    return one_or_more(any_of((REQUEST_SHAPE, _EARLIER)))


# all of it -------------------------------------------------------------------------------------------------------

GIVEN: Final = Record(
    "what is given",
    {
        "clock": INSTANT, "region": COUNTRY, "serving": COUNTRY, "signals": SIGNALS, "actor": ASKERS,
        "subject": ANY_TEXT, "consents": By(_consents, _held), "states": By(_states, values_by_name(_STATED)),
        "attested": By(_statements, _STATED), "earlier": By(_earlier, _sequence),
    },
    docs=DOCS,
)  # fmt: skip


def given_of(node: Node, reader: Reader) -> Given | None:
    """Read what is so before the request comes in."""
    row = GIVEN.read(node, reader)
    if row is None:
        return None
    before, after = row.pop("actor", (None, None))
    knows = isinstance(node, Mapping) and node.get("actor") is not None
    knows = knows or any(one.actor is not None for one in row.get("earlier", ()))
    return Given(before=before, actor=after, knows_actor=knows, **row)


GIVEN_SHAPE: By[Given] = By(given_of, GIVEN.schema)


def moment(at: datetime | None, now: datetime) -> datetime:
    """Return when a choice was made: as given, else an hour ago."""
    return at if at is not None else now - _HOUR
