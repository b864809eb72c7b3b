"""The messages of a case: what the client sends and what the app answers."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from troth.cases.plain import (
    ANY_TEXT,
    ANYTHING,
    JSON,
    TEXTS,
    By,
    Json,
    json_of,
    one_or_more,
    text_of,
    texts_of,
    values_by_name,
)
from troth.cases.values import Answer, Body, Headers, Request, Url
from troth.rules.nodes import Mapping, Node, Scalar, Sequence
from troth.rules.reader import Reader, described
from troth.rules.scalars import BOOL, HEADER_NAME, Int
from troth.rules.shapes import Record, Row, Schema, scalar

DOCS: Final = "cases request and app"
_BOUNDARY: Final = "troth-case"
_TYPES: Final = {
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
    "multipart": f"multipart/form-data; boundary={_BOUNDARY}",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "text": "text/plain; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "body": "application/octet-stream",
    "base64": "application/octet-stream",
}
"""Ways to write a body, and the content type of each."""

# headers and cookies ---------------------------------------------------------------------------------------------


def headers_of(node: Node, reader: Reader) -> Headers | None:
    """Read headers: a map (a list of values makes several), or a list of ``name: value`` and ``[name, value]``."""
    if isinstance(node, Mapping):
        pairs = [(key.text, text) for key, value in node for text in texts_of(value, reader) or ()]
        keys = [key for key, _ in node]
    elif isinstance(node, Sequence):
        read = [_pair(one, reader) for one in node]
        pairs, keys = [pair for pair in read if pair is not None], []
    else:
        reader.report("TR103", f"headers are a map or a list, but this is {described(node)}", node)
        return None
    for key in keys:
        HEADER_NAME.read(key, reader)
    return tuple((name.lower().encode("latin-1", "replace"), _latin(text)) for name, text in pairs)


def _latin(text: str) -> bytes:
    """Return a header value as bytes: Latin-1 where it can be, else UTF-8, as clients send it."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


def _pair(node: Node, reader: Reader) -> tuple[str, str] | None:
    if isinstance(node, Sequence) and len(node.items) == 2:
        name, value = (text_of(one, reader) for one in node.items)
        return None if name is None or value is None else (name, value)
    if isinstance(node, Mapping) and len(node.pairs) == 1:
        key, one = node.pairs[0]
        text = text_of(one, reader)
        return None if text is None else (key.text, text)
    if isinstance(node, Scalar) and ":" in node.text:
        name, _, text = node.text.partition(":")
        return name.strip(), text.strip()
    reader.report("TR103", f"a header is `name: value`, but this is {described(node)}", node)
    return None


def sent_cookies(node: Node, reader: Reader) -> tuple[str, ...] | None:
    """Read `Cookie` headers: a map makes one header, a text is one as it stands, a list holds several."""
    if isinstance(node, Mapping):
        pairs = [(key.text, text) for key, value in node for text in texts_of(value, reader) or ()]
        return ("; ".join(f"{name}={value}" for name, value in pairs),) if pairs else ()
    return texts_of(node, reader)


def set_cookies(node: Node, reader: Reader) -> tuple[str, ...] | None:
    """Read `Set-Cookie` values: texts as they stand, or a map of names to values."""
    if isinstance(node, Mapping):
        pairs = [(key.text, text_of(value, reader)) for key, value in node]
        return tuple(f"{name}={value}; Path=/" for name, value in pairs if value is not None)
    return texts_of(node, reader)


_PAIR: Final[Schema] = {
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": ANYTHING, "minItems": 2, "maxItems": 2},
        {**values_by_name(ANYTHING), "minProperties": 1, "maxProperties": 1},
    ]
}
"""A name with its value: `name: value` as a text or a map of one, or `[name, value]`."""


def _named_values() -> Schema:
    named = {**values_by_name(TEXTS.schema()), "propertyNames": {**HEADER_NAME.schema(), "type": "string"}}
    return {"anyOf": [named, {"type": "array", "items": _PAIR}]}


