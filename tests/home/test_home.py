"""The home folder: where it lies, what it makes, whom it lets in, and what it says when it cannot be used."""

from __future__ import annotations

import base64
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import troth.home
from troth.errors import HomeError
from troth.home import Home, create_whole

PACKAGES = str(Path(troth.home.__file__).parents[1])
KEY = bytes(range(32))


@contextmanager
def as_somebody_without_privileges(path: Path) -> Iterator[None]:
    """Own `path` as a user whom permissions stop, as they do not stop root."""
    if os.geteuid() != 0:
        yield
        return
    os.chown(path, 65534, 65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_first_run_makes_everything_closed_to_others_and_hidden_from_git(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home", environ={})
    assert mode(home.path) == mode(home.path / "keys") == mode(home.trail) == 0o700
    files = [path for path in home.path.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {
        ".gitignore", "lock", "cookie", "pseudonym", "ledger", "trail", "trail.pub",
    }  # fmt: skip
    assert {mode(path) for path in files} == {0o600}
    assert (home.path / ".gitignore").read_text() == "*\n"


def test_git_sees_nothing_of_a_home_inside_a_repository(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    Home.open(tmp_path / ".troth", environ={})
    seen = subprocess.run(
        ["git", "-C", str(tmp_path), "status", "--porcelain", "-uall"], check=True, capture_output=True
    )
    assert seen.stdout == b""


def test_second_run_finds_the_same_keys(tmp_path: Path) -> None:
    first, second = (Home.open(tmp_path / "home", environ={}) for _ in range(2))
    assert first == second
    keys = {first.cookie_keys[0], first.pseudonym_key, first.ledger_key, first.trail_seed, first.trail_public}
    assert len(keys) == 5
    assert {len(key) for key in keys} == {32}


def test_public_key_beside_the_seed_is_its_own_half(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home", environ={})
    expected = Ed25519PrivateKey.from_private_bytes(home.trail_seed).public_key().public_bytes_raw()
    assert bytes.fromhex((home.path / "keys/trail.pub").read_text()) == expected == home.trail_public


def test_argument_goes_before_variable_and_variable_before_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"TROTH_HOME": str(tmp_path / "named")}
    assert Home.open(tmp_path / "given", environ=environ).path == tmp_path / "given"
    assert Home.open(environ=environ).path == tmp_path / "named"
    assert Home.open(environ={}).path == tmp_path / ".troth"


def test_keys_from_the_environment_are_used_and_not_written(tmp_path: Path) -> None:
    text = base64.urlsafe_b64encode(KEY).decode().rstrip("=")
    environ = {
        "TROTH_KEY_COOKIE": f"{KEY.hex()},{'ab' * 32}",
        "TROTH_KEY_PSEUDONYM": text,
        "TROTH_KEY_LEDGER": text + "=",
        "TROTH_KEY_TRAIL": KEY.hex().upper(),
    }
    home = Home.open(tmp_path / "home", environ=environ)
    assert home.cookie_keys == (KEY, b"\xab" * 32)
    assert home.pseudonym_key == home.ledger_key == home.trail_seed == KEY
    assert [path.name for path in (home.path / "keys").iterdir()] == ["trail.pub"]


@pytest.mark.parametrize("text", ["", "ab" * 31, "ab" * 33, "z" * 64, "*" * 43, "a" * 42])
def test_what_is_no_key_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    home = Home.open(tmp_path / "home", environ={})
    (home.path / "keys/cookie").write_text(text + "\n")
    with pytest.raises(HomeError) as caught:
        Home.open(tmp_path / "home", environ={})
    assert caught.value.path == str(home.path / "keys/cookie")
    assert not text or text not in str(caught.value).replace(caught.value.path, "")


def test_bad_key_in_the_environment_names_the_variable(tmp_path: Path) -> None:
    with pytest.raises(HomeError) as caught:
        Home.open(tmp_path / "home", environ={"TROTH_KEY_TRAIL": "secret-but-short"})
    assert caught.value.path == "TROTH_KEY_TRAIL"
    assert "secret-but-short" not in str(caught.value)


def test_rotated_cookie_keys_stay_for_verification_youngest_first(tmp_path: Path) -> None:
    keys = Home.open(tmp_path / "home", environ={}).path / "keys"
    for number in (10, 2, 1):
        (keys / f"cookie.{number}").write_text(f"{number:02x}" * 32)
    (keys / "cookie.old").write_text("no key, and none of our names")
    found = Home.open(tmp_path / "home", environ={}).cookie_keys
    assert [key[0] for key in found[1:]] == [1, 2, 10]


def test_rotating_the_trail_key_needs_the_old_public_half_set_aside(tmp_path: Path) -> None:
    old = Home.open(tmp_path / "home", environ={})
    keys = old.path / "keys"
    (keys / "trail").unlink()
    with pytest.raises(HomeError, match=r"trail\.pub\.1"):
        Home.open(tmp_path / "home", environ={})
    (keys / "trail.pub").rename(keys / "trail.pub.1")
    new = Home.open(tmp_path / "home", environ={})
    assert new.trail_publics == (new.trail_public, old.trail_public)
    assert new.trail_public != old.trail_public


def test_keys_do_not_show_in_its_text(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home", environ={"TROTH_KEY_TRAIL": KEY.hex()})
    for secret in (*home.cookie_keys, home.pseudonym_key, home.ledger_key, home.trail_seed):
        assert repr(secret) not in repr(home)


def test_home_that_lies_open_is_closed(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home", environ={})
    home.path.chmod(0o755)
    (home.path / "keys/cookie").chmod(0o644)
    Home.open(tmp_path / "home", environ={})
    assert mode(home.path) == 0o700
    assert mode(home.path / "keys/cookie") == 0o600


def test_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "README.md").write_text("a project")
    with pytest.raises(HomeError, match="no home of Troth") as caught:
        Home.open(tmp_path, environ={})
    assert caught.value.path == str(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    assert mode(tmp_path) == 0o755


def test_folder_with_keys_put_there_beforehand_is_taken(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/cookie").write_text(KEY.hex())
    assert Home.open(tmp_path, environ={}).cookie_keys == (KEY,)


def test_path_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(HomeError) as caught:
            Home.open(path, environ={})
        assert str(path) in str(caught.value)


def test_home_that_cannot_be_written_is_named() -> None:
    path = Path(tempfile.mkdtemp())
    try:
        path.chmod(0o500)
        with as_somebody_without_privileges(path), pytest.raises(HomeError, match="cannot be written") as caught:
            Home.open(path, environ={})
        assert caught.value.path == str(path)
    finally:
        shutil.rmtree(path)


def test_home_whose_lock_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(HomeError) as caught:
        Home.open(tmp_path, environ={})
    assert caught.value.path == str(tmp_path / "lock")


def test_draft_of_a_file_that_cannot_be_placed_does_not_hide_the_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError):
        create_whole(tmp_path / "file" / "key", b"data")


def test_file_that_is_there_stays_and_no_draft_is_left(tmp_path: Path) -> None:
    assert create_whole(tmp_path / "key", b"first")
    assert not create_whole(tmp_path / "key", b"second")
    assert (tmp_path / "key").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_file_that_appears_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_bytes(b"of another worker")
    with monkeypatch.context() as patched:
        patched.setattr(Path, "exists", lambda _: False)  # it was not there yet when we looked
        assert not create_whole(tmp_path / "key", b"ours")
    assert (tmp_path / "key").read_bytes() == b"of another worker"


def test_lock_keeps_other_threads_out(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home", environ={})
    order: list[str] = []

    def second() -> None:
        with home.lock():
            order.append("second")

    thread = threading.Thread(target=second)
    with home.lock():
        thread.start()
        thread.join(0.1)
        order.append("first")
    thread.join(5)
    assert order == ["first", "second"]


def test_lock_that_is_never_free_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home.open(tmp_path / "home", environ={})
    monkeypatch.setattr(troth.home, "LOCK_SECONDS", 0.05)
    with home.lock(), pytest.raises(HomeError, match="not free in time"), home.lock():
        pass
    with home.lock():
        pass


WORKER = """
import sys
from pathlib import Path
from troth.home import Home
from troth.consent.generation import Generation
from troth.consent.ledger import Ledger
for line in sys.stdin:
    home = Home.open(line.strip(), environ={})
    ledger = Ledger.open(home.ledger, Generation.open(home.generation, home.lock), home.ledger_key)
    ledger.set_state("p", "seen", at=__import__("datetime").datetime.now(__import__("datetime").UTC))
    print(home.cookie_keys[0].hex(), home.trail_public.hex(), home.ledger_key.hex(), ledger.epoch, flush=True)
"""


def test_two_workers_that_start_first_at_once_share_keys_and_epoch_twenty_times(tmp_path: Path) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": PACKAGES},
        )
        for _ in range(2)
    ]
    homes = [str(tmp_path / f"home{number}") for number in range(20)]
    answers: list[list[str]] = [[], []]
    for home in homes:
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write(home + "\n")
            worker.stdin.flush()
        for number, worker in enumerate(workers):
            assert worker.stdout is not None
            answers[number].append(worker.stdout.readline())
    errors = [worker.communicate(timeout=30)[1] for worker in workers]
    assert errors == ["", ""]
    assert answers[0] == answers[1]
    assert len(set(answers[0])) == len(homes)
    assert all(answer.strip() for answer in answers[0])
    for home in homes:
        assert not [path for path in Path(home).rglob(".*") if path.is_file() and path.name != ".gitignore"]
