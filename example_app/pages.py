"""The pages that people browse: shelf, cart, checkout, and what surrounds them."""

from __future__ import annotations

from pathlib import Path

from starlette.datastructures import URL
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.templating import Jinja2Templates

from example_app.api import place_order
from example_app.models import total
from example_app.payload import buyer, is_json, payload, quantity, required
from example_app.shop import customer_of, off_loop, shop_of
from example_app.tracking import CART, KEPT, cart_cookie, new_cart

_TEMPLATES = Jinja2Templates(directory=Path(__file__).parent / "templates")
KINDS = ("Drum library", "MIDI pack", "Plug-in")


def money(cents: int) -> str:
    """A price as shown to people."""
    return f"€ {cents / 100:,.2f}" if cents else "free"


_TEMPLATES.env.filters["money"] = money


async def page(request: Request, template: str, /, status: int = 200, **context: object) -> Response:
    """Render a template with what every page shows: who is signed in, the cart, a passing message."""
    lines = await off_loop(shop_of(request).shelf.cart, request.cookies.get(CART))
    request.session.setdefault("visit", new_cart())
    shared = {
        "customer": await customer_of(request),
        "in_cart": sum(line.quantity for line in lines),
        "message": request.session.pop("message", None),
        "kinds": KINDS,
        "choices_saved": "choices" in request.session,
        "notice": request.app.state.notice,
    }
    return _TEMPLATES.TemplateResponse(request, template, {**shared, **context}, status_code=status)


def tell(request: Request, message: str, to: str) -> Response:
    """Send the visitor on, with a message for the next page."""
    request.session["message"] = message
    return RedirectResponse(to, 303)


async def home(request: Request) -> Response:
    """The shop window."""
    products = await off_loop(shop_of(request).shelf.products)
    return await page(request, "home.html", products=products[:3])


async def products(request: Request) -> Response:
    """The catalogue, or one kind of it."""
    kind = request.query_params.get("kind", "")
    found = await off_loop(shop_of(request).shelf.products, kind)
    return await page(request, "products.html", products=found, kind=kind)


async def product(request: Request) -> Response:
    """One product."""
    found = await off_loop(shop_of(request).shelf.product, request.path_params["sku"])
    if found is None:
        raise HTTPException(404, "We do not sell that.")
    return await page(request, "product.html", product=found)


async def cart(request: Request) -> Response:
    """What lies in the cart."""
    lines = await off_loop(shop_of(request).shelf.cart, request.cookies.get(CART))
    return await page(request, "cart.html", lines=lines, total=total(lines))


async def put_in_cart(request: Request) -> Response:
    """Put something into the cart, and remember the cart in a cookie."""
    body = await payload(request)
    shelf = shop_of(request).shelf
    sku = required(body, "sku")["sku"]
    if await off_loop(shelf.product, sku) is None:
        raise HTTPException(404, "We do not sell that.")
    held = request.cookies.get(CART) or new_cart()
    await off_loop(shelf.put, held, sku, quantity(body))
    response = RedirectResponse("/cart", 303)
    response.headers.append("set-cookie", cart_cookie(held))
    return response


async def checkout(request: Request) -> Response:
    """The order form."""
    lines = await off_loop(shop_of(request).shelf.cart, request.cookies.get(CART))
    return await page(request, "checkout.html", lines=lines, total=total(lines))


async def order(request: Request) -> Response:
    """Order what lies in the cart; a JSON body names its own items instead."""
    if is_json(request):
        return await place_order(request)
    shop = shop_of(request)
    held = request.cookies.get(CART, "")
    lines = await off_loop(shop.shelf.cart, held)
    if not lines:
        return tell(request, "Your cart is empty.", "/cart")
    customer = await customer_of(request)
    if customer is None:
        return tell(request, "Please sign in first; your cart waits.", "/login?to=/checkout")
    bought_by = buyer(await payload(request), customer, request.client.host if request.client else "")
    placed = await off_loop(shop.sales.place, bought_by, lines, customer.id)
    await off_loop(shop.shelf.empty, held)
    request.session["orders"] = [*request.session.get("orders", []), placed.id][-5:]
    return RedirectResponse(f"/thanks/{placed.id}", 303)


async def thanks(request: Request) -> Response:
    """The receipt of an order placed in this session."""
    if request.path_params["id"] not in request.session.get("orders", []):
        raise HTTPException(404, "There is no such order.")
    found = await off_loop(shop_of(request).sales.order, request.path_params["id"])
    return await page(request, "thanks.html", order=found)


