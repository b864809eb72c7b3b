"""What loading gives: the values where they can be used, and every finding."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from dataclasses import dataclass, field

from troth.diagnostics import Diagnostic, InvalidFiles, Span
from troth.model.binding import Binding
from troth.model.policy import Policy
from troth.rules.nodes import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A policy and what was found. `policy` is None where a finding is an error."""

    policy: Policy | None
    diagnostics: tuple[Diagnostic, ...] = ()
    places: Dict[str, Dict[str, Span]] = field(default_factory=dict)
    """Rule id to where each of its keys stands; ``id`` is the id itself."""
    clauses: Dict[str, Span] = field(default_factory=dict)
    """Clause id to where it stands in policy.md."""

    @property
    def ok(self) -> bool:
        """Whether the policy can be used."""
        return self.policy is not None

    def require(self) -> Policy:
        """Return the policy. Raises InvalidFiles with all findings where it cannot be used."""
        if self.policy is None:
            raise InvalidFiles(self.diagnostics)
        return self.policy


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedBinding:
    """A binding and what was found. `binding` is None where a finding is an error."""

    binding: Binding | None
    diagnostics: tuple[Diagnostic, ...] = ()

    def require(self) -> Binding:
        """Return the binding. Raises InvalidFiles with all findings where it cannot be used."""
        if self.binding is None:
            raise InvalidFiles(self.diagnostics)
        return self.binding


@dataclass(frozen=True, slots=True, kw_only=True)
class Inline:
    """One file with several sections: the policy, the binding (None where an error is), the rest as nodes."""

    policy: Policy | None
    binding: Binding | None
    diagnostics: tuple[Diagnostic, ...]
    rest: Dict[str, Node]
