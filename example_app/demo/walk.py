"""The walk: what visitors do in the shop, and what must be true of each step."""

from __future__ import annotations

import json
from collections.abc import Iterator

from example_app.demo import rooms
from example_app.demo.browser import Browser
from example_app.demo.scene import (
    Claim,
    Scene,
    arrived,
    csp_without,
    expired_cookies,
    given,
    kept,
    lives,
    removed,
    returns,
    same_body,
    scene,
    seen,
    sent,
    untouched,
)
from example_app.demo.server import Server
from example_app.demo.wire import Exchange, Request
from example_app.seed import PARTNER_KEYS, PASSWORD

ANALYTICS = frozenset({"_ga", "_gid"})
ADVERTISING = frozenset({"_fbp", "_gcl_aw"})
TRACKING = ANALYTICS | ADVERTISING
DAY = 24 * 60 * 60
TOO_MUCH = ("date_of_birth", "gender")
FROM_BEFORE = {"_ga": "GA1.2.1090909.1760000000", "_fbp": "fb.1.1760000000000.4711"}
"""Cookies that a browser still has from the days before the guard."""

ACCEPT_ANALYTICS = "consents=analytics&return_to=%2Fchoices%2Fsaved"
ALL = "return_to=%2Fchoices%2Fsaved"
LOGIN = f"email=ann%40example.org&password={PASSWORD}"
ORDER = {
    "name": "Ann Lindqvist",
    "email": "ann@example.org",
    "phone": "+46 70 174 06 35",
    "address": "Strandgatan 3, 531 30 Lidköping, Sweden",
    "date_of_birth": "1988-04-17",
    "items": [{"sku": "MP-POCKET", "quantity": 1}],
}


def walk(server: Server) -> Iterator[Scene]:
    """Take every step, one after the other."""
    yield from _first_visit(server)
    yield from _accepting(server)
    yield from _accepting_all(server)
    yield from _refusing(server)
    yield from _signalling(server)
    yield from _buying(server)
    yield from _sharing(server)
    yield from rooms.walk(server)


def _first_visit(server: Server) -> Iterator[Scene]:
    visitor = Browser(server)
    home = visitor.get("/")
    yield scene(
        "A first visit",
        home,
        Claim(text="the shop sent all its cookies", holds=TRACKING | {"session", "cart"} <= sent(home)),
        Claim(text="no analytics or advertising cookie arrived", holds=not TRACKING & arrived(home)),
        Claim(text="the cart cookie waits until the visitor asks for it", holds="cart" not in arrived(home)),
        Claim(text="the session cookie arrived, byte for byte", holds=untouched(home, {"session"})),
        Claim(
            text="a policy for scripts holds the third parties back", holds=csp_without(home, "googletagmanager.com")
        ),
        Claim(text="the page itself is unchanged", holds=same_body(home)),
    )
    cart = visitor.submit("/cart", "sku=DL-NORRLAND")
    yield scene(
        "Something into the cart: now the visitor asked for that cookie",
        cart,
        Claim(text="the cart cookie arrived, byte for byte", holds=untouched(cart, {"cart"})),
    )
    again = visitor.get("/cart")
    yield scene(
        "The cart is still there on the next page",
        again,
        Claim(text="the shop saw the cart cookie", holds="cart" in seen(again)),
        Claim(text="the page shows what lies in it", holds=b"Norrland Kit</a>" in again.arrived.body),
    )


def _accepting(server: Server) -> Iterator[Scene]:
    visitor = Browser(server)
    visitor.get("/")
    choice = visitor.submit("/.privacy/accept", ACCEPT_ANALYTICS)
    yield scene(
        "Analytics accepted",
        choice,
        Claim(text="the form comes back to the shop", holds=returns(choice)),
        Claim(text="the choice is kept in a cookie", holds=bool(arrived(choice))),
    )
    page = visitor.get("/products")
    yield scene(
        "The next page, after accepting analytics",
        page,
        Claim(text="the analytics cookies arrived, byte for byte", holds=untouched(page, ANALYTICS)),
        Claim(text="no advertising cookie arrived", holds=not ADVERTISING & arrived(page)),
        Claim(text="the analytics vendor in the EU may load now", holds=not csp_without(page, "example-analytics.eu")),
        Claim(text="the one outside the EEA may not", holds=csp_without(page, "googletagmanager.com")),
    )
    yield from _withdrawing(visitor)


def _withdrawing(visitor: Browser) -> Iterator[Scene]:
    before = dict(visitor.jar)
    withdrawn = visitor.submit("/.privacy/withdraw", ALL)
    yield scene(
        "Withdrawal",
        withdrawn,
        Claim(text="the form comes back to the shop", holds=returns(withdrawn)),
        Claim(text="the analytics cookies are expired", holds=expired_cookies(withdrawn) >= ANALYTICS),
    )
    visitor.jar = before
    revived = visitor.get("/products")
    yield scene(
        "After the withdrawal, with the old consent cookie put back",
        revived,
        Claim(text="the shop saw no analytics cookie", holds=not TRACKING & seen(revived)),
        Claim(text="none arrived but to be expired", holds=not TRACKING & given(revived)),
    )


