"""The shop under uvicorn with two workers on a free port, for as long as the demonstration lasts."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from example_app.demo.recorder import GUARD_VARIABLE, RECORD_VARIABLE, read
from example_app.demo.wire import Inside
from example_app.shop import Shop

ROOT = Path(__file__).parents[2]
WORKERS = 2
_PATIENCE = 40.0


class NotServingError(Exception):
    """The shop did not come up; the message holds the end of its log."""


@dataclass(slots=True)
class Server:
    """The running shop; `folder` holds its database, log, camera file and the guard's home."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]
    _read_to: int = 0

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def trail(self) -> Path:
        """Where the guard writes its audit trail."""
        return self.folder / "home" / "trail"

    def recorded(self) -> list[Inside]:
        """What passed the camera since the last look."""
        with (self.folder / "camera.jsonl").open("rb") as file:
            file.seek(self._read_to)
            lines = file.readlines()
        self._read_to += sum(map(len, lines))
        return [read(line) for line in lines]

    def workers_that_answered(self) -> set[int]:
        """Knock from several sides at once until every worker has opened; their process ids."""
        workers: set[int] = set()
        deadline = time.monotonic() + _PATIENCE
        with ThreadPoolExecutor(8) as pool:
            while len(workers) < WORKERS and time.monotonic() < deadline:
                list(pool.map(lambda _: self._knock(), range(16)))
                workers |= {inside.worker for inside in self.recorded()}
        return workers

    def _knock(self) -> int:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/static/mark.svg")
            return connection.getresponse().status
        finally:
            connection.close()

    def wait(self) -> None:
        """Return when it answers. Raises NotServingError when it ends, answers with an error, or is silent for long."""
        deadline = time.monotonic() + _PATIENCE
        while self.process.poll() is None and time.monotonic() < deadline:
            with suppress(OSError, HTTPException):
                if self._knock() == 200:
                    return
                break
            time.sleep(0.1)
        raise NotServingError((self.folder / "server.log").read_text(errors="replace")[-6000:])

    def stop(self) -> None:
        """End the workers, gently first."""
        with suppress(ProcessLookupError):
            self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextmanager
def serving(folder: Path, *, guarded: bool = True) -> Iterator[Server]:
    """The shop, up and answering, and stopped at the end. Raises NotServingError."""
    database = folder / "shop.sqlite3"
    Shop(database)
    (folder / "camera.jsonl").touch()
    port = _free_port()
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - this interpreter and words of ours
            _command(port),
            cwd=ROOT,
            env=_environment(folder, database, guarded),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    server = Server(port, folder, process)
    try:
        server.wait()
        yield server
    finally:
        server.stop()


def _command(port: int) -> list[str]:
    factory = ("example_app.demo.recorder:recorded_shop", "--factory")
    where = ("--host", "127.0.0.1", "--port", str(port), "--workers", str(WORKERS), "--no-access-log")
    return [sys.executable, "-m", "uvicorn", *factory, *where]


def _environment(folder: Path, database: Path, guarded: bool) -> dict[str, str]:
    return {
        **os.environ,
        "HALVTAKT_DATABASE": str(database),
        "TROTH_HOME": str(folder / "home"),
        GUARD_VARIABLE: "on" if guarded else "off",
        RECORD_VARIABLE: str(folder / "camera.jsonl"),
    }


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
