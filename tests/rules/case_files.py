"""The case files of diagnostics: a folder per code under `diagnostics/`, a policy folder with what is wrong.

Beside the files of a policy folder there may be `binding.yaml`, `originals.yaml` (for `troth lock`) and
`rules_test.yaml` (cases). `expected.txt` is the whole text of all findings. What a repository cannot hold is made here.
"""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory

from troth.cases.files import load_cases
from troth.diagnostics import Diagnostic, in_order
from troth.rules import check_together, load_binding, load_policy
from troth.rules.locking import read_lock_input
from troth.rules.yaml import MAX_BYTES, decode

CASES = Path(__file__).parent / "diagnostics"


def findings(code: str) -> tuple[Diagnostic, ...]:
    """Return all findings in the case of a code, their files named relative to its folder."""
    if code == "TR006":
        return decode(b"#" * (MAX_BYTES + 1), "policy.yaml")[1]
    if code == "TR014":
        return _unopenable()
    return findings_in(CASES / code)


def findings_in(folder: Path) -> tuple[Diagnostic, ...]:
    """Return all findings in the files of a folder, as `findings` does."""
    with chdir(folder):
        if Path("originals.yaml").exists():
            return read_lock_input(Path(), Path("originals.yaml")).diagnostics
        if Path("rules_test.yaml").exists():
            return load_cases(Path("rules_test.yaml"), load_policy(Path()).require()).diagnostics
        return _checked()


def _checked() -> tuple[Diagnostic, ...]:
    loaded = load_policy(Path())
    found = list(loaded.diagnostics)
    binding = None
    if loaded.policy is not None and Path("binding.yaml").exists():
        read = load_binding("binding.yaml", loaded.policy)
        found.extend(read.diagnostics)
        binding = read.binding
    if binding is not None or Path().resolve().name == "TR403":
        found.extend(check_together(loaded, binding, name="binding.yaml"))
    return in_order(found)


def _unopenable() -> tuple[Diagnostic, ...]:
    """A folder in place of policy.yaml."""
    with TemporaryDirectory() as folder, chdir(folder):
        Path("policy.yaml").mkdir()
        return load_policy(Path()).diagnostics
