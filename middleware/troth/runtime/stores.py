"""Which ledger a process uses: the file of its home, or a server that several machines share."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from troth.consent.generation import Generation
from troth.consent.ledger import Ledger
from troth.consent.store import Number, Store
from troth.errors import ConfigurationError
from troth.home import Home

LEDGER_VARIABLE: Final = "TROTH_LEDGER"
"""Environment variable that says where the ledger is, where the app does not."""
IN_THE_HOME: Final = "sqlite"

_SERVERS: Final = ("postgresql://", "postgres://")


def open_ledger(
    home: Home, ledger: str | None = None, *, environ: Mapping[str, str] = os.environ
) -> tuple[Store, Number]:
    """Open the ledger, and the number that tells whether it has changed.

    `ledger` (else ``TROTH_LEDGER``) is ``sqlite``, the file of the home and the default, or the URL of a PostgreSQL
    database. Raises ConfigurationError, with no part of the URL in it.
    """
    where = ledger or environ.get(LEDGER_VARIABLE) or IN_THE_HOME
    if where == IN_THE_HOME:
        number = Generation.open(home.generation, home.lock)
        return Ledger.open(home.ledger, number, home.ledger_key), number
    if not where.startswith(_SERVERS):
        raise ConfigurationError(f"the ledger is neither `{IN_THE_HOME}` nor a URL that begins with `postgresql://`")
    try:
        from troth.consent.postgres.ledger import PostgresLedger  # its library is an extra
    except ImportError:
        raise ConfigurationError("a ledger on PostgreSQL needs psycopg: pip install 'troth[postgres]'") from None
    store = PostgresLedger.open(where, home.ledger_key)
    return store, store.number
