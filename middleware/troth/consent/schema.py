"""The tables of the consent ledger, and how a connection to them is opened.

Column names of `consent_records` follow ISO/IEC TS 27560; its states are those of the W3C Data Privacy Vocabulary. No
column holds a personal identifier: persons stand under a keyed digest, devices under the digest of their consent id.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from pathlib import Path
from typing import Final

BUSY_SECONDS: Final = 0.25
"""How long SQLite waits by itself; writers wait for the lock of the home instead, so it is all but never needed."""
SCHEMA: Final = 1

_TABLES: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE consent_records (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    schema_version TEXT NOT NULL,
    record_id TEXT NOT NULL UNIQUE,
    holder TEXT NOT NULL CHECK (holder IN ('device', 'person')),
    pii_principal_id TEXT NOT NULL,
    purpose TEXT NOT NULL,
    params TEXT NOT NULL,
    event_state TEXT NOT NULL CHECK (event_state IN ('ConsentGiven', 'ConsentRefused', 'ConsentWithdrawn')),
    event_time INTEGER NOT NULL,
    validity_duration TEXT,
    privacy_notice TEXT NOT NULL,
    collection_method TEXT,
    language TEXT,
    jurisdiction TEXT
);
CREATE INDEX consent_of ON consent_records (pii_principal_id, purpose, params, seq);
CREATE TABLE device_retired (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    consent BLOB NOT NULL UNIQUE,
    at INTEGER NOT NULL,
    keep_until INTEGER
);
CREATE INDEX retired_until ON device_retired (keep_until);
CREATE TABLE subject_states (
    pii_principal_id TEXT NOT NULL,
    name TEXT NOT NULL,
    params TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (pii_principal_id, name, params)
) WITHOUT ROWID;
CREATE TABLE policy_versions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    policy TEXT NOT NULL,
    version TEXT NOT NULL,
    activated_at INTEGER NOT NULL
);
CREATE INDEX version_of ON policy_versions (policy, seq);
"""


def prepare(path: Path, key_check: str) -> bool:
    """Make the ledger where it is missing, with its epoch and journal mode; to be called under the lock of the home.

    Returns whether it was made with the key that `key_check` tells from others.
    Two connections that switch to WAL at once fail with "database is locked", therefore one does it, once.
    Raises sqlite3.Error, and OSError where the file cannot be made.
    """
    with contextlib.suppress(FileExistsError):
        # SQLite gives its journals the mode of the main file.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with contextlib.closing(connect(path)) as connection:
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
        _make_tables(connection)
        connection.execute(
            "INSERT OR IGNORE INTO meta VALUES ('epoch', ?), ('key_check', ?), ('person_changes', 0)",
            (secrets.token_hex(16), key_check),
        )
        found = connection.execute("SELECT value FROM meta WHERE name = 'key_check'").fetchone()
        return bool(found[0] == key_check)


def _make_tables(connection: sqlite3.Connection) -> None:
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found == 0:
        connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {SCHEMA}; COMMIT;")
    elif found != SCHEMA:
        raise sqlite3.DatabaseError(f"a ledger of schema {found}, not {SCHEMA}")


def connect(path: Path) -> sqlite3.Connection:
    """Open the ledger, which must be there, without implicit transactions. Commits reach the disk before they return.

    What is deleted is overwritten, not only unlinked. Raises sqlite3.Error.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")
    return connection
