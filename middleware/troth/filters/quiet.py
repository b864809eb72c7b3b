"""Remembers which cookies hold nothing of anybody, so that a visitor's next request need not be searched again."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Final

from troth.filters.cookies import value_of
from troth.filters.probes import Probes, probe_cookie

_SLOTS: Final = 1 << 16
_MASK: Final = _SLOTS - 1
_ROW: Final = 8
"""Slots among which a piece has its place; they share a line of the processor's cache."""
_SHORTEST_CARD: Final = 13
_SPACE: Final = 32


class Quiet:
    """Knows of cookie pieces whether `probes` find nothing in them.

    Keeps 64-bit hashes in a table of fixed size (512 KB), never values; a newer piece takes the place of an older one.
    The hash is Python's own, keyed per process, so that no client can make two pieces meet.
    """

    __slots__ = ("_next", "_probes", "_shortcut", "_slots")

    def __init__(self, probes: Probes) -> None:
        self._probes = probes
        self._slots = array("q", bytes(8 * _SLOTS))
        self._shortcut = not probes.has_patterns
        self._next = 0

    def quiet_all(self, pieces: Sequence[bytes]) -> bool:
        """Say whether all pieces are ``name=value`` without white space around, and hold nothing; as `quiet` says."""
        slots = self._slots
        for digest, piece in zip(map(hash, pieces), pieces, strict=True):
            if slots[digest & _MASK] != digest and not self._is_plain(piece, digest):
                return False
        return True

    def quiet(self, piece: bytes) -> bool:
        """Say whether a piece (``name=value``) holds nothing that a probe finds. Never raises."""
        value = value_of(piece)
        # A short run of digits is no card, a bare one no telephone number, and nothing that base64 makes of letters.
        if self._shortcut and len(value) < _SHORTEST_CARD and (value.isdigit() or not value):
            return True
        digest = hash(piece)
        row = digest & _MASK & -_ROW
        if digest in self._slots[row : row + _ROW]:
            return True
        if probe_cookie(self._probes, value):
            return False
        if piece == piece.strip() and b"=" in piece:
            self._remember(digest, row)
        return True

    def pass_over(self, piece: bytes) -> None:
        """Remember a piece as one that nobody has to look into."""
        digest = hash(piece)
        self._remember(digest, digest & _MASK & -_ROW)

    def _is_plain(self, piece: bytes, digest: int) -> bool:
        row = digest & _MASK & -_ROW
        if digest in self._slots[row : row + _ROW]:
            return True
        _, equals, value = piece.partition(b"=")
        if self._shortcut and value.isdigit() and len(value) < _SHORTEST_CARD and piece[0] > _SPACE:
            return True
        return bool(equals) and piece == piece.strip() and self.quiet(piece)

    def _remember(self, digest: int, row: int) -> None:
        """Take the slot that the hash names where it is free, else a free one of its row, else one in turn."""
        slots = self._slots
        at = digest & _MASK
        if slots[at]:
            free = [one for one in range(row, row + _ROW) if not slots[one]]
            self._next = (self._next + 1) % _ROW
            at = free[0] if free else row + self._next
        slots[at] = digest
