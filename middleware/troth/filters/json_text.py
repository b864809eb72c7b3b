"""JSON bodies as everyone must agree on them.

What one decoder refuses and another reads (byte order marks, UTF-16, NaN, lone surrogates, ``1e400``, control
characters, anything after the value) is unreadable, never clean. A key that stands twice is seen twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from troth.errors import UnreadableBody

_DECODE: Final = msgspec.json.Decoder().decode
WHITE: Final = b" \t\r\n"
"""What JSON takes for white space."""


class Members(list[tuple[str, Any]]):
    """The members of an object in which a key stands more than once, all of them in order."""

    def items(self) -> Iterator[tuple[str, Any]]:
        """Yield every key with its value, as a dict would, but each occurrence."""
        return iter(self)


def is_empty(body: bytes) -> bool:
    """Say whether the body holds nothing at all: no member, no record, nothing to read."""
    return not body or not body.strip(WHITE)


def decode(body: bytes) -> Any:
    """Return the decoded value; of keys that stand twice the last. Raises UnreadableBody (``malformed``)."""
    try:
        return _DECODE(body)
    except (ValueError, RecursionError, msgspec.MsgspecError) as cause:
        raise UnreadableBody("malformed") from _without_text(cause)


def may_repeat_keys(body: bytes, members: int) -> bool:
    """Say whether a key may stand twice in `body`, of which a decoder that keeps the last of two saw `members` members.

    Every member has its colon, which follows a quote once white space is out of the way. Counting those colons, some
    inside strings among them, gives at least the members that are written: if no more than were seen, none was lost.
    """
    if body.count(b":") == members:
        return False
    return body.translate(None, WHITE).count(b'":') != members


def decode_all(body: bytes) -> Any:
    """Return the decoded value with `Members` in place of every object that holds a key twice. Slower than `decode`.

    Raises UnreadableBody (``malformed``). Meant for bodies that `decode` has accepted.
    """
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_all_members)
    except (ValueError, RecursionError) as cause:
        raise UnreadableBody("malformed") from _without_text(cause)


def _all_members(pairs: list[tuple[str, Any]]) -> dict[str, Any] | Members:
    members = dict(pairs)
    return members if len(members) == len(pairs) else Members(pairs)


def _without_text(cause: Exception) -> Exception | None:
    """Drop causes that quote the body: the exception of a text codec carries the whole of it."""
    return cause if type(cause) is msgspec.DecodeError else None
