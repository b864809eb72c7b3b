"""The tables of a shared ledger: those of the SQLite file, and who listens. They stand in a schema of their own."""

from __future__ import annotations

import secrets
from typing import Any, Final

SCHEMA: Final = "1"
NAMESPACE: Final = "troth"
CHANNEL: Final = "troth_ledger"
LOCK: Final = 0x74726F7468
"""The advisory lock of everybody who writes, or makes the tables: one at a time, over all machines."""

_TABLES: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE consent_records (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schema_version TEXT NOT NULL,
    record_id TEXT NOT NULL UNIQUE,
    holder TEXT NOT NULL CHECK (holder IN ('device', 'person')),
    pii_principal_id TEXT NOT NULL,
    purpose TEXT NOT NULL,
    params TEXT NOT NULL,
    event_state TEXT NOT NULL CHECK (event_state IN ('ConsentGiven', 'ConsentRefused', 'ConsentWithdrawn')),
    event_time BIGINT NOT NULL,
    validity_duration TEXT,
    privacy_notice TEXT NOT NULL,
    collection_method TEXT,
    language TEXT,
    jurisdiction TEXT
);
CREATE INDEX consent_of ON consent_records (pii_principal_id, purpose, params, seq);
CREATE TABLE device_retired (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consent BYTEA NOT NULL UNIQUE,
    at BIGINT NOT NULL,
    keep_until BIGINT
);
CREATE INDEX retired_until ON device_retired (keep_until);
CREATE TABLE subject_states (
    pii_principal_id TEXT NOT NULL,
    name TEXT NOT NULL,
    params TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (pii_principal_id, name, params)
);
CREATE TABLE policy_versions (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    policy TEXT NOT NULL,
    version TEXT NOT NULL,
    activated_at BIGINT NOT NULL
);
CREATE INDEX version_of ON policy_versions (policy, seq);
CREATE TABLE listeners (id TEXT PRIMARY KEY, seen BIGINT NOT NULL);
"""


class OtherSchema(Exception):
    """The tables were made by another version of Troth."""


def prepare(connection: Any, key_check: str) -> bool:
    """Make the tables where they are missing, in the caller's transaction, which holds the lock of writers.

    Returns whether the ledger was made with the key that `key_check` tells from others. Raises OtherSchema.
    """
    if connection.execute("SELECT to_regclass('troth.meta')").fetchone()[0] is None:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {NAMESPACE}")
        connection.execute(_TABLES)
        connection.execute("INSERT INTO meta VALUES ('schema', ?)", (SCHEMA,))
    connection.execute(
        "INSERT INTO meta VALUES ('epoch', ?), ('key_check', ?), ('person_changes', '0'), ('generation', '0')"
        " ON CONFLICT DO NOTHING",
        (secrets.token_hex(16), key_check),
    )
    found = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    if found["schema"] != SCHEMA:
        raise OtherSchema
    return bool(found["key_check"] == key_check)
