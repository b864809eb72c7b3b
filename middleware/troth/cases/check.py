"""Holding what came of a case against what it expects. Each check yields failures: what was expected, what came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from troth.cases.contents import check_body, check_multipart, check_pairs
from troth.cases.failure import Failure
from troth.cases.heads import check_cookies, check_headers, directives, values_of
from troth.cases.reasons import Reason, fits, number, speaks
from troth.cases.stage import Response, Seen, answered, sent_headers
from troth.cases.values import (
    Answer,
    Case,
    Facts,
    Headers,
    ReasonWanted,
    Request,
    SeenWanted,
    Wanted,
)
from troth.consent.device import COOKIE_NAME
from troth.model.words import RESTRICTING, Action, Thing

_GROWING: Final = frozenset((b"vary", b"cache-control", b"accept-encoding"))
"""Headers of lists that may be given more words without being changed."""


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
    beyond: tuple[Reason, ...] = ()
    """Of a denied exchange: what the reference finds besides. On the wire judging ends with the denial."""
    lines: tuple[Mapping[str, Any], ...]


def failures(case: Case, played: Played) -> Iterator[Failure]:
    """Yield what does not hold."""
    expect = case.expect
    yield from _status(case, played)
    if case.app is None and played.seen is not None:
        yield Failure("app", "never reached", "it was called")
    yield from _seen(expect.seen, played, case)
    if played.response is not None:
        yield from check_headers("headers", expect.headers, played.response.headers)
        yield from check_cookies(expect.cookies, played.response.headers)
        sent = case.app.body.content if case.app is not None and case.app.body is not None else b""
        kind = "".join(values_of(played.response.headers, "content-type")).lower()
        for name, wanted in (("body", expect.body), ("fields", expect.fields), ("records", expect.records)):
            if name != "records" or case.facts is None:
                yield from check_body(name, wanted, played.response.body, sent, kind)
    if case.facts is not None:
        yield from _records(expect.records, case.facts, played.reasons)
    if expect.unchanged is not None:
        yield from _unchanged(case, played)
    yield from _reasons(case, played)
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
    yield from check_headers("app-sees headers", wanted.headers, seen.headers)
    yield from _seen_cookies(wanted, seen)
    sent = case.request.body.content if case.request.body is not None else b""
    yield from check_pairs("app-sees query", wanted.query, seen.query, case.request.url.query.encode())
    yield from check_body("app-sees json", wanted.json, seen.body, sent)
    yield from check_pairs("app-sees form", wanted.form, seen.body, sent)
    yield from check_multipart("app-sees multipart", wanted.multipart, seen.body)
    yield from check_body("app-sees body", wanted.body, seen.body, sent)
    if wanted.unchanged is not None:
        yield from _unchanged_request(wanted.unchanged, played, seen)


def _seen_cookies(wanted: SeenWanted, seen: Seen) -> Iterator[Failure]:
    headers = values_of(seen.headers, "cookie")
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


# records that were given as facts ----------------------------------------------------------------------------------


def _records(wanted: Wanted, facts: Facts, reasons: tuple[Reason, ...]) -> Iterator[Failure]:
    done: dict[str, set[str]] = {}
    for at, (_, subject) in enumerate(facts.records):
        acts = {one.action for one in reasons if one.thing == Thing.RECORD and one.item == at and not one.dry}
        done.setdefault(str(subject), set()).update(acts & RESTRICTING)
    for what, subjects in (("kept", wanted.kept), ("removed", wanted.removed), ("masked", wanted.masked)):
        for subject in subjects:
            came = _became(done[subject]) if subject in done else "none of that subject"
            if came != what:
                yield Failure(f"records {what}", subject, came)


def _became(acts: set[str]) -> str:
    if acts & {Action.WITHHOLD, Action.DENY}:
        return "removed"
    return "masked" if acts else "kept"


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
    return name in _GROWING and directives(before.decode("latin-1")) <= directives(after.decode("latin-1"))


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


def _reasons(case: Case, played: Played) -> Iterator[Failure]:
    reasons = played.reasons
    given = "; ".join(map(str, reasons)) or "none"
    for wanted in case.expect.reasons:
        found = [reason for reason in (*reasons, *played.beyond) if fits(wanted, reason)]
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
