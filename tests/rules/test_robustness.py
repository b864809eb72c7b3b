"""Each key of each file dropped, doubled, mistyped, misspelt: it loads, or an error stands at that token."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from tests.rules.mutations import Mutation, mutations
from troth.diagnostics import Diagnostic
from troth.rules import load_binding, load_inline, load_policy, load_texts
from troth.rules.load import load_binding_text

ROOT = Path(__file__).parents[2]
GOLDEN = sorted((ROOT / "tests" / "golden").rglob("*.yaml"))
TOONTRACK = ROOT / "policies" / "toontrack"
NAMES = {f"TR2{number:02}" for number in range(1, 23)} | {"TR118", "TR313", "TR301"}
"""A name that is no longer declared is found where it is used."""
SAMPLE = (Path(__file__).parent / "sample.yaml").read_text(encoding="utf-8")


def inline(text: str) -> tuple[Diagnostic, ...]:
    return load_inline(text, name="file.yaml").diagnostics


def hold(mutation: Mutation, found: tuple[Diagnostic, ...], sections: frozenset[str] = frozenset()) -> None:
    """Assert that the file loads, or that an error stands at the token, in its value, or where its name is used."""
    errors = [one for one in found if one.is_error]
    assert all(one.full() and one.short() for one in found)
    if not errors or mutation.name in sections:
        return
    assert any(at_token(mutation, one) or one.code in NAMES for one in errors), (
        f"{mutation}: {[one.short() for one in errors]}"
    )


def at_token(mutation: Mutation, one: Diagnostic) -> bool:
    first, last = mutation.above
    place = (one.span.line, one.span.column)
    match mutation.kind:
        case "misspelt" | "doubled":
            return place == (mutation.line, mutation.column) or one.code in {"TR102", "TR305", "TR309"}
        case "dropped":
            return first - 1 <= one.span.line <= last + 1
        case _:
            return one.span.line == mutation.line and one.span.column >= mutation.column


def test_the_sample_that_is_mutated_is_sound() -> None:
    assert [one.short() for one in inline(SAMPLE)] == []


@pytest.mark.parametrize("kind", ["misspelt", "doubled", "mistyped", "dropped"])
def test_a_slip_in_any_key_of_a_sample_is_found_at_the_key(kind: str) -> None:
    some = [one for one in mutations(SAMPLE) if one.kind.startswith(kind)]
    assert len(some) > 200
    for one in random.Random(7).sample(some, 40):
        hold(one, inline(one.text))


def test_a_doubled_key_is_always_refused() -> None:
    doubled = [one for one in mutations(SAMPLE) if one.kind == "doubled"]
    for one in islice(doubled, 0, None, 8):
        found = [(error.code, error.span.line, error.span.column) for error in inline(one.text)]
        assert ("TR010", one.line, one.column) in found, str(one)


def test_a_misspelt_key_of_the_grammar_is_always_refused() -> None:
    text = "- id: a-rule\n  clause: T-1\n  for: cookie\n  match: {basis: consent}\n  otherwise: withhold\n  mode: off\n"
    for one in mutations(f"rules:\n{text}"):
        if one.kind == "misspelt" and one.name != "rules":
            found = [(error.span.line, error.span.column) for error in inline(one.text)]
            assert (one.line, one.column) in found, str(one)


@pytest.mark.real
def test_no_slip_in_the_sample_is_missed() -> None:
    for one in mutations(SAMPLE):
        hold(one, inline(one.text))


def rule_sections(path: Path) -> str:
    """Return a golden file without its cases, whose grammar is another part's."""
    return path.read_text(encoding="utf-8").split("\ncases:\n")[0] + "\n"


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_file_loads(path: Path) -> None:
    assert [one.short() for one in inline(rule_sections(path)) if one.is_error] == []


def test_some_slips_in_golden_files_are_found() -> None:
    chance = random.Random(17)
    for path in chance.sample(GOLDEN, 10):
        for one in chance.sample(list(mutations(rule_sections(path))), 5):
            hold(one, inline(one.text))


@pytest.mark.real
@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_no_slip_in_a_golden_file_is_missed(path: Path) -> None:
    for one in mutations(rule_sections(path)):
        hold(one, inline(one.text))


def toontrack(name: str) -> Callable[[str], tuple[Diagnostic, ...]]:
    texts = {path.name: path.read_text(encoding="utf-8") for path in TOONTRACK.iterdir() if path.is_file()}
    return lambda text: load_texts({**texts, name: text}, name="toontrack").diagnostics


def whole_folder() -> Iterator[tuple[str, Mutation]]:
    for name in ("policy.yaml", "rules.yaml"):
        for one in mutations((TOONTRACK / name).read_text(encoding="utf-8")):
            yield name, one


@pytest.mark.real
def test_slips_in_a_whole_policy_are_found() -> None:
    for name, one in random.Random(11).sample(list(whole_folder()), 600):
        hold(one, toontrack(name)(one.text))


def test_some_slips_in_a_whole_policy_are_found() -> None:
    for name, one in random.Random(13).sample(list(whole_folder()), 12):
        hold(one, toontrack(name)(one.text))


@pytest.mark.real
def test_slips_in_the_binding_of_the_shop_are_found() -> None:
    policy = load_policy(TOONTRACK).require()
    text = (ROOT / "example_app" / "binding.yaml").read_text(encoding="utf-8")
    assert load_binding(ROOT / "example_app" / "binding.yaml", policy).binding is not None
    for one in mutations(text):
        hold(one, load_binding_text(text=one.text, policy=policy).diagnostics)
