"""Builds `troth._native` into the wheel, or into the tree of an editable install.

Needs a C compiler and Python's headers; where one is missing, or ``TROTH_PURE=1``, the wheel is pure Python.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Native(BuildHookInterface[Any]):
    """The build hook; hatchling finds it in this file."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say what was built; go on without where that fails."""
        if self.target_name != "wheel" or os.environ.get("TROTH_PURE"):
            return
        root = Path(self.root)
        name = "_native" + str(sysconfig.get_config_var("EXT_SUFFIX"))
        place = root / "middleware" / "troth" if version == "editable" else root / "build"
        place.mkdir(exist_ok=True)
        if not compiled(root / "middleware" / "native", place / name):
            return
        if version != "editable":
            build_data["force_include"][str(place / name)] = f"troth/{name}"
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


def compiled(sources: Path, target: Path) -> bool:
    """Compile the sources into one module; return whether that went well."""
    linker = shlex.split(str(sysconfig.get_config_var("LDSHARED") or "cc -shared"))
    include = sysconfig.get_path("include")
    command = [
        *linker,
        "-O3",
        "-fPIC",
        "-fvisibility=hidden",
        f"-I{include}",
        *map(str, sorted(sources.glob("*.c"))),
        "-o",
        str(target),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        missing = done.stderr
    except OSError as error:
        done, missing = None, str(error)
    if done is None or done.returncode:
        sys.stderr.write(f"troth: the express lane is not compiled, and runs in Python, slower:\n{missing}\n")
        return False
    return True
