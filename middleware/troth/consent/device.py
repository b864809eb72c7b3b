"""The consent cookie: what one device chose, carried by the device itself, and protected against forgery.

``1.BODY.TAG``: a format version, base64url of compact JSON, and 128 bits of HMAC-SHA256 over all that stands before the
second dot. The tag is compared as text, so no other spelling of the same bits passes. The JSON holds the epoch of the
ledger, a random id, the time in seconds, and the choices. There is an id only if something is granted: without it a
device that refused everything carries nothing unique, with it a withdrawal can retire the grants on every worker.

Nothing in a cookie that fails a check is believed, and the check never raises: `CookieOutcome` lists what can happen.
"""

from __future__ import annotations

import hmac
import re
import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final

import msgspec

from troth.errors import TrothError
from troth.model.consent import NO_CHOICES, Choice, Choices, ChoiceState

COOKIE_NAME: Final = "troth_consent"
ID_BYTES: Final = 16
MAX_COOKIE: Final = 3072
"""Longest value in characters; browsers keep 4096 for name, value and attributes together. Twelve choices take 600."""

_FORMAT: Final = b"1."
_SHAPE: Final = re.compile(rb"1\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{22}")
_EPOCH_LETTERS: Final = 12
_CONTEXT: Final = b"troth consent cookie\x00"
_LETTERS: Final = {ChoiceState.GRANTED: "g", ChoiceState.DECLINED: "d", ChoiceState.WITHDRAWN: "w"}
_STATES: Final = {letter: state for state, letter in _LETTERS.items()}


class ConsentTooLarge(TrothError):
    """The choices of one device do not fit into a cookie of `MAX_COOKIE` characters. Carries `length`."""

    def __init__(self, length: int) -> None:
        super().__init__(f"a consent cookie of {length} characters is over the limit of {MAX_COOKIE}")
        self.length = length


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceConsent:
    """What one device chose. `epoch` is the short form that `short_epoch` gives; times are aware UTC, whole seconds."""

    id: bytes | None
    """16 random bytes; None where nothing is granted."""
    epoch: str
    at: datetime
    choices: Choices
    """Expired ones included: the engines judge expiry."""


class CookieOutcome(StrEnum):
    """What came of reading the consent cookie of a request; written into its line where it is not `valid`."""

    VALID = "valid"
    """Every choice counts."""
    ABSENT = "absent"
    """No cookie: nobody was asked."""
    MALFORMED = "malformed"
    """Not our format or too long: as if there were none."""
    FORGED = "forged"
    """Our format, but no key of ours made the tag: as if there were none."""
    RETIRED = "retired"
    """A later choice replaced it: grants nothing; refusals stand."""
    OTHER_EPOCH = "other-epoch"
    """Made for another ledger: grants nothing; refusals stand."""
    DUPLICATE = "duplicate"
    """Several different cookies of this name: grants nothing; the refusals of each genuine one stand."""
    UNCHECKED = "unchecked"
    """The ledger could not say whether it is retired: grants nothing; refusals stand."""


@dataclass(frozen=True, slots=True)
class ConsentReading:
    """The device consent of a request (None where nothing can be believed) and what came of reading it."""

    device: DeviceConsent | None
    outcome: CookieOutcome
    ids: tuple[bytes, ...] = ()
    """Consent ids that came in and may still grant something somewhere: the next choice retires them all."""

    @property
    def choices(self) -> Choices:
        """What counts of it."""
        return self.device.choices if self.device else NO_CHOICES


_MALFORMED: Final = ConsentReading(None, CookieOutcome.MALFORMED)
_FORGED: Final = ConsentReading(None, CookieOutcome.FORGED)


def consent_digest(consent_id: bytes) -> bytes:
    """Return the 16 bytes under which ledger and trail know a consent id."""
    return sha256(b"troth consent id\x00" + consent_id).digest()[:16]


def short_epoch(epoch: str) -> str:
    """Return the part of a ledger's epoch that a cookie carries."""
    return epoch[:_EPOCH_LETTERS]


