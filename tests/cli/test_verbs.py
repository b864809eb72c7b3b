"""The command as a user runs it: what it prints where, what it writes, and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import troth
from troth.cli import VERBS, main
from troth.diagnostics import CODES
from troth.rules import load_binding, load_policy

BROKEN = "identity: {id: shop}\ncookies: {_ga: {purpose: analitics}}\npurposes: {analytics: {basis: consent}}\n"


@pytest.fixture
def started(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["init", str(tmp_path)]) == 0
    capsys.readouterr()
    return tmp_path


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    (tmp_path / "policy.yaml").write_text(BROKEN, encoding="utf-8")
    return tmp_path


def test_init_makes_a_policy_of_ten_lines_and_a_binding_that_check_accepts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(tmp_path)]) == 0
    written = capsys.readouterr()
    assert str(tmp_path / "policy" / "policy.yaml") in written.out
    assert len((tmp_path / "policy" / "policy.yaml").read_text(encoding="utf-8").splitlines()) <= 10
    assert main(["check", str(tmp_path / "policy"), "--binding", str(tmp_path / "binding.yaml")]) == 0
    policy = load_policy(tmp_path / "policy").require()
    assert {rule.mode for rule in policy.rules} == {"dry-run"}
    assert load_binding(tmp_path / "binding.yaml", policy).require().cookies == {}


def test_init_overwrites_nothing(started: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (started / "binding.yaml").write_text("routes: {}\n", encoding="utf-8")
    assert main(["init", str(started)]) == 2
    assert (started / "binding.yaml").read_text(encoding="utf-8") == "routes: {}\n"
    assert "already there" in capsys.readouterr().err


def test_init_says_when_it_cannot_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "policy").write_text("a file", encoding="utf-8")
    assert main(["init", str(tmp_path)]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_check_prints_findings_with_their_place_and_exits_3(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(broken)]) == 3
    out = capsys.readouterr()
    assert f"{broken / 'policy.yaml'}:2:26" in out.out
    assert "did you mean `analytics`?" in out.out
    assert "1 error, 0 warnings" in out.err
    assert "`troth code TR201` says more" in out.err


def test_check_speaks_short_and_json(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(broken), "--format", "short"]) == 3
    assert capsys.readouterr().out.strip() == (
        f"{broken / 'policy.yaml'}:2:26: error[TR201]: unknown purpose `analitics`"
    )
    assert main(["check", str(broken), "--format", "json"]) == 3
    data = json.loads(capsys.readouterr().out)
    assert (data["errors"], data["diagnostics"][0]["code"]) == (1, "TR201")


def test_check_reads_a_broken_binding_as_well(started: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (started / "binding.yaml").write_text("routes: {'GET /': {audience: public, purpse: service}}\n", encoding="utf-8")
    assert main(["check", str(started / "policy"), "--binding", str(started / "binding.yaml")]) == 3
    assert "did you mean `purpose`?" in capsys.readouterr().out


def test_warnings_do_not_fail_a_check(started: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(started / "policy"), "--format", "short"]) == 0
    assert "warning[TR403]" in capsys.readouterr().out


def test_a_lock_notices_a_changed_clause(started: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = started / "policy"
    assert main(["lock", str(policy)]) == 0
    assert main(["lock", str(policy), "--check"]) == 0
    text = (policy / "policy.md").read_text(encoding="utf-8")
    (policy / "policy.md").write_text(text.replace("only after", "before"), encoding="utf-8")
    assert main(["lock", str(policy), "--check"]) == 3
    capsys.readouterr()
    assert main(["check", str(policy), "--format", "short"]) == 0
    assert "warning[TR407]: the clause `choices-1` has changed" in capsys.readouterr().out


def test_a_lock_does_not_mind_how_lines_are_broken(started: Path) -> None:
    policy = started / "policy"
    assert main(["lock", str(policy)]) == 0
    text = (policy / "policy.md").read_text(encoding="utf-8")
    (policy / "policy.md").write_text(text.replace("only after", "only\nafter"), encoding="utf-8")
    assert main(["lock", str(policy), "--check"]) == 0


def test_a_lock_proves_an_original_without_holding_it(tmp_path: Path) -> None:
    (tmp_path / "policy.md").write_text("### T-1\n\nWe keep it.\n\n### T-2\n\nWe tell.\n", encoding="utf-8")
    register = tmp_path / "register.yaml"
    register.write_text("- {id: T-1, quote: Kept  it is.}\n- {id: T-2, quote: Told, kind: notice}\n", encoding="utf-8")
    assert main(["lock", str(tmp_path), "--originals", str(register)]) == 0
    lock = (tmp_path / "policy.lock").read_text(encoding="utf-8")
    assert [line.split()[0] for line in lock.splitlines()[1:]] == ["T-1", "T-2"]
    assert "Kept" not in lock
    assert lock.splitlines()[1].split()[3] == str(len("Kept it is."))
    assert main(["lock", str(tmp_path)]) == 0
    assert (tmp_path / "policy.lock").read_text(encoding="utf-8") == lock


@pytest.mark.parametrize(
    "register",
    ["- {id: T-2, quote: b}\n- {id: T-1, quote: a}\n", "- {id: T-1, quote: a}\n", "- {id: T-1}\n", "T-1: a\n", "[\n"],
)
def test_a_lock_is_not_written_where_text_and_original_differ(
    tmp_path: Path, register: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "policy.md").write_text("### T-1\n\nWe keep it.\n\n### T-2\n\nWe tell.\n", encoding="utf-8")
    (tmp_path / "register.yaml").write_text(register, encoding="utf-8")
    assert main(["lock", str(tmp_path), "--originals", str(tmp_path / "register.yaml")]) == 3
    assert not (tmp_path / "policy.lock").exists()
    assert "error[TR" in capsys.readouterr().err


def test_a_lock_needs_a_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lock", str(tmp_path)]) == 3
    assert "there is no `policy.md`" in capsys.readouterr().err


def test_coverage_names_each_clause_with_what_stands_behind_it(
    started: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["coverage", str(started / "policy"), "--format", "json"]) == 0
    out = capsys.readouterr()
    clauses = {one["id"]: one for one in json.loads(out.out)["my-site"]}
    assert clauses["choices-1"] == {
        "id": "choices-1",
        "state": "observed",
        "rules": ["wait-for-consent"],
        "reason": None,
        "remainder": "markup",
    }
    assert clauses["privacy-policy-1"]["state"] == "open"


def test_coverage_of_a_broken_policy_exits_3_and_still_shows_the_others(
    started: Path, broken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["coverage", str(broken), str(started / "policy")]) == 3
    out = capsys.readouterr()
    assert "my-site: 3 clauses" in out.out
    assert "TR201" in out.err


@pytest.mark.parametrize(
    "arguments", [["chekc"], ["check"], ["check", "/nowhere"], ["check", ".", "--format", "xml"], ["coverage"], []]
)
def test_bad_arguments_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "Usage: troth" in capsys.readouterr().err


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_each_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    assert f"Usage: troth {verb}" in capsys.readouterr().out


def test_an_unexpected_failure_exits_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(VERBS, "check", "troth.cli.nowhere:check")
    assert main(["check", "."]) == 1
    assert "ModuleNotFoundError" in capsys.readouterr().err


def test_the_module_runs_as_a_command(started: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "troth.cli", "check", str(started / "policy"), "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(troth.__file__).parents[1])},
    )
    assert done.returncode == 0
    assert json.loads(done.stdout)["errors"] == 0


# schema --------------------------------------------------------------------------------------------------------------


def test_schema_prints_the_schema_of_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "rules"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "only-if" in shown["properties"]["rules"]["items"]["properties"]


def test_schema_writes_those_of_all_files_or_of_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "--write", str(tmp_path / "all")]) == 0
    kinds = {"attestations", "binding", "cases", "policy", "rules", "switches"}
    assert {path.name for path in (tmp_path / "all").iterdir()} == {f"{kind}.schema.json" for kind in kinds}
    assert main(["schema", "rules", "--write", str(tmp_path / "one")]) == 0
    (only,) = (tmp_path / "one").iterdir()
    assert json.loads(only.read_text("utf-8"))["title"] == "rules.yaml"
    assert str(only) in capsys.readouterr().out


def test_schema_says_what_it_wants(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["schema"]) == 2
    assert main(["schema", "rule"]) == 2
    assert main(["schema", "--write", str(tmp_path / "file" / "below")]) == 2
    assert "cannot be written" in capsys.readouterr().err


# code ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*CODES, "tr201"])
def test_code_shows_what_the_page_says_of_a_code_and_nothing_of_another(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["code", name]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"### {name.upper()}: {CODES[name.upper()].title}\n\n")
    assert shown.count("\n### ") == 0
    assert f"[{name.upper()}]: " in shown


def test_code_lists_all_codes_and_refuses_one_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["code"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == list(CODES)
    assert "TR402  warning  " in next(line for line in listed if line.startswith("TR402"))
    assert main(["code", "TR999"]) == 2
    assert main(["code", "../home"]) == 2
    assert "no finding has the code" in capsys.readouterr().err
