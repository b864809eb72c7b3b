"""What a page shows, in one pass: its words, links, controls, forms and scripts, each with its place.

What a visitor does not see is left out: the content of templates, `noscript` and other elements that are not drawn,
and what the mark-up itself hides (`hidden`, ``display: none``, ``visibility: hidden``). No style sheet is read.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from troth.errors import UnreadableBody
from troth.filters.html import Attributes
from troth.filters.html_stack import BLOCKS, CAREFUL, FOREIGN, Entry, OpenElements, tag_set

_VOID: Final = tag_set(
    "area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr"
)
_UNPUSHED: Final = _VOID | {"head"}
_INERT: Final = tag_set("template noscript noembed noframes iframe textarea title")
"""Elements whose content is neither drawn nor run."""
_UNDRAWN: Final = _INERT | tag_set("script style video audio canvas datalist")
_HOLDS: Final = BLOCKS - {"html", "body"} | {"button", "label"}
"""Elements that hold something together."""
_PLACED, _BLOCK, _NOT_DRAWN, _SHOWS, _LIVES, _EMPTY = (1 << bit for bit in range(6))
"""Traits of elements: it may end others before it, stands by itself, is not drawn; is looked at without attributes,
also where it is not seen; holds nothing."""
_TRAITS: Final = {
    tag: sum(bit for bit, tags in (
        (_PLACED, CAREFUL), (_BLOCK, BLOCKS), (_NOT_DRAWN, _UNDRAWN), (_SHOWS, {"button", "br"}),
        (_LIVES, {"script", "base", "form"}), (_EMPTY, _UNPUSHED),
    ) if tag in tags)
    for tag in CAREFUL | BLOCKS | _UNDRAWN | _UNPUSHED | {"button", "form", "base"}
}  # fmt: skip
_HIDING: Final = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse))\b", re.IGNORECASE)
_UNSEEN: Final = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff\0"))
_SENDS: Final = frozenset({"submit", "image"})
_PRESSED: Final = _SENDS | {"button", "reset"}
_BREAK: Final = "\n"
_FIELDS: Final = frozenset({"input", "select", "textarea"})
_CALLED: Final = ("id", "data-notice", "name")
"""What an element is called; by `name` only a field of a form."""
_MOST: Final = 200_000
"""Links, controls and the like, and blocks, that are looked at."""
END: Final = 1 << 62
"""Behind everything."""


@dataclass(slots=True)
class Form:
    """A form: where it begins and ends, and where it leads."""

    start: int
    end: int
    action: str | None
    id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A link, control, named element, time or script; `at` is its place in the words, `position` in the page."""

    kind: str
    at: int
    position: int
    block: int
    names: tuple[str, ...] = ()
    address: str | None = None
    """Where it leads, as it is written; None: nowhere by itself."""
    sends: bool = False
    """A control that sends its form: to `address`, else where the form says."""
    form: int | None = None
    form_id: str | None = None


def plain(text: str) -> str:
    """Return words as they are compared: without regard to case, and to characters that nobody sees."""
    return text.lower() if text.isascii() else text.translate(_UNSEEN).casefold()