class _WireChoice(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    name: str
    state: str
    version: int
    form: int
    """Index into `words` for both; -1 for no form."""
    ago: int
    """Seconds before the time of the cookie."""
    params: tuple[tuple[str, str], ...] = ()


class _Wire(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    epoch: str
    id: str
    at: int
    words: list[str]
    choices: list[_WireChoice]


_TO_JSON: Final = msgspec.json.Encoder()
_FROM_JSON: Final = msgspec.json.Decoder(_Wire)


def encode(device: DeviceConsent, key: bytes) -> bytes:
    """Return the cookie value, signed with `key`.

    Raises ConsentTooLarge, and ValueError where something is granted without an id or an id stands without a grant.
    """
    if (device.id is not None) != grants_anything(device.choices):
        raise ValueError("a device consent has an id exactly if something is granted")
    signed = _FORMAT + _base64(_TO_JSON.encode(_to_wire(device)))
    value = signed + b"." + _tag(key, signed)
    if len(value) > MAX_COOKIE:
        raise ConsentTooLarge(len(value))
    return value


def verify(raw: bytes, keys: Sequence[bytes]) -> ConsentReading:
    """Read a cookie value that one of `keys` signed: `valid`, `malformed` or `forged`. Never raises."""
    if len(raw) > MAX_COOKIE or _SHAPE.fullmatch(raw) is None:
        return _MALFORMED
    signed, _, tag = raw.rpartition(b".")
    if not any(hmac.compare_digest(_tag(key, signed), tag) for key in keys):
        return _FORGED
    device = _from_body(signed[len(_FORMAT) :])
    if device is None:
        return _MALFORMED
    return ConsentReading(device, CookieOutcome.VALID, (device.id,) if device.id else ())


def grants_anything(choices: Choices) -> bool:
    """Tell whether any choice is a grant, expired or not."""
    return any(choice.state is ChoiceState.GRANTED for name in choices for choice in choices.of(name))


def set_cookie_header(value: bytes, *, secure: bool, max_age: timedelta) -> bytes:
    """Return the value of a `Set-Cookie` header. `secure` is False only for plain http on a loopback host."""
    return _header(value, b"Max-Age=%d" % max(1, int(max_age.total_seconds())), secure)


def expire_header(*, secure: bool) -> bytes:
    """Return the value of a `Set-Cookie` header that removes the consent cookie."""
    return _header(b"", b"Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0", secure)


def _header(value: bytes, life: bytes, secure: bool) -> bytes:
    parts = [COOKIE_NAME.encode() + b"=" + value, life, b"Path=/", b"HttpOnly", b"SameSite=Lax"]
    return b"; ".join([*parts, b"Secure"] if secure else parts)


def _tag(key: bytes, signed: bytes) -> bytes:
    return _base64(hmac.digest(key, _CONTEXT + signed, "sha256")[:16])


def _base64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def _from_base64(text: bytes) -> bytes:
    return urlsafe_b64decode(text + b"=" * (-len(text) % 4))


def _to_wire(device: DeviceConsent) -> _Wire:
    at = int(device.at.timestamp())
    words: list[str] = []

    def index(word: str) -> int:
        if word not in words:
            words.append(word)
        return words.index(word)

    choices = [
        _WireChoice(
            name,
            _LETTERS[choice.state],
            index(choice.version),
            -1 if choice.form is None else index(choice.form),
            at - int(choice.at.timestamp()),
            choice.params,
        )
        for name in device.choices
        for choice in device.choices.of(name)
    ]
    return _Wire(device.epoch, _base64(device.id or b"").decode(), at, words, choices)


def _from_body(body: bytes) -> DeviceConsent | None:
    """Read a body that we signed ourselves; None where a future or broken version of us wrote it."""
    try:
        wire = _FROM_JSON.decode(_from_base64(body))
        device = DeviceConsent(
            id=_from_base64(wire.id.encode()) or None,
            epoch=wire.epoch,
            at=datetime.fromtimestamp(wire.at, UTC),
            choices=_choices(wire),
        )
    except (ValueError, KeyError, IndexError, OverflowError, OSError):
        return None
    return device if (device.id is not None) == grants_anything(device.choices) else None


def _choices(wire: _Wire) -> Choices:
    # Names and versions are the same words in every cookie, and one click makes several equal choices: shared, a
    # thousand remembered cookies take half the room.
    words = [sys.intern(word) for word in wire.words]
    equal: dict[tuple[object, ...], tuple[Choice]] = {}
    by_name: dict[str, tuple[Choice, ...]] = {}
    for item in wire.choices:
        key = (item.state, item.ago, item.version, item.form, item.params)
        chosen = equal.get(key)
        if chosen is None:
            chosen = equal[key] = (_choice(item, wire.at, words),)
        name = sys.intern(item.name)
        by_name[name] = by_name[name] + chosen if name in by_name else chosen
    return Choices(by_name)


def _choice(item: _WireChoice, at: int, words: list[str]) -> Choice:
    return Choice(
        state=_STATES[item.state],
        at=datetime.fromtimestamp(at - item.ago, UTC),
        version=words[item.version],
        params=item.params,
        form=None if item.form < 0 else words[item.form],
    )
