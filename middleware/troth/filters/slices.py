"""Large JSON bodies in slices: what `Tagger.tag` finds in one go, found piece by piece, so that others get their turn.

A body is cut where members and items end, into pieces of some hundred bytes; each piece is decoded and looked at as a
small body at its path. Only brackets, quotes and commas are read in between, so nothing is decoded twice, and no more
than one piece is held decoded. A single scalar is never cut: a text of a megabyte is one piece.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from datetime import date
from typing import Any, Final

from troth.errors import UnreadableBody
from troth.filters.ages import Age
from troth.filters.json_text import WHITE, decode, decode_all, may_repeat_keys
from troth.filters.places import ITEM, Path, Place
from troth.filters.probes import NOBODY, Known
from troth.filters.tagging import Tagger, Tags

LARGE: Final = 64 * 1024
"""Bodies above this size are worth cutting."""
PIECE: Final = 512
_DEEPEST: Final = 400
"""Levels that are too large for a piece; with those inside one, about as deep as the decoder goes in one go."""
_STRING: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_INSIDE: Final = re.compile(rb'[^{}\[\]"]*+(?:' + _STRING + rb'[^{}\[\]"]*+){0,32}+', re.DOTALL)
_OUTSIDE: Final = re.compile(rb'[^{}\[\],"]*+(?:' + _STRING + rb'[^{}\[\],"]*+){0,32}+', re.DOTALL)
"""What stands up to the next bracket, outside of objects and lists also up to the next comma."""
_BLANK: Final = re.compile(rb"[ \t\r\n]*+")
_NAMED: Final = re.compile(rb"[ \t\r\n]*+(" + _STRING + rb")[ \t\r\n]*+:[ \t\r\n]*+", re.DOTALL)
_OPENERS: Final = b"{["
_CLOSERS: Final = b"}]"
_COMMA: Final = ord(",")
_PAIRS: Final = {ord("{"): ord("}"), ord("["): ord("]")}
_AROUND: Final = {ord("}"): (b"{", b"}"), ord("]"): (b"[", b"]")}


def tag_in_slices(
    tagger: Tagger, body: bytes | bytearray, *, today: date, known: Known = NOBODY, size: int = PIECE
) -> Generator[None, None, Tags]:
    """Do what `tagger.tag` does, yielding after every piece; an age that is stated often is told once.

    Raises UnreadableBody (``malformed``) where that does.
    """
    start = _BLANK.match(body)
    if start is None or body[start.end() : start.end() + 1] not in (b"{", b"["):
        return tagger.tag(bytes(body), today=today, known=known)
    tags, ages = Tags(), dict[tuple[Place, Age], None]()
    for path, piece in pieces(body, size):
        found = tagger.tag_part(decode(piece), path, today=today, known=known)
        if may_repeat_keys(piece, found.members):
            found = tagger.tag_part(decode_all(piece), path, today=today, known=known)
        for place, n in found.places.items():
            tags.places[place] = tags.places.get(place, 0) + n
        tags.members += found.members
        ages.update(dict.fromkeys(found.ages))
        yield
    tags.ages += ages
    return tags


def pieces(body: bytes | bytearray, size: int = PIECE) -> Iterator[tuple[Path, bytes]]:
    """Yield the path and the text of small objects and lists that together hold all members and items of `body`.

    An object or list that is larger than a piece comes as an empty one at its place, and then in pieces of its own.
    `body` has to begin with an object or list. Raises UnreadableBody where it is cut off, unbalanced or goes on behind;
    whether pieces are well-formed is for their decoder to say.
    """
    at = _end_of_blank(body, 0)
    closers, path = [_PAIRS[body[at]]], list[str | None]()
    at += 1
    due = closed = False  # a member has to follow a comma; after a child that was opened only a comma or the end may
    while closers:
        end = _end_of_blank(body, at) if closed else _end_of_run(body, at, size)
        _refuse(end == len(body))
        content, sign = bytes(body[at:end]), body[end]
        blank = not content.strip(WHITE)
        _refuse(closed and sign in _OPENERS)
        opening, closing = _AROUND[closers[-1]]
        if sign in _OPENERS:
            key = _key_before(content, closers[-1])
            yield tuple(path), opening + content + bytes((sign, _PAIRS[sign])) + closing
            closers.append(_PAIRS[sign])
            path.append(key)
            due = closed = False
            _refuse(len(closers) > _DEEPEST)
        else:
            _refuse(blank and not closed and (sign == _COMMA or due))
            _refuse(sign != _COMMA and sign != closers[-1])
            if not blank:
                yield tuple(path), opening + content + closing
            due, closed = sign == _COMMA, sign != _COMMA
            if closed:
                closers.pop()
                del path[-1:]
        at = end + 1
    _refuse(_end_of_blank(body, at) != len(body))


def _refuse(wrong: bool) -> None:
    if wrong:
        raise UnreadableBody("malformed")


def _end_of_blank(body: bytes | bytearray, at: int) -> int:
    found = _BLANK.match(body, at)
    return at if found is None else found.end()


def _end_of_run(body: bytes | bytearray, at: int, size: int) -> int:
    """Return where whole members end, at a comma or the bracket that closes; or where one opens that is too large."""
    depth, comma, opened, place = 0, -1, -1, at
    while True:
        found = (_INSIDE if depth else _OUTSIDE).match(body, place)
        end = place if found is None else found.end()
        _refuse(end == len(body))
        sign = body[end]
        if sign in _OPENERS:
            opened = opened if depth else end
            depth += 1
        elif sign in _CLOSERS:
            if not depth:
                return end
            depth -= 1
        elif sign == _COMMA:
            comma = end
        else:
            _refuse(end == place)  # a quote that nothing ends; otherwise there were more texts than are read at once
            end -= 1
        place = end + 1
        if place - at > size and (comma >= 0 or depth):
            return comma if comma >= 0 else opened


def _key_before(content: bytes, closer: int) -> str | None:
    """Return the key that stands before an opened child, or that it is an item; anything else is malformed."""
    if closer == ord("]"):
        _refuse(bool(content.strip(WHITE)))
        return ITEM
    named = _NAMED.fullmatch(content)
    if named is None:
        raise UnreadableBody("malformed")
    key: Any = decode(named[1])
    return str(key)
