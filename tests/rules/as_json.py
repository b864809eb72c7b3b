"""Nodes as the plain values that an editor's YAML reader makes of them: the core schema of YAML 1.2."""

from __future__ import annotations

import re
from typing import Any

from troth.diagnostics import Source
from troth.rules.nodes import Mapping, Node, Scalar, Sequence
from troth.rules.yaml import compose

_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def plain(node: Node) -> Any:
    """Return a node as JSON has it."""
    match node:
        case Mapping():
            return {key.text: plain(value) for key, value in node}
        case Sequence():
            return [plain(one) for one in node]
        case Scalar():
            return _typed(node.text) if node.plain else node.text


def _typed(text: str) -> Any:
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text.lower() in ("true", "false") and text in (text.lower(), text.capitalize(), text.upper()):
        return text.lower() == "true"
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def read(text: str) -> Any:
    """Return the one document of a text."""
    node, found = compose(Source("file.yaml", text))
    assert node is not None, found
    return plain(node)
