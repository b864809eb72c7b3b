"""ISO 8601 durations as rules write them: ``P6M``, ``P30D``, ``PT10M``, ``P2W``, ``P1Y2M3DT4H``."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

FORM = (
    r"P(?=.)(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?"
    r"(?:T(?=.)(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?"
)
"""The form of a duration as a regular expression, for readers and for the JSON Schema; it also takes `P0D`."""
_READ = re.compile(FORM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A span of calendar `months` plus an exact `rest`. Adding it to a date keeps the day where the month has it."""

    months: int = 0
    rest: timedelta = timedelta()
    text: str = ""

    @classmethod
    def parse(cls, text: str) -> Period:
        """Read an ISO 8601 duration. Raises ValueError for any other text, and for a duration of nothing."""
        found = _READ.fullmatch(text)
        if found is None:
            raise ValueError("not an ISO 8601 duration")
        years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        rest = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
        if not (years or months or rest):
            raise ValueError("a duration of nothing")
        return cls(months=years * 12 + months, rest=rest, text=text)

    def after(self, start: datetime) -> datetime:
        """Return the instant one period after `start`; the day is cut to the length of the month."""
        return _add_months(start, self.months) + self.rest

    def before(self, end: datetime) -> datetime:
        """Return the instant one period before `end`."""
        return _add_months(end, -self.months) - self.rest


def _add_months(start: datetime, months: int) -> datetime:
    if not months:
        return start
    index = start.year * 12 + start.month - 1 + months
    year, month = divmod(index, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return start.replace(year=year, month=month + 1, day=min(start.day, last))
