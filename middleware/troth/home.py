"""The home folder: keys, trail, ledger and generation of one deployment, made on first run and closed to others.

Several workers may start at once. Whatever is made for all of them is made under one lock and appears whole: written
to a temporary file, then linked into place, so that nobody reads half a key and no two workers each keep their own.

Rotation. `keys/cookie` signs; `keys/cookie.1`, `keys/cookie.2` … are older keys that still verify: rename the old file,
restart, and a new key is made. `keys/trail.pub.1` … keep the public halves of older trail keys. `keys/pseudonym` links
the lines of a person: replacing it unlinks what was written before. `keys/ledger` finds the persons in the ledger:
without it recorded refusals are lost too, so it is never rotated. A folder is for one host; workers on several hosts
share keys through the environment.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from troth.errors import HomeError

HOME_VARIABLE: Final = "TROTH_HOME"
"""Environment variable that names the folder where the app gives none."""
DEFAULT_HOME: Final = ".troth"
LOCK_SECONDS: Final = 10.0
"""How long anyone waits for the lock before giving up; writers hold it for milliseconds."""

_KEY_BYTES: Final = 32
_LOCK: Final = "lock"
_OURS: Final = frozenset(
    f"{_LOCK} .gitignore keys trail ledger.sqlite3 generation events.sqlite3 clock switches.yaml lost+found".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """An opened home folder. Paths are absolute; keys are 32 bytes each and never shown by `repr`."""

    path: Path
    cookie_keys: tuple[bytes, ...] = field(repr=False)
    """Newest first: the first signs, all verify."""
    pseudonym_key: bytes = field(repr=False)
    ledger_key: bytes = field(repr=False)
    trail_seed: bytes = field(repr=False)
    trail_publics: tuple[bytes, ...]
    """Ed25519 public keys, newest first: that of `trail_seed`, then those of `keys/trail.pub.1` …"""

    @classmethod
    def open(cls, path: str | os.PathLike[str] | None = None, *, environ: Mapping[str, str] = os.environ) -> Home:
        """Open the folder at `path`, else at ``TROTH_HOME``, else ``./.troth``, and make what it lacks.

        Each key is taken from ``TROTH_KEY_COOKIE``, ``_PSEUDONYM``, ``_LEDGER`` or ``_TRAIL`` where set (32 bytes in
        hex or base64url; for cookies several, newest first, with commas between), else from its file in `keys`.
        Raises HomeError, naming the path, where the folder or a file in it cannot be made, read, closed to others or
        locked, holds no key, or is somebody else's folder.
        """
        root = Path(path or environ.get(HOME_VARIABLE) or DEFAULT_HOME).absolute()
        _claim(root)
        with _locked(root / _LOCK):
            create_whole(root / ".gitignore", b"*\n")
            for name in ("keys", "trail"):
                _make_folder(root / name)
            return cls._read(root, environ)

    @classmethod
    def _read(cls, root: Path, environ: Mapping[str, str]) -> Home:
        keys = _KeyFolder(root / "keys", environ)
        seed = keys.first("trail")
        return cls(
            path=root,
            cookie_keys=keys.all("cookie"),
            pseudonym_key=keys.first("pseudonym"),
            ledger_key=keys.first("ledger"),
            trail_seed=seed,
            trail_publics=keys.publics(seed),
        )

    @property
    def trail(self) -> Path:
        """The folder of the trail."""
        return self.path / "trail"

    @property
    def ledger(self) -> Path:
        """The SQLite file of the consent ledger."""
        return self.path / "ledger.sqlite3"

    @property
    def events(self) -> Path:
        """The SQLite file of deadlines; there is none unless a rule asks for some."""
        return self.path / "events.sqlite3"

    @property
    def generation(self) -> Path:
        """The file that tells workers of each other's writes."""
        return self.path / "generation"

    @property
    def switches(self) -> Path:
        """The file that turns single rules off; there is none unless somebody makes it."""
        return self.path / "switches.yaml"

    @property
    def trail_public(self) -> bytes:
        """The Ed25519 public key of `trail_seed`."""
        return self.trail_publics[0]

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the one lock of this home, against other processes and threads. It does not nest.

        Raises HomeError where it is not free within `LOCK_SECONDS`.
        """
        with _locked(self.path / _LOCK):
            yield

    @contextmanager
    def lease(self) -> Iterator[bool]:
        """Hold the clock of this home, or say that another holds it. The system takes it from a process that dies.

        Raises HomeError where its file cannot be opened.
        """
        path = self.path / "clock"
        with _naming(path, "cannot be opened"):
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            mine = _try_lock(handle)
            yield mine
        finally:
            # A child forked meanwhile shares the opening: closing ours alone would leave it locked.
            fcntl.flock(handle, fcntl.LOCK_UN)
            os.close(handle)


def create_whole(path: Path, data: bytes) -> bool:
    """Make the file `path` with mode 0600, all of `data` or nothing; one that is there stays. Say whether it was made.

    Raises HomeError where it cannot be written.
    """
    if path.exists():
        return False
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with _naming(path, "cannot be written"):
            _write(draft, data)
            try:
                os.link(draft, path)
            except FileExistsError:
                return False
            return True
    finally:
        with suppress(OSError):  # it was never made, or goes with the next clean-up; the first error is the one to tell
            draft.unlink()


class _KeyFolder:
    """The keys of one home: each from the environment, else from its file, which is made where it is missing."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = environ

    def first(self, name: str) -> bytes:
        return self.all(name)[0]

    def all(self, name: str) -> tuple[bytes, ...]:
        variable = f"TROTH_KEY_{name.upper()}"
        given = self._environ.get(variable)
        if given:
            return tuple(_key(part, variable) for part in given.split(","))
        create_whole(self._folder / name, _text(secrets.token_bytes(_KEY_BYTES)))
        return tuple(_read_key(path) for path in (self._folder / name, *self._older(name)))

    def publics(self, seed: bytes) -> tuple[bytes, ...]:
        current = self._folder / "trail.pub"
        public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        create_whole(current, _text(public))
        if _read_key(current) != public:
            raise HomeError("is not the public half of the trail key; rename it to trail.pub.1", path=str(current))
        return (public, *(_read_key(path) for path in self._older("trail.pub")))

    def _older(self, name: str) -> list[Path]:
        """Return ``name.1``, ``name.2`` …: the lower the number, the younger the key."""
        pattern = re.compile(re.escape(name) + r"\.(\d{1,6})")
        found = ((pattern.fullmatch(path.name), path) for path in self._folder.iterdir())
        return [path for _, path in sorted((int(match[1]), path) for match, path in found if match)]


