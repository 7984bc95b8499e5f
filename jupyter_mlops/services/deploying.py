"""Deployments: model packages running on targets."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, Protocol

import anyio

from ..core.deployment import Deployment, DeploymentState, Invocation, Plan, Policy, TargetInfo
from ..core.environment import check_name
from ..core.errors import (
    ConflictError,
    ContractFailedError,
    InvalidError,
    MlopsError,
    NotFoundError,
    UnsupportedError,
)
from ..core.model_package import ModelPackage
from ..core.ports import EngineProvider, Progress, Store, Target
from ..core.settings import Settings
from .processes import started_after

_REFRESH_SECONDS = 15.0
"""A list is not held up longer than this by a target that does not answer."""


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
        self._engines = engines
        self._packaging = packaging
        self._makers = targets
        self._made: dict[str, Target] = {}
        self._names = asyncio.Lock()

    # ------------------------------------------------------------------------- targets

    async def targets(self) -> list[TargetInfo]:
        """All installed targets, also those that cannot be used now, and why."""
        return list(await asyncio.gather(*(self._info(name) for name in sorted(self._makers))))

    async def _info(self, name: str) -> TargetInfo:
        try:
            target = await self._target(name)
            schema = await anyio.to_thread.run_sync(target.options_schema)
        except MlopsError as error:
            return TargetInfo(name, name, "", {}, (str(error),))
        try:
            problems = await asyncio.wait_for(target.check(), _REFRESH_SECONDS)
        except asyncio.TimeoutError:
            problems = [f"{target.title} does not answer. Check the network, then try again."]
        except MlopsError as error:
            problems = [str(error)]
        return TargetInfo(name, target.title, target.description, schema, tuple(problems))

    async def schema(self, name: str) -> dict[str, Any]:
        """JSON Schema of one target's options."""
        target = await self._target(name)
        return await anyio.to_thread.run_sync(target.options_schema)

    async def _target(self, name: str) -> Target:
        if name not in self._makers:
            known = ", ".join(sorted(self._makers)) or "none is installed"
            raise NotFoundError(f"There is no target {name!r}.", f"Targets: {known}.")
        if name not in self._made:
            try:
                # Importing a target may read a large library from disk.
                made = await anyio.to_thread.run_sync(self._makers[name])
            except ImportError as error:
                raise UnsupportedError(
                    f"The target {name!r} cannot be loaded: {error}.",
                    "Install what is missing, then restart.",
                ) from error
            self._made.setdefault(name, made)
        return self._made[name]

    # ----------------------------------------------------------------------- deploying

    async def plan(
        self, package_id: str, target: str, name: str, options: Mapping[str, Any]
    ) -> Plan:
        """What ``deploy`` would create. Creates nothing."""
        chosen = await self._target(target)
        package = await self._packaging.get(package_id)
        name = check_name(name or package.name, "deployment")
        return await chosen.plan(package, name, chosen.options(options))

    async def policies(
        self, target: str, name: str, options: Mapping[str, Any]
    ) -> tuple[Policy, ...]:
        """The least rights that deploying with these options needs."""
        chosen = await self._target(target)
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
    ) -> Deployment:
        """Run a package on a target; an empty name means the package's own.

        When it fails or is cancelled, what was made is taken away again. The record stays, as
        ``failed``, only if something could not be taken away: delete it to try again.
        """
        chosen = await self._target(target)
        package = await self._packaging.get(package_id)
        name = check_name(name or package.name, "deployment")
        if require_check:
            _require_passed(package)
        valid = chosen.options(options)
        # The lock makes look-up and saving one step for requests of this process.
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
                details={"pid": os.getpid()},
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
            await _finish(self._undo(chosen, latest, error, progress))
            raise
        details = {key: value for key, value in running.details.items() if key != "pid"}
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

    async def _require_free(self, name: str) -> None:
        if await self._store.deployments.list(name=name):
            raise ConflictError(
                f"There is a deployment named {name!r} already.",
                "Choose another name, or delete that deployment first.",
            )

    # ------------------------------------------------------------------------- records

    async def list(self, limit: int | None = None, after: str = "") -> list[Deployment]:
        """Newest first, each with its live state."""
        records = await self._store.deployments.list(limit=limit, after=after)
        return [*await asyncio.gather(*(self._refresh(record) for record in records))]

    async def get(self, deployment_id: str) -> Deployment:
        """By id or name, with its live state."""
        return await self._refresh(await self._record(deployment_id))

    async def _record(self, deployment_id: str) -> Deployment:
        record = await self._store.deployments.get(deployment_id)
        if record is None:
            named = await self._store.deployments.list(name=deployment_id)
            record = named[0] if named else None
        if record is None:
            raise NotFoundError(f"There is no deployment {deployment_id!r}.")
        return record

    async def _refresh(self, record: Deployment) -> Deployment:
        """Ask the target; a target that does not answer leaves the last known state."""
        if "pid" in record.details and record.state is DeploymentState.CREATING:
            return await self._creating(record)
        if record.state is DeploymentState.DELETING:
            return record
        try:
            target = await self._target(record.target)
            seen = await asyncio.wait_for(target.describe(record), _REFRESH_SECONDS)
        except asyncio.TimeoutError:
            return replace(record, message="Its target does not answer; this state may be old.")
        except MlopsError as error:
            return replace(record, message=f"This state may be old: {error.message}")
        if seen != record:
            await self._save_if_present(seen)
        return seen

    async def _creating(self, record: Deployment) -> Deployment:
        """While it is being made its maker writes the record; a dead maker never will."""
        if _being_made(record):
            return record
        details = {key: value for key, value in record.details.items() if key != "pid"}
        failed = replace(
            record,
            state=DeploymentState.FAILED,
            details=details,
            message="The process that made it ended first. Delete it to remove what it had made.",
        )
        await self._save_if_present(failed)
        return failed

    async def _save_if_present(self, record: Deployment) -> None:
        # Deleted meanwhile: a save would bring it back.
        if await self._store.deployments.get(record.id) is not None:
            await self._store.deployments.save(record)

    # --------------------------------------------------------------------- what it does

    async def invoke(
        self,
        deployment_id: str,
        body: bytes | None = None,
        content_type: str = "",
        accept: str = "",
    ) -> Invocation:
        """Ask for one prediction; no body means the package's recorded sample."""
        deployment = await self.get(deployment_id)
        if deployment.state is not DeploymentState.RUNNING:
            raise ConflictError(
                f"The deployment {deployment.name!r} does not answer requests: it is "
                f"{deployment.state.value}. {deployment.message}".rstrip(),
                "Wait until it runs, or read its logs.",
            )
        if body is None:
            package = await self._packaging.get(deployment.package)
            body = await self._packaging.sample_body(package)
            content_type = content_type or package.sample.content_type
            accept = accept or package.sample.accept
        if not content_type:
            raise InvalidError(
                "The request has no content type.", "Say what it is: application/json, text/csv, …"
            )
        target = await self._target(deployment.target)
        started = time.perf_counter()
        answer = await target.invoke(deployment, body, content_type, accept or "application/json")
        return answer if answer.seconds else replace(answer, seconds=_since(started))

    async def logs(self, deployment_id: str) -> str:
        """The last lines its container wrote."""
        deployment = await self._record(deployment_id)
        target = await self._target(deployment.target)
        return await target.logs(deployment)

    async def stop(self, deployment_id: str, progress: Progress) -> Deployment:
        """End what runs, and keep it for ``start``; one that does not run stays as it is."""
        deployment = await self.get(deployment_id)
        target = await self._target(deployment.target)
        if deployment.can_stop and deployment.state is not DeploymentState.RUNNING:
            return deployment
        stopped = await target.stop(deployment, progress)
        await self._save_if_present(stopped)
        return stopped

    async def start(self, deployment_id: str, progress: Progress) -> Deployment:
        """Run what was stopped; one that runs stays as it is."""
        deployment = await self.get(deployment_id)
        target = await self._target(deployment.target)
        if deployment.can_stop and deployment.state is DeploymentState.RUNNING:
            return deployment
        started = await target.start(deployment, progress)
        await self._save_if_present(started)
        return started

    async def delete(self, deployment_id: str, progress: Progress) -> None:
        """Take away everything it made on its target, then the record."""
        deployment = await self._record(deployment_id)
        if _being_made(deployment):
            raise ConflictError(
                f"The deployment {deployment.name!r} is still being made.",
                "Cancel the operation that makes it; that removes it.",
            )
        target = await self._target(deployment.target)
        deleting = replace(deployment, state=DeploymentState.DELETING, message="")
        await self._store.deployments.save(deleting)
        try:
            await target.delete(deployment, progress)
        except BaseException as error:
            reason = error.message if isinstance(error, MlopsError) else "Deleting was cancelled."
            failed = replace(deployment, state=DeploymentState.FAILED, message=reason)
            await _finish(self._store.deployments.save(failed))
            raise
        await self._store.deployments.delete(deployment.id)


def _require_passed(package: ModelPackage) -> None:
    """Raise ContractFailedError unless this very image passed its check."""
    report = package.report
    if report is None or report.image != package.image:
        raise ContractFailedError(
            f"The package {package.name!r} has not been checked.",
            "Check it first; a package that fails here would fail on its target too.",
        )
    if not report.passed:
        failed = [check.title for check in report.checks if not check.passed]
        raise ContractFailedError(
            f"The package {package.name!r} failed its check: {', '.join(failed)}.",
            "The report says what to do for each; then make the package again.",
        )


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 6)


def _being_made(record: Deployment) -> bool:
    """Whether the process that makes it still runs."""
    pid = int(record.details.get("pid", 0))
    if record.state is not DeploymentState.CREATING or pid <= 0:
        return False
    return started_after(pid, record.created) is False


async def _finish(work: Any) -> None:
    """Await to the end, also when the surrounding task is cancelled again meanwhile."""
    task = asyncio.ensure_future(work)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
    task.result()
