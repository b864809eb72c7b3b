"""What the tests of the trail share: a key, a stamp, a clock that stands still, and trails that are closed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from troth.audit.opening import PolicyStamp
from troth.audit.trail import Trail

SEED = b"\x01" * 32
STAMP = PolicyStamp(id="web", version="3", hash="ab" * 32)
Open = Callable[..., Trail]


class Clock:
    """Aware UTC that moves only when told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_trail(tmp_path: Path) -> Iterator[Open]:
    """Return ``open_trail(**settings)``: a trail in the test's own directory, without a thread unless asked for."""
    made: list[Trail] = []

    def opened(**settings: Any) -> Trail:
        given: dict[str, Any] = {"signing_key": SEED, "policy": STAMP, "background": False} | settings
        made.append(Trail(tmp_path / "trail", **given))
        return made[-1]

    yield opened
    for trail in made:
        trail.close()