def _accepting_all(server: Server) -> Iterator[Scene]:
    visitor = Browser(server)
    visitor.submit("/.privacy/accept", ALL)
    page = visitor.get("/")
    kept = TRACKING - {"_fbp"}
    yield scene(
        "All accepted",
        page,
        Claim(text="the cookies arrived, byte for byte", holds=untouched(page, kept)),
        Claim(text="that for remarketing lives thirty days, not ninety", holds=lives(page, "_fbp", 30 * DAY)),
    )


def _refusing(server: Server) -> Iterator[Scene]:
    visitor = Browser(server, jar=dict(FROM_BEFORE))
    before = visitor.get("/")
    yield scene(
        "A browser with tracking cookies from before, nothing decided",
        before,
        Claim(text="the shop saw none of them", holds=not TRACKING & seen(before)),
        Claim(text="no new one arrived", holds=not TRACKING & given(before)),
    )
    refused = visitor.submit("/.privacy/refuse", ALL)
    yield scene("All refused", refused, Claim(text="the form comes back to the shop", holds=returns(refused)))
    visitor.jar |= FROM_BEFORE
    page = visitor.get("/")
    yield scene(
        "The next page, after refusing",
        page,
        Claim(text="the shop saw no tracking cookie", holds=not TRACKING & seen(page)),
        Claim(text="none arrived but to be expired", holds=not TRACKING & given(page)),
        Claim(text="the ones from before are expired", holds=expired_cookies(page) >= set(FROM_BEFORE)),
        Claim(text="the page is open to who refuses", holds=page.arrived.status == 200),
    )


def _signalling(server: Server) -> Iterator[Scene]:
    visitor = Browser(server, always=(("Accept", "text/html"), ("Sec-GPC", "1")), jar=dict(FROM_BEFORE))
    page = visitor.get("/")
    yield scene(
        "A browser that signals Global Privacy Control",
        page,
        Claim(text="the shop saw no tracking cookie", holds=not TRACKING & seen(page)),
        Claim(text="none arrived but to be expired", holds=not TRACKING & given(page)),
    )


def _buying(server: Server) -> Iterator[Scene]:
    ann = Browser(server)
    ann.get("/login")
    ann.submit("/login", LOGIN)
    page = ann.get("/account")
    yield scene(
        "The account page",
        page,
        Claim(text="Ann sees her orders", holds=b"HA-20002" in page.arrived.body),
        Claim(
            text="the page is not stored on the way", holds="no-store" in ", ".join(page.arrived.all("cache-control"))
        ),
    )
    profile = ann.get_json("/api/account")
    yield scene(
        "The account as JSON",
        profile,
        Claim(text="what a purchase needs arrived", holds=kept(profile, "name", "email", "phone", "address")),
        Claim(text="date of birth and gender did not", holds=removed(profile, *TOO_MUCH)),
    )
    order = ann.post_json("/api/orders", json.dumps(ORDER, ensure_ascii=False))
    yield scene(
        "An order with a field too many",
        order,
        Claim(
            text="the shop never saw the date of birth",
            holds=order.inside is not None and b"1988" not in order.inside.body,
        ),
        Claim(text="the order was placed", holds=order.arrived.status == 201),
        Claim(text="date of birth and gender were taken out of the answer", holds=removed(order, *TOO_MUCH)),
        Claim(text="what a purchase needs arrived", holds=kept(order, "name", "email", "phone", "address", "total")),
    )
    copy = ann.get_json("/account/export")
    yield scene(
        "Ann's own copy, which is hers in full",
        copy,
        Claim(text="nothing was taken out", holds=same_body(copy)),
    )


def _sharing(server: Server) -> Iterator[Scene]:
    inside = _partner(server, "shipper")
    yield scene(
        "A parcel service in Germany fetches an order",
        inside,
        Claim(text="it got what it needs to deliver", holds=kept(inside, "name", "email", "phone", "address")),
        Claim(text="it got neither date of birth nor gender", holds=removed(inside, *TOO_MUCH)),
    )
    outside = _partner(server, "mailer")
    yield scene(
        "A mailing service in the United States tries the same",
        outside,
        Claim(text="it was denied", holds=outside.arrived.status == 403),
        Claim(text="the shop was never asked", holds=outside.inside is None),
    )


def _partner(server: Server, party: str) -> Exchange:
    headers = (("X-API-Key", PARTNER_KEYS[party]),)
    return Browser(server).send(Request(method="GET", path=f"/partner/{party}/orders/HA-20001", headers=headers))
