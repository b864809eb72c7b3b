"""`rules.yaml`: the list `rules`; `none`, clauses that put no duty on the site, each with the reason; `remainder`,
clauses of which a part waits for another mechanism or a person.
"""

from __future__ import annotations

from collections.abc import Mapping as Dict
from dataclasses import dataclass, field, replace

from troth.diagnostics import Span
from troth.model.rules import Condition, Effect, Opening, Reading, Rule
from troth.model.words import Action, Mode, Thing
from troth.rules.conditions import Conditions, Role
from troth.rules.effects import OTHERWISE, check_effects
from troth.rules.nodes import Mapping, Node, Scalar, Sequence
from troth.rules.reader import Kind, Reader, described, did_you_mean
from troth.rules.rows import CLAUSES
from troth.rules.scalars import BOOL, NAME, TEXT
from troth.rules.shapes import Later, Made, Many, OneOf, Record, Ref, Row, Schema, Shape, Table

_THINGS: Shape[tuple[str, ...]] = Many(OneOf(tuple(Thing), "a thing", "words things"))
_MODE = OneOf(tuple(Mode), "a mode", "grammar mode")
_READING = Record("`reading`", {"against": CLAUSES, "why": TEXT}, ("against", "why"), docs="grammar reading")
_READINGS = Many(Made(_READING, lambda row: Reading(against=row["against"], why=row["why"])))
_PERMISSION = "a permission stands only under `except` of the rule that it opens"


def _condition_in(role: Role) -> Later:
    """Reserve a key for a condition, which is read once the rule's things are known."""
    return Later(Conditions(role).schema)


def _exceptions() -> Schema:
    return {"type": "array", "minItems": 1, "items": _EXCEPTION.schema()}


_EXCEPTION = Record(
    "an exception",
    {"clause": CLAUSES, "law": TEXT, "if": _condition_in(Role.IF), "to": Many(NAME)},
    ("if",),
    docs="grammar except",
    hints={"only-if": "write `if`", "match": "write `if`"},
    one_of=("clause", "law"),
)
RULE = Record(
    "a rule",
    {
        "id": NAME, "clause": CLAUSES, "for": _THINGS, "match": _condition_in(Role.MATCH),
        "only-if": _condition_in(Role.ONLY_IF), "expect": _condition_in(Role.EXPECT), "otherwise": OTHERWISE,
        "except": Later(_exceptions), "reading": _READINGS, "mode": _MODE, "evidence": BOOL,
        "unreadable": OneOf(("act", "pass"), "what a rule does with what it cannot read", "grammar unreadable"),
    },
    ("id", "clause", "for"),
    docs="grammar",
    hints={"if": _PERMISSION, "to": _PERMISSION, "allow": _PERMISSION, "permit": _PERMISSION},
)  # fmt: skip
_NONE: Shape[dict[str, str]] = Table(Ref(Kind.CLAUSE), TEXT, "`none`, a map of clause to reason,")
_REMAINDERS: Shape[dict[str, str]] = Table(
    Ref(Kind.CLAUSE),
    OneOf(("markup", "outbound", "person"), "what a part of a clause waits for", "grammar remainder"),
    "`remainder`",
)


def _rules() -> Schema:
    return {"type": "array", "items": RULE.schema()}


RULES_FILE = Record(
    "a file of rules", {"rules": Later(_rules), "none": _NONE, "remainder": _REMAINDERS}, docs="grammar"
)


@dataclass(slots=True)
class RuleFile:
    """What was read: rules that have no error, the `none` map, and where each rule and its parts stand."""

    rules: list[Rule] = field(default_factory=list)
    none: dict[str, str] = field(default_factory=dict)
    remainder: dict[str, str] = field(default_factory=dict)
    places: dict[str, Dict[str, Span]] = field(default_factory=dict)
    """Rule id to the place of each of its keys; ``id`` is that of the id itself."""
    targets: list[tuple[Scalar, Opening]] = field(default_factory=list)
    """Exceptions that open another rule, by the name as written."""


def read_rules(node: Node | None, reader: Reader) -> RuleFile:
    """Read the file, or a bare list of rules as cases hold it."""
    file = RuleFile()
    if isinstance(node, Sequence):
        _read_list(node, reader, file)
    elif isinstance(node, Mapping):
        _read_file(node, reader, file)
    elif node is not None:
        reader.report("TR103", f"a file of rules is a map, but this is {described(node)}", node, docs="grammar")
    _open_others(file, reader)
    _refuse_accounted_twice(node, file, reader)
    return file


def _read_file(node: Mapping, reader: Reader, file: RuleFile) -> None:
    row = RULES_FILE.read(node, reader) or {}
    file.none = row.get("none", {})
    file.remainder = row.get("remainder", {})
    if "rules" in row:
        _read_list(row["rules"], reader, file)


def _read_list(node: Node, reader: Reader, file: RuleFile) -> None:
    if not isinstance(node, Sequence):
        reader.report("TR103", f"`rules` is a list, but this is {described(node)}", node, docs="grammar")
        return
    for one in node:
        if (rule := _read_rule(one, reader, file)) is not None:
            file.rules.append(rule)


