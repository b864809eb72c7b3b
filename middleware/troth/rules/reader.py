"""What is carried along while files are read: the findings so far and the names that are declared."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from troth.diagnostics import Diagnostic, Span
from troth.model.policy import ConsentRow, Mark, StateRow
from troth.rules.nodes import Mapping, Node, Scalar, Sequence


class Kind(StrEnum):
    """A kind of declared name; the value is the key of `policy.yaml` under which it is declared."""

    PURPOSE = "purposes"
    CONSENT = "consents"
    PARTY = "parties"
    COOKIE = "cookies"
    STATE = "states"
    EVENT = "events"
    MARK = "marks"
    AREA = "areas"
    DATA = "data"
    ORIGIN = "origins"
    VERSION = "versions"
    CLAUSE = "policy.md"

    @property
    def singular(self) -> str:
        """How a message calls one of them."""
        return _SINGULAR.get(self, self.value.removesuffix("s"))

    @property
    def code(self) -> str:
        """The code of an unknown name."""
        return _CODE[self]


_SINGULAR = {
    Kind.PARTY: "party",
    Kind.COOKIE: "cookie row",
    Kind.AREA: "area or country",
    Kind.DATA: "category of data",
    Kind.CLAUSE: "clause",
}
_CODE = {
    Kind.PURPOSE: "TR201", Kind.CONSENT: "TR202", Kind.PARTY: "TR203", Kind.COOKIE: "TR204", Kind.STATE: "TR205",
    Kind.EVENT: "TR206", Kind.MARK: "TR207", Kind.AREA: "TR208", Kind.DATA: "TR209", Kind.ORIGIN: "TR210",
    Kind.CLAUSE: "TR213", Kind.VERSION: "TR215",
}  # fmt: skip


@dataclass(slots=True)
class Reader:
    """The findings, in the order found, and what is declared: a kind that is missing in `names` is not checked."""

    found: list[Diagnostic] = field(default_factory=list)
    names: dict[Kind, frozenset[str]] = field(default_factory=dict)
    consents: dict[str, ConsentRow] = field(default_factory=dict)
    states: dict[str, StateRow] = field(default_factory=dict)
    marks: dict[str, Mark] = field(default_factory=dict)
    roles: frozenset[str] | None = None
    statements: frozenset[str] | None = None
    docs: str | None = None

    @contextmanager
    def page(self, docs: str | None) -> Iterator[None]:
        """Findings inside are explained on this page, unless they name another."""
        before = self.docs
        self.docs = docs or before
        yield
        self.docs = before

    def report(
        self,
        code: str,
        message: str,
        at: Node | Span,
        *,
        label: str | None = None,
        advice: str | None = None,
        docs: str | None = None,
    ) -> None:
        """Write one finding down."""
        span = at if isinstance(at, Span) else at.span
        self.found.append(
            Diagnostic(code=code, message=message, span=span, label=label, help=advice, docs=docs or self.docs)
        )

    def known(self, kind: Kind, name: str) -> bool:
        """Whether the name is declared, or nothing is known about that kind."""
        return kind not in self.names or name in self.names[kind]

    def unknown(self, kind: Kind, at: Scalar, also: Iterable[str] = ()) -> None:
        """Report a name that is not declared."""
        candidates = [*self.names.get(kind, ()), *also]
        self.report(
            kind.code,
            f"unknown {kind.singular} `{at.text}`",
            at,
            label=f"not declared under `{kind}`" if kind is not Kind.CLAUSE else "not in `policy.md`",
            advice=did_you_mean(at.text, candidates),
        )

    @property
    def parameters(self) -> frozenset[str]:
        """The names of all parameters of consents and states: a binding may give them to a route."""
        consents = {name for row in self.consents.values() for name in row.per}
        return frozenset(consents | {name for row in self.states.values() for name in row.per})

    @property
    def failed(self) -> bool:
        """Whether an error was found."""
        return any(one.is_error for one in self.found)


def did_you_mean(word: str, candidates: Iterable[str]) -> str | None:
    """Return advice that names the closest candidate, or nothing where none is close."""
    close = difflib.get_close_matches(word, sorted(set(candidates)), n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else None


def listing(words: Iterable[str]) -> str:
    """Return words in backticks, with commas."""
    return ", ".join(f"`{word}`" for word in words)


def described(node: Node) -> str:
    """Return what a node is, in the author's words."""
    match node:
        case Mapping():
            return "a map"
        case Sequence():
            return "a list"
        case Scalar(text="", plain=True):
            return "nothing"
        case Scalar():
            return f"`{node.text}`" if len(node.text) <= 60 else "a long text"
