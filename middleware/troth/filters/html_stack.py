"""Which elements of a page are open: what an end tag ends, and what ends without one.

Near to the tree that a browser builds, in linear time: an element that ends inside another one it did not begin in is
ignored at the borders at which browsers ignore it (cells of tables, buttons, objects, templates). What is not followed
is the reordering of text inside tables, and of formatting elements (``b``, ``i`` …) that nobody ended. They hide
and show nothing by themselves; but a heading in a heading stands inside it where one was carried over in between.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from itertools import islice
from typing import Final

from troth.errors import UnreadableBody


def tag_set(names: str) -> frozenset[str]:
    """Return the names of elements in a text."""
    return frozenset(names.split())


_PARTS_OF_TABLES: Final = tag_set("table caption tbody thead tfoot tr td th")
_BORDERS: Final = tag_set("table td th caption object marquee applet template select")
BLOCKS: Final = tag_set(
    "address article aside blockquote body caption center dd details dialog dir div dl dt fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu nav ol optgroup option p pre search "
    "section summary table tbody td tfoot th thead tr ul"
)
"""Elements that stand by themselves: words before and after them are no run of words."""
_END_A_PARAGRAPH: Final = BLOCKS - {"body", "html", "legend", "option", "optgroup"} - (_PARTS_OF_TABLES - {"table"})
_CELLS: Final = frozenset({"td", "th"})
_ROWS: Final = _CELLS | {"tr"}
_GROUPS: Final = _ROWS | {"tbody", "thead", "tfoot"}
_SPECIAL: Final = (
    BLOCKS
    | _BORDERS
    | tag_set("button select textarea iframe noscript noembed noframes style script title img input embed xmp")
)
"""Elements that an end tag of another kind does not reach across, unless that kind is one of them."""
_HEADINGS: Final = frozenset(f"h{level}" for level in range(1, 7))
_KEEPS_ITEMS: Final = (BLOCKS | _BORDERS | {"button", "select"}) - {"address", "div", "p", "option", "optgroup"}
_Rule = tuple[frozenset[str], frozenset[str]]
_KEEPS_PARAGRAPHS: Final = _BORDERS | {"button"}
_KEEPS_OPEN: Final = {"p": _KEEPS_PARAGRAPHS, "li": _BORDERS | {"ul", "ol"}}
"""What an end tag does not reach across, for those that stop at more than borders."""
_PARAGRAPH: Final[_Rule] = (frozenset({"p"}), _KEEPS_PARAGRAPHS)
_IN_TABLE: Final = frozenset({"table", "template"})
_BEFORE: Final[dict[str, tuple[_Rule, ...]]] = {
    **dict.fromkeys(_END_A_PARAGRAPH, (_PARAGRAPH,)),
    "li": (_PARAGRAPH, (frozenset({"li"}), _KEEPS_ITEMS - {"li"})),
    **dict.fromkeys(("dt", "dd"), (_PARAGRAPH, (frozenset({"dt", "dd"}), _KEEPS_ITEMS - {"dt", "dd"}))),
    "option": ((frozenset({"option"}), frozenset({"select", "datalist"})),),
    "optgroup": ((frozenset({"option", "optgroup"}), frozenset({"select"})),),
    "a": ((frozenset({"a"}), _SPECIAL),),
    "button": ((frozenset({"button"}), _BORDERS),),
    **dict.fromkeys(_CELLS, ((_CELLS, _IN_TABLE | {"tr"}),)),
    "tr": ((_ROWS, _IN_TABLE),),
    **dict.fromkeys(("tbody", "thead", "tfoot"), ((_GROUPS, _IN_TABLE),)),
}
"""What ends before an element of some kind begins, and what stands between and keeps it open."""
FOREIGN: Final = frozenset({"svg", "math"})
_INTEGRATES: Final = frozenset({"foreignobject", "desc", "title", "annotation-xml", "mi", "mo", "mn", "ms", "mtext"})
_BREAKS_OUT: Final = tag_set(
    "b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing menu meta "
    "nobr ol p pre ruby s small span strong strike sub sup table tt u ul var"
)
"""Elements that end a drawing, unless they stand in a part of it that holds HTML."""
_MARKED: Final = FOREIGN | _BORDERS
CAREFUL: Final = frozenset(_BEFORE) | _HEADINGS | _BREAKS_OUT | _PARTS_OF_TABLES | {"select", "form"}
"""Elements before which others may end, or that cannot begin everywhere."""
_GONE: Final = ""
_LOOK_BACK: Final = 64
_DEEPEST: Final = 1000


Entry = tuple[str, bool, bool, int]
"""An open element: its tag, whether it hides what is in it, whether nothing in it is run, the block around it."""


class OpenElements:
    """The open elements, innermost last. `ended` is told of each that ends."""

    __slots__ = ("_drawings", "_ended", "_entries", "_here", "_in_scope")

    def __init__(self, ended: Callable[[Entry], None]) -> None:
        self._ended = ended
        self._entries: list[Entry] = []
        self._here: list[defaultdict[str, int]] = [defaultdict(int)]
        """How many of each are open since the innermost border, and since those around it."""
        self._in_scope: list[defaultdict[str, int]] = [defaultdict(int)]
        """The same since the innermost template."""
        self._drawings = 0

    def push(self, entry: Entry) -> None:
        """Open an element. Raises UnreadableBody (``too-deep``) where no page of anybody's is."""
        if len(self._entries) >= _DEEPEST:
            raise UnreadableBody("too-deep")
        tag = entry[0]
        self._entries.append(entry)
        self._here[-1][tag] += 1
        self._in_scope[-1][tag] += 1
        if tag in _MARKED:
            self._drawings += tag in FOREIGN
            if tag in _BORDERS:
                self._here.append(defaultdict(int))
            if tag == "template":
                self._in_scope.append(defaultdict(int))

    def _pop(self) -> str:
        entry = self._entries.pop()
        tag = entry[0]
        if tag in _MARKED:
            self._drawings -= tag in FOREIGN
            if tag in _BORDERS:
                self._here.pop()
            if tag == "template":
                self._in_scope.pop()
        if tag != _GONE:
            self._here[-1][tag] -= 1
            self._in_scope[-1][tag] -= 1
        self._ended(entry)
        if self._entries and self._entries[-1][0] == _GONE:
            self._pop()
        return tag

    def takes(self, tag: str) -> bool:
        """Whether an element of this kind can begin here: parts of tables outside of one are nothing to a browser.

        A list of choices in another one ends that, and is none.
        """
        if tag == "select" and self._in_scope[-1].get(tag):
            self._pop_to((tag,))
            return False
        if tag not in _PARTS_OF_TABLES or tag == "table" or len(self._in_scope) > 1:
            return True
        return self._in_scope[-1].get("table", 0) > 0

    def before(self, tag: str) -> None:
        """End what ends where an element of this kind begins."""
        if tag in _BREAKS_OUT and self._drawings:
            self._end_before(FOREIGN, _INTEGRATES)
        for ends, keeps in _BEFORE.get(tag, ()):
            self._end_before(ends, keeps)
        if tag in _HEADINGS and self._entries and self._entries[-1][0] in _HEADINGS:
            self._pop()

    @property
    def in_drawing(self) -> bool:
        """Whether a drawing or a formula is open."""
        return self._drawings > 0

    def _end_before(self, ends: frozenset[str], keeps: frozenset[str]) -> None:
        open_here = self._in_scope[-1]
        for one in ends:
            if open_here.get(one):
                break
        else:
            return
        outermost = None
        lowest = max(0, len(self._entries) - _LOOK_BACK)
        for at in range(len(self._entries) - 1, lowest - 1, -1):
            one = self._entries[at][0]
            if one in ends:
                outermost = at
            elif one in keeps:
                break
        while outermost is not None and len(self._entries) > outermost:
            self._pop()

    def end(self, tag: str) -> None:
        """Take an end tag. One that ends nothing, or stands behind a border, counts for nothing."""
        if self._drawings and tag in ("p", "br"):
            self._end_before(FOREIGN, _INTEGRATES)
        if tag == "form":
            self._end_form()
        elif tag in _HEADINGS:
            if any(self._here[-1].get(one) for one in _HEADINGS):
                self._pop_to(_HEADINGS)
        elif self._may_end(tag):
            self._pop_to((tag,))

    def _pop_to(self, tags: Collection[str]) -> None:
        while self._pop() not in tags:
            pass

    def _may_end(self, tag: str) -> bool:
        if tag == "template":
            return len(self._in_scope) > 1
        if tag in _PARTS_OF_TABLES or tag in _BORDERS:
            return self._in_scope[-1].get(tag, 0) > 0
        if not self._here[-1].get(tag) or tag in ("html", "body"):
            return False
        keeps = _SPECIAL if tag not in _SPECIAL else _KEEPS_OPEN.get(tag)
        return keeps is None or self._is_near(tag, keeps)

    def _is_near(self, tag: str, between: frozenset[str]) -> bool:
        """Whether nothing that keeps it open stands between here and the last such element."""
        for entry in islice(reversed(self._entries), _LOOK_BACK):
            if entry[0] == tag:
                return True
            if entry[0] in between:
                return False
        return False

    def _end_form(self) -> None:
        """End a form: what is open inside of it stays open, and is inside of nothing."""
        if not self._here[-1].get("form"):
            return
        if self._entries[-1][0] == "form":
            self._pop()
            return
        at = next(at for at in range(len(self._entries) - 1, -1, -1) if self._entries[at][0] == "form")
        self._entries[at] = (_GONE, *self._entries[at][1:])
        self._here[-1]["form"] -= 1
        self._in_scope[-1]["form"] -= 1


__all__ = ["BLOCKS", "CAREFUL", "FOREIGN", "Entry", "OpenElements", "tag_set"]
