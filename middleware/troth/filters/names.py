"""Names of members, parameters and headers to categories of data: exact or with ``*``, compared without case."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

Categories = tuple[str, ...]
"""Ids of categories, sorted, each once; empty where a name has none."""
NONE: Final[Categories] = ()
UNDECLARED: Final = "?"
"""What stands in a line for a name that nobody declared."""
_REMEMBERED: Final = 2048
_LONGEST: Final = 128
_MARKS: Final = str.maketrans("", "", "-_ ")
"""What people put between the words of a name, or leave out."""


class Glob:
    """A name pattern in which each ``*`` stands for any run of characters. Matching is linear in the name."""

    __slots__ = ("_head", "_middle", "_tail")

    def __init__(self, pattern: str) -> None:
        self._head, *middle, self._tail = pattern.split("*") if "*" in pattern else (pattern, pattern)
        self._middle = tuple(middle) if "*" in pattern else None

    def matches(self, name: str) -> bool:
        """Say whether the whole `name` fits the pattern."""
        if self._middle is None:
            return name == self._head
        at, end = len(self._head), len(name) - len(self._tail)
        if end < at or not name.startswith(self._head) or not name.endswith(self._tail):
            return False
        for part in self._middle:
            at = name.find(part, at, end)
            if at < 0:
                return False
            at += len(part)
        return True


class Names:
    """Declared names, compiled. `declared` maps a name, or a pattern such as ``x-geo-*``, to ids of categories.

    Names are compared without case. One that fits nothing so is compared without hyphens, underscores and blanks as
    well: ``date_of_birth`` is ``dateOfBirth`` and ``Date of birth`` too.
    """

    __slots__ = ("_exact", "_globs", "_loose", "_seen")

    def __init__(self, declared: Mapping[str, Iterable[str]]) -> None:
        lowered = [(name.lower(), tuple(ids)) for name, ids in declared.items()]
        self._exact: dict[str, Categories] = {}
        for name, ids in lowered:
            if "*" not in name:
                self._exact[name] = _merged(self._exact.get(name, NONE), ids)
        spelled = [(name.translate(_MARKS), name) for name in reversed(self._exact)]
        self._loose = {loose: name for loose, name in spelled if loose}
        self._globs = [(Glob(name), name, ids) for name, ids in lowered if "*" in name]
        self._seen: dict[str, tuple[Categories, str]] = {}

    def of(self, name: str) -> Categories:
        """Return the categories of `name`; empty where it is not declared. Remembers a bounded number of answers."""
        return self._answer(name)[0]

    def shown(self, name: str) -> str:
        """Return how `name` may stand in a line: as it was declared, in lower case or as the pattern; else ``?``."""
        return self._answer(name)[1]

    def _answer(self, name: str) -> tuple[Categories, str]:
        found = self._seen.get(name)
        if found is None:
            found = self._look_up(name.lower())
            if len(name) <= _LONGEST:
                if len(self._seen) >= _REMEMBERED:
                    self._seen.clear()
                self._seen[name] = found
        return found

    def _look_up(self, name: str) -> tuple[Categories, str]:
        found = self._exact.get(name, NONE)
        shown = name if name in self._exact else ""
        for glob, pattern, ids in self._globs:
            if glob.matches(name):
                found = _merged(found, ids)
                shown = shown or pattern
        if not shown and (declared := self._loose.get(name.translate(_MARKS))) is not None:
            return self._exact[declared], declared
        return found, shown or UNDECLARED


def _merged(first: Categories, second: Iterable[str]) -> Categories:
    return tuple(sorted({*first, *second}))
