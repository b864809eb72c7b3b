"""The shop's JSON API. It answers as such APIs tend to: with every column there is."""

from __future__ import annotations

from dataclasses import asdict

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from example_app.models import Order
from example_app.payload import buyer, number, payload, required, wanted
from example_app.shop import off_loop, shop_of, signed_in


def order_json(order: Order) -> dict[str, object]:
    """An order as the API shows it."""
    shown = asdict(order)
    shown["items"] = shown.pop("lines")
    return {**shown, "total": order.total}


async def account(request: Request) -> Response:
    """The signed-in customer's own profile."""
    return JSONResponse(asdict(await signed_in(request)))


async def export(request: Request) -> Response:
    """Everything the shop holds about the signed-in customer, as a file."""
    customer = await signed_in(request)
    shop = shop_of(request)
    orders = await off_loop(shop.sales.orders, customer.id)
    computers = await off_loop(shop.people.computers, customer.id)
    return JSONResponse(
        {
            **asdict(customer),
            "orders": [order_json(order) for order in orders],
            "computers": [asdict(computer) for computer in computers],
        },
        headers={"content-disposition": 'attachment; filename="halvtakt-account.json"'},
    )


async def orders(request: Request) -> Response:
    """The signed-in customer's orders, newest first."""
    customer = await signed_in(request)
    found = await off_loop(shop_of(request).sales.orders, customer.id)
    return JSONResponse({"orders": [order_json(order) for order in found]})


async def order(request: Request) -> Response:
    """One order, for its buyer or for staff; for anybody else it does not exist."""
    customer = await signed_in(request)
    found = await off_loop(shop_of(request).sales.order, request.path_params["id"])
    if found is None or (customer.role != "staff" and found.customer != customer.id):
        raise HTTPException(404, "There is no such order.")
    return JSONResponse(order_json(found))


async def place_order(request: Request) -> Response:
    """Order `items` for the signed-in customer, and echo the order."""
    customer = await signed_in(request)
    body = await payload(request)
    shop = shop_of(request)
    lines = await off_loop(shop.shelf.lines, wanted(body))
    if not lines:
        raise HTTPException(422, "Nothing of that is for sale.")
    bought_by = buyer(body, customer, request.client.host if request.client else "")
    placed = await off_loop(shop.sales.place, bought_by, lines, customer.id)
    return JSONResponse(order_json(placed), 201, headers={"location": f"/api/orders/{placed.id}"})


async def internal_orders(request: Request) -> Response:
    """Every order, for staff."""
    customer = await signed_in(request)
    if customer.role != "staff":
        raise HTTPException(403, "This page is for our staff.")
    found = await off_loop(shop_of(request).sales.orders)
    return JSONResponse({"orders": [order_json(order) for order in found]})


async def partner_order(request: Request) -> Response:
    """One order, for a partner who shows the API key that goes with the path."""
    shop = shop_of(request)
    party = await off_loop(shop.people.partner, request.headers.get("x-api-key", ""))
    if party is None or party != request.path_params["party"]:
        raise HTTPException(401, "That API key opens nothing here.")
    found = await off_loop(shop.sales.order, request.path_params["id"])
    if found is None:
        raise HTTPException(404, "There is no such order.")
    return JSONResponse(order_json(found))


async def register_product(request: Request) -> Response:
    """Authorise a serial number on one of the customer's computers."""
    customer = await signed_in(request)
    given = required(await payload(request), "serial_number", "hardware_id", "computer_name")
    await off_loop(
        shop_of(request).people.authorise,
        customer.id,
        serial_number=given["serial_number"],
        hardware_id=given["hardware_id"],
        computer_name=given["computer_name"],
    )
    return JSONResponse({"authorised": given["serial_number"]}, 201)


async def telemetry(request: Request) -> Response:
    """What the shop's script tells about the visitor's device; kept as it comes."""
    await off_loop(shop_of(request).people.receive, "telemetry", await payload(request))
    return Response(status_code=204)


async def dealers_near(request: Request) -> Response:
    """Dealers, nearest first, from a position."""
    body = await payload(request)
    found = await off_loop(shop_of(request).shelf.dealers, number(body, "lat"), number(body, "lon"))
    return JSONResponse({"dealers": [asdict(dealer) for dealer in found]})


ROUTES: tuple[BaseRoute, ...] = (
    Route("/api/account", account),
    Route("/account/export", export),
    Route("/api/orders", orders, methods=["GET"]),
    Route("/api/orders", place_order, methods=["POST"]),
    Route("/api/orders/{id}", order),
    Route("/api/products/register", register_product, methods=["POST"]),
    Route("/internal/orders", internal_orders),
    Route("/partner/{party}/orders/{id}", partner_order),
    Route("/telemetry", telemetry, methods=["POST"]),
    Route("/dealers/near", dealers_near, methods=["POST"]),
)
