"""Case files: a list of cases, with a binding, and perhaps a whole policy, of their own (``docs/cases.md``)."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Dict
from dataclasses import replace
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Final

from troth.cases.messages import ANSWER_SHAPE, REQUEST_SHAPE
from troth.cases.plain import ANY_TEXT, INSTANT
from troth.cases.situation import GIVEN_SHAPE
from troth.cases.things import FACTS_SHAPE
from troth.cases.values import Answer, Case, CaseFile, Given, Request, Url
from troth.cases.wishes import EXPECT_SHAPE
from troth.diagnostics import Diagnostic, Source, in_order
from troth.model.binding import Binding
from troth.model.policy import Policy
from troth.rules import load_binding, load_sections, reader_for
from troth.rules.binding import read_binding
from troth.rules.load import SECTIONS, read_file
from troth.rules.nodes import Mapping, Node, Scalar, Sequence
from troth.rules.reader import Reader, described, did_you_mean, listing
from troth.rules.shapes import Many, Record
from troth.rules.yaml import compose

DOCS: Final = "cases"
_OWN: Final = ("binding", "clock", "cases")
_PLAIN_HOST: Final = "localhost"
_NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
CASE: Final = Record(
    "a case",
    {
        "id": ANY_TEXT, "clause": Many(ANY_TEXT), "about": ANY_TEXT, "waits": ANY_TEXT, "given": GIVEN_SHAPE,
        "request": REQUEST_SHAPE, "app": ANSWER_SHAPE, "facts": FACTS_SHAPE, "expect": EXPECT_SHAPE,
    },
    ("id", "expect"),
    docs="cases a case",
    hints={"response": "what the app answers stands under `app`", "when": "what is asked stands under `request`"},
)  # fmt: skip


def load_cases(path: Path, policy: Policy | None = None, binding: Binding | None = None) -> CaseFile:
    """Load a case file. `policy` and `binding` count where it brings none. Never raises for what stands in it."""
    source, wrong = read_file(path)
    if wrong:
        return CaseFile(name=str(path), policy=None, binding=None, diagnostics=wrong)
    return _load(source, policy, binding, path.parent)


def load_cases_text(
    text: str, *, name: str = "cases.yaml", policy: Policy | None = None, binding: Binding | None = None
) -> CaseFile:
    """Load cases from text; `name` is what findings call it."""
    return _load(Source(name, text), policy, binding, Path())


def usual_clock(policy: Policy) -> datetime:
    """Return the instant of cases that name none: noon of 1 March 2026, or of the latest statement's day."""
    dated = [one.dated for one in policy.attestations if one.dated is not None]
    return max([_NOON, *(datetime.combine(day, time(12), UTC) for day in dated)])


def _load(source: Source, policy: Policy | None, binding: Binding | None, folder: Path) -> CaseFile:
    node, wrong = compose(source)
    if wrong or not isinstance(node, Mapping):
        unread = wrong or (_no_map(node, source),)
        return CaseFile(name=source.name, policy=None, binding=None, diagnostics=unread)
    sections = {key.text: value for key, value in node}
    if "policy" in sections:
        inline = load_sections(sections, name=source.name)
        policy, bound, found = inline.policy, inline.binding, list(inline.diagnostics)
        known: tuple[str, ...] = (*SECTIONS, *_OWN)
    else:
        bound, found = _binding(sections.get("binding"), policy, binding, folder)
        known = _OWN
    if policy is None:
        return CaseFile(name=source.name, policy=None, binding=None, diagnostics=tuple(found or [_no_policy(source)]))
    reader = reader_for(policy)
    with reader.page(DOCS):
        _refuse_unknown(node, known, reader)
        cases = tuple(_cases(sections.get("cases"), policy, reader))
        clock = INSTANT.read(sections["clock"], reader) if "clock" in sections else None
    _warn_of_names(node, policy, reader)
    return CaseFile(
        name=source.name, policy=policy, binding=bound, cases=cases, clock=clock,
        diagnostics=in_order([*found, *reader.found]),
    )  # fmt: skip


def _no_map(node: Node | None, source: Source) -> Diagnostic:
    said = "nothing" if node is None else described(node)
    span = source.whole() if node is None else node.span
    return Diagnostic(code="TR103", message=f"a file of cases is a map, but this is {said}", span=span, docs=DOCS)


def _no_policy(source: Source) -> Diagnostic:
    advice = "name a policy folder, or give the file a `policy`"
    return Diagnostic(code="TR102", message="there is no policy", span=source.whole(), help=advice, docs=DOCS)


