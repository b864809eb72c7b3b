"""The cases of a policy folder: `rules_test.yaml`, and the files under `cases/`, which share its binding."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from troth.cases.files import load_cases
from troth.cases.values import CaseFile
from troth.model.binding import Binding
from troth.model.policy import Policy

CASES: Final = "rules_test.yaml"
MORE: Final = "cases"


def case_paths(folder: Path) -> tuple[Path, ...]:
    """Return the case files of a policy folder: `rules_test.yaml` first, then those under `cases/` by name."""
    first = folder / CASES
    return (*((first,) if first.exists() else ()), *sorted((folder / MORE).glob("*.yaml")))


def load_files(paths: Iterable[Path], policy: Policy | None, binding: Binding | None = None) -> list[CaseFile]:
    """Load case files. One under `cases/` that brings no binding is about that of the `rules_test.yaml` beside it."""
    shared: dict[Path, Binding | None] = {}
    read: list[CaseFile] = []
    for path in paths:
        folder = path.parent.parent
        if binding is None and path.parent.name == MORE and folder not in shared:
            shared[folder] = _binding_of(folder / CASES, policy, read)
        read.append(load_cases(path, policy, binding or shared.get(folder)))
    return read


def _binding_of(path: Path, policy: Policy | None, read: Iterable[CaseFile]) -> Binding | None:
    there = next((file for file in read if file.name == str(path)), None)
    if there is None and path.exists():
        there = load_cases(path, policy)
    return None if there is None else there.binding


def only(file: CaseFile, ids: Iterable[str]) -> CaseFile:
    """Return a file with those of its cases that have one of the ids; with all of them if none is named."""
    wanted = frozenset(ids)
    return replace(file, cases=tuple(case for case in file.cases if not wanted or case.id in wanted))
