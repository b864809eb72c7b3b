"""Testing a guarded app: a home that is thrown away, a clock that stands still, a browser, and the lines of the trail.

`Guarded` wraps an app as `PolicyMiddleware` does and drives it without a server. It is a plain class: make it in a
fixture, close it when done (it is a context manager).
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Coroutine, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

import msgspec

from troth._types import ASGIApp, Message
from troth.asgi.middleware import PolicyMiddleware
from troth.audit.checkpoint import FILE_NAME as CHECKPOINTS
from troth.audit.opening import KIND as OPENING
from troth.cases.stage import scope_of
from troth.cases.values import Body, Request, Url
from troth.consent.batch import LedgerEntry
from troth.consent.device import COOKIE_NAME
from troth.model.consent import Choice, ChoiceState, params
from troth.runtime.runtime import BindingGiven, PolicyGiven

__all__ = ["Guarded", "Reply"]

T = TypeVar("T")
_START: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
_LONGEST: Final = 10.0
"""Seconds that starting and ending an app may take."""
Headers = Mapping[str, str] | Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back. `headers` as sent, names in lower case, each `set-cookie` one pair."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first value of a header, None where it is missing."""
        return next((value for key, value in self.headers if key == name.lower()), None)

    @property
    def text(self) -> str:
        """The body as UTF-8 text."""
        return self.body.decode("utf-8", "replace")

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that it sets; one that it ends is left out."""
        lines = [value for key, value in self.headers if key == "set-cookie"]
        return {name: value for name, value in map(_pair, lines) if value is not None}

    def json(self) -> Any:
        """Return the body as JSON. Raises ValueError where it is none."""
        return json.loads(self.body)


class Guarded:
    """An app under a policy, in a home that is thrown away.

    `app` is any ASGI app; `policy`, `binding` and `mode` are those of `PolicyMiddleware`. `now` is the clock: it stands
    still until it is set or `advance` is called. Cookies are kept as a browser keeps them (`jar`). The app's lifespan
    is run. Raises what `PolicyMiddleware` raises.
    """

    def __init__(
        self,
        app: ASGIApp,
        policy: PolicyGiven,
        binding: BindingGiven = None,
        *,
        mode: str | None = None,
        now: datetime = _START,
        host: str = "",
    ) -> None:
        self.now = now
        self.jar: dict[str, str] = {}
        self._folder = Path(tempfile.mkdtemp(prefix="troth-testing-"))
        try:
            self.middleware = PolicyMiddleware(
                app,
                policy=policy,
                binding=binding,
                home=self._folder / "home",
                ledger="sqlite",
                mode=mode,
                clock=lambda: self.now,
                reload=False,
            )
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self._runtime = self.middleware.runtime
        hosts = self._runtime.first.policy.identity.hosts
        self.host = host or next((one for one in hosts if not one.startswith("*")), "localhost")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._life: _Life | None = None

    def __enter__(self) -> Guarded:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # requests

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Headers = (),
        cookies: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Reply:
        """Send a request and return the reply. `url` is a path, or a full address on any host.

        `cookies` go with this request, beside those of the jar. In a test that is itself async, await `send` instead.
        """
        return self._run(self.send(method, url, headers=headers, cookies=cookies, json=json, form=form, body=body))

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Headers = (),
        cookies: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Reply:
        """Send a request from a test that is async; see `request`."""
        if self._life is None:
            self._life = await _Life.begun(self.middleware)
        sent = self._request(method, url, headers, {**self.jar, **(cookies or {})}, _body(json, form, body))
        reply = await _exchanged(self.middleware, sent)
        self._keep(reply)
        return reply

    def get(self, url: str, *, headers: Headers = (), cookies: Mapping[str, str] | None = None) -> Reply:
        """Send a GET."""
        return self.request("GET", url, headers=headers, cookies=cookies)

    def post(
        self, url: str, *, headers: Headers = (), json: Any = None, form: Mapping[str, str] | None = None
    ) -> Reply:
        """Send a POST."""
        return self.request("POST", url, headers=headers, json=json, form=form)

    def _request(
        self, method: str, url: str, headers: Headers, cookies: Mapping[str, str], body: Body | None
    ) -> Request:
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        return Request(
            method=method,
            url=_url(url, self.host),
            headers=tuple((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs),
            cookies=("; ".join(f"{name}={value}" for name, value in cookies.items()),) if cookies else (),
            body=body,
        )

    def _keep(self, reply: Reply) -> None:
        for key, line in reply.headers:
            if key == "set-cookie":
                name, value = _pair(line)
                if value is None:
                    self.jar.pop(name, None)
                else:
                    self.jar[name] = value

    # consent and clock

    def set_consent(
        self,
        choices: Mapping[str, str] | None = None,
        /,
        *,
        person: str | None = None,
        form: str | None = None,
        version: str | None = None,
        params_given: Mapping[str, str] | None = None,
        **more: str,
    ) -> None:
        """Record choices (``granted``, ``declined``, ``withdrawn``) as made now, by this browser or by a person.

        ``set_consent(analytics="granted")``; a name with a hyphen goes into the mapping. Raises ValueError for another
        word, KeyError for a consent that the policy does not have.
        """
        site = self._runtime.first
        given = {**(choices or {}), **more}
        about = params(**(params_given or {}))
        current = version if version is not None else site.version_at(self.now.date())[0]
        for name, word in given.items():
            state, row = ChoiceState(word), site.policy.consents[name]
            said = form or row.form
            if person is not None:
                choice = Choice(state=state, at=self.now, version=current, params=about, form=said)
                self._runtime.ledger.record_person(person, [LedgerEntry(name=name, choice=choice)])
                continue
            reading = self._runtime.decoder.read([self.jar[COOKIE_NAME].encode()] if COOKIE_NAME in self.jar else [])
            outcome = self._runtime.desks[id(site)].choose(
                reading, (name,), state, now=self.now, version=current, form=said, params=about
            )
            key, value = _pair(outcome.set_cookie.decode("latin-1"))
            self.jar[key] = value or ""

    def advance(self, **period: float) -> None:
        """Move the clock: ``advance(days=31)``; the words are those of `timedelta`. Deadlines that pass are told."""
        self.now += timedelta(**period)
        self.middleware.tick()

    # the trail

    @property
    def home(self) -> Path:
        """The home folder, as long as it is not closed."""
        return self._folder / "home"

    @property
    def lines(self) -> list[dict[str, Any]]:
        """All lines of the trail so far, oldest first, without those that open a segment."""
        found: list[dict[str, Any]] = []
        for path in sorted((self.home / "trail").glob("*.jsonl")):
            if path.name != CHECKPOINTS:
                found += [msgspec.json.decode(line) for line in path.read_bytes().splitlines() if line]
        return sorted((line for line in found if line.get("kind") != OPENING), key=lambda line: line.get("seq", 0))

    @property
    def reasons(self) -> list[dict[str, Any]]:
        """The reasons of the last line that tells an exchange or a choice: rule, clause, thing, action, n."""
        told = [line["why"] for line in self.lines if "why" in line and line["kind"] != "policy"]
        return list(told[-1]) if told else []

    def close(self) -> None:
        """End the app's lifespan, close the stores and remove the home."""
        if self._life is not None and self._loop is not None:
            self._loop.run_until_complete(self._life.end())
        if self._loop is not None:
            self._loop.close()
        self._life = self._loop = None
        self._runtime.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def aclose(self) -> None:
        """Do what `close` does, in a test that is async."""
        if self._life is not None:
            await self._life.end()
        self._life = None
        self.close()

    def _run(self, what: Coroutine[Any, Any, T]) -> T:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self._loop = self._loop or asyncio.new_event_loop()
            return self._loop.run_until_complete(what)
        what.close()
        raise RuntimeError("an event loop runs already: `await guarded.send(…)` instead of `guarded.request(…)`")


