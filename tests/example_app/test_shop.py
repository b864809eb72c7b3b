"""The shop without a guard: it works as a shop, and is as careless as most."""

from __future__ import annotations

import re
from typing import Any

import pytest
from starlette.routing import Mount, Route

ORDER = {
    "name": "Eve Larsen",
    "email": "eve@example.org",
    "phone": "+47 400 00 017",
    "address": "Elvegata 2, 9008 Tromsø, Norway",
    "items": [{"sku": "MP-POCKET", "quantity": 2}],
}


async def test_home_shows_products_and_a_way_to_them(visitor: Any) -> None:
    home = await visitor.get("/")
    assert home.status == 200
    assert "Norrland Kit" in home.text
    assert (await visitor.get("/products/DL-NORRLAND")).status == 200


async def test_catalogue_can_be_narrowed_to_one_kind(visitor: Any) -> None:
    plug_ins = (await visitor.get("/products?kind=Plug-in")).text
    assert "Rumklang" in plug_ins
    assert "Syncope" not in plug_ins


async def test_a_page_that_does_not_exist_says_so_kindly(visitor: Any) -> None:
    answer = await visitor.get("/products/NO-SUCH")
    assert answer.status == 404
    assert "We do not sell that." in answer.text


@pytest.mark.parametrize("path", ["/", "/products", "/cart", "/login", "/register", "/contact", "/choices", "/survey"])
async def test_pages_have_one_heading_a_language_and_labels_for_their_fields(visitor: Any, path: str) -> None:
    page = (await visitor.get(path)).text
    assert '<html lang="en">' in page
    assert len(re.findall("<h1", page)) == 1
    fields = re.findall(r"<(?:input|textarea)[^>]*?\bid=\"([^\"]+)\"", page)
    assert all(f'<label for="{field}"' in page for field in fields)


async def test_every_page_sets_cookies_without_asking(visitor: Any) -> None:
    names = {header.partition("=")[0] for header in (await visitor.get("/")).all("set-cookie")}
    assert names == {"session", "cart", "_ga", "_gid", "_fbp", "_gcl_aw"}


async def test_cookies_that_came_along_are_not_set_again(visitor: Any) -> None:
    await visitor.get("/")
    names = {header.partition("=")[0] for header in (await visitor.get("/products")).all("set-cookie")}
    assert names <= {"session"}


async def test_answers_to_programs_set_no_tracking_cookie(visitor: Any) -> None:
    assert (await visitor.post("/dealers/near", {"lat": 59.3, "lon": 18.0})).all("set-cookie") == []


async def test_pages_embed_third_parties_and_an_own_inline_script(visitor: Any) -> None:
    page = (await visitor.get("/")).text
    hosts = ("www.googletagmanager.com", "connect.facebook.net", "www.facebook.com", "stats.example-analytics.eu")
    assert all(f"https://{host}/" in page for host in hosts)
    assert 'document.getElementById("year")' in page


async def test_notice_offers_accept_and_decline_alike_until_a_choice_is_saved(visitor: Any) -> None:
    before = (await visitor.get("/")).text
    forms = re.findall(r'action="/\.privacy/(accept|refuse)">.*?<button>(\w+)</button>', before, re.DOTALL)
    assert forms == [("accept", "Accept"), ("refuse", "Decline")]
    await visitor.get("/choices/saved")
    assert 'class="notice"' not in (await visitor.get("/")).text


async def test_cart_is_remembered_by_its_cookie(visitor: Any, another_visitor: Any) -> None:
    answer = await visitor.form("/cart", sku="DL-BRUSHES")
    assert (answer.status, answer.location) == (303, "/cart")
    assert "Brushes at Midnight" in (await visitor.get("/cart")).text
    assert "Nothing in it" in (await another_visitor().get("/cart")).text


async def test_a_line_can_be_taken_out_of_the_cart(visitor: Any) -> None:
    await visitor.form("/cart", sku="DL-BRUSHES")
    await visitor.form("/cart", sku="DL-BRUSHES", quantity="-1")
    assert "Nothing in it" in (await visitor.get("/cart")).text


