"""Runs cases against every mutant of a file of rules, until one of them fails on what can be seen.

A case kills a mutant where it fails on the wire, on what the app saw, or on a reason. That the two engines differ, that
a line lacks a reason, or that a second request goes another way than the first kills nothing: it is a finding of its
own, about Troth, and is told apart. So are mutants that `troth check` refuses with the binding of the cases.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path

from tests.mutation.mutants import Mutant, Pools, mutants
from troth.cases import CaseFile, Outcome, case_paths, load_cases_text, load_files
from troth.cases.bench import Bench
from troth.cases.run import run_case
from troth.cases.values import Case
from troth.model.policy import Policy
from troth.model.words import OWN_COPY_TAGS, PROTECTED_TAGS
from troth.rules import Loaded, check_together, load_policy, load_texts

CASES = "rules_test.yaml"
Given = tuple[CaseFile, Case]
FILES = ("policy.md", "policy.yaml", "rules.yaml", "attestations.yaml")
ASIDE = re.compile(r"reference|unwatched .*|line")
"""What a failure may be about without killing anything."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mutant: ``killed`` (by which case), ``refused`` (by which code), ``survived`` or ``broke``."""

    name: str
    fate: str
    by: str = ""
    aside: tuple[str, ...] = ()
    """Cases in which something was wrong that kills nothing."""


@dataclass(frozen=True, slots=True)
class Tally:
    """The verdicts on all mutants."""

    verdicts: Sequence[Verdict]

    def named(self, fate: str) -> list[str]:
        """Return the names of the mutants with a fate."""
        return [one.name for one in self.verdicts if one.fate == fate]

    @property
    def share(self) -> float:
        """How many of the mutants that the language allows survive."""
        allowed = len(self.verdicts) - len(self.named("refused"))
        return len(self.named("survived")) / allowed if allowed else 0.0

    def __str__(self) -> str:
        fates = Counter(one.fate for one in self.verdicts)
        told = ", ".join(f"{fates[fate]} {fate}" for fate in ("killed", "survived", "refused", "broke"))
        return f"{len(self.verdicts)} mutants: {told}; {self.share:.1%} of those allowed survive"


@dataclass(slots=True)
class Ground:
    """A policy with its cases, and what each rule had to do with each case before anything was changed."""

    texts: dict[str, str]
    policy: Policy
    files: tuple[CaseFile, ...]
    seen: dict[str, frozenset[str]] = field(default_factory=dict)
    """Case id to the rules that had something to say in it."""

    @classmethod
    def of_folder(cls, folder: Path) -> Ground:
        """Read a policy folder and its cases."""
        texts = {name: (folder / name).read_text("utf-8") for name in FILES if (folder / name).exists()}
        policy = load_policy(folder).require()
        return cls(texts, policy, tuple(load_files(case_paths(folder), policy)))._seen()

    @classmethod
    def of_texts(cls, texts: dict[str, str], cases: str) -> Ground:
        """Read a policy and its cases from text."""
        policy = load_texts(texts).require()
        return cls(texts, policy, (load_cases_text(cases, name=CASES, policy=policy),))._seen()

    def _seen(self) -> Ground:
        assert [str(one) for file in self.files for one in file.diagnostics if one.is_error] == []
        for outcome in asyncio.run(outcomes((file, case) for file in self.files for case in file.cases)):
            assert outcome.case.id not in self.seen, f"two cases are called {outcome.case.id}"
            if outcome.ok:
                self.seen[outcome.case.id] = frozenset({*outcome.fired, *outcome.rested})
        return self

    def mutants(self) -> list[Mutant]:
        """Return all mutants of the rules."""
        return list(mutants(self.texts["rules.yaml"], pools_of(self.policy)))

    def verdict(self, mutant: Mutant) -> Verdict:
        """Run the cases against one mutant, those first that can see its rule."""
        loaded = load_texts({**self.texts, "rules.yaml": mutant.rules})
        refused = next(filter(None, (first_error(loaded, file) for file in self.files)), "")
        if loaded.policy is None or refused:
            return Verdict(mutant.name, "refused", refused)
        changed = {file.name: replace(file, policy=loaded.policy) for file in self.files}
        ordered = [(changed[file.name], case) for file, case in self.in_order(mutant.rule)]
        try:
            return asyncio.run(_judged(mutant, ordered))
        except Exception as error:  # noqa: BLE001  # a mutant that breaks the engine is a finding, whatever it raises
            return Verdict(mutant.name, "broke", f"{type(error).__name__}: {error}")

    def in_order(self, rule: str) -> list[Given]:
        """Return the cases that held before, those first in which the rule spoke or whose clauses it cites."""
        cited = {clause for one in self.policy.rules if one.id == rule for clause in one.clauses}
        held = [(file, case) for file in self.files for case in file.cases if case.id in self.seen]
        return sorted(held, key=lambda one: (rule not in self.seen[one[1].id], cited.isdisjoint(one[1].clauses)))


async def outcomes(given: Iterable[Given]) -> list[Outcome]:
    """Run cases, one after the other."""
    bench = Bench()
    try:
        return [await run_case(bench, file, case) for file, case in given]
    finally:
        bench.close()


async def _judged(mutant: Mutant, given: Iterable[Given]) -> Verdict:
    bench = Bench()
    aside: list[str] = []
    try:
        for file, case in given:
            outcome = await run_case(bench, file, case)
            if any(not ASIDE.fullmatch(one.what) for one in outcome.failures):
                return Verdict(mutant.name, "killed", case.id, tuple(aside))
            aside += [f"{case.id}: {one.what}: {one.came}" for one in outcome.failures]
    finally:
        bench.close()
    return Verdict(mutant.name, "survived", aside=tuple(aside))


def first_error(loaded: Loaded, file: CaseFile) -> str:
    """Return the code by which `troth check` refuses a policy with the binding of its cases, or nothing."""
    found = (*loaded.diagnostics, *check_together(loaded, file.binding))
    return next((one.code for one in found if one.is_error), "")


def pools_of(policy: Policy) -> Pools:
    """Return the names that a policy declares, by the words that take them."""
    roles = dict.fromkeys(role for party in policy.parties.values() for role in party.roles)
    consents, areas = tuple(policy.consents), tuple(dict.fromkeys(("EEA", "US", *policy.areas)))
    return Pools({
        "purpose": tuple(policy.purposes), "data": tuple(policy.data), "complete": tuple(policy.data),
        "consent": consents, "refused": consents, "state": tuple(policy.states), "party": tuple(policy.parties),
        "role": tuple(roles), "country": areas, "region": areas, "origin": policy.origins, "event": policy.events,
        "shows": tuple(policy.marks), "route": tuple(sorted(PROTECTED_TAGS | OWN_COPY_TAGS)),
    })  # fmt: skip


# all of them ---------------------------------------------------------------------------------------------------------


@cache
def _ground(folder: Path) -> Ground:
    return Ground.of_folder(folder)


def _in_process(folder: Path, mutant: Mutant) -> Verdict:
    return _ground(folder).verdict(mutant)


def run(folder: Path, only: str = "", processes: int = 2) -> Iterator[Verdict]:
    """Yield the verdict on each mutant of a policy folder whose name contains `only`, in order, as they come."""
    chosen = [one for one in _ground(folder).mutants() if only in one.name]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_in_process, [folder] * len(chosen), chosen, chunksize=8)
