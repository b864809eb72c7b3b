"""From files to a policy and a binding: everything that is wrong, at once.

Five doors: `load_policy` (a folder), `load_texts` (the same files as text), `load_inline` (one file with the sections
`policy`, `rules`, `attestations`, `binding`, as cases have them), `load_binding` (a file or a Python mapping), and
`check_together` (what a policy cannot keep with a binding).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping as Dict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from troth.diagnostics import Diagnostic, Source, Span, in_order
from troth.model.binding import Binding
from troth.model.policy import Clause, Policy
from troth.rules import feasible
from troth.rules.attestations import kinds, read_attestations
from troth.rules.binding import read_binding
from troth.rules.clauses import read_clauses
from troth.rules.conflicts import refuse_conflicts
from troth.rules.loaded import Inline, Loaded, LoadedBinding
from troth.rules.lock import compare_lock, read_lock
from troth.rules.nodes import Mapping, Node
from troth.rules.reader import Kind, Reader
from troth.rules.rulefile import RuleFile, read_rules
from troth.rules.vocabulary import read_policy
from troth.rules.yaml import compose, decode, dump

POLICY_FILES = ("policy.md", "policy.yaml", "rules.yaml", "attestations.yaml")
"""What a fingerprint is taken over: the files that a judgement depends on."""
FILES = (*POLICY_FILES, "policy.lock")
"""All that is read of a policy folder."""
SECTIONS = ("policy", "rules", "attestations", "binding")


@dataclass(slots=True)
class _Parts:
    """The nodes of a policy, wherever they came from."""

    policy: Node | None = None
    rules: Node | None = None
    attestations: Node | None = None
    clauses: tuple[Clause, ...] | None = None
    broken: frozenset[str] = frozenset()
    """Sections that are there but could not be read: names that they would declare are unknown, not undeclared."""


# folders --------------------------------------------------------------------------------------------------------------


def load_policy(folder: str | Path) -> Loaded:
    """Load a policy folder. Never raises for what stands in it: a file that is missing or broken is a finding."""
    path = Path(folder)
    sources: dict[str, Source] = {}
    found: list[Diagnostic] = []
    for name in FILES:
        if (path / name).exists():
            source, wrong = read_file(path / name)
            found.extend(wrong)
            sources[name] = source
    if "policy.yaml" not in sources:
        missing = Source(str(path / "policy.yaml"))
        message = "there is no `policy.yaml`" if path.is_dir() else f"there is no folder `{path}`"
        advice = "start one with `troth init`"
        absent = Diagnostic(code="TR001", message=message, span=missing.whole(), help=advice)
        return Loaded(policy=None, diagnostics=(absent,))
    return _load_sources(sources, path.resolve().name, found)


def load_texts(texts: Dict[str, str], *, name: str = "inline") -> Loaded:
    """Load the files of a policy folder from text; `texts` maps file names (``policy.yaml``, …) to their text."""
    sources = {file: Source(f"{name}/{file}", text) for file, text in texts.items() if file in FILES}
    return _load_sources(sources, name, [])


def read_file(path: Path) -> tuple[Source, tuple[Diagnostic, ...]]:
    """Return the text of a file, or why it cannot be read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        source = Source(str(path))
        message = f"the file cannot be opened: {(error.strerror or 'unknown reason').lower()}"
        return source, (Diagnostic(code="TR014", message=message, span=source.whole()),)
    return decode(data, str(path))


