"""A connection to the ledger's file that knows of forks."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from troth.consent import schema
from troth.errors import LedgerError


class Connection:
    """A connection of this process. One inherited from before a fork is left alone: SQLite must not use or close it."""

    __slots__ = ("_connection", "_inherited", "_path", "_pid")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pid = 0
        self._connection: sqlite3.Connection | None = None
        self._inherited: list[sqlite3.Connection | None] = []

    def get(self) -> sqlite3.Connection:
        """Return it, opened where it is not yet. Raises sqlite3.Error."""
        if self._connection is None or self._pid != os.getpid():
            self._inherited.append(self._connection)
            self._connection = schema.connect(self._path)
            self._pid = os.getpid()
        return self._connection

    def rows(self, query: str, *values: str | int | bytes) -> list[Any]:
        """Return all rows of a query. Raises LedgerError."""
        try:
            return self.get().execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise LedgerError(f"the consent ledger could not be read ({type(error).__name__})") from error

    def close(self) -> None:
        """Close it; it opens again when it is asked for."""
        if self._connection is not None and self._pid == os.getpid():
            self._connection.close()
            self._connection = None
