"""What a policy and a binding say, looked up once at load: rows by name, umbrellas and areas spread out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from troth.model.binding import Binding
from troth.model.policy import CookieRow, Party, Policy
from troth.model.words import PERSONAL_DATA


@lru_cache(maxsize=4096)
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL)


def fits(pattern: str, name: str) -> bool:
    """Whether `name` fits `pattern`, in which ``*`` stands for any characters. Case counts."""
    return pattern == name or ("*" in pattern and _glob(pattern).fullmatch(name) is not None)


def host_fits(pattern: str, host: str) -> bool:
    """Whether `host` is `pattern` or below it; ``*.x`` means only below x."""
    if pattern.startswith("*."):
        return host.endswith(pattern[1:])
    return host == pattern or host.endswith("." + pattern)


class Tables:
    """Derived look-ups over one policy and one binding. Built at load, read by compiled rules, never changed."""

    def __init__(self, policy: Policy, binding: Binding) -> None:
        self.policy = policy
        self.binding = binding
        self.version_index = {version.id: index for index, version in enumerate(policy.versions)}
        self.spread: Mapping[str, frozenset[str]] = {name: self._members(name) for name in policy.data}
        self.personal = self._personal()
        self.row_data = {name: self.categories(purpose.data) for name, purpose in policy.purposes.items()}
        self.party_data = {name: self.categories(party.data) for name, party in policy.parties.items()}
        self._rows = {row.pattern: row for row in policy.cookies}
        self._by_fit = sorted(
            enumerate(policy.cookies), key=lambda pair: ("*" in pair[1].pattern, -_literals(pair[1].pattern), pair[0])
        )

    def _members(self, name: str, seen: frozenset[str] = frozenset()) -> frozenset[str]:
        """Return a category with all that stand under it: a route may declare the umbrella itself."""
        row = self.policy.data.get(name)
        if row is None or name in seen:
            return frozenset((name,))
        return frozenset((name,)).union(*(self._members(member, seen | {name}) for member in row.members))

    def _personal(self) -> frozenset[str]:
        """Return the personal categories, and the umbrellas over one of them."""
        rows = self.policy.data
        leaves = {row.id for row in rows.values() if row.personal and not row.members and row.id != PERSONAL_DATA}
        return frozenset(leaves | {name for name in rows if rows[name].members and leaves & self.spread[name]})

    def categories(self, names: tuple[str, ...]) -> frozenset[str]:
        """Return the categories that `names` cover: umbrellas and ``personal-data`` spread out."""
        found: set[str] = set()
        for name in names:
            if name == PERSONAL_DATA:
                found |= self.personal
            found |= self.spread.get(name, frozenset((name,)))
        return frozenset(found)

    def cookie_row(self, name: str, mapped: str | None = None) -> CookieRow | None:
        """Return the row of a cookie: the one it is mapped to, else the declared pattern that fits best."""
        if mapped is not None:
            return self._rows.get(mapped)
        return next((row for _, row in self._by_fit if fits(row.pattern, name)), None)

    def cookie_parties(self, name: str) -> tuple[Party, ...]:
        """Return the parties that declare a cookie of this name."""
        return tuple(p for p in self.policy.parties.values() if any(fits(c, name) for c in p.cookies))

    def element_parties(self, host: str | None, tokens: frozenset[str]) -> tuple[Party, ...]:
        """Return the parties that an element belongs to by its host, or by what its snippet holds."""
        return tuple(p for p in self.policy.parties.values() if _is_of(p, host, tokens))

    def is_own(self, host: str | None, current: str) -> bool:
        """Whether a host is the site's own: no host, the exchange's, or one of the policy's."""
        if host is None or host == current:
            return True
        return any(
            host_fits(pattern, host) if pattern.startswith("*.") else pattern == host
            for pattern in self.policy.identity.hosts
        )

    def area(self, names: tuple[str, ...]) -> frozenset[str]:
        """Return `names` with each area name spread to its members."""
        found = set(names)
        for name in names:
            found |= set(self.policy.areas.get(name, ()))
        return frozenset(found)


def _literals(pattern: str) -> int:
    return len(pattern) - pattern.count("*")


def _is_of(party: Party, host: str | None, tokens: frozenset[str]) -> bool:
    if host is not None and any(host_fits(row.host, host) for row in party.hosts):
        return True
    return any(
        any(host_fits(row.host, token) for row in party.hosts)
        or any(fits(pattern, token) for pattern in party.scripts)
        or any(fits(pattern, token) for pattern in party.cookies)
        for token in tokens
    )
