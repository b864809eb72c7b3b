"""What was expected and what came, line by line: only what differs, with a little around it."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import Final

_AROUND: Final = 2
_MOST: Final = 400
_HEADER: Final = 2
"""A unified diff begins with two lines that name files."""


def diff(expected: str, came: str) -> Iterator[str]:
    """Yield lines that begin with `-` (expected), `+` (came), a blank (both) or `@@` (something is left out)."""
    wanted, got = _spread(expected), _spread(came)
    if len(wanted) > 1 and len(got) > 1:
        told = list(difflib.unified_diff(wanted, got, lineterm="", n=_AROUND))[_HEADER:]
        yield from (_short(f"{line[0]} {line[1:]}" if line[0] != "@" else "@@") for line in told)
        return
    yield from (_short(f"- {line}") for line in wanted)
    yield from (_short(f"+ {line}") for line in got)


def _spread(text: str) -> list[str]:
    """Return the lines of a text; of a JSON object or list those that it has when written out."""
    if text[:1] in ("{", "["):
        try:
            return json.dumps(json.loads(text), ensure_ascii=False, indent=2).splitlines()
        except ValueError:
            pass
    return text.splitlines() or [""]


def _short(line: str) -> str:
    return line if len(line) <= _MOST else line[:_MOST] + " …"
