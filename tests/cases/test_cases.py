"""A case fails where what came is not what it expects, and says so beside the clause; wrong files are found."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from troth.cases import Outcome, load_cases_text, run_files
from troth.cases.diff import diff
from troth.cases.reasons import Reason
from troth.cli import main
from troth.model.findings import Judgement
from troth.model.words import Action

POLICY = """\
policy:
  identity: {id: shop, hosts: [www.example.com]}
  data:
    email: {fields: [email]}
    card: {fields: [card]}
  purposes:
    order: {basis: contract, data: [email, card]}
    analytics: {basis: consent}
  consents: {analytics: {holder: device, lasts: P6M}}
  parties: {ads: {role: advertiser, hosts: [ads.example], country: US}}
  cookies:
    _ga*: {purpose: analytics}
    session: {purpose: order}
rules:
- {id: wait, clause: CK-1, for: cookie, match: {basis: consent}, only-if: {consent: of-purpose}}
- {id: no-card-out, clause: PAY-1, for: field, match: {data: card, carrier: response}, otherwise: mask}
- {id: https-only, clause: SEC-1, for: exchange, only-if: {https: true}, otherwise: deny}
binding:
  routes:
    POST /order: {purpose: order}
    GET /order: {purpose: order}
"""
PAGE = "app: {status: 200, text: hello, headers: {x-a: '1'}, cookies: ['_ga=1; Path=/', 'session=2; Path=/; HttpOnly']}"
GET = "request: {url: /, cookies: {_ga: '1', session: '2'}}"
ORDER = "request: {url: /order, json: {email: a@example.org, n: 1.10}}"


def play(*keys: str) -> Outcome:
    """Run one case under the policy above."""
    body = "".join(f"  {key}\n" for key in keys)
    file = load_cases_text(f"{POLICY}cases:\n- id: one\n  clause: CK-1\n{body}")
    assert [one.short() for one in file.diagnostics if one.is_error] == []
    return run_files([file]).outcomes[0]


def wrong(outcome: Outcome) -> set[str]:
    return {failure.what for failure in outcome.failures}


@pytest.mark.parametrize(
    ("expect", "what"),
    [
        ("status: 201", "status"),
        ("status: [201, 4xx]", "status"),
        ("denied: true", "denied"),
        ("unchanged: true", "unchanged"),
        ("headers: {has: {x-a: '2'}}", "headers has x-a"),
        ("headers: {not: [x-a]}", "headers not x-a"),
        ("headers: {is: {x-a: ['1', '1']}}", "headers is x-a"),
        ("headers: {present: [x-b]}", "headers has x-b"),
        ("cookies: {set: [_ga]}", "cookies set _ga"),
        ("cookies: {set: {session: '3'}}", "cookies set session"),
        ("cookies: {not-set: [session]}", "cookies not-set session"),
        ("cookies: {expired: [session]}", "cookies expired session"),
        ("cookies: {exact: ['session=2; Path=/']}", "cookies exact"),
        ("cookies: {only: [_ga, session]}", "cookies only"),
        ("cookies: {with: {session: [Secure]}}", "cookies with session"),
        ("cookies: {without: {session: [HttpOnly]}}", "cookies without session"),
        ("body: bye", "body"),
        ("body: {contains: [x]}", "body contains"),
        ("body: {lacks: [ell]}", "body lacks"),
        ("body: {unchanged: false}", "body unchanged"),
        ("body: {empty: true}", "body empty"),
        ("body: {json: {a: 1}}", "body json"),
        ("app-sees: nothing", "app-sees called"),
        ("app-sees: unchanged", "app-sees unchanged"),
        ("app-sees: {cookies: [_ga]}", "app-sees cookies _ga"),
        ("app-sees: {cookies: {session: '3'}}", "app-sees cookies session"),
        ("app-sees: {not-cookies: [session]}", "app-sees not-cookies session"),
        ("app-sees: {only-cookies: [_ga, session]}", "app-sees only-cookies"),
        ("app-sees: {cookie-header: '_ga=1; session=2'}", "app-sees cookie-header"),
        ("app-sees: {method: POST}", "app-sees method"),
        ("app-sees: {query: a=1}", "app-sees query"),
        ("app-sees: {not-headers: [host]}", "app-sees headers not host"),
        ("reasons: [CK-2]", "reasons"),
        ("reasons: [{clause: CK-1, action: deny}]", "reasons"),
        ("reasons: [{clause: CK-1, thing: field}]", "reasons"),
        ("reasons: [{clause: CK-1, purpose: order}]", "reasons"),
        ("reasons: [{clause: CK-1, n: 3}]", "reasons"),
        ("reasons: [{clause: CK-1, dry: true}]", "reasons"),
        ("no-reason: true", "no-reason"),
        ("no-reason: [CK-1]", "no-reason"),
        ("no-reason: [wait]", "no-reason"),
        ("no-reason: [{action: withhold}]", "no-reason"),
        ("line: false", "line"),
    ],
)
def test_an_expectation_that_is_not_met_fails_the_case(expect: str, what: str) -> None:
    assert what in wrong(play(GET, PAGE, f"expect: {{{expect}}}"))


@pytest.mark.parametrize(
    "expect",
    [
        "status: 2xx",
        "denied: false",
        "unchanged: false",
        "headers: {has: [x-a], not: [x-b], is: {x-a: '1'}}",
        "cookies: {set: {session: '2'}, not-set: [_ga], only: [session], exact: ['session=2; Path=/; HttpOnly']}",
        "cookies: {with: {session: [httponly, Path=/]}, without: {session: [Secure, Max-Age]}}",
        "body: {text: hello, contains: [ell], lacks: [bye], unchanged: true, empty: false}",
        "app-sees: {method: GET, only-cookies: [session], cookie-header: session=2, not-cookies: [_ga]}",
        "app-sees: {unchanged: false, called: true}",
        "reasons: [CK-1, {rule: wait, action: withhold, thing: cookie, purpose: analytics, n: 2, dry: false}]",
        "no-reason: [PAY-1, https-only, {action: deny}], line: true",
    ],
)
def test_what_came_is_met_by_what_is_expected(expect: str) -> None:
    assert play(GET, PAGE, f"expect: {{{expect}}}").failures == ()


def test_an_app_that_must_not_be_reached_and_is_fails() -> None:
    assert "app" in wrong(play(GET, "app: never", "expect: {reasons: [CK-1]}"))


def test_a_denial_that_no_case_expects_fails() -> None:
    outcome = play("request: {url: 'http://www.example.com/'}", "app: 200", "expect: {reasons: [SEC-1]}")
    assert wrong(outcome) == {"status"}


def test_numbers_and_words_of_a_body_go_out_as_they_are_written() -> None:
    case = "request: {url: /order, json: {n: 1.10, no: no, at: 2026-03-01, yes: true, empty: null, text: '1'}}"
    exact = '\'{"n": 1.10, "no": "no", "at": "2026-03-01", "yes": true, "empty": null, "text": "1"}\''
    assert play(case, f"expect: {{app-sees: {{body: {exact}}}, no-reason: true}}").failures == ()


def test_forms_multipart_and_raw_bodies_arrive() -> None:
    form = "request: {url: /order, form: {email: a@example.org, n: [1, 2]}}"
    assert play(form, "expect: {app-sees: {form: {with: [email]}, body: email=a%40example.org&n=1&n=2}}").failures == ()
    multi = "request: {url: /order, multipart: {email: a, file: {filename: f.txt, type: text/plain, text: hi}}}"
    assert play(multi, "expect: {app-sees: {multipart: {with: [email, file]}, unchanged: true}}").failures == ()
    raw = "request: {url: /order, base64: AAEC, headers: {content-type: image/png}}"
    assert play(raw, "expect: {app-sees: {unchanged: true}, unchanged: true}").failures == ()


def test_members_of_an_answer_are_kept_removed_and_masked_by_name_path_and_value() -> None:
    answer = "app: {json: {items: [{card: '4111', email: a@example.org}]}}"
    body = "{with: [email, '$.items[0].card'], masked: [card], without: ['4111']}"
    met = f"expect: {{body: {body}, fields: {{masked: [card]}}}}"
    assert play("request: {url: /order}", answer, met).failures == ()
    for key in ("with: [phone]", "without: [email]", "without: ['$.items[*].card']", "masked: [email]"):
        assert play("request: {url: /order}", answer, f"expect: {{body: {{{key}}}}}").failures


def test_cookies_of_earlier_exchanges_come_along_and_old_copies_do_not_revive() -> None:
    accept = "{request: {method: POST, url: /.privacy/accept, json: {}}, status: 200}"
    withdraw = "{request: {method: POST, url: /.privacy/withdraw, json: {}}, status: 200, keeps-cookies: KEEPS}"
    kept = play(f"given: {{earlier: [{accept}]}}", GET, "expect: {app-sees: {cookies: [_ga]}, no-reason: true}")
    assert kept.failures == ()
    for keeps in ("true", "false"):
        given = f"given: {{earlier: [{accept}, {withdraw.replace('KEEPS', keeps)}]}}"
        assert play(given, GET, "expect: {app-sees: {not-cookies: [_ga]}}").failures == ()


COUNTING = """\
policy:
  identity: {id: shop, hosts: [www.example.com]}
  purposes: {stats: {basis: contract}}
