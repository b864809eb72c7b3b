"""Verification of a trail. Shares no code with the writer, so that a mistake in one cannot approve itself in the other.

`verify(directory, public_key)` is the whole of it for most; `check` does the same for files held in memory.
"""

from troth.audit.verify.folder import verify
from troth.audit.verify.report import Finding, FindingKind, Report, Severity
from troth.audit.verify.verifier import Files, check

__all__ = ["Files", "Finding", "FindingKind", "Report", "Severity", "check", "verify"]
