"""The other side of the counter: staff, partners, sources and those who only want figures. As careless as the rest."""

from __future__ import annotations

from dataclasses import asdict

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from example_app.models import Customer
from example_app.pages import page, tell
from example_app.payload import payload, required
from example_app.shop import off_loop, shop_of, signed_in


async def admin(request: Request) -> Response:
    """What people have asked for, for staff."""
    await _staff(request)
    return await page(request, "admin.html", tickets=await off_loop(shop_of(request).desk.tickets))


async def finish(request: Request) -> Response:
    """Mark a request as answered."""
    await _staff(request)
    if not await off_loop(shop_of(request).desk.finish, request.path_params["id"]):
        raise HTTPException(404, "There is no such request.")
    return tell(request, "Done.", "/admin")


async def people(request: Request) -> Response:
    """Everybody with an account, for staff."""
    await _staff(request)
    return JSONResponse({"people": await off_loop(shop_of(request).desk.people)})


async def invitations(request: Request) -> Response:
    """Whom to ask how they like the shop, for staff."""
    await _staff(request)
    return JSONResponse({"invited": await off_loop(shop_of(request).desk.people)})


async def members(request: Request) -> Response:
    """Everybody, for a partner whose program some of them may have entered."""
    await _party(request)
    return JSONResponse({"members": await off_loop(shop_of(request).desk.people)})


async def copy(request: Request) -> Response:
    """One person's copy, for whoever was named to fetch it."""
    await _party(request)
    found = await off_loop(shop_of(request).people.customer, request.path_params["id"])
    if found is None:
        raise HTTPException(404, "There is nobody of that number.")
    return JSONResponse(asdict(found))


async def figures(request: Request) -> Response:
    """How many people bought what, or where."""
    await _party(request)
    by = "town" if request.query_params.get("by") == "town" else "kind"
    return JSONResponse({"figures": await off_loop(shop_of(request).desk.figures, by)})


async def correct(request: Request) -> Response:
    """Take over an address that the post office knows better; kept as it came."""
    shop = shop_of(request)
    if await off_loop(shop.people.partner, request.headers.get("x-api-key", "")) is None:
        raise HTTPException(401, "That API key opens nothing here.")
    body = await payload(request)
    given = required(body, "customer", "address")
    await off_loop(shop.people.receive, "import", body)
    if not await off_loop(shop.desk.correct, given["customer"], given["address"]):
        raise HTTPException(404, "There is nobody of that number.")
    return JSONResponse({"corrected": given["customer"]})


async def _staff(request: Request) -> Customer:
    customer = await signed_in(request)
    if customer.role != "staff":
        raise HTTPException(403, "This page is for our staff.")
    return customer


async def _party(request: Request) -> None:
    party = await off_loop(shop_of(request).people.partner, request.headers.get("x-api-key", ""))
    if party is None or party != request.path_params["party"]:
        raise HTTPException(401, "That API key opens nothing here.")


ROUTES: tuple[BaseRoute, ...] = (
    Route("/admin", admin),
    Route("/admin/requests/{id:int}", finish, methods=["POST"]),
    Route("/admin/people", people),
    Route("/admin/invitations", invitations),
    Route("/partner/{party}/members", members),
    Route("/partner/{party}/copies/{id}", copy),
    Route("/partner/{party}/figures", figures),
    Route("/import/addresses", correct, methods=["POST"]),
)
