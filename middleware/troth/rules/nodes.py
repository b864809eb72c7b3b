"""The tree that a rule file becomes: scalars, sequences and mappings with their places, nothing interpreted yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from troth.diagnostics import Span


@dataclass(frozen=True, slots=True)
class Scalar:
    """A piece of text; `plain` says that it stood without quotes, so that the schema may read it as another type."""

    text: str
    plain: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: tuple[Node, ...]
    span: Span

    def __iter__(self) -> Iterator[Node]:
        return iter(self.items)


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys with their values, in the order of the file; no key stands twice."""

    pairs: tuple[tuple[Scalar, Node], ...]
    span: Span

    def __iter__(self) -> Iterator[tuple[Scalar, Node]]:
        return iter(self.pairs)

    def key(self, name: str) -> Scalar | None:
        """Return the key itself, for its place."""
        return next((key for key, _ in self.pairs if key.text == name), None)

    def get(self, name: str) -> Node | None:
        """Return the value under a key."""
        return next((value for key, value in self.pairs if key.text == name), None)


Node = Scalar | Sequence | Mapping


def is_null(node: Node) -> bool:
    """Whether nothing was written, or an unquoted ``null`` or ``~``."""
    return isinstance(node, Scalar) and node.plain and node.text in ("", "~", "null")


def head(node: Node) -> Span:
    """Return the place to point at: the first line of a block, so that carets stay on one token."""
    return node.span
