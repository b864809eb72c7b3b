"""Values inside values: what cookies and parameters carry percent-coded, in base64, or as JSON text."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from troth.errors import UnreadableBody
from troth.filters.json_text import Members, decode_all

_BASE64: Final = re.compile(r"[A-Za-z0-9+/_\-]{8,}={0,2}")
_LAYERS: Final = 3
_LONGEST: Final = 64 * 1024


def unwrapped(value: str, layers: int = _LAYERS) -> Iterator[str | int]:
    """Yield `value` and everything it wraps: percent-decoded, base64 (whole and between dots), members of JSON text."""
    if len(value) > _LONGEST:
        value = value[:_LONGEST]
    yield value
    if not layers:
        return
    inner = unquote(value) if "%" in value else value
    if inner != value:
        yield from unwrapped(inner, layers - 1)
        return
    if inner[:1] in ("{", "[", '"'):
        for leaf in _json_leaves(inner):
            yield from unwrapped(leaf, layers - 1) if isinstance(leaf, str) else (leaf,)
        return
    for text in _from_base64(inner):
        yield from unwrapped(text, layers - 1)


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
            decoded = base64.urlsafe_b64decode(padded.replace("+", "-").replace("/", "_") + "=" * (-len(padded) % 4))
            inner = decoded.decode("utf-8")
        except (binascii.Error, ValueError):
            continue
        if inner.isprintable():
            yield inner
