"""Containers of kernels change hands: of several processes that want one, one gets it."""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import replace
from datetime import datetime, timezone

from ..core.errors import EngineUnavailableError
from ..core.kernel import KernelRecord
from ..core.kernel_folder import kernel_folder
from ..core.ports import EngineProvider, Store
from ..core.settings import Settings


async def claim(store: Store, record: KernelRecord) -> KernelRecord | None:
    """Make this process the owner; None when another one was quicker."""
    claimed = record.owned_by(os.getpid(), datetime.now(timezone.utc))
    return claimed if await store.kernels.swap(record, claimed) else None


async def discard(
    settings: Settings, store: Store, engines: EngineProvider, record: KernelRecord
) -> None:
    """Remove the container and all traces of a kernel that this process owns.

    Raises EngineUnavailableError; then the kernel has no owner, and is found again.
    """
    try:
        await (await engines.engine()).remove(record.container)
    except EngineUnavailableError:
        await store.kernels.save(replace(record, pid=0))
        raise
    folder = kernel_folder(settings.runtime, record.id)
    await asyncio.to_thread(shutil.rmtree, folder, True)
    await store.kernels.delete(record.id)


async def discard_warm(
    settings: Settings, store: Store, engines: EngineProvider, environment: str
) -> None:
    """Remove containers that wait for kernels of this environment, whoever made them: they would
    keep its images from being removed."""
    for record in await store.kernels.list(environment=environment):
        mine = await claim(store, record) if record.warm else None
        if mine is not None:
            await discard(settings, store, engines, mine)
