"""What runs gets another package or other options, or its former ones back, or is reviewed."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, Protocol

from ..core.deployment import Deployment, DeploymentState
from ..core.errors import ConflictError, NotFoundError, UnsupportedError
from ..core.model_package import ModelPackage
from ..core.ports import Progress, Repository
from .deployment_records import CHANGING, DeploymentRecords, require_unchanged
from .deployment_rules import is_just_so, require_passed
from .ending import to_the_end
from .targets import Targets

Save = Callable[[Deployment], Awaitable[None]]


class Packages(Protocol):
    """What a change needs of packaging."""

    async def get(self, package_id: str) -> ModelPackage: ...


class DeploymentChanges:
    """One change of a deployment at a time, over all processes."""

    def __init__(
        self,
        store: Repository[Deployment],
        records: DeploymentRecords,
        targets: Targets,
        packaging: Packages,
    ) -> None:
        self._store = store
        self._records = records
        self._targets = targets
        self._packaging = packaging

    async def update(
        self,
        deployment_id: str,
        package_id: str,
        given: Mapping[str, Any],
        progress: Progress,
        require_check: bool = True,
    ) -> Deployment:
        """``given`` are the options that change; an empty package is the one that it has."""
        deployment = await self._running(deployment_id)
        target = await self._targets.get(deployment.target)
        if not deployment.can_update:
            raise UnsupportedError(
                f"The deployment {deployment.name!r} cannot be updated.",
                "Deploy the package under another name, and delete this deployment.",
            )
        package = await self._packaging.get(package_id or deployment.package)
        if require_check:
            require_passed(package)
        options = target.options({**deployment.options, **given})
        if is_just_so(deployment, package, target, options):
            progress.phase("unchanged", f"{deployment.name} is so already: nothing is to be done")
            return deployment
        return await self._change(
            deployment,
            lambda record, save: target.update(package, record, options, progress, save),
        )

    async def roll_back(self, deployment_id: str, progress: Progress) -> Deployment:
        """To what it was before its last update."""
        deployment = await self._running(deployment_id)
        if not deployment.can_roll_back:
            raise ConflictError(
                f"The deployment {deployment.name!r} has no former version to go back to.",
                "There is one after an update.",
            )
        target = await self._targets.get(deployment.target)
        former = (deployment.details.get("previous") or {}).get("package", "")
        try:
            package = await self._packaging.get(former)
        except NotFoundError:
            # Its image and files are on the target still; the record here was deleted.
            package = await self._packaging.get(deployment.package)
        return await self._change(
            deployment,
            lambda record, save: target.roll_back(package, record, progress, save),
        )

    async def review(self, deployment_id: str, approved: bool, note: str) -> Deployment:
        """Approve or reject a version in a registry of models."""
        deployment = await self._records.get(deployment_id)
        if not deployment.can_review:
            raise ConflictError(
                f"The deployment {deployment.name!r} is nothing to approve or reject: it is "
                f"{deployment.state.value}.",
                "Only a version in a registry of models is.",
            )
        target = await self._targets.get(deployment.target)
        reviewed = await target.review(deployment, approved, note)
        await self._records.save_if_present(reviewed)
        return reviewed

    # ----------------------------------------------------------------------------------

    async def _running(self, deployment_id: str) -> Deployment:
        deployment = await self._records.get(deployment_id)
        require_unchanged(deployment)
        if deployment.state is not DeploymentState.RUNNING:
            raise ConflictError(
                f"The deployment {deployment.name!r} does not run: it is "
                f"{deployment.state.value}. {deployment.message}".rstrip(),
                "Delete it, and deploy the package again.",
            )
        return deployment

    async def _change(
        self, deployment: Deployment, work: Callable[[Deployment, Save], Awaitable[Deployment]]
    ) -> Deployment:
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        marked = {**deployment.details, CHANGING: {"pid": os.getpid(), "since": now}}
        latest = replace(deployment, details=marked)
        await self._store.save(latest)

        async def save(changed: Deployment) -> None:
            nonlocal latest
            latest = changed
            await self._store.save(changed)

        try:
            latest = await work(latest, save)
        finally:
            # Also after a failure: the record then is of what is still there.
            details = {key: value for key, value in latest.details.items() if key != CHANGING}
            latest = replace(latest, details=details)
            await to_the_end(self._store.save(latest))
        return latest
