"""Exit codes of the command `troth`; each has one meaning over all verbs."""

from __future__ import annotations

from typing import Final

OK: Final = 0
UNEXPECTED: Final = 1
"""Something failed that should not have."""
BAD_ARGUMENTS: Final = 2
"""Arguments, environment or configuration."""
INVALID: Final = 3
"""Rule files have errors."""
CASES_FAILED: Final = 4
DENIED: Final = 5
"""`explain --exit-code` found a denial; `declare` was refused by a rule."""
TRAIL_FAILS: Final = 6
TRAIL_INCOMPLETE: Final = 7
