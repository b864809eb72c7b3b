"""An OPA server that allows everything at once: what is left is what asking costs. Prints its port."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from benchmarks.harness import ROOT, alone_on_a_core

_ANSWER: Final = b'{"result":{"allow":true}}'
_REPLY: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_ANSWER)
) + _ANSWER
_LENGTH: Final = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)


class Stub(asyncio.Protocol):
    """One connection: answers each request as soon as its body is there."""

    def __init__(self) -> None:
        self._came = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._came += data
        while (end := self._came.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(self._came, 0, end)
            size = end + 4 + (int(found[1]) if found else 0)
            if len(self._came) < size:
                return
            self._came = self._came[size:]
            self._transport.write(_REPLY)


@contextmanager
def running() -> Iterator[str]:
    """Give the address of a stub in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.stub_opa"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    alone_on_a_core(last=False)
    asyncio.run(_serve())
