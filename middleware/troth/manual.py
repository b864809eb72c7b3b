"""The manual that travels with the package, read by the names that findings give their pages.

``grammar except`` is the heading *except* of ``docs/grammar.md``, ``rule cookie`` the page of that word, ``TR201`` the
section of that code. Commands and the JSON Schema quote it, so that what a key or a word means is written once.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

DOCS = Path(__file__).parent / "docs"
_FENCE = re.compile(r"^(```+)[^\n]*\n.*?^\1\s*$", re.M | re.S)
_CODE = re.compile(r"(?:diagnostics )?(TR\d{3})", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.;]) (?=`|[A-Z])")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_BELOW = re.compile(r":? \[below\]\([^)]*\)")


def find(name: str) -> str | None:
    """Return what the manual says under a name, as Markdown with its heading; None where it has no such page."""
    if code := _CODE.fullmatch(name):
        return section("diagnostics", code[1].upper())
    page, _, heading = name.partition(" ")
    if page == "rule":
        return _read(f"words/{heading}")
    if not heading:
        return _read(page)
    return section(page, heading) or section(page, f"troth {heading}")


def section(page: str, heading: str) -> str | None:
    """Return a section of a page, with its heading: up to the next one of its level or above."""
    text = _read(page) or ""
    shown = _FENCE.sub(lambda block: "\n" * block[0].count("\n"), text).split("\n")
    for at, line in enumerate(shown):
        if re.fullmatch(rf"#+ `?{re.escape(heading)}`?(?::.*)?", line, re.IGNORECASE):
            level = line.index(" ")
            ends = (n for n in range(at + 1, len(shown)) if re.match(rf"#{{1,{level}}} ", shown[n]))
            return "\n".join(text.split("\n")[at : next(ends, len(shown))]).strip() + "\n"
    return None


def summary(name: str) -> str | None:
    """Return the first paragraph of prose under a name, as one line of plain text."""
    blocks = _FENCE.sub("", find(name) or "").split("\n\n")
    first = next((one for one in blocks if re.match(r"[^#|>\-\n]", one)), None)
    return _plain(first) if first else None


def key(name: str, word: str) -> str | None:
    """Return what is said of a key under a name: its row in a table, else the sentence that begins with it, if any."""
    said = find(name) or ""
    rows = re.findall(r"(?m)^\| ([^|]+) \| ([^|\n]+) \|", said)
    row = next((_plain(text) for names, text in rows if f"`{word}`" in names.split(", ")), None)
    return row or (_sentence(said, word) if " " in name else None)


def _sentence(said: str, word: str) -> str | None:
    """Return the first sentence that begins with a key, or with several of which it is one."""
    prose = [one for one in _FENCE.sub("", said).split("\n\n") if not re.match(r"[#|>]", one)]
    sentences = [one for paragraph in prose for one in _SENTENCE.split(" ".join(paragraph.split()))]
    begins = re.compile(rf"(?:`[^`]+`(?:, | and |, and ))*`{re.escape(word)}[`:]")
    return next((_plain(one).rstrip(";.") for one in sentences if begins.match(one)), None)


@cache
def _read(page: str) -> str | None:
    path = DOCS / f"{page}.md"
    # A name comes from a command line: it names a page, never a way to elsewhere.
    return path.read_text("utf-8") if re.fullmatch(r"(?:words/)?[a-z-]+", page) and path.is_file() else None


def _plain(text: str) -> str:
    """Return Markdown as one line without links."""
    return " ".join(_LINK.sub(r"\1", _BELOW.sub("", text)).split())
