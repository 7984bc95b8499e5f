"""Running kernels: what they are, how they are, and what changed in them."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.additions import Additions, additions, merged, merged_r
from ..core.environment import EnvironmentSpec
from ..core.errors import (
    ConflictError,
    EngineUnavailableError,
    KernelDeadError,
    MlopsError,
    NotFoundError,
)
from ..core.inventory import Inventory, InventoryDiff, diff
from ..core.kernel import KernelRecord, KernelStatus
from ..core.limits import Limits
from ..core.ports import EngineProvider, KernelControl, NotebookRunner, Progress, Store
from ..core.settings import Settings
from .limits import KernelLimitChoices
from .notebook_files import kernel_for, read_notebook
from .ownership import claim, discard
from .processes import started_after

if TYPE_CHECKING:
    from .environments import Environments

_NONE = Limits()


class Kernels:
    """Kernels of all processes of this user: the store knows them, their supervisors answer."""

    def __init__(
        self,
        *,
        settings: Settings,
        store: Store,
        engines: EngineProvider,
        environments: Environments,
        notebooks: NotebookRunner,
        limits: KernelLimitChoices,
        control: KernelControl,
    ) -> None:
        self._settings = settings
        self._store = store
        self._engines = engines
        self._environments = environments
        self._notebooks = notebooks
        self._limits = limits
        self._control = control

    async def list(self, *, warm: bool = False) -> list[KernelStatus]:
        """Newest first; with ``warm`` also containers in which no kernel runs yet."""
        records = [r for r in await self._store.kernels.list() if warm or not r.warm]
        return list(await asyncio.gather(*(self._status(record) for record in records)))

    async def get(self, kernel_id: str) -> KernelStatus:
        return await self._status(await self.record(kernel_id))

    async def record(self, kernel_id: str) -> KernelRecord:
        record = await self._store.kernels.get(kernel_id)
        if record is None:
            raise NotFoundError(
                f"There is no kernel {kernel_id} in a container.",
                "It may have been shut down, or it runs on this machine itself.",
            )
        return record

    async def drift(self, kernel_id: str) -> InventoryDiff:
        """What changed in the kernel's container since its image was made."""
        return diff(*await self._sides(await self.record(kernel_id)))

    async def additions(self, kernel_id: str) -> Additions:
        """What of that its environment can have, and what not. Raises ConflictError for a
        snapshot's kernel, which has no environment."""
        record = await self.record(kernel_id)
        if not record.environment or record.snapshot:
            raise ConflictError(
                "This kernel runs a snapshot, so there is no environment to add packages to.",
                "Freeze keeps them in a new snapshot.",
            )
        before, after = await self._sides(record)
        return additions(diff(before, after), after)

    async def to_revision(
        self, environment: str, kernel_id: str
    ) -> tuple[EnvironmentSpec, Additions]:
        """The specification of the active revision with what the kernel's user installed.

        Raises ConflictError when the kernel is not of this environment, or has nothing to add.
        """
        record = await self.record(kernel_id)
        found = await self.additions(kernel_id)
        if record.environment != environment:
            raise ConflictError(
                f"This kernel runs in the environment {record.environment!r}, not in "
                f"{environment!r}.",
                f"Add its packages to {record.environment!r}.",
            )
        if not found.requirements and not found.r:
            reasons = " ".join(f"{left.name}: {left.reason}" for left in found.left_out)
            raise ConflictError(
                f"This kernel has no package that can be added to {environment!r}. "
                f"{reasons or 'Nothing changed in it.'}".rstrip(),
                "Freeze keeps the kernel's container as it is.",
            )
        spec = await self._environments.active_spec(environment)
        python = merged(spec.python, found.requirements)
        return replace(spec, python=python, r=merged_r(spec.r, found.r)), found

    async def _sides(self, record: KernelRecord) -> tuple[Inventory, Inventory]:
        """What the kernel started from, and what is there now."""
        state = await (await self._engines.engine()).inspect(record.container)
        if state is None or state.phase != "running":
            raise KernelDeadError(
                "The kernel's container does not run, so what changed in it cannot be seen.",
                "Restart the kernel.",
            )
        return await asyncio.gather(
            self._origin(record), self._environments.probe_container(record.container)
        )

    async def run(
        self,
        notebook: Path,
        environment: str,
        progress: Progress,
        output: Path | None = None,
        keep: Callable[[str], Awaitable[None]] | None = None,
        allow_errors: bool = False,
        limits: Limits = _NONE,
        secrets: Mapping[str, str] | None = None,
    ) -> Path:
        """Run a notebook in ``environment`` (``name`` or ``name@revision``).

        Returns the file with the outputs: ``output``, or the notebook itself. ``keep`` is
        awaited with the kernel's id while the kernel still lives. Raises InvalidError when a
        cell fails, after the outputs up to there were written. ``limits`` are of this run alone,
        over those that were chosen for the notebook; raises InvalidError for impossible ones.
        ``secrets`` are values, by name, of those that ``missing_secrets`` names.
        """
        await self._limits.check(limits)
        found, revision = await self._environments.resolve(environment)
        content = await asyncio.to_thread(read_notebook, notebook)
        pinned = kernel_for(content, notebook.name, revision)
        target = output or notebook
        progress.phase("run", f"{notebook.name} in {found.name}, revision {revision.number}")

        def on_cell(index: int, total: int, seconds: float) -> None:
            progress.update(f"cell {index} of {total}: {seconds:.1f} s", index / total)
            progress.log(f"cell {index} of {total}: {seconds:.1f} s\n")

        await self._notebooks.run(
            notebook,
            kernel_name=pinned,
            output=target,
            timeout=None,
            allow_errors=allow_errors,
            on_cell=on_cell,
            keep=keep,
            extra={"limits": asdict(limits)},
            secrets=secrets,
        )
        return target

    async def missing_secrets(self, environment: str) -> Sequence[str]:
        """Names of secrets that the environment needs and the settings do not have: their user
        has to give them."""
        found, _ = await self._environments.resolve(environment)
        return [name for name in found.spec.secrets if name not in self._settings.secrets]

    async def collect(self) -> int:
        """Remove what processes that ended without cleaning up left; returns how many.

        Kernels that still run and wait for the next start of their Jupyter server stay.
        """
        removed = 0
        for record in await self._store.kernels.list():
            if _owner_lives(record):
                continue
            if record.server and (await self._ask(record)).get("running"):
                continue
            claimed = await self.claim(record)
            if claimed is None:
                continue
            try:
                await self.discard(claimed)
            except EngineUnavailableError:
                return removed  # Another start of ours will find it.
            removed += 1
        return removed

    async def stop(self, kernel_id: str) -> None:
        """End a kernel that waits for a server. Raises ConflictError when its owner runs, who
        would take it for a crash."""
        record = await self.record(kernel_id)
        claimed = None if _owner_lives(record) else await self.claim(record)
        if claimed is None:
            raise ConflictError(
                f"Kernel {kernel_id} belongs to a process that runs.",
                "Shut it down in JupyterLab (Running Terminals and Kernels), or stop its server.",
            )
        await self.discard(claimed)

    async def left_behind(self, server: str) -> builtins.list[KernelRecord]:
        """Kernels of Jupyter servers on this root folder that have ended; oldest first."""
        records = reversed(await self._store.kernels.list())
        return [r for r in records if r.server == server and not _owner_lives(r)]

    async def claim(self, record: KernelRecord) -> KernelRecord | None:
        """Make this process the kernel's owner; None when another one was quicker."""
        return await claim(self._store, record)

    async def discard(self, record: KernelRecord) -> None:
        """Remove the container and all traces of a kernel that this process owns.

        Raises EngineUnavailableError; then the kernel has no owner, and is found again.
        """
        await discard(self._settings, self._store, self._engines, record)

    async def _origin(self, record: KernelRecord) -> Inventory:
        """The inventory of the image that the kernel started from."""
        if record.snapshot:
            # The snapshot's own inventory, without asking the snapshots, who ask us.
            return await self._environments.probe(record.image)
        _, revision = await self._environments.resolve(f"{record.environment}@{record.revision}")
        return await self._environments.inventory(revision)

    async def _status(self, record: KernelRecord) -> KernelStatus:
        answer = await self._ask(record)
        return KernelStatus(
            id=record.id,
            environment=record.environment,
            revision=record.revision,
            snapshot=record.snapshot,
            image=record.image,
            container=record.container,
            alive=bool(answer.get("running")),
            project=record.project,
            memory=int(answer.get("memory", 0)),
            memory_limit=int(answer.get("memory_limit", 0)),
            cpu=float(answer.get("cpu", 0.0)),
            notebook=record.notebook,
            limits=record.limits,
            warm=bool(record.warm),
        )

    async def _ask(self, record: KernelRecord) -> dict[str, Any]:
        """The supervisor's status; empty when it does not answer.

        Asked itself, not the engine: a millisecond instead of the second or two that
        engines take for their figures.
        """
        answer = await self._control.status(record.id)
        return await self._paused(record) if answer is None else answer

    async def _paused(self, record: KernelRecord) -> dict[str, Any]:
        """A container that is being frozen cannot answer, and is alive all the same."""
        try:
            state = await (await self._engines.engine()).inspect(record.container)
        except MlopsError:
            return {}
        return {"running": state is not None and state.phase == "paused"}


def _owner_lives(record: KernelRecord) -> bool:
    """Whether the process that manages the kernel is there.

    In a container of its own a Jupyter server has the same pid after every restart, so a
    process that is younger than the record is another one.
    """
    if not record.pid:
        return False
    return started_after(record.pid, record.claimed or record.started) is False
