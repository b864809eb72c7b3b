"""Probes say what a value is by looking at it. Values never leave: what comes out are category ids.

Probe names: ``email``, ``phone``, ``ip``, ``luhn``, ``known``, ``pattern`` (``age`` stands in `ages`: it reads, it does
not find). Nothing here can be made slow by a value: every quantifier is bounded.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from troth.filters.digits import is_card, is_card_number, is_phone
from troth.filters.names import NONE, Categories
from troth.filters.nearby import says_version
from troth.filters.patterns import compile_pattern
from troth.filters.unwrapping import unwrapped

_LOCAL: Final = re.compile(r"[\w.+\-%'!#$&*/=?^`{|}~]")
_QUOTED_LOCAL: Final = re.compile(r'(?<!\w)"[^"@]{1,64}"$')
_DOMAIN: Final = re.compile(
    r"[\w\-]{1,63}(?:\.[\w\-]{1,63}){0,8}\.(?:[^\W\d_]{2,63}|xn--[A-Za-z0-9\-]{2,59})(?![\w\-])"
    r"|\[[0-9A-Fa-f:.]{3,45}\]"
)
_NO_MAILBOX: Final = re.compile(r"(?:://[^\s/?#@<>]{1,96}|(?:^|[\s(,;>])@[\w.\-]{1,64})$")
"""Before the sign: the name and password of a URL, or a second sign, as handles have."""
_REMOTE: Final = re.compile(r":[A-Za-z~][\w.\-]{0,63}/")
"""Behind the host: the path of a repository, as in ``git@example.com:group/project``."""
_BACK: Final = 100
_SCALED_IMAGE: Final = re.compile(r"\d{1,2}x\.[a-z]{3,4}(?![\w.])")
_BYTE: Final = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4: Final = re.compile(
    r"(?<![^\W_])(?<!\.)(?:(?<!:)|(?<=[A-Za-z]{3}:)|(?<=\bip:))"
    rf"(?!\d{{1,3}}\.0\.0\.0|255\.255\.){_BYTE}(?:\.{_BYTE}){{3}}(?!\w|\.\w)",
    re.ASCII,
)
"""(A version such as 126.0.0.0, as browsers give it, is a network at most, and what begins 255.255 a mask.)"""
_IPV6: Final = re.compile(r"(?<![\w.:])(?=[^.\s]{0,6}:)[0-9A-Fa-f:.]{3,45}(?![\w:])")
_DIGITS: Final = ("0-9\x80-\U0010ffff", r"[0-9 ().\-/" + "\x80-\U0010ffff]{6}")
_HARDWARE: Final = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){7}")
_SIGNS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "email": (("@", "(?<=@)"),),
    "ip": ((":", "[0-9A-Fa-f]{0,4}:"), ("0-9", r"\.[0-9]{1,3}\.[0-9]")),
    "luhn": (_DIGITS,),
    "phone": (_DIGITS,),
}
"""What an address, a card or a telephone number cannot do without, cheap to look for where the thing is dear to find:
the characters with which it begins, and how it goes on. Other scripts have digits too."""
SIGNS: Final[Mapping[str, int]] = {"email": 1, "ip": 2, "phone": 4, "luhn": 8}
"""The same as numbers, for the compiled screen (``json_body.c``), which adds 16 for what is percent-coded."""
_CODED: Final = ("%", "(?<=%)")
_MOMENT: Final = re.compile(
    r"[12]\d{3}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)
"""A date or time stamp, the most common text that looks telling and is not."""
_SHORTEST_TELLING: Final = len("a@b.se")
_TELLING_NUMBER: Final = 10**12
_SHORTEST_KNOWN: Final = 4
_SHORTEST_NUMBER: Final = 7
_GROUPED: Final = r"(?:\(0\)|[ ().\-/]){0,4}"
"""What may stand between the digits of a telephone number, the national zero in brackets among it."""
_DIGESTS: Final = ("md5", "sha1", "sha256")
_SHORTEST_DIGEST: Final = 32
_DIGEST: Final = re.compile(r"(?<![0-9a-z])(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})(?![0-9a-z])", re.ASCII)


class Known:
    """Values that the actor hook or the request's own cookies bring, by category; sought as whole tokens, without case.

    Shorter ones than four characters are left out: 42 is found everywhere. Their digests are sought as well: who was
    told the value can tell by them whose it is.
    """

    __slots__ = ("_digests", "_values")

    def __init__(self, values: Mapping[str, Iterable[str]]) -> None:
        self._values = tuple(
            (value.strip().lower(), category)
            for category, given in values.items()
            for value in given
            if len(value.strip()) >= _SHORTEST_KNOWN
        )
        self._digests: dict[str, list[str]] | None = None

    def __bool__(self) -> bool:
        return bool(self._values)

    def find(self, text: str) -> Iterator[str]:
        """Yield the category of every known value that stands in `text` as a whole token, or as a digest in hex."""
        lowered = text.lower()
        for value, category in self._values:
            if value in lowered and _stands_whole(value, lowered):
                yield category
        if len(lowered) >= _SHORTEST_DIGEST:
            for found in _DIGEST.finditer(lowered):
                yield from self._by_digest().get(found[0], ())

    def _by_digest(self) -> dict[str, list[str]]:
        """Return digests to categories; worked out when something that could be one is seen for the first time."""
        if self._digests is None:
            self._digests = {}
            for value, category in self._values:
                for name in _DIGESTS:
                    digest = hashlib.new(name, value.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
                    self._digests.setdefault(digest, []).append(category)
        return self._digests


NOBODY: Final = Known({})
"""No value is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """Which scalars to look at closely: texts of so many characters in which `search` finds something, large numbers.

    A text that `is_moment`, a date or time stamp, needs no look.
    """

    search: Callable[[str], object]
    shortest: int
    least: float
    is_moment: Callable[[str], object]


