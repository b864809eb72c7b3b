"""The desk where people's requests arrive: rights, partner programs, guardians, corrections, and figures for others."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict

from example_app.clock import now
from example_app.database import Database
from example_app.models import Customer, Figure, Ticket

_OWNED = ("registrations", "standing", "programs", "requests", "guardians")


class Desk:
    """What people ask of the shop, and what it passes on; every method blocks on SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, customer: str, kind: str, detail: str = "") -> None:
        """Write down what somebody asks for."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO requests (customer, kind, detail, received) VALUES (?, ?, ?, ?)",
                (customer, kind, detail, now().isoformat(timespec="seconds")),
            )

    def tickets(self, customer: str | None = None) -> tuple[Ticket, ...]:
        """What is asked for, by one customer or by all, newest first."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT id, customer, kind, detail, received, done FROM requests WHERE ? IN ('', customer)"
                " ORDER BY id DESC",
                (customer or "",),
            )
            return tuple(Ticket(**row) for row in rows)

    def asked_by(self, ticket: int) -> str | None:
        """Who asked for something, or None."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT customer FROM requests WHERE id = ?", (ticket,)).fetchone()
            return str(row["customer"]) if row else None

    def finish(self, ticket: int) -> bool:
        """Mark a request as answered; whether there was an open one. Of an erasure nothing stays, not even that."""
        with self._database.writing() as connection:
            erased = connection.execute("DELETE FROM requests WHERE id = ? AND kind = 'erasure'", (ticket,))
            if erased.rowcount == 1:
                return True
            changed = connection.execute(
                "UPDATE requests SET done = ? WHERE id = ? AND done IS NULL",
                (now().isoformat(timespec="seconds"), ticket),
            )
            return changed.rowcount == 1

    def rectify(self, customer: str, *, name: str, email: str, phone: str, address: str) -> None:
        """Put a profile right. Raises sqlite3.IntegrityError where somebody else has that address."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE customers SET name = ?, email = ?, phone = ?, address = ? WHERE id = ?",
                (name, email.lower(), phone, address, customer),
            )

    def erase(self, customer: Customer) -> None:
        """Forget a customer. Sold is sold: the books keep the orders, without their tie to an account.

        What backups hold is left to staff, who find a request with a number and no name.
        """
        with self._database.writing() as connection:
            connection.execute("UPDATE orders SET customer = NULL WHERE customer = ?", (customer.id,))
            connection.execute("DELETE FROM newsletter WHERE email = ?", (customer.email,))
            for table in _OWNED:
                connection.execute(f"DELETE FROM {table} WHERE customer = ?", (customer.id,))  # noqa: S608 - our names
            connection.execute("DELETE FROM customers WHERE id = ?", (customer.id,))
            connection.execute(
                "INSERT INTO requests (customer, kind, detail, received) VALUES (?, 'erasure', 'from backups', ?)",
                (customer.id, now().isoformat(timespec="seconds")),
            )

    def agree(self, customer: str) -> None:
        """Write down that a guardian agrees to a child's account."""
        with self._database.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO guardians VALUES (?, ?)", (customer, now().isoformat()))

    def agreed(self, customer: str) -> bool:
        """Whether a guardian has agreed."""
        with self._database.reading() as connection:
            return connection.execute("SELECT 1 FROM guardians WHERE customer = ?", (customer,)).fetchone() is not None

    def join(self, customer: str, party: str) -> None:
        """Enter a partner's program."""
        with self._database.writing() as connection:
            connection.execute("INSERT OR IGNORE INTO programs VALUES (?, ?)", (customer, party))

    def leave(self, customer: str, party: str) -> None:
        """Leave a partner's program."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM programs WHERE customer = ? AND party = ?", (customer, party))

    def programs(self, customer: str) -> frozenset[str]:
        """The partners whose programs a customer has entered."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT party FROM programs WHERE customer = ?", (customer,))
            return frozenset(str(row["party"]) for row in rows)

    def people(self) -> list[dict[str, object]]:
        """Everybody with an account, with every column but the password."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT * FROM customers WHERE role = 'customer' ORDER BY id")
            return [{name: row[name] for name in row.keys() if name != "password"} for row in rows]  # noqa: SIM118 - a row is no mapping

    def correct(self, customer: str, address: str) -> bool:
        """Take over an address from outside; whether there is such a customer."""
        with self._database.writing() as connection:
            changed = connection.execute("UPDATE customers SET address = ? WHERE id = ?", (address, customer))
            return changed.rowcount == 1

    def figures(self, by: str) -> list[dict[str, object]]:
        """How many people bought, counted by kind of product or by town."""
        with self._database.reading() as connection:
            return [asdict(_figure(row)) for row in connection.execute("SELECT * FROM figures WHERE cut = ?", (by,))]


def _figure(row: sqlite3.Row) -> Figure:
    return Figure(what=row["what"], buyers=row["buyers"])
