"""Patterns of the policy's author, compiled only if no value can make them slow."""

from __future__ import annotations

import re
from collections.abc import Callable
from re import _parser as _syntax  # type: ignore[attr-defined]  # typeshed lists no submodules of re
from typing import Any, Final

_WINDOW: Final = 256
_PATHS: Final = 1 << 16


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """Compile a pattern of the policy's author into a search whose time a value cannot blow up.

    Raises ValueError if it is no regular expression, refers back, or could take more than 65,536 paths through 256
    characters: two open quantifiers in a row are fine, one inside another is not. Long values are read in windows of
    256 characters that overlap by half.
    """
    try:
        compiled, parsed = re.compile(pattern), _syntax.parse(pattern)
    except re.error as cause:
        raise ValueError(f"not a regular expression: {cause}") from cause
    if not pattern or _paths(parsed) > _PATHS:
        raise ValueError("the pattern could take too long: bound its quantifiers, and put none inside another")

    def search(text: str) -> bool:
        if len(text) <= _WINDOW:
            return compiled.search(text) is not None
        starts = range(0, len(text) - _WINDOW // 2, _WINDOW // 2)
        return any(compiled.search(text, start, start + _WINDOW) is not None for start in starts)

    return search


def _paths(tree: Any) -> int:
    """Return an upper bound of the ways in which the parsed pattern can match from one position."""
    ways = 1
    for kind, argument in tree:
        match str(kind):
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                ways *= _repeats(*argument)
            case "BRANCH":
                ways *= sum(_paths(branch) for branch in argument[1])
            case "SUBPATTERN":
                ways *= _paths(argument[-1])
            case "GROUPREF" | "GROUPREF_EXISTS" | "ASSERT" | "ASSERT_NOT" | "ATOMIC_GROUP":
                return _PATHS + 1
            case _:
                pass
        if ways > _PATHS:
            return ways
    return ways


def _repeats(least: int, most: int, inner: Any) -> int:
    most = min(int(most), _WINDOW)
    inside = _paths(inner)
    lengths = max(1, most - int(least) + 1)
    return lengths if inside == 1 else min(lengths * inside ** min(most, 20), _PATHS + 1)
