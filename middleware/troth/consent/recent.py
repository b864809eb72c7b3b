"""A bounded map that forgets what nobody asked for lately."""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """At most `size` entries, in two halves: when the young half is full it becomes the old one, and the old one goes.

    Deleting the oldest entry of a dictionary one by one slows down with every deletion; this never does.
    """

    __slots__ = ("_half", "_old", "_young")

    def __init__(self, size: int) -> None:
        self._half = max(1, size // 2)
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())

    def holds(self, key: K) -> bool:
        """Whether something is remembered for `key`; that does not count as asking for it."""
        return key in self._young or key in self._old

    def get(self, key: K) -> V | None:
        """Return what is remembered for `key`, and remember that it was asked for."""
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: K, value: V) -> None:
        """Remember `value` for `key`."""
        if len(self._young) >= self._half:
            self._old = self._young
            self._young = {}
        self._young[key] = value

    def clear(self) -> None:
        """Forget everything."""
        self._young = {}
        self._old = {}
