"""What people see where the policy says no: the way to sign in, or a page of the shop that names the clause."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader
from starlette.datastructures import URL, Headers
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

_PAGES = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True)
_FRESH = {"cache-control": "no-store"}


def denied(scope: MutableMapping[str, Any], about: Mapping[str, Any]) -> Response:
    """The answer to a request that the policy refuses; `about` names status, rule and clauses."""
    headers, status, clauses = Headers(scope=scope), int(about["status"]), list(about["clauses"])
    if "text/html" not in headers.get("accept", ""):
        told = {"error": "The privacy policy does not allow this.", "clauses": clauses}
        return JSONResponse(told, status, _FRESH, "application/problem+json")
    if status == 401:
        return RedirectResponse(URL("/login").include_query_params(to=_page(scope, headers)), 303, _FRESH)
    return HTMLResponse(_PAGES.get_template("denied.html").render(clauses=clauses), status, _FRESH)


def _page(scope: MutableMapping[str, Any], headers: Headers) -> str:
    """Where to come back to: the page itself, or the one whose form was sent."""
    if scope["method"] == "GET":
        return str(scope["path"])
    before = urlsplit(headers.get("referer", ""))
    return before.path if before.netloc == headers.get("host") else "/account"
