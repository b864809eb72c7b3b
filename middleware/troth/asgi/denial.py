"""Answers that Troth gives itself: a refusal as a small page or a problem document, a redirect to https."""

from __future__ import annotations

import html
from http import HTTPStatus
from typing import Final

import msgspec

from troth._types import HeaderList, Scope, Send
from troth.model.findings import Denial
from troth.runtime.runtime import PREFIX

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


def refusal(denial: Denial, scope: Scope, headers: HeaderList) -> tuple[int, HeaderList, bytes]:
    """Return status, headers and body for a denial."""
    if denial.status == 308:
        return 308, [(b"location", _secure_url(scope, headers)), (b"content-length", b"0"), _NO_STORE], b""
    first = denial.findings[0] if denial.findings else None
    title = "Withheld by the privacy policy" if denial.status == 403 else HTTPStatus(denial.status).phrase
    given, body = problem(
        denial.status,
        title=title,
        headers=headers,
        link=policy_link(scope),
        rule=first.rule if first else None,
        clause=", ".join(first.clauses) if first else None,
    )
    return denial.status, given, body


def _secure_url(scope: Scope, headers: HeaderList) -> bytes:
    host = next((value for name, value in headers if name == b"host"), b"")
    name = host if host.startswith(b"[") else host.partition(b":")[0]
    path: bytes = scope.get("raw_path") or scope.get("path", "/").encode("utf-8")
    query: bytes = scope.get("query_string", b"")
    return b"https://" + name + path + (b"?" + query if query else b"")


async def answer(send: Send, status: int, headers: HeaderList, body: bytes, *, head_only: bool = False) -> None:
    """Send one whole response."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head_only else body, "more_body": False})
