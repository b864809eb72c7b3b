"""Holding what came of a case against what it expects. Each check yields failures: what was expected, what came."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from troth.cases.reasons import Reason, fits, number, speaks
from troth.cases.stage import Response, Seen, answered, sent_headers
from troth.cases.values import (
    Answer,
    Case,
    CookiesWanted,
    Headers,
    HeadersWanted,
    ReasonWanted,
    Request,
    SeenWanted,
    Wanted,
)
from troth.consent.device import COOKIE_NAME

_GROWING: Final = frozenset((b"vary", b"cache-control", b"accept-encoding"))
"""Headers of lists that may be given more words without being changed."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What was expected and what came, in a few words each; `what` names the expectation."""

    what: str
    expected: str
    came: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """All that came of a case. `status` is that of the denial where facts denied it."""

    response: Response | None
    seen: Seen | None
    request: Request
    """What was sent, the browser's cookies included."""
    status: int | None
    denied: bool
    reasons: tuple[Reason, ...]
    lines: tuple[Mapping[str, Any], ...]


def failures(case: Case, played: Played) -> Iterator[Failure]:
    """Yield what does not hold."""
    expect = case.expect
    yield from _status(case, played)
    if case.app is None and played.seen is not None:
        yield Failure("app", "never reached", "it was called")
    yield from _seen(expect.seen, played, case)
    if played.response is not None:
        yield from _headers("headers", expect.headers, played.response.headers)
        yield from _cookies(expect.cookies, played.response.headers)
        sent = case.app.body.content if case.app is not None and case.app.body is not None else b""
        for name, wanted in (("body", expect.body), ("fields", expect.fields), ("records", expect.records)):
            if name != "records" or case.facts is None:
                yield from _body(name, wanted, played.response.body, sent)
    if expect.unchanged is not None:
        yield from _unchanged(case, played)
    yield from _reasons(case, played.reasons)
    if expect.line is not None and bool(played.lines) != expect.line:
        yield Failure("line", "a line" if expect.line else "no line", f"{len(played.lines)} lines")


def _status(case: Case, played: Played) -> Iterator[Failure]:
    wanted = case.expect.status
    if not wanted and case.answers and case.app is not None and case.facts is None and case.expect.denied is None:
        wanted = (str(case.app.status),)
    if wanted and not any(status_fits(one, played.status) for one in wanted):
        yield Failure("status", " or ".join(wanted), str(played.status))
    if case.expect.denied is not None and case.expect.denied != played.denied:
        yield Failure("denied", str(case.expect.denied).lower(), str(played.denied).lower())


def status_fits(wanted: str, status: int | None) -> bool:
    """Whether a status is the one wanted, or of its class."""
    text = str(status)
    return text == wanted or (wanted.endswith("xx") and text[0] == wanted[0])


# headers ---------------------------------------------------------------------------------------------------------


def _headers(what: str, wanted: HeadersWanted, headers: Headers) -> Iterator[Failure]:
    for name, values in wanted.has:
        found = _values(headers, name)
        if not found or (values and not any(_says(one, value) for one in found for value in values)):
            yield Failure(f"{what} has {name}", " or ".join(values) or "any value", ", ".join(found) or "not there")
    for name, values in wanted.absent:
        found = _values(headers, name)
        if found and (not values or any(_says(one, value) for one in found for value in values)):
            yield Failure(f"{what} not {name}", "not there", ", ".join(found))
    for name, values in wanted.exact:
        found = _values(headers, name)
        if found != list(values):
            yield Failure(f"{what} is {name}", ", ".join(values), ", ".join(found) or "not there")


def _values(headers: Headers, name: str) -> list[str]:
    return [value.decode("latin-1") for key, value in headers if key.lower() == name.encode("latin-1", "replace")]


def _says(found: str, wanted: str) -> bool:
    """Whether a header's value is the one wanted, or holds it as one of its directives; in any case of letters."""
    directives = {part.strip().lower() for whole in found.split(",") for part in (whole, *whole.split(";"))}
    return wanted.lower() == found.lower() or wanted.strip().lower() in directives or _has_all(found, wanted)


def _has_all(found: str, wanted: str) -> bool:
    asked = _directives(wanted)
    return len(asked) > 1 and asked <= _directives(found)


def _directives(text: str) -> set[str]:
    return {part.strip().lower() for whole in text.split(",") for part in whole.split(";") if part.strip()}


# cookies ---------------------------------------------------------------------------------------------------------


def _cookies(wanted: CookiesWanted, headers: Headers) -> Iterator[Failure]:
    lines = _values(headers, "set-cookie")
    expired = [line for line in lines if _expires(line)]
    live = [line for line in lines if line not in expired]
    values = {_name(line): line.partition(";")[0].partition("=")[2] for line in live}
    for name, value in wanted.set:
        if name not in values or value not in (None, values[name]):
            yield Failure(f"cookies set {name}", value or "set", values.get(name, "not set"))
    for name in wanted.absent:
        if name in values:
            yield Failure(f"cookies not-set {name}", "not set", "set")
    for name in wanted.expired:
        if name not in map(_name, expired):
            yield Failure(f"cookies expired {name}", "expired", "set" if name in values else "not mentioned")
    for line in wanted.exact:
        if line not in lines:
            yield Failure("cookies exact", line, " | ".join(lines) or "none")
    names = [_name(line) for line in live if _name(line) != COOKIE_NAME or COOKIE_NAME in (wanted.only or ())]
    if wanted.only is not None and names != list(wanted.only):
        yield Failure("cookies only", ", ".join(wanted.only) or "none", ", ".join(names) or "none")
    yield from _attributes(wanted, live)


