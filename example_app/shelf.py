"""What is for sale, what lies in the carts, and who sells boxed copies."""

from __future__ import annotations

import math

from example_app.database import Database
from example_app.models import Dealer, Line, Product


class Shelf:
    """Products, carts and dealers; every method blocks on SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def products(self, kind: str | None = None) -> tuple[Product, ...]:
        """The catalogue, or one kind of it, dearest first."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM products WHERE ? IN ('', kind) ORDER BY price DESC, title", (kind or "",)
            )
            return tuple(Product(**row) for row in rows)

    def product(self, sku: str) -> Product | None:
        """One product, or None."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT * FROM products WHERE sku = ?", (sku,)).fetchone()
        return Product(**row) if row else None

    def lines(self, wanted: dict[str, int]) -> tuple[Line, ...]:
        """Priced lines for quantities by SKU; what the shop does not sell is left out."""
        found = ((self.product(sku), quantity) for sku, quantity in wanted.items() if quantity > 0)
        return tuple(
            Line(sku=product.sku, title=product.title, quantity=quantity, price=product.price)
            for product, quantity in found
            if product is not None
        )

    def cart(self, cart: str | None) -> tuple[Line, ...]:
        """What lies in a cart; an unknown cart is empty."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT sku, title, carts.quantity, price FROM carts JOIN products USING (sku)"
                " WHERE id = ? ORDER BY sku",
                (cart or "",),
            )
            return tuple(Line(**row) for row in rows)

    def put(self, cart: str, sku: str, quantity: int) -> None:
        """Add to a cart, or take out with a negative quantity."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO carts VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET quantity = quantity + excluded.quantity",
                (cart, sku, quantity),
            )
            connection.execute("DELETE FROM carts WHERE id = ? AND quantity <= 0", (cart,))

    def empty(self, cart: str) -> None:
        """Take everything out of a cart."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM carts WHERE id = ?", (cart,))

    def dealers(self, lat: float, lon: float) -> tuple[Dealer, ...]:
        """Dealers and their distance in kilometres, nearest first."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT * FROM dealers").fetchall()
        near = (
            Dealer(
                dealer=row["dealer"],
                city=row["city"],
                country=row["country"],
                distance=_kilometres(lat, lon, row["lat"], row["lon"]),
            )
            for row in rows
        )
        return tuple(sorted(near, key=lambda dealer: dealer.distance))


def _kilometres(lat: float, lon: float, other_lat: float, other_lon: float) -> int:
    here, there = math.radians(lat), math.radians(other_lat)
    cosine = math.sin(here) * math.sin(there) + math.cos(here) * math.cos(there) * math.cos(
        math.radians(lon - other_lon)
    )
    return round(6371 * math.acos(min(1.0, max(-1.0, cosine))))
