"""The middleware: one line in an app, or the outermost wrapper around it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from copy import copy
from datetime import datetime
from typing import Final

from troth._types import ASGIApp, Message, Receive, Scope, Send
from troth.asgi import compiled, own_routes
from troth.asgi.entrance import Entrance
from troth.asgi.express import Express
from troth.asgi.guard import Guard
from troth.asgi.http import HttpExchange
from troth.asgi.judging import Observer
from troth.asgi.lanes import is_own
from troth.asgi.reloading import DEFAULT_SECONDS, WATCH, Reloader
from troth.asgi.request import inner_path
from troth.asgi.ticking import Ticker
from troth.asgi.websocket import WebSocketExchange
from troth.errors import ConfigurationError
from troth.model.consent import params as canonical
from troth.runtime.declaring import Declaration, Declaring, outside
from troth.runtime.runtime import BindingGiven, PolicyGiven, Runtime

_SHUT_DOWN: Final = frozenset({"lifespan.shutdown.complete", "lifespan.shutdown.failed"})
CURRENT: Final[ContextVar[HttpExchange | Express | None]] = ContextVar("troth", default=None)
"""The exchange that is being served in this context; `troth.consent` finds it here, the scope stays as it came."""


class Server:
    """Serves the requests of one app: on the express lane where it can, else in full."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app = app
        self.guard = guard
        self.entrance = Entrance(guard)

    async def in_full(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one of the own routes, or judge a request by everything that it brings."""
        inner = inner_path(scope)
        if is_own(inner) and await own_routes.serve(self.guard.facts, inner, scope, receive, send):
            return
        exchange = HttpExchange(self.guard, self._app, scope, receive, send, *self.guard.facts(scope, inner))
        token = CURRENT.set(exchange)
        try:
            await exchange.run()
        finally:
            CURRENT.reset(token)


class PolicyMiddleware:
    """Keeps a privacy policy on every request and response of an ASGI app.

    `policy` is a policy folder, or ``{host: folder}`` where one app serves several sites (an unknown host gets the
    first). `binding` (a file, or the same as a mapping) says how the app's routes map to the policy's words; without it
    rules about fields, records and a route's purpose run dry. `home` (else ``TROTH_HOME``, else ``./.troth``) holds
    keys, ledger and trail. `ledger` (else ``TROTH_LEDGER``) is the URL of a PostgreSQL database where several machines
    share one ledger, ``sqlite`` the file in the home. `mode="dry-run"` makes every rule dry. `clock` gives aware UTC,
    for tests.

    `denied="module:name"` answers denials in place of the small page: a callable, async or not, that is given the scope
    and a mapping of `status`, `rule` and `clauses`, and returns status, headers and body, or an ASGI app. It is not
    asked for a redirect to https. Where it fails, or returns something else, the built-in page is sent.

    `reload` says every how many seconds the files of policy, binding and switches are looked at (True: every second),
    in a thread of its own: what changed is loaded, what is broken leaves the last good in force. False: never.

    Raises ConfigurationError, with all diagnostics, where policy or home cannot be used: the app does not start.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        policy: PolicyGiven,
        binding: BindingGiven = None,
        home: str | os.PathLike[str] | None = None,
        ledger: str | None = None,
        engine: str = "embedded",
        mode: str | None = None,
        denied: str | None = None,
        clock: Callable[[], datetime] | None = None,
        reload: bool | float = True,
        observer: Observer | None = None,
    ) -> None:
        self.app = app
        seconds = _seconds(reload)
        runtime = Runtime(
            policy=policy,
            binding=binding,
            home=home,
            ledger=ledger,
            engine=engine,
            mode=mode,
            clock=clock,
            denied=denied,
        )
        self._observer = observer
        self._install(runtime)
        self._reloader = Reloader(runtime, self._install, seconds)
        """Kept alive by this: whoever is looked after is looked at."""
        self._ticker = Ticker(self._current)
        if seconds:
            WATCH.add(self._reloader)
        if clock is None and (seconds or runtime.heeds_time):  # who brings a clock looks at it himself
            WATCH.add(self._ticker)

    @property
    def runtime(self) -> Runtime:
        """The runtime that serves; another one after a reload."""
        return self._server.guard.runtime

    def _current(self) -> Runtime:
        return self.runtime

    def tick(self) -> int:
        """Look at deadlines now, as a thread does once a second; returns how many lines were written. Waits for it.

        Where a `clock` was given no thread looks: whoever moves the clock calls this.
        """
        return self.runtime.tick()

    async def declare(
        self,
        event: str,
        *persons: str,
        role: str | None = None,
        host: str = "",
        reference: str | None = None,
        state: str | None = None,
        to: str = "set",
        **params: str,
    ) -> None:
        """Declare an event outside of a request, as `troth.declare` does within one; it raises the same.

        `role` is that of who declares, for rules on the actor; `host` says for which site, where there are several.
        """
        runtime = self.runtime
        site = runtime.site_of(host)
        given = Declaration(
            event=event, persons=persons, reference=reference, state=state, to=to, params=canonical(**params)
        )
        await Declaring(runtime, site, outside(site, runtime.clock(), role)).declare(given)

    @property
    def is_compiled(self) -> bool:
        """Whether the express lane runs compiled in this process; pure Python does the same, slower."""
        return compiled.COMPILED

    def _install(self, runtime: Runtime) -> None:
        """Serve by this runtime from now on. Everything that depends on it is made anew, and put in place at once."""
        self._server = Server(self.app, Guard(runtime, self._observer))
        self._enter = self._server.entrance.enter

    def unwatched(self) -> PolicyMiddleware:
        """Return a twin with the same runtime that no observer watches, as in production. For tests."""
        twin = copy(self)
        twin._observer = None
        twin._install(self.runtime)
        return twin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection: a request on the express lane where it can go there."""
        if scope["type"] != "http":
            await self._other(scope, receive, send)
            return
        express = self._enter(scope, receive, send)
        if express is None:
            await self._server.in_full(_with_header_list(scope), receive, send)
            return
        token = CURRENT.set(express)
        try:
            await self.app(express.scope, receive, express.send)
        except BaseException:
            if not express.passing:
                await express.close(failed=True)
            raise
        else:
            if not express.passing:
                await express.close(failed=False)
        finally:
            CURRENT.reset(token)

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve what is no request."""
        match scope["type"]:
            case "websocket":
                await WebSocketExchange(self._server.guard, self.app, _with_header_list(scope), receive, send).run()
            case "lifespan":
                await self.app(scope, receive, self._sealing(send))
            case _:
                await self.app(scope, receive, send)

    def _sealing(self, send: Send) -> Send:
        """Return a send that seals the trail when the app has shut down: a server may end its workers without exit."""

        async def sealing(message: Message) -> None:
            if message["type"] in _SHUT_DOWN:
                self.runtime.seal()
            await send(message)

        return sealing


