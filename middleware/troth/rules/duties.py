"""How the value of each duty is written: what `expect` alone may hold."""

from __future__ import annotations

from collections.abc import Mapping as Dict

from troth.model import rules as model
from troth.model.period import Period
from troth.model.rules import Condition
from troth.model.words import NONE
from troth.rules.facts import every
from troth.rules.nodes import Mapping, Node, Scalar
from troth.rules.reader import Kind, Reader
from troth.rules.scalars import BOOL, HEADER_NAME, NAME, PERIOD, TEXT, Int, Parsed
from troth.rules.shapes import Made, Many, OneOf, Record, Ref, Schema, Shape, Table, Text

_STATUS = Text("a status", r"[1-5]xx|[1-5]\d\d|open", "TR112", "write `200`, `2xx` or `open`", (100, 599))
STATUS: Shape[Condition] = Made(Many(_STATUS), lambda wanted: model.Status(wanted=wanted))
_HEADERS = Table(HEADER_NAME, Many(TEXT), "a map of headers")
_STAY: dict[str, str] = {
    **dict.fromkeys(
        ("content-encoding", "content-length", "content-range", "content-type", "trailer", "transfer-encoding"),
        "no client could read the body without it",
    ),
    **dict.fromkeys(("location", "www-authenticate"), "its status means nothing without it"),
    **dict.fromkeys(
        ("cache-control", "content-security-policy", "vary"), "Troth sends it itself where a rule needs it"
    ),
    **dict.fromkeys(("connection", "date", "server"), "the server sends it after Troth: its own settings take it off"),
    "set-cookie": "each cookie is a thing: write a rule `for: cookie`",
    **dict.fromkeys(
        ("accept-ranges", "x-permitted-cross-domain-policies", "x-robots-tag"),
        "`none` is a value of its own: to ask for that, write `None`, since values are compared without case",
    ),
}
"""Headers that no rule can take off a response, or that cannot be meant, and why."""
_ATTRIBUTE_NAMES = ("lifetime", "secure", "http-only", "same-site", "domain")
_ATTRIBUTES = Table(NAME, TEXT, "a map of attributes")


def _lifetime(text: str) -> str:
    return text if text == "session" else Period.parse(text).text


_SET: Shape[str] = Made(BOOL, lambda wanted: str(wanted).lower())
_VALUES: Dict[str, Shape[str]] = {
    "secure": _SET,
    "http-only": _SET,
    "same-site": OneOf(("strict", "lax", "none"), "a value of `same-site`"),
    "lifetime": Parsed(
        PERIOD.wanted, PERIOD.code, _lifetime, {"anyOf": [{"const": "session"}, PERIOD.json]}, PERIOD.advice
    ),
}
"""Values that are more than text."""


class _Header:
    """Names of headers, each with a value or a list of values of which one is enough; `none`: it is not sent."""

    special = (NONE,)

    def read(self, node: Node, reader: Reader) -> Condition | None:
        table = _HEADERS.read(node, reader)
        if table is not None and not table and isinstance(node, Mapping) and not node.pairs:
            reader.report("TR308", "this `header` names nothing", node, docs="rule header")
        if not table or not self._may_go(node, table, reader):
            return None
        return every([model.Header(name=name.lower(), values=values) for name, values in table.items()])

    def _may_go(self, node: Node, table: dict[str, tuple[str, ...]], reader: Reader) -> bool:
        """Whether every header that is not to be sent can be taken off a response."""
        pairs = node.pairs if isinstance(node, Mapping) else ()
        staying = [key for key, _ in pairs if NONE in table.get(key.text, ()) and key.text.lower() in _STAY]
        for key in staying:
            message = f"`none` takes a header off the response, which makes no sense of `{key.text}`"
            reader.report("TR315", message, key, advice=_STAY[key.text.lower()], docs="rule header")
        return not staying

    def schema(self) -> Schema:
        return _HEADERS.schema()


HEADER = _Header()


class _Attribute:
    """Attributes of a cookie (a closed list) or of an element (any name), each with its value."""

    def read(self, node: Node, reader: Reader) -> Condition | None:
        table = _ATTRIBUTES.read(node, reader)
        if table is not None and not table and isinstance(node, Mapping) and not node.pairs:
            reader.report("TR308", "this `attribute` names nothing", node, docs="rule attribute")
        if not table or not isinstance(node, Mapping):
            return None
        parts = [self._one(key, value, reader) for key, value in node if key.text in table]
        read = [part for part in parts if part is not None]
        return every(read) if len(read) == len(parts) else None

    def _one(self, key: Scalar, value: Node, reader: Reader) -> Condition | None:
        text = _VALUES.get(key.text, TEXT).read(value, reader)
        return model.Attribute(name=key.text, value=text) if text else None

    def schema(self) -> Schema:
        return {**_ATTRIBUTES.schema(), "properties": {name: shape.schema() for name, shape in _VALUES.items()}}


ATTRIBUTE = _Attribute()
_FOLLOWED_BY = Record(
    "`followed-by`",
    {"event": Ref(Kind.EVENT), "within": PERIOD, "remind": PERIOD},
    ("event", "within"),
    docs="rule followed-by",
)
FOLLOWED_BY: Shape[Condition] = Made(_FOLLOWED_BY, lambda row: model.FollowedBy(**row))
_PER = OneOf(("client", "subject", "actor", "device", "party"), "a key to count by", "rule at-most")
_AT_MOST = Record(
    "`at-most`",
    {"count": Int(0, 1_000_000), "per": _PER, "within": PERIOD},
    ("count", "per", "within"),
    docs="rule at-most",
)
AT_MOST: Shape[Condition] = Made(_AT_MOST, lambda row: model.AtMost(**row))