async def newsletter(request: Request) -> Response:
    """Subscribe an address to the newsletter."""
    email = required(await payload(request), "email")["email"]
    await off_loop(shop_of(request).people.subscribe, email)
    return tell(request, "Welcome. One mail a month, and every one has a way out.", "/")


async def unsubscribe_form(request: Request) -> Response:
    """The way out of the newsletter."""
    return await page(request, "unsubscribe.html", token=request.query_params.get("t", ""))


async def unsubscribe(request: Request) -> Response:
    """Leave the newsletter with the link of the mail, by one click and without signing in."""
    if not await off_loop(shop_of(request).people.unsubscribe, request.query_params.get("t", "")):
        raise HTTPException(404, "We do not know that link. Perhaps you have left already.")
    return tell(request, "You will get no more mail from us.", "/")


async def contact(request: Request) -> Response:
    """Where to reach the shop, and a form."""
    return await page(request, "contact.html")


async def write_to_us(request: Request) -> Response:
    """Receive a message."""
    body = await payload(request)
    await off_loop(shop_of(request).people.receive, "message", {**required(body, "name", "email", "message")})
    return tell(request, "Thank you. A human will answer within two working days.", "/contact")


async def survey_form(request: Request) -> Response:
    """Three questions about the shop."""
    return await page(request, "survey.html")


async def survey(request: Request) -> Response:
    """Receive an answered survey."""
    body = await payload(request)
    await off_loop(shop_of(request).people.receive, "survey", body)
    return JSONResponse({"thanks": True}, 201) if is_json(request) else tell(request, "Thank you!", "/")


async def dealers(request: Request) -> Response:
    """Where boxed copies are sold."""
    return await page(request, "dealers.html", dealers=await off_loop(shop_of(request).shelf.dealers, 0.0, 0.0))


async def partners(request: Request) -> Response:
    """What partners may fetch from the shop, and how."""
    return await page(request, "partners.html")


async def privacy_policy(request: Request) -> Response:
    """The privacy policy in short, with the way to the whole of it."""
    return await page(request, "privacy.html")


async def security(request: Request) -> Response:
    """How the shop keeps data safe."""
    return await page(request, "security.html")


async def cookies(request: Request) -> Response:
    """Which cookies there are, what for, and for how long."""
    return await page(request, "cookies.html", kept=KEPT)


async def choices(request: Request) -> Response:
    """Where a visitor decides about cookies, and may change their mind."""
    return await page(request, "choices.html")


async def choices_saved(request: Request) -> Response:
    """Where the consent forms return to; from here on the notice stays away."""
    request.session["choices"] = "saved"
    return await page(request, "choices.html", choices_saved=True, message="Your choice is saved.")


async def failed(request: Request, error: Exception) -> Response:
    """An error as a page for people and as JSON for programs."""
    status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "Sorry.")
    if "text/html" in request.headers.get("accept", "") and request.method in ("GET", "POST"):
        if status == 401:
            return RedirectResponse(URL("/login").include_query_params(to=_page_of(request) or "/account"), 303)
        back = _page_of(request) if request.method == "POST" else None
        return await page(request, "failed.html", status, detail=detail, code=status, back=back)
    return JSONResponse({"error": detail}, status)


def _page_of(request: Request) -> str | None:
    """The page that has the path of a request, or None where only a form is sent there."""
    asked = {**request.scope, "method": "GET"}
    shown = any(route.matches(asked)[0] is Match.FULL for route in request.app.routes)
    return request.url.path if shown else None


ROUTES: tuple[BaseRoute, ...] = (
    Route("/", home),
    Route("/products", products),
    Route("/products/{sku}", product),
    Route("/cart", cart, methods=["GET"]),
    Route("/cart", put_in_cart, methods=["POST"]),
    Route("/checkout", checkout),
    Route("/order", order, methods=["POST"]),
    Route("/thanks/{id}", thanks),
    Route("/newsletter", newsletter, methods=["POST"]),
    Route("/unsubscribe", unsubscribe_form, methods=["GET"]),
    Route("/unsubscribe", unsubscribe, methods=["POST"]),
    Route("/contact", contact, methods=["GET"]),
    Route("/contact", write_to_us, methods=["POST"]),
    Route("/survey", survey_form, methods=["GET"]),
    Route("/survey", survey, methods=["POST"]),
    Route("/dealers", dealers),
    Route("/partners", partners),
    Route("/privacy-policy", privacy_policy),
    Route("/security", security),
    Route("/cookies", cookies),
    Route("/choices", choices),
    Route("/choices/saved", choices_saved),
)
