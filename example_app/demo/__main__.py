"""`python -m example_app.demo`: serve the guarded shop, walk through it, show what happened, and go on serving.

With `--once` it checks each claim, stops, and exits 0 if all hold, else 1. With `--unguarded` the same walk goes
through the shop as it is without its one line of middleware, and most claims fail.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

from example_app.demo import rooms, show, trail
from example_app.demo.scene import Claim
from example_app.demo.server import WORKERS, NotServingError, Server, serving
from example_app.demo.walk import FROM_BEFORE, ORDER, walk
from example_app.seed import PASSWORD

_SETTLED = 1.5
"""Seconds after which a checkpoint covers the last line of an idle server."""
_NAMED = ("TOO-CHO-2", "TOO-TBL-0", "TOO-LOC-2")
"""Cookies wait for the answer, fields stay in their row, nothing leaves the EEA: what the walk must have met."""
_TOLD = {("POST /account/rights/erasure", "erasure-requested"), ("POST /guardian", "state-set")}
_REPORTED = "child-reported"
_PRIVATE = (
    *(ORDER["name"], ORDER["email"], ORDER["address"], ORDER["date_of_birth"], *FROM_BEFORE.values()),
    *(rooms.READER, rooms.GUARDIAN, rooms.CORRECTION["address"], rooms.CORRECTION["phone"]),
)


def main() -> int:
    """Run the demonstration; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m example_app.demo", description="A walk through the guarded shop.")
    parser.add_argument("--once", action="store_true", help="check every claim and exit instead of serving on")
    parser.add_argument("--unguarded", action="store_true", help="leave the middleware out, to see the difference")
    options = parser.parse_args()
    once: bool = options.once
    guarded: bool = not options.unguarded
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="halvtakt-") as folder,
            serving(Path(folder), guarded=guarded) as server,
        ):
            broken = _demonstrate(server, guarded)
            if not once:
                _serve_on(server)
    except NotServingError as error:
        print(f"The shop did not start:\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0 if not once else 1
    return _verdict(broken) if once else 0


def _demonstrate(server: Server, guarded: bool) -> list[Claim]:
    under = "under the policy in policies/toontrack" if guarded else "unguarded"
    print(f"Halvtakt Audio serves at {server.origin} with {WORKERS} workers, {under}.\n")
    claims: list[Claim] = []
    for number, scene in enumerate(walk(server), 1):
        print(f"{number}. {scene.title}\n")
        print("\n".join(show.exchange(server.origin, scene.exchange)))
        claims += _tell(scene.claims)
    claims += _tell(_workers(server))
    if guarded:
        claims += _declare(server)
        claims += _audit(server)
    return [claim for claim in claims if not claim.holds]


def _workers(server: Server) -> tuple[Claim, ...]:
    workers = sorted(server.workers_that_answered())
    print(f"Workers that answered: {', '.join(map(str, workers))}")
    return (Claim(text="both workers answered", holds=len(workers) == WORKERS),)


def _declare(server: Server) -> tuple[Claim, ...]:
    """Somebody telephones: a child has an account. No request says so, so staff declares it, and its month begins."""
    print("Somebody has told the shop by telephone of a child with an account\n")
    told = trail.declare(server.trail, _REPORTED, "c-1002")
    print(f"  $ {told.line}\n{told.text}")
    lines = [line for line in trail.lines(server.trail) if line.get("event") == _REPORTED]
    return _tell(
        (
            Claim(text="it was declared while the workers serve on", holds=told.code == 0),
            Claim(
                text="the trail tells of it, under a pseudonym",
                holds=[(line["declared"], line["subj_n"]) for line in lines] == [(True, 1)],
            ),
        )
    )


def _audit(server: Server) -> tuple[Claim, ...]:
    time.sleep(_SETTLED)
    print("The trail\n")
    for told in (trail.show(server.trail), verified := trail.verify(server.trail)):
        print(f"  $ {told.line}\n{told.text}")
    named = trail.clauses(trail.lines(server.trail))
    found = trail.told_of(server.trail, _PRIVATE)
    return _tell(
        (
            Claim(
                text=f"the lines name clauses: {', '.join(_NAMED)} and {len(named)} in all", holds=named >= set(_NAMED)
            ),
            Claim(text="an erasure and a guardian's word are told", holds=_happened(server) >= _TOLD),
            Claim(text="no name, address, birth date or cookie value stands in them", holds=not found),
            Claim(text="the trail verifies", holds=verified.code == 0),
        )
    )


def _happened(server: Server) -> set[tuple[str, str]]:
    return {(line["route"], line["event"]) for line in trail.lines(server.trail) if {"route", "event"} <= set(line)}


def _tell(claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
    for claim in claims:
        print(f"    [{'ok' if claim.holds else 'NOT SO'}] {claim.text}")
    print()
    return claims


def _serve_on(server: Server) -> None:
    print(f"Still serving: {server.origin}/")
    print(f"  sign in       {server.origin}/login as ann@example.org (staff: erik@halvtakt.example), {PASSWORD}")
    print(f"  your choices  {server.origin}/choices and {server.origin}/.privacy/state")
    print(f"  the policy    {server.origin}/.privacy/policy")
    print(f"  the trail     troth audit show {server.trail}")
    print(f"  the log       {server.folder / 'server.log'}")
    print("Ctrl-C ends it and removes these files.", flush=True)
    server.process.wait()


def _verdict(broken: list[Claim]) -> int:
    if not broken:
        print("Every claim holds.")
        return 0
    print(f"{len(broken)} claims do not hold:", *(f"  {claim.text}" for claim in broken), sep="\n", file=sys.stderr)
    return 1


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
