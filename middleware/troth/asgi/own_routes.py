"""Routes of Troth itself: the device's choices, the policy text, and what the site says about GPC."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from troth._types import HeaderList, Receive, Scope, Send
from troth.asgi import outbound
from troth.asgi.bodies import Held
from troth.asgi.denial import answer, policy_link, problem, wants_html
from troth.asgi.judging import Judging
from troth.asgi.request import Head, body_kind
from troth.consent.desk import Outcome
from troth.consent.device import ConsentReading, ConsentTooLarge, CookieOutcome
from troth.engines.embedded.views import EventView
from troth.errors import LedgerError, TrailError, UnreadableBody
from troth.filters import caching, form, json_text
from troth.filters.cookies import Jar
from troth.filters.headers import first
from troth.model.consent import Choices, ChoiceState
from troth.model.facts import Event
from troth.model.findings import Denial
from troth.model.policy import Policy
from troth.model.words import Action, Phase, Thing
from troth.runtime.line import encode, grouped, released
from troth.runtime.runtime import GPC_PATH, PREFIX
from troth.runtime.site import Site

if TYPE_CHECKING:
    from troth.asgi.middleware import Guard

_LIMIT: Final = 64 * 1024
_CHOICES: Final = {
    "accept": ChoiceState.GRANTED,
    "refuse": ChoiceState.DECLINED,
    "withdraw": ChoiceState.WITHDRAWN,
}
_TAGS: Final = {"accept": "consent", "refuse": "refuse", "withdraw": "withdraw", "policy": "policy", "state": "consent"}
_NOTHING: Final = ConsentReading(None, CookieOutcome.ABSENT)
_NO_STORE: Final = (b"cache-control", b"no-store")
_SAME_SITE: Final = frozenset((b"same-origin", b"same-site", b"none"))


class _Refused(Exception):
    """A request to an own route that cannot be served: status and a sentence without values."""

    def __init__(self, status: int, title: str) -> None:
        super().__init__(title)
        self.status = status
        self.title = title


async def serve(guard: Guard, path: str, scope: Scope, receive: Receive, send: Send) -> bool:
    """Serve an own route. False if the path is none: the app gets the request."""
    name = "gpc" if path == GPC_PATH else path.removeprefix(PREFIX).lstrip("/")
    if name not in ("gpc", *_TAGS):
        return False
    judging, head, jar = guard.facts(scope, path)
    judging.x.own_route = _TAGS.get(name)
    own = _OwnRoute(guard, judging, head, jar, scope, receive)
    head_only = scope["method"] == "HEAD"
    try:
        status, headers, body = await own.answer(name)
    except _Refused as refused:
        headers, body = problem(refused.status, title=refused.title, headers=jar.headers, link=policy_link(scope))
        status = refused.status
    except (LedgerError, ConsentTooLarge, TrailError):
        title = "The choice could not be recorded; nothing was changed"
        headers, body = problem(503, title=title, headers=jar.headers, link=policy_link(scope))
        status = 503
    await answer(send, status, headers, body, head_only=head_only)
    return True


class _OwnRoute:
    """One request to an own route."""

    def __init__(self, guard: Guard, judging: Judging, head: Head, jar: Jar, scope: Scope, receive: Receive) -> None:
        self._guard = guard
        self._judging = judging
        self._head = head
        self._jar = jar
        self._scope = scope
        self._receive = receive

    async def answer(self, name: str) -> tuple[int, HeaderList, bytes]:
        """Return status, headers and body. Raises _Refused."""
        method = self._scope["method"]
        if name in _CHOICES:
            if method != "POST":
                raise _Refused(405, "A choice is made by POST")
            return await self._choose(name)
        if method not in ("GET", "HEAD"):
            raise _Refused(405, "This page is read by GET")
        if name == "gpc":
            return _json(200, {"gpc": True, "lastUpdate": _last_update(self._judging.site.policy)})
        if name == "policy":
            return self._policy()
        return _json(200, self._state(self._judging.x.device), vary=True)

    # reading

    def _state(self, device: Choices) -> dict[str, Any]:
        site, x = self._judging.site, self._judging.x
        return {
            "policy": site.policy.identity.id,
            "version": x.version,
            "signals": sorted(x.signals),
            "choices": {name: _standing(site, device, name, x.now) for name in site.device_consents},
        }

    def _policy(self) -> tuple[int, HeaderList, bytes]:
        site, x = self._judging.site, self._judging.x
        policy = site.policy
        headers = [(b"policy-version", f"{policy.identity.id}@{x.version}".encode())]
        if wants_html(self._jar.headers):
            body = _page(policy, x.version)
            return 200, [(b"content-type", b"text/html; charset=utf-8"), *headers, *_length(body)], body
        body = policy.text.encode()
        return 200, [(b"content-type", b"text/markdown; charset=utf-8"), *headers, *_length(body)], body

    # choosing

    async def _choose(self, name: str) -> tuple[int, HeaderList, bytes]:
        self._same_site()
        given, kind = await self._body()
        names = self._names(given)
        judging = self._judging
        self._judge(name, names)
        outcome = self._guard.runtime.desks[id(judging.site)].choose(
            judging.consent or _NOTHING,
            names,
            _CHOICES[name],
            now=judging.x.now,
            version=judging.x.version,
            form="click",
            secure=self._scope.get("scheme") == "https",
        )
        headers: HeaderList = [(b"set-cookie", outcome.set_cookie), *self._expiries(outcome)]
        if name != "accept":
            headers.append((b"clear-site-data", b'"cache"'))
        self._write(name, names, outcome)
        if kind == "form":
            return 303, [(b"location", self._return_to(given)), _NO_STORE, *headers, *_length(b"")], b""
        status, plain, body = _json(200, self._state(outcome.device.choices))
        return status, [*plain, *headers], body

    def _same_site(self) -> None:
        """Refuse what another site sends, where the browser says so."""
        headers = self._jar.headers
        site = first(headers, b"sec-fetch-site")
        if site is not None and site not in _SAME_SITE:
            raise _Refused(403, "A choice is made on the site itself")
        origin = first(headers, b"origin")
        if origin is None:
            return
        host = first(headers, b"host") or b""
        if urlsplit(origin.decode("latin-1")).netloc.lower().encode("latin-1") != host.lower():
            raise _Refused(403, "A choice is made on the site itself")

    async def _body(self) -> tuple[Mapping[str, Any], str]:
        kind = body_kind(self._head.content_type)
        held = Held()
        if self._head.has_body:
            await held.fill(self._receive, _LIMIT)
        if held.too_large:
            raise _Refused(413, "The request body is too large")
        raw = held.body()
        try:
            if kind == "json":
                value = json_text.decode(raw) if raw.strip() else {}
                if not isinstance(value, Mapping):
                    raise _Refused(400, "A choice is a JSON object")
                return value, kind
            if kind == "form":
                return _form(form.read(raw)), kind
        except UnreadableBody as cause:
            raise _Refused(400, "The request body is malformed") from cause
        if raw:
            raise _Refused(415, "A choice comes as JSON or as a form")
        return {}, "form" if wants_html(self._jar.headers) else "json"

    def _names(self, given: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the consents that are meant: those named, or all that a device can hold."""
        site = self._judging.site
        asked = given.get("consents")
        if asked is None:
            return site.device_consents
        names = [asked] if isinstance(asked, str) else asked
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise _Refused(400, "`consents` is a list of names")
        if not set(names) <= set(site.device_consents):
            raise _Refused(400, "`consents` names one that the policy does not have")
        return tuple(dict.fromkeys(names))

    def _judge(self, name: str, names: tuple[str, ...]) -> None:
        """Judge the recording as an event that rules may refuse."""
        judging = self._judging
        judging.x.asked = frozenset(("consent", name, *names))
        judging.x.phase = Phase.END
        judging.enter()
        rules = judging.site.engine.rules[Thing.EVENT]
        for consent in names if name == "accept" else ():
            event = Event(name="consent-recorded", consent=consent)
            judging.x.events = (*judging.x.events, event)
            found = judging.site.engine.settle(rules, EventView(judging.site.engine.tables, judging.x, event))
            judging.reasons += [(finding, consent) for finding in found]
            if any(f.action in (Action.WITHHOLD, Action.DENY) and not f.dry for f in found):
                judging.denial = Denial(status=403, redirect=False, findings=tuple(found))
        if judging.denial is not None:
            self._write("denied", names, None)
            raise _Refused(403, "The choice cannot be recorded this way")

    def _expiries(self, outcome: Outcome) -> HeaderList:
        """Delete the cookies that came in and that the device refuses from now on."""
        judging = self._judging
        judging.consent = ConsentReading(outcome.device, CookieOutcome.VALID)
        judging.x.device = outcome.device.choices
        judging.again()
        return [(b"set-cookie", value) for value in outbound.expiries(judging, self._jar, self._scope)]

    def _write(self, name: str, names: tuple[str, ...], outcome: Outcome | None) -> None:
        """Write the line of a choice. That of a withdrawal holds the digest of the consent that it ended."""
        judging = self._judging
        judging.x.status = 200 if outcome else 403
        members = released(judging.site, judging.x, grouped(judging.reasons), judging.runtime.names, [])
        members |= {"kind": "consent", "act": name, "consents": list(names)}
        if outcome is not None and outcome.retired:
            members["retired"] = list(outcome.retired)
        if judging.x.signals:
            members["signals"] = sorted(judging.x.signals)
        if outcome is not None and outcome.device.id is not None and not judging.head.refuses:
            outbound.consent_entry(judging, members)
        judging.runtime.write_encoded(encode(members))

    def _return_to(self, given: Mapping[str, Any]) -> bytes:
        """Return a path of the same origin, else the root."""
        target = given.get("return_to")
        root = f"{self._scope.get('root_path', '')}/"
        if not isinstance(target, str) or not target.startswith("/") or target.startswith(("//", "/\\")):
            return root.encode()
        safe = target.isascii() and target.isprintable() and not any(c in target for c in "\\ \t")
        return target.encode() if safe else root.encode()