class _Life:
    """The lifespan of an app. An app that knows none is left alone."""

    def __init__(self) -> None:
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._from_app: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def begun(cls, app: ASGIApp) -> _Life:
        life = cls()
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        life._task = asyncio.ensure_future(_quietly(app(scope, life._to_app.get, life._from_app.put)))
        await life._say("lifespan.startup")
        return life

    async def end(self) -> None:
        await self._say("lifespan.shutdown")
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _say(self, what: str) -> None:
        """Tell the app, and wait until it has answered or has gone."""
        if self._task is None or self._task.done():
            return
        await self._to_app.put({"type": what})
        answer = asyncio.ensure_future(self._from_app.get())
        await asyncio.wait({answer, self._task}, timeout=_LONGEST, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            return
        if answer.result()["type"].endswith(".failed"):
            raise RuntimeError(answer.result().get("message") or "the app did not start")


async def _quietly(what: Any) -> None:
    with suppress(Exception):  # an app without lifespan raises what it likes
        await what


async def _exchanged(app: ASGIApp, request: Request) -> Reply:
    pending: list[Message] = [
        {"type": "http.request", "body": request.body.content if request.body is not None else b"", "more_body": False}
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return pending.pop() if pending else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope_of(request), receive, send)
    start = next(message for message in sent if message["type"] == "http.response.start")
    return Reply(
        status=start["status"],
        headers=tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in start["headers"]),
        body=b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body"),
    )


def _url(text: str, host: str) -> Url:
    scheme, found, rest = text.partition("://")
    if not found:
        scheme, rest = "https", host + text
    name, slash, rest = rest.partition("/")
    path, _, query = (slash + rest).partition("?")
    return Url(scheme=scheme, host=name, path=path or "/", query=query)


def _body(value: Any, form: Mapping[str, str] | None, raw: bytes | None) -> Body | None:
    if value is not None:
        return Body(content=json.dumps(value).encode(), content_type="application/json")
    if form is not None:
        return Body(content=urlencode(form).encode(), content_type="application/x-www-form-urlencoded")
    return None if raw is None else Body(content=raw, content_type="application/octet-stream")


def _pair(line: str) -> tuple[str, str | None]:
    """Return name and value of a `Set-Cookie` value; no value where it ends the cookie."""
    pair, _, attributes = line.partition(";")
    name, _, value = pair.partition("=")
    ends = any(part.strip().lower() == "max-age=0" for part in attributes.split(";"))
    return name.strip(), None if ends else value
