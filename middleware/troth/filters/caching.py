"""A response that depends on consent must not reach somebody who chose otherwise: `Vary`, `private`, marked ETags."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from troth._types import HeaderList
from troth.filters import headers as pairs

CONSENT_VARY: Final = (b"Cookie", b"Sec-GPC")
"""What a response that depends on consent varies on."""
_CDN_HEADERS: Final = (b"cdn-cache-control", b"surrogate-control")
_SHARED: Final = (b"public", b"s-maxage")
_ETAG: Final = re.compile(rb'(W/)?"([^"]*)"')
_MARK: Final = b"~c."
_TAG: Final = re.compile(rb"[A-Za-z0-9_\-]{1,64}")


def varied(headers: HeaderList, names: Iterable[bytes] = CONSENT_VARY) -> HeaderList:
    """Return response headers whose `Vary` holds all `names`; a ``*`` stays and says it all already."""
    found = pairs.values(headers, b"vary")
    present = {name.strip().lower() for value in found for name in value.split(b",")}
    missing = [name for name in names if name.lower() not in present]
    if b"*" in present or not missing:
        return headers
    now = [value.strip() for value in found if value.strip()]
    return pairs.replaced(headers, b"vary", b", ".join([*now, *missing]))


def made_private(headers: HeaderList) -> HeaderList:
    """Return response headers that keep shared caches out: ``private`` unless ``no-store``, nothing for CDNs alone.

    Headers by which only a CDN caches (RFC 9213 and its forerunners) go, since a CDN heeds them first.
    """
    kept = [pair for pair in headers if pair[0].lower() not in _CDN_HEADERS and not _is_targeted(pair[0])]
    if len(kept) < len(headers):
        headers = kept
    found = pairs.values(headers, b"cache-control")
    directives = _split_quoted(b", ".join(found))
    if b"no-store" in map(bytes.lower, directives):
        return headers
    fitting = [one for one in directives if one.partition(b"=")[0].strip().lower() not in (*_SHARED, b"private")]
    value = b", ".join([b"private", *fitting])
    return headers if found == [value] or _is_private(directives) else pairs.replaced(headers, b"cache-control", value)


def mark_etags(headers: HeaderList, tag: bytes) -> HeaderList:
    """Return response headers whose ETags end in the consent state `tag`; strong stays strong, weak weak.

    `tag` is up to 64 letters, digits, ``-`` and ``_``; anything else raises ValueError.
    """
    _check(tag)
    ending = _MARK + tag
    changed = False
    result: HeaderList = []
    for name, value in headers:
        if name.lower() == b"etag":
            marked = _ETAG.sub(lambda found: _with_ending(found, ending), value)
            changed = changed or marked != value
            value = marked
        result.append((name, value))
    return result if changed else headers


def holds_marks(headers: HeaderList) -> bool:
    """Say whether the client sends back a validator that we have marked."""
    return any(_MARK in value for name, value in headers if name.lower() in _CONDITIONAL)


def own_validators(headers: HeaderList, tag: bytes) -> HeaderList:
    """Return request headers as the app must see them: validators without our mark, foreign ones dropped.

    An ETag of another consent state, or from before, must not earn a 304 or a range; dates know no state, so
    `If-Modified-Since` goes too. Of `If-Match` only the mark goes: it guards writes.
    """
    _check(tag)
    result: HeaderList = []
    for name, value in headers:
        keep = _CONDITIONAL.get(name.lower())
        stripped = value if keep is None else keep(value, tag)
        if stripped is not None:
            result.append((name, stripped))
    return headers if result == headers else result


def _none_match(value: bytes, tag: bytes) -> bytes | None:
    if value.strip() == b"*":
        return value
    ending = _MARK + tag
    own = [
        (found[1] or b"") + b'"' + found[2][: -len(ending)] + b'"'
        for found in _ETAG.finditer(value)
        if found[2].endswith(ending)
    ]
    return b", ".join(own) or None


def _match(value: bytes, tag: bytes) -> bytes | None:
    del tag  # a write is guarded whatever was chosen in between
    return _ETAG.sub(
        lambda found: (
            (found[1] or b"") + b'"' + found[2].rpartition(_MARK)[0] + b'"' if _MARK in found[2] else found[0]
        ),
        value,
    )


def _dropped(value: bytes, tag: bytes) -> bytes | None:
    del value, tag  # a date cannot say which state it was served under
    return None


_CONDITIONAL: Final[dict[bytes, Callable[[bytes, bytes], bytes | None]]] = {
    b"if-none-match": _none_match,
    b"if-range": _none_match,
    b"if-match": _match,
    b"if-modified-since": _dropped,
}


def _with_ending(found: re.Match[bytes], ending: bytes) -> bytes:
    if found[2].endswith(ending):
        return found[0]
    return (found[1] or b"") + b'"' + found[2] + ending + b'"'


def _split_quoted(value: bytes) -> list[bytes]:
    parts = re.findall(rb'(?:[^,"]|"[^"]*"?)+', value)
    return [part.strip() for part in parts if part.strip()]


def _is_private(directives: list[bytes]) -> bool:
    names = [one.partition(b"=")[0].strip().lower() for one in directives]
    return b"private" in [one.lower() for one in directives] and not any(name in _SHARED for name in names)


def _is_targeted(name: bytes) -> bool:
    return name.lower().endswith(b"-cdn-cache-control")


def _check(tag: bytes) -> None:
    if not _TAG.fullmatch(tag):
        raise ValueError("not a tag for an ETag")
