"""`troth.consent(scope)`: what app code reads and records, when it counts, and what the trail is told."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import jinja2
import pytest

import troth
from tests.asgi.wire import Answer, Shop
from tests.asgi_consent.conftest import BINDING, Make, choices, threads_of_writes, without_trail
from troth._types import ASGIApp, Receive, Scope, Send
from troth.asgi.api import Html, RequestConsent, choice_form
from troth.consent.device import CookieOutcome
from troth.consent.ledger import Ledger
from troth.errors import ConsentError, ConsentRefused, TrailError

Job = Callable[[RequestConsent], Awaitable[Any]]
COOKIES = [(b"set-cookie", b"_ga=1"), (b"set-cookie", b"session=2"), (b"set-cookie", b"_fbp=3")]
WHO: list[str] = []


def who(_scope: Scope) -> str | None:
    """Who asks, for bindings of these tests."""
    return WHO[0] if WHO else None


def of_session(scope: Scope) -> str | None:
    """Who asks, as a middleware inside the guard has put it into the scope."""
    found: str | None = scope.get("session", {}).get("user")
    return found


KNOWN = BINDING + f"  actor: {{before: '{__name__}:who'}}\n"
KNOWN_AFTER = BINDING + f"  actor: {{after: '{__name__}:of_session'}}\n"


@pytest.fixture(autouse=True)
def nobody() -> None:
    WHO.clear()


def doing(job: Job, told: list[Any] | None = None) -> ASGIApp:
    """Return an app that does `job` with its consent object, then answers with cookies."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        before = dict(scope)
        try:
            found = await job(troth.consent(scope))
        except ConsentError as error:
            found = error
        if told is not None:
            told.append(found)
        assert dict(scope) == before
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"2"), *COOKIES]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    return app


async def act(shop: Shop, job: Job, cookie: bytes = b"", path: str = "/act", **more: Any) -> tuple[Any, Answer]:
    """Let the app do something in a request; returns what came of it, and the answer."""
    told: list[Any] = []
    shop.inner = doing(job, told)
    headers = [(b"cookie", cookie)] if cookie else []
    answer = await shop.ask("POST" if path == "/act" else "GET", path, headers=headers, **more)
    return told[0], answer


def sent(answer: Answer) -> list[bytes]:
    """Return the names of the cookies that reached the browser, in order."""
    return [value.partition(b"=")[0] for value in answer.values(b"set-cookie")]


def cookie_of(answer: Answer) -> bytes:
    return next(v for v in answer.values(b"set-cookie") if v.startswith(b"troth_consent=")).partition(b";")[0]


async def granted(consent: RequestConsent, *names: str) -> dict[str, bool]:
    return {name: consent.granted(name) for name in names or ("analytics", "ads", "news")}


# Finding it.


def test_the_name_is_a_function_though_a_package_of_that_name_lies_beside_it() -> None:
    code = "from troth.consent.desk import ConsentDesk; from troth import consent; import troth; "
    code += "assert callable(consent) and troth.consent is consent and ConsentDesk"
    environment = os.environ | {"PYTHONPATH": str(Path(troth.__file__).parents[1])}
    assert subprocess.run([sys.executable, "-c", code], check=False, env=environment).returncode == 0


def test_outside_a_guarded_request_it_says_so() -> None:
    with pytest.raises(ConsentError, match="outside a request"):
        troth.consent({"type": "http"})


async def test_after_the_request_it_is_gone(shop: Shop) -> None:
    await act(shop, granted)
    with pytest.raises(ConsentError, match="outside a request"):
        troth.consent({"type": "http"})


# Reading.


async def test_nothing_is_granted_unless_somebody_granted_it(shop: Shop) -> None:
    assert (await act(shop, granted))[0] == {"analytics": False, "ads": False, "news": False}
    cookie = await shop.choose("accept", "analytics")
    assert (await act(shop, granted, cookie))[0] == {"analytics": True, "ads": False, "news": False}


async def test_reading_agrees_with_what_rules_do_to_the_cookies(shop: Shop) -> None:
    for cookie in (b"", await shop.choose("accept", "analytics"), await shop.choose("accept"), b"troth_consent=1.a.b"):
        for headers in ([], [(b"sec-gpc", b"1")], [(b"dnt", b"1")]):
            told: list[Any] = []
            shop.inner = doing(granted, told)
            answer = await shop.ask("POST", "/act", headers=[*headers, *([(b"cookie", cookie)] if cookie else [])])
            assert told[0]["analytics"] is (b"_ga" in sent(answer))
            assert told[0]["ads"] is (b"_fbp" in sent(answer))


