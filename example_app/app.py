"""Halvtakt Audio, put together. The privacy policy is kept by the one line that names `troth`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

import troth
from example_app import accounts, api, backoffice, community, hooks, pages, rights
from example_app.notice import notice_of
from example_app.origin import OwnPagesOnly
from example_app.shop import Shop
from example_app.tracking import TrackingCookies

HERE = Path(__file__).parent
POLICY = HERE.parent / "policies" / "toontrack"
BINDING = HERE / "binding.yaml"
DENIED = "example_app.denied:denied"


def create_app(
    guarded: bool = True, database: Path | None = None, *, policy: Path = POLICY, inside: Sequence[Middleware] = ()
) -> Starlette:
    """The shop as an ASGI app.

    `database` is its SQLite file, else what `HALVTAKT_DATABASE` names, else `halvtakt.sqlite3` in the working
    directory. `inside` is middleware that stands between the guard and the shop.
    """
    shop = Shop(database or Path(os.environ.get("HALVTAKT_DATABASE", "halvtakt.sqlite3")))
    hooks.serve(shop)
    stack = [
        *inside,
        Middleware(OwnPagesOnly),
        Middleware(SessionMiddleware, secret_key=shop.secret, same_site="lax"),
        Middleware(TrackingCookies),
    ]
    if guarded:
        stack.insert(0, Middleware(troth.PolicyMiddleware, policy=policy, binding=BINDING, denied=DENIED))
    static = Mount("/static", StaticFiles(directory=HERE / "static"))
    app = Starlette(
        routes=[
            *pages.ROUTES,
            *accounts.ROUTES,
            *rights.ROUTES,
            *community.ROUTES,
            *api.ROUTES,
            *backoffice.ROUTES,
            static,
        ],
        middleware=stack,
        exception_handlers={HTTPException: pages.failed},
    )
    app.state.shop = shop
    app.state.notice = notice_of(policy)
    return app
