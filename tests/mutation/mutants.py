"""Every small change of a file of rules: what a slip of the pen, or of the mind, would have written instead.

Negate a predicate; drop a conjunct, a disjunct, an exception or an entry of a list; a sibling in place of a word or of
a value; a number one more, one less and doubled; delete the rule; another `otherwise`. Which of them the language
allows is not decided here: `troth check` refuses the others. Left alone are `id`, `reading`, `mode`, `evidence`, and
the texts under `none` and `remainder`: none of them changes what is judged.

A mutant is named by its rule and by what is different, so that its name stays when other rules change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import yaml
from yaml import MappingNode, Node, ScalarNode, SequenceNode

Change = tuple[str, Node]
Collection = TypeVar("Collection", MappingNode, SequenceNode)
CONDITIONS = ("match", "only-if", "expect")
ACTIONS = ("withhold", "mask", "deny", "amend", "alert")
WORD_SIBLINGS = {
    "consent": "refused", "refused": "consent", "data": "complete", "complete": "data", "country": "region",
    "region": "country", "purpose": "basis", "basis": "purpose", "party": "role", "role": "party",
}  # fmt: skip
"""Words that take the same values, or look as if they did."""
CLOSED = {
    "for": ("cookie", "element", "field", "record", "exchange", "page", "event"),
    "basis": ("consent", "contract", "law", "legitimate-interest", "vital-interest", "public-task"),
    "carrier": ("request", "response", "query", "path", "form", "json", "multipart", "header", "cookie", "trail"),
    "kind": ("script", "inline", "image", "frame", "form", "box", "link"),
    "per": ("client", "subject", "actor", "device", "party"),
    "same-site": ("lax", "strict", "none"),
    "status": ("2xx", "3xx", "4xx", "open"),
    "actor": ("account", "subject", "nobody"),
}
"""Values of words that no policy declares."""
OPPOSITES = {
    "true": "false", "false": "true", "any": "none", "none": "any", "declared": "undeclared", "undeclared": "declared",
    "own": "any", "of-purpose": "of-party", "of-party": "of-purpose", "of-basis": "of-purpose", "of-data": "of-purpose",
    "of-actor": "of-party", "personal-data": "undeclared",
}  # fmt: skip
_NUMBER = re.compile(r"(?<![\w.])(?:(?P<before>P(?:T)?|max-age=))?(?P<number>\d+)(?P<after>[DWMYHS]?)(?![\w.-])")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: `name` says which, `rules` is the whole file with it."""

    rule: str
    change: str
    rules: str

    @property
    def name(self) -> str:
        """The rule and what is different in it."""
        return f"{self.rule}: {self.change}"


@dataclass(frozen=True, slots=True)
class Pools:
    """The declared names by the word that takes them."""

    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def sibling(self, word: str, value: str, taken: frozenset[str]) -> str | None:
        """Return what might have been written in place of a value, but for what stands there already."""
        if value in OPPOSITES:
            return OPPOSITES[value] if OPPOSITES[value] not in taken else None
        pool = self.names.get(word) or CLOSED.get(word, ())
        if value not in pool:
            return None
        at = pool.index(value)
        return next((one for one in (*pool[at + 1 :], *pool[:at]) if one not in taken), None)


def mutants(rules: str, pools: Pools) -> Iterator[Mutant]:
    """Yield every mutant of a file of rules."""
    root = yaml.compose(rules, Loader=yaml.SafeLoader)
    assert isinstance(root, MappingNode)
    listed = child(root, "rules")
    assert isinstance(listed, SequenceNode)
    rest = [(key, value) for key, value in root.value if key.value != "rules"]
    tail = yaml.serialize(MappingNode(root.tag, rest)) if rest else ""
    texts = [written(rule) for rule in listed.value]
    for at, rule in enumerate(listed.value):
        name = child(rule, "id").value
        for change, node in [("deleted", None), *changed_rules(rule, pools)]:
            parts = [*texts[:at], *([] if node is None else [written(node)]), *texts[at + 1 :]]
            yield Mutant(name, change, ("rules:\n" + "".join(parts) if parts else "rules: []\n") + tail)


