"""Query strings and other lists of pairs: read on bytes, edited by cutting pieces out. The rest stays as sent."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from troth.filters.names import Categories, Names
from troth.filters.probes import NO_PROBES, NOBODY, Known, Probes


class Pair(NamedTuple):
    """One ``name=value`` piece of a query or form: `name` and `value` decoded, `raw` as sent, without its ``&``."""

    name: str
    value: str
    raw: bytes


class Field(NamedTuple):
    """A pair that has categories, or none where undeclared ones were asked for.

    `name` is what says what it is, for filters only; `shown` is how that may stand in a line (as declared, else ``?``);
    `at` is its place in the list of pairs.
    """

    categories: Categories
    name: str
    shown: str
    at: int


def split(query: bytes) -> list[Pair]:
    """Return the pairs of a query string or form body, in order; empty pieces are none. Never raises.

    Only ``&`` separates. ``+`` and percent codes are decoded as UTF-8; what is no percent code stays as it is.
    """
    return [_pair(raw) for raw in query.split(b"&") if raw]


def remove(query: bytes, drop: Callable[[Pair], object]) -> bytes:
    """Return `query` without the pairs for which `drop` is true; the same object if there are none.

    Each pair that goes takes one ``&`` with it; everything else stays verbatim, empty pieces too.
    """
    pieces = query.split(b"&")
    kept = [raw for raw in pieces if not raw or not drop(_pair(raw))]
    return query if len(kept) == len(pieces) else b"&".join(kept)


def remove_names(query: bytes, names: Container[str]) -> bytes:
    """Return `query` without every pair whose decoded name is in `names`."""
    return remove(query, lambda pair: pair.name in names)


def tag(
    pairs: Iterable[tuple[str, str] | Pair],
    names: Names,
    *,
    probes: Probes = NO_PROBES,
    known: Known = NOBODY,
    undeclared: bool = False,
) -> list[Field]:
    """Return the fields among name-value pairs of a query, form, path or header list, in order.

    A name may carry brackets (``user[email]``, ``address[city]``): the innermost of its words that is declared counts.
    """
    fields: list[Field] = []
    for at, (name, value, *_) in enumerate(pairs):
        name = _told(name, names)
        categories = names.of(name)
        if probes:
            categories = tuple(sorted({*categories, *probes.find_within(value, known)}))
        if categories or undeclared:
            fields.append(Field(categories, name, names.shown(name), at))
    return fields


def decode(raw: bytes) -> str:
    """Decode ``+`` and percent codes; what is malformed stays verbatim, bytes that are not UTF-8 read as U+FFFD."""
    if b"+" in raw:
        raw = raw.replace(b"+", b" ")
    if b"%" in raw:
        raw = unquote_to_bytes(raw)
    return raw.decode("utf-8", "replace")


def _pair(raw: bytes) -> Pair:
    name, _, value = raw.partition(b"=")
    return Pair(decode(name), decode(value), raw)


def words_of(name: str) -> list[str]:
    """Return the words of a name with brackets: of ``user[email]`` both, of ``email[]`` one. A plain name is one."""
    return [word for word in name.replace("]", "").split("[") if word] if "[" in name else [name]


def _told(name: str, names: Names) -> str:
    """Return the part of a name that says what it is: the innermost that is declared, else the innermost."""
    if "[" not in name or names.of(name):
        return name
    words = words_of(name)
    return next((word for word in reversed(words) if names.of(word)), words[-1] if words else name)
