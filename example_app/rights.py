"""What people may ask about their own data, and what the shop does about it at once."""

from __future__ import annotations

import sqlite3

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from example_app.pages import page, tell
from example_app.payload import payload, required, text
from example_app.shop import off_loop, shop_of, signed_in
from example_app.tokens import AGREE

PROGRAMS = {"p1": "Cymbal Club", "artist": "News from our drummers"}
_RIGHTS = "/account/rights"


async def rights(request: Request) -> Response:
    """What one may ask for, and what became of it."""
    customer = await signed_in(request)
    desk = shop_of(request).desk
    tickets = await off_loop(desk.tickets, customer.id)
    joined = await off_loop(desk.programs, customer.id)
    agreed = await off_loop(desk.agreed, customer.id)
    return await page(request, "rights.html", tickets=tickets, programs=PROGRAMS, joined=joined, agreed=agreed)


async def access(request: Request) -> Response:
    """Ask what the shop holds."""
    customer = await signed_in(request)
    await off_loop(shop_of(request).desk.open, customer.id, "access")
    return tell(request, "We will answer in writing within a month. The file is ready at once.", _RIGHTS)


async def rectify(request: Request) -> Response:
    """Put one's own profile right."""
    customer = await signed_in(request)
    given = required(await payload(request), "name", "email", "phone", "address")
    desk = shop_of(request).desk
    try:
        await off_loop(desk.rectify, customer.id, **given)
    except sqlite3.IntegrityError as error:
        raise HTTPException(409, "That address belongs to another account.") from error
    await off_loop(desk.open, customer.id, "rectification")
    return tell(request, "Put right.", _RIGHTS)


async def erase(request: Request) -> Response:
    """Leave the shop for good."""
    customer = await signed_in(request)
    await off_loop(shop_of(request).desk.erase, customer)
    request.session.clear()
    return tell(
        request,
        "Your account is gone, and from our backups within a month. "
        "What the tax office wants is kept for seven years, and for that alone.",
        "/",
    )


async def restrict(request: Request) -> Response:
    """Have processing restricted, or go on."""
    customer = await signed_in(request)
    restricted = text(await payload(request), "restrict") == "on"
    await off_loop(shop_of(request).desk.open, customer.id, "restriction", "on" if restricted else "off")
    return tell(request, "Only you see your data now." if restricted else "Back to normal.", _RIGHTS)


async def object_to(request: Request) -> Response:
    """Object to a purpose."""
    customer = await signed_in(request)
    purpose = required(await payload(request), "purpose")["purpose"]
    await off_loop(shop_of(request).desk.open, customer.id, "objection", purpose)
    return tell(request, "We have stopped.", _RIGHTS)


async def transfer(request: Request) -> Response:
    """Have one's own data handed to another."""
    customer = await signed_in(request)
    party = required(await payload(request), "party")["party"]
    await off_loop(shop_of(request).desk.open, customer.id, "portability", party)
    return tell(request, "They may fetch your copy now.", _RIGHTS)


async def programs(request: Request) -> Response:
    """Enter a partner's program, or leave it."""
    customer = await signed_in(request)
    body = await payload(request)
    party, desk = required(body, "party")["party"], shop_of(request).desk
    if party not in PROGRAMS:
        raise HTTPException(404, "There is no such program.")
    leaving = text(body, "act") == "leave"
    await off_loop(desk.leave if leaving else desk.join, customer.id, party)
    return tell(request, "You have left it." if leaving else f"Welcome to {PROGRAMS[party]}.", _RIGHTS)


async def ask_guardian(request: Request) -> Response:
    """Write to a guardian, with a link that needs no account."""
    customer = await signed_in(request)
    shop = shop_of(request)
    email = required(await payload(request), "email")["email"]
    link = f"/guardian?t={shop.tokens.sign(AGREE, customer.id)}"
    await off_loop(shop.people.receive, "mail", {"to": email, "link": link})
    return tell(request, "We have written to them.", _RIGHTS)


async def guardian(request: Request) -> Response:
    """What a guardian is asked."""
    token = request.query_params.get("t", "")
    if shop_of(request).tokens.person(AGREE, token) is None:
        raise HTTPException(404, "We do not know that link.")
    return await page(request, "guardian.html", token=token)


async def agree(request: Request) -> Response:
    """Take a guardian's word."""
    shop = shop_of(request)
    child = shop.tokens.person(AGREE, request.query_params.get("t", ""))
    if child is None or text(await payload(request), "agree") != "yes":
        raise HTTPException(404, "We do not know that link.")
    await off_loop(shop.desk.agree, child)
    return tell(request, "Thank you. The account may be used with you beside it.", "/")


ROUTES: tuple[BaseRoute, ...] = (
    Route(_RIGHTS, rights, methods=["GET"]),
    Route("/account/rights/access", access, methods=["POST"]),
    Route("/account/rights/rectification", rectify, methods=["POST"]),
    Route("/account/rights/erasure", erase, methods=["POST"]),
    Route("/account/rights/restriction", restrict, methods=["POST"]),
    Route("/account/rights/objection", object_to, methods=["POST"]),
    Route("/account/rights/portability", transfer, methods=["POST"]),
    Route("/account/programs", programs, methods=["POST"]),
    Route("/account/guardian", ask_guardian, methods=["POST"]),
    Route("/guardian", guardian, methods=["GET"]),
    Route("/guardian", agree, methods=["POST"]),
)
