"""What a runtime is loaded from, and how it looks on disk: policies, binding, switches.

`Given` is what the app was given; `load` turns it into sites, `marks` says whether a file is not what it was. What was
given as an object never changes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from troth.diagnostics import InvalidFiles
from troth.errors import ConfigurationError
from troth.model.binding import Binding
from troth.model.policy import Policy
from troth.model.words import Mode
from troth.rules import Loaded, check_together, load_binding, load_policy
from troth.rules.load import FILES
from troth.rules.switches import Switch, load_switches
from troth.runtime.site import Site

PolicyGiven = str | os.PathLike[str] | Policy | Mapping[str, "str | os.PathLike[str] | Policy"]
BindingGiven = str | os.PathLike[str] | Binding | Mapping[str, Any] | None
Marks = tuple[tuple[int, int, int] | None, ...]
"""Inode, time of change and size of each file; None for one that is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One policy with its binding, read and checked."""

    policy: Policy
    binding: Binding | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sites:
    """All sites of an app, under one state of the files."""

    by_host: Mapping[str, Site]
    switches: tuple[Switch, ...]
    binding_hash: str | None
    """SHA-256 of the binding's file; None where none was given as a file."""

    @property
    def first(self) -> Site:
        """The site of every host that is not named."""
        return next(iter(self.by_host.values()))

    @property
    def revision(self) -> tuple[object, ...]:
        """What makes one state of the files another: nothing that a comment in the switches changes."""
        hashes = tuple(site.policy.fingerprint for site in self.by_host.values())
        return hashes, self.binding_hash, self.switches

    def unknown(self) -> list[str]:
        """Return the ids that a switch names and no rule has."""
        known = {rule.id for site in self.by_host.values() for rule in site.given.rules}
        return [switch.rule for switch in self.switches if switch.rule not in known]


class Given:
    """What an app was given. Raises ConfigurationError for a setting that means nothing."""

    def __init__(self, policy: PolicyGiven, binding: BindingGiven, mode: str | None) -> None:
        self._policies = dict(policy) if isinstance(policy, Mapping) else {"": policy}
        if not self._policies:
            raise ConfigurationError("no policy was given")
        self._binding = binding
        self._mode = None if mode is None else _mode(mode)

    def read(self) -> Mapping[str, Read]:
        """Read and check all policies. Raises InvalidFiles for what is wrong in them, or cannot be kept together."""
        return {host: _read(one, self._binding) for host, one in self._policies.items()}

    def load(self, switches: Path, read: Mapping[str, Read] | None = None) -> Sites:
        """Make all sites, under the switches of a file. Raises InvalidFiles, as `read` does."""
        turned = load_switches(switches)
        modes = {switch.rule: switch.mode for switch in turned}
        sites = {
            host: Site(one.policy, one.binding, mode=self._mode, switches=modes, host=host)
            for host, one in (self.read() if read is None else read).items()
        }
        return Sites(by_host=sites, switches=turned, binding_hash=self._binding_hash())

    def marks(self) -> Marks:
        """Return how the files of policies and binding look: a few calls of `stat`."""
        return tuple(mark(path) for path in self._files())

    def _files(self) -> Iterator[str]:
        for one in self._policies.values():
            if not isinstance(one, Policy):
                yield from (os.path.join(one, name) for name in FILES)
        if isinstance(self._binding, str | os.PathLike):
            yield os.fspath(self._binding)

    def _binding_hash(self) -> str | None:
        if not isinstance(self._binding, str | os.PathLike):
            return None
        try:
            return sha256(Path(self._binding).read_bytes()).hexdigest()
        except OSError:
            return None


def mark(path: str | Path) -> tuple[int, int, int] | None:
    """Return how one file looks."""
    try:
        seen = os.stat(path)
    except OSError:
        return None
    return seen.st_ino, seen.st_mtime_ns, seen.st_size


def _read(policy: str | os.PathLike[str] | Policy, binding: BindingGiven) -> Read:
    loaded = Loaded(policy=policy) if isinstance(policy, Policy) else load_policy(os.fspath(policy))
    found = loaded.require()
    bound = binding if binding is None or isinstance(binding, Binding) else _bound(binding, found)
    wrong = [one for one in check_together(loaded, bound) if one.is_error] if loaded.places else []
    if wrong:
        raise InvalidFiles(wrong)
    return Read(policy=found, binding=bound)


def _bound(binding: str | os.PathLike[str] | Mapping[str, Any], policy: Policy) -> Binding:
    given = binding if isinstance(binding, Mapping) else os.fspath(binding)
    return load_binding(given, policy).require()


def _mode(text: str) -> Mode:
    try:
        return Mode(text)
    except ValueError:
        raise ConfigurationError(f"mode {text!r} is not one of {', '.join(Mode)}") from None
