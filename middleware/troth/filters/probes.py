"""Probes say what a value is by looking at it. Values never leave: what comes out are category ids.

Probe names: ``email``, ``phone``, ``ip``, ``luhn``, ``known``, ``pattern`` (``age`` stands in `ages`: it reads, it does
not find). Nothing here can be made slow by a value: every quantifier is bounded.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from re import _parser as _syntax  # type: ignore[attr-defined]  # typeshed lists no submodules of re
from typing import Any, Final
from urllib.parse import unquote

from troth.errors import UnreadableBody
from troth.filters.digits import is_card, is_card_number, is_phone
from troth.filters.json_text import Members, decode_all
from troth.filters.names import NONE, Categories

_LOCAL: Final = re.compile(r"[\w.+\-%'!#$&*/=?^`{|}~]")
_DOMAIN: Final = re.compile(r"[\w\-]{1,63}(?:\.[\w\-]{1,63}){0,8}?\.[^\W\d_]{2,63}(?![\w\-])")
_SCALED_IMAGE: Final = re.compile(r"\d{1,2}x\.[a-z]{3,4}(?![\w.])")
_ADDRESS: Final = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\w)|(?=[^.\s]{0,6}:)[0-9A-Fa-f:.]{3,45}(?![\w:]))"
)
_TELLING: Final = re.compile(r"[0-9@:]")
"""Without one of these characters there is no address, number or e-mail in a text. (A ``%`` code has digits or not,
so what it hides, a digit, ``@`` or ``:``, is coded with one: 3x, 40, 3a.)"""
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_\-]{8,}={0,2}")
_SHORTEST_KNOWN: Final = 4
_LAYERS: Final = 3
_LONGEST: Final = 64 * 1024
_WINDOW: Final = 256
_PATHS: Final = 1 << 16


class Known:
    """Values that the actor hook or the request's own cookies bring, by category; sought as whole tokens, without case.

    Shorter ones than four characters are left out: 42 is found everywhere.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Iterable[str]]) -> None:
        self._values = tuple(
            (value.strip().lower(), category)
            for category, given in values.items()
            for value in given
            if len(value.strip()) >= _SHORTEST_KNOWN
        )

    def __bool__(self) -> bool:
        return bool(self._values)

    def find(self, text: str) -> Iterator[str]:
        """Yield the category of every known value that stands in `text` as a whole token."""
        lowered = text.lower()
        return (category for value, category in self._values if value in lowered and _stands_whole(value, lowered))


NOBODY: Final = Known({})
"""No value is known."""


class Probes:
    """Compiled probes. `rows` are triples: category, probe name, and for ``pattern`` its regular expression.

    Raises ValueError for an unknown probe and for a pattern that `compile_pattern` refuses. ``age`` is skipped.
    """

    __slots__ = ("_by_number", "_by_text", "_known", "_reads_all")

    def __init__(self, rows: Iterable[tuple[str, str, str | None]]) -> None:
        self._by_text: list[tuple[Callable[[str], object], str]] = []
        self._by_number: list[str] = []
        self._known: set[str] = set()
        self._reads_all = False
        """Whether text without digit, ``@`` and colon can show something too."""
        for category, probe, pattern in rows:
            self._add(category, probe, pattern)

    def _add(self, category: str, probe: str, pattern: str | None) -> None:
        match probe:
            case "known":
                self._known.add(category)
                self._reads_all = True
            case "pattern":
                self._reads_all = True
                self._by_text.append((compile_pattern(pattern or ""), category))
            case "age":
                pass
            case _:
                if probe not in _FINDERS:
                    raise ValueError(f"unknown probe `{probe}`")
                self._by_text.append((_FINDERS[probe], category))
                if probe == "luhn":
                    self._by_number.append(category)

    def __bool__(self) -> bool:
        return bool(self._by_text or self._known)

    def find(self, value: object, known: Known = NOBODY) -> Categories:
        """Return the categories that one decoded scalar shows, plain and, for text, percent-decoded. Never raises."""
        if type(value) is str:
            if not self._reads_all and not _TELLING.search(value):
                return NONE
            found = self._of_text(value, known)
            if "%" in value:
                found |= self._of_text(unquote(value), known)
            return tuple(found) if found else NONE
        if type(value) is int:
            return self._of_number(value, known)
        return NONE

    def find_within(self, value: str, known: Known = NOBODY) -> frozenset[str]:
        """Return the categories that a value shows plain, percent-decoded, base64-decoded and inside JSON text.

        For values that carry other values: of cookies, parameters, headers. Never raises.
        """
        if not self:
            return frozenset()
        return frozenset(one for leaf in unwrapped(value) for one in self.find(leaf, known))

    def _of_number(self, value: int, known: Known) -> Categories:
        found = set(self._by_number) if self._by_number and is_card_number(value) else set()
        if self._known and known:
            found |= self._known.intersection(known.find(str(value)))
        return tuple(found) if found else NONE

    def _of_text(self, text: str, known: Known) -> set[str]:
        found = {category for finder, category in self._by_text if finder(text)}
        if self._known and known:
            found |= self._known.intersection(known.find(text))
        return found