HEADERS: By[Headers] = By(headers_of, _named_values)
SENT: By[tuple[str, ...]] = By(sent_cookies, {"anyOf": [values_by_name(TEXTS.schema()), TEXTS.schema()]})
SET: By[tuple[str, ...]] = By(set_cookies, {"anyOf": [values_by_name(ANYTHING), TEXTS.schema()]})

# bodies ----------------------------------------------------------------------------------------------------------


def _form(node: Node, reader: Reader) -> bytes | None:
    pairs = _pairs(node, reader, "a form")
    return None if pairs is None else urlencode(pairs).encode()


def _pairs(node: Node, reader: Reader, what: str) -> list[tuple[str, str]] | None:
    if isinstance(node, Mapping):
        return [(key.text, text) for key, value in node for text in texts_of(value, reader) or ()]
    if isinstance(node, Sequence):
        read = (_form_pair(one, reader) for one in node)
        return [pair for pair in read if pair is not None]
    reader.report("TR103", f"{what} is a map of names to values, but this is {described(node)}", node)
    return None


def _form_pair(node: Node, reader: Reader) -> tuple[str, str] | None:
    if isinstance(node, Scalar) and "=" in node.text:
        name, _, value = node.text.partition("=")
        return name, value
    return _pair(node, reader)


_FILE = Record("a part", {"filename": ANY_TEXT, "type": ANY_TEXT, "text": ANY_TEXT}, docs=DOCS)


def _multipart(node: Node, reader: Reader) -> bytes | None:
    if not isinstance(node, Mapping):
        reader.report("TR103", f"a multipart body is a map of names to parts, but this is {described(node)}", node)
        return None
    parts: list[str] = []
    for key, value in node:
        for one in value.items if isinstance(value, Sequence) else (value,):
            parts.append(_part(key.text, one, reader))
    return ("".join(parts) + f"--{_BOUNDARY}--\r\n").encode()


def _part(name: str, node: Node, reader: Reader) -> str:
    row: Row = (_FILE.read(node, reader) or {}) if isinstance(node, Mapping) else {"text": text_of(node, reader) or ""}
    said = f'form-data; name="{quote(name, safe=" !$&()*+,-./:;<=>?@[]^_`{|}~")}"'
    if "filename" in row:
        said += f'; filename="{row["filename"]}"'
    kind = f"Content-Type: {row['type']}\r\n" if "type" in row else ""
    return f"--{_BOUNDARY}\r\nContent-Disposition: {said}\r\n{kind}\r\n{row.get('text', '')}\r\n"


def _lines(node: Node, reader: Reader) -> bytes | None:
    """Read a list of values, each of which makes a line, or a text as it stands."""
    if isinstance(node, Sequence):
        return "".join(f"{json_of(one).text}\n" for one in node.items).encode()
    found = text_of(node, reader)
    return None if found is None else found.encode()


def _bytes(node: Node, reader: Reader) -> bytes | None:
    found = scalar(node, reader, "base64")
    try:
        return None if found is None else base64.b64decode(found.text, validate=True)
    except (binascii.Error, ValueError):
        reader.report("TR103", "base64 is wanted, but this is none", node)
        return None


_BODIES: Final[dict[str, Any]] = {
    "json": JSON,
    "form": By(_form, {"anyOf": [values_by_name(TEXTS.schema()), {"type": "array", "items": _PAIR}]}),
    "multipart": By(_multipart, lambda: values_by_name(one_or_more({"anyOf": [ANYTHING, _FILE.schema()]}))),
    "ndjson": By(_lines, {"type": [*ANYTHING["type"], "array"]}),
    "csv": ANY_TEXT,
    "text": ANY_TEXT,
    "html": ANY_TEXT,
    "body": ANY_TEXT,
    "base64": By(_bytes, {"type": "string"}),
}


