"""What verification finds, and what that means for the exit code."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import IntEnum, StrEnum
from typing import Any

EXIT_OK, EXIT_FAILED, EXIT_INCOMPLETE = 0, 6, 7
"""Exit codes of ``troth audit verify``: sound; changed, cut or missing; not wholly anchored, or with a declared gap."""


class Severity(IntEnum):
    """How much a finding weighs; the gravest decides the exit code."""

    NOTE = 0
    INCOMPLETE = 1
    FAILED = 2


class FindingKind(StrEnum):
    """Every kind of finding there is."""

    CHANGED = "changed"
    CUT = "cut"
    MISSING = "missing"
    SWAPPED = "swapped"
    DUPLICATED = "duplicated"
    ADDED = "added"
    BROKEN_AFTER_ANCHOR = "broken after the anchor"
    BROKEN_WHEN_SEALED = "broken when sealed"
    SIGNATURE = "bad signature"
    NUMBERING = "numbering gap"
    MISSING_SEGMENT = "missing segment"
    MISSING_CHECKPOINTS = "missing checkpoints"
    UNLISTED = "unlisted segment"
    UNANCHORED = "unanchored"
    TORN = "torn"
    DECLARED_GAP = "declared gap"
    NOTHING = "nothing to verify"
    TORN_DECLARED = "torn, declared"
    RECOVERED = "sealed by recovery"
    NEVER_USED = "never used"


K = FindingKind
_INCOMPLETE = frozenset({K.UNANCHORED, K.TORN, K.DECLARED_GAP, K.NOTHING})
_NOTES = frozenset({K.TORN_DECLARED, K.RECOVERED, K.NEVER_USED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding: in which file, at which line (from 1), of which kind, in a sentence without values."""

    file: str
    line: int
    kind: FindingKind
    message: str

    @property
    def severity(self) -> Severity:
        """How much it weighs; every kind always weighs the same."""
        if self.kind in _NOTES:
            return Severity.NOTE
        return Severity.INCOMPLETE if self.kind in _INCOMPLETE else Severity.FAILED

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.kind}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The outcome of a verification: findings by file and line, and how much was looked at."""

    findings: tuple[Finding, ...]
    segments: int
    streams: int
    lines: int
    anchored: int
    """How many of the lines stand under a checkpoint or seal."""
    entries: int
    """How many entries the checkpoint file has."""

    @property
    def severity(self) -> Severity:
        """The gravest of the findings; a note where there is none."""
        return max((finding.severity for finding in self.findings), default=Severity.NOTE)

    @property
    def ok(self) -> bool:
        """Whether nothing but notes was found."""
        return self.severity is Severity.NOTE

    @property
    def exit_code(self) -> int:
        """0, 6 or 7."""
        return {
            Severity.NOTE: EXIT_OK,
            Severity.INCOMPLETE: EXIT_INCOMPLETE,
            Severity.FAILED: EXIT_FAILED,
        }[self.severity]

    def text(self) -> str:
        """Return the report for people: a line per finding, then a summary; ends with a line feed."""
        verdict = {EXIT_OK: "sound", EXIT_FAILED: "fails verification", EXIT_INCOMPLETE: "incomplete"}[self.exit_code]
        counts = (
            f"{self.lines} lines ({self.anchored} anchored) in {self.segments} segments of {self.streams} streams,"
            f" {self.entries} checkpoint entries"
        )
        return "".join(f"{line}\n" for line in (*map(str, self.findings), f"trail {verdict}: {counts}"))

    def as_json(self) -> dict[str, Any]:
        """Return the report as members for JSON."""
        members = asdict(self) | {"exit_code": self.exit_code}
        return members | {
            "findings": [asdict(finding) | {"severity": finding.severity.name.lower()} for finding in self.findings]
        }