class Probes:
    """Compiled probes. `rows` are triples: category, probe name, and for ``pattern`` its regular expression.

    `own` are addresses and telephone numbers of the site itself: they are nobody's, and no probe but ``pattern`` and
    ``known`` sees them. Raises ValueError for an unknown probe and for a pattern that `compile_pattern` refuses.
    ``age`` is skipped.
    """

    __slots__ = ("_by_number", "_finders", "_known", "_own", "_patterns", "_telling")

    def __init__(self, rows: Iterable[tuple[str, str, str | None]], own: Iterable[str] = ()) -> None:
        self._own = _own_contacts(own)
        self._finders: list[tuple[Callable[[str], bool], str]] = []
        self._patterns: list[tuple[Callable[[str], bool], str]] = []
        self._by_number: list[str] = []
        self._known: set[str] = set()
        signs: set[tuple[str, str]] = set()
        for category, probe, pattern in rows:
            self._add(category, probe, pattern)
            signs.update((*_SIGNS[probe], _CODED) if probe in _SIGNS else ())
        self._telling = _search(signs)

    def _add(self, category: str, probe: str, pattern: str | None) -> None:
        match probe:
            case "known":
                self._known.add(category)
            case "pattern":
                self._patterns.append((compile_pattern(pattern or ""), category))
            case "age":
                pass
            case _:
                if probe not in _FINDERS:
                    raise ValueError(f"unknown probe `{probe}`")
                self._finders.append((_FINDERS[probe], category))
                if probe == "luhn":
                    self._by_number.append(category)

    def __bool__(self) -> bool:
        return bool(self._finders or self._patterns or self._known)

    @property
    def has_patterns(self) -> bool:
        """Whether rows brought patterns of their own, which can match anything."""
        return bool(self._patterns)

    def passed(self, categories: Categories) -> int:
        """Return the signs (`SIGNS`) that say nothing new of a value which is known to have these categories."""
        return sum(
            sign
            for probe, sign in SIGNS.items()
            if all(category in categories for finder, category in self._finders if finder is _FINDERS[probe])
        )

    def screen(self, known: Known) -> Screen:
        """Return what tells quickly of a scalar that `find` would find nothing in it."""
        seeks = bool(self._known and known)
        least = -math.inf if seeks else _TELLING_NUMBER if self._by_number else math.inf
        if self._patterns or seeks:
            return Screen(search=_anything, shortest=0, least=least, is_moment=_nothing)
        return Screen(search=self._telling, shortest=_SHORTEST_TELLING, least=least, is_moment=_MOMENT.fullmatch)

    def find(self, value: object, known: Known = NOBODY, but: Categories = NONE) -> Categories:
        """Return the categories that one decoded scalar shows, plain and, for text, percent-decoded. Never raises.

        Of the categories in `but`, which the value is known to have, the dear searches are left out.
        """
        if type(value) is int:
            return self._of_number(value, known)
        if type(value) is not str:
            return NONE
        found = self._of_text(value, known, but)
        if "%" in value and (decoded := unquote(value)) != value:
            found += self._of_text(decoded, known, but)
        return tuple(sorted(set(found))) if found else NONE

    def find_within(self, value: str, known: Known = NOBODY) -> frozenset[str]:
        """Return the categories that a value shows plain, percent-decoded, base64-decoded and inside JSON text.

        For values that carry other values: of cookies, parameters, headers. Never raises.
        """
        if not self:
            return frozenset()
        return frozenset([one for leaf in unwrapped(value) for one in self.find(leaf, known)])

    def _of_text(self, text: str, known: Known, but: Categories) -> list[str]:
        found: list[str] = []
        if len(text) >= _SHORTEST_TELLING and self._telling(text) and not _MOMENT.fullmatch(text):
            others = text if self._own is None else self._own.sub(" ", text)
            found = [category for finder, category in self._finders if category not in but and finder(others)]
        if self._patterns:
            found += [category for search, category in self._patterns if search(text)]
        if self._known and known:
            found += self._known.intersection(known.find(text))
        return found

    def _of_number(self, value: int, known: Known) -> Categories:
        found = self._by_number if value >= _TELLING_NUMBER and is_card_number(value) else []
        if self._known and known:
            return (*found, *self._known.intersection(known.find(str(value))))
        return tuple(found)