async def test_customer_orders_from_the_cart_and_gets_a_receipt(ann: Any, another_visitor: Any) -> None:
    await ann.form("/cart", sku="MP-SYNCOPE", quantity="2")
    details = {name: value for name, value in ORDER.items() if isinstance(value, str)}
    answer = await ann.form("/order", **details)
    assert answer.status == 303
    receipt = await ann.get(answer.location)
    assert "€ 58.00" in receipt.text
    assert re.search(r"<code>\w{4}-\w{4}-\w{4}</code>", receipt.text)
    assert "Nothing in it" in (await ann.get("/cart")).text
    assert (await another_visitor().get(answer.location)).status == 404


async def test_visitors_are_asked_to_sign_in_before_they_order_and_find_their_cart_again(visitor: Any) -> None:
    await visitor.form("/cart", sku="MP-SYNCOPE")
    answer = await visitor.form("/order", name="Eve", email="eve@example.org", phone="1", address="Here 1")
    assert (answer.status, answer.location) == (303, "/login?to=/checkout")
    assert (await visitor.post("/api/orders", ORDER, accept="*/*")).status == 401
    login = {"email": "ann@example.org", "password": "four-on-the-floor"}
    answer = await visitor.form("/login", **login, to="/checkout")
    assert "Order and pay" in (await visitor.get(answer.location)).text


async def test_a_form_without_an_address_is_refused_with_a_sentence(ann: Any) -> None:
    answer = await ann.form("/account/rights/rectification", name="Ann", email="ann@example.org", phone="1")
    assert answer.status == 422
    assert "address" in answer.text


async def test_api_order_is_made_and_echoed(ann: Any) -> None:
    answer = await ann.post("/api/orders", ORDER)
    assert answer.status == 201
    assert answer.json["total"] == 4800
    assert (answer.json["name"], answer.json["customer"]) == (ORDER["name"], "c-1001")
    assert answer.json["ip"] == "192.0.2.44"


async def test_api_order_tells_more_than_anybody_asked_for(ann: Any) -> None:
    answer = await ann.post("/api/orders", {"items": [{"sku": "MP-POCKET"}]})
    assert answer.json["email"] == "ann@example.org"
    assert (answer.json["date_of_birth"], answer.json["gender"]) == ("1988-04-17", "female")


@pytest.mark.parametrize("body", ["[]", '{"items": 3}', '{"items": [{"sku": 1}]}', '{"items"', '{"items": [{}]}'])
async def test_orders_that_make_no_sense_are_refused(ann: Any, body: str) -> None:
    answer = await ann.ask("POST", "/api/orders", body.encode(), {"content-type": "application/json"})
    assert answer.status in (400, 422)


async def test_registering_signs_in_and_logging_out_ends_it(visitor: Any) -> None:
    answer = await visitor.form(
        "/register", name="Eve", email="Eve@example.org", phone="1", address="Here 1", password="brushes-and-bells"
    )
    assert answer.location == "/account"
    assert "Welcome to Halvtakt, Eve." in (await visitor.get("/account")).text
    await visitor.form("/logout")
    assert (await visitor.get("/account")).location == "/login?to=%2Faccount"
    answer = await visitor.form("/login", email="eve@example.org", password="brushes-and-bells")
    assert answer.location == "/account"


async def test_an_address_gets_one_account_only(visitor: Any) -> None:
    answer = await visitor.form(
        "/register", name="Ann", email="ann@example.org", phone="1", address="x", password="brushes-and-bells"
    )
    assert answer.status == 409


async def test_wrong_password_does_not_sign_in(visitor: Any) -> None:
    assert (await visitor.form("/login", email="ann@example.org", password="guess")).status == 401
    assert (await visitor.get("/api/account", accept="application/json")).status == 401


async def test_sign_in_returns_to_own_paths_only(visitor: Any) -> None:
    answer = await visitor.form(
        "/login", email="ann@example.org", password="four-on-the-floor", to="//evil.example/account"
    )
    assert answer.location == "/"


async def test_account_shows_orders_and_profile(ann: Any) -> None:
    page = (await ann.get("/account")).text
    assert "HA-20002" in page
    assert "Strandgatan 3" in page
    profile = (await ann.get("/api/account")).json
    assert profile["id"] == "c-1001"
    assert profile["date_of_birth"] == "1988-04-17"


