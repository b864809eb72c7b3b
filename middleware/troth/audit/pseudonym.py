"""Keyed pseudonyms: the trail names people by digests that only the holder of the key can make again.

A pseudonym is ``p_<key id>_<32 hex>``: keyed BLAKE2b over kind and value, 128 bits. Destroying the key unlinks every
pseudonym made with it; until then they are personal data.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

KEY_BYTES = 32
REMEMBERED = 4096
"""So many pseudonyms are kept at hand; they live in memory only and the least used goes first."""
_DIGEST_BYTES = 16
_DOMAIN = b"troth pseudonym"


class Pseudonyms:
    """Makes pseudonyms under one 32-byte key. Raises ValueError for a key of another length."""

    __slots__ = ("_remembered", "key_id")

    key_id: str
    """Eight hex digits that name the key without telling anything about it."""

    def __init__(self, key: bytes, *, remembered: int = REMEMBERED) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError("a pseudonym key has 32 bytes")
        self.key_id = hashlib.blake2b(b"key id", digest_size=4, key=key, person=_DOMAIN).hexdigest()
        keyed = hashlib.blake2b(digest_size=_DIGEST_BYTES, key=key, person=_DOMAIN)
        prefix = f"p_{self.key_id}_"

        def make(kind: str, value: str) -> str:
            name = kind.encode()
            fresh = keyed.copy()
            # The length keeps ("ab", "c") and ("a", "bc") apart.
            fresh.update(len(name).to_bytes(4) + name + value.encode("utf-8", "surrogatepass"))
            return prefix + fresh.hexdigest()

        self._remembered = lru_cache(maxsize=remembered)(make)

    def digest(self, kind: str, value: str) -> str:
        """Return the pseudonym of `value` as a `kind` (``actor``, ``subject``, ``name`` …); the same each time."""
        return self._remembered(kind, value)