def _own_contacts(own: Iterable[str]) -> re.Pattern[str] | None:
    """Compile what finds the site's own addresses and telephone numbers as whole ones, however numbers are grouped."""
    forms = []
    for contact in own:
        digits = [one for one in contact if one.isdigit()]
        if "@" in contact:
            forms.append(rf"(?<![\w.+\-%/&~]){re.escape(contact)}(?![\w\-]|\.\w)")
        elif len(digits) >= _SHORTEST_NUMBER and not any(one.isalpha() for one in contact):
            forms.append(rf"(?<!\d)\+?{_GROUPED.join(digits)}(?!\d)")
    return re.compile("|".join(forms), re.IGNORECASE) if forms else None


def _anything(text: str) -> object:
    del text  # patterns and known values can look like anything
    return True


def _nothing(text: str) -> object:
    del text
    return None


def _search(signs: Iterable[tuple[str, str]]) -> Callable[[str], object]:
    """Compile what looks for any of these signs; that all begin with one set of characters makes it fast."""
    starts, rests = zip(*sorted(signs), strict=True) if signs else ((), ())
    return re.compile(f"[{''.join(starts)}](?:{'|'.join(rests)})").search if signs else _nothing


NO_PROBES: Final = Probes(())
"""Looks at nothing, finds nothing."""


def probe_cookie(probes: Probes, value: bytes, known: Known = NOBODY) -> frozenset[str]:
    """Return the categories that the value of a cookie shows, in any of the forms of `Probes.find_within`."""
    return probes.find_within(value.decode("utf-8", "replace").strip(' \t"'), known)


def has_email(text: str) -> bool:
    """Say whether an e-mail address stands in `text`."""
    at = text.find("@")
    while at >= 0:
        if at and _is_local(text, at) and (found := _DOMAIN.match(text, at + 1)) and _is_mailbox(text, at, found.end()):
            return True
        at = text.find("@", at + 1)
    return False


def _is_local(text: str, at: int) -> bool:
    return _LOCAL.match(text, at - 1) is not None or (
        text[at - 1] == '"' and _QUOTED_LOCAL.search(text, max(0, at - _BACK), at) is not None
    )


def _is_mailbox(text: str, at: int, end: int) -> bool:
    """Say whether what looks like an address at the sign `at` is none of its look-alikes."""
    if _SCALED_IMAGE.match(text, at + 1) or _REMOTE.match(text, end):
        return False
    return _NO_MAILBOX.search(text, max(0, at - _BACK), at) is None


def has_address(text: str) -> bool:
    """Say whether an IPv4 or IPv6 address stands in `text` as a token of its own."""
    if text.count(".") >= 3 and any(not says_version(text, found.start()) for found in _IPV4.finditer(text)):
        return True
    return text.count(":") >= 2 and any(_is_address(found[0].rstrip(".")) for found in _IPV6.finditer(text))


_FINDERS: Final[Mapping[str, Callable[[str], bool]]] = {
    "email": has_email,
    "ip": has_address,
    "luhn": is_card,
    "phone": is_phone,
}


def _is_address(text: str) -> bool:
    if _HARDWARE.fullmatch(text):
        return False
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
