"""One operation while this process runs it: its state, its log file, and who hears of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from time import monotonic
from typing import Any

from ..core.operation import Operation, Phase

Work = Callable[["RunningOperation"], Awaitable[dict[str, Any]]]


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


class RunningOperation:
    """Implements the port ``Progress`` for the work, and keeps the operation up to date.

    ``changed`` is called on the loop with the operation after each change; with text as well when
    the log grew. The methods of ``Progress`` may be called from any thread.
    """

    def __init__(
        self,
        operation: Operation,
        log_file: Path,
        secrets: list[str],
        changed: Callable[[Operation, str | None], None],
    ) -> None:
        self.operation = operation
        self.log_file = log_file
        self.task: asyncio.Task[dict[str, Any]] | None = None
        self.cancelling = False
        self.stopping = False
        """The process ends: a cancelled task means interrupted, not cancelled."""
        self._secrets = secrets
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._phase_began = monotonic()
        log_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._log = log_file.open("a", encoding="utf-8", errors="replace")

    # ------------------------------------------------------------------------ Progress

    def phase(self, name: str, message: str = "") -> None:
        self._on_loop(self._phase, name, self.masked(message))

    def update(self, message: str = "", fraction: float | None = None) -> None:
        self._on_loop(self._update, self.masked(message), fraction)

    def log(self, text: str) -> None:
        self._on_loop(self._write, self.masked(text))

    # ------------------------------------------------------------------- for the service

    def set(self, **fields: Any) -> Operation:
        """Change fields of the operation and tell everyone."""
        self.operation = replace(self.operation, **fields)
        self._changed(self.operation, None)
        return self.operation

    def cancel(self) -> None:
        """Ask the work to stop. It gets one CancelledError: cleaning up is never cut short."""
        if not self.cancelling:
            self.cancelling = True
            if self.task is not None:
                self.task.cancel()

    def begin(self, task: asyncio.Task[dict[str, Any]]) -> None:
        """The work begins; one that was cancelled before ends at its first step."""
        self.task = task
        if self.cancelling:
            task.cancel()

    def end(self, **fields: Any) -> Operation:
        """The last change: ends the running phase and closes the log."""
        self._log.close()
        return self.set(ended=now(), phases=self._ended_phases(), **fields)

    def write(self, text: str) -> None:
        """Into the log file only: details that no listener shows."""
        if not self._log.closed:
            self._log.write(self.masked(text))
            self._log.flush()

    # ------------------------------------------------------------------------- private

    def _on_loop(self, method: Callable[..., None], *arguments: Any) -> None:
        if threading.get_ident() == self._thread:
            method(*arguments)
        else:
            self._loop.call_soon_threadsafe(method, *arguments)

    def _phase(self, name: str, message: str) -> None:
        if self._log.closed:
            return
        self.write(f"== {name}{': ' + message if message else ''}\n")
        if self.operation.phase == name:
            # Begun anew, as a user sees it: the same step goes on.
            self._update(message, None)
            return
        phases = self._ended_phases()
        self._phase_began = monotonic()
        self.set(phase=name, message=message, progress=None, phases=(*phases, Phase(name, now())))

    def _update(self, message: str, fraction: float | None) -> None:
        if self._log.closed:
            return
        progress = None if fraction is None else min(1.0, max(0.0, fraction))
        self.set(message=message or self.operation.message, progress=progress)

    def _write(self, text: str) -> None:
        if self._log.closed:
            return
        self._log.write(text)
        self._log.flush()
        self._changed(self.operation, text)

    def _ended_phases(self) -> tuple[Phase, ...]:
        phases = self.operation.phases
        if not phases or phases[-1].seconds is not None:
            return phases
        seconds = round(monotonic() - self._phase_began, 3)
        return (*phases[:-1], replace(phases[-1], seconds=seconds))

    def masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text
