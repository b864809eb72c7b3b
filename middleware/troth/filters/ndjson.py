"""Lists of JSON values, one a line (NDJSON, JSON Lines): read line by line, edited by cutting lines or inside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Any, NamedTuple

from troth.errors import UnreadableBody
from troth.filters.json_text import WHITE, decode, decode_all


class Line(NamedTuple):
    """Where a line stands, its line feed included, where its value ends, and the value with every key twice given."""

    start: int
    end: int
    close: int
    value: Any


def read(body: bytes) -> tuple[Line, ...]:
    """Return every line that holds a value. Raises UnreadableBody (``malformed``) if one of them is no JSON."""
    lines: list[Line] = []
    at = 0
    for text in body.split(b"\n"):
        end = min(at + len(text) + 1, len(body))
        if b"\r" in text.removesuffix(b"\r"):
            raise UnreadableBody("malformed")  # a line end for some readers, white space for others
        if text.strip(WHITE):
            decode(text)
            lines.append(Line(at, end, at + len(text), decode_all(text)))
        at = end
    return tuple(lines)


def edit(body: bytes, lines: tuple[Line, ...], gone: Set[int], inside: Mapping[int, Callable[[bytes], bytes]]) -> bytes:
    """Return `body` without the lines in `gone`, and with the text of others replaced by what `inside` makes of it."""
    parts: list[bytes] = []
    at = 0
    for index, line in enumerate(lines):
        if index in gone:
            parts.append(body[at : line.start])
            at = line.end
        elif index in inside:
            parts += (body[at : line.start], inside[index](body[line.start : line.close]))
            at = line.close
    parts.append(body[at:])
    return b"".join(parts)
