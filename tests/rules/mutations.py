"""Each key of a YAML file dropped, doubled, mistyped or misspelt, in place, with the token to look for an error at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from troth.diagnostics import Source
from troth.rules.nodes import Mapping, Node, Scalar, Sequence
from troth.rules.yaml import compose

WRONG_VALUES = ("{qq: {}}", "[[]]", "'?? ??'", "~", "12", "on")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """A changed text; `line` and `column` are where the token stands in it, `name` is what it said."""

    kind: str
    text: str
    name: str
    line: int
    column: int
    above: tuple[int, int]
    """First and last line of the map that holds the key."""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}@{self.line}:{self.column}"


def mutations(text: str) -> Iterator[Mutation]:
    """Yield every mutation of every key of a text."""
    node, _ = compose(Source("file.yaml", text))
    assert node is not None
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    for mapping in _mappings(node):
        for key, value in mapping:
            yield from _mutated(text, starts, mapping, key, value)


def _mappings(node: Node) -> Iterator[Mapping]:
    match node:
        case Mapping():
            yield node
            for _, value in node:
                yield from _mappings(value)
        case Sequence():
            for one in node:
                yield from _mappings(one)
        case Scalar():
            return


def _mutated(text: str, starts: list[int], mapping: Mapping, key: Scalar, value: Node) -> Iterator[Mutation]:
    span = key.span
    start, end = starts[span.line - 1] + span.column - 1, starts[span.end_line - 1] + span.end_column - 1
    flow = text[starts[mapping.span.line - 1] + mapping.span.column - 1] == "{"
    before, written, tail = text[:start], text[start:end], text[_end(text, starts, value, end) :]
    above = (mapping.span.line, mapping.span.end_line)

    def made(kind: str, new: str, line: int = span.line, column: int = span.column) -> Mutation:
        return Mutation(kind=kind, text=new, name=key.text, line=line, column=column, above=above)

    yield made("misspelt", before + _misspelt(written) + text[end:])
    if flow:
        yield made("doubled", f"{before}{written}: x, {text[start:]}", column=span.column + len(written) + 5)
    else:
        indent = " " * (span.column - 1)
        yield made("doubled", f"{before}{written}: x\n{indent}{text[start:]}", line=span.line + 1)
    for wrong in WRONG_VALUES:
        yield made(f"mistyped {wrong}", f"{text[:end]}: {wrong}{'' if flow else chr(10)}{tail}")
    yield made("dropped", _without(before, tail, flow))


def _end(text: str, starts: list[int], value: Node, least: int) -> int:
    """Return where a value ends; a block ends where the line of what follows it begins, before its indentation."""
    end = max(starts[value.span.end_line - 1] + value.span.end_column - 1, least + 1)
    line = text.rfind("\n", 0, end) + 1
    return line if line > least and not text[line:end].strip() else end


def _without(before: str, tail: str, flow: bool) -> str:
    if flow:
        return before + tail.lstrip(" ").removeprefix(",")
    line = before.rfind("\n") + 1
    return before[:line] + tail.removeprefix("\n") if not before[line:].strip() else f"{before}~\n{tail}"


def _misspelt(written: str) -> str:
    """Return a word with two letters swapped, or one more where they are equal."""
    core = written.strip("'\"")
    swapped = core[:-2] + core[-1] + core[-2] if len(core) > 1 and core[-1] != core[-2] else core + "q"
    return written.replace(core, swapped) if core else written
