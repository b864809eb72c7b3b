"""Dates as cookies carry them: the forgiving algorithm of RFC 6265bis section 5.1.1, which every browser follows."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_MONTHS: Final = {
    month: number
    for number, month in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_DELIMITERS: Final = re.compile(r"[\x09\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
_TIME: Final = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])")
_DAY: Final = re.compile(r"([0-9]{1,2})(?![0-9])")
_YEAR: Final = re.compile(r"([0-9]{2,4})(?![0-9])")
_EARLIEST: Final = 1601
_PARTS: Final = ("time", "day", "month", "year")


def read_date(value: bytes) -> datetime | None:
    """Return the moment (UTC) that a cookie date names; parts in any order, two-digit years, every zone is UTC.

    None where browsers would ignore it.
    """
    found: dict[str, tuple[int, ...]] = {}
    for token in _DELIMITERS.split(value.decode("latin-1")):
        _take(token, found)
    if len(found) < len(_PARTS):
        return None
    year = _full_year(found["year"][0])
    hour, minute, second = found["time"]
    try:
        moment = datetime(year, found["month"][0], found["day"][0], hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return moment if year >= _EARLIEST else None


def _full_year(year: int) -> int:
    if 70 <= year <= 99:
        return year + 1900
    return year + 2000 if year <= 69 else year


def _take(token: str, found: dict[str, tuple[int, ...]]) -> None:
    """Give one token to the first part that is still missing and that it can be."""
    if "time" not in found and (time := _TIME.match(token)):
        found["time"] = tuple(int(part) for part in time.groups())
    elif "day" not in found and (day := _DAY.match(token)):
        found["day"] = (int(day[1]),)
    elif "month" not in found and token[:3].lower() in _MONTHS:
        found["month"] = (_MONTHS[token[:3].lower()],)
    elif "year" not in found and (year := _YEAR.match(token)):
        found["year"] = (int(year[1]),)
