"""`policy.yaml`: names are gathered first, so that a row may name what stands further down; then rows are read."""

from __future__ import annotations

from typing import Any

from troth.model.policy import ConsentRow, Identity, Policy
from troth.model.words import PERSONAL_DATA
from troth.rules import rows
from troth.rules.nodes import Mapping, Node, Scalar, Sequence
from troth.rules.reader import Kind, Reader
from troth.rules.shapes import Row

_TABLES = (
    Kind.PURPOSE, Kind.CONSENT, Kind.PARTY, Kind.COOKIE, Kind.STATE, Kind.EVENT, Kind.MARK, Kind.AREA, Kind.DATA,
    Kind.ORIGIN,
)  # fmt: skip


def gather(node: Node | None, reader: Reader) -> None:
    """Note which names are declared. A section that is no map or list declares nobody knows what: it is left out."""
    top = node if isinstance(node, Mapping) else None
    for kind in _TABLES:
        section = top.get(kind) if top else None
        if (names := _names(section)) is not None:
            reader.names[kind] = names
    _gather_built_in(top, reader)


def _names(section: Node | None) -> frozenset[str] | None:
    match section:
        case None:
            return frozenset()
        case Mapping():
            return frozenset(key.text for key, _ in section)
        case Sequence():
            return frozenset(one.text for one in section if isinstance(one, Scalar))
        case _:
            return None


def _gather_built_in(top: Mapping | None, reader: Reader) -> None:
    if Kind.EVENT in reader.names:
        reader.names[Kind.EVENT] |= set(rows.BUILT_IN_EVENTS)
    if Kind.DATA in reader.names:
        reader.names[Kind.DATA] |= {PERSONAL_DATA, *_umbrella_members(top)}
    versions = top.get("versions") if top else None
    if isinstance(versions, Sequence):
        ids = (one.get("id") for one in versions if isinstance(one, Mapping))
        reader.names[Kind.VERSION] = frozenset(one.text for one in ids if isinstance(one, Scalar))
    if Kind.CONSENT in reader.names and top:
        reader.names[Kind.CONSENT] |= _consents_of_purposes(top)


def _umbrella_members(top: Mapping | None) -> frozenset[str]:
    """Return what umbrellas list: naming a member there declares it."""
    data = top.get("data") if top else None
    if not isinstance(data, Mapping):
        return frozenset()
    members = (row.get("umbrella") for _, row in data if isinstance(row, Mapping))
    lists = (one for one in members if isinstance(one, Sequence))
    return frozenset(one.text for listed in lists for one in listed if isinstance(one, Scalar))


def _consents_of_purposes(top: Mapping) -> frozenset[str]:
    """Return purposes that rest on a consent of their own name; such a consent needs no row where the defaults do."""
    purposes = top.get("purposes")
    pairs = purposes.pairs if isinstance(purposes, Mapping) else ()
    return frozenset(key.text for key, row in pairs if isinstance(row, Mapping) and _rests_on_itself(row))


def _rests_on_itself(row: Mapping) -> bool:
    basis = row.get("basis")
    return isinstance(basis, Scalar) and basis.text == "consent" and row.get("consent") is None


def read_policy(node: Node | None, reader: Reader, name: str) -> Policy | None:
    """Return the policy without rules, clauses and statements; None where it is no map. `name` is its id by default."""
    gather(node, reader)
    row = rows.POLICY.read(node, reader) if node is not None else {}
    if row is None:
        return None
    if isinstance(node, Mapping):
        _check_rows(node, row, reader)
    policy = _build(row, name)
    reader.consents = dict(policy.consents)
    reader.states = dict(policy.states)
    reader.marks = dict(policy.marks)
    reader.roles = frozenset(role for party in policy.parties.values() for role in party.roles)
    return policy


def _build(row: Row, name: str) -> Policy:
    tables: dict[str, dict[str, Any]] = {kind: row.get(kind, {}) for kind in _TABLES}
    purposes = rows.purposes(tables["purposes"])
    consents = {key: rows.consent(key, one) for key, one in tables["consents"].items()}
    for purpose in purposes.values():
        if purpose.basis == "consent" and purpose.consent is None and purpose.id not in consents:
            consents[purpose.id] = ConsentRow(id=purpose.id)
    return Policy(
        identity=Identity(**{"id": name, **row.get("identity", {})}),
        versions=row.get("versions", ()),
        data=rows.data_rows(tables["data"]),
        purposes=purposes,
        consents=consents,
        parties={key: rows.party(key, one) for key, one in tables["parties"].items()},
        cookies=tuple(rows.cookie(key, one) for key, one in tables["cookies"].items()),
        states={key: rows.state(key, one) for key, one in tables["states"].items()},
        events=tuple(dict.fromkeys([*rows.BUILT_IN_EVENTS, *row.get("events", ())])),
        marks={key: rows.mark(key, one) for key, one in tables["marks"].items()},
        areas=row.get("areas", {}),
        origins=tuple(row.get("origins", ())),
    )


def _check_rows(node: Mapping, row: Row, reader: Reader) -> None:
    _refuse_circles(node.get("purposes"), row.get("purposes", {}), reader)
    _refuse_same_version(node.get("versions"), reader)
    marks = node.get("marks")
    read: dict[str, Row] = row.get("marks", {})
    for key, _ in marks if isinstance(marks, Mapping) else ():
        if key.text in read and not rows.mark(key.text, read[key.text]).signs:
            reader.report("TR111", f"the mark `{key.text}` says no sign to look for", key, docs="rule marks")


def _refuse_circles(node: Node | None, table: dict[str, Row], reader: Reader) -> None:
    for key, value in node if isinstance(node, Mapping) else ():
        seen = [key.text]
        while (parent := table.get(seen[-1], {}).get("of")) and parent not in seen:
            seen.append(parent)
        at = value.get("of") if isinstance(value, Mapping) else None
        if parent == key.text and at is not None:
            reader.report("TR219", f"the purpose `{key.text}` is a row of itself", at)


def _refuse_same_version(node: Node | None, reader: Reader) -> None:
    seen: set[str] = set()
    for one in node if isinstance(node, Sequence) else ():
        number = one.get("id") if isinstance(one, Mapping) else None
        if isinstance(number, Scalar):
            if number.text in seen:
                reader.report("TR221", f"the version `{number.text}` stands twice", number)
            seen.add(number.text)
