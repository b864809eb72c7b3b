"""The routes of Troth itself, on the wire and in the trail."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.asgi.wire import Answer, Shop
from tests.asgi_consent.conftest import POLICY, Make, choices, threads_of_writes, without_trail
from troth.consent.decoder import Decoder
from troth.consent.device import CookieOutcome

FORM = b"application/x-www-form-urlencoded"
ACTS = ["accept", "refuse", "withdraw"]
TITLE = b"A choice"


async def form(shop: Shop, act: str, pairs: list[tuple[str, str]], **more: Any) -> Answer:
    return await shop.ask("POST", f"/.privacy/{act}", body=urlencode(pairs).encode(), kind=FORM, **more)


async def state(shop: Shop, cookie: bytes = b"", **more: Any) -> dict[str, Any]:
    answer = await shop.ask(path="/.privacy/state", headers=[(b"cookie", cookie)] if cookie else [], **more)
    assert answer.status == 200
    value: dict[str, Any] = json.loads(answer.body)
    return value


def consent_cookie(answer: Answer) -> bytes:
    (value,) = [v for v in answer.values(b"set-cookie") if v.startswith(b"troth_consent=")]
    return value.partition(b";")[0]


def reading(shop: Shop, cookie: bytes) -> CookieOutcome:
    return shop.middleware.runtime.decoder.read([cookie.partition(b"=")[2]]).outcome


# What a choice does.


async def test_a_choice_as_json_answers_the_new_state(shop: Shop) -> None:
    answer = await shop.ask("POST", "/.privacy/accept", json_body={"consents": ["analytics"]})
    assert answer.status == 200
    assert not answer.called
    told = json.loads(answer.body)
    assert told["choices"] == {"analytics": "granted", "ads": "none", "news": "none"}
    assert (told["policy"], told["version"], told["signals"]) == ("shop", "1", [])
    assert answer.values(b"cache-control") == [b"no-store"]
    assert (await state(shop, consent_cookie(answer)))["choices"] == told["choices"]


async def test_missing_names_mean_all_that_a_device_can_hold(shop: Shop) -> None:
    for body in (b"{}", b""):
        answer = await shop.ask("POST", "/.privacy/accept", body=body)
        assert json.loads(answer.body)["choices"] == {"analytics": "granted", "ads": "granted", "news": "granted"}


@pytest.mark.parametrize("kind", [FORM, b"multipart/form-data; boundary=x"])
async def test_a_form_is_answered_by_a_redirect(shop: Shop, kind: bytes) -> None:
    body = b"consents=analytics&consents=ads&return_to=%2Fcart%3Fa%3D1"
    if kind != FORM:
        part = b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
        named = [(b"consents", b"analytics"), (b"consents", b"ads"), (b"return_to", b"/cart?a=1")]
        body = b"".join(part % pair for pair in named) + b"--x--\r\n"
    answer = await shop.ask("POST", "/.privacy/accept", body=body, kind=kind)
    assert (answer.status, answer.values(b"location"), answer.body) == (303, [b"/cart?a=1"], b"")
    told = await state(shop, consent_cookie(answer))
    assert told["choices"] == {"analytics": "granted", "ads": "granted", "news": "none"}


@pytest.mark.parametrize(
    ("given", "back"),
    [
        ("/a/b?c=d#e", b"/a/b?c=d#e"),
        ("//evil.example/", b"/"),
        ("/\\evil.example", b"/"),
        ("/\t/evil.example", b"/"),
        ("\t//evil.example", b"/"),
        ("https://evil.example/", b"/"),
        ("javascript:alert(1)", b"/"),
        ("evil", b"/"),
        ("", b"/"),
        ("/a\r\nSet-Cookie: x=y", b"/"),
        ("/å", b"/"),
    ],
)
async def test_a_form_goes_back_to_a_path_of_the_same_origin_only(shop: Shop, given: str, back: bytes) -> None:
    answer = await form(shop, "refuse", [("return_to", given)])
    assert (answer.status, answer.values(b"location")) == (303, [back])


async def test_a_form_of_boxes_with_none_ticked_grants_nothing(shop: Shop) -> None:
    answer = await form(shop, "accept", [("consents", ""), ("return_to", "/")])
    assert answer.status == 303
    assert answer.values(b"set-cookie") == []
    assert choices(shop) == []
    ticked = await form(shop, "accept", [("consents", ""), ("consents", "ads")])
    assert (await state(shop, consent_cookie(ticked)))["choices"]["analytics"] == "none"


async def test_a_body_without_announced_length_is_read(shop: Shop) -> None:
    """HTTP/2 needs neither a length nor a transfer coding: a body that is not looked for would mean all consents."""
    headers = [(b"content-type", b"application/json")]
    waiting = [{"type": "http.request", "body": b'{"consents": ["ads"]}', "more_body": False}]
    sent: list[Any] = []

    async def receive() -> Any:
        return waiting.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "scheme": "https", "path": "/.privacy/accept", "query_string": b"",
        "root_path": "", "headers": [(b"host", b"shop.example"), *headers], "extensions": {},
    }  # fmt: skip
    await shop.middleware(scope, receive, send)
    assert json.loads(sent[1]["body"])["choices"] == {"analytics": "none", "ads": "granted", "news": "none"}


async def test_a_client_that_went_away_has_chosen_nothing(shop: Shop) -> None:
    answer = await shop.ask("POST", "/.privacy/accept", body=[b'{"consents":'], after=None)
    assert answer.status == 400  # one whole message, malformed
    gone: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        gone.append(message)

    scope = {
        "type": "http", "method": "POST", "scheme": "https", "path": "/.privacy/accept", "query_string": b"",
        "root_path": "", "headers": [(b"host", b"shop.example")], "extensions": {},
    }  # fmt: skip
    await shop.middleware(scope, receive, send)
    assert gone == []
    assert choices(shop) == []


async def test_the_next_choice_retires_the_consent_before_it(shop: Shop) -> None:
    first = await shop.choose("accept", "analytics")
    second = await shop.choose("accept", "ads", cookie=first)
    assert reading(shop, first) is CookieOutcome.RETIRED
    assert (await state(shop, second))["choices"] == {"analytics": "granted", "ads": "granted", "news": "none"}
    assert (await state(shop, first))["choices"]["analytics"] == "none"


async def test_refused_cookies_are_expired_in_the_answer_to_the_choice(shop: Shop) -> None:
    granted = await shop.choose("accept")
    sent = granted + b"; _ga=GA1; session=s; unknown=u; _fbp=f"
    answer = await shop.ask(
        "POST", "/.privacy/withdraw", json_body={"consents": ["analytics"]}, headers=[(b"cookie", sent)]
    )
    expired = [v for v in answer.values(b"set-cookie") if not v.startswith(b"troth_consent=")]
    assert {v.partition(b"=")[0] for v in expired} == {b"_ga"}
    assert sum(b"Domain=shop.example" in v for v in expired) == 1
    assert len(expired) == 2
    assert all(b"Max-Age=0" in v or b"01 Jan 1970" in v for v in expired)


@pytest.mark.parametrize(("act", "clears"), [("accept", False), ("refuse", True), ("withdraw", True)])
async def test_the_cache_is_cleared_when_a_grant_ends(shop: Shop, act: str, clears: bool) -> None:
    granted = await shop.choose("accept")
    answer = await shop.ask("POST", f"/.privacy/{act}", headers=[(b"cookie", granted)], json_body={})
    assert answer.values(b"clear-site-data") == ([b'"cache"'] if clears else [])


async def test_a_first_refusal_clears_no_cache_and_leaves_nothing_unique(shop: Shop) -> None:
    answers = [await shop.ask("POST", "/.privacy/refuse", json_body={}) for _ in range(2)]
    assert answers[0].values(b"clear-site-data") == []
    assert consent_cookie(answers[0]) == consent_cookie(answers[1])


async def test_the_ledger_is_written_in_a_thread(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = threads_of_writes(monkeypatch)
    await shop.choose("accept")
    assert len(seen) == 1
    assert threading.get_ident() not in seen


async def test_grants_that_ended_while_a_choice_was_read_stay_ended(shop: Shop) -> None:
    """The choice of a slow request starts from a cookie that a quicker one has withdrawn meanwhile."""
    granted = await shop.choose("accept", "analytics")
    body = b'{"consents": ["ads"]}'
    arrived = asyncio.Event()
    started = asyncio.Event()

    async def rest() -> Any:
        started.set()
        await arrived.wait()
        return {"type": "http.request", "body": body[5:], "more_body": False}

    waiting: list[Any] = [{"type": "http.request", "body": body[:5], "more_body": True}]
    sent: list[Any] = []

    async def receive() -> Any:
        return waiting.pop() if waiting else await rest()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "scheme": "https", "path": "/.privacy/accept", "query_string": b"",
        "root_path": "", "extensions": {},
        "headers": [(b"host", b"shop.example"), (b"content-type", b"application/json"), (b"cookie", granted)],
    }  # fmt: skip
    slow = asyncio.create_task(shop.middleware(scope, receive, send))
    await started.wait()
    await shop.choose("withdraw", "analytics", cookie=granted)
    arrived.set()
    await slow
    assert json.loads(sent[1]["body"])["choices"] == {"analytics": "none", "ads": "granted", "news": "none"}


# Who may choose what.


@pytest.mark.parametrize("names", [["letters"], ["sharing"], ["nothing-of-the-kind"], ["analytics", "gone"]])
@pytest.mark.parametrize("act", ACTS)
async def test_names_that_no_device_holds_are_refused_without_an_echo(shop: Shop, act: str, names: list[str]) -> None:
    answer = await shop.ask("POST", f"/.privacy/{act}", json_body={"consents": names})
    assert answer.status == 400
    assert not any(name.encode() in answer.body for name in names)
    assert answer.values(b"set-cookie") == []
    assert choices(shop) == []
    assert b"gone" not in shop.trail()


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"consents": 3}', b"application/json", 400),
        (b'{"consents": null}', b"application/json", 400),
        (b'{"consents": [1]}', b"application/json", 400),
        (b'{"consents": {"ads": true}}', b"application/json", 400),
        (b'["ads"]', b"application/json", 400),
        (b"{", b"application/json", 400),
        (b"\xef\xbb\xbf{}", b"application/json", 400),
        (b"[" * 5000, b"application/json", 400),
        (b"ads", b"text/plain", 415),
        (b"x", b"", 415),
        (b"a" * 65537, b"application/json", 413),
        (b"a=" + b"b" * 65536, FORM, 413),
    ],
)
@pytest.mark.parametrize("act", ACTS)
async def test_what_is_no_choice_is_refused_and_changes_nothing(
    shop: Shop, act: str, body: bytes, kind: bytes, status: int
) -> None:
    answer = await shop.ask("POST", f"/.privacy/{act}", body=body, kind=kind)
    assert answer.status == status
    assert answer.values(b"set-cookie") == []
    assert choices(shop) == []


async def test_an_unknown_coding_is_refused(shop: Shop) -> None:
    answer = await shop.ask("POST", "/.privacy/accept", json_body={}, headers=[(b"content-encoding", b"zstd")])
    assert answer.status == 415


SAME = (b"sec-fetch-site", b"same-origin")


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ([], True),
        ([SAME], True),
        ([(b"sec-fetch-site", b"same-site")], True),
        ([(b"sec-fetch-site", b"none")], True),
        ([(b"sec-fetch-site", b"cross-site")], False),
        ([(b"sec-fetch-site", b"whatever")], False),
        ([SAME, (b"sec-fetch-site", b"cross-site")], False),
        ([(b"origin", b"https://shop.example")], True),
        ([(b"origin", b"https://SHOP.example")], True),
        ([(b"origin", b"https://www.shop.example")], True),
        ([(b"origin", b"http://shop.example")], False),
        ([(b"origin", b"https://evil.example")], False),
        ([(b"origin", b"https://shop.example.evil.example")], False),
        ([(b"origin", b"https://evilshop.example")], False),
        ([(b"origin", b"null")], False),
        ([(b"origin", b"null"), SAME], True),
        ([(b"origin", b"null"), (b"sec-fetch-site", b"same-site")], False),
        ([(b"origin", b"https://evil.example"), SAME], False),
        ([(b"origin", b"https://shop.example"), (b"origin", b"https://evil.example")], False),
        ([(b"origin", b"")], False),
        ([(b"origin", b"https://[")], False),
        ([(b"origin", b"\xff")], False),
    ],
)
@pytest.mark.parametrize("act", ACTS)
async def test_a_choice_that_another_site_sends_is_refused(
    shop: Shop, act: str, headers: list[tuple[bytes, bytes]], allowed: bool
) -> None:
    answer = await shop.ask("POST", f"/.privacy/{act}", json_body={}, headers=headers)
    assert answer.status == (200 if allowed else 403)
    assert bool(answer.values(b"set-cookie")) is allowed


@pytest.mark.parametrize(
    ("path", "method", "allow"),
    [
        ("/.privacy/accept", "GET", b"POST"),
        ("/.privacy/withdraw", "HEAD", b"POST"),
        ("/.privacy/state", "POST", b"GET, HEAD"),
        ("/.privacy/policy", "DELETE", b"GET, HEAD"),
        ("/.well-known/gpc.json", "PUT", b"GET, HEAD"),
    ],
)
async def test_other_methods_are_refused_with_those_that_are_not(
    shop: Shop, path: str, method: str, allow: bytes
) -> None:
    answer = await shop.ask(method, path)
    assert (answer.status, answer.values(b"allow")) == (405, [allow])
    assert not answer.called


@pytest.mark.parametrize("path", ["/.privacy", "/.privacy/", "/.privacystate", "/.privacy//state", "/.privacy/other"])
async def test_other_paths_are_the_apps(shop: Shop, path: str) -> None:
    assert (await shop.ask(path=path)).called


# Protection and https.


async def test_no_rule_refuses_an_own_route(make: Make) -> None:
    shop = make(rules="\n- {id: closed, clause: C-9, for: exchange, match: {https: true}, otherwise: deny}\n")
    assert (await shop.ask()).status == 403
    for path in ("/.privacy/state", "/.privacy/policy", "/.well-known/gpc.json"):
        assert (await shop.ask(path=path)).status == 200
    for act in ACTS:
        assert (await shop.ask("POST", f"/.privacy/{act}", json_body={})).status == 200


@pytest.mark.parametrize("path", ["/.privacy/state", "/.privacy/policy", "/.well-known/gpc.json"])
async def test_pages_move_to_https(shop: Shop, path: str) -> None:
    answer = await shop.ask(path=path + "?a=b", scheme="http")
    assert (answer.status, answer.values(b"location")) == (308, [b"https://shop.example" + path.encode() + b"?a=b"])


@pytest.mark.parametrize("act", ACTS)
async def test_a_choice_over_plain_http_is_refused(shop: Shop, act: str) -> None:
    answer = await shop.ask("POST", f"/.privacy/{act}", json_body={}, scheme="http")
    assert answer.status == 403
    assert answer.values(b"set-cookie") == []
    assert choices(shop) == []
    assert shop.reasons() == [("https", "deny")]


async def test_the_consent_cookie_is_secure_but_over_http_on_loopback(shop: Shop) -> None:
    over_https = await shop.ask("POST", "/.privacy/accept", json_body={})
    assert b"; Secure" in over_https.values(b"set-cookie")[0]
    waiting = [(b"host", b"127.0.0.1:8000")]
    messages: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    scope = {
        "type": "http", "method": "POST", "scheme": "http", "path": "/.privacy/accept", "query_string": b"",
        "root_path": "", "headers": waiting, "extensions": {},
    }  # fmt: skip
    await shop.middleware(scope, receive, send)
    assert messages[0]["status"] == 200
    (value,) = [value for name, value in messages[0]["headers"] if name == b"set-cookie"]
    assert b"Secure" not in value


async def test_the_prefix_moves_with_the_root_path(shop: Shop) -> None:
    answer = await shop.ask(path="/shop/.privacy/state", root_path="/shop")
    assert (answer.status, answer.called) == (200, False)
    moved = await form(shop, "refuse", [("a", "b")])
    assert moved.values(b"location") == [b"/"]
    under = await shop.ask("POST", "/shop/.privacy/refuse", body=b"a=b", kind=FORM, root_path="/shop")
    assert under.values(b"location") == [b"/shop/"]
    assert (await shop.ask(path="/shopping/.privacy/state", root_path="/shop")).called


# Reading.


async def test_the_policy_has_version_and_an_anchor_for_each_clause(make: Make) -> None:
    from troth import PolicyMiddleware

    app = make().app
    root = Path(__file__).parents[2]
    home = make().home.with_name("toontrack")
    guarded = PolicyMiddleware(app, policy=root / "policies/toontrack", home=home)
    shop = make()
    runtime, shop.middleware = shop.middleware.runtime, guarded
    runtime.close()
    page = await shop.ask(path="/.privacy/policy", headers=[(b"accept", b"text/html,*/*")])
    assert page.values(b"content-type") == [b"text/html; charset=utf-8"]
    assert b"Version 1<" in page.body
    assert page.values(b"policy-version") == [b"toontrack@1"]
    assert b"Accept" in page.values(b"vary")[0]
    text = await shop.ask(path="/.privacy/policy")
    assert text.values(b"content-type") == [b"text/markdown; charset=utf-8"]
    assert b"version 1" in text.body
    for clause in guarded.runtime.first.policy.clauses:
        assert page.body.count(b' id="%s"' % clause.id.encode()) == 1
        assert text.body.count(b'<a id="%s"></a>' % clause.id.encode()) == 1
    head = await shop.ask("HEAD", "/.privacy/policy")
    assert (head.body, head.values(b"content-length")) == (b"", text.values(b"content-length"))


async def test_the_page_keeps_header_duties_like_any_other(shop: Shop) -> None:
    answer = await shop.ask(path="/.privacy/policy", headers=[(b"accept", b"text/html")])
    assert b"frame-ancestors 'self'" in b";".join(answer.values(b"content-security-policy"))
    assert b"Shop &amp; Sons" in answer.body


@pytest.mark.parametrize(("signals", "honoured"), [("always", True), ("until-choice", True), ("never", False)])
async def test_gpc_json_says_whether_the_signal_counts(make: Make, signals: str, honoured: bool) -> None:
    policy = POLICY.replace("ads: {holder: device}", f"ads: {{holder: device, signals: {{gpc: {signals}}}}}")
    answer = await make(policy=policy).ask(path="/.well-known/gpc.json")
    assert json.loads(answer.body) == {"gpc": honoured, "lastUpdate": "2026-02-03"}
    assert answer.values(b"content-type") == [b"application/json"]


async def test_state_depends_on_the_visitor_and_says_so(shop: Shop) -> None:
    answer = await shop.ask(path="/.privacy/state", headers=[(b"sec-gpc", b"1")])
    assert json.loads(answer.body)["signals"] == ["gpc"]
    assert answer.values(b"cache-control") == [b"no-store"]
    assert b"Cookie" in answer.values(b"vary")[0]


async def test_a_grant_whose_time_has_passed_is_expired(shop: Shop) -> None:
    granted = await shop.choose("accept")
    shop.now = shop.now.replace(month=7)
    assert (await state(shop, granted))["choices"] == {"analytics": "expired", "ads": "granted", "news": "granted"}


# Lines.


async def test_each_choice_writes_a_line_and_a_withdrawal_names_the_consent_it_ended(shop: Shop) -> None:
    granted = await shop.choose("accept", "analytics")
    await shop.choose("withdraw", "analytics", cookie=granted)
    given, ended = choices(shop)
    assert (given["act"], given["consents"], given["form"], given["status"]) == ("accept", ["analytics"], "click", 200)
    assert (ended["act"], ended["consents"]) == ("withdraw", ["analytics"])
    assert ended["retired"] == [given["consent"]]
    assert "consent" not in ended


async def test_of_a_device_that_refuses_or_signals_no_id_is_written(shop: Shop) -> None:
    await shop.choose("refuse", "ads")
    granted = await shop.choose("accept", "analytics")
    await shop.choose("refuse", "ads", cookie=granted)
    signalled = await shop.ask("POST", "/.privacy/accept", json_body={}, headers=[(b"sec-gpc", b"1")])
    mixed = await shop.choose("refuse", "ads")
    await shop.choose("accept", "analytics", cookie=mixed)
    assert signalled.status == 200
    lines = choices(shop)
    assert [line["act"] for line in lines] == ["refuse", "accept", "refuse", "accept", "refuse", "accept"]
    assert [("consent" in line, "retired" in line) for line in lines] == [(n == 1, False) for n in range(6)]
    assert lines[3]["signals"] == ["gpc"]


async def test_a_failed_choice_is_an_alert_where_a_rule_says_so(shop: Shop) -> None:
    await shop.ask("POST", "/.privacy/withdraw", body=b"{")
    assert shop.lines()[-1]["status"] == 400
    assert shop.reasons() == [("arrives", "alert")]


async def test_a_rule_may_refuse_a_grant_and_never_a_refusal(make: Make) -> None:
    shop = make(rules="\n- {id: never, clause: C-8, for: event, match: {event: consent-recorded}}\n")
    answer = await shop.ask("POST", "/.privacy/accept", json_body={"consents": ["ads"]})
    assert (answer.status, answer.values(b"set-cookie"), choices(shop)) == (403, [], [])
    assert ("never", "withhold") in shop.reasons()
    for act in ("refuse", "withdraw"):
        assert (await shop.ask("POST", f"/.privacy/{act}", json_body={})).status == 200


# Trail and ledger that fail.


def records(shop: Shop) -> int:
    with sqlite3.connect(shop.home / "ledger.sqlite3") as ledger:
        found: int = ledger.execute("SELECT count(*) FROM consent_records").fetchone()[0]
    ledger.close()
    return found


async def test_without_its_line_a_grant_is_none_and_nothing_has_changed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await shop.choose("accept", "analytics")
    recorded = records(shop)
    without_trail(shop, monkeypatch)
    answer = await shop.ask("POST", "/.privacy/accept", json_body={}, headers=[(b"cookie", before)])
    assert answer.status == 503
    assert answer.values(b"set-cookie") == []
    assert records(shop) == recorded
    assert reading(shop, before) is CookieOutcome.VALID
    assert (await state(shop, before))["choices"] == {"analytics": "granted", "ads": "none", "news": "none"}


@pytest.mark.parametrize("act", ["refuse", "withdraw"])
async def test_what_ends_a_consent_holds_without_its_line(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, act: str
) -> None:
    before = await shop.choose("accept", "analytics")
    without_trail(shop, monkeypatch)
    answer = await shop.ask("POST", f"/.privacy/{act}", json_body={}, headers=[(b"cookie", before)])
    assert answer.status == 200
    assert reading(shop, before) is CookieOutcome.RETIRED
    assert set(json.loads(answer.body)["choices"].values()) == {"declined" if act == "refuse" else "withdrawn"}
    assert [record.levelname for record in caplog.records if record.name == "troth"] == ["ERROR"]


async def test_pages_are_served_without_a_trail(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    without_trail(shop, monkeypatch)
    for path in ("/.privacy/policy", "/.privacy/state", "/.well-known/gpc.json"):
        assert (await shop.ask(path=path, headers=[(b"accept", b"text/html")])).status == 200


class Unwilling(sqlite3.Connection):
    """A ledger whose disk fails at the very end."""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql == "COMMIT":
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *parameters)


@pytest.mark.parametrize("act", ACTS)
async def test_a_ledger_that_fails_changes_nothing_and_the_trail_says_so(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    before = await shop.choose("accept", "analytics")
    recorded, lines = records(shop), len(choices(shop))
    ledger = shop.middleware.runtime.ledger
    path = shop.home / "ledger.sqlite3"
    failing = sqlite3.connect(path, factory=Unwilling, isolation_level=None, check_same_thread=False)
    with monkeypatch.context() as patched:
        patched.setattr(ledger, "_writer", SimpleNamespace(get=lambda: failing))
        answer = await shop.ask("POST", f"/.privacy/{act}", json_body={}, headers=[(b"cookie", before)])
    failing.close()
    assert answer.status == 503
    assert answer.values(b"set-cookie") == []
    assert records(shop) == recorded
    assert reading(shop, before) is CookieOutcome.VALID
    told = choices(shop)[lines:]
    assert [line.get("outcome") for line in told] == ([None, "failed"] if act == "accept" else [])


async def test_an_old_cookie_grants_nothing_to_a_decoder_of_another_worker(shop: Shop) -> None:
    granted = await shop.choose("accept")
    await shop.choose("withdraw", cookie=granted)
    runtime = shop.middleware.runtime
    other = Decoder(runtime.home.cookie_keys, epoch=runtime.ledger.epoch, retired=runtime.ledger.retired)
    assert other.read([granted.partition(b"=")[2]]).outcome is CookieOutcome.RETIRED
