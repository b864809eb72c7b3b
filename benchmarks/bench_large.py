"""What do large answers cost in memory, and how long do they keep others waiting?

A JSON answer of 10 MB, from which a field of every row has to go: the peak of memory over that of the bare app ÷ the
size of the body, and the longest time in which nothing else got its turn on the loop ÷ the time that msgspec takes to
decode 64 KB of it. A streamed answer of 1 GB: the peak of memory over that of an answer of 64 MB.

Every case is a process of its own, which says by how much its resident memory has grown since it was warm. Times are
those of the processor, not of the clock: what another process takes is no stall of ours. The longest of some ten
thousand turns is set against the longest of as many decodings, their 99.9th percentile against the median of those,
each in the calmest of several runs. Exits 1 if a bar is broken.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.harness import ROOT, alone_on_a_core, new_loop, versions
from troth import PolicyMiddleware
from troth._types import ASGIApp, Message, Receive, Scope, Send
from troth.rules import load_inline

MIB: Final = 1024 * 1024
SIZE: Final = 10 * 1000 * 1000
STREAM: Final = 1024 * MIB
SHORT: Final = 64 * MIB
CHUNK: Final = 64 * 1024
RUNS: Final = 5
BARS: Final = {"memory": 2.0, "stall": 1.0, "stream": 4.0}
"""Peak over bare ÷ body; longest stall ÷ decoding 64 KB; MiB that 1 GB takes more than 64 MB."""
_POLICY: Final = """\
policy:
  identity: {id: large, hosts: [shop.example], contacts: [privacy@example.com]}
  data:
    name: {fields: [name]}
    email: {fields: [email], probe: email, strong: true}
    gender: {fields: [gender]}
    birth: {fields: [born], probe: age}
    card: {probe: luhn}
  purposes:
    sale: {basis: contract, data: [name, email, birth, card]}
    other: {basis: contract, data: [name, email, birth, card, gender]}
rules:
- {id: in-the-row, clause: L-1, for: field, match: {purpose: sale}, only-if: {data: of-purpose}}
binding:
  routes:
    'GET /sale': {purpose: sale}
    'GET /other': {purpose: other}
"""


def rows() -> bytes:
    """Return a JSON list of about 10 MB: 38,000 rows of personal data."""
    row = {
        "id": 0, "name": "Ada Drummer", "email": "ada@mail.example", "gender": "f", "born": "1985-02-11",
        "address": {"street": "Storgatan 1", "city": "Umeå", "postcode": "903 26", "country": "SE"}, "price": "1.10",
        "paid_at": "2026-11-01T10:00:00Z", "note": "left at the door, second floor", "tags": ["a", "b"],
    }  # fmt: skip
    count = SIZE // (len(json.dumps(row)) + 6)
    return json.dumps([{**row, "id": n, "email": f"ada{n}@mail.example"} for n in range(count)]).encode()


def parts_of(body: bytes) -> Iterator[bytes]:
    """Cut a body into new objects of 64 KB."""
    with memoryview(body) as view:
        for at in range(0, len(view), CHUNK):
            yield bytes(view[at : at + CHUNK])


def answering(kind: bytes, length: int | None, parts: Callable[[], Iterator[bytes]]) -> ASGIApp:
    """Return an app that answers with these parts, each made when it is sent."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        headers = [(b"content-type", kind), *([] if length is None else [(b"content-length", b"%d" % length)])]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for part in parts():
            await send({"type": "http.response.body", "body": part, "more_body": True})
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app


def answering_whole(body: bytes) -> ASGIApp:
    """Return an app that answers with a body in one message."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def guarded(app: ASGIApp, home: Path) -> ASGIApp:
    """Put an app behind the policy of this benchmark."""
    inline = load_inline(_POLICY)
    assert inline.policy is not None, inline.diagnostics
    return PolicyMiddleware(app, policy=inline.policy, binding=inline.binding, home=home)


async def ask(app: ASGIApp, path: str) -> tuple[int, int]:
    """Ask for a path; return the status and how many bytes came."""
    status = size = 0

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, size
        status = message.get("status", status)
        size += len(message.get("body", b""))

    scope: Scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "https",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "headers": [(b"host", b"shop.example")], "client": ("192.0.2.1", 50_000), "server": ("127.0.0.1", 8000),
    }  # fmt: skip
    await app(scope, receive, send)
    return status, size


# in a process of its own ------------------------------------------------------------------------------------------


def _peak() -> int:
    """Return the most memory that this process has held. What `getrusage` says is inherited from its parent."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def grown(make: Callable[[], tuple[ASGIApp, str]], home: Path, *, guard: bool) -> tuple[int, int, int]:
    """Return by how many bytes memory grew at most while an app answered, its status, and how many bytes came."""
    loop = new_loop()
    small = answering(b"application/json", None, lambda: iter((b'[{"name": "a", "gender": "f"}]',)))
    loop.run_until_complete(ask(guarded(small, home / "warm"), "/sale"))
    app, path = make()
    app = guarded(app, home / "home") if guard else app
    before = _peak()
    status, size = loop.run_until_complete(ask(app, path))
    return _peak() - before, status, size


Make = Callable[[bytes], tuple[ASGIApp, str]]
CASES: Final[dict[str, Make]] = {
    "one message": lambda body: (answering_whole(body), "/sale"),
    "messages of 64 KB": lambda body: (answering(b"application/json", len(body), lambda: parts_of(body)), "/sale"),
    "nothing goes": lambda body: (answering(b"application/json", len(body), lambda: parts_of(body)), "/other"),
}