rules:
- {id: no-stats, clause: D-1, for: exchange, match: {purpose: stats}, otherwise: deny}
- id: few
  clause: E-1
  for: event
  match: {event: denied}
  expect: {at-most: {count: 2, per: client, within: PT1M}}
binding: {routes: {GET /stats: {purpose: stats}}}
cases:
- {id: second, clause: E-1, given: {earlier: [/stats]}, request: {url: /stats}, expect: {no-reason: E-1}}
- {id: third, clause: E-1, given: {earlier: [/stats, /stats]}, request: {url: /stats}, expect: {reasons: [E-1]}}
- id: later
  clause: E-1
  given:
    earlier: [{request: /stats, clock: '2026-05-04T11:58:00Z'}, {request: /stats, clock: '2026-05-04T11:59:00Z'}]
    clock: '2026-05-04T12:00:00Z'
  request: {url: /stats}
  expect: {no-reason: E-1}
"""


def test_events_of_earlier_exchanges_count_and_those_of_other_cases_do_not() -> None:
    file = load_cases_text(COUNTING)
    assert [one.short() for one in file.diagnostics if one.is_error] == []
    outcomes = run_files([file, file]).outcomes
    assert [(one.case.id, one.failures) for one in outcomes if one.failures] == []
    assert [one.fired >= {"few"} for one in outcomes] == [False, True, False] * 2


def test_an_earlier_exchange_has_to_end_as_it_says() -> None:
    given = "given: {earlier: [{request: {method: GET, url: /.privacy/accept}, status: 200}]}"
    assert wrong(play(given, GET, "expect: {reasons: [CK-1]}")) == {"earlier 1 status"}


def test_a_reference_that_judges_otherwise_fails_the_case(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = Judgement(findings=(), denial=None)
    monkeypatch.setattr("troth.engines.reference.judge", lambda *_: nothing)
    assert wrong(play(GET, PAGE, "expect: {reasons: [CK-1]}")) == {"reference"}
    assert wrong(play("request: {url: 'http://www.example.com/'}", "expect: {status: 308}")) == {"reference"}


def test_a_line_that_leaves_a_reason_out_fails_the_case(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(_: object) -> tuple[Reason, ...]:
        return ()

    monkeypatch.setattr("troth.cases.run.of_line", silent)
    assert wrong(play(GET, PAGE, "expect: {reasons: [CK-1]}")) == {"line"}


def test_a_case_may_wait_and_is_reported() -> None:
    file = load_cases_text(f"{POLICY}cases:\n- {{id: one, waits: a filter, {GET}, expect: {{status: 500}}}}\n")
    tally = run_files([file])
    assert (len(tally.failed), len(tally.waiting)) == (0, 1)


def test_the_reasons_of_a_case_know_their_action() -> None:
    outcome = play(GET, PAGE, "expect: {reasons: [CK-1]}")
    assert {one.action for one in outcome.reasons} == {Action.WITHHOLD}
    assert outcome.fired == {"wait"}


# files that are wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("{id: a, request: /x, expect: {staus: 200}}", "TR101"),
        ("{id: a, request: {url: /, coookies: {}}, expect: {status: 200}}", "TR101"),
        ("{id: a, given: {consents: {device: {analitics: granted}}}, request: /x, expect: {status: 200}}", "TR202"),
        ("{id: a, given: {consents: {device: {analytics: maybe}}}, request: /x, expect: {status: 200}}", "TR104"),
        (
            "{id: a, given: {consents: {device: {analytics: {p1: granted}}}}, request: /x, expect: {status: 200}}",
            "TR217",
        ),
        ("{id: a, given: {states: {ann: [odd]}}, request: /x, expect: {status: 200}}", "TR205"),
        ("{id: a, given: {clock: soon}, request: /x, expect: {status: 200}}", "TR108"),
        ("{id: a, given: {region: XX}, request: /x, expect: {status: 200}}", "TR109"),
        ("{id: a, given: {signals: [gpcc]}, request: /x, expect: {status: 200}}", "TR104"),
        ("{id: a, given: {earlier: [[/y]]}, request: /x, expect: {status: 200}}", "TR103"),
        ("{id: a, request: /x}", "TR102"),
        ("{id: a, request: /x, expect: {status: 2000}}", "TR112"),
        ("{id: a, request: x, expect: {status: 200}}", "TR503"),
        ("{id: a, request: /x, expect: {}}", "TR502"),
        ("{id: a, expect: {status: 200}}", "TR505"),
        ("{id: a, request: {url: /, json: {}, text: x}, expect: {status: 200}}", "TR504"),
        ("{id: a, request: /x, expect: {reasons: [{action: withold}]}}", "TR104"),
        ("{id: a, request: /x, expect: {reasons: [CK-9]}}", "TR506"),
        ("{id: a, request: /x, facts: {elements: [{kind: scripts}]}, expect: {no-reason: true}}", "TR104"),
        ("{id: a, request: /x, app: nowhere, expect: {no-reason: true}}", "TR104"),
        ("{id: a, request: {url: /, base64: '%'}, expect: {no-reason: true}}", "TR103"),
    ],
)
def test_what_is_wrong_in_a_case_is_found_at_its_token(case: str, code: str) -> None:
    file = load_cases_text(f"{POLICY}cases:\n- {case}\n")
    assert [one.code for one in file.diagnostics] == [code]
    assert not file.diagnostics[0].span.is_whole_file


def test_everything_is_reported_at_once() -> None:
    cases = "- {id: a, request: x, expect: {}}\n- {id: b, request: /x, expect: {status: 200}}\n"
    found = [one.code for one in load_cases_text(f"{POLICY}cases:\n{cases}extra: 1\n").diagnostics]
    assert sorted(found) == ["TR101", "TR502", "TR503"]


@pytest.mark.parametrize("text", ["", "- 1\n", "cases: 1\n", "cases: [1]\n", "cases: {a: b}\n", "a: [\n"])
def test_no_file_makes_a_traceback(text: str) -> None:
    assert load_cases_text(text).diagnostics


# the command ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.yaml"
    path.write_text(f"{POLICY}cases:\n- {{id: one, clause: CK-1, {GET}, expect: {{reasons: [CK-1]}}}}\n", "utf-8")
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.yaml"
    path.write_text(f"{POLICY}cases:\n- {{id: two, clause: CK-1, {GET}, expect: {{status: 500}}}}\n", "utf-8")
    return path


def test_the_command_exits_0_3_4(good: Path, bad: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "--cases", str(good)]) == 0
    assert "1 case, 1 hold, 0 failed" in capsys.readouterr().out
    assert main(["test", "--cases", str(good), str(bad)]) == 4
    shown = capsys.readouterr().out
    assert "FAILED two" in shown
    assert "    - 500\n    + 200" in shown
    (tmp_path / "wrong.yaml").write_text("case: []\n", "utf-8")
    assert main(["test", "--cases", str(tmp_path / "wrong.yaml")]) == 3
    assert main(["test"]) == 2
    assert main(["test", "--cases", str(good), "--only", "nothing"]) == 2


def test_outcomes_come_as_data_and_as_junit(good: Path, bad: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["test", "--cases", str(good), "--cases", str(bad), "--format", "json"])
    said = json.loads(capsys.readouterr().out)
    assert (said["cases"], said["failed"], said["rules"]["wait"]["fires"]) == (2, 1, 1)
    assert [one["result"] for one in said["results"]] == ["holds", "failed"]
    main(["test", "--cases", str(good), "--cases", str(bad), "--format", "junit"])
    suite = ElementTree.fromstring(capsys.readouterr().out)
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    holds, fails = suite
    assert (holds.get("name"), list(holds), fails.get("name")) == ("one", [], "two")
    assert "status\n- 500\n+ 200" in (fails[0].text or "")


POLICY_RULES = """\
rules:
- {id: wait, clause: choices-1, for: cookie, match: {basis: consent}, only-if: {consent: of-purpose}}
"""
SHUT = """\
binding: {cookies: {visits: _ga}}
cases:
- {id: shut, clause: choices-1, request: {url: /, cookies: {visits: '1'}}, expect: {app-sees: {cookies: {}}}}
"""
OPEN = """\
cases:
- id: open
  clause: choices-1
  given: {consents: {device: {analytics: granted}}}
  request: {url: /, cookies: {visits: '1'}}
  expect: {app-sees: {cookies: {visits: '1'}}, no-reason: [wait]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A policy of two clauses, one with a rule, whose cases stand in two files under one binding."""
    folder = tmp_path / "policy"
    (folder / "cases").mkdir(parents=True)
    (folder / "policy.md").write_text("# Choices\n\nWe ask before we count visits.\n\nWe are kind.\n", "utf-8")
    rows = "identity: {id: two, hosts: [www.example.com]}\npurposes: {analytics: {basis: consent}}\n"
    rows += "consents: {analytics: {holder: device, lasts: P6M}}\ncookies: {_ga: {purpose: analytics}}\n"
    (folder / "policy.yaml").write_text(rows, "utf-8")
    (folder / "rules.yaml").write_text(POLICY_RULES, "utf-8")
    (folder / "rules_test.yaml").write_text(SHUT, "utf-8")
    (folder / "cases" / "more.yaml").write_text(OPEN, "utf-8")
    return folder


def test_files_under_cases_count_as_the_folders_own_and_share_its_binding(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["test", str(folder)]) == 0
    assert "2 cases, 2 hold, 0 failed" in capsys.readouterr().out
    assert main(["test", str(folder), "--cases", str(folder / "cases" / "more.yaml")]) == 0
    assert main(["explain", str(folder), "--cases", "#open"]) == 0
    assert main(["explain", str(folder), "--cases", "#nowhere"]) == 2
    capsys.readouterr()
    assert main(["coverage", str(folder), "--format", "json"]) == 0
    assert [one["state"] for one in json.loads(capsys.readouterr().out)["two"]] == ["enforced", "open"]


def test_a_file_under_cases_is_no_longer_about_the_binding_once_that_is_gone(folder: Path) -> None:
    (folder / "rules_test.yaml").unlink()
    assert main(["test", str(folder)]) == 4


def test_coverage_under_the_bar_fails_and_names_what_is_open(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", str(folder), "--min-coverage", "50"]) == 0
    assert "1 of 2 clauses accounted for (50.0 %), at least 50 % wanted" in capsys.readouterr().out
    assert main(["test", str(folder), "--min-coverage", "50.1"]) == 4
    assert "at least 50.1 % wanted; open: choices-2" in capsys.readouterr().out
    assert main(["test", str(folder), "--min-coverage", "100", "--format", "json"]) == 4
    said = json.loads(capsys.readouterr().out)
    assert (said["failed"], said["coverage"]["percent"], said["coverage"]["open"]) == (0, 50.0, ["choices-2"])
    assert said["results"][0]["texts"] == {"choices-1": "We ask before we count visits."}
    assert main(["test", str(folder), "--min-coverage", "100", "--format", "junit"]) == 4
    suite = ElementTree.fromstring(capsys.readouterr().out)
    assert (suite.get("tests"), suite.get("failures"), suite[-1].get("name")) == ("3", "1", "coverage")
    assert "open: choices-2" in (suite[-1][0].get("message") or "")


def test_only_cases_that_were_run_count_for_the_bar(folder: Path) -> None:
    (folder / "cases" / "more.yaml").unlink()
    assert main(["test", str(folder), "--min-coverage", "1"]) == 4
    assert main(["test", str(folder), "--min-coverage", "0"]) == 0


@pytest.mark.parametrize("more", [["--only", "shut"], ["--min-coverage", "101"]])
def test_a_bar_over_part_of_the_cases_or_over_100_is_refused(folder: Path, more: list[str]) -> None:
    assert main(["test", str(folder), "--min-coverage", "1", *more]) == 2


def test_a_bar_needs_a_policy_folder(good: Path) -> None:
    assert main(["test", "--cases", str(good), "--min-coverage", "1"]) == 2


@pytest.mark.parametrize(
    ("expected", "came", "lines"),
    [
        ("500", "200", ["- 500", "+ 200"]),
        ("", "x", ["- ", "+ x"]),
        ("a\nb\nc\nd\ne", "a\nb\nc\nd\nf", ["@@", "  c", "  d", "- e", "+ f"]),
        ('{"a": 1, "b": 2}', '{"a": 1, "b": 3}', ["@@", "  {", '    "a": 1,', '-   "b": 2', '+   "b": 3', "  }"]),
        ("{not json", "{neither", ["- {not json", "+ {neither"]),
        ("y" * 401, "z", [f"- {'y' * 398} …", "+ z"]),
    ],
)
def test_a_diff_shows_what_differs_and_little_around_it(expected: str, came: str, lines: list[str]) -> None:
    assert list(diff(expected, came)) == lines


def test_coverage_comes_as_a_page_with_the_text_beside_the_state(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "policy.md").write_text("# Choices\n\nWe ask <b>before</b> & after.\n\nWe are kind.\n", "utf-8")
    assert main(["coverage", str(folder), "--format", "html"]) == 0
    page = capsys.readouterr().out
    assert "We ask &lt;b&gt;before&lt;/b&gt; &amp; after." in page
    table = ElementTree.fromstring(page[page.index("<table>") : page.index("</table>")] + "</table>")
    rows = [["".join(cell.itertext()) for cell in row] for row in table.iter("tr")][1:]
    assert [(row[0], row[1]) for row in rows] == [("choices-1", "enforced"), ("choices-2", "open")]
    assert rows[0][3].startswith("waitA cookie "), "a rule unfolds to what it says in English"
    assert rows[1][3] == "no rule"
    assert not re.search(r"<script|src=|href=|url\(|@import", page), "the page asks nobody for anything"


def test_a_failure_stands_beside_the_text_of_its_clause(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path)]) == 0
    cases = tmp_path / "policy" / "rules_test.yaml"
    cases.write_text("cases:\n- {id: c, clause: choices-1, request: /, expect: {status: 500}}\n", "utf-8")
    assert main(["test", str(tmp_path / "policy")]) == 4
    assert "choices-1: We set cookies for analytics only after" in capsys.readouterr().out


def test_explain_shows_why_and_can_exit_5(good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path)]) == 0
    folder = str(tmp_path / "policy")
    assert main(["explain", folder, "--cases", f"{good}#one", "--exit-code"]) == 0
    shown = capsys.readouterr().out
    assert "wait (CK-1) on cookie _ga (request) acts: withhold" in shown
    assert "only-if consent: of-purpose: false" in shown
    ask = ["explain", folder, "--request", "GET /", "--cookie", "_ga=1", "--consent", "analytics=granted"]
    assert main([*ask, "--format", "json"]) == 0
    assert [one["outcome"] for one in json.loads(capsys.readouterr().out)["rules"]].count("kept") == 1
    secure = f"{POLICY}cases:\n- {{id: two, request: 'http://www.example.com/', expect: {{status: 308}}}}\n"
    good.write_text(secure, "utf-8")
    assert main(["explain", folder, "--cases", f"{good}#two", "--exit-code"]) == 5
    assert main(["explain", folder, "--cases", f"{good}#three"]) == 2
    assert (
        main(["explain", folder, "--request", "GET /", "--signal", "gpc", "--actor", "ann", "--header", "x-a:1"]) == 0
    )
    assert main(["explain", folder, "--request", "GET nowhere"]) == 3
