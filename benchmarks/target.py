"""The app under test: plain text of 25 bytes, a page of 8 KB that sets six cookies, an order of 1 KB in 30 shapes."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

SHAPES = 30
PAGE_BYTES = 8 * 1024
SET_COOKIES = (
    b"session=c2Vzc2lvbi1vZi1hLXZpc2l0b3I; Path=/; HttpOnly; Secure; SameSite=Lax",
    b"cart=Y2FydC1vZi1hLXZpc2l0b3I; Path=/; Max-Age=1209600; HttpOnly; SameSite=Lax",
    b"_ga=GA1.2.1043251.1700000000; Path=/; Max-Age=63072000; SameSite=Lax",
    b"_gid=GA1.2.775921.1700000000; Path=/; Max-Age=86400; SameSite=Lax",
    b"_fbp=fb.1.1700000000000.1148215; Path=/; Max-Age=7776000; SameSite=Lax",
    b"_gcl_aw=GCL.1700000000.Q2p3S0NBand; Path=/; Max-Age=7776000; SameSite=Lax",
)
OPTIONAL = ("company", "vat_number", "nickname", "referrer", "gift_note")


def page() -> bytes:
    """Return HTML with five scripts of its own and nothing of anybody else."""
    head = "".join(f'<script src="/static/part{n}.js" defer></script>' for n in range(5))
    filler = "<p>A drum library recorded in a stone hall, with brushes, rods and sticks.</p>\n"
    body = filler * ((PAGE_BYTES - len(head)) // len(filler))
    return f"<!doctype html><html><head><title>Shop</title>{head}</head><body>{body}</body></html>".encode()


def order(shape: int) -> dict[str, Any]:
    """Return an order as JSON of about 1 KB and three levels; the bits of `shape` say which optional members it has."""
    customer = {
        "id": f"c-{shape:05}",
        "email": f"visitor{shape}@mail.example",
        "first_name": "Ada",
        "last_name": "Drummer",
        "phone": "+46 90 12 34 56",
        "address": {"street": "Storgatan 1", "city": "Umeå", "postcode": "903 26", "country": "SE"},
        "locale": "sv-SE",
        "customer_since": "2019-04-01",
    }
    customer |= {name: f"{name} {shape}" for bit, name in enumerate(OPTIONAL) if shape + 1 >> bit & 1}
    lines = [
        {
            "sku": f"TT-{n:04}",
            "title": f"Drum library {n}",
            "quantity": 1,
            "price": "1.10",
            "tax": "0.28",
            "serial": None,
        }
        for n in range(3)
    ]
    payment = {"method": "card", "brand": "visa", "last4": "4242", "paid_at": "2026-11-01T10:00:00Z", "currency": "EUR"}
    return {
        "id": shape,
        "status": "paid",
        "created_at": "2026-11-01T09:58:00Z",
        "customer": customer,
        "lines": lines,
        "payment": payment,
        "delivery": {"kind": "download", "links": 3, "expires_at": "2027-11-01T00:00:00Z"},
        "total": "3.30",
    }


PAGE = page()
ORDERS = tuple(order(shape) for shape in range(SHAPES))


async def text(request: Request) -> Response:
    return PlainTextResponse("twenty-five bytes of text")


async def html(request: Request) -> Response:
    response = HTMLResponse(PAGE)
    response.raw_headers.extend((b"set-cookie", value) for value in SET_COOKIES)
    return response


async def record(request: Request) -> Response:
    return JSONResponse(ORDERS[int(request.path_params["order"]) % SHAPES])


def target() -> Starlette:
    """Return a new app."""
    return Starlette(routes=[Route("/text", text), Route("/", html), Route("/api/orders/{order}", record)])
