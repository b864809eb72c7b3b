"""Reads consent cookies of requests: what was verified is remembered, retirement is looked up each time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from troth.consent.device import ConsentReading, CookieOutcome, DeviceConsent, consent_digest, short_epoch, verify
from troth.consent.recent import Recent
from troth.errors import LedgerError
from troth.model.consent import Choice, Choices, ChoiceState

_ABSENT: Final = ConsentReading(None, CookieOutcome.ABSENT)


class Decoder:
    """Reads consent cookies. What was verified once is remembered (at most `size` values), never what failed.

    `keys`: newest first, all verify. `epoch`: that of the ledger. `retired`: says of a `consent_digest` whether that id
    is retired; it is asked each time, and a LedgerError from it makes the outcome `unchecked`.
    """

    __slots__ = ("_epoch", "_keys", "_memo", "_retired")

    def __init__(
        self, keys: Sequence[bytes], *, epoch: str, retired: Callable[[bytes], bool], size: int = 4096
    ) -> None:
        self._keys = tuple(keys)
        self._epoch = short_epoch(epoch)
        self._retired = retired
        self._memo: Recent[bytes, tuple[ConsentReading, bytes | None]] = Recent(size)

    def decode(self, raw: bytes) -> DeviceConsent | None:
        """Return what counts of one cookie value; None where nothing of it can be believed. Never raises."""
        return self.read_one(raw).device

    def read(self, values: Sequence[bytes]) -> ConsentReading:
        """Read all cookies of the name `COOKIE_NAME` that a request brought. Never raises."""
        if len(values) == 1:
            return self.read_one(values[0])
        return self._read_several(values) if values else _ABSENT

    def read_one(self, raw: bytes) -> ConsentReading:
        """Read one cookie value. Never raises."""
        known = self._memo.get(raw)
        if known is None:
            reading = self._verify(raw)
            device = reading.device
            if device is None:
                return reading
            known = (reading, consent_digest(device.id) if device.id else None)
            self._memo.put(raw, known)
        reading, digest = known
        return reading if digest is None else self._unless_retired(reading, digest)

    def _unless_retired(self, reading: ConsentReading, digest: bytes) -> ConsentReading:
        try:
            retired = self._retired(digest)
        except LedgerError:
            return _refusals_of(reading, CookieOutcome.UNCHECKED, reading.ids)
        return _refusals_of(reading, CookieOutcome.RETIRED) if retired else reading

    def _verify(self, raw: bytes) -> ConsentReading:
        reading = verify(raw, self._keys)
        if reading.device is None or reading.device.epoch == self._epoch:
            return reading
        return _refusals_of(reading, CookieOutcome.OTHER_EPOCH)

    def _read_several(self, values: Sequence[bytes]) -> ConsentReading:
        if len(set(values)) == 1:
            return self.read_one(values[0])
        readings = [reading for reading in map(self.read_one, values) if reading.device]
        ids = tuple(one for reading in readings for one in reading.ids)
        return _only_refusals([reading.device for reading in readings], CookieOutcome.DUPLICATE, ids)


def _refusals_of(reading: ConsentReading, outcome: CookieOutcome, ids: tuple[bytes, ...] = ()) -> ConsentReading:
    return _only_refusals([reading.device], outcome, ids)


def _only_refusals(
    several: Sequence[DeviceConsent | None], outcome: CookieOutcome, ids: tuple[bytes, ...]
) -> ConsentReading:
    devices = [device for device in several if device]
    if not devices:
        return ConsentReading(None, outcome)
    latest = max(devices, key=lambda device: device.at)
    choices = _refusals(*(device.choices for device in devices))
    return ConsentReading(DeviceConsent(id=None, epoch=latest.epoch, at=latest.at, choices=choices), outcome, ids)


def _refusals(*several: Choices) -> Choices:
    """Return what was declined or withdrawn, of each consent and parameters the latest."""
    latest: dict[str, dict[object, Choice]] = {}
    for choices in several:
        for name in choices:
            of_name = latest.setdefault(name, {})
            for choice in choices.of(name):
                before = of_name.get(choice.params)
                if choice.state is not ChoiceState.GRANTED and (before is None or before.at < choice.at):
                    of_name[choice.params] = choice
    return Choices({name: tuple(found.values()) for name, found in latest.items() if found})
