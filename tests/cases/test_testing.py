"""`troth.testing` and `troth audit`: a guarded app in a test, and the trail that it leaves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from troth._types import Receive, Scope, Send
from troth.cli import main
from troth.errors import ConfigurationError
from troth.rules import load_texts
from troth.testing import Guarded

POLICY = {
    "policy.yaml": """\
identity: {id: shop, hosts: [www.example.com]}
data: {email: {fields: [email]}}
purposes: {order: {basis: contract, data: [email]}, analytics: {basis: consent}}
consents: {analytics: {holder: device, lasts: P6M}, mail: {holder: person}}
cookies: {_ga*: {purpose: analytics}, session: {purpose: order}}
""",
    "rules.yaml": """\
rules:
- {id: wait, clause: CK-1, for: cookie, match: {basis: consent}, only-if: {consent: of-purpose}}
""",
}
EVENTS: list[str] = []


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            EVENTS.append(message["type"])
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = (await receive()).get("body", b"")
    told = json.dumps(
        {"method": scope["method"], "body": body.decode(), "query": scope["query_string"].decode()}
    ).encode()
    headers = [(b"content-type", b"application/json"), (b"set-cookie", b"_ga=1; Path=/"), (b"set-cookie", b"session=s")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": told})


@pytest.fixture
def shop() -> Iterator[Guarded]:
    with Guarded(app, load_texts(POLICY).require(), {"routes": {"POST /order": {"purpose": "order"}}}) as guarded:
        yield guarded


def test_a_browser_waits_for_consent_and_loses_it_with_time(shop: Guarded) -> None:
    assert shop.get("/").cookies == {"session": "s"}
    assert shop.reasons[0]["action"] == "withhold"
    shop.set_consent(analytics="granted")
    assert shop.get("/").cookies == {"session": "s", "_ga": "1"}
    assert shop.jar.keys() == {"session", "_ga", "troth_consent"}
    shop.advance(days=200)
    assert shop.get("/").cookies == {"session": "s"}


def test_choices_are_made_on_the_own_routes_too(shop: Guarded) -> None:
    assert shop.post("/.privacy/accept", json={"consents": ["analytics"]}).status == 200
    assert "_ga" in shop.get("/").cookies
    assert shop.post("/.privacy/withdraw", json={}).status == 200
    assert "_ga" not in shop.get("/").cookies
    assert [line["act"] for line in shop.lines if line["kind"] == "consent"] == ["accept", "withdraw"]


def test_bodies_queries_and_headers_arrive(shop: Guarded) -> None:
    assert shop.post("/order?a=1", form={"email": "a@example.org"}).json()["body"] == "email=a%40example.org"
    assert shop.request("PUT", "https://www.example.com/x?b=2", body=b"raw").json()["query"] == "b=2"
    reply = shop.get("/.privacy/policy", headers={"Accept": "text/html"}, cookies={"x": "1"})
    assert (reply.header("Content-Type") or "").startswith("text/html")
    assert "Privacy policy" in reply.text


def test_a_person_has_choices_of_their_own(shop: Guarded) -> None:
    shop.set_consent({"mail": "granted"}, person="ann")
    held = shop.middleware.runtime.ledger.choices_of(["ann"])["ann"]
    assert [choice.state for choice in held.of("mail")] == ["granted"]
    with pytest.raises(ValueError, match="perhaps"):
        shop.set_consent(analytics="perhaps")
    with pytest.raises(KeyError):
        shop.set_consent(adverts="granted")


def test_the_lifespan_runs_and_the_home_goes() -> None:
    EVENTS.clear()
    with Guarded(app, load_texts(POLICY).require()) as guarded:
        guarded.get("/")
        home = guarded.home
        assert home.exists()
    assert EVENTS == ["lifespan.startup", "lifespan.shutdown"]
    assert not home.exists()


async def test_async_tests_send(tmp_path: Path) -> None:
    guarded = Guarded(app, load_texts(POLICY).require())
    assert (await guarded.send("GET", "/")).status == 200
    with pytest.raises(RuntimeError, match="await"):
        guarded.get("/")
    await guarded.aclose()


def test_a_policy_that_cannot_be_used_raises(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        Guarded(app, tmp_path)


# the trail that it leaves --------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path) -> Path:
    guarded = Guarded(app, load_texts(POLICY).require())
    for _ in range(3):
        guarded.get("/")
    guarded.post("/.privacy/accept", json={})
    guarded.middleware.runtime.trail.close()
    shutil.copytree(guarded.home, tmp_path / "home")
    guarded.close()
    return tmp_path / "home"


def test_audit_shows_lines_of_a_home_or_a_trail(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "show", str(home)]) == 0
    table = capsys.readouterr().out
    assert table.count("withhold cookie") == 3
    assert main(["audit", "show", str(home / "trail"), "--format", "json", "--rule", "wait", "--last", "2"]) == 0
    lines: list[Any] = json.loads(capsys.readouterr().out)
    assert len(lines) == 2
    assert main(["audit", "show", str(home), "--kind", "consent", "--format", "json"]) == 0
    assert [line["act"] for line in json.loads(capsys.readouterr().out)] == ["accept"]


def test_audit_verifies_with_the_home_s_key_or_a_copy(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "verify", str(home)]) == 0
    assert "trail sound" in capsys.readouterr().out
    key = tmp_path / "copy.pub"
    shutil.copy(home / "keys" / "trail.pub", key)
    shutil.rmtree(home / "keys")
    assert main(["audit", "verify", str(home / "trail")]) == 2
    assert main(["audit", "verify", str(home / "trail"), "--key", str(key), "--format", "json"]) == 0
    segment = next(path for path in (home / "trail").glob("*.jsonl") if path.name != "checkpoints.jsonl")
    data = segment.read_bytes()
    segment.write_bytes(data.replace(b"withhold", b"withheld", 1))
    assert main(["audit", "verify", str(home), "--key", str(key)]) == 6
    key.write_text("no key", "utf-8")
    assert main(["audit", "verify", str(home), "--key", str(key)]) == 2
