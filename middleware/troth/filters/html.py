"""HTML as a browser's tokenizer cuts it, and the characters it is written in. The one place that knows a parser.

The tokenizer is that of the HTML standard: comments, character references, and the raw text of scripts, styles and
`noscript` come out as a browser with scripts sees them. It takes any cut of the text and works in linear time.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from typing import Final, Protocol

from turbohtml import Tokenizer

from troth.errors import UnreadableBody

Attributes = Mapping[str, str]
_NONE: Final[Attributes] = {}
_PRESCAN: Final = 1024
_META: Final = re.compile(rb"<meta\b[^>]*?charset\s*=\s*[\"']?\s*([a-z0-9_:.-]+)", re.IGNORECASE)
_IN_TYPE: Final = re.compile(rb";\s*charset\s*=\s*[\"']?([^\s;\"']+)", re.IGNORECASE)
_MARKS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_UTF_8: Final = "utf-8"
_LATIN: Final = "cp1252"
"""What browsers read where a page says Latin 1, or nothing and is no UTF-8."""
_MEANT: Final = {"utf-16": "utf-16-le", "iso8859-1": _LATIN, "ascii": _LATIN, "iso8859-9": "cp1254", "gb2312": "gbk"}
_READABLE: Final = frozenset({
    _UTF_8, "utf-16-le", "utf-16-be", "shift_jis", "euc_jp", "iso2022_jp", "gbk", "gb18030", "big5", "euc_kr", "koi8-r",
    "koi8-u", *(f"cp{number}" for number in (866, 874, *range(1250, 1259))),
    *(f"iso8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)),
})  # fmt: skip
"""Codecs by Python's own names. Others stay unread, those that are no charset of the web above all."""


class Sink(Protocol):
    """Takes what stands in a page, in its order. Text may come in any number of parts."""

    def start(self, tag: str, attributes: Attributes, /, *, closed: bool) -> None:
        """Take a start tag, in lower case; of an attribute that is there twice the first counts. `closed`: ``/>``."""
        ...

    def end(self, tag: str, /) -> None:
        """Take an end tag."""
        ...

    def text(self, data: str, /) -> None:
        """Take text, that of scripts and other raw elements included."""
        ...


class Scanner:
    """Cuts a page into tags and text as its parts come."""

    __slots__ = ("_handler", "_tokenizer")

    def __init__(self, sink: Sink) -> None:
        self._handler = _Handler(sink)
        self._tokenizer = Tokenizer()

    def feed(self, text: str) -> None:
        """Take the next part of the page."""
        self._tokenizer.feed(text)
        self._tokenizer.dispatch(self._handler)

    def close(self) -> None:
        """Take it that the page ends here."""
        self._tokenizer.close()
        self._tokenizer.dispatch(self._handler)


class _Handler:
    """Hands on what the tokenizer finds, by the names that it asks for. Comments and declarations go nowhere."""

    __slots__ = ("handle_data", "handle_endtag", "start")

    def __init__(self, sink: Sink) -> None:
        self.start = sink.start
        self.handle_endtag = sink.end
        self.handle_data = sink.text

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.start(tag, _by_name(attributes) if attributes else _NONE, closed=False)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.start(tag, _by_name(attributes) if attributes else _NONE, closed=True)

    def handle_comment(self, _data: str) -> None: ...

    def handle_decl(self, _data: str) -> None: ...

    def handle_pi(self, _data: str) -> None: ...

    def unknown_decl(self, _data: str) -> None: ...


def _by_name(attributes: list[tuple[str, str | None]]) -> Attributes:
    return {name: value or "" for name, value in reversed(attributes)}


def decode(body: bytes, content_type: bytes) -> str:
    """Return a page as text: by its byte order mark, its content type, its `meta`, else UTF-8 or Windows 1252.

    Bytes that do not fit are replaced, as browsers do. Raises UnreadableBody (``charset``) for an unknown one.
    """
    for mark, name in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace")
    said = _IN_TYPE.search(content_type)
    if said is not None:
        return body.decode(_codec(said[1], in_page=False), "replace")
    said = _META.search(body[:_PRESCAN])
    if said is not None:
        return body.decode(_codec(said[1], in_page=True), "replace")
    try:
        return body.decode(_UTF_8)
    except UnicodeDecodeError:
        return body.decode(_LATIN, "replace")


def _codec(label: bytes, *, in_page: bool) -> str:
    try:
        name = codecs.lookup(label.decode("ascii").strip().lower()).name
    except (LookupError, UnicodeDecodeError):
        raise UnreadableBody("charset") from None
    name = _MEANT.get(name, name)
    if name not in _READABLE:
        raise UnreadableBody("charset")
    # What can be read as bytes of ASCII is no UTF-16, whatever it says of itself.
    return _UTF_8 if in_page and name.startswith("utf-16") else name


__all__ = ["Attributes", "Scanner", "Sink", "decode"]
