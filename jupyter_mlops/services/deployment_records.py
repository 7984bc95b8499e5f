"""What is deployed, as the store has it and as its targets see it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ..core.deployment import Deployment, DeploymentState
from ..core.errors import ConflictError, MlopsError, NotFoundError
from ..core.ports import Repository
from .processes import started_after
from .targets import ANSWER_SECONDS, Targets


class DeploymentRecords:
    """Records with their live state."""

    def __init__(self, store: Repository[Deployment], targets: Targets) -> None:
        self._store = store
        self._targets = targets

    async def list(self, limit: int | None = None, after: str = "") -> list[Deployment]:
        """Newest first, each with its live state."""
        records = await self._store.list(limit=limit, after=after)
        return [*await asyncio.gather(*(self.refresh(record) for record in records))]

    async def get(self, deployment_id: str) -> Deployment:
        """By id or name, with its live state."""
        return await self.refresh(await self.record(deployment_id))

    async def record(self, deployment_id: str) -> Deployment:
        record = await self._store.get(deployment_id)
        if record is None:
            named = await self._store.list(name=deployment_id)
            record = named[0] if named else None
        if record is None:
            raise NotFoundError(f"There is no deployment {deployment_id!r}.")
        return record

    async def refresh(self, record: Deployment) -> Deployment:
        """Ask the target; a target that does not answer leaves the last known state."""
        if "pid" in record.details and record.state is DeploymentState.CREATING:
            return await self._creating(record)
        if record.state is DeploymentState.DELETING:
            return record
        try:
            target = await self._targets.get(record.target)
            seen = await asyncio.wait_for(target.describe(record), ANSWER_SECONDS)
        except asyncio.TimeoutError:
            return replace(record, message="Its target does not answer; this state may be old.")
        except MlopsError as error:
            return replace(record, message=f"This state may be old: {error.message}")
        if seen != record and not being_changed(record):
            await self.save_if_present(seen)
        return seen

    async def _creating(self, record: Deployment) -> Deployment:
        """While it is being made its maker writes the record; a dead maker never will."""
        if being_made(record):
            return record
        details = {key: value for key, value in record.details.items() if key != "pid"}
        failed = replace(
            record,
            state=DeploymentState.FAILED,
            details=details,
            message="The process that made it ended first. Deploy it again, or delete it to remove "
            "what it had made.",
        )
        await self.save_if_present(failed)
        return failed

    async def save_if_present(self, record: Deployment) -> None:
        # Deleted meanwhile: a save would bring it back.
        if await self._store.get(record.id) is not None:
            await self._store.save(record)


CHANGING = "changing"
"""Among the details of a deployment while it is updated: the process, and since when."""


def being_changed(record: Deployment) -> bool:
    """Whether a process that updates it still runs."""
    changing = record.details.get(CHANGING) or {}
    pid = int(changing.get("pid", 0))
    return pid > 0 and started_after(pid, str(changing["since"])) is False


def require_unchanged(record: Deployment) -> None:
    """Raise ConflictError while it is being updated."""
    if being_changed(record):
        raise ConflictError(
            f"The deployment {record.name!r} is being updated.",
            "Wait for that, or cancel its operation.",
        )


def being_made(record: Deployment) -> bool:
    """Whether the process that makes it still runs."""
    pid = int(record.details.get("pid", 0))
    if record.state is not DeploymentState.CREATING or pid <= 0:
        return False
    return started_after(pid, record.created) is False
