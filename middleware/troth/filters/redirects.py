"""The address of a redirect: to which site it sends a browser, and what it takes along in path, query and fragment."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Final, NamedTuple
from urllib.parse import unquote

from troth.filters.query import remove_names

_ADDRESS: Final = re.compile(
    rb"(?P<before>[\x00-\x20]*(?:https?:[/\\]*|[/\\]{2,})(?:[^/?#\\]*@)?"
    rb"(?P<host>\[[^\]/?#\\]*\]|[^/?#\\:]*)(?::\d*)?)"
    rb"(?P<path>[^?#]*)(?P<mark>\??)(?P<query>[^#]*)(?P<hash>#?)(?P<fragment>.*)",
    re.IGNORECASE | re.DOTALL,
)
"""As browsers read one: a backslash is a slash, and how many slashes there are does not matter."""


class Address(NamedTuple):
    """A web address with a host of its own. `query` and `fragment` stand as sent, `path` is decoded."""

    host: str
    path: str
    query: bytes
    fragment: bytes


def read(location: bytes) -> Address | None:
    """Take the value of a `Location` apart; None where it stays on the host that sends it, or is no web address."""
    found = _ADDRESS.fullmatch(location)
    if found is None or not found["host"]:
        return None
    host = unquote(found["host"].decode("utf-8", "replace")).rstrip(".").lower()
    return Address(host, unquote(found["path"].decode("utf-8", "replace")), found["query"], found["fragment"])


def without(location: bytes, names: Container[str]) -> bytes:
    """Return an address that `read` can take apart without every pair of query and fragment named in `names`."""
    found = _ADDRESS.fullmatch(location)
    if found is None:
        return location
    query, fragment = remove_names(found["query"], names), remove_names(found["fragment"], names)
    mark = b"" if found["query"] and not query else found["mark"]
    cross = b"" if found["fragment"] and not fragment else found["hash"]
    return found["before"] + found["path"] + mark + query + cross + fragment
