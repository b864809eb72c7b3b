"""`troth rule`: what a privacy officer is told of one rule, held against the policy folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from troth.cli import main

POLICY = """\
identity: {id: shop, hosts: [shop.example]}
purposes:
  session: {basis: contract}
  ads: {basis: consent}
cookies:
  sid: {purpose: session}
  _ads: {purpose: ads}
"""
RULES = """\
rules:

# Consent.
- id: wait-for-consent
  # a comment that belongs to it
  clause: [choices-1]
  for: cookie
  match: {basis: consent}
  only-if: {consent: of-purpose}
  except:
  - {clause: law-1, if: {route: legal}}
  reading: {against: choices-2, why: browsing on is no act}

# Another.
- {id: every-cookie-has-a-row, clause: choices-1, for: cookie, only-if: {purpose: declared}, mode: dry-run}
none:
  about-1: says who we are
remainder:
  choices-1: markup
"""
TEXT = """\
## Choices

We set no cookies for advertising before you have accepted them.

Who goes on browsing accepts them.

## Law

What the law asks for we do.

## About

We are a shop.
"""
CASES = """\
cases:
- id: nobody accepted
  request: {url: /, cookies: {_ads: x}}
  expect: {app-sees: {not-cookies: [_ads]}, reasons: [{rule: wait-for-consent}]}
- id: accepted
  given: {consents: {device: {ads: granted}}}
  request: {url: /, cookies: {_ads: x, sid: y}}
  expect: {unchanged: true, no-reason: true}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (
        ("policy.yaml", POLICY), ("rules.yaml", RULES), ("policy.md", TEXT), ("rules_test.yaml", CASES)
    ):  # fmt: skip
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert main(["rule", *map(str, arguments), "--format", "json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_rule_comes_with_the_texts_that_it_keeps_reads_and_is_opened_by(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = told(capsys, "wait-for-consent", folder)
    assert said["says"][0].startswith("A cookie whose legal basis is `consent` is withheld unless ")
    assert [(one["id"], one["how"], one["text"]) for one in said["clauses"]] == [
        ("choices-1", "kept", "We set no cookies for advertising before you have accepted them."),
        ("choices-2", "read otherwise", "Who goes on browsing accepts them."),
        ("law-1", "permits", "What the law asks for we do."),
    ]
    assert said["clauses"][0]["remainder"] == "markup"
    assert said["readings"] == [{"against": ["choices-2"], "why": "browsing on is no act"}]
    assert said["exceptions"] == [{"clauses": ["law-1"], "law": None, "if": "the route is tagged `legal`"}]


def test_a_rule_names_the_cases_in_which_it_fires_and_rests(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases = told(capsys, "wait-for-consent", folder)["cases"]
    assert cases == {
        "fires": [f"{folder / 'rules_test.yaml'}#nobody accepted"],
        "rests": [f"{folder / 'rules_test.yaml'}#accepted"],
    }
    assert told(capsys, "wait-for-consent", folder, "--no-cases")["cases"] is None


def test_a_rule_says_when_its_words_are_known(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    judged = told(capsys, "wait-for-consent", folder, "--no-cases")["judged"]
    assert list(judged) == ["basis", "consent", "route"]
    assert judged["route"] == "at the head"
    assert judged["basis"].startswith("at the head")


@pytest.mark.parametrize(
    ("name", "line", "first", "last"),
    [
        (
            "wait-for-consent",
            4,
            "- id: wait-for-consent",
            "  reading: {against: choices-2, why: browsing on is no act}",
        ),
        ("every-cookie-has-a-row", 15, "- {id: every-cookie-has-a-row", "mode: dry-run}"),
    ],
)
def test_a_rule_is_shown_as_it_stands_with_its_place(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, line: int, first: str, last: str
) -> None:
    said = told(capsys, name, folder, "--no-cases")
    assert (said["file"], said["line"]) == (str(folder / "rules.yaml"), line)
    assert said["yaml"].startswith(first)
    assert said["yaml"].endswith(last)


def test_the_switches_of_a_home_are_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = folder / "home"
    home.mkdir()
    (home / "switches.yaml").write_text("wait-for-consent: {mode: off, who: operations, why: ticket 4}\n", "utf-8")
    said = told(capsys, "wait-for-consent", folder, "--no-cases", "--home", home)
    assert said["mode"] == "enforce"
    assert said["switch"] == {"mode": "off", "who": "operations", "why": "ticket 4"}
    assert told(capsys, "every-cookie-has-a-row", folder, "--no-cases", "--home", home)["switch"] is None


def test_the_plan_is_shown_where_it_is_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    binding = folder / "binding.yaml"
    binding.write_text("routes: {GET /legal: {tag: legal}}\n", "utf-8")
    plan = told(capsys, "wait-for-consent", folder, "--no-cases", "--plan", "--binding", binding)["plan"]
    assert [line.split()[0] for line in plan["cookie"]] == ["match", "way", "way"]
    assert plan["cookie"][2].endswith("by law-1")
    assert "plan" not in told(capsys, "wait-for-consent", folder, "--no-cases")


def test_the_text_has_all_of_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rule", "wait-for-consent", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("wait-for-consent\n  A cookie whose")
    for part in (
        "Clauses that it keeps\n  choices-1 (enforced, waits for markup)\n    We set no cookies",
        "Clauses that it reads otherwise\n  choices-2 (enforced): browsing on is no act\n",
        "Clauses that open it\n  law-1",
        "How it is turned\n  enforce\n",
        "  fires in 1:\n",
        "  # a comment that belongs to it\n",
    ):
        assert part in shown


def test_a_rule_that_is_none_and_a_policy_with_errors_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rule", "wait-for-consnet", str(folder)]) == 2
    assert "did you mean `wait-for-consent`?" in capsys.readouterr().err
    (folder / "policy.yaml").write_text("cookie: {}\n", "utf-8")
    assert main(["rule", "wait-for-consent", str(folder)]) == 3
    assert "TR101" in capsys.readouterr().err
