"""The head of a request as facts: one pass over the raw headers, one over the cookies."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Final

from troth._types import HeaderList, Scope
from troth.asgi.kinds import JSON_TYPES
from troth.consent.device import COOKIE_NAME, ConsentReading
from troth.filters.cookies import Jar
from troth.filters.query import split
from troth.model.binding import Credential, Route, Source
from troth.model.facts import ABSENT, PENDING, Exchange
from troth.model.words import NONE, OWN, UNDECLARED, Phase
from troth.runtime.runtime import Runtime
from troth.runtime.site import Site

_CONSENT: Final = COOKIE_NAME.encode()
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})
_NO_SIGNALS: Final[frozenset[str]] = frozenset()
_LONGEST_LENGTH: Final = 19
_UNANNOUNCED: Final = frozenset(("2", "3"))
"""Versions of HTTP in which a body needs no header that announces it."""
_SECURE: Final = frozenset({"https", "wss"})
_VALIDATORS: Final = frozenset((b"if-match", b"if-none-match", b"if-modified-since", b"if-range"))
_TWO_TYPES: Final = b","
JSON, FORM, MULTIPART, OTHER = "json", "form", "multipart", ""
_NOTHING_ASKED: Final[frozenset[str]] = frozenset()


class Head:
    """What the raw head of a request says: the few headers that matter, read once."""

    __slots__ = ("content_type", "encoding", "host", "length", "signals", "streams", "validators")

    def __init__(self, headers: HeaderList, scope: Scope) -> None:
        self.host = self.content_type = self.encoding = b""
        self.length: int | None = None
        self.validators = False
        self.streams = str(scope.get("http_version", "1.1"))[:1] in _UNANNOUNCED
        signals: frozenset[str] = _NO_SIGNALS
        streams = False
        for name, value in headers:
            if name == b"host":
                self.host = self.host or value
            elif name == b"content-type":
                same = not self.content_type or self.content_type == value
                self.content_type = value if same else _TWO_TYPES
            elif name == b"content-length":
                self.length = int(value) if value.isdigit() and len(value) < _LONGEST_LENGTH else None
                self.streams = streams or self.length is None
            elif name == b"transfer-encoding":
                self.streams = streams = True
            elif name == b"content-encoding":
                self.encoding = self.encoding + b"," + value if self.encoding else value
            elif name == b"sec-gpc":
                signals = signals | {"gpc"} if value == b"1" else signals
            elif name == b"dnt":
                signals = signals | {"dnt"} if value == b"1" else signals
            elif name in _VALIDATORS:
                self.validators = True
        self.signals = signals

    @property
    def has_body(self) -> bool:
        """Whether the client announced a body."""
        return self.streams or bool(self.length)


def hostname(raw: bytes) -> str:
    """Return the host of a `Host` header without its port, in lower case; an odd header is no host."""
    text = raw.decode("latin-1").lower()
    if text.startswith("["):
        name, end, _ = text.partition("]")
        return name + end
    return text.partition(":")[0]


def inner_path(scope: Scope) -> str:
    """Return the path below `root_path`, where the app is mounted under one that the path brings along."""
    path: str = scope["path"]
    root = scope.get("root_path")
    if not root:
        return path
    root = root.rstrip("/")
    below = path[len(root) :]
    return below if path.startswith(root) and below[:1] == "/" else path


def is_loopback(host: str) -> bool:
    """Whether a host name means this machine."""
    return host in _LOOPBACK or host.endswith(".localhost") or host.startswith("127.")


def read_consent(runtime: Runtime, jar: Jar) -> ConsentReading:
    """Read the consent cookie out of a split jar."""
    return runtime.decoder.read(jar.values(_CONSENT))


def first_facts(
    runtime: Runtime, site: Site, scope: Scope, head: Head, now: datetime, found: tuple[Route, Mapping[str, str]] | None
) -> Exchange:
    """Return the facts of the head, but for consent, people and fields."""
    host = hostname(head.host)
    route, params = found or (None, {})
    scheme = scope.get("scheme", "http")
    version, coming = site.version_at(now.date())
    x = Exchange(
        now=now,
        phase=Phase.HEAD,
        method=scope.get("method", "GET"),
        host=host,
        route=route,
        https=scheme in _SECURE or is_loopback(host),
        signals=head.signals,
        serving=site.binding.serving,
        version=version,
        coming=coming,
    )
    if site.binding.actor.after is not None:
        x.actor = PENDING
    if site.binding.region is not None:
        x.region = _region(site, scope, params)
    if route is not None:
        _of_route(x, site, scope, route, params)
    proven = proven_party(site, scope)
    if proven is not None:
        x.party = proven if x.party == OWN else agreed(proven, x.party)
    return x


def _region(site: Site, scope: Scope, params: Mapping[str, str]) -> str | None:
    region = site.binding.region
    text = region if isinstance(region, str) else read(region, scope, params)
    return text.strip().upper() if text else None


def _of_route(x: Exchange, site: Site, scope: Scope, route: Route, params: Mapping[str, str]) -> None:
    x.asked = frozenset(route.act) if route.act else _NOTHING_ASKED
    x.purpose = _purpose(site, scope, route, params)
    if route.party is not None:
        given = route.party if isinstance(route.party, str) else read(route.party, scope, params)
        x.party = given if given is not None and given in site.policy.parties else UNDECLARED
    if route.topic is not None:
        topic = route.topic if isinstance(route.topic, str) else read(route.topic, scope, params)
        x.bound = {} if topic is None else {"topic": topic}
    if route.subject is not None:
        x.subject = PENDING


def _purpose(site: Site, scope: Scope, route: Route, params: Mapping[str, str]) -> str:
    if route.purpose is None:
        return NONE
    given = route.purpose if isinstance(route.purpose, str) else read(route.purpose, scope, params)
    return given if given is not None and (given in site.policy.purposes or given == NONE) else UNDECLARED


def proven_party(site: Site, scope: Scope) -> str | None:
    """Return the party that a credential proves, the first that stands in the head; undeclared where it proves none."""
    for credential in site.binding.credentials:
        given = values(credential.source, scope, {})
        if given:
            named = _party_of(credential, given[0]) if len(given) == 1 else None
            return named if named in site.policy.parties else UNDECLARED
    return None


def _party_of(credential: Credential, given: str) -> str | None:
    if credential.keys is None:
        return credential.party or given
    in_bytes = credential.source.place in ("header", "cookie")
    raw = given.encode("latin-1") if in_bytes else given.encode("utf-8", "surrogatepass")
    return credential.keys.get(sha256(raw).hexdigest())


def agreed(proven: str | None, named: str) -> str:
    """Return the party that takes part: undeclared where the request names another than its credential proves."""
    return named if proven is None or proven == named else UNDECLARED


def read(source: Source | None, scope: Scope, params: Mapping[str, str]) -> str | None:
    """Return the value that a binding's source names in the head; None where it is missing, or stands in a body.

    None as well where several differ: the app may read another of them than we would.
    """
    found = values(source, scope, params)
    return found[0] if len(found) == 1 else None


def values(source: Source | None, scope: Scope, params: Mapping[str, str]) -> list[str]:
    """Return all values at a place in the head, each once, in order."""
    if source is None:
        return []
    match source.place:
        case "path":
            return [params[source.name]] if source.name in params else []
        case "query":
            found = [pair.value for pair in split(scope.get("query_string", b"")) if pair.name == source.name]
        case "header":
            wanted = source.name.lower().encode("latin-1")
            found = [v.decode("latin-1") for k, v in scope.get("headers", ()) if k.lower() == wanted]
        case "cookie":
            jar = Jar(list(scope.get("headers", ())))
            found = [value.decode("latin-1") for value in jar.values(source.name.encode("latin-1"))]
        case _:
            return []
    return list(dict.fromkeys(found))


def body_kind(content_type: bytes) -> str:
    """Return which reader a body needs: json, form, multipart, or none of these."""
    kind = content_type.partition(b";")[0].strip().lower()
    if kind in JSON_TYPES or kind.endswith(b"+json"):
        return JSON
    if kind == b"application/x-www-form-urlencoded":
        return FORM
    return MULTIPART if kind == b"multipart/form-data" else OTHER


__all__ = [
    "ABSENT", "FORM", "JSON", "MULTIPART", "OTHER", "Head", "agreed", "body_kind", "first_facts", "hostname",
    "inner_path", "is_loopback", "proven_party", "read", "read_consent", "values",
]  # fmt: skip
