"""Real uvicorn, two workers, the Toontrack policy: what each state of consent lets through, on both of them alike."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.workers.app import SET
from tests.workers.client import Connection, Headers, Server, serving

SENT = (
    b'session="s 1"', b"_ga=GA1.2.1187503294.1700000000", b"csrftoken=\xe5=b=", b"prefs=a=b", b"_ga=second",
    b"stranger=1", b"_pk_id.1=c4", b"cart=c1", b"_gcl_au=1.1", b"session=other", b"_fbp=fb.1.x", b"sid=", b"nameless",
)  # fmt: skip
"""What the browser sends, over two `Cookie` headers; the last piece has no name."""
ALWAYS = {b"session", b"csrftoken", b"cart", b"sid"}
ANALYTICS = {b"_ga", b"_pk_id.1"}
ADVERTISING = {b"_gcl_au", b"_fbp"}
PERSONAL = {b"prefs"}
ALL = ("analytics", "advertising", "personalisation", "geolocation")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("states")) as running:
        yield running


@pytest.fixture(scope="module")
def workers(server: Server) -> tuple[Connection, Connection]:
    found = server.both()
    assert found[0].worker != found[1].worker
    return found


def only(values: tuple[bytes, ...], names: set[bytes]) -> list[bytes]:
    return [value for value in values if b"=" in value and value.partition(b"=")[0] in names]


def visit(connection: Connection, consent: bytes | None, more: Headers) -> tuple[list[bytes], list[bytes]]:
    """Send every cookie there is; return what the app saw of them and what the browser got."""
    headers = [(b"cookie", b"; ".join(SENT[:5])), *more, (b"cookie", b"; ".join(SENT[5:]))]
    if consent is not None:
        headers.append((b"cookie", consent))
    received = connection.ask(headers=headers)
    assert received.status == 200
    assert received.told["worker"] == connection.worker
    seen = received.app_saw
    return [piece for piece in seen if piece != consent], received.browser_got


def decided(workers: tuple[Connection, Connection], *steps: tuple[bytes, tuple[str, ...]]) -> bytes | None:
    """Make choices, each on the other worker than the one before; return the consent cookie they end in."""
    consent = None
    for number, (act, names) in enumerate(steps):
        consent = workers[number % 2].choose(act, *names, cookie=consent).consent
    return consent


GPC = [(b"sec-gpc", b"1")]
STATES = {
    "no decision": ((), [], ALWAYS),
    "refused all": (((b"refuse", ()),), [], ALWAYS),
    "analytics only": (((b"refuse", ()), (b"accept", ("analytics",))), [], ALWAYS | ANALYTICS),
    "analytics accepted, the rest not asked": (((b"accept", ("analytics",)),), [], ALWAYS | ANALYTICS),
    "accepted all": (((b"accept", ()),), [], ALWAYS | ANALYTICS | ADVERTISING | PERSONAL),
    "GPC, no decision": ((), GPC, ALWAYS),
    "GPC, accepted all before": (((b"accept", ()),), GPC, ALWAYS),
    "withdrawn": (((b"accept", ()), (b"withdraw", ())), [], ALWAYS),
    "advertising withdrawn": (((b"accept", ()), (b"withdraw", ("advertising",))), [], ALWAYS | ANALYTICS | PERSONAL),
}


@pytest.mark.parametrize("state", STATES)
def test_every_allowed_cookie_arrives_byte_for_byte_and_no_other(
    workers: tuple[Connection, Connection], state: str
) -> None:
    steps, more, allowed = STATES[state]
    consent = decided(workers, *steps)
    for _ in range(2):
        for worker in workers:
            seen, got = visit(worker, consent, more)
            assert seen == only(SENT, allowed)
            assert got == only(SET, allowed)


def test_a_withdrawn_consent_is_not_revived_by_its_old_cookie_on_any_worker(
    workers: tuple[Connection, Connection],
) -> None:
    for number in range(10):
        here, there = workers[number % 2], workers[1 - number % 2]
        old = here.choose(b"accept").consent
        assert visit(there, old, [])[1] == only(SET, ALWAYS | ANALYTICS | ADVERTISING | PERSONAL)
        new = here.choose(b"withdraw", cookie=old).consent
        for worker in (there, here):
            for cookie in (old, new, old + b"; " + new):
                received = worker.ask(headers=[(b"cookie", cookie + b"; _ga=1")])
                assert b"_ga=1" not in received.app_saw
                assert received.browser_got == only(SET, ALWAYS)


def test_refused_cookies_that_still_arrive_are_expired(workers: tuple[Connection, Connection]) -> None:
    refused = workers[0].choose(b"refuse").consent
    received = workers[1].ask(headers=[(b"cookie", refused + b"; _ga=1; session=2; stranger=3")])
    expired = [value for value in received.values(b"set-cookie") if b"Max-Age=0" in value]
    assert {value.partition(b"=")[0] for value in expired} == {b"_ga"}
    assert any(b"Domain=toontrack.com" in value for value in expired)


def test_the_application_grants_only_by_an_act_of_the_user(workers: tuple[Connection, Connection]) -> None:
    here, there = workers
    assert here.ask(b"POST", b"/idle-grant").told["granted"] == "ConsentRefused"
    received = here.ask(b"POST", b"/grant")
    assert received.told["granted"] is True
    assert there.ask(headers=[(b"cookie", received.consent)]).browser_got == only(SET, ALWAYS | ANALYTICS)


def test_plain_http_is_for_loopback_alone(workers: tuple[Connection, Connection]) -> None:
    for worker in workers:
        loopback, worker.host = worker.host, b"www.toontrack.com"
        try:
            for path in (b"/", b"/.privacy/state", b"/.well-known/gpc.json"):
                moved = worker.ask(path=path)
                assert (moved.status, moved.values(b"location")) == (308, [b"https://www.toontrack.com" + path])
            assert worker.choose(b"refuse").status == 403
        finally:
            worker.host = loopback


def test_each_process_says_once_what_it_enforces(server: Server, workers: tuple[Connection, Connection]) -> None:
    told = [line for line in server.log.splitlines() if " troth " in line]
    assert len(told) == 2
    assert {int(line.split()[0]) for line in told} == {worker.worker for worker in workers}
    assert all(" INFO policy toontrack: " in line and "enforce" in line for line in told)
    assert str(server.folder) not in "".join(told)


def test_the_trail_of_the_idle_server_is_sound(server: Server, workers: tuple[Connection, Connection]) -> None:
    for worker in workers:
        worker.ask(path=b"/api/account")
    report = server.verified()
    assert report.exit_code == 0, report.text()
    assert report.lines > 2
    assert report.streams == 2
