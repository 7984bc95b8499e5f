"""One command on one set of services: configuration, events, errors and the end."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ..core.errors import CancelledError, ConflictError, MlopsError
from ..core.operation import Operation
from ..core.ports import Progress
from .commands import Answer
from .configuration import UsageError, load
from .screen import Screen

if TYPE_CHECKING:
    from ..wiring import Services

T = TypeVar("T")

_PATIENCE = 3
"""So many interrupts end the process at once, cleaned up or not."""


class Session:
    """What a command works with."""

    def __init__(self, args: argparse.Namespace, screen: Screen) -> None:
        self._args = args
        self.screen = screen
        self._services: Services | None = None
        self.operation: Operation | None = None
        """The last one that ``work`` ran."""
        self.working = False
        """Whether ``work`` runs one now."""

    @property
    def services(self) -> Services:
        """Made when first used; reads the configuration."""
        if self._services is None:
            from ..wiring import build

            config = load(getattr(self._args, "config", ""), self._args.settings)
            self._services = build(config)
        return self._services

    async def work(
        self,
        kind: str,
        subject: str,
        do: Callable[[Progress], Awaitable[T]],
        result: Callable[[T], dict[str, Any]],
    ) -> T:
        """Run a long piece of work as an operation, with its progress on the screen.

        ``result`` names what was made, for the operation's record.
        """
        made: list[T] = []

        async def work(progress: Progress) -> dict[str, Any]:
            made.append(await do(progress))
            return result(made[0])

        self.working = True
        with self.screen.progress() as listener:
            self.operation = await self.services.operations.run(kind, subject, work, listener)
        self.working = False
        return made[0]

    def record(self, data: Any) -> dict[str, Any]:
        """A noun's JSON with the id of the operation that made it."""
        from .screen import plain

        document: dict[str, Any] = plain(data)
        return {**document, "operation": self.operation.id if self.operation else ""}

    def confirm(self, question: str) -> None:
        """Ask on a terminal, unless ``--yes``; raises ConflictError for a no."""
        if self._args.yes or not (sys.stdin.isatty() and sys.stdout.isatty()):
            return
        if not self.screen.ask(question):
            raise ConflictError("Nothing was deleted.")

    async def close(self) -> None:
        if self._services is not None:
            await self._services.close()


def execute(args: argparse.Namespace) -> int:
    """Run the command of these arguments; returns the exit code."""
    screen = Screen(json=getattr(args, "json", False))
    try:
        return asyncio.run(_run(args, screen))
    except (asyncio.CancelledError, CancelledError, KeyboardInterrupt):
        screen.error(CancelledError("Cancelled."))
    except MlopsError as error:
        screen.error(error)
        return 2 if isinstance(error, UsageError) else 1
    except BrokenPipeError:
        raise
    except Exception as error:
        if getattr(args, "debug", False):
            raise
        screen.error(_unexpected(error))
    return 1


async def _run(args: argparse.Namespace, screen: Screen) -> int:
    session = Session(args, screen)
    _cancel_on_signals(session)
    try:
        answer: Answer = await args.run(session, args)
        screen.answer(answer.data, answer.show)
        return 1 if answer.failed else 0
    finally:
        await session.close()


def _cancel_on_signals(session: Session) -> None:
    """The first interrupt cancels the work, which then cleans up; a stubborn user gets out."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    count = 0

    def interrupted() -> None:
        nonlocal count
        count += 1
        if count == 1:
            if session.working:
                session.screen.note("Cancelling, and removing what was made …")
            task.cancel()
        elif count < _PATIENCE:
            session.screen.note("Still removing what was made; once more to leave it as it is.")
        else:
            os._exit(1)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted)


def _unexpected(error: Exception) -> MlopsError:
    return MlopsError(
        f"Something unexpected happened: {type(error).__name__}: {error}",
        "This is a fault of jupyter-mlops. Run the same command with --debug for the details, and "
        "please report it.",
    )