def _read_rule(node: Node, reader: Reader, file: RuleFile) -> Rule | None:
    if isinstance(node, Mapping) and _is_permission(node):
        at = node.key("if") or node
        reader.report("TR309", "this permission stands alone", at, advice=_PERMISSION, docs="grammar except")
        return None
    before = sum(one.is_error for one in reader.found)
    row = RULE.read(node, reader)
    if not isinstance(node, Mapping):
        return None
    rule = _build(node, row or {}, reader, file)
    _note_place(node, reader, file)
    return rule if row is not None and sum(one.is_error for one in reader.found) == before else None


def _is_permission(node: Mapping) -> bool:
    """Whether this looks like an exception: it says `if`, and nothing that makes it a rule."""
    return node.key("if") is not None and not any(node.key(key) for key in ("for", "match", "only-if", "expect"))


def _build(node: Mapping, row: Row, reader: Reader, file: RuleFile) -> Rule:
    things = tuple(Thing(name) for name in row.get("for", ()))
    match = _condition(node, Role.MATCH, things, reader)
    only_if = _condition(node, Role.ONLY_IF, things, reader)
    expect = _condition(node, Role.EXPECT, things, reader)
    written = row.get("otherwise", ())
    rule = Rule(
        id=row.get("id", ""), clauses=row.get("clause", ()), things=things, match=match, only_if=only_if,
        expect=expect, effects=written or (Effect(action=Action.ALERT if expect else Action.WITHHOLD),),
        defaulted=not written, openings=_openings(node, things, reader, file), readings=row.get("reading", ()),
        mode=Mode(row.get("mode", Mode.ENFORCE)), evidence=row.get("evidence", False),
        unreadable_passes=row.get("unreadable") == "pass",
    )  # fmt: skip
    _check_parts(node, rule, reader)
    check_effects(node, rule, reader)
    return rule


def _condition(node: Mapping, role: Role, things: tuple[Thing, ...], reader: Reader) -> Condition | None:
    value = node.get(role)
    return None if value is None else Conditions(role, things).read(value, reader)


def _openings(node: Mapping, things: tuple[Thing, ...], reader: Reader, file: RuleFile) -> tuple[Opening, ...]:
    listed = node.get("except")
    if listed is None:
        return ()
    if not isinstance(listed, Sequence) or not listed.items:
        code = "TR111" if isinstance(listed, Sequence) else "TR103"
        reader.report(code, f"`except` is a list of permissions, but this is {described(listed)}", listed)
        return ()
    read = (_opening(one, things, reader, file) for one in listed)
    return tuple(one for one in read if one is not None)


def _opening(node: Node, things: tuple[Thing, ...], reader: Reader, file: RuleFile) -> Opening | None:
    row = _EXCEPTION.read(node, reader)
    if row is None or not isinstance(node, Mapping):
        return None
    condition = Conditions(Role.IF, things).read(row["if"], reader)
    if (node.key("clause") is None) == (node.key("law") is None):
        message = "an exception cites the clause that permits it, or a law"
        reader.report("TR312", message, node.pairs[0][0], docs="grammar except")
        return None
    if condition is None or not ("clause" in row or "law" in row):
        return None
    opening = Opening(condition=condition, clauses=row.get("clause", ()), law=row.get("law"))
    targets = node.get("to")
    for one in targets if isinstance(targets, Sequence) else (targets,):
        if isinstance(one, Scalar):
            file.targets.append((one, opening))
    return opening


def _check_parts(node: Mapping, rule: Rule, reader: Reader) -> None:
    second = node.key("expect")
    if node.get("only-if") is not None and second is not None:
        message = "a rule has a condition or a duty, not both"
        reader.report("TR311", message, second, advice="make it two rules, or move the condition into `match`")
    if rule.match is None:
        return
    key = node.key("only-if")
    if rule.only_if == rule.match and key is not None:
        reader.report("TR306", "this rule never acts: `only-if` says what `match` says", key)
    key = node.key("except")
    if key is not None and any(one.condition == rule.match for one in rule.openings):
        reader.report("TR306", "this rule never acts: an exception says what `match` says", key)


def _note_place(node: Mapping, reader: Reader, file: RuleFile) -> None:
    name = node.get("id")
    if not isinstance(name, Scalar):
        return
    if name.text in file.places:
        first = file.places[name.text]["id"].line
        reader.report("TR301", f"the rule `{name.text}` stands twice", name, label=f"first given on line {first}")
        return
    file.places[name.text] = {**{key.text: key.span for key, _ in node}, "id": name.span}


def _open_others(file: RuleFile, reader: Reader) -> None:
    """Give exceptions that say `to` to the rules they name, besides the one they stand under."""
    by_id = {rule.id: place for place, rule in enumerate(file.rules)}
    for name, opening in file.targets:
        if name.text in by_id:
            rule = file.rules[by_id[name.text]]
            if opening not in rule.openings:
                file.rules[by_id[name.text]] = replace(rule, openings=(*rule.openings, opening))
        elif name.text not in file.places:
            advice = did_you_mean(name.text, file.places)
            reader.report("TR313", f"no rule is called `{name.text}`", name, advice=advice, docs="grammar except")


def _refuse_accounted_twice(node: Node | None, file: RuleFile, reader: Reader) -> None:
    none = node.get("none") if isinstance(node, Mapping) else None
    cited = {clause: rule.id for rule in file.rules for clause in rule.clauses}
    for key, _ in none if isinstance(none, Mapping) else ():
        if key.text in cited:
            message = f"the clause `{key.text}` has the rule `{cited[key.text]}`, yet stands under `none`"
            reader.report("TR314", message, key)
