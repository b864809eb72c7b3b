"""One number that all workers of a home see, so that a look tells whether the ledger has changed.

It stands in a memory-mapped file of eight bytes. A writer takes the lock, makes it odd, commits, makes it even. A
reader that finds the even number it knows may use what it remembers; another even number says that it must read again;
an odd one that a write is under way, or that its writer died, and then the ledger itself is asked. An odd number that
was left behind is closed by the next writer.

The file appears whole and is never truncated: a mapping of a file that shrinks would end the process.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from troth.errors import HomeError
from troth.home import create_whole

Lock = Callable[[], AbstractContextManager[None]]
"""Gives the lock of the home, as `Home.lock` does."""

_BYTES: Final = 8


class Generation:
    """The shared number. Make it with `open`. Eight aligned bytes are read and written in one go."""

    __slots__ = ("_map", "lock", "view")

    def __init__(self, mapping: mmap.mmap, lock: Lock) -> None:
        self._map = mapping
        self.view = memoryview(mapping).cast("Q")
        self.lock = lock

    @classmethod
    def open(cls, path: Path, lock: Lock) -> Generation:
        """Map the file at `path`, making it where it is missing. Raises HomeError where that cannot be done."""
        create_whole(path, bytes(_BYTES))
        try:
            with path.open("r+b") as file:
                return cls(mmap.mmap(file.fileno(), _BYTES), lock)
        except (OSError, ValueError) as error:
            raise HomeError("is no file of eight bytes that can be mapped", path=str(path)) from error

    def read(self) -> int:
        """Return the number: even, or odd while a write is under way or was cut off."""
        return self.view[0]

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the lock with the number odd; then make it even, also where the write failed.

        Raises HomeError where the lock is not to be had.
        """
        with self.lock():
            opened = self.view[0] | 1
            self.view[0] = opened
            try:
                yield
            finally:
                self._announce(opened + 1)

    def close_left_open(self) -> None:
        """Make a number even that a dead writer left odd. Raises HomeError where the lock is not to be had."""
        if self.view[0] & 1:
            with self.writing():
                pass

    def close(self) -> None:
        """Give the mapping back."""
        self.view.release()
        self._map.close()

    def _announce(self, value: int) -> None:
        self.view[0] = value
