"""YAML text to nodes with places, within limits. The only module that imports PyYAML.

Events of the pure parser are read one by one, and size, depth and aliases counted before anything is composed:
libyaml's composer crashes on deep nesting, and plain loading keeps the last of two keys and reads `NO` as false.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from troth.diagnostics import Diagnostic, Source, Span
from troth.rules.nodes import Mapping, Node, Scalar, Sequence

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_ALIASES = 100
MAX_NODES = 100_000
"""Values after expansion: a hundred aliases of one huge list are still a bomb."""

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_START = yaml.SequenceStartEvent | yaml.MappingStartEvent
_END = yaml.SequenceEndEvent | yaml.MappingEndEvent


class _Refused(Exception):
    """The one finding that ends the reading of a file."""

    def __init__(self, found: Diagnostic) -> None:
        self.found = found


@dataclass(slots=True)
class _Weight:
    """What a node costs when it is repeated."""

    nodes: int = 1
    aliases: int = 0

    def add(self, other: _Weight) -> None:
        self.nodes += other.nodes
        self.aliases += other.aliases


@dataclass(slots=True)
class _Open:
    """A collection whose end has not been read."""

    start: _START
    anchor: str | None
    items: list[Node] = field(default_factory=list)
    weight: _Weight = field(default_factory=_Weight)


def decode(data: bytes, name: str) -> tuple[Source, tuple[Diagnostic, ...]]:
    """Return the text of a file under its name, or what keeps its bytes from being text."""
    empty = Source(name)
    if len(data) > MAX_BYTES:
        message = f"the file is larger than {MAX_BYTES // 1024} KiB"
        return empty, (Diagnostic(code="TR006", message=message, span=empty.whole()),)
    try:
        return Source(name, data.decode("utf-8-sig")), ()
    except UnicodeDecodeError as error:
        return empty, (_not_utf8(data, error.start, name),)


def compose(source: Source) -> tuple[Node | None, tuple[Diagnostic, ...]]:
    """Return the one document of a source as nodes; nothing and findings where it cannot be read.

    An empty file is nothing without findings. A duplicate key is found and left out, and reading goes on.
    """
    composer = _Composer(source)
    try:
        node = composer.document()
    except _Refused as refused:
        return None, (*composer.found, refused.found)
    return node, tuple(composer.found)


def _not_utf8(data: bytes, at: int, name: str) -> Diagnostic:
    before = data[:at].decode("utf-8-sig", "replace")
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    source = Source(name, data.decode("utf-8-sig", "replace"))
    span = Span(source=source, line=line, column=column, end_line=line, end_column=column + 1)
    return Diagnostic(code="TR002", message="the file is not UTF-8 text", span=span, label="this byte")


class _Composer:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.found: list[Diagnostic] = []
        self._anchors: dict[str, tuple[Node, _Weight] | None] = {}
        self._stack: list[_Open] = []
        self._total = _Weight(nodes=0)

    def document(self) -> Node | None:
        self._refuse_controls()
        root: Node | None = None
        documents = 0
        for event in self._events():
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _Refused(self._finding("TR011", "the file holds more than one document", event))
            else:
                root = self._take(event) or root
        return root

    def _refuse_controls(self) -> None:
        text = self.source.text
        if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
            message = f"the text is larger than {MAX_BYTES // 1024} KiB"
            raise _Refused(Diagnostic(code="TR006", message=message, span=self.source.whole()))
        if hit := _FORBIDDEN.search(text):
            line = len(re.findall(r"\r\n|\r|\n", text[: hit.start()])) + 1
            start = max(text.rfind("\n", 0, hit.start()), text.rfind("\r", 0, hit.start())) + 1
            message = f"the character U+{ord(hit[0]):04X} may not stand in a rule file"
            raise _Refused(Diagnostic(code="TR003", message=message, span=self._at(line, hit.start() - start + 1)))

    def _events(self) -> Iterator[yaml.Event]:
        try:
            yield from yaml.parse(self.source.text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            raise _Refused(self._syntax(error)) from None

    def _syntax(self, error: yaml.MarkedYAMLError) -> Diagnostic:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        span = self._at(line, column)
        if self.source.line(line)[column - 1 : column] == "\t":
            return Diagnostic(code="TR004", message="a tab indents this line", span=span, help="use spaces")
        problem = (error.problem or "it cannot be parsed").replace("'", "`").replace("``", "`")
        context = f" {error.context}" if error.context else ""
        return Diagnostic(code="TR005", message=f"this is not YAML: {problem}{context}", span=span)

    def _take(self, event: yaml.Event) -> Node | None:
        """Take one event; return the root once it is complete."""
        match event:
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                self._open(event)
            case yaml.ScalarEvent():
                self._no_tag(event)
                plain = event.style is None
                return self._place(Scalar(event.value, plain, self._span(event)), event.anchor, _Weight())
            case yaml.AliasEvent():
                return self._place(*self._alias(event))
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                return self._close(event)
            case _:
                pass  # start and end of the stream and of the document
        return None

    def _open(self, event: _START) -> None:
        self._no_tag(event)
        if len(self._stack) >= MAX_DEPTH:
            raise _Refused(self._finding("TR007", f"this is nested deeper than {MAX_DEPTH} levels", event))
        if event.anchor:
            self._anchors[event.anchor] = None
        self._stack.append(_Open(start=event, anchor=event.anchor))

    def _close(self, event: _END) -> Node | None:
        done = self._stack.pop()
        span = self._span(done.start, event)
        node: Node
        if isinstance(done.start, yaml.MappingStartEvent):
            node = Mapping(self._pairs(done.items), span)
        else:
            node = Sequence(tuple(done.items), span)
        return self._place(node, done.anchor, done.weight)

    def _place(self, node: Node, anchor: str | None, weight: _Weight) -> Node | None:
        if anchor:
            self._anchors[anchor] = (node, weight)
        if not self._stack:
            return node
        self._stack[-1].items.append(node)
        self._stack[-1].weight.add(weight)
        return None

    def _alias(self, event: yaml.AliasEvent) -> tuple[Node, None, _Weight]:
        if event.anchor not in self._anchors:
            raise _Refused(self._finding("TR005", f"no anchor `{event.anchor}` stands before this alias", event))
        known = self._anchors[event.anchor]
        if known is None:
            raise _Refused(self._finding("TR008", f"the value `{event.anchor}` contains itself", event))
        node, weight = known
        grown = _Weight(nodes=weight.nodes, aliases=weight.aliases + 1)
        self._total.add(grown)
        if self._total.aliases > MAX_ALIASES or self._total.nodes > MAX_NODES:
            message = f"aliases expand to more than {MAX_ALIASES} copies or {MAX_NODES} values"
            raise _Refused(self._finding("TR008", message, event))
        return node, None, grown

    def _pairs(self, items: list[Node]) -> tuple[tuple[Scalar, Node], ...]:
        pairs: dict[str, tuple[Scalar, Node]] = {}
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, Scalar):
                self.found.append(Diagnostic(code="TR013", message="a key has to be plain text", span=key.span))
            elif key.text == "<<" and key.plain:
                message = "merge keys are not read"
                advice = "write the keys out, or repeat a value with an alias"
                self.found.append(Diagnostic(code="TR009", message=message, span=key.span, help=advice))
            elif key.text in pairs:
                self.found.append(self._duplicate(key, pairs[key.text][0]))
            else:
                pairs[key.text] = (key, value)
        return tuple(pairs.values())

    def _duplicate(self, key: Scalar, first: Scalar) -> Diagnostic:
        label = f"first given on line {first.span.line}"
        return Diagnostic(code="TR010", message=f"the key `{key.text}` stands twice", span=key.span, label=label)

    def _no_tag(self, event: yaml.ScalarEvent | _START) -> None:
        if event.tag is not None:
            message = "a tag says how to read this value"
            advice = "leave the tag out: each key knows the type of its value"
            raise _Refused(self._finding("TR012", message, event, advice))

    def _finding(self, code: str, message: str, event: yaml.Event, advice: str | None = None) -> Diagnostic:
        return Diagnostic(code=code, message=message, span=self._span(event), help=advice)

    def _at(self, line: int, column: int) -> Span:
        return Span(source=self.source, line=line, column=column, end_line=line, end_column=column + 1)

    def _span(self, first: yaml.Event, last: yaml.Event | None = None) -> Span:
        start, end = first.start_mark, (last or first).end_mark
        line, column = (start.line + 1, start.column + 1) if start else (1, 1)
        end_line, end_column = (end.line + 1, end.column + 1) if end else (line, column)
        return Span(source=self.source, line=line, column=column, end_line=end_line, end_column=end_column)


def dump(value: object) -> str:
    """Return plain Python values as YAML text, so that findings in a mapping have a place to point at."""
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True))
