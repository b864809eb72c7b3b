"""The things the shop deals in, as its database holds them. Money is in euro cents, days are ISO 8601."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """Something on the shelf."""

    sku: str
    title: str
    kind: str
    tagline: str
    description: str
    price: int
    size: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """A person with an account; `role` is `customer` or `staff`."""

    id: str
    email: str
    name: str
    phone: str
    address: str
    date_of_birth: str | None
    gender: str | None
    role: str
    created: str
    newsletter: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One product in a cart or an order; `serial_number` is given once it is paid for."""

    sku: str
    title: str
    quantity: int
    price: int
    serial_number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A sale with everything the shop wrote down about its buyer; `customer` is None once they are forgotten."""

    id: str
    customer: str | None
    name: str
    email: str
    phone: str
    address: str
    date_of_birth: str | None
    gender: str | None
    ip: str
    placed: str
    status: str
    lines: tuple[Line, ...]

    @property
    def total(self) -> int:
        """What the buyer pays, in cents."""
        return total(self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """Who an order is for, as the checkout form or the API gave it."""

    name: str
    email: str
    phone: str
    address: str
    date_of_birth: str | None = None
    gender: str | None = None
    ip: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A serial number authorised on one of a customer's computers."""

    serial_number: str
    hardware_id: str
    computer_name: str
    registered: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What somebody asked for about their own data; `done` is None while it waits."""

    id: int
    customer: str
    kind: str
    detail: str
    received: str
    done: str | None

    @property
    def due(self) -> str:
        """The day by which it is answered: a month later, or that month's last day."""
        asked = datetime.fromisoformat(self.received).date()
        year, month = asked.year + asked.month // 12, asked.month % 12 + 1
        return date(year, month, min(asked.day, monthrange(year, month)[1])).isoformat()


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A thread of the forum and how much was written in it."""

    id: int
    title: str
    posts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What somebody wrote in the forum."""

    username: str
    body: str
    posted: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """How many people bought, of one kind or in one town."""

    what: str
    buyers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dealer:
    """A music store that sells boxed copies."""

    dealer: str
    city: str
    country: str
    distance: int


def total(lines: tuple[Line, ...]) -> int:
    """The price of some lines, in cents."""
    return sum(line.price * line.quantity for line in lines)
