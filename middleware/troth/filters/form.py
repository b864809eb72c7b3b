"""Form bodies of type ``application/x-www-form-urlencoded``: read, and edited by cutting pairs out."""

from __future__ import annotations

from collections.abc import Callable

from troth.errors import UnreadableBody
from troth.filters import query
from troth.filters.query import Pair


def read(body: bytes) -> list[Pair]:
    """Return the pairs of an urlencoded body, in order. Raises UnreadableBody (``malformed``) for what is no text."""
    _check(body)
    return query.split(body)


def remove(body: bytes, drop: Callable[[Pair], object]) -> bytes:
    """Return the urlencoded body without the pairs for which `drop` is true. Raises UnreadableBody like `read`."""
    _check(body)
    return query.remove(body, drop)


def _check(body: bytes) -> None:
    """Refuse what another reader would take for UTF-16 or for bytes of another charset."""
    if b"\0" in body:
        raise UnreadableBody("malformed")
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        raise UnreadableBody("malformed") from None
