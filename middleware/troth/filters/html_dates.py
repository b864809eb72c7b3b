"""A day in the spellings in which pages write it: digits in any order that is in use, or the name of the month."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import Final

_MONTHS: Final = (
    "january jan januar januari janvier janv enero ene gennaio gen jän jänner janeiro tammikuuta stycznia",
    "february feb februar februari février févr febrero febbraio febr fevereiro helmikuuta lutego",
    "march mar märz mars marzo maart mrt mär março maaliskuuta marca",
    "april apr avril avr abril abr aprile huhtikuuta kwietnia",
    "may mai maj mayo maggio mag mei maio toukokuuta maja",
    "june jun juni juin junio giugno giu junho kesäkuuta czerwca",
    "july jul juli juillet juil julio luglio lug julho heinäkuuta lipca",
    "august aug augusti août agosto ago augustus elokuuta sierpnia",
    "september sep sept septembre septiembre settembre set setembro syyskuuta września",
    "october oct oktober okt octobre octubre ottobre ott outubro out lokakuuta października",
    "november nov novembre noviembre novembro marraskuuta listopada",
    "december dec dezember dez décembre déc diciembre dic dicembre desember des dezembro joulukuuta grudnia",
)
"""In lower case: English, German, Swedish, Danish, Norwegian, Dutch, French, Spanish, Italian, Portuguese, Finnish,
Polish; where a name is that of several, it stands there once."""
_NTH: Final = r"(?:st|nd|rd|th|er|:a|:e|\.|º|°)?"
_OF: Final = r"(?: of| de| di| del)?"


@lru_cache(maxsize=64)
def spelled(day: date) -> re.Pattern[str]:
    """Return a pattern that finds a day in words as `filters.html_outline` keeps them, in lower case.

    Where day and month may stand in either order, both count: nobody can tell which was meant.
    """
    d, m = f"0?{day.day}", f"0?{day.month}"
    year, short = f"{day.year:04}", f"(?:{day.year:04}|'?{day.year % 100:02})"
    names = sorted(_MONTHS[day.month - 1].split(), key=len, reverse=True)
    month = rf"(?:{'|'.join(names)})\.?"
    forms = (
        rf"{year}(?:-{m}-{d}|/{m}/{d}|\.{m}\.{d})",
        rf"{year}年 ?{m}月 ?{d}日",
        *(rf"{a} ?{mark} ?{b} ?{mark} ?{short}" for a, b in ((d, m), (m, d)) for mark in (r"\.", "/", "-")),
        rf"{d}{_NTH}{_OF}[ -]{month}{_OF},?[ -]{year}",
        rf"{month}[ -]{d}(?:st|nd|rd|th)?,? {year}",
        rf"{year},? {month} {d}(?:st|nd|rd|th)?",
    )
    return re.compile(rf"(?<![\w.])(?:{'|'.join(forms)})(?!\w)")


__all__ = ["spelled"]
