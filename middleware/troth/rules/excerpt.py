"""A rule as it stands in its file, with the comments inside it."""

from __future__ import annotations

import textwrap

from troth.diagnostics import Source
from troth.rules.nodes import Mapping, Node, Scalar, Sequence
from troth.rules.yaml import compose


def excerpt(source: Source, rule: str) -> str:
    """Return the lines of a rule in a file of rules, moved to the left; empty where it is not there."""
    node, _ = compose(source)
    listed = node.get("rules") if isinstance(node, Mapping) else node
    one = next((item for item in listed if _is(item, rule)), None) if isinstance(listed, Sequence) else None
    if one is None:
        return ""
    span = one.span
    # A block ends where the next thing begins: at the first column of the line of that.
    last = span.end_line - 1 if not source.line(span.end_line)[: span.end_column - 1].strip(" -") else span.end_line
    lines = [source.line(number) for number in range(span.line, last + 1)]
    while lines and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
        lines.pop()
    return textwrap.dedent("\n".join(lines))


def _is(item: Node, rule: str) -> bool:
    name = item.get("id") if isinstance(item, Mapping) else None
    return isinstance(name, Scalar) and name.text == rule
