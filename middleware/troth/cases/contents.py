"""Checks of bodies and query strings: what is kept, removed, masked, exact."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qsl

from troth.cases.failure import Failure
from troth.cases.values import Wanted

# bodies ----------------------------------------------------------------------------------------------------------

_NO_JSON: Final = object()


def _parsed(body: bytes, kind: str) -> Any:
    """Return a body as a value: JSON, or the list of its rows; of CSV mappings of names to texts that are not empty."""
    try:
        if "csv" in kind:
            return _rows(body.decode("utf-8-sig"))
        if "ndjson" in kind or "jsonl" in kind:
            return [json.loads(line) for line in body.split(b"\n") if line.strip()]
        return json.loads(body)
    except (ValueError, csv.Error):
        return _NO_JSON


def _rows(text: str) -> list[dict[str, str]]:
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    return [{name: cell for name, cell in row.items() if name and cell} for row in reader]


def check_body(what: str, wanted: Wanted, body: bytes, sent: bytes, kind: str = "") -> Iterator[Failure]:
    """Check a body of the content type `kind` against what it should hold; `sent` is what it was before."""
    value, text = _parsed(body, kind), body.decode("utf-8", "replace")
    yield from _parts(what, wanted, value, text, _parsed(sent, kind))
    yield from (Failure(what, exact, text) for exact in wanted.exact if text != exact)
    for one in wanted.json:
        if value is _NO_JSON or value != one:
            yield Failure(f"{what} json", _shown(one), text)
    yield from (Failure(f"{what} contains", piece, text) for piece in wanted.contains if piece not in text)
    yield from (Failure(f"{what} lacks", f"without {piece}", text) for piece in wanted.lacks if piece in text)
    yield from _flag(f"{what} empty", wanted.empty, not body, text)
    yield from _flag(f"{what} unchanged", wanted.unchanged, body == sent, text)


def _flag(what: str, wanted: bool | None, came: bool, text: str) -> Iterator[Failure]:
    if wanted is not None and wanted != came:
        yield Failure(what, str(wanted).lower(), text or "nothing")


def _parts(what: str, wanted: Wanted, value: Any, text: str, before: Any) -> Iterator[Failure]:
    """Check names and values that are kept, removed, masked. A name is a member's, or a value's own text."""
    for name in wanted.kept:
        if not _holds(value, text, name):
            yield Failure(f"{what} with", name, text)
    for name in wanted.removed:
        if _holds(value, text, name):
            yield Failure(f"{what} without", name, text)
    for name in wanted.masked:
        now, then = _at(value, name), _at(before, name)
        if not now or any(one in then for one in now if one is not None):
            yield Failure(f"{what} masked", name, text)


def _holds(value: Any, text: str, name: str) -> bool:
    if value is _NO_JSON:
        return name in text
    return bool(_at(value, name)) or (not name.startswith("$") and name in _scalars(value))


def _at(value: Any, name: str) -> list[Any]:
    """Return the values under a member's name at any depth, or at a path such as ``$.a[*].b``."""
    if name.startswith("$"):
        return list(_follow(value, [step for step in name[1:].replace("[", ".[").split(".") if step]))
    found = []
    for member, inner in _members(value):
        if member == name:
            found.append(inner)
    return found


def _follow(value: Any, steps: list[str]) -> Iterator[Any]:
    if not steps:
        yield value
        return
    step, rest = steps[0].strip("[]"), steps[1:]
    if isinstance(value, list):
        chosen = value if step == "*" else [value[int(step)]] if step.isdigit() and int(step) < len(value) else []
    elif isinstance(value, dict):
        chosen = list(value.values()) if step == "*" else [value[step]] if step in value else []
    else:
        chosen = []
    for one in chosen:
        yield from _follow(one, rest)


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name, inner
            yield from _members(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _members(inner)


def _scalars(value: Any) -> set[str]:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return {text for one in inner for text in _scalars(one)}
    return {value if isinstance(value, str) else json.dumps(value)}


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def check_pairs(what: str, wanted: Wanted, found: bytes, sent: bytes) -> Iterator[Failure]:
    """Check a query string or a form as `check_body` checks a body."""
    pairs, before, text = _split(found), _split(sent), found.decode("latin-1")
    names = {name for name, _ in pairs}
    yield from (Failure(f"{what} with", name, text) for name in wanted.kept if name not in names)
    yield from (Failure(f"{what} without", name, text) for name in wanted.removed if name in names)
    for name in wanted.masked:
        if name not in names or any(pair in before for pair in pairs if pair[0] == name):
            yield Failure(f"{what} masked", name, text)
    yield from (Failure(what, exact or "nothing", text or "nothing") for exact in wanted.exact if text != exact)
    yield from (Failure(what, _shown(value), text) for value in wanted.json if dict(pairs) != value)
    yield from _flag(f"{what} unchanged", wanted.unchanged, found == sent, text)


def _split(raw: bytes) -> list[tuple[str, str]]:
    return parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True)


def check_multipart(what: str, wanted: Wanted, body: bytes) -> Iterator[Failure]:
    """Check which parts a multipart body has."""
    for name in wanted.kept:
        if b'name="%s"' % name.encode() not in body:
            yield Failure(f"{what} with", name, "not there")
    for name in wanted.removed:
        if b'name="%s"' % name.encode() in body:
            yield Failure(f"{what} without", name, "there")
