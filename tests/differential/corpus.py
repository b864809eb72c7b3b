"""The policies that the engines are compared on: the forty golden clauses and the whole policies of the repository."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.golden import corpus as golden
from troth.model.binding import NO_BINDING, Binding
from troth.model.policy import Policy
from troth.rules import load_binding, load_policy

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Ground:
    """A policy and a binding to draw exchanges for."""

    name: str
    policy: Policy
    binding: Binding


def grounds() -> Iterator[Ground]:
    """Yield the goldens, then the whole policies that are there."""
    for path in golden.files():
        one = golden.load(path)
        yield Ground(path.stem, one.policy, one.binding)
    toontrack = whole("toontrack", ROOT / "example_app" / "binding.yaml")
    if toontrack is not None:
        yield toontrack


def whole(slug: str, binding: Path) -> Ground | None:
    """Load a policy folder with a binding, or None while it has no rules."""
    folder = ROOT / "policies" / slug
    if not (folder / "rules.yaml").exists():
        return None
    policy = load_policy(folder).require()
    bound = load_binding(binding, policy).require() if binding.exists() else NO_BINDING
    return Ground(slug, policy, bound)
