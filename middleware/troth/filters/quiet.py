"""Remembers which cookies hold nothing of anybody, so that a visitor's next request need not be searched again."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Final

from troth.filters.cookies import value_of
from troth.filters.probes import Probes, probe_cookie

_SLOTS: Final = 1 << 16
_MASK: Final = _SLOTS - 1
_SHORTEST_CARD: Final = 13


class Quiet:
    """Knows of cookie pieces whether `probes` find nothing in them.

    Keeps 64-bit hashes in a table of fixed size (512 KB), never values: a newer piece takes the slot of an older one,
    after that has moved to the slot beside it.
    The hash is Python's own, keyed per process, so that no client can make two pieces meet.
    """

    __slots__ = ("_probes", "_shortcut", "_slots")

    def __init__(self, probes: Probes) -> None:
        self._probes = probes
        self._slots = array("q", bytes(8 * _SLOTS))
        self._shortcut = not probes.has_patterns

    def quiet_all(self, pieces: Iterable[bytes]) -> bool:
        """Say whether all pieces hold nothing; as `quiet`, but in one go."""
        slots = self._slots
        for piece in pieces:
            digest = hash(piece)
            at = digest & _MASK
            if slots[at] != digest and slots[at ^ 1] != digest and not self.quiet(piece):
                return False
        return True

    def quiet(self, piece: bytes) -> bool:
        """Say whether a piece (``name=value``) holds nothing that a probe finds. Never raises."""
        value = value_of(piece)
        # A short run of digits is no card, a bare one no telephone number, and nothing that base64 makes of letters.
        if self._shortcut and len(value) < _SHORTEST_CARD and (value.isdigit() or not value):
            return True
        digest = hash(piece)
        at = digest & _MASK
        if digest in (self._slots[at], self._slots[at ^ 1]):
            return True
        if probe_cookie(self._probes, value):
            return False
        self._slots[at ^ 1] = self._slots[at]
        self._slots[at] = digest
        return True
