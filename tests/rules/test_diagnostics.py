"""Every code has a case and a place on the page, and both show what is really said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import troth
from tests.rules.case_files import CASES, findings, findings_in
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


# mending -------------------------------------------------------------------------------------------------------------

IN_WORDS = {"TR006", "TR014"}
"""Codes that no change of a line mends: a file of a megabyte, and one that may not be opened."""


def section(code: str) -> str:
    return PAGE.read_text("utf-8").split(f"### {code}: ")[1].split("\n### ")[0].split("\n## ")[0]


def mended(code: str, folder: Path) -> Path:
    """Return a copy of a case, changed as its page says: `--- FILE` is changed, `+++ FILE` is new."""
    copy = folder / code
    shutil.copytree(CASES / code, copy)
    head, _, body = section(code).split("```diff\n")[1].split("```")[0].partition("\n")
    lines = body.splitlines()
    old = "".join(f"{line[1:]}\n" for line in lines if line[0] in "- ")
    new = "".join(f"{line[1:]}\n" for line in lines if line[0] in "+ ")
    path = copy / head[4:]
    if head.startswith("+++ "):
        assert not path.exists()
        path.write_text(new, "utf-8")
        return copy
    assert head.startswith("--- ")
    text = visible(path.read_bytes().decode("utf-8", "replace"))
    assert text.count(old) == 1, f"the page changes lines that are not in {path.name}"
    path.write_text(text.replace(old, new), "utf-8")
    return copy


def visible(text: str) -> str:
    """Return text as a page can show it: the bell has a picture."""
    return text.replace("\a", "\N{SYMBOL FOR BELL}")


@pytest.mark.parametrize("code", sorted(set(CODES) - IN_WORDS))
def test_what_the_page_says_mends_a_case_does(code: str, tmp_path: Path) -> None:
    found = findings_in(mended(code, tmp_path))
    assert [one.short() for one in found if one.is_error or one.code == code] == []


def test_a_change_of_a_line_is_shown_for_all_other_codes() -> None:
    assert {code for code in CODES if "```diff\n" not in section(code)} == IN_WORDS


# forms ---------------------------------------------------------------------------------------------------------------


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
