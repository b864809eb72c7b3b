"""Telephone numbers, told from dates, prices, cards and keys by how their digits are grouped and what is said before.

A number is read whole: of a longer row of groups no part is one. Every quantifier is bounded.
"""

from __future__ import annotations

import re
from typing import Final

from troth.filters.nearby import plain_digits, says_other, says_phone

_RUN: Final = re.compile("[0-9\x80-\U0010ffff][0-9 ().\\-/\x80-\U0010ffff]{6}")
"""What no telephone number can do without: cheap to look for. Other scripts have digits too."""
_MOMENT: Final = re.compile(
    r"(?<![\w\-])(?:\d{4}-\d\d-\d\d(?![\w\-])|\d{1,2}:\d\d(?::\d\d(?:\.\d{1,9})?)?(?!\w))", re.ASCII
)
_INTERNATIONAL: Final = re.compile(r"(?<![\w+.\-])\+ ?[1-9](?:[ ().\-/]{0,3}\d){6,14}(?![\w\-]|\.\d|:\d)")
_NATIONAL: Final = re.compile(r"(?<![\w+.])\(?\d(?:[ ().\-/]{0,2}\d){6,24}")
_BEFORE: Final = re.compile(r"(?:\d[ ().\-/]{1,2}|[\w]-|(?<![^\W\d_]{3})-)$")
_AFTER: Final = re.compile(r"[\w\-]|[.:]\d|[ /.]{1,2}\d|@\w")
_SHAPES: Final = re.compile(
    r"\(?00[ \-]?[1-9](?:[ ().\-/]{0,2}\d){7,14}"
    r"|011[ .\-][1-9]\d{0,2}(?:[ ().\-]{1,2}\d{2,5}){2,4}"
    r"|(?:1[ .\-])?\(?[2-9]\d{2}\)?([ .\-])\d{3}\1\d{4}"
    r"|(?:1[ .\-])?\([2-9]\d{2}\) ?\d{3}[ .\-]\d{4}"
    r"|\(?0[1-9]\d{0,3}\)?[ \-/]\d{2,4}(?:[ \-]?\d{2,4}){1,3}"
    r"|\(?0[1-9]\d{1,3}\)?[ /]\d{3,8}(?:-\d{1,4})?"
    r"|0[1-9]\d?(?:\.\d{2,3}){3,4}"
    r"|8[ \-]?\(?\d{3}\)?[ \-]\d{3}[ \-]\d{2}[ \-]\d{2}"
    r"|\(\d{2}\) ?9?\d{4}[ \-]\d{4}"
    r"|1[3-9]\d[ \-]\d{4}[ \-]\d{4}"
)
_DATE: Final = re.compile(r"\d{1,2}[-/. ]\d{1,2}[-/. ](?:19|20)\d{2}|\d{1,2}/(?:19|20)\d{2}|(?:19|20)\d{6}$|1\d{9}$")
_PAIRS: Final = re.compile(r"\d\d(?:-\d\d){3}")
_NO_DIGIT: Final = re.compile(r"\D+")
_FEWEST: Final = 8
_FEWEST_SAID: Final = 7
_MOST_NATIONAL: Final = 12
_MOST: Final = 15
_MOST_WITH_PREFIX: Final = 18


def is_phone(text: str) -> bool:
    """Say whether a telephone number stands in `text`: international with ``+`` or ``00``, or national with separators.

    A bare run of digits is one only where a word for it stands before: it may as well be an id, a time or a price.
    """
    if len(text) <= _FEWEST_SAID or not _RUN.search(text):
        return False
    text = plain_digits(text)
    return _has_international(text) or any(
        _is_national(text, found) for found in _NATIONAL.finditer(_without_moments(text))
    )


def _without_moments(text: str) -> str:
    """Blank dates and times out, length kept: what stands behind one is a number of its own."""
    return _MOMENT.sub(lambda found: "," * len(found[0]), text) if ":" in text or "-" in text else text


def _has_international(text: str) -> bool:
    return "+" in text and any(_FEWEST <= _digits(found[0]) <= _MOST for found in _INTERNATIONAL.finditer(text))


def _is_national(text: str, found: re.Match[str]) -> bool:
    number, digits = found[0], _digits(found[0])
    if _DATE.match(number) or _PAIRS.fullmatch(number) or _AFTER.match(found.string, found.end()):
        return False
    if _BEFORE.search(found.string, max(0, found.start() - 6), found.start()):
        return False
    if says_phone(text, found.start()):
        return _FEWEST_SAID <= digits <= _MOST_NATIONAL or number.startswith("00")
    if says_other(text, found.start()):
        return False
    most = _MOST_WITH_PREFIX if number.startswith(("00", "011")) else _MOST_NATIONAL
    return _FEWEST <= digits <= most and _SHAPES.fullmatch(number) is not None


def _digits(number: str) -> int:
    return len(_NO_DIGIT.sub("", number))
