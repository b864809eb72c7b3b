"""Values inside values: what cookies and parameters carry percent-coded, in base64, or as JSON text."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from troth.errors import UnreadableBody
from troth.filters.json_text import Members, decode_all

_BASE64: Final = re.compile(r"[A-Za-z0-9+/_\-]{8,}={0,2}")
_STANDARD: Final = str.maketrans("-_", "+/")
_LAYERS: Final = 3
_LONGEST: Final = 64 * 1024
_JSON: Final = ("{", "[", '"')


def unwrapped(value: str, layers: int = _LAYERS) -> list[str | int]:
    """Return `value` and all that it wraps: percent-decoded, base64 (whole and between dots), members of JSON text."""
    found: list[str | int] = []
    _unwrap(value, layers, found)
    return found


def _unwrap(value: str, layers: int, found: list[str | int]) -> None:
    if len(value) > _LONGEST:
        value = value[:_LONGEST]
    found.append(value)
    if not layers:
        return
    inner = unquote(value) if "%" in value else value
    if inner is not value and inner != value:
        _unwrap(inner, layers - 1, found)
    elif inner[:1] in _JSON:
        for leaf in _json_leaves(inner):
            if isinstance(leaf, str):
                _unwrap(leaf, layers - 1, found)
            else:
                found.append(leaf)
    else:
        for text in _from_base64(inner):
            _unwrap(text, layers - 1, found)


def _json_leaves(text: str) -> Iterator[str | int]:
    try:
        stack = [decode_all(text.encode("utf-8", "replace"))]
    except UnreadableBody:
        return
    while stack:
        value = stack.pop()
        if isinstance(value, dict | Members):
            for key, member in value.items():
                yield key
                stack.append(member)
        elif isinstance(value, list):
            stack += value
        elif isinstance(value, str | int):
            yield value


def _from_base64(text: str) -> Iterator[str]:
    for part in _BASE64.findall(text):
        if part.isdigit():
            continue
        padded = part.rstrip("=")
        try:
            decoded = binascii.a2b_base64(padded.translate(_STANDARD) + "=" * (-len(padded) % 4))
            inner = decoded.decode("utf-8")
        except (binascii.Error, ValueError):
            continue
        if inner.isprintable():
            yield inner