def _attributes(wanted: CookiesWanted, live: list[str]) -> Iterator[Failure]:
    held = {_name(line): {part.strip().lower() for part in line.split(";")[1:]} for line in live}
    for name, asked in wanted.has:
        missing = [one for one in asked if one.lower() not in held.get(name, set())]
        if missing:
            yield Failure(f"cookies with {name}", ", ".join(missing), ", ".join(sorted(held.get(name, ()))) or "not set")
    for name, refused in wanted.lacks:
        names = {one.partition("=")[0] for one in held.get(name, ())} | held.get(name, set())
        there = [one for one in refused if one.lower() in names]
        if there:
            yield Failure(f"cookies without {name}", "not there", ", ".join(there))


def _name(line: str) -> str:
    return line.partition(";")[0].partition("=")[0].strip()


def _expires(line: str) -> bool:
    attributes = [part.strip().lower() for part in line.split(";")[1:]]
    return "max-age=0" in attributes or any(one.startswith("expires=thu, 01 jan 1970") for one in attributes)


# bodies ----------------------------------------------------------------------------------------------------------

_NO_JSON: Final = object()


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return _NO_JSON


def _body(what: str, wanted: Wanted, body: bytes, sent: bytes) -> Iterator[Failure]:
    value, text = _parsed(body), body.decode("utf-8", "replace")
    yield from _parts(what, wanted, value, text, _parsed(sent))
    for exact in wanted.exact:
        if text != exact:
            yield Failure(what, exact, text)
    for one in wanted.json:
        if value is _NO_JSON or value != one:
            yield Failure(f"{what} json", _shown(one), text)
    for piece in wanted.contains:
        if piece not in text:
            yield Failure(f"{what} contains", piece, text)
    for piece in wanted.lacks:
        if piece in text:
            yield Failure(f"{what} lacks", f"without {piece}", text)
    if wanted.empty is not None and wanted.empty != (not body):
        yield Failure(f"{what} empty", str(wanted.empty).lower(), text or "nothing")
    if wanted.unchanged is not None and wanted.unchanged != (body == sent):
        yield Failure(f"{what} unchanged", str(wanted.unchanged).lower(), text)


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


# what the app saw ------------------------------------------------------------------------------------------------


def _seen(wanted: SeenWanted, played: Played, case: Case) -> Iterator[Failure]:
    seen = played.seen
    if wanted.called is not None and wanted.called != (seen is not None):
        yield Failure("app-sees called", str(wanted.called).lower(), "called" if seen is not None else "never called")
    if seen is None:
        if wanted != SeenWanted() and wanted.called is not False:
            yield Failure("app-sees", "a request", "never called")
        return
    if wanted.method is not None and wanted.method != seen.method:
        yield Failure("app-sees method", wanted.method, seen.method)
    yield from _headers("app-sees headers", wanted.headers, seen.headers)
    yield from _seen_cookies(wanted, seen)
    sent = case.request.body.content if case.request.body is not None else b""
    yield from _pairs("app-sees query", wanted.query, seen.query, case.request.url.query.encode())
    yield from _body("app-sees json", wanted.json, seen.body, sent)
    yield from _pairs("app-sees form", wanted.form, seen.body, sent)
    yield from _multipart("app-sees multipart", wanted.multipart, seen.body)
    yield from _body("app-sees body", wanted.body, seen.body, sent)
    if wanted.unchanged is not None:
        yield from _unchanged_request(wanted.unchanged, played, seen)


def _seen_cookies(wanted: SeenWanted, seen: Seen) -> Iterator[Failure]:
    headers = _values(seen.headers, "cookie")
    pairs = [piece.strip().partition("=") for header in headers for piece in header.split(";")]
    held = {name: value for name, _, value in pairs}
    for name, value in wanted.cookies:
        if name not in held or value not in (None, held[name]):
            yield Failure(f"app-sees cookies {name}", value or "there", held.get(name, "not there"))
    for name in wanted.absent_cookies:
        if name in held:
            yield Failure(f"app-sees not-cookies {name}", "not there", "there")
    names = [name for name, _, _ in pairs if name and name != COOKIE_NAME]
    if wanted.only_cookies is not None and names != list(wanted.only_cookies):
        yield Failure("app-sees only-cookies", ", ".join(wanted.only_cookies) or "none", ", ".join(names) or "none")
    if wanted.cookie_header is not None:
        without = [text for text in map(_without_consent, headers) if text]
        if without != [text for text in wanted.cookie_header if text]:
            yield Failure("app-sees cookie-header", " | ".join(wanted.cookie_header), " | ".join(without) or "none")


