"""Hot reload: files that changed on disk are loaded anew, beside the requests; what is broken leaves the last good on.

One thread for all guarded apps of a process looks at the files, as often as the most frequent of them asks. Whatever
it loads it makes whole, and then puts in place by one assignment: an exchange ends under what it began with.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable
from datetime import date
from typing import Final, Protocol

from troth.errors import ActivationRefused, ConfigurationError, TrailError
from troth.runtime.loading import Marks, mark
from troth.runtime.runtime import Runtime

DEFAULT_SECONDS: Final = 1.0
_LOG: Final = logging.getLogger("troth")
Install = Callable[[Runtime], None]


class Reloader:
    """Looks whether the files of a runtime are what they were. `install` takes the runtime that serves from now on.

    Files that have just changed are loaded at the next look, if they have stood still until then: a folder that is
    being copied is not read halfway.
    """

    def __init__(self, runtime: Runtime, install: Install, seconds: float) -> None:
        self.seconds = seconds
        self._runtime = runtime
        self._install = weakref.WeakMethod(install)
        self._loaded = runtime.marks
        self._seen = runtime.marks
        self._refused_on: date | None = None
        """The day on which rules refused the version that stands on disk: the next day has other statements."""

    @property
    def is_over(self) -> bool:
        """Whether nobody is served by this any more."""
        return self._runtime.closed.is_set() or self._install() is None

    def look(self) -> None:
        """Look once; load what has changed and stood still since the last look. Never raises."""
        seen = self._marks()
        still, self._seen = seen == self._seen, seen
        if not still or (seen == self._loaded and self._refused_on in (None, self._runtime.clock().date())):
            return
        self._refused_on = None
        try:
            self._load(seen)
        except TrailError as cause:  # untold, nothing changes: the next look tries again
            _LOG.error("changed files are not loaded, the trail takes no line: %s", cause)
        except Exception:  # noqa: BLE001 - the thread has to live, whatever a file makes a loader do
            self._loaded = seen
            _LOG.exception("changed files could not be loaded; what was loaded last goes on")

    def _load(self, seen: Marks) -> None:
        runtime = self._runtime
        try:
            loaded = runtime.given.load(runtime.home.switches)
            if self._marks() != seen:  # it may be half of the one and half of the other
                return
            same = loaded.revision == runtime.loaded.revision
            renewed = runtime if same else runtime.renewed(loaded)
        except ConfigurationError as cause:
            if self._marks() == seen:
                self._refuse(cause)
                self._loaded = seen
            return
        install = self._install()
        self._loaded = seen
        if install is not None and renewed is not runtime:
            self._runtime = renewed
            install(renewed)

    def _refuse(self, cause: ConfigurationError) -> None:
        """Say all that is wrong, and that the last good goes on."""
        if isinstance(cause, ActivationRefused):
            self._refused_on = self._runtime.clock().date()
        _LOG.error("changed files cannot be used; what was loaded last goes on\n%s", cause)
        self._runtime.refuse(cause)

    def _marks(self) -> Marks:
        runtime = self._runtime
        return (*runtime.given.marks(), mark(runtime.home.switches))


class Watched(Protocol):
    """What is looked at every so many seconds, until it is over."""

    seconds: float

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to look at."""

    def look(self) -> None:
        """Look once. Never raises."""


class Watch:
    """The thread that looks; it ends when there is nothing left to look at."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: weakref.WeakSet[Watched] = weakref.WeakSet()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, watched: Watched) -> None:
        """Look for this one too, from now on."""
        with self._lock:
            self._all.add(watched)
            self._woken.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="troth-reload", daemon=True)
                self._thread.start()

    def after_fork(self) -> None:
        """In a forked child: no thread came along, so begin anew with what there is to look at."""
        left = list(self._all)
        self.__init__()  # type: ignore[misc]  # lock and event may be held by a thread that is not here
        for reloader in left:
            self.add(reloader)

    def _run(self) -> None:
        while (pause := self._pause()) is not None:
            if self._woken.wait(pause):  # one more to look for, perhaps more often
                self._woken.clear()
                continue
            for reloader in list(self._all):
                if not reloader.is_over:
                    reloader.look()

    def _pause(self) -> float | None:
        """Return how long to wait; None, and end, where there is nothing to look at."""
        with self._lock:
            left = [one for one in list(self._all) if not one.is_over]
            if left:
                return min(one.seconds for one in left)
            self._thread = None
            return None


WATCH: Final = Watch()
os.register_at_fork(after_in_child=WATCH.after_fork)
