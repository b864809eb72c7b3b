"""One case behind uvicorn, for `bench_server`: ``python -m benchmarks.serve CASE FOLDER`` prints its port.

For Troth, the consent cookies of the visitors are left in the folder first, one a line.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import uvicorn

from benchmarks.bench_middleware import BASE, NONE, TROTH, BasePassOn, PassOn
from benchmarks.guarded import Guarded
from benchmarks.harness import alone_on_a_core, new_loop
from benchmarks.target import target
from troth._types import ASGIApp

PURE: Final = "no-op pure ASGI"
THREE: Final = f"three × {BASE}"
CONSENTS: Final = "consents"


def guarded(folder: Path) -> ASGIApp:
    """Return the app behind Troth, with its home in the folder, after all visitors have chosen."""
    loop = new_loop()
    made = Guarded(loop, target, folder / "home")
    loop.close()
    (folder / CONSENTS).write_bytes(b"\n".join(made.consents))
    return made.app


CASES: Final[dict[str, Callable[[Path], ASGIApp]]] = {
    NONE: lambda folder: target(),
    PURE: lambda folder: PassOn(target()),
    BASE: lambda folder: BasePassOn(target()),
    THREE: lambda folder: BasePassOn(BasePassOn(BasePassOn(target()))),
    TROTH: guarded,
}


def main() -> None:
    """Serve until told to stop."""
    alone_on_a_core()
    app = CASES[sys.argv[1]](Path(sys.argv[2]))
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        print(listening.getsockname()[1], flush=True)
        settings = uvicorn.Config(
            app,
            loop="uvloop",
            http="httptools",
            lifespan="off",
            access_log=False,
            log_level="warning",
            timeout_keep_alive=3600,
        )
        uvicorn.Server(settings).run([listening])


if __name__ == "__main__":
    main()