def _body(row: Row, node: Node, reader: Reader) -> Body | None:
    kinds = [kind for kind in _BODIES if kind in row]
    if not kinds:
        return None
    if len(kinds) > 1 and isinstance(node, Mapping):
        at = node.key(kinds[1]) or node
        reader.report("TR504", f"a second body: `{kinds[0]}` stands here already", at, docs=DOCS)
    kind = kinds[0]
    read = row[kind]
    content = read if isinstance(read, bytes) else (read.text if isinstance(read, Json) else str(read)).encode()
    return Body(content=content, content_type=_TYPES[kind])


# messages --------------------------------------------------------------------------------------------------------


def url_of(node: Node, reader: Reader) -> Url | None:
    """Read an address: a full one, or a path on the first host of the policy (left empty here)."""
    found = scalar(node, reader, "an address")
    if found is None:
        return None
    text = found.text
    if text.startswith("/") and not text.startswith("//"):
        path, _, query = text.partition("?")
        return Url(scheme="https", host="", path=path, query=query)
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        advice = "write all of it: `https://www.example.com/path?query`"
        reader.report("TR503", "this is no address", found, advice=advice)
        return None
    return Url(scheme=parts.scheme, host=parts.netloc, path=parts.path or "/", query=parts.query)


_ADDRESS: Final = r"(?:[hH][tT][tT][pP][sS]?://[^/?#]|/(?!/))"
URL: By[Url] = By(url_of, {"type": "string", "pattern": f"^{_ADDRESS}"})
METHOD = By(lambda node, reader: (text_of(node, reader) or "").upper() or None, ANYTHING)
_STATUS: Final = Int(100, 599, "TR112")
REQUEST = Record(
    "a request", {"method": METHOD, "url": URL, "headers": HEADERS, "cookies": SENT, **_BODIES}, ("url",), docs=DOCS
)
ANSWER = Record(
    "what the app answers",
    {"status": _STATUS, "headers": HEADERS, "cookies": SET, "raises": BOOL, **_BODIES},
    docs=DOCS,
)


def request_of(node: Node, reader: Reader) -> Request | None:
    """Read what the client sends. A text alone is an address, or method and address."""
    if isinstance(node, Scalar):
        method, space, rest = node.text.partition(" ")
        short = Scalar(rest if space else node.text, node.plain, node.span)
        url = url_of(short, reader)
        return None if url is None else Request(method=method.upper() if space else "GET", url=url)
    row = REQUEST.read(node, reader)
    if row is None:
        return None
    body = _body(row, node, reader)
    method = row.get("method", "GET" if body is None else "POST")
    return Request(
        method=method, url=row["url"], headers=row.get("headers", ()), cookies=row.get("cookies", ()), body=body
    )


def answer_of(node: Node, reader: Reader) -> tuple[Answer | None] | None:
    """Read what the app answers, in a tuple of one: None in it where the app is never to be reached."""
    if isinstance(node, Scalar):
        if node.text in ("never", "never reached"):
            return (None,)
        if node.text.isdigit():
            status = _STATUS.read(node, reader)
            return None if status is None else (Answer(status=status),)
        reader.report("TR104", f"`{node.text}` is no answer of an app", node, advice="a map, or `never`")
        return None
    row = ANSWER.read(node, reader)
    if row is None:
        return None
    body = _body(row, node, reader)
    return (
        Answer(
            status=row.get("status", 200),
            headers=row.get("headers", ()),
            cookies=row.get("cookies", ()),
            body=body,
            raises=row.get("raises", False),
        ),
    )


_SHORT: Final[Schema] = {"type": "string", "pattern": f"^(?:[^ ]* )?{_ADDRESS}"}
_NO_ANSWER: Final[Schema] = {"enum": ["never", "never reached"]}
REQUEST_SHAPE: By[Request] = By(request_of, lambda: {"anyOf": [_SHORT, REQUEST.schema()]})
ANSWER_SHAPE: By[tuple[Answer | None]] = By(
    answer_of, lambda: {"anyOf": [_NO_ANSWER, _STATUS.schema(), ANSWER.schema()]}
)
