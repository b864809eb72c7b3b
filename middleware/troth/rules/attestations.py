"""`attestations.yaml`: statements by a role, dated, with evidence and expiry."""

from __future__ import annotations

from troth.model.policy import Attestation
from troth.rules.nodes import Mapping, Node, Scalar
from troth.rules.reader import Kind, Reader, did_you_mean, listing
from troth.rules.rows import CLAUSES
from troth.rules.scalars import DATE, NAME, TEXT, WORD
from troth.rules.shapes import Record, Row, Table

STATEMENT = Record(
    "a statement",
    {
        "clause": CLAUSES, "what": TEXT, "about": WORD, "role": TEXT, "dated": DATE, "evidence": TEXT,
        "expires": DATE,
    },
    ("what", "role"),
    docs="grammar attestations",
)  # fmt: skip
ATTESTATIONS = Table(NAME, STATEMENT, "a map of statements")


def kinds(node: Node | None) -> frozenset[str]:
    """Return the kinds of statement that are there, before anything is checked: rules may ask for them."""
    rows = (row for _, row in node if isinstance(row, Mapping)) if isinstance(node, Mapping) else ()
    return frozenset(what.text for what in (row.get("what") for row in rows) if isinstance(what, Scalar))


def read_attestations(node: Node | None, reader: Reader) -> tuple[Attestation, ...]:
    """Return the statements that could be read, in file order."""
    if node is None:
        return ()
    table = ATTESTATIONS.read(node, reader) or {}
    _check_about(node, reader)
    return tuple(_statement(name, row) for name, row in table.items())


def _statement(name: str, row: Row) -> Attestation:
    return Attestation(id=name, clauses=row.get("clause", ()), **{k: v for k, v in row.items() if k != "clause"})


def _check_about(node: Node, reader: Reader) -> None:
    for _, row in node if isinstance(node, Mapping) else ():
        about = row.get("about") if isinstance(row, Mapping) else None
        names = (reader.names.get(Kind.PARTY), reader.names.get(Kind.VERSION, frozenset()))
        if not isinstance(about, Scalar) or names[0] is None or names[1] is None:
            continue
        known = names[0] | names[1]
        if about.text not in known:
            advice = did_you_mean(about.text, known) or (f"one of {listing(sorted(known))}" if known else None)
            message = f"`{about.text}` is neither a party nor a version"
            reader.report("TR220", message, about, advice=advice, docs="grammar attestations")
