"""The cookies that this shop, like most, sets on every page without asking: a cart, analytics, advertising."""

from __future__ import annotations

import secrets
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_DAY = 24 * 60 * 60
CART = "cart"
CART_KEPT = 14 * _DAY
KEPT = (
    ("session", "that you stay signed in", "a fortnight", "always"),
    (CART, "what lies in your cart", "a fortnight", "once you put something into it"),
    ("troth_consent", "what you chose here", "six months", "once you choose"),
    ("_ga, _gid", "counting visits", "a year, a day", "if you accept counting"),
    ("_gcl_aw", "seeing which advertisement brought you", "ninety days", "if you accept advertising"),
    ("_fbp", "advertising on other sites", "thirty days", "if you accept advertising"),
)
"""What the page on cookies tells: name, what for, how long, when."""


class TrackingCookies:
    """Adds to each HTML page the cookies that the browser did not bring along."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and add cookies to the head of the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        brought = frozenset(cookie_parser("; ".join(Headers(scope=scope).getlist("cookie"))))

        async def send_with_cookies(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    _add(headers, brought)
            await send(message)

        await self.app(scope, receive, send_with_cookies)


def cart_cookie(cart: str) -> str:
    """The `Set-Cookie` value that remembers a cart for a fortnight."""
    return f"{CART}={cart}; Path=/; Max-Age={CART_KEPT}; HttpOnly; SameSite=Lax"


def new_cart() -> str:
    """An id for a cart; it says nothing about its holder."""
    return secrets.token_urlsafe(16)


def _add(headers: MutableHeaders, brought: frozenset[str]) -> None:
    given = headers.getlist("set-cookie")
    for name, cookie in _wanted().items():
        if name not in brought and not any(value.startswith(f"{name}=") for value in given):
            headers.append("set-cookie", cookie)


def _wanted() -> dict[str, str]:
    moment, number = int(time.time()), secrets.randbelow(10**9)
    return {
        CART: cart_cookie(new_cart()),
        "_ga": f"_ga=GA1.2.{number}.{moment}; Path=/; Max-Age={730 * _DAY}; SameSite=Lax",
        "_gid": f"_gid=GA1.2.{secrets.randbelow(10**9)}.{moment}; Path=/; Max-Age={_DAY}; SameSite=Lax",
        "_fbp": f"_fbp=fb.1.{moment}000.{secrets.randbelow(10**10)}; Path=/; Max-Age={90 * _DAY}; SameSite=Lax",
        "_gcl_aw": f"_gcl_aw=GCL.{moment}.{secrets.token_urlsafe(12)}; Path=/; Max-Age={90 * _DAY}; SameSite=Lax",
    }
