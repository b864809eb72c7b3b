"""A server of two workers, and connections that each stay with one of them. Bytes go over bare sockets."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from troth.audit.verify import Report, verify

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0
Headers = list[tuple[bytes, bytes]]


@dataclass
class Received:
    """One response as it came off the wire."""

    status: int
    headers: Headers
    body: bytes

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key == name]

    @property
    def told(self) -> dict[str, Any]:
        """What the app says: its worker, and the cookies that it saw."""
        value: dict[str, Any] = json.loads(self.body)
        return value

    @property
    def app_saw(self) -> list[bytes]:
        """The pieces of the `Cookie` headers that reached the app, in order."""
        return [piece for line in self.told["cookies"] for piece in line.encode("latin-1").split(b"; ")]

    @property
    def browser_got(self) -> list[bytes]:
        """The `Set-Cookie` values that reached the browser, but for the consent cookie and expiries."""
        return [v for v in self.values(b"set-cookie") if not v.startswith(b"troth_consent=") and b"Max-Age=0" not in v]

    @property
    def consent(self) -> bytes:
        """The consent cookie that came, as a piece for the next request."""
        (value,) = [v for v in self.values(b"set-cookie") if v.startswith(b"troth_consent=")]
        return value.partition(b";")[0]


class Connection:
    """A connection that is kept alive, and so stays with the worker that took it."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._file = self._socket.makefile("rb")
        self.host = b"127.0.0.1:%d" % port
        self.worker = 0

    def ask(
        self, method: bytes = b"GET", path: bytes = b"/", headers: Headers | None = None, body: bytes | None = None
    ) -> Received:
        """Send one request and read the response. Raises ConnectionError where the worker dies over it."""
        given = [(b"host", self.host), *(headers or [])]
        if body is not None:
            given += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        head = b"".join(b"%b: %b\r\n" % pair for pair in given)
        self._socket.sendall(b"%b %b HTTP/1.1\r\n%b\r\n%b" % (method, path, head, body or b""))
        return self._read()

    def choose(self, act: bytes, *names: str, cookie: bytes | None = None) -> Received:
        """Make a choice on an own route."""
        body = json.dumps({"consents": names} if names else {}).encode()
        return self.ask(b"POST", b"/.privacy/" + act, [(b"cookie", cookie)] if cookie else [], body)

    def _read(self) -> Received:
        first = self._file.readline()
        if not first:
            raise ConnectionError("the worker has gone")
        headers: Headers = []
        while (line := self._file.readline()) not in (b"\r\n", b""):
            name, _, value = line.rstrip(b"\r\n").partition(b": ")
            headers.append((name.lower(), value))
        length = next((int(value) for name, value in headers if name == b"content-length"), 0)
        body = self._file.read(length)
        if len(body) < length:
            raise ConnectionError("the worker has gone in the middle of an answer")
        return Received(int(first.split()[1]), headers, body)

    def close(self) -> None:
        self._file.close()
        self._socket.close()


@dataclass
class Server:
    """The running server and its home."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path
    home: Path
    connections: list[Connection] = field(default_factory=list)

    @property
    def trail(self) -> Path:
        return self.home / "trail"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def both(self) -> tuple[Connection, Connection]:
        """Return a connection to each of two different workers, both of which have answered."""
        found: dict[int, Connection] = {}
        end = time.monotonic() + PATIENCE
        while len(found) < 2 and time.monotonic() < end:
            fresh = [Connection(self.port) for _ in range(8)]
            self.connections += fresh
            for one in fresh:
                with suppress(ConnectionError):
                    one.worker = one.ask().told["worker"]
                    found.setdefault(one.worker, one)
        one, other = found.values()
        return one, other

    def lines(self) -> list[dict[str, Any]]:
        """Return every line of the trail but the opening ones."""
        found = (line for path in sorted(self.trail.glob("*-*.jsonl")) for line in path.read_bytes().splitlines())
        return [value for value in map(json.loads, found) if value["kind"] in ("exchange", "consent", "websocket")]

    def verified(self) -> Report:
        seed = bytes.fromhex((self.home / "keys" / "trail").read_text().strip())
        return verify(self.trail, Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())

    def fault(self, on: bool) -> None:
        """Let workers die between commit and announcement, or not."""
        path = self.folder / "die"
        path.touch() if on else path.unlink()

    @contextmanager
    def unattended(self) -> Iterator[None]:
        """Keep the supervisor from replacing dead workers for the while."""
        os.kill(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.process.pid, signal.SIGCONT)

    def kill(self, worker: int) -> None:
        """Kill one worker, and wait until it is no more than a name."""
        os.kill(worker, signal.SIGKILL)
        status = Path(f"/proc/{worker}/stat")
        while status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z":
            time.sleep(0.01)

    def stop(self) -> None:
        """End the server in an orderly way; every worker seals its trail."""
        for connection in self.connections:
            connection.close()
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def seconds_to_start(self) -> list[float]:
        """How long each worker took to put the middleware together."""
        return [float(path.read_text()) for path in (self.folder / "starting").glob("*.seconds")]


@contextmanager
def serving(folder: Path, home: Path | None = None, **environ: str) -> Iterator[Server]:
    """Two workers on a fresh home, or on the one given; they are gone when this ends."""
    home = home or folder / "home"
    (folder / "starting").mkdir(parents=True)
    environment = {
        **{name: value for name, value in os.environ.items() if not re.match("TROTH_|COV", name)},
        "PYTHONPATH": os.pathsep.join((str(ROOT / "middleware"), str(ROOT))),
        "TROTH_HOME": str(home),
        "SEEN_STARTING": str(folder / "starting"),
        "DIE_UNANNOUNCED": str(folder / "die"),
        **environ,
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.workers.serve"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    assert process.stdout is not None
    server = Server(process, int(process.stdout.readline()), folder, home)
    try:
        yield server
    finally:
        server.stop()
