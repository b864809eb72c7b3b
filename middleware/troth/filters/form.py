"""Form bodies. ``application/x-www-form-urlencoded`` is read and edited, ``multipart/form-data`` only read."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, MultipartState, parse_options_header

from troth.errors import UnreadableBody
from troth.filters import query
from troth.filters.query import Pair

_LOG: Final = logging.getLogger("python_multipart.multipart")
_MOST_PARTS: Final = 1000
_LONGEST_HEADER: Final = 8 * 1024


def read(body: bytes) -> list[Pair]:
    """Return the pairs of an urlencoded body, in order. Raises UnreadableBody (``malformed``) for what is no text."""
    _check(body)
    return query.split(body)


def remove(body: bytes, drop: Callable[[Pair], object]) -> bytes:
    """Return the urlencoded body without the pairs for which `drop` is true. Raises UnreadableBody like `read`."""
    _check(body)
    return query.remove(body, drop)


def read_multipart(body: bytes, content_type: bytes) -> list[tuple[str, str]]:
    """Return name and value of every part of a multipart body, in order; of a file the value is its file name.

    Raises UnreadableBody (``malformed``) for a body without boundary, cut short, or with a part without name.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise UnreadableBody("malformed")
    parts = _Parts()
    _LOG.disabled = True  # it would tell single characters of the body
    try:
        parser = MultipartParser(boundary, parts.callbacks())  # type: ignore[arg-type]  # a dict of bound methods is one
        parser.write(body)
        parser.finalize()
    except (FormParserError, ValueError) as cause:
        raise UnreadableBody("malformed") from cause
    finally:
        _LOG.disabled = False
    if parser.state != MultipartState.END:
        raise UnreadableBody("malformed")
    return parts.pairs


class _Parts:
    """Collects parts as the parser meets them."""

    def __init__(self) -> None:
        self.pairs: list[tuple[str, str]] = []
        self._header = b""
        self._text = b""
        self._disposition = b""
        self._data: list[bytes] = []

    def callbacks(self) -> dict[str, Callable[..., None]]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._field,
            "on_header_value": self._value,
            "on_header_end": self._header_end,
            "on_part_data": lambda data, start, end: self._data.append(data[start:end]),
            "on_part_end": self._end,
        }

    def _begin(self) -> None:
        if len(self.pairs) >= _MOST_PARTS:
            raise UnreadableBody("malformed")
        self._disposition = b""
        self._data = []

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _value(self, data: bytes, start: int, end: int) -> None:
        self._text += data[start:end]
        if len(self._text) > _LONGEST_HEADER:
            raise UnreadableBody("malformed")

    def _header_end(self) -> None:
        if self._header.strip().lower() == b"content-disposition":
            self._disposition = self._text
        self._header = self._text = b""

    def _end(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name")
        if name is None:
            raise UnreadableBody("malformed")
        value = options.get(b"filename", b"".join(self._data))
        self.pairs.append((name.decode("utf-8", "replace"), value.decode("utf-8", "replace")))


def _check(body: bytes) -> None:
    """Refuse what another reader would take for UTF-16 or for bytes of another charset."""
    if b"\0" in body:
        raise UnreadableBody("malformed")
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        raise UnreadableBody("malformed") from None
