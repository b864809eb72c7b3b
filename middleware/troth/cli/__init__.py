"""The command `troth`: one file per verb. Results go to stdout, the rest to stderr; a verb returns its exit code."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Sequence

import click

from troth.cli.exits import BAD_ARGUMENTS, INVALID, OK, UNEXPECTED
from troth.diagnostics import InvalidFiles
from troth.errors import TrothError

VERBS = {
    "init": "troth.cli.init:init",
    "check": "troth.cli.check:check",
    "lock": "troth.cli.lock:lock",
    "test": "troth.cli.test:test",
    "coverage": "troth.cli.coverage:coverage",
    "explain": "troth.cli.explain:explain",
    "rule": "troth.cli.rule:rule",
    "word": "troth.cli.word:word",
    "code": "troth.cli.code:code",
    "schema": "troth.cli.schema:schema",
    "declare": "troth.cli.declare:declare",
    "audit": "troth.cli.audit:audit",
}
"""Each verb and the command that it is; a verb is imported when it is called."""


class _Verbs(click.Group):
    """A group that imports a verb only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of `VERBS`."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a verb."""
        if cmd_name not in VERBS:
            return None
        module, _, name = VERBS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)  # noqa: S101  # a slip in VERBS, not input
        return command


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="troth")
def troth() -> None:
    """Keep the promises of a privacy policy, and prove it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code: 0 ok, 1 unexpected, 2 bad arguments, 3 invalid files, … (`exits`)."""
    try:
        code = troth.main(args=None if argv is None else list(argv), prog_name="troth", standalone_mode=False)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as wrong:
        wrong.show()
        return BAD_ARGUMENTS
    except click.Abort:
        return UNEXPECTED
    except InvalidFiles as invalid:
        print(invalid, file=sys.stderr)
        return INVALID
    except TrothError as wrong:
        print(f"troth: {wrong}", file=sys.stderr)
        return BAD_ARGUMENTS
    except Exception:  # noqa: BLE001  # the last resort of a command: any failure is exit code 1, with its traceback
        traceback.print_exc()
        return UNEXPECTED
    return code if isinstance(code, int) else OK
