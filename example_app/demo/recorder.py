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
        take = _Take(scope)

        async def recorded_receive() -> Message:
            message = await receive()
            take.seen.extend(message.get("body", b""))
            return message

        async def recorded_send(message: Message) -> None:
            if take.completed_by(message):
                os.write(self._file, json.dumps(take.line()).encode() + b"\n")
            await send(message)

        await self.app(scope, recorded_receive, recorded_send)


class _Take:
    """One exchange while it passes."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.seen = bytearray()
        self._head: Message = {}
        self._sent = bytearray()
        self._complete = False

    def completed_by(self, message: Message) -> bool:
        """Whether a message is the one after which the browser knows that nothing more comes."""
        if message["type"] == "http.response.start":
            self._head = message
        self._sent.extend(message.get("body", b""))
        lengths = [int(value) for name, value in self._head["headers"] if name.lower() == b"content-length"]
        last = message["type"] == "http.response.body" and not message.get("more_body")
        complete = last or lengths == [len(self._sent)]
        first_time, self._complete = complete and not self._complete, self._complete or complete
        return first_time

    def line(self) -> dict[str, object]:
        """What passed, as JSON has it."""
        return {
            "worker": os.getpid(),
            "method": self.scope["method"],
            "path": _target(self.scope),
            "headers": _shown(self.scope["headers"]),
            "body": b64encode(self.seen).decode(),
            "status": self._head["status"],
            "sent_headers": _shown(self._head["headers"]),
            "sent_body": b64encode(self._sent).decode(),
        }


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


def _target(scope: Scope) -> str:
    query = scope.get("query_string", b"").decode("latin-1")
    return f"{scope['path']}?{query}" if query else str(scope["path"])


def _shown(headers: list[tuple[bytes, bytes]]) -> Headers:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)


def _pairs(held: list[list[Any]]) -> Headers:
    return tuple((name, value) for name, value in held)
