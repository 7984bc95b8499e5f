"""Limits that users choose for their notebooks, and what they can choose from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from ..core.errors import UnsupportedError
from ..core.limits import KernelLimits, Limits, Machine, NotebookLimits, check, devices, in_force
from ..core.ports import EngineProvider, Store
from ..core.settings import Settings


@dataclass(frozen=True)
class LimitChoice:
    """What a notebook's user chose, and what there is to choose from."""

    chosen: Limits
    """What the notebook says instead of its environment."""
    environment: KernelLimits
    """What the environment says, below the server's ceiling."""
    next: KernelLimits
    """What a kernel of this notebook gets when it gets a new container."""
    ceiling: Limits
    """The most that this server allows."""
    machine: Machine
    enforced: bool
    """Whether the engine can limit memory, processors and processes here."""


class KernelLimitChoices:
    """Limits by notebook. Paths are absolute."""

    def __init__(self, *, settings: Settings, store: Store, engines: EngineProvider) -> None:
        self._settings = settings
        self._store = store
        self._engines = engines

    async def get(self, notebook: Path, environment: str) -> LimitChoice:
        """``environment`` is a name; one that is not known, as a snapshot's, limits nothing."""
        found = await self._store.limits.get(_key(notebook))
        chosen = found.limits if found else Limits()
        known = await self._store.environments.get(environment) if environment else None
        base = KernelLimits(known.spec.resources, known.spec.network) if known else KernelLimits()
        ceiling = self._settings.max_resources
        capabilities = await (await self._engines.engine()).info()
        return LimitChoice(
            chosen=chosen,
            environment=in_force(base, ceiling=ceiling),
            next=in_force(base, chosen, ceiling=ceiling),
            ceiling=ceiling,
            machine=Machine(capabilities.cpus, capabilities.memory, len(capabilities.gpus)),
            enforced=capabilities.limits,
        )

    async def save(self, notebook: Path, limits: Limits) -> None:
        """Remember them for the notebook's next container; none at all forgets them. Raises
        InvalidError and UnsupportedError for those that cannot be in force."""
        await self.check(limits)
        if limits == Limits():
            await self._store.limits.delete(_key(notebook))
            return
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        await self._store.limits.save(NotebookLimits(_key(notebook), limits, now))

    async def check(self, limits: Limits) -> None:
        """Whether a kernel can have them here."""
        capabilities = await (await self._engines.engine()).info()
        machine = Machine(capabilities.cpus, capabilities.memory)
        check(limits, machine, self._settings.max_resources)
        devices(limits.gpus or 0, capabilities.gpus, capabilities.title)
        if not capabilities.limits and (limits.memory or limits.cpus or limits.pids):
            raise UnsupportedError(
                f"{capabilities.title} cannot limit memory, processors or processes for this user "
                "on this machine.",
                "Rootless containers need cgroup version 2 for that. Leave these fields empty, or "
                "use an engine that runs as root.",
            )

    async def moved(self, before: Path, after: Path) -> None:
        """A notebook, or a folder with notebooks, has another name now."""
        for found in await self._below(before):
            inner = Path(found.notebook).relative_to(_key(before))
            # Without a part for the notebook itself.
            there = str(Path(_key(after), *inner.parts))
            await self._store.limits.save(NotebookLimits(there, found.limits, found.saved))
            await self._store.limits.delete(found.notebook)

    async def removed(self, notebook: Path) -> None:
        for found in await self._below(notebook):
            await self._store.limits.delete(found.notebook)

    async def _below(self, path: Path) -> list[NotebookLimits]:
        key = Path(_key(path))
        return [
            found
            for found in await self._store.limits.list()
            if Path(found.notebook).is_relative_to(key)
        ]


def _key(notebook: Path) -> str:
    return os.path.realpath(notebook)
