"""Where model packages come from, for targets that write it down."""

from __future__ import annotations

from typing import Protocol

import anyio.to_thread

from .._version import __version__
from ..core.inventory import Inventory
from ..core.model_package import ModelPackage
from ..core.snapshot import Snapshot
from . import bundles


class SnapshotRecords(Protocol):
    """What this needs of snapshots."""

    async def get(self, snapshot_id: str) -> Snapshot: ...

    async def inventory(self, snapshot: Snapshot) -> Inventory: ...


class PackageRecords:
    """ports.PackageRecords."""

    def __init__(self, snapshots: SnapshotRecords) -> None:
        self._snapshots = snapshots

    async def snapshot(self, package: ModelPackage) -> Snapshot:
        return await self._snapshots.get(package.snapshot)

    async def sbom(self, package: ModelPackage) -> bytes:
        # The serving layer adds no package: what the snapshot has is what the image has.
        inventory = await self._snapshots.inventory(await self.snapshot(package))
        return await anyio.to_thread.run_sync(
            bundles.sbom, inventory, package.name, package.image, package.created, __version__
        )
