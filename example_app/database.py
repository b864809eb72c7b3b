"""The shop's SQLite file: its tables, and short connections to it that block, so call them off the event loop."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from example_app.seed import sow

_TABLES = """
CREATE TABLE IF NOT EXISTS products (
    sku TEXT PRIMARY KEY, title TEXT NOT NULL, kind TEXT NOT NULL, tagline TEXT NOT NULL,
    description TEXT NOT NULL, price INTEGER NOT NULL, size TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS customers (
    id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE, password TEXT NOT NULL, name TEXT NOT NULL, phone TEXT NOT NULL,
    address TEXT NOT NULL, date_of_birth TEXT, gender TEXT, role TEXT NOT NULL, created TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS numbers (last INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS carts (
    id TEXT NOT NULL, sku TEXT NOT NULL REFERENCES products, quantity INTEGER NOT NULL, PRIMARY KEY (id, sku));
CREATE TABLE IF NOT EXISTS orders (
    id TEXT PRIMARY KEY, customer TEXT REFERENCES customers, name TEXT NOT NULL, email TEXT NOT NULL,
    phone TEXT NOT NULL, address TEXT NOT NULL, date_of_birth TEXT, gender TEXT, ip TEXT NOT NULL,
    placed TEXT NOT NULL, status TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS order_lines (
    "order" TEXT NOT NULL REFERENCES orders, sku TEXT NOT NULL, title TEXT NOT NULL, quantity INTEGER NOT NULL,
    price INTEGER NOT NULL, serial_number TEXT);
CREATE TABLE IF NOT EXISTS registrations (
    customer TEXT NOT NULL REFERENCES customers, serial_number TEXT NOT NULL, hardware_id TEXT NOT NULL,
    computer_name TEXT NOT NULL, registered TEXT NOT NULL, PRIMARY KEY (customer, serial_number, hardware_id));
CREATE TABLE IF NOT EXISTS newsletter (email TEXT PRIMARY KEY, token TEXT NOT NULL UNIQUE, since TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS inbox (kind TEXT NOT NULL, received TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS dealers (
    dealer TEXT PRIMARY KEY, city TEXT NOT NULL, country TEXT NOT NULL, lat REAL NOT NULL, lon REAL NOT NULL);
CREATE TABLE IF NOT EXISTS partner_keys (party TEXT PRIMARY KEY, digest TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS standing (
    customer TEXT NOT NULL REFERENCES customers, state TEXT NOT NULL, parameter TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (customer, state, parameter));
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY, customer TEXT NOT NULL REFERENCES customers, kind TEXT NOT NULL, detail TEXT NOT NULL,
    received TEXT NOT NULL, done TEXT);
CREATE TABLE IF NOT EXISTS programs (
    customer TEXT NOT NULL REFERENCES customers, party TEXT NOT NULL, PRIMARY KEY (customer, party));
CREATE TABLE IF NOT EXISTS guardians (customer TEXT PRIMARY KEY REFERENCES customers, agreed TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS threads (id INTEGER PRIMARY KEY, title TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS posts (
    thread INTEGER NOT NULL REFERENCES threads, username TEXT NOT NULL, body TEXT NOT NULL, posted TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS figures (cut TEXT NOT NULL, what TEXT NOT NULL, buyers INTEGER NOT NULL);
"""


class Database:
    """One SQLite file, opened anew for each piece of work; several processes may share it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def prepare(self) -> None:
        """Make the tables and stock the shelves, once, whoever comes first."""
        with self.writing() as connection:
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            if connection.execute("SELECT count(*) FROM products").fetchone()[0] == 0:
                sow(connection)

    def secret(self) -> str:
        """The key that signs sessions, made on first use and the same for every process."""
        with self.writing() as connection:
            connection.execute("INSERT OR IGNORE INTO secrets VALUES ('session', ?)", (secrets.token_hex(32),))
            return str(connection.execute("SELECT value FROM secrets WHERE name = 'session'").fetchone()["value"])

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection whose rows have names, closed at the end."""
        connection = sqlite3.connect(self.path, timeout=10, isolation_level=None)
        connection.row_factory = sqlite3.Row
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection inside one transaction, committed at the end or rolled back."""
        with self.reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()