async def test_export_is_the_whole_copy(ann: Any) -> None:
    await ann.post(
        "/api/products/register", {"serial_number": "NK4F-7Q2M-88TD", "hardware_id": "hw-77", "computer_name": "Studio"}
    )
    copy = (await ann.get("/account/export")).json
    assert [order["id"] for order in copy["orders"]] == ["HA-20002", "HA-20001"]
    assert copy["computers"][0]["computer_name"] == "Studio"


async def test_customers_change_address_and_authorise_computers(ann: Any) -> None:
    await ann.form("/account", phone="+46 1", address="Nygatan 1")
    await ann.form("/account/products", serial_number="S-1", hardware_id="hw-1", computer_name="Laptop")
    page = (await ann.get("/account")).text
    assert "Nygatan 1" in page
    assert "Laptop" in page


async def test_an_order_is_seen_by_its_buyer_and_staff_only(ann: Any, erik: Any, visitor: Any) -> None:
    assert (await ann.get("/api/orders/HA-20001")).json["customer"] == "c-1001"
    assert (await ann.get("/api/orders/HA-20003")).status == 404
    assert (await erik.get("/api/orders/HA-20003")).status == 200
    assert (await visitor.get("/api/orders/HA-20001", accept="application/json")).status == 401


async def test_own_orders_are_listed(ann: Any) -> None:
    assert [order["id"] for order in (await ann.get("/api/orders")).json["orders"]] == ["HA-20002", "HA-20001"]


async def test_order_book_is_for_staff(ann: Any, erik: Any) -> None:
    assert (await ann.get("/internal/orders")).status == 403
    assert len((await erik.get("/internal/orders")).json["orders"]) == 4


async def test_partner_needs_the_key_that_goes_with_its_name(visitor: Any) -> None:
    key = "key-of-the-shipper-2f6c1d"
    assert (await visitor.get("/partner/shipper/orders/HA-20001", x_api_key=key)).status == 200
    assert (await visitor.get("/partner/mailer/orders/HA-20001", x_api_key=key, accept="*/*")).status == 401
    assert (await visitor.get("/partner/shipper/orders/HA-20001", accept="*/*")).status == 401


async def test_newsletter_can_be_left_with_the_token_of_the_mail(ann: Any, shop: Any) -> None:
    await ann.form("/newsletter", email="ann@example.org")
    assert (await ann.get("/api/account")).json["newsletter"] is True
    token = shop.state.shop.people.subscribe("ann@example.org")
    assert token in (await ann.get(f"/unsubscribe?t={token}")).text
    assert (await ann.form(f"/unsubscribe?t={token}")).status == 303
    assert (await ann.get("/api/account")).json["newsletter"] is False
    assert (await ann.form(f"/unsubscribe?t={token}")).status == 404


async def test_messages_surveys_and_telemetry_are_received(visitor: Any) -> None:
    assert (await visitor.form("/contact", name="Eve", email="e@example.org", message="Hi")).status == 303
    assert (await visitor.form("/contact", name="Eve")).status == 422
    assert (await visitor.form("/survey", email="e@example.org", installation="Smoothly")).status == 303
    assert (await visitor.post("/survey", {"email": "e@example.org", "installation": "It did not"})).status == 201
    assert (await visitor.post("/telemetry", {"os": "Linux", "device_id": "d-1", "page": "/"})).status == 204


async def test_nearest_dealer_comes_first(visitor: Any) -> None:
    found = (await visitor.post("/dealers/near", {"lat": 51.0, "lon": 4.5})).json["dealers"]
    assert found[0]["city"] == "Antwerpen"
    assert (await visitor.post("/dealers/near", {"lat": "north"}, accept="*/*")).status == 422


async def test_privacy_page_leads_to_the_policy(visitor: Any) -> None:
    assert 'href="/.privacy/policy"' in (await visitor.get("/privacy-policy")).text


async def test_static_files_are_served(visitor: Any) -> None:
    assert (await visitor.get("/static/shop.css")).status == 200


def test_every_route_of_the_shop_has_one_method_and_a_path(shop: Any) -> None:
    routes = [route for route in shop.routes if not isinstance(route, Mount)]
    assert all(isinstance(route, Route) and len((route.methods or set()) - {"HEAD"}) == 1 for route in routes)
