"""Inbound `Cookie` headers, on bytes.

Browsers hold cookies that parsers of other languages lose: without a name, with spaces, twice under one name. A piece
is what stands between two semicolons, white space around it cut off; quotes mean nothing (RFC 6265bis section 5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from troth._types import HeaderList

Piece = tuple[bytes, bytes]
"""Name of a cookie and its whole piece, verbatim: ``(b"_ga", b"_ga=1.2")``; a nameless one is ``(b"", b"piece")``."""

_LENGTH: Final = len(b"cookie")


def split(value: bytes) -> list[Piece]:
    """Return the cookies of one header value, in order. Empty pieces are no cookies. Never raises."""
    pieces: list[Piece] = []
    add = pieces.append
    for piece in value.split(b";"):
        piece = piece.strip()
        at = piece.find(b"=")
        if at > 0:
            name = piece[:at]
            add((name if name[-1] > 32 else name.rstrip(), piece))
        elif piece:
            add((b"", piece))
    return pieces


def value_of(piece: bytes) -> bytes:
    """Return the value of a piece, verbatim: what follows the first ``=``, or all of it where there is none."""
    name, equals, value = piece.partition(b"=")
    return value.lstrip() if equals else name


class Jar:
    """The cookies of one request, split once: read the names, decide, then filter.

    `headers` is the raw header list, which is never changed; `pieces` are the cookies of all `Cookie` headers in order.
    """

    __slots__ = ("_by_header", "headers", "pieces")

    def __init__(self, headers: HeaderList) -> None:
        self.headers = headers
        self._by_header = [
            (at, split(header[1]))
            for at, header in enumerate(headers)
            if len(header[0]) == _LENGTH and header[0].lower() == b"cookie"
        ]
        if len(self._by_header) == 1:
            self.pieces = self._by_header[0][1]
        else:
            self.pieces = [piece for _, pieces in self._by_header for piece in pieces]

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of every cookie called `name`, in order; a browser may send several."""
        return [value_of(piece) for found, piece in self.pieces if found == name]

    def without(self, drop: Callable[[bytes], object]) -> tuple[HeaderList, list[bytes]]:
        """Return the headers without the cookies for whose name `drop` is true, and the names dropped, one per cookie.

        The bound ``get`` of a dict by name makes the fastest `drop`; it must answer the same for the same name. If
        nothing goes, the very same list object comes back. Kept pieces stay verbatim and in order, joined by ``; ``;
        a header of which nothing is left goes.
        """
        dropped = [name for name, _ in self.pieces if drop(name)]
        if not dropped:
            return self.headers, dropped
        gone = frozenset(dropped)
        return self._rebuilt(lambda piece: piece[0] not in gone), dropped

    def without_pieces(self, drop: Callable[[bytes, bytes], object]) -> tuple[HeaderList, list[bytes]]:
        """Do the same where the value counts too: `drop` is given the name and the verbatim piece."""
        gone = frozenset(piece for piece in self.pieces if drop(*piece))
        if not gone:
            return self.headers, []
        dropped = [piece[0] for piece in self.pieces if piece in gone]
        return self._rebuilt(lambda piece: piece not in gone), dropped

    def dropping(self, gone: Iterable[Piece]) -> HeaderList:
        """Return the headers without these pieces; the very same list object if there are none."""
        lost = frozenset(gone)
        return self._rebuilt(lambda piece: piece not in lost) if lost else self.headers

    def _rebuilt(self, keep: Callable[[Piece], bool]) -> HeaderList:
        headers: HeaderList = list(self.headers)
        for at, pieces in reversed(self._by_header):
            kept = [piece[1] for piece in pieces if keep(piece)]
            if not kept:
                del headers[at]
            elif len(kept) < len(pieces):
                headers[at] = (headers[at][0], b"; ".join(kept))
        return headers


def filter_headers(headers: HeaderList, drop: Callable[[bytes], object]) -> tuple[HeaderList, list[bytes]]:
    """Return `headers` without the cookies that `drop` names, and the names dropped; see `Jar.without`."""
    return Jar(headers).without(drop)
