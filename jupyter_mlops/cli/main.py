"""``jupyter mlops``: parse, run, print. Exit codes: 0 done, 1 failed, 2 usage.

Nothing heavy is imported before a command runs: ``--help`` and a slip of the finger answer at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from . import (
    base,
    ci,
    deploy,
    deployment,
    engine,
    env,
    kernel,
    operation,
    package,
    reproduce,
    run,
    share,
    snapshot,
)

NOUNS = (
    engine, base, env, kernel, run, snapshot, share, reproduce, package, deploy, deployment,
    ci, operation,
)  # fmt: skip
DONE, FAILED, USAGE = 0, 1, 2

DESCRIPTION = "Containers for every stage of a model's life."
EPILOG = """\
A first story:
  jupyter mlops base create debian
  jupyter mlops env create --from environment.yaml
  jupyter mlops run train.ipynb --env churn --snapshot first
  jupyter mlops share publish first --project registry.example.com/team/churn

Every command takes --json, --config FILE, -c key=value and --debug.
"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong, then where the help is; not the whole usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message}\nTry `{self.prog} --help`.\n")


def _common(settings: str) -> argparse.ArgumentParser:
    """Options of every command. Before and after the command they collect ``-c`` apart: argparse
    would let the later ones replace the earlier."""
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    options = common.add_argument_group("for every command")
    options.add_argument("--json", action="store_true", help="print the result as JSON")
    options.add_argument("--config", metavar="FILE", help="a further configuration file")
    options.add_argument(
        "-c",
        dest=settings,
        metavar="KEY=VALUE",
        action="append",
        help="a setting, such as project=registry.example.com/team/churn (also --Mlops.KEY=VALUE)",
    )
    options.add_argument("--debug", action="store_true", help="show details of unexpected errors")
    return common


def parser() -> argparse.ArgumentParser:
    common = _common("settings")
    top = _Parser(
        prog="jupyter mlops",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_common("first_settings")],
    )
    top.add_argument("--version", action="store_true", help="print the version")
    nouns = top.add_subparsers(title="commands", dest="noun", metavar="COMMAND")
    for noun in NOUNS:
        noun.register(nouns, common)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """The console script ``jupyter-mlops``; returns the exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    settings = [a.removeprefix("--Mlops.") for a in given if a.startswith("--Mlops.")]
    top = parser()
    try:
        args = top.parse_args([a for a in given if not a.startswith("--Mlops.")])
    except SystemExit as stop:
        return int(stop.code or 0)
    if args.version:
        from .._version import __version__

        print(__version__)
        return DONE
    if not hasattr(args, "run"):
        _help_of(top, args.noun).print_help(sys.stderr)
        return USAGE
    before, after = getattr(args, "first_settings", []), getattr(args, "settings", [])
    args.settings = [*before, *after, *settings]
    from .session import execute

    try:
        return execute(args)
    except BrokenPipeError:
        # The reader has seen enough, as with `| head`. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _help_of(top: argparse.ArgumentParser, noun: str | None) -> argparse.ArgumentParser:
    """The parser of a noun that was given without a verb."""
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction) and noun in action.choices:
            found: argparse.ArgumentParser = action.choices[noun]
            return found
    return top


if __name__ == "__main__":
    sys.exit(main())
