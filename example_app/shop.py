"""The shop as one value that the routes lean on, and the way off the event loop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from example_app.database import Database
from example_app.desk import Desk
from example_app.forum import Forum
from example_app.models import Customer
from example_app.people import People
from example_app.sales import Sales
from example_app.shelf import Shelf
from example_app.tokens import Tokens

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Shop:
    """Shelf, people and sales over one database file, made and stocked if it is not there."""

    def __init__(self, path: Path) -> None:
        database = Database(path)
        database.prepare()
        self.secret = database.secret()
        self.tokens = Tokens(self.secret)
        self.shelf = Shelf(database)
        self.people = People(database, self.tokens)
        self.sales = Sales(database)
        self.desk = Desk(database)
        self.forum = Forum(database)


def shop_of(connection: HTTPConnection) -> Shop:
    """The shop that serves a request."""
    shop = connection.app.state.shop
    assert isinstance(shop, Shop)  # noqa: S101 - set by create_app, narrowed for the type checker
    return shop


async def off_loop(work: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
    """Run work that blocks on a thread."""
    return await to_thread.run_sync(lambda: work(*args, **kwargs))


async def customer_of(connection: HTTPConnection) -> Customer | None:
    """Who is signed in, or None."""
    customer = connection.session.get("customer")
    return await off_loop(shop_of(connection).people.customer, customer) if customer else None


async def signed_in(connection: HTTPConnection) -> Customer:
    """Who is signed in. Raises HTTPException 401."""
    customer = await customer_of(connection)
    if customer is None:
        raise HTTPException(401, "Please sign in.")
    return customer
