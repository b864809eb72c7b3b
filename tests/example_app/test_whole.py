"""The shop as a stranger walks it: no dead link, no form without an answer, errors that help, and one line of Troth."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag

import pytest
import yaml
from starlette.routing import Match, Route

import example_app
from example_app.app import BINDING, create_app

HERE = Path(example_app.__file__).parent
FORM = re.compile(r"<form\b([^>]*)>", re.IGNORECASE)
LINK = re.compile(r'<(?:a|link|script|img)\b[^>]*?(?:href|src)="(/[^"]*)"', re.IGNORECASE)
BY_PROGRAMS = {"/partner/", "/api/", "/thanks/", "/guardian", "/choices/saved"}
"""Paths that programs ask, that a form leads to, or that stand in a mail."""

GUARDED = pytest.mark.parametrize("shop", [True], indirect=True)
UNGUARDED = pytest.mark.parametrize("shop", [False], indirect=True)


@pytest.fixture(params=[True, False], ids=["guarded", "unguarded"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TROTH_HOME", str(tmp_path / "home"))
        yield create_app(request.param, tmp_path / "shop.sqlite3")


async def crawled(browser: Any) -> dict[str, str]:
    """Follow every link from the front page; the pages that were found, each with its text."""
    found: dict[str, str] = {}
    ahead = ["/"]
    while ahead:
        path = ahead.pop()
        if path in found:
            continue
        answer = await browser.get(path)
        assert answer.status == 200 or (answer.status == 303 and answer.location.startswith("/login")), (path, answer)
        is_page = any("text/html" in value for value in answer.all("content-type"))
        found[path] = answer.text if is_page and answer.status == 200 else ""
        ahead += [urldefrag(link.replace("&amp;", "&")).url for link in LINK.findall(found[path])]
    return found


def pattern(shop: Any, path: str, method: str = "GET") -> str | None:
    """Return the route that answers, as the app writes it."""
    scope = {"type": "http", "method": method, "path": path.partition("?")[0], "root_path": ""}
    matching = [route for route in shop.routes if route.matches(scope)[0] is Match.FULL]
    return str(matching[0].path) if matching else None


@GUARDED
async def test_no_link_is_dead_and_no_form_goes_nowhere(shop: Any, visitor: Any, ann: Any, erik: Any) -> None:
    seen: set[str | None] = set()
    await visitor.form("/cart", sku="MP-POCKET")
    for browser in (visitor, ann, erik):
        for path, page in (await crawled(browser)).items():
            seen.add(pattern(shop, path))
            for form in FORM.findall(page):
                action = re.search(r'action="([^"]+)"', form)
                assert action, (path, form)
                method = "POST" if 'method="post"' in form else "GET"
                target = action.group(1)
                assert target.startswith("/.privacy/") or pattern(shop, target, method), (path, target)
    pages = {route.path for route in shop.routes if isinstance(route, Route) and "GET" in (route.methods or ())}
    unseen = {path for path in pages - seen if not any(path.startswith(known) for known in BY_PROGRAMS)}
    assert unseen == set(), "no link leads there"


@GUARDED
def test_every_route_is_bound_and_nothing_else_is(shop: Any) -> None:
    bound = set(yaml.load(BINDING.read_text(), yaml.SafeLoader)["routes"])
    routes = [route for route in shop.routes if isinstance(route, Route)]
    there = {f"{method} {route.path}" for route in routes for method in (route.methods or set()) - {"HEAD"}}
    assert {name.replace(":int}", "}") for name in there} == bound


def test_one_line_and_one_file_know_of_troth() -> None:
    named = {}
    for file in sorted(HERE.glob("*.py")):
        tree = ast.parse(file.read_text())
        named[file.name] = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "troth"]
        modules = {part.name for node in ast.walk(tree) if isinstance(node, ast.Import) for part in node.names}
        modules |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert {name for name in modules if name.split(".")[0] == "troth"} == (
            {"troth"} if file.name == "app.py" else set()
        )
    assert {name: len(uses) for name, uses in named.items() if uses} == {"app.py": 1}


@pytest.mark.parametrize(
    ("path", "values", "told", "back"),
    [
        ("/contact", {"name": "Eve", "email": "eve", "message": "Hi"}, "looks like you@example.org", "/contact"),
        ("/contact", {"name": "Eve", "email": "e@example.org"}, "Please fill in: message.", "/contact"),
        ("/newsletter", {"email": "eve.example.org"}, "looks like you@example.org", None),
        ("/cart", {"sku": "NO-SUCH"}, "We do not sell that.", "/cart"),
        ("/cart", {"sku": "MP-POCKET", "quantity": "two"}, "The quantity is a whole number.", "/cart"),
        ("/unsubscribe?t=made-up", {}, "We do not know that link.", "/unsubscribe"),
    ],
)
async def test_a_form_filled_in_wrongly_is_answered_with_a_sentence_and_a_way_back(
    visitor: Any, path: str, values: dict[str, str], told: str, back: str | None
) -> None:
    answer = await visitor.form(path, **values)
    assert answer.status in (404, 422)
    assert told in answer.text
    assert (f'<a href="{back}">Try again</a>' in answer.text) == (back is not None)


@pytest.mark.parametrize(
    ("born", "told"),
    [("yesterday", "looks like 1988-04-17"), ("2999-01-01", "yet to come"), ("1988-13-01", "looks like")],
)
@UNGUARDED
async def test_a_date_of_birth_that_is_none_is_refused(visitor: Any, born: str, told: str) -> None:
    given = {
        "name": "Eve",
        "email": "e@example.org",
        "phone": "1",
        "address": "Here 1",
        "password": "brushes-and-bells",
    }
    answer = await visitor.form("/register", **given, date_of_birth=born)
    assert answer.status == 422
    assert told in answer.text


@UNGUARDED
async def test_a_position_that_is_no_place_is_refused(visitor: Any) -> None:
    for lat in ("nan", "inf", "north"):
        answer = await visitor.post("/dealers/near", {"lat": lat, "lon": 18.0}, accept="*/*")
        assert answer.status == 422


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec_fetch_site": "cross-site", "origin": "https://elsewhere.example"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"origin": "https://elsewhere.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:8000"}, 303),
        ({"sec_fetch_site": "same-origin", "origin": "http://127.0.0.1:8000"}, 303),
        ({"sec_fetch_site": "none"}, 303),
        ({}, 303),
    ],
)
async def test_forms_of_other_sites_change_nothing(
    ann: Any, another_visitor: Callable[[], Any], headers: dict[str, str], status: int
) -> None:
    kind = {"content-type": "application/x-www-form-urlencoded", **headers}
    answer = await ann.ask("POST", "/account/rights/access", b"", kind)
    assert answer.status == status
    assert ("access" in (await ann.get("/account/rights")).text.split("What you asked for")[1]) == (status == 303)
    assert (await another_visitor().get("/", **headers)).status == 200, "links of other sites lead here all the same"


async def test_requests_are_answered_by_a_day_that_both_sides_see(ann: Any, erik: Any) -> None:
    await ann.form("/account/rights/access")
    (told,) = re.findall(r'open, we answer by <time datetime="(\S+)">', (await ann.get("/account/rights")).text)
    assert f'<time datetime="{told}">' in (await erik.get("/admin")).text


@GUARDED
async def test_who_is_refused_is_shown_the_way_in_or_the_clause(visitor: Any) -> None:
    answer = await visitor.get("/account/rights")
    assert (answer.status, answer.location) == (303, "/login?to=%2Faccount%2Frights")
    await visitor.form("/cart", sku="MP-POCKET")
    kind = {"content-type": "application/x-www-form-urlencoded", "referer": "http://127.0.0.1:8000/checkout"}
    answer = await visitor.ask("POST", "/order", b"name=Eve", kind)
    assert (answer.status, answer.location) == (303, "/login?to=%2Fcheckout")
    child = {"name": "Kim", "email": "kim@example.org", "date_of_birth": "2019-02-03"}
    page = await visitor.form("/register", **child, phone="1", address="Here 1", password="brushes-and-bells")
    assert (page.status, page.all("cache-control")) == (403, ["no-store"])
    assert "TOO-CHD-3" in page.text
    assert "2019" not in page.text
    assert len(re.findall("<h1", page.text)) == 1
    program = await visitor.post("/api/orders", {"items": [{"sku": "MP-POCKET"}]}, accept="*/*")
    assert program.status == 401
    assert program.json["clauses"] == ["TOO-SEC-2"]
