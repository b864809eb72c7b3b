"""The body of a request on its way to the app: held where a rule reads it before the app may, else watched."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from troth._types import HeaderList, Receive, Scope
from troth.asgi import inbound, request_bodies, request_records
from troth.asgi.bodies import Held, Watch
from troth.asgi.judging import Judging
from troth.asgi.request import JSON, Head
from troth.asgi.writes import Writes
from troth.engines.embedded.duties import is_protected
from troth.engines.embedded.views import ExchangeView
from troth.errors import UnreadableBody
from troth.filters.cookies import Jar
from troth.model.binding import Limits
from troth.model.facts import Direction
from troth.model.findings import Denial
from troth.model.words import Carrier

_STATUS: Final = {"too-large": 413, "coding": 415, "kind": 415, "malformed": 400}


class Incoming:
    """Holds, reads and edits the body of one request, or watches it pass."""

    __slots__ = (
        "_head",
        "_jar",
        "_judging",
        "_kind",
        "_receive",
        "_scope",
        "_unsure",
        "_watch",
        "headers",
        "held",
        "refusal",
    )  # fmt: skip

    def __init__(self, judging: Judging, scope: Scope, receive: Receive, head: Head, jar: Jar) -> None:
        self._judging = judging
        self._scope = scope
        self._receive = receive
        self._head = head
        self._jar = jar
        self._kind = request_bodies.kind_of(judging, head)
        self._unsure = not self._kind and request_bodies.may_be_json(head, scope)
        self._watch: Watch | None = None
        self.held = Held()
        self.headers: HeaderList = jar.headers
        """The headers of the request, as they fit what is left of the body."""
        self.refusal: str | None = None
        """Why the body was refused, where it was: the title of the answer."""
        judging.x.body_pending = bool(self._kind) or self._unsure

    @property
    def passes(self) -> bool:
        """Whether the body is on its way still, so that its fields are read later or never."""
        return self._watch is not None

    async def take(self, writes: Writes | None, limits: Limits) -> None:
        """Hold the body where a rule reads it before the app may; else watch it pass, if it is to be tagged."""
        if not self._judging.x.body_pending:
            self._watch = Watch(0)
        elif self._must_hold(writes):
            if not self._unsure or await self._is_json(limits):
                await self.held.fill(self._receive, limits.hold_request)
                if not self.held.gone:
                    await self._read(writes, limits)
        elif self._unsure:
            self._not_read()
            self._watch = Watch(0)
        else:
            self._watch = Watch(limits.hold_request)

    def _must_hold(self, writes: Writes | None) -> bool:
        judging = self._judging
        if judging.head.residual.guards(Carrier(self._kind or JSON), Direction.REQUEST) or inbound.reads_body(judging):
            return True
        if (writes is not None and writes.waits) or inbound.waits_for_age(judging, self._scope, self._jar.headers):
            return True
        table = judging.head.inbound
        return any(rule.restricts for raw, _ in self._jar.pieces for rule in table[raw].verdict.live)

    async def _is_json(self, limits: Limits) -> bool:
        """Whether a body of another type is to be read as JSON. If not it passes, but where records may hide in it."""
        held = self.held
        try:
            if await request_bodies.is_json(held, self._receive, self._head, limits.hold_request):
                self._kind = JSON
                return True
        except UnreadableBody as cause:
            self._unreadable(cause.reason)
            return False
        if held.size and not held.gone:
            if request_records.hides_records(self._judging):
                held.too_large = True  # what still comes of it goes nowhere
                self._unreadable("kind")
                return False
            self._judging.inspect["request"] = "kind"
        self._not_read()
        return False

    def _not_read(self) -> None:
        self._judging.x.body_pending = False
        self._judging.again()

    async def _read(self, writes: Writes | None, limits: Limits) -> None:
        held = self.held
        try:
            if held.too_large:
                raise UnreadableBody("too-large")  # noqa: TRY301 - one place answers for all reasons
            edited = await request_bodies.request_body(
                self._judging, self._scope, self._kind, held.body(), self._head, limits, writes
            )
        except UnreadableBody as cause:
            self._unreadable(cause.reason)
            return
        if edited is not None:
            held.replace(edited)
            self.headers = inbound.resized(self.headers, len(edited))

    def _unreadable(self, reason: str) -> None:
        """Refuse what cannot be read; a protected route gets the request without that body."""
        judging = self._judging
        judging.inspect["request"] = reason
        judging.x.request_unreadable = True
        judging.x.body_pending = False
        if is_protected(ExchangeView(judging.site.engine.tables, judging.x)):
            self.held.replace(b"")
            self.headers = inbound.resized(self.headers, 0)
            return
        guards = inbound.guards_of(judging, self._kind or JSON, Direction.REQUEST)
        judging.reasons += guards
        findings = tuple(guard[0] for guard in guards)
        judging.denial = Denial(status=_STATUS[reason], redirect=False, findings=findings)
        self.refusal = f"The request body cannot be read ({reason})"

    # what passes -------------------------------------------------------------------------------------------------

    def receiver(self, let_go: Callable[[], Awaitable[None]]) -> Receive:
        """Return the receive that the app is given. `let_go` is awaited while more of a watched body may come."""
        if self.held.messages:
            return self.held.replay(self._receive)
        return self._receive if self._watch is None else self._watch.over(self._receive, let_go)

    async def read_watched(self, limits: Limits) -> None:
        """Tag the body that the app has read by now; one that it goes on reading is tagged at the end."""
        watch = self._watch
        if watch is not None and watch.complete:
            self._watch = None
            await request_bodies.watched(self._judging, self._kind, watch, self._head, limits)
        elif watch is not None and watch.begun:
            self._judging.inspect["request"] = "partial"

    async def read_late(self, limits: Limits) -> bool:
        """Tag a body that the app went on reading after its answer had begun. False where there is none."""
        watch, judging = self._watch, self._judging
        told = judging.inspect.get("request") == "partial"
        if watch is None or not self._kind or not watch.begun or (told and not watch.complete):
            return False
        judging.forget()
        await request_bodies.watched(judging, self._kind, watch, self._head, limits)
        return True
