"""The thread that signs checkpoints beside the request path.

It lives only while there is something to anchor: the first line after a quiet spell starts it, and it ends itself once
everything is anchored and nothing new came for a while. An idle server runs no thread of the trail.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from troth.errors import TrailError

INTERVAL = 0.5
"""Seconds between two looks; with the time it takes to sign, every line is anchored within one second."""
QUIET = 4
"""So many looks in vain end the thread."""


class Signer:
    """Calls `anchor` every half second, and at once when woken, until `rest` says that nothing is left to do.

    `anchor` returns whether it anchored anything and may raise `TrailError`, which means: try again later.
    `rest` decides and, if it says yes, calls `forget`, under a lock that `wake` callers hold as well.
    """

    __slots__ = ("_anchor", "_interval", "_rest", "_stopped", "_thread", "_woken")

    def __init__(self, anchor: Callable[[], bool], rest: Callable[[], bool], interval: float = INTERVAL) -> None:
        self._anchor, self._rest, self._interval = anchor, rest, interval
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None
        self._stopped = False

    def wake(self, *, urgent: bool) -> None:
        """See to it that the thread runs; if `urgent`, that it looks now."""
        if self._thread is None:
            self._stopped = False
            self._thread = threading.Thread(target=self._run, name="troth-trail", daemon=True)
            self._thread.start()
        elif urgent:
            self._woken.set()

    def forget(self) -> None:
        """Let go of the thread, which is about to end."""
        self._thread = None

    def stop(self) -> None:
        """End the thread and wait for it. Not to be called under the lock that `anchor` or `rest` takes."""
        thread = self._thread
        self._stopped = True
        self._woken.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self._thread = None
        self._woken.clear()

    def _run(self) -> None:
        idle = 0
        while not self._stopped and not (idle >= QUIET and self._rest()):
            self._woken.wait(self._interval)
            self._woken.clear()
            idle = 0 if self._look() else idle + 1

    def _look(self) -> bool:
        try:
            return self._anchor()
        except TrailError:
            return False  # the writer meets the same obstacle at line 256 and raises it where it can be answered
