"""Bodies of type ``multipart/form-data``: read by a parser, edited by cutting whole parts. The rest stays as sent.

What one reader takes for a part and another for text (text around the parts, padded boundaries, lines that begin like
one), for one name and another for a second (a head given twice, a name given twice or in two spellings), or decodes
and another does not (transfer encodings, parts within parts) is unreadable, never clean.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple
from urllib.parse import unquote

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, MultipartState, parse_options_header

from troth.errors import UnreadableBody
from troth.filters import charset

_LOG: Final = logging.getLogger("python_multipart.multipart")
_MOST_PARTS: Final = 1000
_MOST_HEADERS: Final = 8
_LONGEST_HEADER: Final = 8 * 1024
_LONGEST_BOUNDARY: Final = 256
_DISPOSITION: Final = re.compile(r'form-data((?:[ \t]*;[ \t]*[\w.-]+\*?=(?:"(?:[^"\\]|\\.)*"|[^\s;"]+))*)[ \t]*', re.I)
_PARAMETER: Final = re.compile(r';[ \t]*([\w.-]+\*?)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))')
_ESCAPE: Final = re.compile(r"\\(.)")
_VERBATIM: Final = frozenset((b"7bit", b"8bit", b"binary"))


class File(NamedTuple):
    """What a part holds that is a file: its type, and where its content stands."""

    kind: bytes
    start: int
    end: int


class Part(NamedTuple):
    """One part: its name, its text (of a file the name of that), and where it stands, from its boundary on."""

    name: str
    value: str
    start: int
    end: int
    file: File | None = None


_NONE: Final[Mapping[File, bytes]] = {}


def read(body: bytes, content_type: bytes) -> list[Part]:
    """Return every part, in order. Raises UnreadableBody (``malformed``), also for more than a thousand parts."""
    boundary = boundary_of(content_type)
    spans = _spans(body, boundary)
    found = _parse(body, boundary)
    if len(found) != len(spans):
        raise UnreadableBody("malformed")
    parts = []
    for (start, end), one in zip(spans, found, strict=True):
        data = one.data
        if not body.endswith(data + b"\r\n", start, end):
            raise UnreadableBody("malformed")
        name, filename = _named(one)
        if filename is None:
            charset.check(data, one.headers.get(b"content-type", b""))
            parts.append(Part(name, data.decode("utf-8", "replace"), start, end))
        else:
            file = File(one.headers.get(b"content-type", b""), end - 2 - len(data), end - 2)
            parts.append(Part(name, filename, start, end, file))
    return parts


def boundary_of(content_type: bytes) -> bytes:
    """Return the boundary that a content type names. Raises UnreadableBody (``malformed``) where that is none."""
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 0 < len(boundary) <= _LONGEST_BOUNDARY:
        raise UnreadableBody("malformed")
    return boundary


def edit(
    body: bytes, parts: Iterable[Part], drop: Callable[[Part], object], contents: Mapping[File, bytes] = _NONE
) -> bytes:
    """Return `body` without the parts for which `drop` is true, boundary and all, and with other `contents` in files.

    The same object if nothing changes.
    """
    kept = []
    at = 0
    for part in parts:
        if drop(part):
            kept.append(body[at : part.start])
            at = part.end
        elif part.file is not None and part.file in contents:
            kept += [body[at : part.file.start], contents[part.file]]
            at = part.file.end
    return b"".join((*kept, body[at:])) if at else body


def _spans(body: bytes, boundary: bytes) -> list[tuple[int, int]]:
    """Return where parts stand, by their boundaries alone: each from its own to the next one."""
    line = b"\r\n--" + boundary
    first, *pieces = (b"\r\n" + body).split(line, _MOST_PARTS + 2)
    if first.strip(b"\r\n") or not pieces or len(pieces) > _MOST_PARTS + 1 or pieces[-1] not in (b"--", b"--\r\n"):
        raise UnreadableBody("malformed")
    spans = []
    at = len(first)  # of the boundary, after the line end that `body` may lack before the first one
    for piece in pieces[:-1]:
        if not piece.startswith(b"\r\n"):
            raise UnreadableBody("malformed")
        end = at + len(line) + len(piece)
        spans.append((at, end))
        at = end
    return spans


class _Found:
    """A part as the parser sees it: its headers by name, its bytes."""

    def __init__(self) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.pieces: list[bytes] = []

    @property
    def data(self) -> bytes:
        return b"".join(self.pieces)


def _parse(body: bytes, boundary: bytes) -> list[_Found]:
    collected = _Collected()
    _LOG.disabled = True  # it would tell single characters of the body
    try:
        parser = MultipartParser(
            boundary,
            collected.callbacks(),  # type: ignore[arg-type]  # a dict of bound methods is one
            max_header_count=_MOST_HEADERS,
            max_header_size=_LONGEST_HEADER,
        )
        parser.write(body)
        parser.finalize()
    except (FormParserError, ValueError) as cause:
        raise UnreadableBody("malformed") from cause
    finally:
        _LOG.disabled = False
    if parser.state != MultipartState.END:
        raise UnreadableBody("malformed")
    return collected.parts


class _Collected:
    """Collects parts as the parser meets them."""

    def __init__(self) -> None:
        self.parts: list[_Found] = []
        self._name = b""
        self._text = b""

    def callbacks(self) -> dict[str, Callable[..., None]]:
        return {
            "on_part_begin": lambda: self.parts.append(_Found()),
            "on_header_field": self._field,
            "on_header_value": self._value,
            "on_header_end": self._header_end,
            "on_part_data": self._data,
        }

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _value(self, data: bytes, start: int, end: int) -> None:
        self._text += data[start:end]

    def _data(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].pieces.append(data[start:end])

    def _header_end(self) -> None:
        name = self._name.strip().lower()
        if name in self.parts[-1].headers or b"\n" in self._text:
            raise UnreadableBody("malformed")
        self.parts[-1].headers[name] = self._text.strip()
        self._name = self._text = b""


def _named(part: _Found) -> tuple[str, str | None]:
    """Return the name of a part and, where it is a file, the name of that."""
    kind = part.headers.get(b"content-type", b"").lower()
    coding = part.headers.get(b"content-transfer-encoding", b"binary").lower()
    if kind.startswith(b"multipart/") or coding not in _VERBATIM:
        raise UnreadableBody("malformed")
    options = _options(part.headers.get(b"content-disposition", b""))
    name = options.get("name")
    if name is None or "name*" in options:
        raise UnreadableBody("malformed")
    names = [options[key] for key in ("filename", "filename*") if key in options]
    return _unescaped(name), " ".join(map(unquote, names)) if names else None


def _options(disposition: bytes) -> dict[str, str]:
    """Return the parameters of a ``Content-Disposition`` header, of which each may stand once."""
    try:
        found = _DISPOSITION.fullmatch(disposition.decode("utf-8"))
    except UnicodeDecodeError:
        raise UnreadableBody("malformed") from None
    if found is None:
        raise UnreadableBody("malformed")
    options: dict[str, str] = {}
    for key, quoted, bare in _PARAMETER.findall(found[1]):
        if key.lower() in options:
            raise UnreadableBody("malformed")
        options[key.lower()] = quoted or bare
    return options


def _unescaped(name: str) -> str:
    """Take escapes off a name. Of others than a quote or a backslash every reader makes something else."""
    if any(one not in '"\\' for one in _ESCAPE.findall(name)):
        raise UnreadableBody("malformed")
    return _ESCAPE.sub(r"\1", name)