def _load_sources(sources: dict[str, Source], name: str, found: list[Diagnostic]) -> Loaded:
    unread = {one.span.file for one in found}
    reader = Reader(found=found)
    parts, broken = _Parts(), set[str]()
    for section in ("policy", "rules", "attestations"):
        source = sources.get(f"{section}.yaml")
        if source is None:
            continue
        before = len(found)
        setattr(parts, section, _compose(source, reader) if source.name not in unread else None)
        if source.name in unread or any(one.code != "TR010" for one in found[before:]):
            broken.add(section)
    parts.broken = frozenset(broken)
    places = _read_text(sources, parts, unread, reader)
    policy, rules = _assemble(parts, reader, name)
    _check_lock(sources, parts, places, reader)
    if policy is not None and not reader.failed:
        at = (sources.get("rules.yaml") or sources["policy.yaml"]).whole() if sources else Source(name).whole()
        feasible.warn_of_kinds(policy, at, reader)
        text = sources["policy.md"].text if "policy.md" in sources else ""
        policy = replace(policy, text=text, fingerprint=_fingerprint(sources))
    return _loaded(policy, reader, rules, places)


def _loaded(policy: Policy | None, reader: Reader, rules: RuleFile, clauses: Dict[str, Span]) -> Loaded:
    found = in_order(reader.found)
    usable = policy if not any(one.is_error for one in found) else None
    return Loaded(policy=usable, diagnostics=found, places=rules.places, clauses=clauses)


def _compose(source: Source, reader: Reader) -> Node | None:
    node, wrong = compose(source)
    reader.found.extend(wrong)
    return node


def _read_text(sources: dict[str, Source], parts: _Parts, unread: set[str], reader: Reader) -> dict[str, Span]:
    source = sources.get("policy.md")
    if source is None or source.name in unread:
        return {}
    clauses, places, wrong = read_clauses(source)
    reader.found.extend(wrong)
    parts.clauses = clauses
    return places


def _fingerprint(sources: Dict[str, Source]) -> str:
    digest = hashlib.sha256()
    for name in POLICY_FILES:
        data = sources[name].text.encode() if name in sources else b""
        digest.update(f"{name} {len(data)}\n".encode() + data)
    return digest.hexdigest()


def _check_lock(sources: dict[str, Source], parts: _Parts, places: Dict[str, Span], reader: Reader) -> None:
    source = sources.get("policy.lock")
    if source is None or parts.clauses is None:
        return
    locked, wrong = read_lock(source)
    reader.found.extend(wrong or compare_lock(locked, parts.clauses, places, source))


# reading --------------------------------------------------------------------------------------------------------------


def _assemble(parts: _Parts, reader: Reader, name: str) -> tuple[Policy | None, RuleFile]:
    if parts.clauses is not None:
        reader.names[Kind.CLAUSE] = frozenset(clause.id for clause in parts.clauses)
    if parts.attestations is not None:
        reader.statements = kinds(parts.attestations)
    policy = read_policy(parts.policy, reader, name) if "policy" not in parts.broken else None
    if policy is None:
        # Nothing is known about names; what they would be checked against is already found wrong.
        reader.names = {kind: names for kind, names in reader.names.items() if kind is Kind.CLAUSE}
    rules = read_rules(parts.rules, reader)
    statements = read_attestations(parts.attestations, reader)
    refuse_conflicts(rules, reader)
    if policy is None:
        return None, rules
    built = replace(
        policy,
        rules=tuple(rules.rules),
        none=rules.none,
        remainder=rules.remainder,
        attestations=statements,
        clauses=parts.clauses or (),
    )
    return built, rules


def load_inline(text: str, *, name: str = "inline") -> Inline:
    """Load one file of sections. Sections other than `SECTIONS` are handed back as nodes, unread."""
    source = Source(name, text)
    reader = Reader()
    node = _compose(source, reader)
    if not isinstance(node, Mapping):
        if node is not None:
            reader.report("TR103", "a file of cases is a map of sections", node)
        return Inline(policy=None, binding=None, diagnostics=in_order(reader.found), rest={})
    return load_sections({key.text: value for key, value in node}, name=name, reader=reader)


