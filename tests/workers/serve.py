"""Runs uvicorn with two workers on a free port, which it prints; ends when told to."""

from __future__ import annotations

import logging
import socket

import uvicorn
from uvicorn.supervisors import Multiprocess


def main() -> None:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(512)
    listener.set_inheritable(True)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(
        "tests.workers.app:make",
        factory=True,
        workers=2,
        access_log=False,
        timeout_keep_alive=600,
        log_config=LOGGING,
    )
    Multiprocess(config, [listener]).run()


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(process)d %(name)s %(levelname)s %(message)s"}},
    "handlers": {"out": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "plain"}},
    "loggers": {name: {"handlers": ["out"], "level": logging.INFO} for name in ("troth", "uvicorn")},
}

if __name__ == "__main__":
    main()
