"""Progress of one operation: a live line on a terminal, a line per phase elsewhere."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Any

from ..core.operation import Operation, OperationState, Phase

if TYPE_CHECKING:
    from rich.console import Console

_LOG_LINES = 15
"""Of the log, printed after a failure."""
_QUIET_SECONDS = 10
"""Off a terminal a phase that takes long says so this often."""


class _Progress(ABC):
    def __init__(self, console: Console) -> None:
        self._console = console
        self._finished = 0
        self._tail: deque[str] = deque(maxlen=_LOG_LINES)
        self._partial = ""

    def changed(self, operation: Operation, text: str | None) -> None:
        """Hears of every change of the operation, and of its log as it grows."""
        if text is not None:
            *lines, self._partial = (self._partial + text).split("\n")
            self._tail.extend(line for line in lines if line.strip())
            return
        for phase in operation.phases[self._finished :]:
            if phase.seconds is not None:
                self._finished += 1
                failed = operation.state.ended and operation.state is not OperationState.SUCCEEDED
                self._ended(phase, failed)
        self._now(operation)
        if operation.state is OperationState.FAILED and self._tail:
            self._console.print(f"The end of the log (jupyter mlops operation log {operation.id}):")
            for line in self._tail:
                self._console.print(f"  {line}", style="dim")

    @abstractmethod
    def _ended(self, phase: Phase, failed: bool) -> None:
        """A phase is over."""

    @abstractmethod
    def _now(self, operation: Operation) -> None:
        """What the operation does at present."""

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *error: object) -> None:
        return None


class LineProgress(_Progress):
    """Plain lines, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._phase = ""
        self._said = 0.0

    def _ended(self, phase: Phase, failed: bool) -> None:
        state = "failed" if failed else "done"
        self._console.print(f"{phase.name}: {state} in {phase.seconds:.1f} s")

    def _now(self, operation: Operation) -> None:
        if operation.state.ended or not operation.phase:
            return
        fresh = operation.phase != self._phase
        if fresh or (operation.message and time.monotonic() - self._said > _QUIET_SECONDS):
            self._phase, self._said = operation.phase, time.monotonic()
            self._console.print(f"{operation.phase}: {operation.message or '…'}")


class LiveProgress(_Progress):
    """Finished phases stay as lines; the running one has a spinner, a bar and a clock."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        super().__init__(console)
        self._live = Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[phase]}", style="bold", markup=False),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False, table_column=_one_line()),
            console=console,
            transient=True,
        )
        self._task: Any = None
        self._phase = ""

    def __enter__(self) -> _Progress:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def _ended(self, phase: Phase, failed: bool) -> None:
        from rich.text import Text

        mark = ("✗ ", "red") if failed else ("✓ ", "green")
        # One print: the live line is drawn again after each.
        self._console.print(Text.assemble(mark, phase.name, (f"  {phase.seconds:.1f} s", "dim")))

    def _now(self, operation: Operation) -> None:
        if operation.state.ended or not operation.phase:
            if self._task is not None:
                self._live.update(self._task, visible=False)
            return
        if operation.phase != self._phase:
            if self._task is not None:
                self._live.remove_task(self._task)
            self._phase = operation.phase
            self._task = self._live.add_task("", total=None, phase=operation.phase)
        known = operation.progress is not None
        self._live.update(
            self._task,
            description=operation.message,
            total=1.0 if known else None,
            completed=operation.progress or 0.0,
        )


def _one_line() -> Any:
    from rich.table import Column

    return Column(no_wrap=True, overflow="ellipsis", ratio=1)
