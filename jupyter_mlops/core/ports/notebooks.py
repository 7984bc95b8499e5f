"""Notebooks and kernel specs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ..environment import Environment
from ..revision import Revision
from ..snapshot import Snapshot


class NotebookRunner(Protocol):
    """Runs notebooks in kernel containers without a Jupyter server."""

    async def run(
        self,
        notebook: Path,
        *,
        kernel_name: str,
        output: Path,
        timeout: float | None,
        allow_errors: bool,
        on_cell: Callable[[int, int, float], None],
        keep: Callable[[str], Any] | None = None,
        extra: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        """Execute every cell and write the result to ``output`` (also after a failure).

        ``on_cell(index, total, seconds)`` after each cell. ``keep(kernel_id)`` is awaited
        while the kernel still lives and after ``output`` was written: a snapshot made in it must
        find the outputs on disk. ``extra`` are provisioner settings for this run alone
        (``{"image": …, "network": "none"}``). ``secrets`` are values by name, for the kernel's
        process alone; they are kept nowhere. Raises KernelDeadError,
        and InvalidError with the cell's number and the exception's last line for a cell that
        fails, unless ``allow_errors``.
        """
        ...


class KernelSpecs(Protocol):
    """The kernels that launcher and kernel picker show."""

    def install_environment(self, environment: Environment, revisions: Sequence[Revision]) -> None:
        """Write ``mlops-<name>`` for the active revision and ``mlops-<name>.r<N>`` for each."""
        ...

    def install_snapshot(self, snapshot: Snapshot) -> str:
        """Write ``mlops-<snapshot id>``; returns the name."""
        ...

    def remove(self, name: str) -> None:
        """Remove ``mlops-<name>`` and its pinned revisions; a missing one is no error."""
        ...
