"""The visitor's side: sends requests with curl, or by hand where there is no curl, and keeps cookies like a browser."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from http.client import HTTPConnection
from urllib.parse import urlsplit

from example_app.demo.server import Server
from example_app.demo.wire import Answer, Exchange, Headers, Request, cookie_pairs, expired


@dataclass(slots=True)
class Browser:
    """One visitor with a cookie jar of their own."""

    server: Server
    always: Headers = (("Accept", "text/html"),)
    jar: dict[str, str] = field(default_factory=dict)

    @property
    def cookies(self) -> str:
        """The jar as a `Cookie` header."""
        return "; ".join(f"{name}={value}" for name, value in self.jar.items())

    def get(self, path: str) -> Exchange:
        """Open a page."""
        return self.send(Request(method="GET", path=path, cookies=self.cookies, headers=self.always))

    def submit(self, path: str, body: str) -> Exchange:
        """Send a form."""
        return self.send(Request(method="POST", path=path, cookies=self.cookies, headers=self.always, body=body))

    def post_json(self, path: str, body: str) -> Exchange:
        """Send JSON, as a page's script does."""
        headers = (("Content-Type", "application/json"),)
        return self.send(Request(method="POST", path=path, cookies=self.cookies, headers=headers, body=body))

    def get_json(self, path: str) -> Exchange:
        """Fetch JSON, as a page's script does."""
        return self.send(Request(method="GET", path=path, cookies=self.cookies))

    def send(self, request: Request) -> Exchange:
        """Send a request, keep the cookies that arrive, and fetch what the camera saw of it."""
        self.server.recorded()
        arrived = answer_of(request, self.server)
        self._keep(arrived)
        seen = self.server.recorded()
        return Exchange(request=request, arrived=arrived, inside=seen[-1] if seen else None)

    def _keep(self, arrived: Answer) -> None:
        for name, value in arrived.set_cookies.items():
            if expired(value):
                self.jar.pop(name, None)
            else:
                self.jar |= cookie_pairs(value.partition(";")[0])


def answer_of(request: Request, server: Server) -> Answer:
    """The answer as it arrived, from the very curl line that is shown; without curl, from the same request by hand."""
    if shutil.which("curl") is None:
        return _by_hand(request, server)
    line = shlex.split(request.curl(server.origin))
    done = subprocess.run(line, stdout=subprocess.PIPE, check=True, timeout=30)  # noqa: S603 - the walk's own line
    return _parsed(done.stdout)


def _parsed(raw: bytes) -> Answer:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in rest))
    return Answer(status=int(first.split(" ")[1]), headers=headers, body=body)


def _by_hand(request: Request, server: Server) -> Answer:
    connection = HTTPConnection("127.0.0.1", urlsplit(server.origin).port or 80, timeout=30)
    headers = dict(request.headers) | ({"Cookie": request.cookies} if request.cookies else {})
    if request.body:
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    try:
        connection.request(request.method, request.path, request.body.encode() or None, headers)
        response = connection.getresponse()
        return Answer(status=response.status, headers=tuple(response.headers.items()), body=response.read())
    finally:
        connection.close()
