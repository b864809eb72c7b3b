"""A shop per test, closed at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.asgi.wire import Shop, policy_text
from troth.cases.compare import compare
from troth.cases.stage import Judged
from troth.model.facts import Exchange
from troth.model.findings import Denial, Finding

MakeShop = Callable[..., Shop]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[MakeShop]:
    """Return ``shop(rules, routes, **options)``: a tiny app behind Troth under the policy of `wire` and these rules.

    Where it is `watched`, the reference interpreter judges every exchange as well, and no difference may be left.
    """
    made: list[Shop] = []
    differences: list[str] = []

    def make(rules: str = "", *, text: str | None = None, **options: Any) -> Shop:
        if options.pop("watched", False):
            options["observer"] = lambda x, found, denial: differences.extend(_unlike(made[-1], x, found, denial))
        parts = {name: options.pop(name) for name in ("routes", "policy") if name in options}
        one = Shop(tmp_path / f"home{len(made)}", text or policy_text(rules, **parts), **options)
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()
    assert differences == []


def _unlike(shop: Shop, x: Exchange, findings: tuple[Finding, ...], denial: Denial | None) -> tuple[str, ...]:
    judged = Judged(exchange=replace(x), findings=findings, denial=denial)
    site = shop.middleware.runtime.first
    return compare(judged, site.policy, site.binding).differences
