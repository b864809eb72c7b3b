"""Truth as a set of possibilities in four bits, combined by table look-up (judging, section 1).

Bits: 1 true, 2 false, 4 absent; 8 marks that a fact is still open (it may come, or it varies).
"""

from __future__ import annotations

from typing import Final

TRUE: Final = 1
FALSE: Final = 2
ABSENT: Final = 4
UNREADABLE: Final = 7
OPEN: Final = 15
_ANY_TRUTH: Final = 7
_MARK: Final = 8


def _members(mask: int) -> list[int]:
    return [bit for bit in (TRUE, FALSE, ABSENT) if mask & bit]


def _all_of(a: int, b: int) -> int:
    if FALSE in (a, b):
        return FALSE
    return ABSENT if ABSENT in (a, b) else TRUE


def _any_of(a: int, b: int) -> int:
    if TRUE in (a, b):
        return TRUE
    return ABSENT if ABSENT in (a, b) else FALSE


def _marked(possible: int, *operands: int) -> int:
    single = possible & (possible - 1) == 0
    return possible if single or not any(op & _MARK for op in operands) else possible | _MARK


def _table(combine: dict[tuple[int, int], int]) -> tuple[tuple[int, ...], ...]:
    rows = []
    for left in range(16):
        row = []
        for right in range(16):
            possible = 0
            for a in _members(left):
                for b in _members(right):
                    possible |= combine[a, b]
            row.append(_marked(possible, left, right))
        rows.append(tuple(row))
    return tuple(rows)


_BITS = (TRUE, FALSE, ABSENT)
ALL: Final = _table({(a, b): _all_of(a, b) for a in _BITS for b in _BITS})
"""``ALL[a][b]``: both."""
ANY: Final = _table({(a, b): _any_of(a, b) for a in _BITS for b in _BITS})
"""``ANY[a][b]``: one of the two."""
NOT: Final = tuple(
    (FALSE if mask & TRUE else 0) | (TRUE if mask & FALSE else 0) | (mask & ABSENT) | (mask & _MARK)
    for mask in range(16)
)
"""``NOT[a]``: true and false swapped, absent kept."""


def known(flag: object) -> int:
    """Return TRUE or FALSE for a plain condition."""
    return TRUE if flag else FALSE
