"""Every code has a case and a place on the page, and both show what is really said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import troth
from tests.rules.case_files import CASES, findings
from troth.diagnostics import CODES, Diagnostic, InvalidFiles, Severity, Source, Span, in_order, render

PAGE = Path(troth.__file__).parent / "docs" / "diagnostics.md"


def span(text: str, line: int, column: int, end: int, name: str = "policies/web/policy.yaml") -> Span:
    return Span(source=Source(name, text), line=line, column=column, end_line=line, end_column=end)


def test_each_code_has_a_case_and_each_case_a_code() -> None:
    assert sorted(path.name for path in CASES.iterdir()) == sorted(CODES)


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_case_finds_its_code_and_nothing_else(code: str) -> None:
    found = findings(code)
    assert {one.code for one in found} == {code}
    assert render(found) + "\n" == (CASES / code / "expected.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("code", sorted(CODES))
def test_the_page_explains_the_code_and_shows_the_first_finding_of_its_case(code: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    kind = "Warning" if CODES[code].warning else "Error"
    first = (CASES / code / "expected.txt").read_text(encoding="utf-8").split("\n\n")[0].strip("\n")
    section = page.split(f"### {code}: {CODES[code].title}\n")[1].split("\n### ")[0]
    assert section.startswith(f"\n{kind}. ")
    assert f"```text\n{first}\n```" in section


def test_the_full_form_shows_line_carets_label_help_and_page() -> None:
    text = "cookies:\n- name: x\n  - name: _ga\n    purpose: analitics\n"
    one = Diagnostic(
        code="TR201",
        message="unknown purpose `analitics`",
        span=span(text, 4, 14, 23),
        label="not declared under `purposes`",
        help="did you mean `analytics`?",
        docs="rule cookie",
    )
    assert one.full() == (
        "error[TR201]: unknown purpose `analitics`\n"
        " --> policies/web/policy.yaml:4:14\n"
        "  |\n"
        "3 |   - name: _ga\n"
        "4 |     purpose: analitics\n"
        "  |              ^^^^^^^^^ not declared under `purposes`\n"
        "  |\n"
        "  = help: did you mean `analytics`?\n"
        "  = docs: rule cookie"
    )
    assert one.short() == "policies/web/policy.yaml:4:14: error[TR201]: unknown purpose `analitics`"


def test_carets_stand_under_wide_and_combining_characters() -> None:
    text = "名: e\u0301x: bad"
    shown = Diagnostic(code="TR103", message="no", span=span(text, 1, 8, 11)).full().splitlines()
    assert shown[3] == "1 | " + text
    assert shown[4] == "  | " + " " * 7 + "^^^"


def test_a_line_of_any_length_is_shown_around_its_token() -> None:
    text = "a" * 5000 + "TOKEN" + "b" * 5000
    shown = Diagnostic(code="TR103", message="no", span=span(text, 1, 5001, 5006)).full()
    assert "TOKEN" in shown
    assert max(map(len, shown.splitlines())) < 300


def test_control_characters_do_not_reach_a_terminal() -> None:
    shown = Diagnostic(code="TR003", message="no", span=span("a\x1b[31mb", 1, 2, 3)).full()
    assert "\x1b" not in shown


def test_findings_are_sorted_by_place_and_said_once() -> None:
    text = "one\ntwo\n"
    second = Diagnostic(code="TR103", message="no", span=span(text, 2, 1, 4))
    first = Diagnostic(code="TR201", message="no", span=span(text, 1, 1, 4))
    assert in_order([second, first, second]) == (first, second)


def test_json_holds_counts_places_and_severities() -> None:
    text = "one\n"
    found = [
        Diagnostic(code="TR103", message="no", span=span(text, 1, 1, 4)),
        Diagnostic(code="TR402", message="hm", span=span(text, 1, 2, 4)),
    ]
    data = json.loads(render(found, "json"))
    assert (data["errors"], data["warnings"]) == (1, 1)
    assert data["diagnostics"][1]["severity"] == Severity.WARNING
    assert data["diagnostics"][0]["column"] == 1


def test_an_error_that_travels_as_an_exception_carries_and_shows_all_findings() -> None:
    found = findings("TR308")
    raised = InvalidFiles(found)
    assert raised.diagnostics == found
    assert all(one.full() in str(raised) for one in found)
