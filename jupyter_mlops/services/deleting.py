"""Deleting environments and old revisions: what may go, what space comes back."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ..core.deletion import Deletion, Kept
from ..core.environment import Environment
from ..core.errors import ConflictError, NotFoundError
from ..core.ports import Blobs, EngineProvider, KernelSpecs, Store
from ..core.revision import Revision
from ..core.settings import Settings
from .blob_use import release
from .build_steps.container import remove_own
from .ownership import discard_warm
from .parents import Family
from .space import LayerSpace


class Deleting:
    """A snapshot has an image of its own, so it stays whole when its revision goes; only single
    old revisions that snapshots came from are left alone, since they are compared with them."""

    def __init__(
        self,
        *,
        settings: Settings,
        store: Store,
        engines: EngineProvider,
        blobs: Blobs,
        kernel_specs: KernelSpecs,
        is_building: Callable[[str], bool],
    ) -> None:
        self._settings = settings
        self._store = store
        self._engines = engines
        self._blobs = blobs
        self._kernel_specs = kernel_specs
        self._is_building = is_building

    # ------------------------------------------------------------------------ look before

    async def of_environment(self, name: str) -> Deletion:
        """An environment with all its revisions and its home folder.

        Raises NotFoundError, and ConflictError while it is being built, kernels of it run or
        others start from it."""
        await self._environment(name)
        running = await self._running(name)
        if running:
            count = sum(running.values())
            kernels = "A kernel of it runs" if count == 1 else f"{count} kernels of it run"
            raise ConflictError(
                f"The environment {name!r} cannot be deleted now. {kernels}.",
                "Shut the kernels down first.",
            )
        children = (await Family.read(self._store)).children(name)
        if children:
            raise ConflictError(
                f"The environment {name!r} cannot be deleted: {', '.join(children)} "
                f"{'starts' if len(children) == 1 else 'start'} from it.",
                "Delete that first, or let it start from another base.",
            )
        revisions = await self._store.revisions.list(environment=name)
        home = await asyncio.to_thread(_size, self._home(name))
        return await self._plan(revisions, environments=(name,), home=home)

    async def of_revision(self, name: str, number: int) -> Deletion:
        """One revision that nothing needs. Raises NotFoundError, ConflictError."""
        environment = await self._environment(name)
        revision = await self._store.revisions.get(f"{name}@{number}")
        if revision is None:
            raise NotFoundError(
                f"The environment {name!r} has no revision {number}.",
                f"See `jupyter mlops env show {name}`.",
            )
        reason = (await self._reasons(environment)).get(number)
        if reason:
            raise ConflictError(
                f"Revision {number} of {name} cannot be deleted: {reason}.",
                "Old revisions that nothing needs go with `jupyter mlops env prune`.",
            )
        return await self._plan([revision])

    async def of_old(self, name: str = "") -> Deletion:
        """All revisions that are not active and that nothing needs: those of ``name``, or of
        every environment that is not being built."""
        found = [await self._environment(name)] if name else await self._store.environments.list()
        going: list[Revision] = []
        kept: list[Kept] = []
        for environment in found:
            if self._is_building(environment.name):
                continue
            reasons = await self._reasons(environment)
            for revision in await self._store.revisions.list(environment=environment.name):
                reason = reasons.get(revision.number)
                if not reason:
                    going.append(revision)
                elif revision.number != environment.active:
                    kept.append(Kept(_key(revision), reason))
        return await self._plan(going, kept=kept)

    # ---------------------------------------------------------------------------- do it

    async def carry_out(self, plan: Deletion) -> Deletion:
        """Remove images, records and kernels' entries; what came back is measured."""
        engine = await self._engines.engine()
        for name in {key.partition("@")[0] for key in plan.revisions}.union(plan.environments):
            await discard_warm(self._settings, self._store, self._engines, name)
        revisions = [r for key in plan.revisions if (r := await self._store.revisions.get(key))]
        space = await LayerSpace.of(engine, [(r.image, r.ref) for r in revisions])
        for revision in revisions:
            await remove_own(engine, revision.ref, revision.image)
            await self._store.revisions.delete(_key(revision))
        home = 0
        for name in plan.environments:
            self._kernel_specs.remove(name)
            await self._store.environments.delete(name)
            home += await asyncio.to_thread(_removed, self._home(name))
        for name in {r.environment for r in revisions}.difference(plan.environments):
            environment = await self._environment(name)
            left = await self._store.revisions.list(environment=name)
            self._kernel_specs.install_environment(environment, left)
        digests = [d for r in revisions for d in (r.lock, r.inventory, r.spec.smoke_notebook)]
        digests += [r.smoke.notebook for r in revisions if r.smoke]
        await release(self._store, self._blobs, digests)
        space = await space.after(engine)
        return replace(plan, freed=space.freed + home, shared=space.shared, home=home)

    # --------------------------------------------------------------------------- private

    async def _plan(
        self,
        revisions: Sequence[Revision],
        environments: tuple[str, ...] = (),
        home: int = 0,
        kept: Sequence[Kept] = (),
    ) -> Deletion:
        engine = await self._engines.engine()
        # Newest first: an engine removes an image only after what was made of it.
        order = sorted(revisions, key=lambda r: (r.environment, -r.number))
        space = await LayerSpace.of(engine, [(r.image, r.ref) for r in order])
        return Deletion(
            environments=environments,
            revisions=tuple(_key(r) for r in order),
            freed=space.freed + home,
            shared=space.shared,
            home=home,
            kept=tuple(kept),
        )

    async def _environment(self, name: str) -> Environment:
        environment = await self._store.environments.get(name)
        if environment is None:
            raise NotFoundError(
                f"There is no environment named {name!r}.",
                "See `jupyter mlops env list`, or the sidebar, for those there are.",
            )
        if self._is_building(name):
            raise ConflictError(f"The environment {name!r} is being built.", "Cancel that first.")
        return environment

    async def _reasons(self, environment: Environment) -> dict[int, str]:
        """Why a revision is needed, by its number; those that are not there are not needed."""
        name = environment.name
        reasons: dict[int, str] = {}
        for snapshot in await self._store.snapshots.list():
            if snapshot.environment == name and not snapshot.origin:
                reasons[snapshot.revision] = f"the snapshot {snapshot.name} was made from it"
        for child in await self._store.revisions.list():
            parent, _, built_on = child.parent.partition("@")
            if parent == name:
                reasons[int(built_on)] = f"{_key(child)} was built on it"
        for other in await self._store.environments.list():
            parent, _, which = other.spec.base.partition("@")
            pinned = which.removeprefix("r")
            if parent == name and pinned.isdigit():
                reasons[int(pinned)] = f"{other.name} starts from it"
        for number in await self._running(name):
            reasons[number] = "a kernel of it runs"
        if environment.active:
            reasons[environment.active] = "it is the active one"
        return reasons

    async def _running(self, name: str) -> dict[int, int]:
        """How many kernels run, by revision."""
        engine = await self._engines.engine()
        found: dict[int, int] = {}
        for record in await self._store.kernels.list(environment=name):
            if record.warm:
                continue  # It is removed with its image.
            state = await engine.inspect(record.container)
            if not record.snapshot and state and state.phase in ("running", "paused", "created"):
                found[record.revision] = found.get(record.revision, 0) + 1
        return found

    def _home(self, name: str) -> Path:
        return self._settings.data / "homes" / name


def _key(revision: Revision) -> str:
    return f"{revision.environment}@{revision.number}"


def _size(folder: Path) -> int:
    """Bytes on the disk; what cannot be read counts nothing."""
    total = 0
    for parent, _, files in os.walk(folder):
        for file in files:
            try:
                total += (Path(parent) / file).lstat().st_blocks * 512
            except OSError:
                continue
    return total


def _removed(folder: Path) -> int:
    before = _size(folder)
    shutil.rmtree(folder, ignore_errors=True)
    return before - _size(folder)