def written(rule: Node) -> str:
    """Return a rule as an entry of a list."""
    return yaml.serialize(SequenceNode("tag:yaml.org,2002:seq", [rule], flow_style=False), width=10_000)


def child(node: Node, name: str) -> Node:
    """Return the value of a key that is there."""
    found: Node = next(value for key, value in node.value if key.value == name)
    return found


# a rule --------------------------------------------------------------------------------------------------------------


def changed_rules(rule: MappingNode, pools: Pools) -> Iterator[Change]:
    """Yield each change of one rule."""
    for at, (key, value) in enumerate(rule.value):
        name = key.value
        if name in CONDITIONS:
            yield f"{name} dropped", without(rule, at)
            yield from within(rule, at, name, conditions(value, pools))
        elif name in ("for", "clause"):
            yield from within(rule, at, name, values(value, name, pools))
        elif name == "except":
            yield from within(rule, at, name, exceptions(value, pools))
            if len(value.value) == 1:
                yield "except dropped", without(rule, at)
        elif name == "otherwise":
            yield from within(rule, at, name, values(value, name, pools))
    yield from otherwise(rule)


def otherwise(rule: MappingNode) -> Iterator[Change]:
    """Yield the rule with each other action, and without the one that it names."""
    at = next((at for at, (key, _) in enumerate(rule.value) if key.value == "otherwise"), None)
    duty = any(key.value == "expect" for key, _ in rule.value)
    given = ("alert" if duty else "withhold") if at is None else value_of(rule.value[at][1])
    for action in ACTIONS:
        if action != given:
            pair = (scalar("otherwise"), scalar(action))
            pairs = [*rule.value, pair] if at is None else [*rule.value[:at], pair, *rule.value[at + 1 :]]
            yield f"otherwise {action}", MappingNode(rule.tag, pairs, flow_style=False)


def exceptions(listed: SequenceNode, pools: Pools) -> Iterator[Change]:
    """Yield the exceptions with each of them dropped or changed. One is named by what it cites."""
    for at, one in enumerate(listed.value):
        cited = next((value_of(value) for key, value in one.value if key.value in ("clause", "law")), str(at))
        if len(listed.value) > 1:
            yield f"{cited} dropped", without(listed, at)
        for key_at, (key, value) in enumerate(one.value):
            if key.value == "if":
                changes = conditions(value, pools)
            elif key.value in ("clause", "to"):
                changes = values(value, key.value, pools)
            else:
                continue
            for change, node in within(one, key_at, key.value, changes):
                yield f"{cited}.{change}", replaced(listed, at, node)


# conditions ----------------------------------------------------------------------------------------------------------


def conditions(node: MappingNode, pools: Pools) -> Iterator[Change]:
    """Yield each change of a condition."""
    for at, (key, value) in enumerate(node.value):
        name = key.value
        if len(node.value) > 1:
            yield f"{name} dropped", without(node, at)
        if name == "not":
            yield "not undone", together(without(node, at), value)
            yield from within(node, at, name, conditions(value, pools))
        elif name in ("all", "any"):
            yield from within(node, at, name, several(value, pools))
            yield f"{name} negated", negated(node, at)
        else:
            yield f"{name} negated", negated(node, at)
            if name in WORD_SIBLINGS:
                sibling = WORD_SIBLINGS[name]
                pairs = [*node.value[:at], (scalar(sibling), value), *node.value[at + 1 :]]
                if not says_the_same(name, value) and not any(other.value == sibling for other, _ in node.value):
                    yield f"{name} is {sibling}", MappingNode(node.tag, pairs, flow_style=node.flow_style)
            yield from within(node, at, name, values(value, name, pools))


def says_the_same(word: str, value: Node) -> bool:
    """Tell whether `data` and `complete` mean the same here: of a single category, one of them is each of them."""
    names = [value_of(one) for one in value.value] if isinstance(value, SequenceNode) else [value_of(value)]
    return word in ("data", "complete") and len(names) == 1 and not names[0].startswith("of-")


def several(listed: SequenceNode, pools: Pools) -> Iterator[Change]:
    """Yield the parts of `all` or `any` with each of them dropped or changed."""
    for at, one in enumerate(listed.value):
        if len(listed.value) > 1:
            yield f"{at + 1} dropped", without(listed, at)
        for change, node in conditions(one, pools):
            yield f"{at + 1}.{change}", replaced(listed, at, node)