def wrap(
    app: ASGIApp,
    *,
    policy: PolicyGiven,
    binding: BindingGiven = None,
    home: str | os.PathLike[str] | None = None,
    ledger: str | None = None,
    engine: str = "embedded",
    mode: str | None = None,
    denied: str | None = None,
    clock: Callable[[], datetime] | None = None,
    reload: bool | float = True,
) -> PolicyMiddleware:
    """Wrap a whole app from outside: its own error pages and `/.well-known/gpc.json` are covered too.

    Takes what `PolicyMiddleware` takes, and raises what it raises.
    """
    return PolicyMiddleware(
        app,
        policy=policy,
        binding=binding,
        home=home,
        ledger=ledger,
        engine=engine,
        mode=mode,
        denied=denied,
        clock=clock,
        reload=reload,
    )


def _with_header_list(scope: Scope) -> Scope:
    """Return a scope whose headers can be read twice: the app is to find them too."""
    headers = scope.get("headers")
    return {**scope, "headers": list(headers)} if isinstance(headers, Iterator) else scope


def _seconds(reload: bool | float) -> float:
    """Return every how many seconds to look at files; 0 for never."""
    if isinstance(reload, bool):
        return DEFAULT_SECONDS if reload else 0.0
    if not 0.05 <= reload <= 3600:
        raise ConfigurationError("`reload` is neither a boolean nor between 0.05 and 3600 seconds")
    return float(reload)
