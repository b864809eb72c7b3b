"""Which marks of a policy a page shows: each made of signs that have to stand together, within a span.

Facts about the page and nothing of its text leave this module.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Final, NamedTuple

from troth.filters.html_addresses import Addresses, Wanted, wanted
from troth.filters.html_dates import spelled
from troth.filters.html_outline import END, Item, Outline, composed, plain
from troth.model.policy import Mark

_NEAR: Final = 100
"""Characters between what stands near."""
_MOST: Final = 200
"""Places of one sign that are looked at, where a mark has several signs."""
_AN_AT: Final = re.compile(r" ?(?:@|[(\[{]at[)\]}]) ?")
_AT: Final = r"(?: ?(?:@|[(\[{] ?at ?[)\]}]) ?| at )"
OF_VERSION: Final = "of-version"


class Hit(NamedTuple):
    """Where a sign stands: in the words (`start` to `end`), in the page, in which block."""

    start: int
    end: int
    position: int
    block: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page that was read, and what is known around it."""

    outline: Outline
    addresses: Addresses
    effective: date | None
    """The day from which the version in force counts."""


Finder = Callable[[Page], Iterator[Hit]]
Span = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageMark:
    """A mark of a policy, ready to be looked for."""

    id: str
    finders: tuple[Finder, ...]
    near: Finder | None
    within: str
    once: str | None

    def is_shown(self, page: Page, states: Collection[str]) -> bool:
        """Whether a page shows it. `states` are those of the visitor: what is shown once was shown to them."""
        return (self.once is not None and self.once in states) or _shows(self, page)


def compiled(mark: Mark) -> PageMark:
    """Return a mark ready to be looked for."""
    signs = dict(mark.signs)
    finders = tuple(_FINDERS[kind](value) for kind, value in mark.signs if kind in _FINDERS)
    near = _text(signs["near"]) if "near" in signs else None
    if not finders and near is not None:
        finders, near = (near,), None
    return PageMark(id=mark.id, finders=finders, near=near, within=mark.within, once=signs.get("once"))


# signs -----------------------------------------------------------------------------------------------------------


def _text(value: str) -> Finder:
    """Words that begin where a word begins, in one block; an address with its ``@`` in any guise."""
    words = " ".join(plain(composed(value)).split())
    if not words:
        return lambda _page: iter(())
    pattern = re.compile((r"(?<!\w)" if words[0].isalnum() else "") + _AT.join(map(re.escape, _AN_AT.split(words))))
    return lambda page: _in_words(pattern, page.outline)


def _in_words(pattern: re.Pattern[str], outline: Outline) -> Iterator[Hit]:
    for found in pattern.finditer(outline.words):
        position, block = outline.place(found.start())
        yield Hit(found.start(), found.end(), position, block)


def _date(value: str) -> Finder:
    """A day as text in any spelling, or as the `datetime` of a `time` element."""
    fixed = None if value == OF_VERSION else _as_date(value)

    def find(page: Page) -> Iterator[Hit]:
        day = page.effective if value == OF_VERSION else fixed
        if day is None:
            return
        written = (_hit(item) for item in _items(page, "time") if _as_date(item.names[0][:10]) == day)
        yield from sorted(
            (*islice(_in_words(spelled(day), page.outline), _MOST), *islice(written, _MOST)), key=_position
        )

    return find


def _as_date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _link(value: str) -> Finder:
    target = wanted(value)
    return lambda page: (
        _hit(item)
        for item in _items(page, "link")
        if item.address is not None and page.addresses.leads(item.address, page.outline.base, target, ("GET",))
    )


def _control(value: str) -> Finder:
    """Something to press: it leads to the address, or is called so by its `id`, `value` or a `data-` attribute."""
    target = wanted(value)
    return lambda page: (
        _hit(item)
        for item in page.outline.items
        if item.kind in ("control", "link") and (value in item.names or _leads(item, page, target))
    )


def _leads(item: Item, page: Page, target: Wanted) -> bool:
    address = item.address
    if address is None and item.sends:
        form = page.outline.form_of(item)
        address = None if form is None else form.action or ""
    return address is not None and page.addresses.leads(address, page.outline.base, target, ("GET", "POST"))


def _notice(value: str) -> Finder:
    """An element whose `id` or `data-notice` is the notice's name, with or without its ending."""
    names = {value, value.rpartition("/")[2], value.rpartition("/")[2].partition(".")[0]}
    return lambda page: (_hit(item) for item in _items(page, "named") if not names.isdisjoint(item.names))


def _script(value: str) -> Finder:
    return lambda page: (_hit(item) for item in _items(page, "script") if value in item.names[0])


def _items(page: Page, kind: str) -> Iterator[Item]:
    return (item for item in page.outline.items if item.kind == kind)


def _hit(item: Item) -> Hit:
    return Hit(item.at, item.at, item.position, item.block)


_FINDERS: Final[dict[str, Callable[[str], Finder]]] = {
    "text": _text, "link": _link, "control": _control, "date": _date, "notice": _notice, "script": _script,
}  # fmt: skip


# together --------------------------------------------------------------------------------------------------------


def _shows(mark: PageMark, page: Page) -> bool:
    alone = len(mark.finders) == 1 and mark.near is None
    if alone and mark.within in ("page", "element"):
        return next(mark.finders[0](page), None) is not None
    signs = [list(islice(find(page), _MOST)) for find in mark.finders]
    near = None if mark.near is None else list(islice(mark.near(page), _MOST))
    if not signs or not all(signs) or near == []:
        return False
    return any(_together(span, signs, near) for span in _spans(mark.within, signs, page.outline))


def _spans(within: str, signs: Sequence[Sequence[Hit]], outline: Outline) -> Iterator[Span]:
    if within == "element":
        held = {hit.block for hits in signs for hit in hits if hit.block}
        yield from (_as_span(outline.blocks[block]) for block in sorted(held))
    elif within == "form":
        yield from ((form.start, form.end) for form in outline.forms)
    elif within == "after":
        starts = [form.start for form in outline.forms]
        yield from zip(starts, [*starts[1:], END], strict=True) if starts else ()
    else:
        yield (0, END)


def _as_span(block: Sequence[int]) -> Span:
    return block[0], block[1]


def _together(span: Span, signs: Sequence[Sequence[Hit]], near: Sequence[Hit] | None) -> bool:
    inside = [_inside(span, hits) for hits in signs]
    if not all(inside):
        return False
    if near is None:
        return True
    return any(all(_beside(one, hits) for hits in inside) for one in _inside(span, near))


def _inside(span: Span, hits: Sequence[Hit]) -> Sequence[Hit]:
    low = bisect_left(hits, span[0], key=_position)
    return hits[low : bisect_right(hits, span[1], key=_position)]


def _position(hit: Hit) -> int:
    return hit.position


def _beside(one: Hit, hits: Sequence[Hit]) -> bool:
    return any(hit.start - one.end <= _NEAR and one.start - hit.end <= _NEAR for hit in hits)


__all__ = ["OF_VERSION", "Page", "PageMark", "compiled"]
