"""Faults on the wire, one change each: a right judgement carried out wrongly. Each is seeded with `monkeypatch`."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from troth.asgi import hints, inbound, judging, lanes, outbound, records, shapes
from troth.asgi.judging import Judging
from troth.engines.embedded import Verdict
from troth.filters import query, splicing
from troth.filters.splicing import Edit
from troth.model.facts import Field
from troth.model.findings import Denial, Finding
from troth.model.words import UNDECLARED, Phase

_USERS = (hints, inbound, outbound, records, shapes)
"""Modules that ask whether a finding takes something away, or masks it."""


def masked_before_withheld(patch: pytest.MonkeyPatch) -> None:
    """Mask what one rule masks, also where another one withholds it."""
    withheld = judging.takes_away

    def takes_away(found: Any) -> bool:
        found = tuple(found)
        return withheld(found) and not judging.masks(found)

    for module in _USERS:
        patch.setattr(module, "takes_away", takes_away)


def fields_cut_before_the_exchange_is_read(patch: pytest.MonkeyPatch) -> None:
    """Forget a field as soon as it has to go: what reads the exchange afterwards does not see it."""
    sound = Judging.field

    def field(self: Judging, one: Field, n: int = 1) -> tuple[Finding, ...]:
        seen = set(self.seen)
        found = sound(self, one, n)
        if judging.takes_away(found):
            self.fields[-1] = replace(one, category=UNDECLARED)
            self.seen = seen
        return found

    patch.setattr(Judging, "field", field)


def denied_after_the_app(patch: pytest.MonkeyPatch) -> None:
    """Let the app do its work, and refuse its answer."""
    sound = Judging.settle_denial

    def settle_denial(self: Judging) -> Denial | None:
        return None if self.x.phase < Phase.RESPONSE_START else sound(self)

    patch.setattr(Judging, "settle_denial", settle_denial)


def dry_run_edits(patch: pytest.MonkeyPatch) -> None:
    """Carry out what a rule in dry-run would have done."""

    def enforced(found: Any) -> tuple[Finding, ...]:
        return tuple(replace(finding, dry=False) for finding in found)

    away, masked, withheld = judging.takes_away, judging.masks, vars(Verdict)["withheld"].fget
    for module in _USERS:
        patch.setattr(module, "takes_away", lambda found: away(enforced(found)))
        patch.setattr(module, "masks", lambda found: masked(enforced(found)), raising=False)
    as_done = property(lambda self: withheld(replace(self, findings=enforced(self.findings))))
    patch.setattr(Verdict, "withheld", as_done)


def second_member_kept(patch: pytest.MonkeyPatch) -> None:
    """Cut the first of two members of one name."""
    sound = splicing._Splicer.__init__

    def made(self: Any, body: bytes, guide: Any) -> None:
        sound(self, body, _FirstOfAName(guide, self))

    patch.setattr(splicing._Splicer, "__init__", made)


class _FirstOfAName:
    """A guide that has nothing to say of a key which its object has had before."""

    def __init__(self, guide: Any, splicer: Any) -> None:
        self._guide, self._splicer = guide, splicer
        self._had: list[tuple[Any, str]] = []
        self.root, self.reads_values, self.enter = guide.root, guide.reads_values, guide.enter

    def judge(self, state: Any, key: str | int, token: bytes | None) -> Edit | None:
        frame = self._splicer._frames[-1]
        edit: Edit | None = self._guide.judge(state, key, token)
        if isinstance(key, str) and edit is not None:
            if any(had is frame and name == key for had, name in self._had):
                return None
            self._had.append((frame, key))
        return edit


def second_pair_kept(patch: pytest.MonkeyPatch) -> None:
    """Cut the first of two pairs of one name, in queries and forms."""
    sound = query.remove

    def remove(raw: bytes, drop: Any) -> bytes:
        had: set[str] = set()

        def first(pair: query.Pair) -> bool:
            new = pair.name not in had
            had.add(pair.name)
            return bool(drop(pair)) and new

        return sound(raw, first)

    patch.setattr(query, "remove", remove)


def lane_without_clock(patch: pytest.MonkeyPatch) -> None:
    """Keep the lane of a head for good."""
    sound = lanes.Lane.__init__

    def made(self: Any, *given: Any) -> None:
        sound(self, *given)
        self.since, self.until = -math.inf, math.inf

    patch.setattr(lanes.Lane, "__init__", made)
