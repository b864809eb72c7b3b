"""`python -m tests.mutation POLICY [PART-OF-A-NAME]`: survivors as they are found, then the figures."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.mutation.harness import Tally, run


def main() -> None:
    folder, only, *_ = [*sys.argv[1:], ""]
    started, verdicts = time.monotonic(), []
    for one in run(Path(folder), only):
        verdicts.append(one)
        if one.fate in ("survived", "broke"):
            print(f"{one.fate:<8}  {one.name}  {one.by}".rstrip(), flush=True)
        for aside in one.aside:
            print(f"  aside   {one.name}: {aside}", flush=True)
    print(f"{Tally(verdicts)}; {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
