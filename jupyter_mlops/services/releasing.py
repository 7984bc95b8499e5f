"""What a model package needs before it leaves: approvals, gates, and its model card."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from datetime import datetime, timezone
from typing import Protocol

import anyio.to_thread

from ..core import metrics
from ..core.errors import InvalidError
from ..core.gate import Gate, GateResult, judge
from ..core.inventory import Inventory
from ..core.metrics import Metric
from ..core.model_package import Approval, ModelPackage
from ..core.ports import Store
from ..core.reproduction import ReproduceReport
from ..core.snapshot import Snapshot
from .card_text import CardFacts, card
from .packaging import Packaging

_LIMIT = 256 * 1024 * 1024


class SnapshotFacts(Protocol):
    """What a card needs of snapshots."""

    async def get(self, snapshot_id: str) -> Snapshot: ...

    async def member(self, snapshot: Snapshot, role: str) -> bytes: ...

    async def inventory(self, snapshot: Snapshot) -> Inventory: ...


class Reports(Protocol):
    """What gates need of reproductions."""

    async def latest(self, snapshot_id: str) -> ReproduceReport | None: ...


class Releasing:
    """Use cases between a package and its deployment."""

    def __init__(
        self,
        *,
        store: Store,
        packaging: Packaging,
        snapshots: SnapshotFacts,
        reports: Reports,
    ) -> None:
        self._store = store
        self._packaging = packaging
        self._snapshots = snapshots
        self._reports = reports

    async def approve(self, package_id: str, by: str, note: str = "") -> ModelPackage:
        """Record that ``by`` approves the package as it is; saying it again changes the note."""
        if not by.strip():
            raise InvalidError("Who approves the package?", "Say a name.")
        package = await self._packaging.get(package_id)
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        given = Approval(by.strip(), now, package.image, note.strip())
        others = [a for a in package.approvals if (a.by, a.image) != (given.by, given.image)]
        approved = replace(package, approvals=(*others, given))
        await self._store.packages.save(approved)
        return approved

    async def gate(self, package_id: str, gate: Gate) -> GateResult:
        """Whether the package may be deployed, and what is missing."""
        package = await self._packaging.get(package_id)
        reproduced = await self._reports.latest(package.snapshot) if gate.level else None
        return judge(gate, package, reproduced)

    async def card(self, package_id: str) -> str:
        """The package's model card, in Markdown."""
        package = await self._packaging.get(package_id)
        snapshot = await self._snapshots.get(package.snapshot)
        workspace = await self._snapshots.member(snapshot, "workspace")
        logged = await anyio.to_thread.run_sync(_logged, workspace)
        return card(
            CardFacts(
                package=package,
                snapshot=snapshot,
                inventory=await self._snapshots.inventory(snapshot),
                metrics=logged,
                sample=await self._packaging.sample_body(package),
                reproduced=await self._reports.latest(snapshot.id),
            )
        )


def _logged(workspace: bytes) -> list[Metric]:
    """Metrics of the notebooks in a snapshot's files (blocks)."""
    found: list[Metric] = []
    with tarfile.open(fileobj=io.BytesIO(workspace), mode="r:gz") as tar:
        for member in tar:
            if not member.isreg() or not member.name.endswith(".ipynb") or member.size > _LIMIT:
                continue
            source = tar.extractfile(member)
            if source is not None:
                found += metrics.of_notebook(member.name, source.read())
    return metrics.newest(found)
