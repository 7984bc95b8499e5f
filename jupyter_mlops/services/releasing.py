"""What a model package needs before it leaves: approvals, gates, and its model card."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import PurePosixPath
from typing import Any, Protocol

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

_SCHEMA = "schema.json"
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
        logged, schema = await anyio.to_thread.run_sync(_recorded, workspace, package.handler.path)
        return card(
            CardFacts(
                package=package,
                snapshot=snapshot,
                inventory=await self._snapshots.inventory(snapshot),
                metrics=logged,
                schema=schema,
                sample=await self._packaging.sample_body(package),
                reproduced=await self._reports.latest(snapshot.id),
            )
        )


def _recorded(workspace: bytes, handler: str) -> tuple[list[Metric], Mapping[str, Any] | None]:
    """Metrics of the notebooks in a snapshot's files, and the schema that the export of a live
    variable wrote beside its handler (blocks)."""
    found: list[Metric] = []
    schema: Mapping[str, Any] | None = None
    beside = str(PurePosixPath(handler).with_name(_SCHEMA)) if handler else ""
    with tarfile.open(fileobj=io.BytesIO(workspace), mode="r:gz") as tar:
        for member in tar:
            notebook = member.name.endswith(".ipynb")
            if not member.isreg() or not (notebook or member.name == beside):
                continue
            source = tar.extractfile(member)
            if source is None or member.size > _LIMIT:
                continue
            content = source.read()
            if notebook:
                found += metrics.of_notebook(member.name, content)
            else:
                schema = _schema(content)
    return metrics.newest(found), schema


def _schema(content: bytes) -> Mapping[str, Any] | None:
    try:
        schema = json.loads(content)
    except ValueError:
        return None
    return schema if isinstance(schema, Mapping) and "input" in schema else None
