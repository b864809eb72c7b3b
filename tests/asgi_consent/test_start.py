"""What the constructor says and refuses: the app does not start with a policy or a home that cannot be used."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from troth import PolicyMiddleware, wrap
from troth.diagnostics import InvalidFiles
from troth.errors import ConfigurationError, HomeError

ROOT = Path(__file__).parents[2]
TOONTRACK = ROOT / "policies" / "toontrack"


async def app(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("nothing is served here")


def test_an_invalid_policy_is_refused_with_all_that_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("identity: {id: web}\npurposes: {a: {basis: whim}}\ncoookies: {}\n")
    (tmp_path / "rules.yaml").write_text("- {id: one, for: cookie, match: {purpose: b}}\n- {id: one, for: cook}\n")
    with pytest.raises(InvalidFiles) as raised:
        PolicyMiddleware(app, policy=tmp_path, home=tmp_path / "home")
    found = {(Path(one.span.source.name).name, one.span.line) for one in raised.value.diagnostics}
    assert {("policy.yaml", 2), ("policy.yaml", 3), ("rules.yaml", 1), ("rules.yaml", 2)} <= found
    assert not (tmp_path / "home").exists()


def test_an_invalid_binding_is_refused_with_all_that_is_wrong(tmp_path: Path) -> None:
    binding = {"routes": {"GET /": {"purpose": "whim"}, "GET /a": {"porpoise": "x"}}, "actor": {"when": "x:y"}}
    with pytest.raises(InvalidFiles) as raised:
        PolicyMiddleware(app, policy=TOONTRACK, binding=binding, home=tmp_path / "home")
    assert len(raised.value.diagnostics) >= 3


@pytest.mark.parametrize("missing", ["none", "/"])
def test_a_folder_without_a_policy_is_refused(tmp_path: Path, missing: str) -> None:
    with pytest.raises(InvalidFiles):
        PolicyMiddleware(app, policy=tmp_path / missing, home=tmp_path / "home")


def test_a_home_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeError, match="file") as raised:
        PolicyMiddleware(app, policy=TOONTRACK, home=tmp_path / "file" / "home")
    assert isinstance(raised.value, ConfigurationError)


def test_a_home_that_is_somebody_elses_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "work.txt").touch()
    with pytest.raises(HomeError):
        PolicyMiddleware(app, policy=TOONTRACK, home=tmp_path)


def test_a_trail_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    first = PolicyMiddleware(app, policy=TOONTRACK, home=tmp_path / "home")
    first.runtime.close()
    ledger = tmp_path / "home" / "trail" / "checkpoints.jsonl"
    ledger.rename(tmp_path / "aside")
    ledger.mkdir()
    with pytest.raises(ConfigurationError, match="trail"):
        PolicyMiddleware(app, policy=TOONTRACK, home=tmp_path / "home")


@pytest.mark.parametrize(
    "settings",
    [
        {"engine": "nosuch"},
        {"mode": "loud"},
        {"denied": "no.such.module:page"},
        {"policy": {}},
        {"binding": {"actor": {"before": "no.such.module:actor"}}},
    ],
)
def test_settings_that_mean_nothing_are_refused(tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        PolicyMiddleware(app, **{"policy": TOONTRACK, "home": tmp_path / "home", **settings})


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"binding": {"routes": {"GET /": {}}}}, ["enforce", "1 routes bound"]),
        ({}, ["no binding"]),
        ({"mode": "dry-run"}, ["dry-run"]),
    ],
)
def test_start_up_says_once_what_is_enforced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, settings: dict[str, Any], told: list[str]
) -> None:
    with caplog.at_level(logging.INFO, logger="troth"):
        wrap(app, policy=TOONTRACK, home=tmp_path / "home", **settings).runtime.close()
    (record,) = [record for record in caplog.records if record.name == "troth"]
    assert record.levelno == logging.INFO
    assert all(part in record.getMessage() for part in ("policy toontrack", *told))
    assert str(tmp_path) not in record.getMessage()


def test_a_policy_of_this_size_is_up_within_seconds(tmp_path: Path) -> None:
    began = time.perf_counter()
    PolicyMiddleware(app, policy=TOONTRACK, binding={"routes": {}}, home=tmp_path / "home").runtime.close()
    assert time.perf_counter() - began < 10  # a tenth of that on an idle machine


@pytest.mark.parametrize("where", ["mysql://shop:geheim@db/shop", "/var/lib/ledger.sqlite3", "SQLITE", "postgresql:db"])
def test_a_ledger_of_no_known_kind_is_refused_without_an_echo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    with pytest.raises(ConfigurationError, match="postgresql://") as given:
        PolicyMiddleware(app, policy=TOONTRACK, home=tmp_path / "home", ledger=where)
    monkeypatch.setenv("TROTH_LEDGER", where)
    with pytest.raises(ConfigurationError, match="postgresql://"):
        PolicyMiddleware(app, policy=TOONTRACK, home=tmp_path / "home")
    assert where not in str(given.value)


def test_the_setting_goes_before_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TROTH_LEDGER", "mysql://db/shop")
    PolicyMiddleware(app, policy=TOONTRACK, home=tmp_path / "home", ledger="sqlite").runtime.close()
    assert (tmp_path / "home" / "ledger.sqlite3").exists()


def test_a_shared_ledger_without_its_library_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [one for one in sys.modules if one.startswith(("psycopg", "troth.consent.postgres"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=r"troth\[postgres\]"):
        PolicyMiddleware(app, policy=TOONTRACK, home=tmp_path / "home", ledger="postgresql://db/shop")