def load_sections(sections: Dict[str, Node], *, name: str = "inline", reader: Reader | None = None) -> Inline:
    """Load the sections `policy`, `rules`, `attestations` and `binding` from nodes; hand back the rest."""
    reader = reader or Reader()
    parts = _Parts(
        policy=sections.get("policy"), rules=sections.get("rules"), attestations=sections.get("attestations")
    )
    policy, _ = _assemble(parts, reader, Path(name).stem)
    binding = read_binding(sections.get("binding"), policy, reader).binding if policy else None
    if policy is not None:
        texts = "\n".join(node.span.source.text for node in sections.values())
        policy = replace(policy, fingerprint=hashlib.sha256(texts.encode()).hexdigest())
    found = in_order(reader.found)
    usable = not any(one.is_error for one in found)
    rest = {key: node for key, node in sections.items() if key not in SECTIONS}
    return Inline(policy=policy if usable else None, binding=binding if usable else None, diagnostics=found, rest=rest)


# bindings -------------------------------------------------------------------------------------------------------------


def load_binding(given: str | Path | Dict[str, Any] | None, policy: Policy) -> LoadedBinding:
    """Load a binding from a file or from the same keys as a Python mapping; None is the empty binding."""
    if given is None:
        return LoadedBinding(binding=Binding())
    source, wrong = _binding_source(given)
    return LoadedBinding(binding=None, diagnostics=wrong) if wrong else _bound(source, policy)


def load_binding_text(text: str, policy: Policy, *, name: str = "binding.yaml") -> LoadedBinding:
    """Load a binding from its text; `name` is what findings call it."""
    return _bound(Source(name, text), policy)


def _bound(source: Source, policy: Policy) -> LoadedBinding:
    reader = reader_for(policy)
    node = _compose(source, reader)
    binding = read_binding(node, policy, reader).binding
    return LoadedBinding(binding=None if reader.failed else binding, diagnostics=in_order(reader.found))


def _binding_source(given: str | Path | Dict[str, Any]) -> tuple[Source, tuple[Diagnostic, ...]]:
    if not isinstance(given, str | Path):
        return Source("<binding>", dump(given)), ()
    path = Path(given)
    if not path.exists():
        missing = Source(str(path))
        message = f"there is no file `{path}`"
        return missing, (Diagnostic(code="TR001", message=message, span=missing.whole()),)
    return read_file(path)


def reader_for(policy: Policy) -> Reader:
    """Return a reader that knows what a policy declares: for a binding, or for cases."""
    tables: dict[Kind, frozenset[str]] = {
        Kind.PURPOSE: frozenset(policy.purposes), Kind.CONSENT: frozenset(policy.consents),
        Kind.PARTY: frozenset(policy.parties), Kind.STATE: frozenset(policy.states),
        Kind.EVENT: frozenset(policy.events), Kind.MARK: frozenset(policy.marks), Kind.AREA: frozenset(policy.areas),
        Kind.DATA: frozenset(policy.data), Kind.ORIGIN: frozenset(policy.origins),
        Kind.COOKIE: frozenset(row.pattern for row in policy.cookies),
    }  # fmt: skip
    if policy.clauses:
        tables[Kind.CLAUSE] = frozenset(clause.id for clause in policy.clauses)
    return Reader(
        names=tables, consents=dict(policy.consents), states=dict(policy.states), marks=dict(policy.marks),
        roles=frozenset(role for party in policy.parties.values() for role in party.roles),
    )  # fmt: skip


def check_together(loaded: Loaded, binding: Binding | None, *, name: str = "binding") -> tuple[Diagnostic, ...]:
    """Return what a loaded policy cannot keep with a binding, or without one; nothing for a policy with errors.

    The policy must come from `load_policy` or `load_texts`, which know where its rules stand.
    """
    policy = loaded.policy
    if policy is None:
        return ()
    reader = Reader()
    first = next(iter(loaded.places.values()), None)
    whole = first["id"].source.whole() if first else Source(name).whole()
    if binding is None:
        feasible.warn_without_binding(policy, whole, reader)
    else:
        feasible.check_binding(policy, binding, loaded.places, Source(name).whole(), reader)
    return in_order(reader.found)
