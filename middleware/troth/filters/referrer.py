"""What a `Referer` tells: the site that one came from, or more than that."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

HEADER: Final = b"referer"
_ADDRESS: Final = re.compile(
    rb"(?i:(https?)://)(?:[^/?#\s\\]*@)?(?P<host>\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?P<port>:\d{1,5})?(?P<rest>[/?#].*)?",
    re.I | re.S,
)
_REMEMBERED: Final = 1024
_LONGEST: Final = 256
IsOwn = Callable[[str], bool]


def site_of(value: bytes) -> bytes:
    """Return the scheme and host of a referrer, as its own address; empty where it is no address of the web."""
    found = _ADDRESS.fullmatch(value)
    if found is None:
        return b""
    return found[1].lower() + b"://" + found["host"].lower() + (found["port"] or b"") + b"/"


def tells_more(value: bytes, is_own: IsOwn) -> bool:
    """Whether a referrer is of another site and tells more of it than scheme and host."""
    found = _ADDRESS.fullmatch(value)
    if found is None:
        return bool(value.strip())
    if is_own(found["host"].decode("ascii").lower()):
        return False
    return value.lower() not in (site := site_of(value), site[:-1])


class Referrers(dict[bytes, int]):
    """Referrers that have come lately to 1 if they tell more than their site, else 0. Remembers a bounded number."""

    __slots__ = ("_is_own",)

    def __init__(self, is_own: IsOwn) -> None:
        super().__init__()
        self._is_own = is_own

    def __missing__(self, value: bytes) -> int:
        found = int(tells_more(value, self._is_own))
        if len(value) <= _LONGEST:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[value] = found
        return found