def composed(text: str) -> str:
    """Return a text with its characters composed, so that one that can be written in two ways is one."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


class Outline:
    """Takes the tags and the text of a page, in any parts, and is what was seen of it."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.forms: list[Form] = []
        self.blocks: list[list[int]] = [[0, END]]
        """Start and end of each; the first is the page."""
        self.base: str | None = None
        self._parts: list[str] = []
        self._offsets: list[int] = []
        self._places: list[tuple[int, int]] = []
        self._length = 0
        self._glue = _BREAK
        self._position = 0
        self._open = OpenElements(self._ended)
        self._undrawn = self._inert = self._block = 0
        self._form: int | None = None
        self._script: list[str] | None = None

    # what was seen ---------------------------------------------------------------------------------------------

    @cached_property
    def words(self) -> str:
        """The words of the page: one space between words, a line break between blocks."""
        return "".join(self._parts)

    def place(self, offset: int) -> tuple[int, int]:
        """Return position and block of what stands at an offset of the words."""
        return self._places[bisect_right(self._offsets, offset) - 1]

    @cached_property
    def _form_ids(self) -> dict[str, Form]:
        return {form.id: form for form in reversed(self.forms) if form.id}

    def form_of(self, item: Item) -> Form | None:
        """Return the form that a control belongs to."""
        if item.form_id is not None:
            return self._form_ids.get(item.form_id)
        return None if item.form is None else self.forms[item.form]

    # tags ------------------------------------------------------------------------------------------------------

    def start(self, tag: str, attributes: Attributes, *, closed: bool = False) -> None:
        """Take a start tag."""
        self._position += 1
        traits = _TRAITS.get(tag, 0)
        if traits & _PLACED and not self._begins(tag):
            return
        if traits & _BLOCK:
            self._glue = _BREAK
        hides = traits & _NOT_DRAWN or (bool(attributes) and _is_hidden(tag, attributes))
        if not hides and not self._undrawn and (attributes or traits & _SHOWS):
            self._see(tag, attributes)
        if traits & _LIVES and not self._inert:
            self._live(tag, attributes)
        if not traits & _EMPTY and not (closed and (tag in FOREIGN or self._open.in_drawing)):
            self._push(tag, hides=bool(hides))

    def _begins(self, tag: str) -> bool:
        """End what ends before an element; False where it cannot begin here."""
        if tag == "form" and self._form is not None and not self._inert:
            return False  # there is no form in a form
        if not self._open.takes(tag):
            return False
        self._open.before(tag)
        return True

    def _live(self, tag: str, attributes: Attributes) -> None:
        """Take what counts whether it is seen or not."""
        if tag == "script":
            self._script = [attributes.get("src", ""), _BREAK]
        elif tag == "base" and self.base is None:
            self.base = attributes.get("href")
        elif tag == "form" and self._form is None:
            self._form = len(self.forms)
            self.forms.append(Form(self._position, END, attributes.get("action"), attributes.get("id")))

    def _push(self, tag: str, *, hides: bool) -> None:
        inert = hides and tag in _INERT
        self._open.push((tag, hides, inert, self._block))
        if hides:
            self._undrawn += 1
            self._inert += inert
        if tag in _HOLDS:
            if len(self.blocks) > _MOST:
                raise UnreadableBody("too-large")
            self._block = len(self.blocks)
            self.blocks.append([self._position, END])

    def end(self, tag: str) -> None:
        """Take an end tag."""
        self._position += 1
        if tag == "form" and self._form is not None and not self._inert:
            self.forms[self._form].end = self._position
            self._form = None
        elif tag == "br":
            self._space()
        self._open.end(tag)

    def _ended(self, entry: Entry) -> None:
        tag, hides, inert, block = entry
        if hides:
            self._undrawn -= 1
            self._inert -= inert
        if block != self._block:
            self.blocks[self._block][1] = self._position
            self._block = block
            if tag in BLOCKS:
                self._glue = _BREAK
        elif tag == "script" and self._script is not None:
            self._add("script", ["".join(self._script)])
            self._script = None

    # what is seen ----------------------------------------------------------------------------------------------

    def _see(self, tag: str, attributes: Attributes) -> None:
        if tag == "br":
            self._space()
        called = _CALLED if tag in _FIELDS else _CALLED[:2]
        if any(name in attributes for name in called):
            self._add("named", [attributes[name] for name in called if attributes.get(name)])
        if tag in ("a", "area") and "href" in attributes:
            self._add("link", _names(attributes), attributes["href"])
        elif tag == "img":
            self._show(attributes.get("alt", ""))
        elif tag == "time":
            self._add("time", [attributes.get("datetime", "").strip()])
        elif tag in ("button", "input"):
            self._see_control(tag, attributes)
        elif "role" in attributes and attributes["role"].strip().lower() == "button":
            self._add("control", _names(attributes))

    def _see_control(self, tag: str, attributes: Attributes) -> None:
        kind = attributes.get("type", "").strip().lower()
        if tag == "button" and kind not in ("button", "reset"):
            kind = "submit"
        if kind not in _PRESSED or "disabled" in attributes:
            return
        sends = kind in _SENDS
        self._keep(Item(
            kind="control", at=self._length, position=self._position, block=self._block, names=_names(attributes),
            address=attributes.get("formaction") if sends else None, sends=sends, form=self._form,
            form_id=attributes.get("form"),
        ))  # fmt: skip
        if tag == "input":
            self._show(attributes.get("alt" if kind == "image" else "value", ""))

    def _add(self, kind: str, names: Iterable[str], address: str | None = None) -> None:
        self._keep(Item(
            kind=kind, at=self._length, position=self._position, block=self._block, names=tuple(names), address=address
        ))  # fmt: skip

    def _keep(self, item: Item) -> None:
        if len(self.items) >= _MOST:
            raise UnreadableBody("too-large")
        self.items.append(item)

    # text ------------------------------------------------------------------------------------------------------

    def text(self, data: str) -> None:
        """Take text."""
        if self._script is not None:
            self._script.append(data)
        elif not self._undrawn:
            self._position += 1
            self._show(data)

    def _space(self) -> None:
        self._glue = self._glue or " "

    def _show(self, data: str) -> None:
        data = plain(data)
        if not data:
            return
        if data[0].isspace():
            self._glue = self._glue or " "
            if data.isspace():
                return
        part = (self._glue if self._parts else "") + " ".join(data.split())
        self._offsets.append(self._length)
        self._places.append((self._position, self._block))
        self._parts.append(part)
        self._length += len(part)
        self._glue = " " if data[-1].isspace() else ""


def _is_hidden(tag: str, attributes: Attributes) -> bool:
    if tag == "head":
        return False
    if "hidden" in attributes or (tag == "input" and attributes.get("type", "").strip().lower() == "hidden"):
        return True
    style = attributes.get("style")
    return style is not None and _HIDING.search(style) is not None


def _names(attributes: Attributes) -> tuple[str, ...]:
    """Return what a control is called in its mark-up: `id`, `value`, and what its `data-` attributes hold."""
    return tuple(
        value for name, value in attributes.items() if value and (name in ("id", "value") or name.startswith("data-"))
    )


__all__ = ["END", "Form", "Item", "Outline", "composed", "plain"]
