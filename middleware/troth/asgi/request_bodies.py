"""The body of a request: the values that the binding reads there, its records, its fields, and what goes from it."""

from __future__ import annotations

import json
from typing import Final

from troth._types import Receive, Scope
from troth.asgi import request_records
from troth.asgi.bodies import Held, Read, Watch, read_body
from troth.asgi.inbound import people_in_request, report_fields
from troth.asgi.judging import Judging
from troth.asgi.request import JSON, Head, agreed, body_kind, proven_party
from troth.asgi.request_records import Judged
from troth.asgi.writes import Writes
from troth.errors import UnreadableBody
from troth.filters import coding
from troth.model.binding import Limits, Source
from troth.model.facts import Direction
from troth.model.words import UNDECLARED

_IN_BODY: Final = "body"
_WITHOUT_BODY: Final = frozenset(("GET", "HEAD"))
_PLAIN: Final = frozenset((b"", b"identity"))
_OPENING: Final = frozenset((b"{", b"["))


def kind_of(judging: Judging, head: Head) -> str:
    """Return which reader the body needs. Rows are read as JSON is, where the route binds records of the request."""
    kind = body_kind(head.content_type)
    return JSON if not kind and request_records.in_rows(judging, head) else kind


def may_be_json(head: Head, scope: Scope) -> bool:
    """Whether a body of no type that is read may be there, which an app could read as JSON all the same."""
    announced = bool(head.length or head.content_type) or str(scope.get("http_version", "1.1")).startswith("1")
    return announced or scope["method"] not in _WITHOUT_BODY


async def is_json(held: Held, receive: Receive, head: Head, limit: int) -> bool:
    """Hold as much of such a body as tells whether it is JSON: an app that does not ask for the type would read it.

    A body of which only the beginning was held passes on as it comes. Raises UnreadableBody where two types are named.
    """
    if b"," in head.content_type.partition(b";")[0]:
        raise UnreadableBody("malformed")
    if head.encoding in _PLAIN:
        begun = await held.begin(receive, limit)
        if begun[:1] not in _OPENING and not (held.too_large and not begun):
            held.too_large = False
            return False
    await held.fill(receive, limit)
    if held.too_large and head.encoding not in _PLAIN:
        held.too_large = False
        return False
    return held.too_large or _reads_as_json(held.body(), head.encoding, limit)


def _reads_as_json(raw: bytes, encoding: bytes, limit: int) -> bool:
    """Whether some reader makes JSON of it: Python's takes more than the standard, and guesses the encoding.

    It is made to take what others take: bytes of no charset, control characters, numbers of any length.
    """
    try:
        body = coding.decode(raw, encoding or None, limit=limit)
        text = body.decode(json.detect_encoding(body), "replace")
        return isinstance(json.loads(text, parse_int=str, strict=False), dict | list)
    except (ValueError, UnreadableBody):
        return False
    except RecursionError:
        return True


def _read(judging: Judging, kind: str, raw: bytes, head: Head, limits: Limits) -> Read:
    if request_records.in_rows(judging, head):
        return Read(coding.decode(raw, head.encoding or None, limit=limits.hold_request))
    return read_body(
        kind, raw, head.content_type, head.encoding, limits.hold_request, judging.site.tagging(judging.x.route),
        judging.x.now.date(), judging.known, Direction.REQUEST,
    )  # fmt: skip


async def request_body(
    judging: Judging, scope: Scope, kind: str, raw: bytes, head: Head, limits: Limits, writes: Writes | None = None
) -> bytes | None:
    """Read a held body: what it says about subject and ages, what it records, its fields. Returns it edited, or None.

    Raises UnreadableBody where it cannot be read, or where a part that must go cannot be taken out.
    """
    x = judging.x
    body = _read(judging, kind, raw, head, limits)
    _values_of_body(judging, scope, body)
    await people_in_request(judging, scope, body)
    records = await request_records.find(judging, kind, body, head)
    x.body_pending = False
    if writes is not None:
        writes.read(body)
    judging.again()
    _tell_unread(judging, body, records)
    if records is not None:
        return records.judge(body.fields)
    edits = report_fields(judging, body.fields)
    return body.edit(edits) if edits else None


async def watched(judging: Judging, kind: str, watch: Watch, head: Head, limits: Limits) -> None:
    """Tag a body that passed by. It was given to the app already: rules see it, nothing is taken out."""
    x = judging.x
    x.body_pending = False
    if not watch.complete:
        judging.inspect["request"] = "partial"
        return
    try:
        body = _read(judging, kind, watch.body(), head, limits)
        records = await request_records.find(judging, kind, body, head)
    except UnreadableBody as cause:
        judging.inspect["request"] = cause.reason
        x.request_unreadable = True
        return
    judging.again()
    _tell_unread(judging, body, records)
    if records is not None:
        records.judge(body.fields)
    else:
        report_fields(judging, body.fields)


def _tell_unread(judging: Judging, body: Read, records: Judged | None) -> None:
    """Say on the line that the content of files was not read."""
    if body.files() and not (records is not None and records.whole):
        judging.inspect["request"] = "partial"


def _values_of_body(judging: Judging, scope: Scope, body: Read) -> None:
    """Take purpose, party and topic from the body where the binding says that they stand there."""
    x = judging.x
    route = x.route
    if route is None:
        return
    if isinstance(route.purpose, Source) and route.purpose.place == _IN_BODY:
        given = body.value(route.purpose.name)
        x.purpose = given if given and given in judging.site.policy.purposes else UNDECLARED
    if isinstance(route.party, Source) and route.party.place == _IN_BODY:
        named = body.value(route.party.name)
        named = named if named and named in judging.site.policy.parties else UNDECLARED
        x.party = agreed(proven_party(judging.site, scope), named)
    if isinstance(route.topic, Source) and route.topic.place == _IN_BODY:
        topic = body.value(route.topic.name)
        x.bound = {} if topic is None else {"topic": topic}


__all__ = ["is_json", "kind_of", "may_be_json", "request_body", "watched"]