async def test_a_grant_past_its_time_stands_no_more(shop: Shop) -> None:
    cookie = await shop.choose("accept")
    shop.now = shop.now.replace(month=7)
    assert (await act(shop, granted, cookie))[0] == {"analytics": False, "ads": True, "news": True}


async def test_state_says_what_was_chosen(make: Make) -> None:
    shop = make(routes=KNOWN)

    async def state(consent: RequestConsent) -> dict[str, Any]:
        return consent.state()

    cookie = await shop.choose("refuse", "ads")
    told, _ = await act(shop, state, cookie)
    assert told == {
        "policy": "shop", "version": "1", "signals": [],
        "choices": {"analytics": "none", "ads": "declined", "news": "none"},
    }  # fmt: skip
    WHO.append("anna")
    told, _ = await act(shop, state, cookie)
    assert told["person"] == {"letters": "none", "news": "none", "sharing": "none"}


@pytest.mark.parametrize(
    "job",
    [
        lambda c: c.record("no-such", form="click"),
        lambda c: c.withdraw("no-such"),
        lambda c: c.record("ads", form=""),
        lambda c: c.record("ads", form="click", party="p1"),
        lambda c: c.record("sharing", form="click", person="anna", party="of-party"),
        lambda c: c.record("letters", form="click"),
        lambda c: c.record("ads", form="click", person="anna"),
        lambda c: c.record("ads", form="click", holder="person"),
        lambda c: c.refuse("letters"),
        lambda c: c.erase(),
        lambda c: c.move_to_person("ads", person="anna"),
        lambda c: c.move_to_person("news"),
    ],
)
async def test_what_cannot_be_chosen_is_said_clearly_and_changes_nothing(shop: Shop, job: Job) -> None:
    error, answer = await act(shop, job)
    assert type(error) is ConsentError
    assert "no-such" not in str(error)
    assert "anna" not in str(error)
    assert b"troth_consent" not in sent(answer)
    assert choices(shop) == []


async def test_unknown_names_cannot_be_read_either(shop: Shop) -> None:
    error, _ = await act(shop, lambda c: granted(c, "no-such"))
    assert type(error) is ConsentError


# What devices hold.


async def test_a_recorded_consent_counts_in_the_same_exchange_and_after_it(shop: Shop) -> None:
    async def job(consent: RequestConsent) -> Any:
        before = consent.granted("analytics")
        await consent.record("analytics", form="click")
        return before, consent.granted("analytics"), consent.granted("ads")

    told, answer = await act(shop, job)
    assert told == (False, True, False)
    assert sent(answer) == [b"_ga", b"session", b"troth_consent"]
    assert (await act(shop, granted, cookie_of(answer)))[0]["analytics"]


async def test_a_withdrawal_counts_in_the_same_exchange_and_expires_what_came_in(shop: Shop) -> None:
    cookie = await shop.choose("accept")
    _, answer = await act(shop, lambda c: c.withdraw("analytics"), cookie + b"; _ga=1; _fbp=2")
    assert sent(answer) == [b"session", b"_fbp", b"_ga", b"_ga", b"troth_consent"]
    assert answer.values(b"clear-site-data") == [b'"cache"']
    assert shop.middleware.runtime.decoder.read([cookie.partition(b"=")[2]]).outcome is CookieOutcome.RETIRED


async def test_several_choices_of_one_exchange_end_up_in_one_cookie(shop: Shop) -> None:
    async def job(consent: RequestConsent) -> Any:
        await asyncio.gather(consent.record("analytics", form="click"), consent.record("ads", form="click"))
        await consent.refuse("news")
        return consent.state()["choices"]

    told, answer = await act(shop, job)
    assert told == {"analytics": "granted", "ads": "granted", "news": "declined"}
    assert sent(answer).count(b"troth_consent") == 1
    assert (await act(shop, granted, cookie_of(answer)))[0] == {"analytics": True, "ads": True, "news": False}
    ledger = shop.middleware.runtime.ledger
    assert isinstance(ledger, Ledger)
    retired = ledger._query("SELECT count(*) FROM device_retired")[0][0]
    assert retired == 2


async def test_withdrawing_nothing_by_name_withdraws_all(shop: Shop) -> None:
    cookie = await shop.choose("accept")
    _, answer = await act(shop, lambda c: c.withdraw(), cookie)
    told, _ = await act(shop, granted, cookie_of(answer))
    assert told == {"analytics": False, "ads": False, "news": False}


