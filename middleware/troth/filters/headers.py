"""Duties on header lists, on the raw pairs. Functions return a new list, or the same object where nothing changes."""

from __future__ import annotations

from typing import Final

from troth._types import HeaderList
from troth.filters.coding import READABLE

_BY_DIRECTIVE: Final = {
    b"cache-control": b",",
    b"strict-transport-security": b";",
    b"content-security-policy": b";",
    b"x-robots-tag": b",",
    b"permissions-policy": b",",
}
"""Headers that are lists of directives, and what separates these; of any other the value up to ``;`` counts."""
_OF_THE_OLD_BODY: Final = frozenset({b"content-md5", b"digest", b"content-digest", b"repr-digest", b"accept-ranges"})
NOT_SENT: Final = b"none"
"""As the wanted value of a header: that there is none."""
_REMEMBERED: Final = 256
_LONGEST: Final = 128
Directives = dict[bytes, bytes]


def values(headers: HeaderList, name: bytes) -> list[bytes]:
    """Return the values of every header called `name` (lower case), in order."""
    return [value for key, value in headers if key == name or key.lower() == name]


def first(headers: HeaderList, name: bytes) -> bytes | None:
    """Return the value of the first header called `name` (lower case), None where there is none."""
    for key, value in headers:
        if key == name or key.lower() == name:
            return value
    return None


def joined(headers: HeaderList, name: bytes) -> bytes | None:
    """Return the values of every header called `name` as one list (RFC 9110, section 5.3), None where there is none."""
    found = values(headers, name)
    return b", ".join(found) if found else None


def without(headers: HeaderList, *names: bytes) -> HeaderList:
    """Return the headers without those called one of `names` (lower case)."""
    kept = [pair for pair in headers if pair[0].lower() not in names]
    return headers if len(kept) == len(headers) else kept


def replaced(headers: HeaderList, name: bytes, value: bytes) -> HeaderList:
    """Return the headers with exactly one `name`: at the place of the first, else at the end."""
    found = [at for at, pair in enumerate(headers) if pair[0].lower() == name]
    if not found:
        return [*headers, (name, value)]
    changed = [pair for at, pair in enumerate(headers) if at not in found[1:]]
    changed[found[0]] = (headers[found[0]][0], value)
    return headers if changed == headers else changed


def meets(headers: HeaderList, name: bytes, wanted: bytes) -> bool:
    """Say whether header `name` (lower case) has the `wanted` value.

    `NOT_SENT` is met where no such header stands. Parameters and further directives do not matter, nor does case. A
    larger ``max-age`` of `Strict-Transport-Security` passes, a smaller one does not, and only its first header counts.
    Of `Content-Security-Policy` headers each is a policy, and one that has all the wanted directives will do.
    """
    found = values(headers, name)
    if wanted == NOT_SENT:
        return not found
    separator = _BY_DIRECTIVE.get(name)
    if separator is None:
        target = _bare(wanted)
        return bool(found) and all(_bare(value) == target for value in found)
    asked = _directives(wanted, separator)
    if name == b"cache-control" or name == b"permissions-policy" or name == b"x-robots-tag":
        found = [separator.join(found)] if found else []
    elif name == b"strict-transport-security":
        found = found[:1]
    return any(_covers(_directives(value, separator), asked, name) for value in found)


def ensured(headers: HeaderList, name: bytes, wanted: bytes) -> HeaderList:
    """Return headers that meet `wanted` under `name` (lower case); the same object if they did. Doing it twice is once.

    For `NOT_SENT` each such header goes. Directives are added to those that stand there. A further
    Content-Security-Policy is a header of its own, and ``no-store`` replaces the whole `Cache-Control`, since nothing
    else makes sense beside it.
    """
    if meets(headers, name, wanted):
        return headers
    if wanted == NOT_SENT:
        return without(headers, name)
    if name == b"content-security-policy":
        return [*headers, (name, wanted)]
    separator = _BY_DIRECTIVE.get(name)
    asked = {} if separator is None else _directives(wanted, separator)
    if separator is None or b"no-store" in asked:
        return replaced(headers, name, wanted)
    merged = {**_directives((separator + b" ").join(values(headers, name)), separator), **asked}
    text = (separator + b" ").join(key + b"=" + value if value else key for key, value in merged.items())
    return replaced(headers, name, text)


def appended_csp(headers: HeaderList, policy: bytes, *, report_only: bool = False) -> HeaderList:
    """Return the headers with one more policy: a header of its own, so that the app's stays and both must agree."""
    name = b"content-security-policy-report-only" if report_only else b"content-security-policy"
    return headers if policy in values(headers, name) else [*headers, (name, policy)]


def resized(headers: HeaderList, length: int) -> HeaderList:
    """Return the headers of a body that was edited: its own `Content-Length`, no digests or ranges of the old one."""
    return replaced(without(headers, *_OF_THE_OLD_BODY), b"content-length", b"%d" % length)


def decoded(headers: HeaderList, length: int) -> HeaderList:
    """Return the headers of a body whose codings were taken off and that was edited."""
    return resized(without(headers, b"content-encoding"), length)


def readable_encodings(headers: HeaderList) -> HeaderList:
    """Return request headers whose `Accept-Encoding` asks only for codings that can be read; order and weights stay.

    Where none is left the client gets the plain body. A refusal of everything else (``*;q=0``) stays.
    """
    found = values(headers, b"accept-encoding")
    if not found:
        return headers
    kept = readable_value(found[0] if len(found) == 1 else b", ".join(found))
    return headers if kept is None else replaced(headers, b"accept-encoding", kept)


class _Codings(dict[bytes, bytes | None]):
    """Values of `Accept-Encoding` to what is left of them; browsers send few, and a bounded number is remembered."""

    def __missing__(self, value: bytes) -> bytes | None:
        found = _readable_value(value)
        if len(self) < _REMEMBERED and len(value) <= _LONGEST:
            self[value] = found
        return found


READABLE_CODINGS: Final = _Codings()
"""What is left of each `Accept-Encoding` value; None if all of it can be read."""


def readable_value(value: bytes) -> bytes | None:
    """Return what is left of an `Accept-Encoding` value; None if all of it can be read."""
    return READABLE_CODINGS[value]


def _readable_value(value: bytes) -> bytes | None:
    asked = [part.strip() for part in value.split(b",") if part.strip()]
    kept = [part for part in asked if _is_readable(part)]
    return None if kept == asked else b", ".join(kept) or b"identity"


def _is_readable(part: bytes) -> bool:
    name, _, weight = part.partition(b";")
    name = name.strip().lower()
    return name in READABLE or (name == b"*" and weight.replace(b" ", b"").rstrip(b".0") in (b"q=", b"Q="))


def _bare(value: bytes) -> bytes:
    return value.partition(b";")[0].strip().lower()


def _directives(value: bytes, separator: bytes) -> Directives:
    found: Directives = {}
    for part in value.split(separator):
        key, equals, argument = part.strip().partition(b" " if separator == b";" and b"=" not in part else b"=")
        del equals
        if key:
            found.setdefault(key.strip().lower(), argument.strip())
    return found


def _covers(found: Directives, asked: Directives, name: bytes) -> bool:
    return all(key in found and _fits(found[key], value, key, name) for key, value in asked.items())


def _fits(found: bytes, asked: bytes, key: bytes, name: bytes) -> bool:
    if name == b"strict-transport-security" and key == b"max-age":
        found, asked = found.strip(b'"'), asked.strip(b'"')
        return found.isdigit() and asked.isdigit() and int(found) >= int(asked)
    return found.lower() == asked.lower()