def negated(node: MappingNode, at: int) -> MappingNode:
    """Return a condition with one of its parts negated."""
    key, value = node.value[at]
    part = MappingNode(node.tag, [(scalar("not"), MappingNode(node.tag, [(key, value)], flow_style=True))])
    return together(without(node, at), part)


def together(rest: Node, part: Node) -> MappingNode:
    """Return the condition that two hold: one map, or `all` where both say something under the same key."""
    if {key.value for key, _ in rest.value} & {key.value for key, _ in part.value}:
        both = SequenceNode("tag:yaml.org,2002:seq", [rest, part], flow_style=True)
        return MappingNode(rest.tag, [(scalar("all"), both)], flow_style=True)
    return MappingNode(rest.tag, [*rest.value, *part.value], flow_style=True)


# values --------------------------------------------------------------------------------------------------------------


def values(node: Node, word: str, pools: Pools, taken: frozenset[str] = frozenset()) -> Iterator[Change]:
    """Yield each change of the value of a word."""
    if isinstance(node, SequenceNode):
        held = frozenset(value_of(one) for one in node.value)
        for at, one in enumerate(node.value):
            if len(node.value) > 1:
                yield f"without {value_of(one)}", without(node, at)
            for change, new in values(one, word, pools, held):
                yield change, replaced(node, at, new)
    elif isinstance(node, MappingNode):
        for at, (key, value) in enumerate(node.value):
            if len(node.value) > 1:
                yield f"{key.value} dropped", without(node, at)
            other = pools.sibling(word, key.value, frozenset(one.value for one, _ in node.value))
            if other is not None:
                pairs = [*node.value[:at], (scalar(other), value), *node.value[at + 1 :]]
                yield f"{key.value} is {other}", MappingNode(node.tag, pairs, flow_style=True)
            yield from within(node, at, key.value, values(value, key.value, pools))
    elif isinstance(node, ScalarNode):
        yield from scalars(node, word, pools, taken)


def scalars(node: ScalarNode, word: str, pools: Pools, taken: frozenset[str]) -> Iterator[Change]:
    """Yield each change of a value that is one text."""
    text = node.value
    sibling = pools.sibling(word, text, taken)
    if sibling is not None:
        yield f"{text} is {sibling}", ScalarNode(node.tag, sibling, style=node.style)
    if word not in ("clause", "to", "for"):
        for found in _NUMBER.finditer(text):
            number = int(found["number"])
            for other in dict.fromkeys((number - 1, number + 1, number * 2)):
                if other != number:
                    new = f"{text[: found.start('number')]}{other}{text[found.end('number') :]}"
                    yield f"{text} is {new}", ScalarNode(node.tag, new, style=node.style)


# nodes ---------------------------------------------------------------------------------------------------------------


def within(node: MappingNode, at: int, name: str, changes: Iterator[Change]) -> Iterator[Change]:
    """Yield a map with each change of one of its values."""
    key = node.value[at][0]
    for change, value in changes:
        pairs = [*node.value[:at], (key, value), *node.value[at + 1 :]]
        yield f"{name}.{change}", MappingNode(node.tag, pairs, flow_style=node.flow_style)


def without(node: Collection, at: int) -> Collection:
    """Return a map or list without one of its entries."""
    return type(node)(node.tag, [*node.value[:at], *node.value[at + 1 :]], flow_style=node.flow_style)


def replaced(node: SequenceNode, at: int, item: Node) -> SequenceNode:
    """Return a list with another entry at one place."""
    return SequenceNode(node.tag, [*node.value[:at], item, *node.value[at + 1 :]], flow_style=node.flow_style)


def scalar(text: str) -> ScalarNode:
    """Return a plain text."""
    return ScalarNode("tag:yaml.org,2002:str", text)


def value_of(node: Node) -> str:
    """Return a value in short: its text, or its parts."""
    if isinstance(node, ScalarNode):
        return str(node.value)
    if isinstance(node, MappingNode):
        return ", ".join(f"{value_of(key)} {value_of(value)}" for key, value in node.value)
    return " ".join(map(value_of, node.value))
