"""The camera on the shop's side: stands between the guard and the shop and writes down what passes."""

from __future__ import annotations

import json
import logging
import os
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from example_app.app import create_app
from example_app.demo.wire import Answer, Headers, Inside

RECORD_VARIABLE = "HALVTAKT_RECORD"
GUARD_VARIABLE = "HALVTAKT_GUARD"


def recorded_shop() -> Starlette:
    """The shop with the camera in it; what file to write to, and whether it is guarded, stand in the environment."""
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    camera = Middleware(Recorder, path=Path(os.environ[RECORD_VARIABLE]))
    return create_app(os.environ.get(GUARD_VARIABLE) != "off", inside=(camera,))


class Recorder:
    """Passes every message on as it is; an exchange is one line of the file before its last byte leaves."""

    def __init__(self, app: ASGIApp, path: Path) -> None:
        self.app = app
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        seen, sent = bytearray(), bytearray()
        head: Message = {}

        async def recorded_receive() -> Message:
            message = await receive()
            seen.extend(message.get("body", b""))
            return message

        async def recorded_send(message: Message) -> None:
            head.update(message if message["type"] == "http.response.start" else {})
            sent.extend(message.get("body", b""))
            if message["type"] == "http.response.body" and not message.get("more_body"):
                self._write(scope, bytes(seen), head, bytes(sent))
            await send(message)

        await self.app(scope, recorded_receive, recorded_send)

    def _write(self, scope: Scope, seen: bytes, head: Message, sent: bytes) -> None:
        line = {
            "worker": os.getpid(),
            "method": scope["method"],
            "path": scope["path"],
            "headers": _shown(scope["headers"]),
            "body": b64encode(seen).decode(),
            "status": head["status"],
            "sent_headers": _shown(head["headers"]),
            "sent_body": b64encode(sent).decode(),
        }
        os.write(self._file, json.dumps(line).encode() + b"\n")


def read(line: bytes) -> Inside:
    """A line of the camera's file as a value."""
    held = json.loads(line)
    answer = Answer(status=held["status"], headers=_pairs(held["sent_headers"]), body=b64decode(held["sent_body"]))
    return Inside(
        worker=held["worker"],
        method=held["method"],
        path=held["path"],
        headers=_pairs(held["headers"]),
        body=b64decode(held["body"]),
        answer=answer,
    )


def _shown(headers: list[tuple[bytes, bytes]]) -> Headers:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)


def _pairs(held: list[list[Any]]) -> Headers:
    return tuple((name, value) for name, value in held)
