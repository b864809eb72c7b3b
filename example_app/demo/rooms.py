"""The walk's second half: what people demand of the shop, and what partners, sources and analysts get of it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from example_app.demo.browser import Browser
from example_app.demo.scene import Claim, Scene, kept, removed, same_body, scene
from example_app.demo.server import Server
from example_app.demo.wire import Exchange, Request
from example_app.seed import PARTNER_KEYS, PASSWORD
from example_app.shop import Shop
from example_app.tokens import AGREE

TOO_MUCH = ("date_of_birth", "gender")
CHILD = "name=Kim&email=kim%40example.org&phone=1&address=Here+1&password=brushes-and-bells&date_of_birth=2019-02-03"
CORRECTION = {"customer": "c-1001", "address": "Strandgatan 5, 531 30 Lidköping", "phone": "+46 70 174 06 99"}
READER = "eve@example.org"
GUARDIAN = "parent@example.org"
_DUE = b"<time datetime="


def walk(server: Server) -> Iterator[Scene]:
    """Take every step, one after the other."""
    ann, erik = _signed_in(server, "ann@example.org"), _signed_in(server, "erik@halvtakt.example")
    yield from _registering(server)
    yield from _downloading(ann)
    yield from _joining(server, ann)
    yield from _restricting(ann, erik)
    yield from _importing(server)
    yield from _counting(server)
    yield from _leaving(server)
    yield from _agreeing(server, ann)
    yield from _forgetting(server, erik)


def _registering(server: Server) -> Iterator[Scene]:
    child = Browser(server).submit("/register", CHILD)
    yield scene(
        "A child tries to open an account",
        child,
        Claim(text="the child was turned away", holds=child.arrived.status == 403),
        Claim(text="the shop never saw the form", holds=child.inside is None),
    )


def _downloading(ann: Browser) -> Iterator[Scene]:
    fetched = ann.get_json("/downloads/DL-NORRLAND")
    yield scene(
        "Ann fetches what she bought",
        fetched,
        Claim(
            text="the archive arrived, byte for byte", holds=fetched.arrived.body[:2] == b"PK" and same_body(fetched)
        ),
    )


def _joining(server: Server, ann: Browser) -> Iterator[Scene]:
    before = _party(server, "p1", "/partner/p1/members")
    yield scene(
        "A partner asks for the members of its program",
        before,
        Claim(text="the shop sent everybody", holds=_listed(before, "members", inside=True) > {"c-1001", "c-1002"}),
        Claim(text="nobody had joined, so nobody arrived", holds=_listed(before, "members") == set()),
    )
    ann.submit("/account/programs", "party=p1&act=join")
    after = _party(server, "p1", "/partner/p1/members")
    yield scene(
        "The same after Ann has joined",
        after,
        Claim(text="Ann arrived, and nobody else", holds=_listed(after, "members") == {"c-1001"}),
        Claim(
            text="with her name and address for mail, and no more",
            holds=all("email" in one and not {"phone", *TOO_MUCH} & set(one) for one in after.arrived.json["members"]),
        ),
    )


def _restricting(ann: Browser, erik: Browser) -> Iterator[Scene]:
    ann.submit("/account/rights/restriction", "restrict=on")
    people = erik.get_json("/admin/people")
    yield scene(
        "Ann has had processing restricted; staff looks at the list of customers",
        people,
        Claim(text="Ann was taken out of the list", holds="c-1001" not in _listed(people, "people")),
        Claim(text="others are still there", holds="c-1002" in _listed(people, "people")),
    )
    own = ann.get_json("/api/account")
    yield scene(
        "Ann herself still sees her data",
        own,
        Claim(text="her profile arrived", holds=own.arrived.status == 200 and kept(own, "name", "email")),
        Claim(text="and still without what no purchase needs", holds=removed(own, *TOO_MUCH)),
    )
    ann.submit("/account/rights/restriction", "restrict=off")


def _importing(server: Server) -> Iterator[Scene]:
    body = json.dumps(CORRECTION, ensure_ascii=False)
    headers = (("X-API-Key", PARTNER_KEYS["postal-service"]), ("Content-Type", "application/json"))
    sent = Browser(server).send(Request(method="POST", path="/import/addresses", headers=headers, body=body))
    seen = sent.inside.body if sent.inside else b""
    yield scene(
        "The post office corrects an address, and brings a telephone number along",
        sent,
        Claim(text="the address was corrected", holds=sent.arrived.status == 200),
        Claim(
            text="the shop saw the address and not the number", holds=b"Strandgatan" in seen and b"phone" not in seen
        ),
    )


def _counting(server: Server) -> Iterator[Scene]:
    kinds = _party(server, "m2", "/partner/m2/figures")
    yield scene(
        "An analyst asks how many bought what",
        kinds,
        Claim(text="counts of many people arrived", holds=kinds.arrived.status == 200 and same_body(kinds)),
    )
    towns = _party(server, "m2", "/partner/m2/figures?by=town")
    yield scene(
        "The same by town, where one count is two people",
        towns,
        Claim(text="such figures were denied", holds=towns.arrived.status == 403),
        Claim(text="the small count did not arrive", holds=b"Arvidsjaur" not in towns.arrived.body),
    )


def _leaving(server: Server) -> Iterator[Scene]:
    reader = Browser(server)
    reader.submit("/newsletter", f"email={READER.replace('@', '%40')}")
    link = f"/unsubscribe?t={Shop(server.folder / 'shop.sqlite3').people.subscribe(READER)}"
    left = Browser(server).submit(link, "List-Unsubscribe=One-Click")
    yield scene(
        "Out of the newsletter by the link in the mail, from another browser and without signing in",
        left,
        Claim(text="the shop let the reader go", holds=left.arrived.status == 303),
        Claim(text="the link holds no address", holds="eve" not in link and "@" not in link),
    )


def _agreeing(server: Server, ann: Browser) -> Iterator[Scene]:
    ann.submit("/account/guardian", f"email={GUARDIAN.replace('@', '%40')}")
    link = f"/guardian?t={Shop(server.folder / 'shop.sqlite3').tokens.sign(AGREE, 'c-1001')}"
    agreed = Browser(server).submit(link, "agree=yes")
    yield scene(
        "A guardian agrees by the link in a mail, without an account",
        agreed,
        Claim(text="the shop took the guardian's word", holds=agreed.arrived.status == 303),
        Claim(text="Ann's page says so", holds=b"Your guardian agrees." in ann.get("/account/rights").arrived.body),
    )


def _forgetting(server: Server, erik: Browser) -> Iterator[Scene]:
    bob = _signed_in(server, "bob@example.org")
    bob.submit("/account/rights/erasure", "sure=yes")
    desk = erik.get("/admin")
    page = desk.arrived.body
    yield scene(
        "Bob has asked to be forgotten; staff looks at what is open",
        desk,
        Claim(
            text="the request stands there with its deadline", holds=b"erasure from backups" in page and _DUE in page
        ),
        Claim(text="Bob's name and address do not", holds=b"Bob" not in page and b"bob@example.org" not in page),
        Claim(text="his sign-in opens nothing any more", holds=bob.get("/account").arrived.status == 303),
    )


def _signed_in(server: Server, email: str) -> Browser:
    browser = Browser(server)
    browser.submit("/login", f"email={email.replace('@', '%40')}&password={PASSWORD}")
    return browser


def _party(server: Server, party: str, path: str) -> Exchange:
    headers = (("X-API-Key", PARTNER_KEYS[party]),)
    return Browser(server).send(Request(method="GET", path=path, headers=headers))


def _listed(exchange: Exchange, name: str, *, inside: bool = False) -> set[str]:
    answer = exchange.inside.answer if inside and exchange.inside else exchange.arrived
    return {str(one["id"]) for one in answer.json.get(name, [])} if answer.status == 200 else set()
