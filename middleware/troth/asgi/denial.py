"""Answers that Troth gives itself: a refusal as a small page or a problem document, a redirect to https."""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import quote

import msgspec

from troth._types import ASGIApp, HeaderList, Message, Scope, Send
from troth.errors import HookError
from troth.model.findings import Denial
from troth.runtime.hooks import Hook
from troth.runtime.runtime import PREFIX

_LOG: Final = logging.getLogger("troth")
_HOST: Final = re.compile(rb"([A-Za-z0-9._\-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?")
_UNSAFE: Final = re.compile(rb"[\x00-\x20\x7f-\xff\\<>\"^`{|}]")
_NO_STORE: Final = (b"cache-control", b"no-store")


def wants_html(headers: HeaderList) -> bool:
    """Whether the client prefers a page: ``text/html`` stands in `Accept`, and no JSON type before it."""
    accept = b",".join(value for name, value in headers if name == b"accept").lower()
    page = accept.find(b"text/html")
    other = accept.find(b"json")
    return page >= 0 and not 0 <= other < page


def problem(
    status: int, *, title: str, headers: HeaderList, link: str, rule: str | None = None, clause: str | None = None
) -> tuple[HeaderList, bytes]:
    """Return headers and body of a refusal. They name rule and clause, link to the policy, and hold no value."""
    if wants_html(headers):
        cited = f"<p>Rule <code>{html.escape(rule)}</code>, clause {html.escape(clause or '')}.</p>" if rule else ""
        body = (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
            f"<h1>{html.escape(title)}</h1>{cited}"
            f'<p><a href="{html.escape(link, quote=True)}">The privacy policy</a></p></html>'
        ).encode()
        kind = b"text/html; charset=utf-8"
    else:
        document = {"type": "about:blank", "title": title, "status": status, "policy": link}
        if rule is not None:
            document |= {"rule": rule, "clause": clause or ""}
        body = msgspec.json.encode(document)
        kind = b"application/problem+json"
    return [(b"content-type", kind), (b"content-length", b"%d" % len(body)), _NO_STORE], body


def policy_link(scope: Scope) -> str:
    """Return the path of the policy text under the app's own root."""
    return f"{scope.get('root_path', '').rstrip('/')}{PREFIX}/policy"


def refusal(
    denial: Denial, scope: Scope, headers: HeaderList, *, title: str | None = None
) -> tuple[int, HeaderList, bytes]:
    """Return status, headers and body for a denial. A request that names no host cannot be redirected: 403."""
    if denial.status == 308:
        target = _secure_url(scope, headers)
        if target is not None:
            return 308, [(b"location", target), (b"content-length", b"0"), _NO_STORE], b""
        denial = replace(denial, status=403)
    first = denial.findings[0] if denial.findings else None
    title = title or _title(denial.status)
    given, body = problem(
        denial.status,
        title=title,
        headers=headers,
        link=policy_link(scope),
        rule=first.rule if first else None,
        clause=", ".join(first.clauses) if first else None,
    )
    return denial.status, given, body


def _title(status: int) -> str:
    if status == 403:
        return "Withheld by the privacy policy"
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Refused by the privacy policy"


def _secure_url(scope: Scope, headers: HeaderList) -> bytes | None:
    """Return where the request is served over https; None where its `Host` is none."""
    host = next((value for name, value in headers if name == b"host"), b"")
    found = _HOST.fullmatch(host)
    if found is None:
        return None
    path: bytes = scope.get("raw_path") or quote(scope.get("path", "/")).encode("ascii")
    query: bytes = scope.get("query_string", b"")
    target = b"https://" + found[1] + path + (b"?" + query if query else b"")
    return _UNSAFE.sub(lambda odd: b"%%%02X" % odd[0][0], target)


async def answer(send: Send, status: int, headers: HeaderList, body: bytes, *, head_only: bool = False) -> None:
    """Send one whole response."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head_only else body, "more_body": False})


# A hook of the app in place of the page ------------------------------------------------------------------------------


async def deny(
    denial: Denial, scope: Scope, headers: HeaderList, send: Send, *, hook: Hook | None, title: str | None = None
) -> None:
    """Send a denial: by the hook of the app where there is one, else, or where it fails, as the built-in page.

    A redirect to https is never the hook's: there is nothing to show.
    """
    head_only = scope["method"] == "HEAD"
    if hook is not None and not denial.redirect:
        told = await _told(hook, denial, scope)
        if callable(told):
            if await _served(told, scope, send):
                return
        elif told is not None:
            await answer(send, *told, head_only=head_only)
            return
    await answer(send, *refusal(denial, scope, headers, title=title), head_only=head_only)


async def denial_page(
    denial: Denial, scope: Scope, headers: HeaderList, hook: Hook | None
) -> tuple[int, HeaderList, bytes]:
    """Return the answer to a denied handshake: that of the hook if it gives one whole, else the built-in page."""
    told = None if hook is None or denial.redirect else await _told(hook, denial, scope)
    return refusal(denial, scope, headers) if told is None or callable(told) else told


Told = ASGIApp | tuple[int, HeaderList, bytes] | None


async def _told(hook: Hook, denial: Denial, scope: Scope) -> Told:
    """Ask the hook; None where it fails or answers with what is no answer."""
    first = denial.findings[0] if denial.findings else None
    about = {
        "status": denial.status,
        "rule": first.rule if first else None,
        "clauses": list(first.clauses) if first else [],
    }
    try:
        told = await hook.call(scope, about)
        if callable(told):
            return cast("ASGIApp", told)
        status, headers, body = told
        return _whole(status, headers, body)
    except (HookError, TypeError, ValueError, AttributeError) as cause:
        _LOG.warning("hook %s gave no answer to a denial (%s)", hook.name, type(cause).__name__)
        return None


def _whole(status: Any, headers: Any, body: Any) -> tuple[int, HeaderList, bytes]:
    """Check what a hook gave, and complete it: its length, and that it is not to be stored."""
    if type(status) is not int or not 200 <= status <= 599:
        raise ValueError("no status")
    content = body.encode() if isinstance(body, str) else bytes(body)
    given = headers.items() if isinstance(headers, Mapping) else headers
    kept = [(_bytes(name).lower(), _bytes(value)) for name, value in given]
    kept = [pair for pair in kept if pair[0] != b"content-length"]
    if not any(name == b"cache-control" for name, _ in kept):
        kept.append(_NO_STORE)
    return status, [*kept, (b"content-length", b"%d" % len(content))], content


def _bytes(text: Any) -> bytes:
    return text.encode("latin-1") if isinstance(text, str) else bytes(text)


async def _served(app: ASGIApp, scope: Scope, send: Send) -> bool:
    """Let an app of the hook answer. False if it fails before it has begun; later failures are its own to explain."""
    begun = False

    async def nothing() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def sent(message: Message) -> None:
        nonlocal begun
        begun = True
        await send(message)

    try:
        await app(scope, nothing, sent)
    except Exception as cause:
        if begun:
            raise
        _LOG.warning("the app of a denial failed (%s)", type(cause).__name__)
    return begun
