"""What headers and responses mean to a lane."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

COOKIE, LENGTH, ENCODING, SIGNAL, LEAVE, REFERRER = range(1, 7)
"""What a request header means to a lane; all others mean nothing, unless the policy calls them data."""
REQUEST: Final = {
    b"cookie": COOKIE,
    b"content-length": LENGTH,
    b"accept-encoding": ENCODING,
    b"sec-gpc": SIGNAL,
    b"dnt": SIGNAL,
    b"transfer-encoding": LEAVE,
    b"content-type": LEAVE,  # over HTTP/2 a body needs no header but this one
    b"if-match": LEAVE,
    b"if-none-match": LEAVE,
    b"if-modified-since": LEAVE,
    b"if-range": LEAVE,
}
TYPE, BODY_LENGTH, SET_COOKIE, LIMITS, SPECIAL = range(1, 6)
RESPONSE: Final = {
    b"content-type": TYPE,
    b"content-length": BODY_LENGTH,
    b"set-cookie": SET_COOKIE,
    b"content-security-policy": LIMITS,
    b"content-encoding": SPECIAL,
    b"vary": SPECIAL,
    b"cache-control": SPECIAL,
    b"cdn-cache-control": SPECIAL,
    b"surrogate-control": SPECIAL,
    b"etag": SPECIAL,
}
JSON_TYPES: Final = frozenset((b"application/json", b"text/json", b"text/x-json", b"application/x-json"))
"""Types of JSON, beside all that end in ``+json``."""
PLAIN, HTML, HELD, KIND, SETS_COOKIES = 1, 2, 3, 3, 4
"""What a response is, with a flag for cookies that it sets; 0 where the lane has to be left."""


class Kinds(dict[bytes, int]):
    """Header names to what they mean; those of which `others` is true mean `other`, and so does every odd spelling."""

    __slots__ = ("_meanings", "_other", "_others")

    def __init__(self, meanings: Mapping[bytes, int], others: Callable[[bytes], object], other: int) -> None:
        super().__init__()
        self._meanings = meanings
        self._others = others
        self._other = other

    def __missing__(self, name: bytes) -> int:
        lowered = name.lower()
        kind = self._meanings.get(lowered, 0)
        if self._others(lowered) or (kind and lowered != name) or lowered.endswith(b"-cdn-cache-control"):
            kind = self._other
        if len(self) < 256 and len(name) <= 64:  # clients choose names
            self[name] = kind
        return kind


class _Contents(dict[bytes, int]):
    """Content types to kinds of responses; a bounded number is remembered."""

    def __missing__(self, value: bytes) -> int:
        kind = value.partition(b";")[0].strip().lower()
        found = HTML if kind == b"text/html" else PLAIN
        if kind in JSON_TYPES or kind.endswith(b"+json"):
            found = HELD
        if len(self) < 256 and len(value) <= 128:
            self[value] = found
        return found


CONTENTS: Final = _Contents()
