"""The writer: one stream of lines per process and retention class.

Every line is on its way to the disk when `Stream.write` returns: one `os.write`, no buffer. What is known of a line
survives the death of the process, not of the machine; what is anchored has been synced as well.

Locks: `_lock` guards the state and is held for a line; `_signing` orders the entries of the stream. Whoever wants both
takes `_lock` first.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from troth.audit.chain import STREAM_BYTES, ZERO
from troth.audit.checkpoint import Checkpoints
from troth.audit.entries import SCHEMA, Entry, EntryKind, Rest, Tip
from troth.audit.failures import failed
from troth.audit.opening import Orphan, PolicyStamp, opening
from troth.audit.segment import SegmentFile, check_retention, file_name
from troth.audit.signer import Signer
from troth.errors import TrailError

ANCHOR_SOON, ANCHOR_NOW = 192, 256
"""After so many unanchored lines the signer is woken; at so many the writer signs by itself before it goes on."""
SEGMENT_BYTES, SEGMENT_NANOSECONDS = 64 * 1024 * 1024, 24 * 3600 * 10**9
"""A segment that has grown to this size or age is sealed and the next one begun."""
_AT_ONCE = -1
_RETRIED_IN_PLACE = frozenset({errno.ENOSPC, errno.EDQUOT})


def utc(nanoseconds: int) -> str:
    """Return a moment of Unix time as UTC in ISO 8601 with microseconds."""
    second, micros = divmod(nanoseconds // 1000, 1_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(second))}.{micros:06d}Z"


class Stream:
    """Appends lines to its own segments, chained; safe between threads and across `fork` (a child gets a new stream).

    Opens its first segment at once. Raises `TrailError` where that, or later a line, cannot be written.
    """

    def __init__(
        self,
        directory: Path,
        checkpoints: Checkpoints,
        stamp: Callable[[], PolicyStamp],
        *,
        retention: str = "access",
        orphans: tuple[Orphan, ...] = (),
        now: Callable[[], int] = time.time_ns,
        background: bool = True,
    ) -> None:
        self._directory, self._checkpoints, self._stamp = directory, checkpoints, stamp
        self.retention = check_retention(retention)
        self._orphans, self._now, self._background = orphans, now, background
        self._file: SegmentFile | None = None
        self._renew()
        with self._lock:
            self._begin()
            self._anchor_here()
            self._alarm = self._seq  # so that the first line starts the signer, and a stream without lines none

    def _renew(self) -> None:
        """Become a new stream that has written nothing."""
        self._lock, self._signing = threading.Lock(), threading.Lock()
        self._signer = Signer(self.checkpoint, self._rest)
        self.id = os.urandom(STREAM_BYTES)
        self._start = f'{{"v":{SCHEMA},"stream":"{self.id.hex()}","seq":'.encode()
        self._seq, self._head, self._failed = 0, ZERO, 0
        self._number, self._signed, self._anchored = 0, (0, 0), 0
        self._second, self._time = -1, b""
        self._segments, self._base, self._size, self._fd = 0, 0, 0, -1
        self._torn, self._spoiled, self._broken = b"", False, False
        self._listed = self._opened = False
        self._alarm = _AT_ONCE

    def after_fork(self) -> None:
        """Let go of what belongs to the parent process. For the child, before it writes."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._orphans = ()
        self._renew()

    # The hot path.

    def write(self, members: bytes) -> int:
        """Append one line and return its number in the stream, from 1.

        `members` are JSON members without braces (``b'"stage":"released","route":"GET /"'``), UTF-8, no line feed; they
        are not checked. The line is with the operating system when this returns. Raises `TrailError` if it could not be
        written whole, or if 256 lines wait for a checkpoint that cannot be written.
        """
        with self._lock:
            if self._seq >= self._alarm:
                self._attend()
            return self._append(members)

    def _append(self, members: bytes) -> int:
        micros = self._now() // 1000
        second = micros // 1_000_000
        if second != self._second:
            self._second = second
            self._time = time.strftime(',"t":"%Y-%m-%dT%H:%M:%S.', time.gmtime(second)).encode()
        seq, head = self._seq + 1, self._head
        line = b'%b%d%b%06dZ","prev":"%b",%b}' % (
            self._start, seq, self._time, micros - second * 1_000_000, head.hex().encode(), members
        )  # fmt: skip
        try:
            written = os.write(self._fd, line + b"\n")
        except OSError as error:
            raise self._refused(line, error) from error
        if written <= len(line):
            raise self._refused(line, OSError(errno.ENOSPC, ""))
        self._head = sha256(self.id + head + line).digest()
        self._seq = seq
        self._size += written
        return seq

    # What happens seldom; all of it under `_lock`.

    def _refused(self, line: bytes, error: OSError) -> TrailError:
        """Take note of a line that is not, or only in part, in the file."""
        self._failed += 1
        self._torn = line[: self._torn_bytes()]
        self._spoiled = bool(self._torn) or error.errno not in _RETRIED_IN_PLACE
        self._alarm = _AT_ONCE
        return failed("line", error)

    def _torn_bytes(self) -> int:
        try:
            return max(0, self._file.size() - self._size) if self._file else 0
        except OSError:
            return 0

    def _attend(self) -> None:
        """Do what is due before the next line: begin a segment, sign, or have it signed."""
        if self._fd < 0 or self._spoiled or self._is_full() or not self._opened:
            self._begin()
        waiting = self._seq - self._anchored
        if waiting >= ANCHOR_NOW:
            self._anchor_here()
            waiting = 0
        if self._background:
            self._signer.wake(urgent=waiting >= ANCHOR_SOON)
        self._alarm = self._anchored + (ANCHOR_SOON if waiting < ANCHOR_SOON else ANCHOR_NOW)

    def _is_full(self) -> bool:
        old = self._file is not None and self._now() - self._file.opened >= SEGMENT_NANOSECONDS
        return self._size >= SEGMENT_BYTES or old

    def _begin(self) -> None:
        """Seal what is open, then make, list and open the next segment. Each step that is done is not done again."""
        if self._listed and (self._opened or self._spoiled):
            self._seal()
        try:
            if self._file is None:
                self._segments += 1
                name = file_name(self.retention, self.id, self._segments)
                self._file = SegmentFile(self._directory, name, self._now())
                self._base, self._size = self._seq, 0
            if not self._listed:
                with self._signing:
                    self._sign(EntryKind.OPEN, self._file, self._tip())
                self._listed = True
        except OSError as error:
            raise failed("segment", error) from error
        self._fd, self._spoiled = self._file.fd, False
        self._append(opening(self.retention, self._segments, self._stamp(), self._orphans))
        self._opened, self._orphans = True, ()

    def _tip(self) -> Tip:
        return Tip(seq=self._seq, lines=self._seq - self._base, size=self._size, head=self._head)

    def _seal(self) -> None:
        """Anchor everything and close the segment for good."""
        file = self._file
        if file is None:
            return
        self._check(file, self._size)
        with self._signing:
            self._sign(EntryKind.SEAL, file, self._tip(), rest=Rest.of(self._torn))
        file.close()
        self._anchored = self._seq
        self._file, self._fd, self._torn = None, -1, b""
        self._listed = self._opened = self._spoiled = self._broken = False
        self._alarm = _AT_ONCE

    def _anchor_here(self) -> None:
        """Sign a checkpoint without leaving the lock."""
        if self._file is not None and self._opened:
            tip = self._tip()
            self._anchor(self._file, tip)
            self._anchored = tip.seq

    # Signing; `_signing` is held wherever an entry is made.

    def _anchor(self, file: SegmentFile, tip: Tip) -> None:
        with self._signing:
            if file is self._file and (tip.seq, self._failed) > self._signed:
                self._check(file, tip.size)
                self._sign(EntryKind.CHECKPOINT, file, tip)

    def _check(self, file: SegmentFile, size: int) -> None:
        """Sync the segment; where somebody has cut, moved or removed it, say so in its seal and leave it."""
        try:
            intact = file.settle(size)
        except OSError as error:
            raise failed("segment", error) from error
        if not intact:
            self._broken = self._spoiled = True
            self._alarm = _AT_ONCE

    def _sign(self, kind: EntryKind, file: SegmentFile, tip: Tip, rest: Rest | None = None) -> None:
        entry = Entry(
            kind=kind,
            stream=self.id,
            retention=self.retention,
            segment=file.name,
            number=self._number + 1,
            tip=tip,
            t=utc(self._now()),
            failed=self._failed,
            rest=rest,
            broken=self._broken,
        )
        self._checkpoints.append(entry)
        self._number += 1
        self._signed = (tip.seq, entry.failed)

    # For the signer and for callers.

    def checkpoint(self) -> bool:
        """Anchor what is not anchored yet; return whether there was anything. Raises `TrailError`."""
        with self._lock:
            file, tip = self._file, self._tip()
            if file is None or not self._opened or (tip.seq, self._failed) <= self._signed:
                return False
        self._anchor(file, tip)
        with self._lock:
            self._anchored = max(self._anchored, tip.seq)
            if self._alarm != _AT_ONCE:
                self._alarm = self._anchored + ANCHOR_SOON
        return True

    def _rest(self) -> bool:
        """Let the signer go if everything is anchored; the next line calls it back."""
        with self._lock:
            if self._opened and (self._seq, self._failed) > self._signed:
                return False
            self._signer.forget()
            self._alarm = min(self._alarm, self._seq)
            return True

    def close(self) -> None:
        """Seal the segment and end the signer. A line written later begins a new segment. Raises `TrailError`."""
        self._signer.stop()
        with self._lock:
            if self._listed:
                self._seal()
            elif self._file is not None:
                self._file.close()
                self._file, self._fd = None, -1
