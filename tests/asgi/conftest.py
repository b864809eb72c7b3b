"""A shop per test, closed at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.asgi.wire import Shop, policy_text

MakeShop = Callable[..., Shop]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[MakeShop]:
    """Return ``shop(rules, routes, **options)``: a tiny app behind Troth under the policy of `wire` and these rules."""
    made: list[Shop] = []

    def make(rules: str = "", *, text: str | None = None, **options: Any) -> Shop:
        parts = {name: options.pop(name) for name in ("routes", "policy") if name in options}
        one = Shop(tmp_path / f"home{len(made)}", text or policy_text(rules, **parts), **options)
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()
