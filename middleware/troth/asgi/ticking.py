"""The clock of a guarded app: once a second its deadlines are looked at, in the thread that looks at files."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Final

from troth.runtime.runtime import Runtime

SECONDS: Final = 1.0


class Ticker:
    """Looks at the deadlines of the runtime that serves. `current` is a method that returns it."""

    def __init__(self, current: Callable[[], Runtime]) -> None:
        self.seconds = SECONDS
        self._current = weakref.WeakMethod(current)

    @property
    def is_over(self) -> bool:
        """Whether nobody is served any more."""
        current = self._current()
        return current is None or current().closed.is_set()

    def look(self) -> None:
        """Look once. Never raises."""
        current = self._current()
        if current is not None:
            current().tick()
