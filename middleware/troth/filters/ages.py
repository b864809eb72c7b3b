"""How old somebody says to be: birth dates, ages and boxes such as ``over_18``, read as an interval of whole years."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import date
from typing import Final, Literal

Interval = tuple[float, float]
"""``(low, high)``: the age in years is at least `low` and below `high`; `high` may be infinite."""
Age = Interval | Literal["unreadable"]
UNREADABLE: Final = "unreadable"
_OLDEST: Final = 150
_YES: Final = frozenset({"yes", "true", "on", "1", "y"})
_NO: Final = frozenset({"no", "false", "off", "0", "n"})
_BOX: Final = re.compile(
    r"(?:^|[_\-. ])(?P<side>over|above|min|adult|under|below)(?:[_\-. ]?age)?[_\-. ]?(?P<years>\d{1,2})$"
)
_PARTS: Final = {
    **dict.fromkeys(("year", "yyyy", "y"), "year"),
    **dict.fromkeys(("month", "mm", "m"), "month"),
    **dict.fromkeys(("day", "dd", "d"), "day"),
}
_WORDS: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_YEAR_FIRST: Final = re.compile(r"(\d{4})([-/.]?)(\d{1,2})\2(\d{1,2})(?:[T ][\d:.,+\-Z ]{0,32})?")
_YEAR_LAST: Final = re.compile(r"(\d{1,2})([-/.] ?)(\d{1,2})\2(\d{4})")
_MONTH_ONLY: Final = re.compile(r"(\d{4})[-/](\d{1,2})")
_NAMED: Final = re.compile(
    r"(?:(\d{1,2})(?:st|nd|rd|th)?[ \-.]{1,2})?([a-z]{3,9})\.?[ \-]?(?:(\d{1,2})(?:st|nd|rd|th)?,? )?[ \-]?(\d{4})"
)
_RANGE: Final = re.compile(r"(\d{1,3})(?: ?[-–] ?(\d{1,3})|\+)")


def age(name: str, value: object, today: date) -> Age | None:
    """Return the years that `value`, stated under `name`, gives evidence of on the day `today`.

    A birth date or a whole number of years n gives ``[n, n + 1)``, a year or month of birth what it leaves possible, a
    box such as ``over18`` answered yes ``[18, ∞)`` and no ``[0, 18)``. Of a list the youngest counts; an object may
    hold ``year``, ``month`` and ``day``, or one thing that is an age. None where nothing was stated (null, empty);
    "unreadable" where something was that is no age.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, list):
        return _youngest([age(name, one, today) for one in value])
    if isinstance(value, dict):
        return _in_parts(name, value, today)
    text = str(value).strip().lower()
    box = _BOX.search(_WORDS.sub("_", name).lower())
    if box is not None:
        return _ticked(box, text)
    if isinstance(value, bool):
        return UNREADABLE
    if isinstance(value, float) and math.isfinite(value):
        text = str(math.floor(value))
    return _number(text, today) or _span(text) or _born(_dates(text), today) or UNREADABLE


def _youngest(stated: list[Age | None]) -> Age | None:
    """Return the youngest of several; unreadable if one is."""
    ages = [one for one in stated if one is not None]
    if UNREADABLE in ages:
        return UNREADABLE
    return min((one for one in ages if one != UNREADABLE), key=lambda one: one[1], default=None)


def _in_parts(name: str, value: dict[object, object], today: date) -> Age | None:
    """Read a date that an object holds in parts, else the only member that is an age."""
    parts = {_PARTS[key]: one for raw, one in value.items() if (key := str(raw).strip().lower()) in _PARTS}
    if "year" in parts:
        year, month, day = (str(parts.get(part) or "").strip() for part in ("year", "month", "day"))
        if not month:
            return age(name, year, today)
        if month.isdigit():
            return age(name, f"{year}-{month}-{day}" if day else f"{year}-{month}", today)
        return age(name, f"{day} {month} {year}".strip(), today)
    stated = [age(name, one, today) for one in value.values() if not isinstance(one, bool)]
    read = {one for one in stated if one is not None and one != UNREADABLE}
    if len(read) == 1:
        return read.pop()
    return UNREADABLE if any(one is not None for one in stated) else None


def _ticked(box: re.Match[str], text: str) -> Age:
    if text not in _YES and text not in _NO:
        return UNREADABLE
    years = float(box["years"])
    under = box["side"] in ("under", "below")
    return (years, math.inf) if (text in _YES) != under else (0.0, years)


def _number(text: str, today: date) -> Interval | None:
    if not text.isascii() or not text.isdigit():
        return None
    if len(text) <= len("150"):
        return (float(text), float(text) + 1) if int(text) <= _OLDEST else None
    if len(text) == len("2001"):
        year = int(text)
        return _born(iter(((year, 1, 1), (year, 12, 31))), today)
    return None


def _span(text: str) -> Interval | None:
    found = _RANGE.fullmatch(text)
    if found is None:
        return None
    low = float(found[1])
    high = math.inf if found[2] is None else float(found[2]) + 1
    return (low, high) if low < high and low <= _OLDEST else None


def _dates(text: str) -> Iterator[tuple[int, int, int]]:
    """Yield every date (year, month, day) that `text` can mean: ``03/04/2010`` two of them, a month its two ends."""
    if found := _YEAR_FIRST.fullmatch(text.upper()):
        yield int(found[1]), int(found[3]), int(found[4])
    elif found := _YEAR_LAST.fullmatch(text):
        yield int(found[4]), int(found[3]), int(found[1])
        if found[2].strip() != ".":
            yield int(found[4]), int(found[1]), int(found[3])
    elif found := _MONTH_ONLY.fullmatch(text):
        yield int(found[1]), int(found[2]), 1
        yield int(found[1]), int(found[2]), 28
    elif found := _NAMED.fullmatch(text):
        month, days = _MONTHS.get(found[2][:3], 0), (found[1] or found[3],) if found[1] or found[3] else ("1", "28")
        yield from ((int(found[4]), month, int(day)) for day in days)


def _born(dates: Iterator[tuple[int, int, int]], today: date) -> Interval | None:
    """Return the interval over all readings that are real days; None if none is, or one lies ahead or too far back."""
    years: list[int] = []
    for year, month, day in dates:
        try:
            birth = date(year, month, day)
        except ValueError:
            continue
        years.append(today.year - birth.year - ((today.month, today.day) < (birth.month, birth.day)))
    if not years or not 0 <= max(years) <= _OLDEST:
        return None
    return float(max(0, min(years))), float(max(years) + 1)
