"""What a user installs: one top level, everything the package reads at run time, the command."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.conftest import Need

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (built,) = folder.glob("troth-*.whl")
    return built


@pytest.fixture(scope="module")
def contents(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


def test_the_top_level_of_the_wheel_is_the_package_alone(contents: set[str]) -> None:
    tops = {name.partition("/")[0] for name in contents}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"troth"}


def test_every_file_of_the_package_is_in_the_wheel(contents: set[str]) -> None:
    """Documentation pages, presets, templates and `py.typed` are read at run time, so they travel."""
    package = ROOT / "middleware"
    wanted = {
        path.relative_to(package).as_posix()
        for path in (package / "troth").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted - contents == set()
    assert {name for name in contents if name.startswith("troth/")} - wanted == set()


def test_the_wheel_carries_command_and_licence(wheel: Path, contents: set[str]) -> None:
    info = next(name.partition("/")[0] for name in contents if ".dist-info/" in name)
    with zipfile.ZipFile(wheel) as opened:
        assert "troth = troth.cli:main" in opened.read(f"{info}/entry_points.txt").decode()
        assert "License-Expression: Apache-2.0" in opened.read(f"{info}/METADATA").decode()
    assert f"{info}/licenses/LICENSE" in contents


@pytest.mark.real
def test_the_wheel_installs_from_nothing_and_its_command_answers(wheel: Path, tmp_path: Path, need: Need) -> None:
    folder = tmp_path / "venv"
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    reached = subprocess.run([python, "-m", "pip", "download", "-q", "--no-deps", "-d", tmp_path, "click"], check=False)
    need(reached.returncode == 0, "a package index")
    run(python, "-m", "pip", "install", "-q", wheel, cwd=tmp_path)
    run(python, "-W", "error", "-c", "import troth; troth.PolicyMiddleware", cwd=tmp_path)
    assert "troth" in run(folder / "bin" / "troth", "--help", cwd=tmp_path)
