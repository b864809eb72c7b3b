"""What the workers serve: an app that says which worker it is and what it saw, under the Toontrack policy.

Environment: `SEEN_STARTING` is a folder in which two workers meet before they begin, so that they begin at once; while
`GUARDED_BY` is another policy folder than Toontrack's, `BOUND_BY` the binding that goes with it;
the file `DIE_UNANNOUNCED` exists, a worker dies between the commit of a ledger write and telling the others of it.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import troth
from troth._types import ASGIApp, Receive, Scope, Send
from troth.consent.generation import Generation
from troth.errors import ConsentError

ROOT = Path(__file__).parents[2]
TOONTRACK = ROOT / "policies" / "toontrack"
BINDING = {
    "routes": {
        "GET /": {"audience": "public"},
        "GET /api/account": {"purpose": "account-management", "audience": "public"},
        "POST /grant": {"act": "consent", "audience": "public"},
        "POST /person": {"act": "consent", "audience": "public"},
    },
    "serving": {"country": "SE"},
}
SET = (
    b"session=a1; Path=/; HttpOnly; SameSite=Lax",
    b"_ga=GA1.2.1187503294.1700000000; Path=/; Max-Age=3600",
    b"prefs=dark; Path=/",
    b'_fbp="fb.1.x"; path=/ ; Max-Age=60',
    b"_pk_id.1=c4; Path=/; Max-Age=60",
    b"stranger=1; Path=/",
    b"_gcl_au=1.1; Path=/; Max-Age=60",
    b"session=a1;Path=/second;  HttpOnly",
    b"csrftoken=x y; Path=/",
)
"""What the app sets on each page, in this order."""


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    cookies = [value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie"]
    told: dict[str, object] = {"worker": os.getpid(), "cookies": cookies}
    if scope["path"] == "/api/account":
        told |= {"name": "Ada", "email": "ada@shop.example", "gender": "f"}
    elif scope["path"] in ("/grant", "/idle-grant"):
        told["granted"] = await _grant(scope)
    elif scope["path"] == "/person":
        told["granted"] = await _person(scope)
    body = json.dumps(told).encode()
    is_api = scope["path"] == "/api/account"
    headers = [(b"content-type", b"application/json" if is_api else b"text/plain")]
    headers += [(b"content-length", b"%d" % len(body)), *((b"set-cookie", one) for one in SET if not is_api)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _grant(scope: Scope) -> bool | str:
    consent = troth.consent(scope)
    try:
        await consent.record("analytics", form="click")
    except ConsentError as error:
        return type(error).__name__
    return consent.granted("analytics")


async def _person(scope: Scope) -> bool:
    """Do what the query says to the marketing consent of a person, and tell how it stands now."""
    consent = troth.consent(scope)
    if scope["query_string"] == b"grant":
        await consent.record("marketing-email", form="click", person="anna")
    elif scope["query_string"] == b"withdraw":
        await consent.withdraw("marketing-email", person="anna")
    return consent.granted("marketing-email", person="anna")


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


class DyingGeneration:
    """Puts a sudden death between commit and announcement."""

    real = Generation._announce

    @staticmethod
    def announce(generation: Generation, value: int) -> None:
        if os.path.exists(os.environ["DIE_UNANNOUNCED"]):
            os.kill(os.getpid(), signal.SIGKILL)
        DyingGeneration.real(generation, value)


def _wait_for_the_others() -> None:
    """Begin together: say that this worker is ready, and spin until all are."""
    folder = Path(os.environ["SEEN_STARTING"])
    (folder / str(os.getpid())).touch()
    end = time.monotonic() + 20
    while len(os.listdir(folder)) < 2 and time.monotonic() < end:
        pass


def make() -> ASGIApp:
    Generation._announce = DyingGeneration.announce  # type: ignore[method-assign,assignment]  # that is the fault
    _wait_for_the_others()
    began = time.perf_counter()
    binding = os.environ.get("BOUND_BY", BINDING)
    guarded = troth.PolicyMiddleware(app, policy=os.environ.get("GUARDED_BY", TOONTRACK), binding=binding)
    (Path(os.environ["SEEN_STARTING"]) / f"{os.getpid()}.seconds").write_text(str(time.perf_counter() - began))
    return guarded