def _without_consent(header: str) -> str:
    pieces = header.split("; ")
    return "; ".join(piece for piece in pieces if not piece.startswith(f"{COOKIE_NAME}="))


def _pairs(what: str, wanted: Wanted, found: bytes, sent: bytes) -> Iterator[Failure]:
    pairs, before = _split(found), _split(sent)
    names = {name for name, _ in pairs}
    for name in wanted.kept:
        if name not in names:
            yield Failure(f"{what} with", name, found.decode("latin-1"))
    for name in wanted.removed:
        if name in names:
            yield Failure(f"{what} without", name, found.decode("latin-1"))
    for name in wanted.masked:
        if name not in names or any(pair in before for pair in pairs if pair[0] == name):
            yield Failure(f"{what} masked", name, found.decode("latin-1"))
    for exact in wanted.exact:
        if found.decode("latin-1") != exact:
            yield Failure(what, exact or "nothing", found.decode("latin-1") or "nothing")
    for value in wanted.json:
        if dict(pairs) != value:
            yield Failure(what, _shown(value), found.decode("latin-1"))
    if wanted.unchanged is not None and wanted.unchanged != (found == sent):
        yield Failure(f"{what} unchanged", str(wanted.unchanged).lower(), found.decode("latin-1"))


def _split(raw: bytes) -> list[tuple[str, str]]:
    return parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True)


def _multipart(what: str, wanted: Wanted, body: bytes) -> Iterator[Failure]:
    for name in wanted.kept:
        if b'name="%s"' % name.encode() not in body:
            yield Failure(f"{what} with", name, "not there")
    for name in wanted.removed:
        if b'name="%s"' % name.encode() in body:
            yield Failure(f"{what} without", name, "there")


# unchanged -------------------------------------------------------------------------------------------------------


def _unchanged(case: Case, played: Played) -> Iterator[Failure]:
    wanted = case.expect.unchanged
    answer = case.app or Answer()
    changes = list(_changes(answer, played.response, case.request.method))
    if wanted and changes:
        yield Failure("unchanged", "what the app answered", "; ".join(changes))
    if not wanted and not changes:
        yield Failure("unchanged", "some change", "what the app answered")
    if wanted and played.seen is not None:
        yield from _unchanged_request(True, played, played.seen)


def _changes(answer: Answer, response: Response | None, method: str) -> Iterator[str]:
    if response is None:
        yield "no answer"
        return
    if response.status != answer.status:
        yield f"status {response.status}"
    content = answer.body.content if answer.body is not None and method != "HEAD" else b""
    if response.body != content:
        yield f"body {response.body.decode('utf-8', 'replace')}"
    yield from _lost(answered(answer), response.headers)


def _lost(before: Headers, after: Headers) -> Iterator[str]:
    """Yield the headers that are no longer there, or no longer in their order."""
    rest = iter(after)
    for name, value in before:
        if not any(name == key and _same(name, value, found) for key, found in rest):
            yield f"header {name.decode('latin-1')}"
            rest = iter(after)


def _same(name: bytes, before: bytes, after: bytes) -> bool:
    if before == after:
        return True
    return name in _GROWING and _directives(before.decode("latin-1")) <= _directives(after.decode("latin-1"))


def _unchanged_request(wanted: bool, played: Played, seen: Seen) -> Iterator[Failure]:
    request = played.request
    before = sent_headers(request)
    changes = [f"header {name}" for name in _gone(before, seen.headers)]
    if seen.query != request.url.query.encode():
        changes.append("query")
    if seen.body != (request.body.content if request.body is not None else b""):
        changes.append("body")
    if wanted and changes:
        yield Failure("app-sees unchanged", "what the client sent", "; ".join(changes))
    if not wanted and not changes:
        yield Failure("app-sees unchanged", "some change", "what the client sent")


def _gone(before: Headers, after: Headers) -> list[str]:
    left = [pair for pair in before if pair not in after and pair[0] != b"accept-encoding"]
    return [name.decode("latin-1") for name, _ in left]


# reasons ---------------------------------------------------------------------------------------------------------


def _reasons(case: Case, reasons: tuple[Reason, ...]) -> Iterator[Failure]:
    given = "; ".join(map(str, reasons)) or "none"
    for wanted in case.expect.reasons:
        found = [reason for reason in reasons if fits(wanted, reason)]
        if not found:
            yield Failure("reasons", str(wanted), given)
        elif wanted.n is not None and number(found) != wanted.n:
            yield Failure("reasons", str(wanted), f"{number(found)}: {'; '.join(map(str, found))}")
    if case.expect.nothing:
        for reason in filter(speaks, reasons):
            yield Failure("no-reason", "none", str(reason))
    for refused in case.expect.no_reason:
        yield from _refused(refused, reasons)


def _refused(refused: ReasonWanted, reasons: tuple[Reason, ...]) -> Iterator[Failure]:
    for reason in reasons:
        if fits(refused, reason) and (speaks(reason) or refused.action is not None):
            yield Failure("no-reason", f"not {refused}", str(reason))
