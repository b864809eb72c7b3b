"""Routes of Troth itself: the device's choices, the policy text, and what the site says about GPC.

They are protected: no rule refuses them but for asking who someone is, and for https. What changes something is told
in the trail before the first byte of its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from troth._types import HeaderList, Message, Receive, Scope, Send
from troth.asgi import happenings, inbound, outbound, telling
from troth.asgi.bodies import Held
from troth.asgi.choosing import (
    ACTS,
    CLEARS_CACHE,
    Act,
    DeviceChoices,
    ended_a_grant,
    judge_recording,
    refusing,
    standing,
)
from troth.asgi.denial import answer, deny, policy_link, problem, wants_html
from troth.asgi.judging import Judging
from troth.asgi.own_pages import gpc_statement, policy_markdown, policy_page
from troth.asgi.request import FORM, JSON, MULTIPART, Head, body_kind, hostname
from troth.consent.device import ConsentTooLarge
from troth.errors import LedgerError, TrailError, UnreadableBody
from troth.filters import caching, coding, form, json_text, multipart
from troth.filters.cookies import Jar
from troth.filters.headers import values
from troth.model.words import Phase
from troth.runtime.line import encode
from troth.runtime.runtime import GPC_PATH, OWN_TAGS, PREFIX

ReadHead = Callable[[Scope, str], tuple[Judging, Head, Jar]]
"""Reads the head of a request."""

_LIMIT: Final = 64 * 1024
_ROUTES: Final = {
    GPC_PATH: "gpc",
    **{f"{PREFIX}/{name}": name for name in (*ACTS, "policy", "state")},
}
_READ: Final = ("GET", "HEAD")
_STATUS: Final = {"too-large": 413, "coding": 415, "malformed": 400}
_NO_STORE: Final = (b"cache-control", b"no-store")
_SAME_SITE: Final = frozenset((b"same-origin", b"same-site", b"none"))


class _Refused(Exception):
    """A request to an own route that cannot be served: status, a sentence without values, further headers."""

    def __init__(self, status: int, title: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.headers = headers


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply:
    status: int
    headers: HeaderList
    body: bytes = b""
    cookies: list[bytes] = field(default_factory=list)


async def serve(read: ReadHead, path: str, scope: Scope, receive: Receive, send: Send) -> bool:
    """Serve an own route. False if `path` (without `root_path`) is none: the app gets the request."""
    name = _ROUTES.get(path)
    if name is None:
        return False
    judging, head, jar = read(scope, path)
    await _OwnRoute(name, judging, head, jar, scope, receive).run(send)
    return True


class _OwnRoute:
    """One request to an own route."""

    def __init__(self, name: str, judging: Judging, head: Head, jar: Jar, scope: Scope, receive: Receive) -> None:
        self._name = name
        self._judging = judging
        self._head = head
        self._jar = jar
        self._scope = scope
        self._receive = receive

    async def run(self, send: Send) -> None:
        """Judge the request, do what it asks for, answer."""
        judging = self._judging
        judging.x.own_route = OWN_TAGS[self._name]
        judging.x.asked = frozenset(("consent", self._name) if self._name in ACTS else ())
        await inbound.people_before(judging, self._scope)
        await inbound.people_after(judging, self._scope)
        judging.enter()
        denial = judging.settle_denial()
        if denial is not None:
            judging.x.status = denial.status
            await happenings.denied(judging, self._scope)
            self._tell()
            await deny(denial, self._scope, self._jar.headers, send, hook=judging.runtime.denied)
            return
        reply = await self._reply()
        if reply is None:
            return
        start = self._judged(reply)
        if start["status"] in happenings.REFUSED:
            await happenings.denied(judging, self._scope)
        self._tell()
        head_only = self._scope["method"] == "HEAD"
        await answer(send, start["status"], start["headers"], reply.body, head_only=head_only)

    async def _reply(self) -> _Reply | None:
        """Return the answer; None where the client has gone and nobody waits for one."""
        try:
            return await self._choose() if self._name in ACTS else self._read()
        except _Refused as refused:
            return self._problem(refused.status, refused.title, refused.headers)
        except (LedgerError, ConsentTooLarge, TrailError):
            return self._problem(503, "The choice could not be recorded; nothing was changed")

    def _judged(self, reply: _Reply) -> Message:
        """Judge the answer as any other: header duties, cookies to be expired, rules that wait for the status."""
        judging = self._judging
        judging.x.status = reply.status
        judging.x.phase = Phase.RESPONSE_START
        start: Message = {"type": "http.response.start", "status": reply.status, "headers": reply.headers}
        return outbound.judge(judging, start, None, 0, self._jar, reply.cookies, self._scope).start

    def _tell(self) -> None:
        """Write the line of what rules found, if anything. A protected route is served even where it cannot be."""
        judging = self._judging
        if not telling.line_due(judging):
            return
        with suppress(TrailError):
            judging.runtime.write_encoded(encode(telling.members(judging) | judging.happened))

    def _problem(self, status: int, title: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> _Reply:
        given, body = problem(status, title=title, headers=self._jar.headers, link=policy_link(self._scope))
        return _Reply(status=status, headers=[*given, *headers], body=body)

    # reading

    def _read(self) -> _Reply:
        if self._scope["method"] not in _READ:
            raise _Refused(405, "This page is read by GET", (b"allow", b"GET, HEAD"))
        judging = self._judging
        if self._name == "gpc":
            return _json(gpc_statement(judging.site.policy, judging.x.now.date()))
        return self._policy() if self._name == "policy" else self._state()

    def _policy(self) -> _Reply:
        policy, version = self._judging.site.policy, self._judging.x.version
        page = wants_html(self._jar.headers)
        body = policy_page(policy, version) if page else policy_markdown(policy, version)
        kind = b"text/html; charset=utf-8" if page else b"text/markdown; charset=utf-8"
        stamp = f"{policy.identity.id}@{version}".encode("ascii", "xmlcharrefreplace")
        headers = [(b"content-type", kind), (b"policy-version", stamp), (b"vary", b"Accept"), *_length(body)]
        return _Reply(status=200, headers=headers, body=body)

    def _state(self) -> _Reply:
        site, x = self._judging.site, self._judging.x
        rows = site.policy.consents
        value = {
            "policy": site.policy.identity.id,
            "version": x.version,
            "signals": sorted(x.signals),
            "choices": {name: standing(rows[name], x.device.of(name), x.now) for name in site.device_consents},
        }
        reply = _json(value)
        return _Reply(status=200, headers=caching.varied([*reply.headers, _NO_STORE]), body=reply.body)

    # choosing

    async def _choose(self) -> _Reply | None:
        if self._scope["method"] != "POST":
            raise _Refused(405, "A choice is made by POST", (b"allow", b"POST"))
        self._same_site()
        held = Held()
        await held.fill(self._receive, _LIMIT)
        if held.gone:
            return None
        given, is_form = self._given(held)
        names = self._names(given)
        status = 303 if is_form else 200
        before = self._judging.x.device
        act = self._act(names)
        cookies: list[bytes] = []
        if names:
            secure = self._scope.get("scheme") == "https"
            outcome = await DeviceChoices(self._judging, secure=secure, status=status).choose(act)
            cookies = [outcome.set_cookie]
        reply = self._moved_on(given) if is_form else self._state()
        clearing = [CLEARS_CACHE] if ended_a_grant(before, act) else []
        return _Reply(status=status, headers=[*reply.headers, *clearing], body=reply.body, cookies=cookies)

    def _act(self, names: tuple[str, ...]) -> Act:
        """Judge the recording of what is to be granted; refusing and withdrawing are nobody's to refuse."""
        grants = self._name == "accept"
        asked = ("consent", self._name, *names)
        reasons = judge_recording(self._judging, asked, names, ()) if grants else []
        if refusing(reasons):
            self._judging.reasons += [] if self._judging.observed else reasons  # an observer was told already
            raise _Refused(403, "The choice cannot be recorded this way")
        return Act(name=self._name, consents=names, form="click", why=tuple(reasons))

    def _same_site(self) -> None:
        """Refuse what another site sends, where the browser says so.

        An opaque origin (``null``) is another site, unless the browser itself says that it is this very origin: a page
        that sends no referrer posts so.
        """
        headers = self._jar.headers
        sites = values(headers, b"sec-fetch-site")
        if not _SAME_SITE.issuperset(sites):
            raise _Refused(403, "A choice is made on the site itself")
        for origin in values(headers, b"origin"):
            if not self._is_ours(origin.decode("latin-1")) and not (origin == b"null" and sites == [b"same-origin"]):
                raise _Refused(403, "A choice is made on the site itself")

    def _is_ours(self, origin: str) -> bool:
        """Whether an origin is the one that was asked, or a host of the policy. Plain http does not speak for https."""
        try:
            found = urlsplit(origin.lower())
        except ValueError:
            return False
        if found.scheme not in ("http", "https") or (found.scheme == "http" and self._scope.get("scheme") == "https"):
            return False
        asked = self._head.host.decode("latin-1").lower()
        return bool(found.netloc) and (
            found.netloc == asked or self._judging.site.is_own_host(hostname(found.netloc.encode("latin-1")))
        )

    def _given(self, held: Held) -> tuple[Mapping[str, Any], bool]:
        """Read the body; returns its members, and whether it came as a form."""
        kind = body_kind(self._head.content_type)
        try:
            if held.too_large:
                raise UnreadableBody("too-large")  # noqa: TRY301 - one place answers for all reasons
            raw = coding.decode(held.body(), self._head.encoding or None, limit=_LIMIT)
            if kind == FORM:
                return _members(form.read(raw)), True
            if kind == MULTIPART:
                return _members((part.name, part.value) for part in multipart.read(raw, self._head.content_type)), True
            if not raw.strip():
                return {}, kind != JSON and wants_html(self._jar.headers)
            if kind != JSON:
                raise UnreadableBody("coding")  # noqa: TRY301 - one place answers for all reasons
            value = json_text.decode(raw)
        except UnreadableBody as cause:
            raise _Refused(_STATUS[cause.reason], "A choice comes as a JSON object or as a form") from cause
        if not isinstance(value, dict):
            raise _Refused(400, "A choice comes as a JSON object or as a form")
        return value, False

    def _names(self, given: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the consents that are meant: those named, or all that a device can hold.

        Empty names count for nothing: a form of boxes brings one, so that no box ticked does not mean all.
        """
        own = self._judging.site.device_consents
        if "consents" not in given:
            return own
        asked = given["consents"]
        names = [asked] if isinstance(asked, str) else asked
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise _Refused(400, "`consents` is a list of names")
        wanted = tuple(dict.fromkeys(filter(None, names)))
        if not set(wanted) <= set(own):
            raise _Refused(400, "`consents` names one that the policy does not let a device hold")
        return wanted

    def _moved_on(self, given: Mapping[str, Any]) -> _Reply:
        """Send the browser to a path of the same origin, else to the root."""
        target = given.get("return_to")
        if not isinstance(target, str) or not _is_path(target):
            target = f"{self._scope.get('root_path', '').rstrip('/')}/"
        headers = [(b"location", target.encode("ascii", "ignore")), _NO_STORE, *_length(b"")]
        return _Reply(status=303, headers=headers)


def _is_path(target: str) -> bool:
    """Whether a browser takes this for a path of the same origin, whatever it does to odd characters."""
    plain = target.isascii() and target.isprintable() and not any(char in target for char in "\\ ")
    return plain and target.startswith("/") and not target.startswith("//")


def _members(pairs: Iterable[Any]) -> Mapping[str, Any]:
    given: dict[str, Any] = {}
    for name, value, *_ in pairs:
        if name == "consents":
            given.setdefault("consents", []).append(value)
        else:
            given[name] = value
    return given


def _json(value: Any) -> _Reply:
    body = msgspec.json.encode(value)
    return _Reply(status=200, headers=[(b"content-type", b"application/json"), *_length(body)], body=body)


def _length(body: bytes) -> HeaderList:
    return [(b"content-length", b"%d" % len(body))]
