"""Take members out of JSON, or mask their values, by cutting bytes. What is not cut stays as it was written.

``1.10`` stays ``1.10``, white space and the order of keys stay, every occurrence of a key that stands twice is judged.
An object or list that loses its last member stays, empty.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Generator, Iterable, Iterator
from enum import StrEnum
from itertools import chain, islice
from typing import Any, Final, Protocol, TypeVar

from troth.filters.json_text import WHITE, decode

_STRING: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_SCALAR: Final = _STRING + rb"|[-0-9tfn][^\s,\]}]*+"
_WHITE: Final = rb"[ \t\r\n]*+"
_TOKEN: Final = re.compile(
    _WHITE
    + rb"(,)?+"
    + _WHITE
    + rb"(?:("
    + _STRING
    + rb")"
    + _WHITE
    + rb":"
    + _WHITE
    + rb"(?:("
    + _SCALAR
    + rb")|([{\[]))"
    rb"|(" + _SCALAR + rb")|([{\[])|([}\]]))"
)
_COMMA, _KEY, _VALUE, _OPENED_VALUE, _ITEM, _OPENED_ITEM, _CLOSED = range(1, 8)
"""Groups of a token: a comma, then a member (key with scalar, or key and the start of more), an item, or an end.

Every quantifier is possessive, and in a body that was decoded a token follows wherever one is sought: no backtracking.
"""
_OPENED: Final = (_OPENED_VALUE, _OPENED_ITEM)
_KEYED: Final = (_VALUE, _OPENED_VALUE)
_STEP: Final = 16
_PART: Final = 64 * 1024
"""Tokens between two steps, and bytes of a part."""
MASKED_STRING: Final = b'"***"'
MASKED_OTHER: Final = b"null"
_INSTEAD: Final = (b"", MASKED_STRING, MASKED_OTHER)

S = TypeVar("S")
Cut = tuple[int, int, bytes]
ConcretePath = tuple[str | int, ...]
"""Keys and list indexes from the root."""


class Edit(StrEnum):
    """What happens to one member or item: it goes, or its value is masked (``"***"`` for a string, else ``null``)."""

    REMOVE = "remove"
    MASK = "mask"


class Guide(Protocol[S]):
    """Judges members and items while the splicer walks; `S` is what the guide knows of the object or list around."""

    @property
    def root(self) -> S:
        """The state at the outermost object or list."""
        ...

    @property
    def reads_values(self) -> bool:
        """Whether `judge` needs scalars as they are written; else it is given ``b""`` for each."""
        ...

    def enter(self, state: S, key: str | int, /) -> S:
        """Return the state inside the object or list under `key`."""
        ...

    def judge(self, state: S, key: str | int, token: bytes | None, /) -> Edit | None:
        """Judge what stands under `key`: `token` is a scalar as written, None stands for an object or list."""
        ...


def splice(body: bytes, guide: Guide[S]) -> bytes:
    """Return `body` with the edits that `guide` asks for; the same object if it asks for none.

    A body that is one scalar has no members and comes back as it is. Raises UnreadableBody (``malformed``).
    """
    decode(body)
    cuts = _Splicer(body, guide).cuts()
    return _without(body, cuts) if cuts else body


class Cuts:
    """The cuts of a large body in little room: three numbers each."""

    __slots__ = ("_numbers", "gone")

    def __init__(self) -> None:
        self._numbers = array("Q")
        self.gone = 0
        """How many bytes less are left."""

    def __bool__(self) -> bool:
        return bool(self._numbers)

    def add(self, cut: Cut) -> None:
        """Add a cut behind all others."""
        start, end, instead = cut
        self._numbers.extend((start, end, _INSTEAD.index(instead)))
        self.gone += end - start - len(instead)

    def parts(self, body: bytes | bytearray) -> Iterator[bytes]:
        """Yield what is left of a body, in parts that are made when they are asked for."""
        numbers = iter(self._numbers)
        part, at = bytearray(), 0
        with memoryview(body) as view:
            for start, end, instead in chain(zip(numbers, numbers, numbers, strict=True), ((len(view), 0, 0),)):
                while at < start:
                    upto = min(start, at + _PART - len(part))
                    part += view[at:upto]
                    at = upto
                    if len(part) >= _PART:
                        yield bytes(part)
                        part.clear()
                part += _INSTEAD[instead]
                at = end
        if part:
            yield bytes(part)


def splice_in_steps(body: bytes | bytearray, guide: Guide[S]) -> Generator[None, None, Cuts]:
    """Find the same cuts a few members at a time, in a body that was found well-formed: it is not decoded here."""
    splicer, cuts = _Splicer(body, guide), Cuts()
    for found in splicer.steps():
        for cut in found:
            cuts.add(cut)
        yield
    return cuts


def splice_paths(body: bytes, choose: Callable[[ConcretePath], Edit | None]) -> bytes:
    """Do the same by path: `choose` is given the keys and list indexes that lead to each member or item.

    Indexes are those of the body as it came. Raises UnreadableBody (``malformed``).
    """
    return splice(body, _ByPath(choose))


class _ByPath:
    __slots__ = ("_choose", "reads_values", "root")

    def __init__(self, choose: Callable[[ConcretePath], Edit | None]) -> None:
        self.root: ConcretePath = ()
        self.reads_values = False
        self._choose = choose

    def enter(self, path: ConcretePath, key: str | int) -> ConcretePath:
        return (*path, key)

    def judge(self, path: ConcretePath, key: str | int, token: bytes | None) -> Edit | None:
        del token  # a path is judged whatever stands there
        return self._choose((*path, key))


class _Frame:
    """An object or list that is open: what of it was kept so far, where its last comma and last member ended."""

    __slots__ = ("comma", "edit", "end", "index", "kept", "open_cut", "start", "state", "value")

    def __init__(self, state: Any) -> None:
        self.state = state
        self.index = -1
        self.kept = False
        self.open_cut = -1
        self.comma = self.start = self.value = self.end = -1
        self.edit: Edit | None = None


class _Splicer:
    """One walk over the tokens. Recursion is a list of frames, so depth costs nothing but memory."""

    __slots__ = ("_body", "_cuts", "_frames", "_guide", "_muted")

    def __init__(self, body: bytes | bytearray, guide: Guide[Any]) -> None:
        self._body = body
        self._guide = guide
        self._cuts: list[Cut] = []
        self._frames: list[_Frame] = []
        self._muted = 0
        """Depth inside a member that goes as a whole: nothing in it is judged."""

    def cuts(self) -> list[Cut]:
        """Return all cuts, in order and apart from each other."""
        self._walk(self._tokens())
        return self._cuts

    def steps(self) -> Iterator[list[Cut]]:
        """Yield the cuts that each few tokens bring."""
        tokens = self._tokens()
        for first in tokens:
            self._walk(chain((first,), islice(tokens, _STEP)))
            yield self._cuts
            self._cuts.clear()

    def _tokens(self) -> Iterator[re.Match[bytes]]:
        end = len(self._body)
        while end and self._body[end - 1] in WHITE:
            end -= 1
        return _TOKEN.finditer(self._body, 0, end)

    def _walk(self, tokens: Iterable[re.Match[bytes]]) -> None:
        frames, judge, reads = self._frames, self._guide.judge, self._guide.reads_values
        for match in tokens:
            kind = match.lastindex
            if self._muted:
                self._skip(match, kind)
            elif kind == _VALUE:
                frame = frames[-1]
                token = match[_KEY]
                key = token[1:-1].decode() if b"\\" not in token else _key(token)
                edit = judge(frame.state, key, match[_VALUE] if reads else b"")
                if edit is not None or frame.open_cut >= 0:
                    self._begin(frame, match, kind)
                    self._end_scalar(frame, match, kind, edit)
                else:
                    frame.kept = True
            elif kind == _CLOSED:
                self._close(match)
            else:
                self._item_or_open(match, kind)

    def _item_or_open(self, match: re.Match[bytes], kind: int | None) -> None:
        if kind != _ITEM:
            self._open(match, kind)
        elif self._frames:
            frame = self._frames[-1]
            key = self._begin(frame, match, kind)
            edit = self._guide.judge(frame.state, key, match[_ITEM] if self._guide.reads_values else b"")
            self._end_scalar(frame, match, kind, edit)

    def _end_scalar(self, frame: _Frame, match: re.Match[bytes], kind: int | None, edit: Edit | None) -> None:
        frame.edit = edit
        frame.value = match.start(kind or 0)
        self._settle(frame, match.end())

    def _skip(self, match: re.Match[bytes], kind: int | None) -> None:
        if kind in _OPENED:
            self._muted += 1
        elif kind == _CLOSED:
            self._muted -= 1
            if not self._muted:
                self._settle(self._frames[-1], match.end())

    def _open(self, match: re.Match[bytes], kind: int | None) -> None:
        if not self._frames:
            self._frames.append(_Frame(self._guide.root))
            return
        frame = self._frames[-1]
        key = self._begin(frame, match, kind)
        frame.edit = self._guide.judge(frame.state, key, None)
        frame.value = match.end() - 1
        if frame.edit is None:
            self._frames.append(_Frame(self._guide.enter(frame.state, key)))
        else:
            self._muted = 1

    def _begin(self, frame: _Frame, match: re.Match[bytes], kind: int | None) -> str | int:
        """Start a member or item and return its key. A cut that waits for it (nothing before was kept) ends here."""
        frame.index += 1
        keyed = kind in _KEYED
        frame.start = match.start(_KEY if keyed else kind or 0)
        if frame.open_cut >= 0:
            self._cuts.append((frame.open_cut, frame.start, b""))
            frame.open_cut = -1
        frame.comma = match.start(_COMMA)
        return _key(match[_KEY]) if keyed else frame.index

    def _close(self, match: re.Match[bytes]) -> None:
        closed = self._frames.pop()
        if closed.open_cut >= 0:
            self._cuts.append((closed.open_cut, closed.end, b""))
        if self._frames:
            self._settle(self._frames[-1], match.end())

    def _settle(self, frame: _Frame, end: int) -> None:
        """End a member: cut it with the comma before it, or leave the cut open for the comma behind it."""
        if frame.edit is Edit.REMOVE:
            frame.end = end
            if frame.kept:
                self._cuts.append((frame.comma, end, b""))
            else:
                frame.open_cut = frame.start
            return
        frame.kept = True
        if frame.edit is Edit.MASK:
            text = self._body[frame.value] == ord('"')
            self._cuts.append((frame.value, end, MASKED_STRING if text else MASKED_OTHER))


def _key(token: bytes) -> str:
    return str(decode(token)) if b"\\" in token else token[1:-1].decode()


def _without(body: bytes, cuts: list[Cut]) -> bytes:
    parts: list[bytes] = []
    at = 0
    for start, end, instead in cuts:
        parts += (body[at:start], instead)
        at = end
    parts.append(body[at:])
    return b"".join(parts)
