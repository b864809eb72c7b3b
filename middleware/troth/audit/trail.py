"""The trail of a process: recovery at the start, one stream per retention class, an orderly end.

>>> trail = Trail(home / "trail", signing_key=seed, policy=PolicyStamp(id="web", version="3", hash="9f…"))
>>> number = trail.stream().write(b'"stage":"released","route":"GET /"')
>>> trail.close()
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from troth.audit.checkpoint import Checkpoints
from troth.audit.entries import Signing
from troth.audit.failures import failed
from troth.audit.opening import Orphan, PolicyStamp
from troth.audit.recovery import recover
from troth.audit.stream import Stream, utc
from troth.errors import TrailError

__all__ = ["DEFAULT_RETENTION", "Orphan", "PolicyStamp", "Trail"]

DEFAULT_RETENTION = "access"
"""The retention class of a line for which nothing else is said."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LIVE: weakref.WeakSet[Trail] = weakref.WeakSet()


class Trail:
    """The trail in one directory, which is made (0700) if it is missing.

    Opening it seals what dead processes left behind (`orphans`). `signing_key` is the 32-byte Ed25519 seed,
    `older_keys` are the public halves of keys that it replaced, for what was left behind before that. `clock` gives
    aware UTC and dates the lines; without it the system's clock does. With `background=False` no thread is started and
    the caller calls `tick`. Raises `TrailError` where directory or files cannot be made or written, and ValueError for
    a key of another length.
    """

    def __init__(
        self,
        directory: Path,
        *,
        signing_key: bytes,
        policy: PolicyStamp,
        older_keys: Sequence[bytes] = (),
        clock: Callable[[], datetime] | None = None,
        background: bool = True,
    ) -> None:
        signing = Signing(signing_key, older_keys)
        self.directory, self.policy, self.public_key = directory, policy, signing.public
        self._now = time.time_ns if clock is None else _nanoseconds(clock)
        self._background = background
        _make(directory)
        self._checkpoints = Checkpoints(directory, signing)
        self.orphans: tuple[Orphan, ...] = recover(directory, self._checkpoints, signing, utc(self._now()))
        self._lock = threading.Lock()
        self._streams: dict[str, Stream] = {}
        self.stream()
        _LIVE.add(self)

    def stream(self, retention: str = DEFAULT_RETENTION) -> Stream:
        """Return this process's stream of a retention class; the first call opens it. Raises `TrailError`."""
        with self._lock:
            found = self._streams.get(retention)
            if found is None:
                found = self._streams[retention] = Stream(
                    self.directory,
                    self._checkpoints,
                    lambda: self.policy,
                    retention=retention,
                    orphans=() if self._streams else self.orphans,
                    now=self._now,
                    background=self._background,
                )
            return found

    def tick(self) -> None:
        """Anchor whatever is not anchored yet, now. Raises `TrailError`."""
        for stream in tuple(self._streams.values()):
            stream.checkpoint()

    def close(self) -> None:
        """Seal all streams and end their threads. A line written later opens a new segment. Raises `TrailError`."""
        failure: TrailError | None = None
        for stream in tuple(self._streams.values()):
            try:
                stream.close()
            except TrailError as error:
                failure = error
        if failure is not None:
            raise failure

    def after_fork(self) -> None:
        """In a forked child: forget the parent's segments; each stream opens one of its own with its first line."""
        self._lock = threading.Lock()
        for stream in self._streams.values():
            stream.after_fork()


def _make(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise failed("trail directory", error) from error


def _nanoseconds(clock: Callable[[], datetime]) -> Callable[[], int]:
    """Turn a clock of aware datetimes into one of whole nanoseconds, without a float on the way."""
    return lambda: (clock() - _EPOCH) // timedelta(microseconds=1) * 1000


def _after_fork() -> None:
    for trail in tuple(_LIVE):
        trail.after_fork()


def _close_all() -> None:
    """Seal at exit what nobody closed. What cannot be sealed now, the next process seals."""
    for trail in tuple(_LIVE):
        with contextlib.suppress(TrailError):
            trail.close()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_close_all)
if "multiprocessing.util" in sys.modules:
    # A worker that multiprocessing started leaves without atexit, but not without its finalizers.
    sys.modules["multiprocessing.util"].Finalize(None, _close_all, exitpriority=10)
