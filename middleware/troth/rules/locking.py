"""What a lock is made from: policy.md, the register of originals, and the lock that is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from troth.diagnostics import Diagnostic, Source, Span, in_order
from troth.rules.clauses import read_clauses
from troth.rules.load import read_file
from troth.rules.lock import Locked, lock, read_lock, read_originals
from troth.rules.reader import Reader
from troth.rules.yaml import compose


@dataclass(frozen=True, slots=True, kw_only=True)
class LockInput:
    """The lock as it should be now, or what keeps it from being written."""

    locked: tuple[Locked, ...]
    diagnostics: tuple[Diagnostic, ...]


def read_lock_input(folder: Path, originals: Path | None) -> LockInput:
    """Read policy.md and, where given, the originals; keep the original's fingerprints of the lock otherwise."""
    reader = Reader()
    text = _source(folder / "policy.md", reader)
    clauses, places, wrong = read_clauses(text)
    reader.found.extend(wrong)
    texts: dict[str, str] = {}
    if originals is not None:
        texts = _originals(originals, reader)
        if not reader.failed:
            _compare_order(list(texts), places, text, reader)
    locked = lock(clauses, texts)
    if originals is None:
        locked = _keep_originals(locked, folder / "policy.lock", reader)
    return LockInput(locked=locked, diagnostics=in_order(reader.found))


def _source(path: Path, reader: Reader) -> Source:
    if not path.exists():
        missing = Source(str(path))
        reader.report("TR001", f"there is no `{path.name}`", missing.whole())
        return missing
    source, wrong = read_file(path)
    reader.found.extend(wrong)
    return source


def _originals(path: Path, reader: Reader) -> dict[str, str]:
    source = _source(path, reader)
    node, wrong = compose(source)
    reader.found.extend(wrong)
    return read_originals(node, reader)


def _compare_order(originals: list[str], places: Mapping[str, Span], text: Source, reader: Reader) -> None:
    """Find clauses that are in one but not in the other, and clauses that stand in another order."""
    ours = list(places)
    missing = [name for name in originals if name not in places]
    for name in ours:
        if name not in set(originals):
            reader.report("TR409", f"the clause `{name}` is not in the original", places[name], docs="cli lock")
    for name in missing:
        reader.report("TR409", f"the clause `{name}` of the original is missing", text.whole(), docs="cli lock")
    if missing or len(ours) != len(originals):
        return
    for name, other in zip(ours, originals, strict=True):
        if name != other:
            message = f"the clause `{name}` stands where the original has `{other}`"
            reader.report("TR409", message, places[name], docs="cli lock")
            return


def _keep_originals(locked: tuple[Locked, ...], path: Path, reader: Reader) -> tuple[Locked, ...]:
    if not path.exists():
        return locked
    before, _ = read_lock(_source(path, reader))
    known = {one.id: one.original for one in before}
    return tuple(replace(one, original=known.get(one.id)) for one in locked)
