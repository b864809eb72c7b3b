"""What do other middlewares cost that a site may have beside Troth, or in its place?

``python -m benchmarks.bench_peers`` prints the tables of `bench_middleware` with more rows: Starlette's sessions,
asgi-correlation-id, and fastapi-opa before a stub of OPA that answers at once. None of them does what Troth does; they
say what a request costs that is signed, numbered, or asked about elsewhere. fastapi-opa is installed by `make peers`.
"""

from __future__ import annotations

import argparse
import base64
import importlib
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import itsdangerous
from asgi_correlation_id import CorrelationIdMiddleware
from starlette.middleware.sessions import SessionMiddleware

from benchmarks import harness, stub_opa
from benchmarks.bench_middleware import (
    QUESTIONS,
    Question,
    Row,
    check_equal,
    peers,
    print_question,
    with_troth,
)
from benchmarks.harness import ROOT, Case, Requests
from benchmarks.target import target
from benchmarks.traffic import VISITORS, Traffic
from troth._types import ASGIApp

INSTALLED: Final = ROOT / "build" / "peers"
_SECRET: Final = "a secret of this benchmark"  # noqa: S105 - guards nothing
ASKED: Final = tuple(question for question in QUESTIONS if question.cookies)


class Anybody:
    """Takes everybody for the same user: fastapi-opa asks OPA only about somebody."""

    async def authenticate(self, request: object, accepted_methods: object) -> dict[str, str]:
        return {"user": "visitor"}


def sessions(seed: int) -> list[bytes]:
    """Return a session cookie of each visitor, signed as Starlette signs them."""
    chance, signer = random.Random(seed), itsdangerous.TimestampSigner(_SECRET)
    contents = [json.dumps({"user": chance.randrange(10**9), "cart": [1, 2]}).encode() for _ in range(VISITORS)]
    return [b"sid=" + signer.sign(base64.b64encode(content)) for content in contents]


def others(question: Question) -> list[Case]:
    """Return the peers that need nothing but what is installed for all benchmarks."""
    plain = _requests(question, ())
    return [
        Case(name="correlation id", app=CorrelationIdMiddleware(target()), requests=plain),
        Case(name="session, none yet", app=with_sessions(target()), requests=plain),
        Case(name="session, signed", app=with_sessions(target()), requests=_requests(question, sessions(7))),
    ]


def asking(question: Question, address: str) -> list[Case]:
    """Return fastapi-opa before an OPA at `address`; nothing where it is not installed."""
    if str(INSTALLED) not in sys.path:
        sys.path.append(str(INSTALLED))  # last, so that what both have is what all cases use
    try:
        opa: Any = importlib.import_module("fastapi_opa")
    except ModuleNotFoundError:
        return []
    app = opa.OPAMiddleware(target(), config=opa.OPAConfig(authentication=Anybody(), opa_host=address))
    return [Case(name="fastapi-opa, OPA at once", app=app, requests=_requests(question, ()))]


def with_sessions(app: ASGIApp) -> ASGIApp:
    """Return an app behind Starlette's sessions."""
    return SessionMiddleware(app, _SECRET, session_cookie="sid")


def _requests(question: Question, cookies: Sequence[bytes]) -> Requests:
    return Traffic(seed=7, consents=cookies).requests(question.path)


def measure(question: Question, options: argparse.Namespace, address: str) -> Row:
    """Measure all cases of one question in this process."""
    loop = harness.new_loop()
    requests = _requests(question, ())
    bare = Case(name="bare", app=target(), requests=requests)
    cases = [*peers(requests), *others(question), *asking(question, address)]
    check_equal(loop, bare, cases)
    with tempfile.TemporaryDirectory() as folder:
        return with_troth(question, options, loop, bare, cases, Path(folder) / "home", cold=False)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="bench_peers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--only", choices=[question.name for question in ASKED], action="append")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--opa", default="", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main() -> int:
    """Measure in processes of their own and print. Returns the exit status."""
    options = parse()
    asked = [question for question in ASKED if question.name in (options.only or [question.name])]
    if options.worker is not None:
        harness.alone_on_a_core()
        print(json.dumps({question.name: measure(question, options, options.opa) for question in asked}))
        return 0
    with stub_opa.running() as address:
        arguments = [*sys.argv[1:], "--opa", address]
        found: list[dict[str, Any]] = harness.in_processes(
            "benchmarks.bench_peers", processes=options.processes, arguments=arguments
        )
    print(harness.versions("starlette", "uvloop", "asgi-correlation-id", "itsdangerous"))
    if not asking(asked[0], ""):
        print("fastapi-opa is left out; `make peers` installs it")
    for question in asked:
        print_question(question, [rows[question.name] for rows in found])
    return 0


if __name__ == "__main__":
    sys.exit(main())
