"""Cases: whole exchanges in plain words, run on the wire and held against the clause that they were written from."""

from troth.cases.failure import Failure
from troth.cases.files import load_cases, load_cases_text
from troth.cases.folder import case_paths, load_files
from troth.cases.run import Outcome, Tally, run_cases, run_files
from troth.cases.values import Case, CaseFile

__all__ = [
    "Case", "CaseFile", "Failure", "Outcome", "Tally", "case_paths", "load_cases", "load_cases_text", "load_files",
    "run_cases", "run_files",
]  # fmt: skip
