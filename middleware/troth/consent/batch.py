"""Writes to the ledger: what one transaction does, and how values stand in its columns."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final, Protocol

from troth.consent.device import consent_digest
from troth.model.consent import Choice, ChoiceState, Params

_STATES: Final = {
    ChoiceState.GRANTED: "ConsentGiven",
    ChoiceState.DECLINED: "ConsentRefused",
    ChoiceState.WITHDRAWN: "ConsentWithdrawn",
}
_FROM_STATES: Final = {text: state for state, text in _STATES.items()}
_START: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RECORD_SCHEMA: Final = "ISO-27560:2023/troth-1"


class Connection(Protocol):
    """What a batch asks of a database: SQL that SQLite and PostgreSQL both know, with `?` for each value."""

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Any:
        """Run one statement; the answer has `fetchone` and `fetchall`."""

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Any:
        """Run one statement for each row of values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One choice to be recorded. `validity` is an ISO 8601 duration; `language` a BCP 47 tag."""

    name: str
    choice: Choice
    validity: str | None = None
    language: str | None = None
    jurisdiction: str | None = None


class Digester:
    """Turns a person's id into the keyed digest that stands in the ledger: 128 bits of keyed BLAKE2b, in hex.

    A list of records asks for as many digests as it has subjects, and BLAKE2b takes a third of what HMAC-SHA256 does.
    """

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __call__(self, person: str) -> str:
        """Return the digest of a person's id."""
        return self._digest(b"person\x00" + person.encode("utf-8", "surrogatepass"))

    def check(self) -> str:
        """Return what tells this key from another without giving it away."""
        return self._digest(b"key check")

    def _digest(self, message: bytes) -> str:
        return blake2b(message, key=self._key, digest_size=16, person=b"troth ledger").hexdigest()


class Batch:
    """What is written in one transaction. The `writing` of a ledger makes it and commits it."""

    def __init__(self, connection: Connection, digester: Digester) -> None:
        self._connection = connection
        self._digester = digester

    def record_person(self, person: str, entries: Iterable[LedgerEntry]) -> None:
        """Append choices of a person. Of each consent and parameters the latest record counts."""
        self._touch_persons()
        self._append("person", self._digester(person), entries)

    def record_device(self, consent_id: bytes, entries: Iterable[LedgerEntry]) -> None:
        """Append choices under the digest of a consent id, as evidence; no decision reads them."""
        self._append("device", consent_digest(consent_id).hex(), entries)

    def retire(self, consent_id: bytes, *, at: datetime, keep_until: datetime | None) -> None:
        """Make the grants of a consent id void for good. `keep_until`: when they end anyway; None: never.

        Ids whose time has passed at `at` are forgotten.
        """
        self._connection.execute("DELETE FROM device_retired WHERE keep_until < ?", (to_micros(at),))
        self._connection.execute(
            "INSERT INTO device_retired (consent, at, keep_until) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (consent_digest(consent_id), to_micros(at), None if keep_until is None else to_micros(keep_until)),
        )

    def set_state(self, person: str, name: str, params: Params = (), *, at: datetime) -> None:
        """Put a person into a state; one that holds already keeps the time since when."""
        self._touch_persons()
        self._connection.execute(
            "INSERT INTO subject_states (pii_principal_id, name, params, at) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (self._digester(person), name, params_to_text(params), to_micros(at)),
        )

    def clear_state(self, person: str, name: str, params: Params = ()) -> None:
        """Take a person out of a state with exactly these parameters."""
        self._touch_persons()
        self._connection.execute(
            "DELETE FROM subject_states WHERE pii_principal_id = ? AND name = ? AND params = ?",
            (self._digester(person), name, params_to_text(params)),
        )

    def erase(self, person: str) -> None:
        """Remove every record and state of a person, refusals included."""
        self._touch_persons()
        digest = self._digester(person)
        self._connection.execute("DELETE FROM consent_records WHERE pii_principal_id = ?", (digest,))
        self._connection.execute("DELETE FROM subject_states WHERE pii_principal_id = ?", (digest,))

    def activate(self, version: str, *, policy: str, at: datetime) -> None:
        """Make `version` the one in force of the policy `policy`."""
        self._connection.execute(
            "INSERT INTO policy_versions (policy, version, activated_at) VALUES (?, ?, ?)",
            (policy, version, to_micros(at)),
        )

    def _append(self, holder: str, principal: str, entries: Iterable[LedgerEntry]) -> None:
        self._connection.executemany(
            "INSERT INTO consent_records (schema_version, record_id, holder, pii_principal_id, purpose, params,"
            " event_state, event_time, validity_duration, privacy_notice, collection_method, language, jurisdiction)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(_RECORD_SCHEMA, str(uuid.uuid4()), holder, principal, *_columns(entry)) for entry in entries],
        )

    def _touch_persons(self) -> None:
        # Devices choose far more often than persons: their writes leave what is remembered of persons alone.
        self._connection.execute("UPDATE meta SET value = CAST(value AS BIGINT) + 1 WHERE name = 'person_changes'")


def _columns(entry: LedgerEntry) -> tuple[str | int | None, ...]:
    choice = entry.choice
    return (
        entry.name,
        params_to_text(choice.params),
        _STATES[choice.state],
        to_micros(choice.at),
        entry.validity,
        choice.version,
        choice.form,
        entry.language,
        entry.jurisdiction,
    )


def to_micros(at: datetime) -> int:
    """Return an aware time as microseconds since 1970."""
    return (at - _START) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """Return the aware UTC time of so many microseconds since 1970."""
    return _START + timedelta(microseconds=micros)


def params_to_text(params: Params) -> str:
    """Return parameters as JSON; their order is canonical already."""
    return json.dumps(params, ensure_ascii=False, separators=(",", ":"))


def params_from_text(text: str) -> Params:
    """Read what `params_to_text` wrote."""
    return tuple((name, value) for name, value in json.loads(text)) if text != "[]" else ()


def choice_from_row(row: tuple[str, str, int, str, str | None]) -> Choice:
    """Read parameters, state, time, policy version and form as they stand in their columns."""
    params, state, at, version, form = row
    return Choice(
        state=_FROM_STATES[state], at=from_micros(at), version=version, params=params_from_text(params), form=form
    )
