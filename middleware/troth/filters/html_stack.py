"""Which elements of a page are open: what an end tag ends, and what ends without one.

Near to the tree that a browser builds, in linear time: an element that ends inside another one it did not begin in is
ignored at the borders at which browsers ignore it (cells of tables, buttons, objects, templates). What is not followed
is the reordering of formatting elements and of text inside tables; neither hides or shows anything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Final, NamedTuple

from troth.errors import UnreadableBody


def tag_set(names: str) -> frozenset[str]:
    """Return the names of elements in a text."""
    return frozenset(names.split())


_PARTS_OF_TABLES: Final = tag_set("table caption tbody thead tfoot tr td th")
_BORDERS: Final = tag_set("td th caption button object marquee applet template")
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
_BEFORE: Final[dict[str, tuple[frozenset[str], frozenset[str]]]] = {
    **dict.fromkeys(_END_A_PARAGRAPH, (frozenset({"p"}), _BORDERS | {"table"})),
    "li": (frozenset({"li", "p"}), _BORDERS | {"table", "ul", "ol", "menu"}),
    "dt": (frozenset({"dt", "dd", "p"}), _BORDERS | {"table", "dl"}),
    "dd": (frozenset({"dt", "dd", "p"}), _BORDERS | {"table", "dl"}),
    "option": (frozenset({"option"}), frozenset({"select", "datalist"})),
    "optgroup": (frozenset({"option", "optgroup"}), frozenset({"select"})),
    **dict.fromkeys(_CELLS, (_CELLS, frozenset({"table", "tr", "template"}))),
    "tr": (_ROWS, frozenset({"table", "template"})),
    **dict.fromkeys(("tbody", "thead", "tfoot"), (_GROUPS, frozenset({"table", "template"}))),
}
"""What ends before an element of some kind begins, and what stands between and keeps it open."""
_LOOK_BACK: Final = 32
_DEEPEST: Final = 1000


class Entry(NamedTuple):
    """An open element: whether it hides what is in it, whether nothing in it is run, the block around it."""

    tag: str
    hides: bool
    inert: bool
    block: int


class OpenElements:
    """The open elements, innermost last. `ended` is told of each that ends."""

    __slots__ = ("_ended", "_entries", "_here", "_in_scope")

    def __init__(self, ended: Callable[[Entry], None]) -> None:
        self._ended = ended
        self._entries: list[Entry] = []
        self._here: list[defaultdict[str, int]] = [defaultdict(int)]
        """How many of each are open since the innermost border, and since those around it."""
        self._in_scope: list[defaultdict[str, int]] = [defaultdict(int)]
        """The same since the innermost template."""

    def push(self, entry: Entry) -> None:
        """Open an element. Raises UnreadableBody (``too-deep``) where no page of anybody's is."""
        if len(self._entries) >= _DEEPEST:
            raise UnreadableBody("too-deep")
        tag = entry.tag
        self._entries.append(entry)
        self._here[-1][tag] += 1
        self._in_scope[-1][tag] += 1
        if tag in _BORDERS:
            self._here.append(defaultdict(int))
        if tag == "template":
            self._in_scope.append(defaultdict(int))

    def _pop(self) -> str:
        entry = self._entries.pop()
        tag = entry.tag
        if tag in _BORDERS:
            self._here.pop()
        if tag == "template":
            self._in_scope.pop()
        self._here[-1][tag] -= 1
        self._in_scope[-1][tag] -= 1
        self._ended(entry)
        return tag

    def before(self, tag: str) -> None:
        """End what ends where an element of this kind begins."""
        rule = _BEFORE.get(tag)
        if rule is None:
            return
        ends, keeps = rule
        open_here = self._in_scope[-1]
        if not any(open_here.get(one) for one in ends):
            return
        outermost = None
        lowest = max(0, len(self._entries) - _LOOK_BACK)
        for at in range(len(self._entries) - 1, lowest - 1, -1):
            one = self._entries[at].tag
            if one in ends:
                outermost = at
            elif one in keeps:
                break
        while outermost is not None and len(self._entries) > outermost:
            self._pop()

    def end(self, tag: str) -> None:
        """Take an end tag. One that ends nothing, or stands behind a border, counts for nothing."""
        if tag == "template":
            known = len(self._in_scope) > 1
        elif tag in _PARTS_OF_TABLES or tag in _BORDERS:
            known = self._in_scope[-1].get(tag, 0) > 0
        else:
            known = self._here[-1].get(tag, 0) > 0
        if known and tag not in ("html", "body"):
            while self._pop() != tag:
                pass


__all__ = ["BLOCKS", "Entry", "OpenElements", "tag_set"]
