"""The policies that the engines are compared on: the forty golden clauses and the whole policies of the repository."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.golden import corpus as golden
from troth.cases import load_cases
from troth.model.binding import Binding
from troth.model.policy import Policy
from troth.rules import load_binding, load_inline, load_policy

ROOT = Path(__file__).parents[2]
CASES = "rules_test.yaml"


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
    yield from whole("toontrack")


def words() -> Ground:
    """Load the policy that uses each word in each place."""
    path = Path(__file__).with_name("words.yaml")
    inline = load_inline(path.read_text("utf-8"), name=path.name)
    assert inline.policy is not None, inline.diagnostics
    assert inline.binding is not None
    return Ground("words", inline.policy, inline.binding)


def whole(slug: str) -> Iterator[Ground]:
    """Load a policy folder twice: with the binding of the example app, and with that of its cases, which can do all."""
    folder = ROOT / "policies" / slug
    policy = load_policy(folder).require()
    yield Ground(f"{slug}-in-shop", policy, load_binding(ROOT / "example_app" / "binding.yaml", policy).require())
    cases = load_cases(folder / CASES, policy=policy)
    assert cases.binding is not None, cases.diagnostics
    yield Ground(slug, policy, cases.binding)
