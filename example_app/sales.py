"""Orders: made from a cart or by the API, paid at once, and looked up again."""

from __future__ import annotations

import secrets
import sqlite3

from example_app.clock import now
from example_app.database import Database
from example_app.models import Buyer, Line, Order

_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class Sales:
    """The order book; every method blocks on SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def place(self, buyer: Buyer, lines: tuple[Line, ...], customer: str) -> Order:
        """Sell some lines; the serial numbers are given at once."""
        with self._database.writing() as connection:
            row = connection.execute("SELECT 20001 + count(*) FROM orders").fetchone()
            order = f"HA-{row[0]}"
            connection.execute(
                "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'paid')",
                (
                    order,
                    customer,
                    buyer.name,
                    buyer.email,
                    buyer.phone,
                    buyer.address,
                    buyer.date_of_birth,
                    buyer.gender,
                    buyer.ip,
                    now().isoformat(timespec="seconds"),
                ),
            )
            connection.executemany(
                "INSERT INTO order_lines VALUES (?, ?, ?, ?, ?, ?)",
                [(order, line.sku, line.title, line.quantity, line.price, _serial()) for line in lines],
            )
            return _order(connection, connection.execute("SELECT * FROM orders WHERE id = ?", (order,)).fetchone())

    def order(self, order: str) -> Order | None:
        """One order, or None."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT * FROM orders WHERE id = ?", (order,)).fetchone()
            return _order(connection, row) if row else None

    def orders(self, customer: str | None = None) -> tuple[Order, ...]:
        """All orders, or those of one customer, newest first."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM orders WHERE ? IN ('', customer) ORDER BY id DESC", (customer or "",)
            ).fetchall()
            return tuple(_order(connection, row) for row in rows)


def _order(connection: sqlite3.Connection, row: sqlite3.Row) -> Order:
    lines = connection.execute(
        'SELECT sku, title, quantity, price, serial_number FROM order_lines WHERE "order" = ?', (row["id"],)
    )
    return Order(**row, lines=tuple(Line(**line) for line in lines))


def _serial() -> str:
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(3))