NO_PROBES: Final = Probes(())
"""Looks at nothing, finds nothing."""


def probe_cookie(probes: Probes, value: bytes, known: Known = NOBODY) -> frozenset[str]:
    """Return the categories that the value of a cookie shows, in any of the forms of `Probes.find_within`."""
    return probes.find_within(value.decode("utf-8", "replace").strip(' \t"'), known)


def has_email(text: str) -> bool:
    """Say whether an e-mail address stands in `text`."""
    at = text.find("@")
    while at >= 0:
        if at and _LOCAL.match(text, at - 1) and _DOMAIN.match(text, at + 1) and not _SCALED_IMAGE.match(text, at + 1):
            return True
        at = text.find("@", at + 1)
    return False


def has_address(text: str) -> bool:
    """Say whether an IPv4 or IPv6 address stands in `text` as a token of its own."""
    if text.count(".") < 3 and text.count(":") < 2:
        return False
    return any(_is_address(found[0].rstrip(".")) for found in _ADDRESS.finditer(text))


_FINDERS: Final[Mapping[str, Callable[[str], bool]]] = {
    "email": has_email,
    "ip": has_address,
    "luhn": is_card,
    "phone": is_phone,
}


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """Compile a pattern of the policy's author into a search whose time a value cannot blow up.

    Raises ValueError if it is no regular expression, refers back, or could take more than 65,536 paths through 256
    characters: two open quantifiers in a row are fine, one inside another is not. Long values are read in windows of
    256 characters that overlap by half.
    """
    try:
        compiled, parsed = re.compile(pattern), _syntax.parse(pattern)
    except re.error as cause:
        raise ValueError(f"not a regular expression: {cause}") from cause
    if not pattern or _paths(parsed) > _PATHS:
        raise ValueError("the pattern could take too long: bound its quantifiers, and put none inside another")

    def search(text: str) -> bool:
        if len(text) <= _WINDOW:
            return compiled.search(text) is not None
        starts = range(0, len(text) - _WINDOW // 2, _WINDOW // 2)
        return any(compiled.search(text, start, start + _WINDOW) is not None for start in starts)

    return search


def _paths(tree: Any) -> int:
    """Return an upper bound of the ways in which the parsed pattern can match from one position."""
    ways = 1
    for kind, argument in tree:
        match str(kind):
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                ways *= _repeats(*argument)
            case "BRANCH":
                ways *= sum(_paths(branch) for branch in argument[1])
            case "SUBPATTERN":
                ways *= _paths(argument[-1])
            case "GROUPREF" | "GROUPREF_EXISTS" | "ASSERT" | "ASSERT_NOT" | "ATOMIC_GROUP":
                return _PATHS + 1
            case _:
                pass
        if ways > _PATHS:
            return ways
    return ways


def _repeats(least: int, most: int, inner: Any) -> int:
    most = min(int(most), _WINDOW)
    inside = _paths(inner)
    lengths = max(1, most - int(least) + 1)
    return lengths if inside == 1 else min(lengths * inside ** min(most, 20), _PATHS + 1)


def unwrapped(value: str, layers: int = _LAYERS) -> Iterator[str | int]:
    """Yield `value` and everything it wraps: percent-decoded, base64 (whole and between dots), members of JSON text."""
    if len(value) > _LONGEST:
        value = value[:_LONGEST]
    yield value
    if not layers:
        return
    inner = unquote(value) if "%" in value else value
    if inner != value:
        yield from unwrapped(inner, layers - 1)
        return
    if inner[:1] in ("{", "[", '"'):
        for leaf in _json_leaves(inner):
            yield from unwrapped(leaf, layers - 1) if isinstance(leaf, str) else (leaf,)
        return
    for text in _from_base64(inner):
        yield from unwrapped(text, layers - 1)


def _json_leaves(text: str) -> Iterator[str | int]:
    try:
        stack = [decode_all(text.encode("utf-8", "replace"))]
    except UnreadableBody:
        return
    while stack:
        value = stack.pop()
        if isinstance(value, dict | Members):
            for key, member in value.items():
                yield key
                stack.append(member)
        elif isinstance(value, list):
            stack += value
        elif isinstance(value, str | int):
            yield value


def _from_base64(text: str) -> Iterator[str]:
    for part in _BASE64.findall(text):
        padded = part.rstrip("=").translate({ord("-"): "+", ord("_"): "/"})
        try:
            decoded = base64.b64decode(padded + "=" * (-len(padded) % 4), validate=True).decode("utf-8")
        except (binascii.Error, ValueError):
            continue
        if decoded.isprintable():
            yield decoded


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _stands_whole(value: str, text: str) -> bool:
    at = text.find(value)
    while at >= 0:
        end = at + len(value)
        if not (at and text[at - 1].isalnum()) and not text[end : end + 1].isalnum():
            return True
        at = text.find(value, at + 1)
    return False
