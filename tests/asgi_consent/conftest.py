"""A shop with consents of every kind of holder, and ways to make its trail or ledger fail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.asgi.wire import Shop
from troth.consent.batch import Batch
from troth.consent.ledger import Ledger
from troth.errors import TrailError

POLICY = """
policy:
  identity: {id: shop, controller: 'Shop & Sons', hosts: [shop.example, '*.shop.example']}
  versions: [{id: '1', updated: 2026-02-03, effective: 2026-02-03}, {id: '2', effective: 2027-01-01}]
  data:
    name: {fields: [name]}
  purposes:
    sale: {basis: contract, data: [name]}
    analytics: {basis: consent}
    ads: {basis: consent}
    letters: {basis: consent}
    news: {basis: consent}
  consents:
    analytics: {holder: device, lasts: P1M}
    ads: {holder: device}
    letters: {holder: person}
    news: {holder: [device, person]}
    sharing: {holder: person, per: party}
  parties:
    p1: {role: partner, country: SE, purpose: ads}
    p2: {role: partner, country: SE, purpose: ads}
  cookies:
    troth_consent: {purpose: sale}
    session: {purpose: sale}
    _ga*: {purpose: analytics, domains: [shop.example]}
    _fbp: {purpose: ads}
"""
RULES = """
- id: wait
  clause: C-1
  for: cookie
  match: {basis: consent}
  only-if: {consent: of-purpose}
- id: act
  clause: C-2
  for: event
  match: {event: consent-recorded}
  only-if: {asked: consent}
- id: https
  clause: C-3
  for: exchange
  only-if: {https: true}
  otherwise: deny
- id: nobody
  clause: C-4
  for: exchange
  match: {purpose: letters}
  only-if: {consent: letters}
- id: arrives
  clause: C-5
  for: exchange
  match: {route: [consent, refuse, withdraw]}
  expect: {status: [2xx, 3xx]}
  otherwise: alert
- id: framed
  clause: C-6
  for: page
  expect: {header: {Content-Security-Policy: "frame-ancestors 'self'"}}
  otherwise: amend
"""
BINDING = """
binding:
  routes:
    'POST /act': {act: consent, audience: public}
    'GET /idle': {audience: public}
"""
Make = Callable[..., Shop]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Shop] = []

    def shop(app: Any = None, rules: str = RULES, routes: str = BINDING, policy: str = POLICY, **options: Any) -> Shop:
        text = policy + ("rules:" + rules if rules else "") + routes
        made.append(Shop(tmp_path / f"home{len(made)}", text, app, **options))
        return made[-1]

    yield shop
    for one in made:
        one.close()


@pytest.fixture
def shop(make: Make) -> Shop:
    return make()


def without_trail(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every further line fail."""

    def refuse(_members: bytes) -> int:
        raise TrailError("the line cannot be written: ENOSPC")

    monkeypatch.setattr(shop.middleware.runtime, "write_encoded", refuse)


def threads_of_writes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note from now on in which thread the ledger is written."""
    seen: list[int] = []
    writing = Ledger.writing

    def noted(ledger: Ledger) -> AbstractContextManager[Batch]:
        seen.append(threading.get_ident())
        return writing(ledger)

    monkeypatch.setattr(Ledger, "writing", noted)
    return seen


def choices(shop: Shop) -> list[dict[str, Any]]:
    """Return the lines of choices."""
    return [line for line in shop.lines() if line["kind"] == "consent"]