def streamed(kind: bytes, path: str, size: int, *, declared: bool) -> tuple[ASGIApp, str]:
    """Return an app that streams so many bytes, every part of them a new object."""
    part = bytearray(b'{"name": "Ada"},\n' * (CHUNK // 17 + 1))[:CHUNK]
    count = size // CHUNK
    return answering(
        kind, size if declared else None, lambda: (bytes(one) for one in islice(cycle((part,)), count))
    ), path


STREAMS: Final = {
    "files": (b"application/octet-stream", "/sale", True),
    "pages": (b"text/html", "/sale", False),
    "JSON of unknown length": (b"application/json", "/other", False),
    "JSON over the limit, guarded": (b"application/json", "/sale", False),
    "JSON over the limit, declared": (b"application/json", "/other", True),
}


def stall(home: Path, body: bytes) -> dict[str, tuple[float, float]]:
    """Return for two cases the longest turn ÷ the longest decoding of 64 KB, and the 99.9th percentile ÷ the median."""
    alone_on_a_core()
    loop = new_loop()
    piece = body[: body.rindex(b", {", 0, CHUNK)] + b"]"
    found: dict[str, tuple[float, float]] = {}
    for name in ("one message", "messages of 64 KB"):
        app, path = CASES[name](body)
        one = guarded(app, home / name.replace(" ", "-"))
        loop.run_until_complete(ask(one, path))
        gc.collect()
        gc.freeze()
        runs = [_ratios(loop.run_until_complete(_turns(one, path)), piece) for _ in range(RUNS)]
        found[name] = min(longest for longest, _ in runs), min(usual for _, usual in runs)
    return found


def _ratios(turns: list[float], piece: bytes) -> tuple[float, float]:
    decodings = sorted(_seconds(lambda: msgspec.json.decode(piece)) * CHUNK / len(piece) for _ in turns)
    turns.sort()
    return turns[-1] / decodings[-1], turns[len(turns) * 999 // 1000] / decodings[len(decodings) // 2]


async def _turns(app: ASGIApp, path: str) -> list[float]:
    """Return how long another task waited for each of its turns while an answer was on its way."""
    waited: list[float] = []

    async def others() -> None:
        last = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            waited.append(now - last)
            last = now

    beside = asyncio.create_task(others())
    await asyncio.sleep(0)
    await ask(app, path)
    beside.cancel()
    return waited


def _seconds(work: Callable[[], object]) -> float:
    started = time.thread_time()
    work()
    return time.thread_time() - started


def _worker(name: str, body: Path, size: int, *, guard: bool) -> object:
    home = body.parent / name
    if name == "stall":
        return stall(home, body.read_bytes())
    if name in CASES:
        read = body.read_bytes()
        return grown(lambda: CASES[name](read), home, guard=guard)
    kind, path, declared = STREAMS[name]
    return grown(lambda: streamed(kind, path, size, declared=declared), home, guard=guard)


# together ---------------------------------------------------------------------------------------------------------


def apart(name: str, *, size: int = 0, bare: bool = False) -> Any:
    """Run a case in a process of its own. What it reads was written here: making it leaves memory behind."""
    with tempfile.TemporaryDirectory() as made:
        body = Path(made) / "body.json"
        if not size:
            body.write_bytes(rows())
        command = [sys.executable, "-m", "benchmarks.bench_large", "--worker", name, "--size", str(size)]
        command += ["--body", str(body), *(["--bare"] if bare else [])]
        return json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout)


def memory(name: str) -> float:
    """Return the peak of memory over that of the bare app ÷ the size of the body."""
    bare, _, size = apart(name, bare=True)
    with_troth, status, left = apart(name)
    if status != 200 or (left < size) is not (name != "nothing goes"):
        raise RuntimeError(f"{name} answered {status} with {left} of {size} bytes")
    return float((with_troth - bare) / size)


def stream(name: str) -> float:
    """Return the MiB by which an answer of 1 GB takes more than one of 64 MB."""
    short, _, _ = apart(name, size=SHORT)
    whole, _, _ = apart(name, size=STREAM)
    return float((whole - short) / MIB)


def report() -> bool:
    """Print every figure beside its bar; say whether one is broken."""
    broken = False
    for name in CASES:
        over = memory(name)
        broken |= over > BARS["memory"]
        print(f"10 MB of JSON, {name}: peak over bare {over:.2f} × body (bar {BARS['memory']:.0f})")
    for name, (longest, usual) in apart("stall").items():
        broken |= max(longest, usual) > BARS["stall"]
        print(
            f"10 MB of JSON, {name}: longest stall {longest:.2f} × the longest decoding of 64 KB, "
            f"99.9th percentile {usual:.2f} × the median (bar {BARS['stall']:.0f})"
        )
    for name in STREAMS:
        more = stream(name)
        broken |= more > BARS["stream"]
        print(f"1 GB streamed, {name}: {more:+.1f} MiB over 64 MB streamed (bar {BARS['stream']:.0f})")
    return broken


def main() -> int:
    """Run all cases, or one where a process was started for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worker")
    parser.add_argument("--body", type=Path)
    parser.add_argument("--size", type=int, default=STREAM)
    parser.add_argument("--bare", action="store_true")
    asked = parser.parse_args()
    if asked.worker:
        print(json.dumps(_worker(asked.worker, asked.body, asked.size, guard=not asked.bare)))
        return 0
    print(versions("msgspec", "uvloop"))
    return int(report())


if __name__ == "__main__":
    sys.exit(main())
