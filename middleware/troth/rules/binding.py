"""`binding.yaml`, or the same as a Python mapping: how one app maps to a policy. The list of keys is closed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from troth.diagnostics import Span
from troth.model.binding import ActorHooks, Binding, Credential, Limits, Source
from troth.model.policy import Policy
from troth.rules.nodes import Mapping, Node, Scalar
from troth.rules.presets import PRESETS, preset_cookies
from troth.rules.reader import Kind, Reader
from troth.rules.routes import LIMITS, ROUTE, RouteKey, build_route
from troth.rules.rows import DATA_NAMES
from troth.rules.scalars import COOKIE_PATTERN, COUNTRY, HOOK, PLACE_OR_HOOK, Parsed, place, place_or_hook, text_of
from troth.rules.shapes import SCALAR, Made, Many, OneOf, Record, Ref, Row, Schema, Shape, Table, Text, any_of, scalar

_PATH = Text("a path", r"/\S*", "TR116", "write `/login`")


def _credential_place(text: str) -> str:
    if place(text).place not in ("header", "query", "cookie"):
        raise ValueError(text)
    return text


def _region(text: str) -> Source | str:
    try:
        return COUNTRY.parse(text)
    except ValueError:
        return place_or_hook(text)


_CREDENTIAL = Parsed(
    "a place of a credential", "TR119", _credential_place, text_of(r"(?:header|query|cookie)[.:][^\s.:][^\s:]*"),
    "write `header.x-api-key`",
)  # fmt: skip
_REGION: Parsed[Source | str] = Parsed(
    "a region, a place or a callable", "TR119", _region, {"anyOf": [COUNTRY.json, PLACE_OR_HOOK.json]},
    "write `header.cf-ipcountry`, a country or `module:name`",
)  # fmt: skip
_DIGEST = Text("a SHA-256 digest", r"[0-9a-f]{64}", "TR122", "64 hexadecimal digits: never write the credential itself")


_DIGESTS = Table(_DIGEST, Ref(Kind.PARTY), "a map of digests")


@dataclass(frozen=True, slots=True)
class _Credential:
    """`party` (the credential says which), a party, or a map of digests to parties."""

    def read(self, node: Node, reader: Reader) -> dict[str, str] | str | None:
        if isinstance(node, Mapping):
            return _DIGESTS.read(node, reader)
        return Ref(Kind.PARTY, ("party",)).read(node, reader)

    def schema(self) -> Schema:
        return any_of((Ref(Kind.PARTY), _DIGESTS))


@dataclass(frozen=True, slots=True)
class _Row:
    """A cookie row; one that the policy lacks is only warned of: such a cookie stays undeclared."""

    def read(self, node: Node, reader: Reader) -> str | None:
        found = scalar(node, reader, "the name of a cookie row")
        if found is None:
            return None
        if not reader.known(Kind.COOKIE, found.text):
            reader.unknown(Kind.COOKIE, found)
        return found.text

    def schema(self) -> Schema:
        return dict(SCALAR)


_ACTOR = Record("`actor`", {"before": HOOK, "after": HOOK, "known": DATA_NAMES, "verified": HOOK}, docs="binding actor")
_PRESETS: Shape[tuple[str, ...]] = Many(OneOf(tuple(PRESETS), "a preset", "binding presets"))
_SERVING = Record("`serving`", {"country": COUNTRY}, ("country",), docs="binding serving")

BINDING = Record("a binding", {
    "routes": Table(RouteKey(), ROUTE, "a map of routes", dict),
    "cookies": Table(COOKIE_PATTERN, _Row(), "a map of cookies"),
    "presets": _PRESETS,
    "credentials": Table(_CREDENTIAL, _Credential(), "a map of credentials"),
    "region": _REGION,
    "serving": Made(_SERVING, lambda row: str(row["country"])),
    "actor": Made(_ACTOR, lambda row: ActorHooks(**row)),
    "state": HOOK,
    "consents": HOOK,
    "walls": Many(_PATH),
    "limits": LIMITS,
}, docs="binding")  # fmt: skip


@dataclass(slots=True)
class BindingFile:
    """What was read, and where each route and top key stands."""

    binding: Binding | None = None
    places: dict[str, Span] = field(default_factory=dict)


def read_binding(node: Node | None, policy: Policy, reader: Reader) -> BindingFile:
    """Return the binding; names are checked against the policy that `reader` knows."""
    if node is None:
        return BindingFile(Binding())
    row = BINDING.read(node, reader)
    if row is None:
        return BindingFile()
    if isinstance(node, Mapping):
        _refuse_same_routes(node.get("routes"), reader)
    return BindingFile(_build(row, policy), _places(node))


def _places(node: Node) -> dict[str, Span]:
    if not isinstance(node, Mapping):
        return {}
    routes = node.get("routes")
    below = {key.text: key.span for key, _ in routes} if isinstance(routes, Mapping) else {}
    return {**below, **{key.text: key.span for key, _ in node}}


def _build(row: Row, policy: Policy) -> Binding:
    presets = row.get("presets", ())
    return Binding(
        routes=tuple(build_route(key, one) for key, one in row.get("routes", {}).items()),
        cookies={**preset_cookies(presets, policy.cookies), **row.get("cookies", {})},
        presets=presets, region=row.get("region"),
        credentials=tuple(_credential(where, value) for where, value in row.get("credentials", {}).items()),
        serving=row.get("serving"), actor=row.get("actor", ActorHooks()), state=row.get("state"),
        consents=row.get("consents"), walls=row.get("walls", ()),
        limits=row.get("limits", Limits()),
    )  # fmt: skip


def _credential(where: str, value: dict[str, str] | str) -> Credential:
    if isinstance(value, dict):
        return Credential(source=place(where), keys=value)
    return Credential(source=place(where), party=None if value == "party" else value)


def _refuse_same_routes(routes: Node | None, reader: Reader) -> None:
    """Find routes that take the same requests: parameters may be called what they like."""
    seen: dict[str, Scalar] = {}
    for key, _ in routes if isinstance(routes, Mapping) else ():
        shape = re.sub(r"\{\w+\}", "{}", key.text)
        if shape in seen:
            label = f"first given on line {seen[shape].span.line}"
            reader.report("TR401", f"the route `{key.text}` stands twice", key, label=label, docs="binding routes")
        seen.setdefault(shape, key)