def _text(key: bytes) -> bytes:
    return key.hex().encode() + b"\n"


def _read_key(path: Path) -> bytes:
    with _naming(path, "cannot be read"):
        _close_to_others(path, 0o600)
        text = path.read_text("ascii", errors="replace")
    return _key(text, str(path))


def _key(text: str, where: str) -> bytes:
    text = text.strip()
    try:
        if re.fullmatch(r"[0-9a-fA-F]{64}", text):
            return bytes.fromhex(text)
        if re.fullmatch(r"[A-Za-z0-9_-]{43}=?", text):
            return base64.urlsafe_b64decode(text[:43] + "=")
    except (ValueError, binascii.Error):  # pragma: no cover - both patterns always decode
        pass
    raise HomeError("is no key of 32 bytes in hex or base64url", path=where)


def _claim(root: Path) -> None:
    """Make the folder, or make sure that it is ours: a whole repository must not become private and ignored by git."""
    if not root.exists():
        _make_folder(root)
    with _naming(root, "cannot be read"):
        names = set(os.listdir(root))
    # The lock is made before anything else, so a worker that is just making the rest has made it.
    if names - _OURS and not (root / _LOCK).exists():
        raise HomeError("is not empty and no home of Troth", path=str(root))
    with _naming(root, "is open to others and cannot be closed"):
        _close_to_others(root, 0o700)
    if not os.access(root, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise HomeError("cannot be written", path=str(root))


def _make_folder(path: Path) -> None:
    with _naming(path, "cannot be made"):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)


def _close_to_others(path: Path, mode: int) -> None:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        path.chmod(mode)


def _write(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(handle)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    # Each holder opens the file anew: a lock belongs to the opening, so it also excludes threads and forked children.
    with _naming(path, "cannot be opened"):
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with _naming(path, "cannot be locked"):
            _acquire(handle, path)
        yield
    finally:
        # A child forked meanwhile shares the opening: closing ours alone would leave it locked.
        fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _acquire(handle: int, path: Path) -> None:
    """Wait for the lock, but not for ever: a stopped process must not stop all others."""
    deadline = time.monotonic() + LOCK_SECONDS
    pause = 0.0005
    while True:
        if _try_lock(handle):
            return
        if time.monotonic() > deadline:
            raise HomeError("was not free in time", path=str(path))
        time.sleep(pause)  # `flock` knows no time limit of its own
        pause = min(pause * 2, 0.02)


@contextmanager
def _naming(path: Path, what: str) -> Iterator[None]:
    """Turn an error of the operating system into one that says which path and what was wanted."""
    try:
        yield
    except OSError as error:
        raise HomeError(f"{what} ({error.strerror or type(error).__name__})", path=str(path)) from error
