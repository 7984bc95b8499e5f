"""Builds that tell what they changed, and the environments that follow another one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ..core.environment import EnvironmentSpec
from ..core.errors import NotFoundError
from ..core.inventory import InventoryDiff
from ..core.operation import Operation, OperationState
from ..core.ports import Progress
from ..core.revision import Built
from ..core.settings import Settings
from .environments import Environments
from .operations import Operations


class Rebuilds:
    """When another revision becomes active, environments on ``name@active`` are built anew.

    Each in an operation of its own, bounded as all builds are. What is built from a follower
    follows in turn.
    """

    def __init__(
        self, settings: Settings, environments: Environments, operations: Operations
    ) -> None:
        self._settings = settings
        self._environments = environments
        self._operations = operations

    async def build(
        self,
        spec: EnvironmentSpec,
        progress: Progress,
        *,
        replace: bool = False,
        upgrade: bool = False,
        keep_spec: bool = False,
    ) -> Built:
        """As ``Environments.build``, and what that changed."""
        try:
            previous = (await self._environments.get(spec.name)).active
        except NotFoundError:
            previous = 0
        revision = await self._environments.build(
            spec, progress, replace, upgrade=upgrade, keep_spec=keep_spec
        )
        return await self._environments.compared(previous, revision)

    async def followers(self, name: str) -> list[str]:
        """Who is to be built anew, since ``name`` has another active revision than the one they
        were built on; by name. Empty where that is switched off."""
        if not self._settings.rebuild_children:
            return []
        image = (await self._environments.revision(name)).image
        found = []
        for child in (await self._environments.family()).followers(name):
            if (await self._environments.revision(child)).base_image != image:
                found.append(child)
        return found

    async def rebuild(self, name: str, parent: str, progress: Progress) -> Built:
        """Build what is active of ``name`` on what is active of ``parent`` now.

        The active revision, unchanged, when ``name`` does not start from it any more.
        """
        # It may be built just now, on the parent as it was.
        await self._environments.idle(name)
        spec = await self._environments.active_spec(name)
        active = await self._environments.revision(name)
        if spec.base != f"{parent}@active":
            progress.log(f"{name} does not start from {parent}@active any more\n")
            return Built(active, active.number, InventoryDiff())
        number = (await self._environments.revision(parent)).number
        progress.log(f"{name} starts from {parent}@active, and that is revision {number} now\n")
        return await self.build(spec, progress, replace=True, keep_spec=True)

    async def follow(self, name: str) -> list[Operation]:
        """Start a build of each follower of ``name`` in the background."""
        waiting = {o.subject for o in await self._operations.list(kind="build", state="queued")}
        return [
            await self._operations.start("build", child, self._work(child, name))
            for child in await self.followers(name)
            if child not in waiting
        ]

    async def resume(self) -> list[Operation]:
        """Start the builds of followers again that ended with the process that ran them."""
        newest: dict[str, Operation] = {}
        for operation in await self._operations.list(kind="build"):
            newest.setdefault(operation.subject, operation)
        stopped = {n for n, o in newest.items() if o.state is OperationState.INTERRUPTED}
        return [
            await self._operations.start("build", child, self._work(child, parent))
            for parent in sorted((await self._environments.family()).followed(stopped))
            for child in await self.followers(parent)
            if child in stopped
        ]

    def _work(self, name: str, parent: str) -> Callable[[Progress], Awaitable[dict[str, Any]]]:
        async def work(progress: Progress) -> dict[str, Any]:
            built = await self.rebuild(name, parent, progress)
            if built.moved:
                await self.follow(name)
            return built.result()

        return work
