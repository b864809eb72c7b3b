"""The shop under the Toontrack policy: what is promised is kept, and everything else works as before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from example_app.app import create_app

TRACKING = {"_ga", "_gid", "_fbp", "_gcl_aw"}
ORDER = {
    "name": "Eve Larsen",
    "email": "eve@example.org",
    "phone": "+47 400 00 017",
    "address": "Elvegata 2, 9008 Tromsø, Norway",
    "date_of_birth": "1990-02-03",
    "items": [{"sku": "MP-POCKET", "quantity": 2}],
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("guarded")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TROTH_HOME", str(folder / "home"))
        yield create_app(database=folder / "shop.sqlite3")


async def sign_in(browser: Any, email: str) -> Any:
    answer = await browser.form("/login", email=email, password="four-on-the-floor")
    assert answer.status == 303
    return browser


async def register(browser: Any, email: str) -> None:
    given = {"name": "Eve", "phone": "+47 1", "address": "Here 1", "password": "brushes-and-bells"}
    assert (await browser.form("/register", email=email, **given)).location == "/account"


async def test_tracking_cookies_wait_and_the_session_does_not(visitor: Any) -> None:
    await visitor.get("/")
    assert set(visitor.cookies) == {"session"}


async def test_cart_survives_because_the_visitor_asked_for_it(visitor: Any) -> None:
    await visitor.form("/cart", sku="DL-BRUSHES")
    assert "Brushes at Midnight" in (await visitor.get("/cart")).text


async def test_customers_order_from_the_cart(visitor: Any) -> None:
    await visitor.form("/cart", sku="MP-SYNCOPE")
    assert "Sign in" in (await visitor.get("/checkout")).text
    await register(visitor, "lars@example.org")
    assert "Order and pay" in (await visitor.get("/checkout")).text
    details = {name: value for name, value in ORDER.items() if isinstance(value, str) and name != "date_of_birth"}
    answer = await visitor.form("/order", **details)
    assert answer.status == 303
    assert "Thank you, Eve Larsen" in (await visitor.get(answer.location)).text


async def test_order_loses_the_field_too_many_on_its_way_in(visitor: Any) -> None:
    await register(visitor, "mia@example.org")
    answer = await visitor.post("/api/orders", ORDER)
    assert answer.status == 201
    assert "date_of_birth" not in answer.json
    assert answer.json["email"] == "eve@example.org"


async def test_people_register_sign_out_and_in_again(visitor: Any) -> None:
    answer = await visitor.form(
        "/register", name="Eve", email="eve@example.org", phone="+47 1", address="Here 1", password="brushes-and-bells"
    )
    assert answer.location == "/account"
    assert "Eve" in (await visitor.get("/account")).text
    assert (await visitor.form("/logout")).status == 303
    assert (await visitor.form("/login", email="eve@example.org", password="brushes-and-bells")).location == "/account"


async def test_account_keeps_what_a_purchase_needs(visitor: Any) -> None:
    ann = await sign_in(visitor, "ann@example.org")
    profile = (await ann.get("/api/account")).json
    assert {"name", "email", "phone", "address"} <= set(profile)
    assert not {"date_of_birth", "gender"} & set(profile)


async def test_own_copy_is_whole(visitor: Any) -> None:
    ann = await sign_in(visitor, "ann@example.org")
    copy = (await ann.get("/account/export")).json
    assert copy["date_of_birth"] == "1988-04-17"
    assert [order["gender"] for order in copy["orders"]] == ["female", "female"]


async def test_customers_change_address_and_authorise_computers(visitor: Any) -> None:
    ann = await sign_in(visitor, "ann@example.org")
    assert (await ann.form("/account", phone="+46 1", address="Nygatan 1")).status == 303
    body = {"serial_number": "NK4F-7Q2M-88TD", "hardware_id": "hw-1", "computer_name": "Laptop"}
    assert (await ann.form("/account/products", **body)).status == 303
    assert (await ann.post("/api/products/register", body)).status == 201
    assert "Laptop" in (await ann.get("/account")).text


async def test_own_orders_are_listed_without_what_nobody_needs(visitor: Any) -> None:
    ann = await sign_in(visitor, "ann@example.org")
    orders = (await ann.get("/api/orders")).json["orders"]
    assert [order["id"] for order in orders] == ["HA-20002", "HA-20001"]
    assert not any({"date_of_birth", "gender"} & set(order) for order in orders)
    assert (await ann.get("/api/orders/HA-20001")).json["name"] == "Ann Lindqvist"


async def test_order_book_leaves_out_who_restricted_processing(visitor: Any, shop: Any) -> None:
    erik = await sign_in(visitor, "erik@halvtakt.example")
    orders = (await erik.get("/internal/orders")).json["orders"]
    sold = {order.customer for order in shop.state.shop.sales.orders()}
    assert "c-1004" in sold
    assert {order["customer"] for order in orders} == sold - {"c-1004"}


async def test_nothing_is_sold_to_somebody_known_to_be_17(visitor: Any) -> None:
    carol = await sign_in(visitor, "carol@example.org")
    assert (await carol.post("/api/orders", {"items": [{"sku": "MP-POCKET"}]})).status == 403


async def test_newsletter_takes_the_address_that_subscribes(visitor: Any) -> None:
    assert (await visitor.form("/newsletter", email="eve@example.org")).status == 303


async def test_contact_and_survey_take_what_people_give(visitor: Any) -> None:
    assert (await visitor.form("/contact", name="Eve", email="eve@example.org", message="Hi")).status == 303
    assert (await visitor.form("/survey", email="eve@example.org", installation="Smoothly")).status == 303


async def test_telemetry_arrives_empty_until_accepted(visitor: Any, shop: Any) -> None:
    sent = {"os": "Linux", "device_id": "d-123456", "page": "/products"}
    assert (await visitor.post("/telemetry", sent)).status == 204
    await visitor.form("/.privacy/accept", consents="analytics", return_to="/")
    assert (await visitor.post("/telemetry", sent)).status == 204
    assert received(shop, "telemetry") == ["{}", '{"os": "Linux", "device_id": "d-123456", "page": "/products"}']


async def test_position_needs_permission(visitor: Any) -> None:
    assert (await visitor.post("/dealers/near", {"lat": 51.0, "lon": 4.5}, accept="*/*")).status == 422


async def test_accepting_brings_the_cookies_and_withdrawing_takes_them_away(visitor: Any) -> None:
    assert (await visitor.form("/.privacy/accept", return_to="/choices/saved")).location == "/choices/saved"
    await visitor.get("/")
    assert set(visitor.cookies) >= TRACKING
    await visitor.form("/.privacy/withdraw", return_to="/choices/saved")
    await visitor.get("/")
    assert not TRACKING & set(visitor.cookies)


async def test_refusing_closes_no_page(visitor: Any) -> None:
    await visitor.form("/.privacy/refuse", return_to="/choices/saved")
    for path in ("/", "/products", "/cart", "/checkout", "/privacy-policy", "/contact", "/choices", "/.privacy/policy"):
        assert (await visitor.get(path)).status == 200, path


def received(shop: Any, kind: str) -> list[str]:
    with shop.state.shop.people._database.reading() as connection:
        return [row["body"] for row in connection.execute("SELECT body FROM inbox WHERE kind = ?", (kind,))]
