"""The shop's downloads, forum, rights and back office without a guard: they work, and tell whoever asks too much."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

import pytest

from example_app.models import Ticket
from example_app.seed import PARTNER_KEYS
from example_app.tokens import AGREE, LEAVE, Tokens


async def test_what_was_bought_can_be_fetched_again_and_nothing_else(ann: Any, visitor: Any) -> None:
    assert "NK4F-7Q2M-88TD" in (await ann.get("/account/downloads")).text
    fetched = await ann.get("/downloads/DL-NORRLAND")
    with zipfile.ZipFile(io.BytesIO(fetched.body)) as archive:
        assert "NK4F-7Q2M-88TD" in archive.read("LICENCE.txt").decode()
    assert (await ann.get("/downloads/PL-TAPEFOLK")).status == 404
    assert (await visitor.get("/downloads/DL-NORRLAND", accept="*/*")).status == 401


async def test_forum_is_read_by_all_and_written_by_customers(ann: Any, visitor: Any) -> None:
    assert "Eleven eight" in (await visitor.get("/forum")).text
    begun = await ann.form("/forum", title="Hats", username="ann_l", body="Too <b>loud</b>?")
    assert (await ann.form(begun.location, username="ann_l", body="Anybody?")).location == begun.location
    page = (await visitor.get(begun.location)).text
    assert page.count("ann_l") == 2
    assert "Too &lt;b&gt;loud&lt;/b&gt;?" in page
    assert (await visitor.get("/forum/99")).status == 404
    assert (await ann.form("/forum/99", username="a", body="b")).status == 404
    assert (await visitor.form("/forum", title="a", username="b", body="c")).location == "/login?to=%2Fforum"
    assert (await visitor.form("/account/rights/access")).location == "/login?to=%2Faccount", "a path without a page"


@pytest.mark.parametrize("path", ["/cookies", "/forum", "/forum/1", "/unsubscribe", "/unsubscribe?t=x"])
async def test_pages_have_one_heading_and_labels_for_their_fields(visitor: Any, path: str) -> None:
    check((await visitor.get(path)).text)


@pytest.mark.parametrize("path", ["/account/rights", "/account/downloads", "/forum", "/forum/1"])
async def test_pages_of_customers_do_too(ann: Any, path: str) -> None:
    check((await ann.get(path)).text)


def check(page: str) -> None:
    assert len(re.findall("<h1", page)) == 1
    fields = re.findall(r"<(?:input|textarea)[^>]*?\bid=\"([^\"]+)\"", page)
    assert all(f'<label for="{field}"' in page for field in fields)


async def test_page_on_cookies_names_every_cookie_that_the_shop_sets(visitor: Any) -> None:
    sent = {header.partition("=")[0] for header in (await visitor.get("/cookies")).all("set-cookie")}
    page = (await visitor.get("/cookies")).text
    assert all(name in page for name in sent)


async def test_requests_are_kept_until_staff_has_answered(ann: Any, erik: Any) -> None:
    await ann.form("/account/rights/access")
    await ann.form("/account/rights/objection", purpose="customer-survey")
    await ann.form("/account/rights/restriction", restrict="on")
    await ann.form("/account/rights/portability", party="artist")
    page = (await ann.get("/account/rights")).text
    assert page.count(": open") == 4
    assert "objection customer-survey" in (await erik.get("/admin")).text
    assert (await erik.form("/admin/requests/1")).status == 303
    assert (await erik.form("/admin/requests/1")).status == 404
    assert (await ann.get("/account/rights")).text.count(": open") == 3
    assert (await ann.get("/admin")).status == 403
    assert (await ann.form("/admin/requests/2")).status == 403


async def test_a_profile_can_be_put_right(ann: Any) -> None:
    given = {"name": "Ann Lind", "email": "ann.lind@example.org", "phone": "+46 1", "address": "Nygatan 1"}
    assert (await ann.form("/account/rights/rectification", **given)).status == 303
    assert given.items() <= (await ann.get("/api/account")).json.items()
    taken = {**given, "email": "bob@example.org"}
    assert (await ann.form("/account/rights/rectification", **taken)).status == 409


async def test_who_is_forgotten_is_gone_from_everything_but_the_books(
    ann: Any, erik: Any, another_visitor: Any
) -> None:
    await ann.form("/newsletter", email="ann@example.org")
    await ann.form("/account/rights/access")
    assert (await ann.form("/account/rights/erasure")).location == "/"
    assert (await ann.get("/api/account", accept="*/*")).status == 401
    again = await another_visitor().form("/login", email="ann@example.org", password="four-on-the-floor")
    assert again.status == 401
    desk = (await erik.get("/admin")).text
    assert "erasure from backups" in desk
    assert not [told for told in ("access", "Ann", "ann@example.org", "+46 70 174 06 35") if told in desk]
    assert (await erik.form("/admin/requests/1")).status == 303
    assert "c-1001" not in (await erik.get("/admin")).text
    assert all(person["email"] != "ann@example.org" for person in (await erik.get("/admin/people")).json["people"])
    orders = (await erik.get("/internal/orders")).json["orders"]
    assert [order["customer"] for order in orders if order["name"] == "Ann Lindqvist"] == [None, None]
    fresh = another_visitor()
    await fresh.form(
        "/register", name="Eve", email="eve@example.org", phone="1", address="Here 1", password="brushes-and-bells"
    )
    assert (await fresh.get("/api/account")).json["id"] == "c-1005"
    await fresh.form("/account/rights/erasure")
    await fresh.form(
        "/register", name="Eve", email="eve@example.org", phone="1", address="Here 1", password="brushes-and-bells"
    )
    assert (await fresh.get("/api/account")).json["id"] == "c-1006", "a number is given once"


async def test_programs_are_entered_and_left(ann: Any) -> None:
    await ann.form("/account/programs", party="p1", act="join")
    assert "Cymbal Club: you are in" in (await ann.get("/account/rights")).text
    await ann.form("/account/programs", party="p1", act="leave")
    assert "Cymbal Club: you are in" not in (await ann.get("/account/rights")).text
    assert (await ann.form("/account/programs", party="nobody", act="join")).status == 404


async def test_a_guardian_agrees_by_link_and_without_an_account(ann: Any, visitor: Any, shop: Any) -> None:
    await ann.form("/account/guardian", email="parent@example.org")
    token = shop.state.shop.tokens.sign(AGREE, "c-1001")
    assert (await visitor.get(f"/guardian?t={token}")).status == 200
    assert (await visitor.form(f"/guardian?t={token}")).status == 404
    assert (await visitor.form(f"/guardian?t={token}", agree="yes")).status == 303
    assert "Your guardian agrees." in (await ann.get("/account/rights")).text
    assert (await visitor.get("/guardian?t=made-up")).status == 404
    assert (await visitor.form("/guardian", agree="yes")).status == 404


@pytest.mark.parametrize(
    ("received", "due"),
    [
        ("2026-01-31T09:00:00+00:00", "2026-02-28"),
        ("2028-01-31T09:00:00+00:00", "2028-02-29"),
        ("2026-12-05T09:00:00+00:00", "2027-01-05"),
        ("2026-11-30T09:00:00+00:00", "2026-12-30"),
    ],
)
def test_a_request_is_due_a_month_later_or_at_that_months_end(received: str, due: str) -> None:
    assert Ticket(id=1, customer="c-1001", kind="access", detail="", received=received, done=None).due == due


def test_a_token_opens_one_door_only() -> None:
    tokens = Tokens("k" * 32)
    assert tokens.person(LEAVE, tokens.sign(LEAVE, "a@example.org")) == "a@example.org"
    assert tokens.person(AGREE, tokens.sign(LEAVE, "a@example.org")) is None
    assert Tokens("other").person(LEAVE, tokens.sign(LEAVE, "a@example.org")) is None
    assert tokens.person(LEAVE, "") is None


async def test_partners_get_everybody_with_every_column(visitor: Any) -> None:
    members = (await visitor.get("/partner/p1/members", x_api_key=PARTNER_KEYS["p1"])).json["members"]
    assert len(members) == 4
    assert {"date_of_birth", "gender", "phone"} <= set(members[0])
    assert (await visitor.get("/partner/artist/members", x_api_key=PARTNER_KEYS["p1"], accept="*/*")).status == 401
    copy = await visitor.get("/partner/artist/copies/c-1001", x_api_key=PARTNER_KEYS["artist"])
    assert copy.json["name"] == "Ann Lindqvist"
    missing = await visitor.get("/partner/artist/copies/c-9", x_api_key=PARTNER_KEYS["artist"], accept="*/*")
    assert missing.status == 404


async def test_figures_are_cut_by_kind_or_by_town(visitor: Any) -> None:
    key = PARTNER_KEYS["m2"]
    assert len((await visitor.get("/partner/m2/figures", x_api_key=key)).json["figures"]) == 3
    towns = (await visitor.get("/partner/m2/figures?by=town", x_api_key=key)).json["figures"]
    assert {"what": "Arvidsjaur", "buyers": 2} in towns


async def test_the_post_office_puts_addresses_right(visitor: Any, erik: Any) -> None:
    sent = {"customer": "c-1001", "address": "Strandgatan 5, 531 30 Lidköping, Sweden"}
    key = PARTNER_KEYS["postal-service"]
    assert (await visitor.post("/import/addresses", sent, x_api_key=key)).json == {"corrected": "c-1001"}
    people = (await erik.get("/admin/people")).json["people"]
    assert people[0]["address"] == sent["address"]
    assert (
        await visitor.post("/import/addresses", {**sent, "customer": "c-9"}, x_api_key=key, accept="*/*")
    ).status == 404
    assert (await visitor.post("/import/addresses", sent, accept="*/*")).status == 401


async def test_staff_sees_whom_to_invite(erik: Any, ann: Any) -> None:
    assert len((await erik.get("/admin/invitations")).json["invited"]) == 4
    assert (await ann.get("/admin/invitations")).status == 403


async def test_a_date_of_birth_is_kept_if_given(visitor: Any) -> None:
    given = {
        "name": "Eve",
        "email": "eve@example.org",
        "phone": "1",
        "address": "Here 1",
        "password": "brushes-and-bells",
    }
    await visitor.form("/register", **given, date_of_birth="1990-02-03")
    assert (await visitor.get("/api/account")).json["date_of_birth"] == "1990-02-03"
