"""Does a policy of thousands of rules cost more where it must not: per decision, and per `troth check`?

Prints two ratios: a request head decided with 5,000 rules ÷ the same with 50 (residual cached), and reading and check
of 5,000 rules with a binding ÷ what PyYAML takes to compose the same file. As many rules fire on the request in both:
a rule that fires has its line, and lines cost.
"""

from __future__ import annotations

import gc
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import yaml

from benchmarks.harness import Case, Sandwich, alone_on_a_core, new_loop, versions
from troth import PolicyMiddleware
from troth._types import Receive, Scope, Send
from troth.rules.load import check_together, load_binding, load_policy

MANY: Final = 5_000
FEW: Final = 50
_POLICY: Final = """\
identity: {id: scale, hosts: [shop.example], contacts: [privacy@example.com]}
data:
  email: {fields: [email], probe: email, strong: true}
  name: {fields: [name]}
purposes:
  orders: {basis: contract, data: [email, name]}
  statistics: {basis: consent, data: [name], consent: statistics}
  p0: {basis: consent, data: [name], consent: statistics}
  p1: {basis: consent, data: [name], consent: statistics}
  p2: {basis: consent, data: [name], consent: statistics}
  p3: {basis: consent, data: [name], consent: statistics}
  p4: {basis: consent, data: [name], consent: statistics}
  p5: {basis: consent, data: [name], consent: statistics}
  p6: {basis: consent, data: [name], consent: statistics}
  p7: {basis: consent, data: [name], consent: statistics}
  p8: {basis: consent, data: [name], consent: statistics}
  p9: {basis: consent, data: [name], consent: statistics}
  p10: {basis: consent, data: [name], consent: statistics}
  p11: {basis: consent, data: [name], consent: statistics}
  p12: {basis: consent, data: [name], consent: statistics}
  p13: {basis: consent, data: [name], consent: statistics}
  p14: {basis: consent, data: [name], consent: statistics}
  p15: {basis: consent, data: [name], consent: statistics}
  p16: {basis: consent, data: [name], consent: statistics}
  p17: {basis: consent, data: [name], consent: statistics}
  p18: {basis: consent, data: [name], consent: statistics}
  p19: {basis: consent, data: [name], consent: statistics}
consents:
  statistics: {holder: device}
parties:
  maker: {role: processor}
cookies:
  session: {purpose: orders}
  _stat*: {purpose: statistics, party: maker}
"""
_BINDING: Final = "routes:\n  GET /orders/{id}: {purpose: orders}\n" + "".join(
    f"  GET /area{n}/{{id}}: {{tag: area-{n}, purpose: {'orders' if n % 2 else 'statistics'}}}\n" for n in range(50)
)
_SHAPES: Final = (
    "for: cookie\n  match: {{purpose: p{k}}}\n  only-if: {{consent: of-purpose}}\n",
    "for: exchange\n  match: {{route: area-{m}, under: {years}}}\n  otherwise: deny\n",
    "for: field\n  match: {{data: email, purpose: statistics}}\n  only-if: {{consent: of-purpose}}\n",
    "for: exchange\n  match: {{under: {years}, purpose: statistics}}\n  except:\n"
    "  - {{clause: S-0, if: {{actor: subject}}}}\n  otherwise: deny\n",
    "for: cookie\n  match: {{basis: consent}}\n  only-if: {{consent: of-purpose}}\n",
    "for: cookie\n  match: {{purpose: p{k}}}\n  expect: {{keep: of-purpose}}\n  otherwise: amend\n",
    "for: record\n  match: {{party: maker, not: {{purpose: orders}}}}\n",
)


def rules(count: int) -> str:
    """Return a rule file of `count` rules of seven shapes, most of them about what a request to the shop is not."""
    return "".join(
        f"- id: rule-{n}\n  clause: S-{n}\n  " + _SHAPES[n % len(_SHAPES)].format(k=n % 20, m=n % 50, years=13 + n % 5)
        for n in range(count)
    )


def folder(count: int, at: Path) -> Path:
    """Write a policy folder with so many rules."""
    at.mkdir(parents=True, exist_ok=True)
    (at / "policy.yaml").write_text(_POLICY)
    (at / "rules.yaml").write_text(rules(count))
    clauses = "".join(f"### S-{n}\n\nSentence {n} says what is promised.\n\n" for n in range(count))
    (at / "policy.md").write_text(f"# Scale\n\n{clauses}")
    (at / "binding.yaml").write_text(_BINDING)
    return at


def check_over_compose(count: int = MANY, rounds: int = 3) -> float:
    """Return the time of loading and checking a folder with a binding ÷ that of PyYAML composing its rules alone."""
    with tempfile.TemporaryDirectory() as made:
        at = folder(count, Path(made))
        text = (at / "rules.yaml").read_text()
        return statistics.median(
            _seconds(lambda: _check(at)) / _seconds(lambda: yaml.compose(text, Loader=yaml.SafeLoader))
            for _ in range(rounds)
        )


def _check(at: Path) -> None:
    loaded = load_policy(at)
    assert loaded.policy is not None, loaded.diagnostics
    binding = load_binding(at / "binding.yaml", loaded.policy).binding
    assert binding is not None
    check_together(loaded, binding)


def _seconds(work: Callable[[], object]) -> float:
    gc.collect()
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def many_over_few(rounds: int = 60) -> float:
    """Return the time of a request head with `MANY` rules ÷ that with `FEW`, the app's own time taken off both."""
    loop = new_loop()
    with tempfile.TemporaryDirectory() as made:
        apps = {count: guarded(count, Path(made)) for count in (FEW, MANY)}
        bare = Case(name="bare", app=_app, requests=requests)
        few, many = (Case(name=str(count), app=app, requests=requests) for count, app in apps.items())
        found = Sandwich(loop, bare, seed=1).measure([few, many], rounds=rounds)
    loop.close()
    gc.unfreeze()
    return (found[many.name].summary()["ratio"] - 1) / (found[few.name].summary()["ratio"] - 1)


def guarded(count: int, made: Path) -> PolicyMiddleware:
    """Return an app behind a policy of so many rules, with folder and home under `made`."""
    at = folder(count, made / str(count))
    return PolicyMiddleware(_app, policy=at, binding=at / "binding.yaml", home=made / f"home-{count}")


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    del scope, receive
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"hello"})


def requests(count: int) -> list[Scope]:
    """Return requests for an order, each with a session cookie and a query of its own."""
    return [
        {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "https",
            "path": f"/orders/{n}", "raw_path": b"/orders/%d" % n, "query_string": b"q=1", "root_path": "",
            "headers": [(b"host", b"shop.example"), (b"cookie", b"session=%d" % n), (b"accept", b"*/*")],
            "client": ("192.0.2.1", 50_000), "server": ("127.0.0.1", 8000), "state": {},
        }
        for n in range(count)
    ]  # fmt: skip


def main() -> None:
    """Print both ratios, each with its bar."""
    alone_on_a_core()
    print(versions("pyyaml", "uvloop"))
    print(f"check of {MANY} rules ÷ PyYAML's compose: {check_over_compose():.2f} (bar 3)")
    print(f"request head with {MANY} rules ÷ with {FEW}: {many_over_few():.2f} (bar 1.5)")


if __name__ == "__main__":
    main()
