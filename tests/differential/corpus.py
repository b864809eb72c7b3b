"""The policies that the engines are compared on: the forty golden clauses and the whole policies of the repository."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.golden import corpus as golden
from troth.model.binding import NO_BINDING, Binding
from troth.model.policy import Policy
from troth.rules import load_binding, load_inline, load_policy

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
    yield words()
    toontrack = whole("toontrack", ROOT / "example_app" / "binding.yaml")
    if toontrack is not None:
        yield toontrack


def words() -> Ground:
    """Load the policy that uses each word in each place."""
    path = Path(__file__).with_name("words.yaml")
    inline = load_inline(path.read_text("utf-8"), name=path.name)
    assert inline.policy is not None, inline.diagnostics
    assert inline.binding is not None
    return Ground("words", inline.policy, inline.binding)


def whole(slug: str, binding: Path) -> Ground | None:
    """Load a policy folder with a binding, or None while it has no rules."""
    folder = ROOT / "policies" / slug
    if not (folder / "rules.yaml").exists():
        return None
    policy = load_policy(folder).require()
    bound = load_binding(binding, policy).require() if binding.exists() else NO_BINDING
    return Ground(slug, policy, bound)