def _form(pairs: Iterable[Any]) -> Mapping[str, Any]:
    given: dict[str, Any] = {}
    for pair in pairs:
        if pair.name == "consents":
            given.setdefault("consents", []).append(pair.value)
        else:
            given[pair.name] = pair.value
    return given


def _standing(site: Site, device: Choices, name: str, now: Any) -> str:
    """Return what a device's choice of one consent amounts to: none, granted, declined, withdrawn or expired."""
    choices = device.of(name)
    if not choices:
        return "none"
    choice = choices[-1]
    lasts = site.policy.consents[name].lasts
    if choice.state is ChoiceState.GRANTED and lasts is not None and lasts.after(choice.at) <= now:
        return "expired"
    return choice.state.value


def _json(status: int, value: Any, *, vary: bool = False) -> tuple[int, HeaderList, bytes]:
    body = msgspec.json.encode(value)
    headers: HeaderList = [(b"content-type", b"application/json"), *_length(body), _NO_STORE]
    return status, caching.varied(headers) if vary else headers, body


def _length(body: bytes) -> HeaderList:
    return [(b"content-length", b"%d" % len(body))]


def _last_update(policy: Policy) -> str:
    dates = [version.updated or version.effective for version in policy.versions]
    known = [one for one in dates if one is not None]
    return max(known).isoformat() if known else "1970-01-01"


def _page(policy: Policy, version: str) -> bytes:
    """Render the policy text with an anchor for each clause."""
    name = html.escape(policy.identity.controller or policy.identity.id)
    parts = [f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Privacy policy of {name}</title>']
    parts.append(f"<h1>Privacy policy of {name}</h1><p>Version {html.escape(version)}</p>")
    heading = None
    for clause in policy.clauses:
        if clause.heading and clause.heading != heading:
            heading = clause.heading
            parts.append(f"<h2>{html.escape(heading)}</h2>")
        anchor = html.escape(clause.id, quote=True)
        parts.append(f'<p id="{anchor}"><a href="#{anchor}">{anchor}</a> {html.escape(clause.text)}</p>')
    return "".join([*parts, "</html>"]).encode()
