"""The pages of an account: opening one, signing in and out, and seeing what the shop knows."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from example_app.clock import now
from example_app.models import Customer
from example_app.pages import page, tell
from example_app.payload import day, payload, required, text
from example_app.people import AddressTakenError
from example_app.shop import off_loop, shop_of, signed_in

SHORTEST_PASSWORD = 10


async def register_form(request: Request) -> Response:
    """The form that opens an account."""
    return await page(request, "register.html", given={})


async def register(request: Request) -> Response:
    """Open an account and sign its owner in."""
    body = await payload(request)
    given = required(body, "name", "email", "phone", "address", "password")
    if len(given["password"]) < SHORTEST_PASSWORD:
        return await page(request, "register.html", 422, problem="A password has ten characters or more.", given=given)
    people = shop_of(request).people
    try:
        customer = await off_loop(people.register, **given, born=day(body, "date_of_birth"))
    except AddressTakenError:
        return await page(request, "register.html", 409, problem="That address has an account already.", given=given)
    _sign_in(request, customer)
    return tell(request, f"Welcome to Halvtakt, {customer.name}.", "/account")


async def login_form(request: Request) -> Response:
    """The form to sign in."""
    return await page(request, "login.html", to=request.query_params.get("to", "/account"))


async def login(request: Request) -> Response:
    """Sign in with e-mail and password."""
    body = await payload(request)
    given = required(body, "email", "password")
    customer = await off_loop(shop_of(request).people.login, given["email"], given["password"])
    if customer is None:
        return await page(request, "login.html", 401, problem="That address and password do not go together.")
    _sign_in(request, customer)
    return RedirectResponse(_own_path(text(body, "to", "/account")), 303)


async def logout(request: Request) -> Response:
    """Sign out."""
    request.session.clear()
    return tell(request, "You are signed out.", "/")


async def account(request: Request) -> Response:
    """What the customer bought, registered, and told us."""
    customer = await signed_in(request)
    shop = shop_of(request)
    orders = await off_loop(shop.sales.orders, customer.id)
    computers = await off_loop(shop.people.computers, customer.id)
    return await page(request, "account.html", orders=orders, computers=computers)


async def change_account(request: Request) -> Response:
    """Change phone number and address."""
    customer = await signed_in(request)
    given = required(await payload(request), "phone", "address")
    await off_loop(shop_of(request).people.move, customer.id, phone=given["phone"], address=given["address"])
    return tell(request, "Saved.", "/account")


async def register_product(request: Request) -> Response:
    """Authorise a serial number on a computer."""
    customer = await signed_in(request)
    given = required(await payload(request), "serial_number", "hardware_id", "computer_name")
    await off_loop(shop_of(request).people.authorise, customer.id, **given)
    return tell(request, "That computer is authorised.", "/account")


def _sign_in(request: Request, customer: Customer) -> None:
    request.session["customer"] = customer.id
    request.session["role"] = customer.role
    request.session["signed_in"] = now().isoformat(timespec="seconds")


def _own_path(path: str) -> str:
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"


ROUTES: tuple[BaseRoute, ...] = (
    Route("/register", register_form, methods=["GET"]),
    Route("/register", register, methods=["POST"]),
    Route("/login", login_form, methods=["GET"]),
    Route("/login", login, methods=["POST"]),
    Route("/logout", logout, methods=["POST"]),
    Route("/account", account, methods=["GET"]),
    Route("/account", change_account, methods=["POST"]),
    Route("/account/products", register_product, methods=["POST"]),
)