async def test_once_the_answer_is_on_its_way_no_device_can_choose(shop: Shop) -> None:
    told: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        consent = troth.consent(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            await consent.record("ads", form="click")
        except ConsentError as error:
            told.append(str(error))
        await send({"type": "http.response.body", "body": b""})
        await consent.record("letters", form="written", person="anna")
        told.append(consent.granted("letters", person="anna"))

    shop.inner = app
    await shop.ask("POST", "/act")
    assert told == ["the response is on its way: no cookie can go with it any more", True]


async def test_the_ledger_is_written_in_a_thread(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = threads_of_writes(monkeypatch)
    jobs: list[Job] = [
        lambda c: c.record("ads", form="click"),
        lambda c: c.record("letters", form="click", person="anna"),
        lambda c: c.withdraw("letters", person="anna"),
        lambda c: c.erase(person="anna"),
    ]
    for job in jobs:
        await act(shop, job)
    assert len(seen) == 4
    assert threading.get_ident() not in seen


# Rules.


async def test_a_rule_refuses_a_grant_that_no_act_stands_behind(shop: Shop) -> None:
    error, answer = await act(shop, lambda c: c.record("analytics", form="click"), path="/idle")
    assert isinstance(error, ConsentRefused)
    assert (error.rules, error.clauses) == (("act",), ("C-2",))
    assert sent(answer) == [b"session"]
    (line,) = choices(shop)
    assert (line["act"], line["outcome"], line["consents"]) == ("accept", "refused", ["analytics"])
    assert [(why["rule"], why["action"]) for why in line["why"]] == [("act", "withhold")]


async def test_no_rule_refuses_a_refusal_or_a_withdrawal(shop: Shop) -> None:
    cookie = await shop.choose("accept")
    for job in (lambda c: c.withdraw("ads"), lambda c: c.refuse("ads")):
        told, answer = await act(shop, job, cookie, path="/idle")
        assert told is None
        assert b"_fbp" not in sent(answer)


# What persons hold.


async def test_a_persons_consent_is_recorded_for_whoever_asks(make: Make) -> None:
    shop = make(routes=KNOWN)
    WHO.append("anna")

    async def job(consent: RequestConsent) -> Any:
        await consent.record("letters", form="click")
        return consent.granted("letters"), consent.granted("letters", person="ben")

    told, answer = await act(shop, job)
    assert told == (True, False)
    assert b"troth_consent" not in sent(answer)
    assert (await act(shop, lambda c: granted(c, "letters")))[0] == {"letters": True}
    WHO[0] = "ben"
    assert (await act(shop, lambda c: granted(c, "letters")))[0] == {"letters": False}


async def test_a_consent_per_party_stands_for_that_party_alone(make: Make) -> None:
    shop = make(routes=KNOWN)
    WHO.append("anna")

    async def job(consent: RequestConsent) -> Any:
        await consent.record("sharing", form="written", party="p1")
        each = [consent.granted("sharing", party=party) for party in ("p1", "p2")]
        await consent.withdraw("sharing", party="p1")
        return [*each, consent.granted("sharing"), consent.granted("sharing", party="p1")]

    assert (await act(shop, job))[0] == [True, False, False, False]
    given, ended = choices(shop)
    assert (given["params"], given["form"], given["holder"]) == ({"party": "p1"}, "written", "person")
    assert given["subj"] == ended["subj"]


async def test_what_is_recorded_of_a_person_counts_for_the_rules_of_this_very_answer(make: Make) -> None:
    routes = KNOWN.replace("'GET /idle': {audience: public}", "'GET /idle': {audience: public, purpose: letters}")
    rules = """
- {id: letters, clause: C-1, for: cookie, match: {purpose: sale}, only-if: {consent: letters}}
"""
    shop = make(routes=routes, rules=rules)
    WHO.append("anna")
    assert b"session" not in sent((await act(shop, lambda c: granted(c, "letters"), path="/idle"))[1])
    assert b"session" in sent((await act(shop, lambda c: c.record("letters", form="click"), path="/idle"))[1])
    assert b"session" not in sent((await act(shop, lambda c: c.withdraw("letters"), path="/idle"))[1])


async def test_a_hook_that_knows_only_after_the_app_is_asked_when_it_is_needed(make: Make) -> None:
    shop = make(routes=KNOWN_AFTER)

    async def job(consent: RequestConsent) -> Any:
        await consent.record("letters", form="click")
        return consent.granted("letters", person="anna")

    assert (await act(shop, job, session={"user": "anna"}))[0] is True
    assert isinstance((await act(shop, job, session={}))[0], ConsentError)


async def test_hooks_see_the_session_also_where_cookies_were_taken_away(make: Make) -> None:
    """The app is then given a copy of the scope, and what a session middleware puts there is only in the copy."""
    shop = make(routes=KNOWN_AFTER, rules="\n- {id: gone, clause: C-1, for: cookie, match: {purpose: analytics}}\n")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["session"] = {"user": "anna"}
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    shop.inner = app
    for cookie in (b"session=1", b"session=1; _ga=2"):
        answer = await shop.ask("GET", "/idle", headers=[(b"cookie", cookie)])
        assert answer.status == 200
    assert ["actor" in line for line in shop.lines() if line["stage"] == "released"] == [True]


async def test_either_holder_may_grant_and_both_withdraw(make: Make) -> None:
    shop = make(routes=KNOWN)
    cookie = await shop.choose("accept", "news")
    WHO.append("anna")
    _, answer = await act(shop, lambda c: c.record("news", form="click"), cookie)
    assert b"troth_consent" not in sent(answer)
    _, answer = await act(shop, lambda c: c.withdraw("news"), cookie)
    told, _ = await act(shop, lambda c: granted(c, "news"), cookie_of(answer))
    assert told == {"news": False}
    assert [line["holder"] for line in choices(shop)] == ["device", "person", "person", "device"]


async def test_a_device_s_choice_moves_to_the_person_who_signs_in(make: Make) -> None:
    shop = make(routes=KNOWN)
    cookie = await shop.choose("accept", "news", "ads")
    _, answer = await act(shop, lambda c: c.move_to_person(person="anna"), cookie)
    left = cookie_of(answer)
    assert (await act(shop, granted, left))[0] == {"analytics": False, "ads": True, "news": False}
    WHO.append("anna")
    assert (await act(shop, granted, left))[0] == {"analytics": False, "ads": True, "news": True}
    line = choices(shop)[-1]
    assert (line["act"], line["consents"]) == ("move", ["news"])
    assert "subj" in line
    assert not {"consent", "retired"} & set(line)


async def test_a_move_is_judged_like_a_recording(make: Make) -> None:
    shop = make(routes=KNOWN)
    cookie = await shop.choose("accept", "news")
    error, answer = await act(shop, lambda c: c.move_to_person(person="anna"), cookie, path="/idle")
    assert isinstance(error, ConsentRefused)
    assert b"troth_consent" not in sent(answer)


async def test_erasing_removes_what_is_recorded_of_a_person(shop: Shop) -> None:
    await act(shop, lambda c: c.record("letters", form="click", person="anna"))
    await act(shop, lambda c: c.refuse("sharing", person="anna"))
    await act(shop, lambda c: c.erase(person="anna"))
    ledger = shop.middleware.runtime.ledger
    assert not ledger.choices_of(["anna"])["anna"]
    line = choices(shop)[-1]
    assert (line["act"], line["holder"], line["consents"]) == ("erase", "person", [])
    assert b"anna" not in shop.trail()


# A trail that fails.


async def test_without_its_line_a_grant_is_none(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = await shop.choose("accept", "analytics")
    without_trail(shop, monkeypatch)

    async def job(consent: RequestConsent) -> Any:
        failed = 0
        for name, more in (("ads", {}), ("letters", {"person": "anna"})):
            try:
                await consent.record(name, form="click", **more)
            except TrailError:
                failed += 1
        return failed, consent.granted("ads"), consent.granted("letters", person="anna"), consent.granted("analytics")

    told, answer = await act(shop, job, cookie)
    assert told == (2, False, False, True)
    assert b"troth_consent" not in sent(answer)
    assert shop.middleware.runtime.decoder.read([cookie.partition(b"=")[2]]).outcome is CookieOutcome.VALID


async def test_a_withdrawal_holds_without_its_line(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cookie = await shop.choose("accept", "ads")
    await act(shop, lambda c: c.record("letters", form="click", person="anna"))
    without_trail(shop, monkeypatch)

    async def job(consent: RequestConsent) -> Any:
        await consent.withdraw("ads")
        await consent.withdraw("letters", person="anna")
        await consent.erase(person="ben")
        return consent.granted("ads"), consent.granted("letters", person="anna")

    assert (await act(shop, job, cookie))[0] == (False, False)
    assert [record.levelname for record in caplog.records if record.name == "troth"] == ["ERROR"] * 3


# Templates.


async def test_forms_for_templates_make_the_choices_they_name(shop: Shop) -> None:
    async def job(consent: RequestConsent) -> Any:
        template = jinja2.Environment(autoescape=True).from_string("{{ c.form('accept', 'ads', label='Yes & no') }}")
        return template.render(c=consent), consent.form("withdraw", return_to='/"><script>')

    (accept, withdraw), _ = await act(shop, job, root_path="/shop")
    assert accept == (
        '<form method="post" action="/shop/.privacy/accept"><input type="hidden" name="return_to" value="/act">'
        '<input type="hidden" name="consents" value="ads"><button type="submit">Yes &amp; no</button></form>'
    )
    assert isinstance(withdraw, Html)
    assert "<script>" not in withdraw


def test_a_form_is_for_a_choice() -> None:
    with pytest.raises(ConsentError, match="accept, refuse, withdraw"):
        choice_form("erase")
