"""The shop's people: accounts, newsletter, authorised computers, what they wrote to us, and how they stand."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Sequence
from typing import Any

from example_app.clock import now
from example_app.database import Database
from example_app.models import Customer, Registration
from example_app.passwords import key_digest, opens, seal
from example_app.tokens import LEAVE, Tokens

_CUSTOMER = """SELECT customers.id, customers.email, name, phone, address, date_of_birth, gender, role, created,
    newsletter.email IS NOT NULL AS newsletter
    FROM customers LEFT JOIN newsletter ON newsletter.email = customers.email WHERE """


class AddressTakenError(Exception):
    """Somebody has an account with this e-mail address already."""


class People:
    """Everybody the shop knows; every method blocks on SQLite."""

    def __init__(self, database: Database, tokens: Tokens) -> None:
        self._database = database
        self._tokens = tokens

    def register(
        self, *, email: str, password: str, name: str, phone: str, address: str, born: str | None = None
    ) -> Customer:
        """Open an account. Raises AddressTakenError."""
        sealed = seal(password)
        try:
            with self._database.writing() as connection:
                customer = f"c-{_next_number(connection)}"
                connection.execute(
                    "INSERT INTO customers VALUES (?, ?, ?, ?, ?, ?, ?, NULL, 'customer', ?)",
                    (customer, email.lower(), sealed, name, phone, address, born, now().date().isoformat()),
                )
        except sqlite3.IntegrityError as error:
            raise AddressTakenError from error
        found = self.customer(customer)
        assert found is not None  # noqa: S101 - the row was committed two lines above
        return found

    def login(self, email: str, password: str) -> Customer | None:
        """The customer with this address and password, or None."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT id, password FROM customers WHERE email = ?", (email.lower(),)).fetchone()
        if row is None or not opens(password, row["password"]):
            return None
        return self.customer(row["id"])

    def customer(self, customer: str) -> Customer | None:
        """One customer by id, or None."""
        with self._database.reading() as connection:
            row = connection.execute(_CUSTOMER + "customers.id = ?", (customer,)).fetchone()
        return Customer(**{**dict(row), "newsletter": bool(row["newsletter"])}) if row else None

    def move(self, customer: str, *, phone: str, address: str) -> None:
        """Change where a customer can be reached."""
        with self._database.writing() as connection:
            connection.execute("UPDATE customers SET phone = ?, address = ? WHERE id = ?", (phone, address, customer))

    def subscribe(self, email: str) -> str:
        """Put an address on the newsletter and return the token that takes it off again."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO newsletter VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (email.lower(), secrets.token_hex(8), now().isoformat()),
            )
            row = connection.execute("SELECT token FROM newsletter WHERE email = ?", (email.lower(),)).fetchone()
        return self._tokens.sign(LEAVE, str(row["token"]))

    def subscriber(self, token: str) -> str | None:
        """The address that a token takes off the newsletter, or None. No link holds it, only a number for it."""
        with self._database.reading() as connection:
            number = self._tokens.person(LEAVE, token)
            row = connection.execute("SELECT email FROM newsletter WHERE token = ?", (number,)).fetchone()
        return str(row["email"]) if row else None

    def unsubscribe(self, token: str) -> bool:
        """Take the holder of a token off the newsletter; whether it is one of ours and was still in use."""
        number = self._tokens.person(LEAVE, token)
        with self._database.writing() as connection:
            return connection.execute("DELETE FROM newsletter WHERE token = ?", (number,)).rowcount == 1

    def authorise(self, customer: str, *, serial_number: str, hardware_id: str, computer_name: str) -> None:
        """Register a serial number on one of a customer's computers."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO registrations VALUES (?, ?, ?, ?, ?)",
                (customer, serial_number, hardware_id, computer_name, now().date().isoformat()),
            )

    def computers(self, customer: str) -> tuple[Registration, ...]:
        """What a customer has registered."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT serial_number, hardware_id, computer_name, registered FROM registrations WHERE customer = ?",
                (customer,),
            )
            return tuple(Registration(**row) for row in rows)

    def receive(self, kind: str, body: dict[str, object]) -> None:
        """Keep what somebody sent: a message, an answered survey, telemetry."""
        with self._database.writing() as connection:
            connection.execute("INSERT INTO inbox VALUES (?, ?, ?)", (kind, now().isoformat(), json.dumps(body)))

    def partner(self, key: str) -> str | None:
        """The partner whose API key this is, or None."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT party FROM partner_keys WHERE digest = ?", (key_digest(key),)).fetchone()
        return str(row["party"]) if row else None

    def standing(self, customers: Sequence[str]) -> list[tuple[str, str, str]]:
        """Customer, state and parameter (or an empty string), for each state of some customers."""
        return self._of("SELECT customer, state, parameter FROM standing WHERE customer IN", customers)

    def born(self, customers: Sequence[str]) -> list[tuple[str, str]]:
        """Customer and date of birth, for those of some customers who told."""
        return self._of("SELECT id, date_of_birth FROM customers WHERE date_of_birth IS NOT NULL AND id IN", customers)

    def _of(self, query: str, customers: Sequence[str]) -> list[Any]:
        marks = ", ".join("?" * len(customers))
        with self._database.reading() as connection:
            return [tuple(row) for row in connection.execute(f"{query} ({marks})", tuple(customers))]


def _next_number(connection: sqlite3.Connection) -> int:
    """A customer number that nobody ever had: what is known of one who is forgotten must not stick to another."""
    held = "SELECT CAST(substr(id, 3) AS INTEGER) AS last FROM customers WHERE role = 'customer'"
    row = connection.execute(f"SELECT 1 + coalesce(max(last), 1000) FROM ({held} UNION SELECT last FROM numbers)")  # noqa: S608 - our words
    number = int(row.fetchone()[0])
    connection.execute("DELETE FROM numbers")
    connection.execute("INSERT INTO numbers VALUES (?)", (number,))
    return number
