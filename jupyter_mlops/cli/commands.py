"""How a file of this folder declares its commands."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .screen import Screen
    from .session import Session

    Nouns = argparse._SubParsersAction[argparse.ArgumentParser]
    Show = Callable[[Screen], None]
    Run = Callable[[Session, argparse.Namespace], Awaitable["Answer"]]
else:
    Nouns = Show = Run = Any


@dataclass(frozen=True)
class Answer:
    """What a command found or did."""

    data: Any
    """For ``--json``: dataclasses, lists and dicts."""
    show: Show
    """Draws it for people."""
    failed: bool = False
    """A result that counts as failure, such as a check that did not pass."""


class Noun:
    """A noun with verbs: ``jupyter mlops env list``."""

    def __init__(self, nouns: Nouns, common: argparse.ArgumentParser, name: str, help: str) -> None:
        self._common = common
        parser = nouns.add_parser(name, help=help, description=_sentence(help), parents=[common])
        self._verbs = parser.add_subparsers(title="commands", dest="verb", metavar="COMMAND")

    def verb(self, name: str, help: str, run: Run) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = self._verbs.add_parser(
            name, help=help, description=_sentence(help), parents=[self._common]
        )
        parser.set_defaults(run=run)
        return parser


def command(
    nouns: Nouns, common: argparse.ArgumentParser, name: str, help: str, run: Run
) -> argparse.ArgumentParser:
    """A command without verbs: ``jupyter mlops run``."""
    parser: argparse.ArgumentParser = nouns.add_parser(
        name, help=help, description=_sentence(help), parents=[common]
    )
    parser.set_defaults(run=run)
    return parser


def add_yes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask")


def _sentence(help: str) -> str:
    return f"{help[0].upper()}{help[1:]}."