def _binding(
    node: Node | None, policy: Policy | None, given: Binding | None, folder: Path
) -> tuple[Binding | None, list[Diagnostic]]:
    """Return the file's own binding (a section, or the path of a file), else the given one, else an empty one."""
    if policy is None or node is None:
        return given or Binding(), []
    if isinstance(node, Scalar) and node.text:
        read = load_binding(folder / node.text, policy)
        return read.binding, list(read.diagnostics)
    reader = reader_for(policy)
    bound = read_binding(node, policy, reader).binding
    return (None if reader.failed else bound), list(reader.found)


def _refuse_unknown(node: Mapping, known: tuple[str, ...], reader: Reader) -> None:
    for key, _ in node:
        if key.text in known:
            continue
        advice = did_you_mean(key.text, known) or f"one of {listing(known)}"
        if key.text in SECTIONS:
            advice = "a file that brings rules of its own brings its `policy` too"
        reader.report("TR101", f"unknown key `{key.text}` in a file of cases", key, advice=advice)


# cases -----------------------------------------------------------------------------------------------------------


def _cases(node: Node | None, policy: Policy, reader: Reader) -> Iterator[Case]:
    if not isinstance(node, Sequence):
        if node is not None:
            reader.report("TR103", f"`cases` is a list, but this is {described(node)}", node)
        return
    seen: dict[str, int] = {}
    for item in node:
        case = _case(item, policy, reader)
        if case is None:
            continue
        if case.id in seen:
            at = item.get("id") if isinstance(item, Mapping) else None
            label = f"first given on line {seen[case.id]}"
            reader.report("TR501", f"the case `{case.id}` stands twice", at or item, label=label)
        seen.setdefault(case.id, case.span.line)
        yield case


def _case(node: Node, policy: Policy, reader: Reader) -> Case | None:
    before = len(reader.found)
    row = CASE.read(node, reader)
    if row is None or not isinstance(node, Mapping):
        return None
    plays = "request" in row or "facts" in row
    given = row.get("given", Given())
    if not plays and not given.earlier and len(reader.found) == before:
        reader.report("TR505", f"the case `{row['id']}` has neither a request nor facts", node.key("id") or node)
        return None
    request = _completed(row.get("request"), policy)
    return Case(
        id=row["id"], clauses=row.get("clause", ()), span=(node.get("id") or node).span,
        given=given, request=request, app=row.get("app", (Answer(),))[0],
        answers=row.get("app", (None,))[0] is not None, facts=row.get("facts"), expect=row["expect"],
        waits=row.get("waits"), clock_only=not plays,
    )  # fmt: skip


def _completed(request: Request | None, policy: Policy) -> Request:
    """Return the request with a host: a path stands on the first host of the policy."""
    host = own_host(policy)
    if request is None:
        return Request(method="GET", url=Url(scheme="https", host=host, path="/"))
    return request if request.url.host else replace(request, url=replace(request.url, host=host))


def own_host(policy: Policy) -> str:
    """Return the first host of a policy that is one and no pattern."""
    return next((host for host in policy.identity.hosts if not host.startswith("*")), _PLAIN_HOST)


def _warn_of_names(node: Mapping, policy: Policy, reader: Reader) -> None:
    """Warn of a reason that no rule can give: its rule or its clause is nobody's."""
    rules = {rule.id for rule in policy.rules}
    clauses = {clause for rule in policy.rules for clause in rule.clauses}
    clauses |= {clause for rule in policy.rules for opening in rule.openings for clause in opening.clauses}
    cases = node.get("cases")
    for case in cases if isinstance(cases, Sequence) else ():
        expect = case.get("expect") if isinstance(case, Mapping) else None
        if isinstance(expect, Mapping):
            _warn_of(expect, {"clause": clauses, "rule": rules}, reader)


def _warn_of(expect: Mapping, known: Dict[str, set[str]], reader: Reader) -> None:
    for at, names in _names(expect, known):
        if at.text not in names:
            advice = did_you_mean(at.text, names)
            reader.report("TR506", f"no rule can give the reason `{at.text}`", at, advice=advice, docs=DOCS)


def _names(expect: Mapping, known: Dict[str, set[str]]) -> Iterator[tuple[Scalar, set[str]]]:
    for section in ("reasons", "no-reason"):
        node = expect.get(section)
        for one in node.items if isinstance(node, Sequence) else (node,):
            if isinstance(one, Scalar) and one.text not in ("true", "false"):
                yield one, known["clause"] | known["rule"]
            elif isinstance(one, Mapping):
                yield from _of_reason(one, known)


def _of_reason(reason: Mapping, known: Dict[str, set[str]]) -> Iterator[tuple[Scalar, set[str]]]:
    for key, names in known.items():
        value = reason.get(key)
        for one in value.items if isinstance(value, Sequence) else (value,):
            if isinstance(one, Scalar):
                yield one, names
