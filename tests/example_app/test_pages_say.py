"""What the shop's pages have to say under the Toontrack policy, read off the wire and off the trail."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from example_app.app import POLICY, create_app
from example_app.notice import OWN, notice_of

PUBLIC = (
    "/", "/products", "/products/DL-NORRLAND", "/cart", "/checkout", "/survey", "/register", "/login", "/choices",
    "/cookies", "/forum", "/forum/1", "/privacy-policy", "/security", "/contact", "/unsubscribe",
)  # fmt: skip
SIGNED_IN = ("/account", "/account/downloads", "/account/rights", "/checkout", "/forum/1")
PERSONAL = re.compile(r'name="(email|phone|address|name|username|hardware_id)"')


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def shop(home: Path) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TROTH_HOME", str(home / "home"))
        yield create_app(database=home / "shop.sqlite3")


def reasons(home: Path) -> dict[str, set[str]]:
    """Return what the last line says of pages: by rule, what was done."""
    held = [
        line for path in (home / "home" / "trail").glob("access-*.jsonl") for line in path.read_bytes().splitlines()
    ]
    last = max(map(json.loads, held), key=lambda line: (line.get("t", ""), line.get("seq", 0)))
    found: dict[str, set[str]] = {}
    for reason in last.get("why", []):
        if reason["thing"] == "page":
            found.setdefault(reason["rule"], set()).add(reason["action"])
    return found


@pytest.mark.parametrize("path", PUBLIC)
async def test_every_page_asks_whoever_has_not_answered(visitor: Any, home: Path, path: str) -> None:
    page = await visitor.get(path)
    assert page.status == 200
    told = reasons(home)
    assert told["the-notice-offers-both-answers"] == {"kept"}
    assert not any("alert" in done for done in told.values()), told
    assert all(name in page.text for name in ("Accept</button>", "Decline</button>", 'href="/privacy-policy"'))


@pytest.mark.parametrize("path", PUBLIC)
async def test_nobody_is_asked_again_after_declining(visitor: Any, path: str) -> None:
    await visitor.form("/.privacy/refuse", return_to="/choices/saved")
    await visitor.get("/choices/saved")
    page = await visitor.get(path)
    assert page.status == 200
    assert "notice-title" not in page.text


async def test_the_page_on_privacy_names_date_addresses_authority_and_the_security_policy(
    visitor: Any, home: Path
) -> None:
    page = (await visitor.get("/privacy-policy")).text
    told = reasons(home)
    asked = {"the-policy-says-whom-to-ask", "the-policy-names-the-authority", "the-policy-shows-its-date"}
    assert {rule: told[rule] for rule in asked} == {rule: {"kept"} for rule in asked}
    assert not any("alert" in done for done in told.values()), told
    for words in ("25 May 2018", "privacy(at)toontrack.com", "support(at)toontrack.com", 'href="/security"'):
        assert words in page


@pytest.mark.parametrize("path", [*PUBLIC, *SIGNED_IN])
async def test_a_form_that_asks_for_personal_data_says_what_for(ann: Any, visitor: Any, path: str) -> None:
    browser = ann if path in SIGNED_IN else visitor
    page = (await browser.get(path)).text
    forms = [form for form in re.findall(r"<form.*?</form>", page, re.DOTALL) if PERSONAL.search(form)]
    assert forms, "every page has the newsletter's at least"
    for form in forms:
        assert 'action="/login"' in form or ('class="why"' in form and 'href="/privacy-policy"' in form), form


async def test_a_cookie_that_a_page_sets_stands_on_the_page_about_cookies(visitor: Any) -> None:
    await visitor.form("/.privacy/accept", return_to="/choices/saved")
    await visitor.form("/cart", sku="MP-POCKET")
    await visitor.get("/")
    page = (await visitor.get("/cookies")).text
    shown = {name for row in re.findall(r"<td><code>(.*?)</code>", page) for name in row.split(", ")}
    assert {name.removeprefix("__Host-") for name in visitor.cookies} <= shown
    assert {"session", "cart", "_ga", "_fbp"} <= set(visitor.cookies)


def test_another_policy_gets_the_shops_own_notice() -> None:
    assert notice_of(POLICY).privacy == "privacy(at)toontrack.com"
    assert notice_of(Path("policies/of-our-own")) is OWN
