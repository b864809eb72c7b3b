"""Reads the corpus: values with what they are, and values under a name with the age that they state."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from troth.filters.ages import UNREADABLE, Age

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One value: what it is (`labels`, none of a hard negative), how it is met (`form`), its heading."""

    value: str | int
    labels: frozenset[str]
    form: Literal["text", "int", "within"]
    heading: str


def values(file: str = "values.txt") -> Iterator[Entry]:
    """Yield every value of a file, in order."""
    form, labels, heading = "text", frozenset[str](), ""
    for line in (_HERE / file).read_text("utf-8").splitlines():
        if line.startswith("== "):
            head, _, heading = line[3:].partition(" · ")
            form, _, named = head.partition(": ")
            labels = frozenset(named.split()) - {"-"}
        elif line and not line.startswith("# "):
            value = int(line) if form == "int" else line
            yield Entry(value=value, labels=labels, form=form, heading=heading)  # type: ignore[arg-type]  # a closed list


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """A value under a name, and the age that it states: an interval, unreadable, or nothing at all."""

    name: str
    value: Any
    age: Age | None


def ages() -> Iterator[Stated]:
    """Yield every line of ``ages.txt``, in order."""
    for line in (_HERE / "ages.txt").read_text("utf-8").splitlines():
        if line and not line.startswith(("# ", "== ")):
            name, value, stated = line.split(" | ")
            yield Stated(name=name, value=json.loads(value), age=_age(stated))


def _age(text: str) -> Age | None:
    if text in ("no", "empty"):
        return UNREADABLE if text == "no" else None
    low, _, high = text.partition("..")
    return float(low), float(high) if high else math.inf
