"""Prints an exchange in two columns: what left one side, and what came out on the other."""

from __future__ import annotations

import difflib
import json
import shutil
from collections.abc import Iterable, Iterator

from example_app.demo.wire import Answer, Exchange, Headers, Inside, Request, cookie_pairs

Row = tuple[str, str, str]
"""A mark, what was sent, what arrived."""
WITHHELD = "(withheld)"
_SAME, _GONE, _NEW, _CHANGED = " ", "-", "+", "~"
_DULL = frozenset({"date", "server", "content-length", "content-type", "transfer-encoding", "connection"})
_WIDEST = 190
_AROUND = 6
"""Lines that agree and are shown on either side of ones that do not."""


def exchange(origin: str, shown: Exchange) -> Iterator[str]:
    """The lines for one exchange: the curl line, the request's two sides, the answer's two sides."""
    yield f"  $ {shown.request.curl(origin)}"
    yield ""
    if shown.inside is None:
        yield f"    the shop was not asked; HTTP {shown.arrived.status} arrived at the browser"
        yield from _columns("", "arrived at the browser", [(_NEW, "", line) for line in _head(shown.arrived)])
        return
    yield from _columns("sent by the browser", "seen by the shop", request_rows(shown.request, shown.inside))
    yield from _columns("sent by the shop", "arrived at the browser", answer_rows(shown.inside.answer, shown.arrived))


def request_rows(request: Request, inside: Inside) -> list[Row]:
    """Request line, cookies and body, side by side."""
    first = f"{request.method} {request.path}"
    sent = cookie_pairs(request.cookies)
    rows: list[Row] = [(_SAME, first, f"{inside.method} {inside.path}, in worker {inside.worker}")]
    for name, value in sent.items():
        kept = inside.cookies.get(name)
        rows.append(_row(f"Cookie: {name}={value}", None if kept is None else f"Cookie: {name}={kept}"))
    if request.body and not inside.body:
        return [*rows, (_GONE, request.body, "(not read)")]
    return [*rows, *_body_rows(request.body.encode(), inside.body)]


def answer_rows(sent: Answer, arrived: Answer) -> list[Row]:
    """Status, headers and body, side by side; headers that say nothing about people are left out."""
    rows = [_row(f"HTTP {sent.status}", f"HTTP {arrived.status}")]
    left = list(_telling(arrived.headers))
    for name, value in _telling(sent.headers):
        match = _partner(name, value, left)
        if match is not None:
            left.remove(match)
        rows.append(_row(f"{name}: {value}", match and f"{match[0]}: {match[1]}"))
    rows += [(_NEW, "", f"{name}: {value}") for name, value in left]
    return [*rows, *_body_rows(sent.body, arrived.body)]


def _partner(name: str, value: str, arrived: Headers | list[tuple[str, str]]) -> tuple[str, str] | None:
    same = [
        pair for pair in arrived if pair[0] == name and (name != "set-cookie" or _cookie(pair[1]) == _cookie(value))
    ]
    return next((pair for pair in same if pair[1] == value), same[0] if same else None)


def _cookie(value: str) -> str:
    return value.partition("=")[0]


def _telling(headers: Headers) -> Iterator[tuple[str, str]]:
    return ((name.lower(), value) for name, value in headers if name.lower() not in _DULL)


def _head(arrived: Answer) -> Iterator[str]:
    return (f"{name}: {value}" for name, value in _telling(arrived.headers))


def _row(sent: str, arrived: str | None) -> Row:
    if arrived is None:
        return (_GONE, sent, WITHHELD)
    return (_SAME if arrived == sent else _CHANGED, sent, arrived)


def _body_rows(sent: bytes, arrived: bytes) -> list[Row]:
    if not sent and not arrived:
        return []
    before, after = _lines(sent), _lines(arrived)
    if before is None or after is None:
        same = "the same bytes" if sent == arrived else f"{len(arrived)} bytes, not the same"
        return [(_SAME if sent == arrived else _CHANGED, f"{len(sent)} bytes of body", same)]
    return list(_matched(before, after))


def _lines(body: bytes) -> list[str] | None:
    try:
        return json.dumps(json.loads(body), indent=1, ensure_ascii=False).split("\n") if body else []
    except ValueError:
        return body.decode().split("&") if body.isascii() and b"<" not in body else None


def _matched(before: list[str], after: list[str]) -> Iterator[Row]:
    left, right = ([line.rstrip(",") for line in lines] for lines in (before, after))
    for tag, a, b, c, d in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from _shortened(list(zip(before[a:b], after[c:d], strict=True)))
        else:
            yield from ((_GONE, sent, WITHHELD) for sent in before[a:b])
            yield from ((_NEW, "", arrived) for arrived in after[c:d])


def _shortened(same: list[tuple[str, str]]) -> Iterator[Row]:
    hidden = len(same) - 2 * _AROUND
    if hidden < _AROUND:
        yield from ((_SAME, sent, arrived) for sent, arrived in same)
        return
    yield from _shortened(same[:_AROUND])
    yield (_SAME, f"… {hidden} lines", "… the same")
    yield from _shortened(same[-_AROUND:])


def _columns(left: str, right: str, rows: Iterable[Row]) -> Iterator[str]:
    width = (min(shutil.get_terminal_size((150, 40)).columns, _WIDEST) - 9) // 2
    yield f"    {left:<{width}} | {right}"
    yield f"    {'-' * width}-+-{'-' * width}"
    for mark, sent, arrived in rows:
        yield f"  {mark} {_cut(sent, width):<{width}} | {_cut(arrived, width)}".rstrip()
    yield ""


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 12]}…{text[-11:]}"
