"""Deployments: model packages running on targets."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, Protocol

from ..core.deployment import Deployment, DeploymentState, Invocation, Plan, Policy, TargetInfo
from ..core.environment import check_name
from ..core.errors import (
    ConflictError,
    MlopsError,
)
from ..core.latency import Latencies
from ..core.model_package import ModelPackage
from ..core.ports import EngineProvider, Progress, Store, Target
from ..core.settings import Settings
from .deployment_changes import DeploymentChanges
from .deployment_logs import follow
from .deployment_records import DeploymentRecords, being_made, require_unchanged
from .deployment_rules import is_just_so, require_passed
from .ending import to_the_end
from .invoking import Invoking
from .targets import Targets

UNFINISHED = "unfinished"
"""Among the details of a deployment from its beginning until it runs for the first time."""

_STANDING = (
    DeploymentState.RUNNING,
    DeploymentState.WRITTEN,
    DeploymentState.COMPLETED,
    DeploymentState.REGISTERED,
)
"""Made and in order: asked for again, nothing needs to be done."""


class Packages(Protocol):
    """What deploying needs of packaging."""

    async def get(self, package_id: str) -> ModelPackage: ...

    async def sample_body(self, package: ModelPackage) -> bytes: ...


class Deploying:
    """Takes model packages to targets, and looks after what runs there."""

    def __init__(
        self,
        *,
        settings: Settings,
        store: Store,
        engines: EngineProvider,
        packaging: Packages,
        targets: Mapping[str, Callable[[], Target]],
    ) -> None:
        self._settings = settings
        self._store = store
        self._packaging = packaging
        self._targets = Targets(targets)
        self._records = DeploymentRecords(store.deployments, self._targets)
        self._changes = DeploymentChanges(
            store.deployments, self._records, self._targets, packaging
        )
        self._invoking = Invoking(self._records, self._targets, packaging)
        self._names = asyncio.Lock()

    async def targets(self) -> list[TargetInfo]:
        """All installed targets, also those that cannot be used now, and why."""
        return await self._targets.all()

    async def schema(self, name: str) -> dict[str, Any]:
        """JSON Schema of one target's options."""
        return await self._targets.schema(name)

    async def list(self, limit: int | None = None, after: str = "") -> list[Deployment]:
        """Newest first, each with its live state."""
        return await self._records.list(limit, after)

    async def get(self, deployment_id: str) -> Deployment:
        """By id or name, with its live state."""
        return await self._records.get(deployment_id)

    # ----------------------------------------------------------------------- deploying

    async def plan(
        self, package_id: str, target: str, name: str, options: Mapping[str, Any]
    ) -> Plan:
        """What ``deploy`` would create. Creates nothing."""
        chosen = await self._targets.get(target)
        package = await self._packaging.get(package_id)
        name = check_name(name or package.name, "deployment")
        valid = chosen.options(options)
        for standing in await self._store.deployments.list(name=name):
            if standing.state in _STANDING and is_just_so(standing, package, chosen, valid):
                return Plan(steps=(_just_so(standing),), resources=())
        return await chosen.plan(package, name, valid)

    async def policies(
        self, target: str, name: str, options: Mapping[str, Any]
    ) -> tuple[Policy, ...]:
        """The least rights that deploying with these options needs."""
        chosen = await self._targets.get(target)
        if name:
            check_name(name, "deployment")
        return chosen.policies(name, chosen.options(options))

    async def deploy(
        self,
        package_id: str,
        target: str,
        name: str,
        options: Mapping[str, Any],
        progress: Progress,
        require_check: bool = True,
        update: bool = False,
    ) -> Deployment:
        """Run a package on a target; an empty name means the package's own.

        Where the same package runs under that name with the same options, nothing is done, and
        what runs is returned; another one is updated if ``update`` says so. What a process that
        ended left half-made is taken away first. When it fails or is cancelled, what was made is
        taken away again. The record stays, as ``failed``, only if something could not be taken
        away: delete it to try again.
        """
        chosen = await self._targets.get(target)
        package = await self._packaging.get(package_id)
        name = check_name(name or package.name, "deployment")
        if require_check:
            require_passed(package)
        valid = chosen.options(options)
        # The lock makes look-up and saving one step for requests of this process.
        async with self._names:
            half_made = await self._present(name)
            standing = half_made is not None and half_made.state in _STANDING
            updated = update and half_made is not None and half_made.can_update
            if half_made is not None and standing and not (updated and half_made.target == target):
                return _unchanged(half_made, package, chosen, valid, progress)
            if half_made is not None and not standing:
                half_made = await self._claim(half_made)
        if half_made is not None and standing:
            return await self.update(half_made.id, package.id, valid, progress, require_check)
        if half_made is not None:
            progress.phase("resume", "Removing what an earlier attempt left half-made")
            await self._remove(half_made, progress)
        async with self._names:
            await self._require_free(name)
            deployment = Deployment(
                id=f"d-{secrets.token_hex(8)}",
                name=name,
                owner=self._settings.owner,
                created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
                package=package.id,
                target=target,
                options=valid,
                state=DeploymentState.CREATING,
                details={"pid": os.getpid(), UNFINISHED: True},
            )
            await self._store.deployments.save(deployment)
        latest = deployment

        async def save(changed: Deployment) -> None:
            nonlocal latest
            latest = changed
            await self._store.deployments.save(changed)

        try:
            running = await chosen.deploy(package, deployment, progress, save)
        except BaseException as error:
            # The work may have been cancelled; taking away what it made may not be.
            await to_the_end(self._undo(chosen, latest, error, progress))
            raise
        details = {k: v for k, v in running.details.items() if k not in ("pid", UNFINISHED)}
        running = replace(running, details=details)
        await self._store.deployments.save(running)
        return running

    async def _undo(
        self, target: Target, deployment: Deployment, error: BaseException, progress: Progress
    ) -> None:
        """Take away what a failed deployment left, then its record."""
        if any(not resource.kept for resource in deployment.resources):
            try:
                await target.delete(deployment, progress)
            except MlopsError as second:
                reason = error.message if isinstance(error, MlopsError) else "Cancelled."
                message = f"{reason} Not everything could be removed: {second}"
                progress.log(message + "\n")
                failed = replace(deployment, state=DeploymentState.FAILED, message=message)
                await self._store.deployments.save(failed)
                return
        await self._store.deployments.delete(deployment.id)

    async def _present(self, name: str) -> Deployment | None:
        """Of that name: one that runs, or one that its maker left half-made. Raises ConflictError
        for any other."""
        named = await self._store.deployments.list(name=name)
        found = await self._records.refresh(named[0]) if named else None
        if found is None or found.state in _STANDING:
            return found
        if found.state is DeploymentState.FAILED and found.details.get(UNFINISHED):
            return found
        raise ConflictError(
            f"There is a deployment named {name!r} already: it is {found.state.value}. "
            f"{found.message}".rstrip(),
            "Choose another name, or delete that deployment first.",
        )

    async def _claim(self, half_made: Deployment) -> Deployment:
        """Ours to take away: another request of that name meanwhile is told that it is being
        made."""
        claimed = replace(
            half_made,
            state=DeploymentState.CREATING,
            created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            details={**half_made.details, "pid": os.getpid()},
        )
        await self._store.deployments.save(claimed)
        return claimed

    async def _remove(self, half_made: Deployment, progress: Progress) -> None:
        try:
            await (await self._targets.get(half_made.target)).delete(half_made, progress)
        except BaseException as error:
            reason = error.message if isinstance(error, MlopsError) else "Cancelled."
            failed = replace(half_made, state=DeploymentState.FAILED, message=reason)
            await to_the_end(self._store.deployments.save(failed))
            raise
        await self._store.deployments.delete(half_made.id)

    async def _require_free(self, name: str) -> None:
        if await self._store.deployments.list(name=name):
            raise ConflictError(
                f"There is a deployment named {name!r} already.",
                "Choose another name, or delete that deployment first.",
            )

    # ----------------------------------------------------------------------- changing

    async def update(
        self,
        deployment_id: str,
        package_id: str,
        options: Mapping[str, Any],
        progress: Progress,
        require_check: bool = True,
    ) -> Deployment:
        """Another package (empty: the same) or other options for what runs. It goes on answering
        meanwhile, and stays as it was if that fails. The same as before changes nothing."""
        return await self._changes.update(
            deployment_id, package_id, options, progress, require_check
        )

    async def roll_back(self, deployment_id: str, progress: Progress) -> Deployment:
        """To what it was before its last update."""
        return await self._changes.roll_back(deployment_id, progress)

    async def review(self, deployment_id: str, approved: bool, note: str = "") -> Deployment:
        """Approve or reject a version in a registry of models."""
        return await self._changes.review(deployment_id, approved, note)

    # --------------------------------------------------------------------- what it does

    async def invoke(
        self,
        deployment_id: str,
        body: bytes | None = None,
        content_type: str = "",
        accept: str = "",
    ) -> Invocation:
        """Ask for one prediction; no body means the package's recorded sample."""
        answer, _ = await self.invoke_often(deployment_id, 1, body, content_type, accept)
        return answer

    async def invoke_often(
        self,
        deployment_id: str,
        times: int,
        body: bytes | None = None,
        content_type: str = "",
        accept: str = "",
    ) -> tuple[Invocation, Latencies]:
        """The same request some times, one after the other: the last answer, and how long they
        took."""
        return await self._invoking.invoke(deployment_id, body, content_type, accept, times)

    async def follow_logs(self, deployment_id: str) -> AsyncIterator[str]:
        """The log as it grows; does not end by itself."""
        deployment = await self._records.record(deployment_id)
        async for text in follow(await self._targets.get(deployment.target), deployment):
            yield text

    async def logs(self, deployment_id: str) -> str:
        """The last lines its container wrote."""
        deployment = await self._records.record(deployment_id)
        target = await self._targets.get(deployment.target)
        return await target.logs(deployment)

    async def stop(self, deployment_id: str, progress: Progress) -> Deployment:
        """End what runs, and keep it for ``start``; one that does not run stays as it is."""
        deployment = await self.get(deployment_id)
        target = await self._targets.get(deployment.target)
        if deployment.can_stop and deployment.state is not DeploymentState.RUNNING:
            return deployment
        stopped = await target.stop(deployment, progress)
        await self._records.save_if_present(stopped)
        return stopped

    async def start(self, deployment_id: str, progress: Progress) -> Deployment:
        """Run what was stopped; one that runs stays as it is."""
        deployment = await self.get(deployment_id)
        target = await self._targets.get(deployment.target)
        if deployment.can_stop and deployment.state is DeploymentState.RUNNING:
            return deployment
        started = await target.start(deployment, progress)
        await self._records.save_if_present(started)
        return started

    async def delete(self, deployment_id: str, progress: Progress) -> None:
        """Take away everything it made on its target, then the record."""
        deployment = await self._records.record(deployment_id)
        if being_made(deployment):
            raise ConflictError(
                f"The deployment {deployment.name!r} is still being made.",
                "Cancel the operation that makes it; that removes it.",
            )
        require_unchanged(deployment)
        target = await self._targets.get(deployment.target)
        deleting = replace(deployment, state=DeploymentState.DELETING, message="")
        await self._store.deployments.save(deleting)
        try:
            await target.delete(deployment, progress)
        except BaseException as error:
            reason = error.message if isinstance(error, MlopsError) else "Deleting was cancelled."
            failed = replace(deployment, state=DeploymentState.FAILED, message=reason)
            await to_the_end(self._store.deployments.save(failed))
            raise
        await self._store.deployments.delete(deployment.id)


def _unchanged(
    running: Deployment,
    package: ModelPackage,
    target: Target,
    options: Mapping[str, Any],
    progress: Progress,
) -> Deployment:
    """The deployment as it is, where it is what was asked for; else raises ConflictError."""
    if not is_just_so(running, package, target, options):
        update = f"Update it (jupyter mlops deployment update {running.name}), or choose "
        raise ConflictError(
            f"There is a deployment named {running.name!r} already, with another package or "
            "other options.",
            f"{update}another name."
            if running.can_update
            else "Choose another name, or delete that deployment first.",
        )
    progress.phase("unchanged", _just_so(running))
    return running


def _just_so(standing: Deployment) -> str:
    return f"{standing.name} is {standing.state.value} already, just so: nothing needs to be done"
