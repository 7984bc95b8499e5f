"""Snapshots: make them of running kernels, list, compare, unpack and delete them."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread

from ..core.errors import ConflictError, KernelDeadError, NotFoundError
from ..core.inventory import Inventory, InventoryDiff
from ..core.inventory import diff as compare
from ..core.kernel import KernelRecord
from ..core.ports import Blobs, EngineProvider, KernelSpecs, Progress, Store
from ..core.settings import Settings
from ..core.snapshot import FreezePreview, Snapshot
from . import workspaces
from .blob_use import release
from .bundles import read_inventory
from .git_state import git_state
from .snapshot_making import Source, make

if TYPE_CHECKING:
    from .environments import Environments
    from .kernels import Kernels


class Snapshots:
    def __init__(
        self,
        *,
        settings: Settings,
        store: Store,
        engines: EngineProvider,
        blobs: Blobs,
        kernels: Kernels,
        environments: Environments,
        kernel_specs: KernelSpecs,
    ) -> None:
        self._settings = settings
        self._store = store
        self._engines = engines
        self._blobs = blobs
        self._kernels = kernels
        self._environments = environments
        self._kernel_specs = kernel_specs

    # --------------------------------------------------------------------------- making

    async def preview(self, kernel_id: str) -> FreezePreview:
        """What ``create`` would take now. Raises KernelDeadError."""
        record = await self._record(kernel_id)
        project = Path(record.project)
        drift = await self._kernels.drift(kernel_id)
        found = await anyio.to_thread.run_sync(workspaces.walk, project)
        return FreezePreview(
            kernel=kernel_id,
            environment=record.environment,
            revision=record.revision,
            project=record.project,
            drift=drift,
            files=found.entries,
            size=found.size,
            cap=self._settings.workspace_cap,
            git=await anyio.to_thread.run_sync(git_state, project),
        )

    async def create(
        self,
        kernel_id: str,
        name: str,
        note: str,
        progress: Progress,
        exclude: Sequence[str] = (),
    ) -> Snapshot:
        """Freeze a running kernel and bundle its project's files.

        The kernel goes on where it was. ``exclude`` are paths in the project to leave out. On
        failure and when cancelled nothing is left. Raises KernelDeadError, ConflictError (the
        name is taken), InvalidError (too many bytes of files), EngineError.
        """
        await self._check_free(name)
        record = await self._record(kernel_id)
        source = await self._source(record)
        engine = await self._engines.engine()
        return await make(
            settings=self._settings,
            engine=engine,
            blobs=self._blobs,
            environments=self._environments,
            record=record,
            source=source,
            name=name,
            note=note,
            exclude=exclude,
            progress=progress,
            save=self._save,
            release=partial(release, self._store, self._blobs),
        )

    # ------------------------------------------------------------------------- listing

    async def list(
        self, limit: int | None = None, after: str = "", query: str = ""
    ) -> builtins.list[Snapshot]:
        """Newest first. ``after`` is the id of the last one seen; ``query`` is looked for in
        name, note, environment and owner."""
        if not query:
            return await self._store.snapshots.list(limit=limit, after=after)
        needle = query.casefold()
        found = [
            snapshot
            for snapshot in await self._store.snapshots.list(after=after)
            if needle
            in "\n".join(
                (snapshot.id, snapshot.name, snapshot.note, snapshot.environment, snapshot.owner)
            ).casefold()
        ]
        return found[:limit]

    async def get(self, id: str) -> Snapshot:
        """By id, or by a name that only one snapshot has."""
        found = await self._store.snapshots.get(id)
        if found is not None:
            return found
        named = await self._named(id)
        if len(named) == 1:
            return named[0]
        if named:
            ids = ", ".join(snapshot.id for snapshot in named)
            raise ConflictError(f"Several snapshots are called {id}: {ids}.", "Name one by its id.")
        raise NotFoundError(
            f"There is no snapshot {id}.", "`jupyter mlops snapshot list` shows those there are."
        )

    async def member(self, snapshot: Snapshot, role: str) -> bytes:
        """The content of a member of the bundle; NotFoundError."""
        member = snapshot.member(role)
        if member is None:
            raise NotFoundError(f"The snapshot {snapshot.name} has no {role}.")
        return await self._blobs.get(member.digest)

    async def inventory(self, snapshot: Snapshot) -> Inventory:
        """What was installed when it was frozen."""
        return read_inventory(await self.member(snapshot, "inventory"))

    async def probe(self, snapshot: Snapshot) -> Inventory:
        """What is installed in its image, found out now in a fresh container."""
        return await self._environments.probe(snapshot.image)

    async def diff(self, a: str, b: str) -> InventoryDiff:
        """From ``a`` to ``b``: each ``environment@revision``, a snapshot, ``kernel:<id>``, or
        the name of an environment for its active revision."""
        return compare(await self._inventory_of(a), await self._inventory_of(b))

    # --------------------------------------------------------------------------- files

    async def unpack(self, snapshot: Snapshot, directory: Path) -> None:
        """The project's files into ``directory``, which must be empty or not exist."""
        member = snapshot.member("workspace")
        if member is None:
            raise NotFoundError(f"The snapshot {snapshot.name} has no files.")
        await anyio.to_thread.run_sync(
            workspaces.unpack,
            self._blobs.path(member.digest),
            directory,
            snapshot.workspace.size,
        )

    # ------------------------------------------------------------------------- deleting

    async def delete(self, id: str) -> None:
        """Image, files and kernel spec. Raises ConflictError where something still needs it."""
        snapshot = await self.get(id)
        packages = [p.name for p in await self._store.packages.list() if p.snapshot == snapshot.id]
        if packages:
            raise ConflictError(
                f"The snapshot {snapshot.name} is needed by "
                f"{'package' if len(packages) == 1 else 'packages'} {', '.join(packages)}.",
                "Delete those first.",
            )
        kernels = [k for k in await self._store.kernels.list() if k.snapshot == snapshot.id]
        if kernels:
            raise ConflictError(
                f"{len(kernels)} {'kernel runs' if len(kernels) == 1 else 'kernels run'} "
                f"in the snapshot {snapshot.name}.",
                "Shut them down first.",
            )
        if snapshot.ref:
            engine = await self._engines.engine()
            await engine.remove_image(snapshot.ref)
        self._kernel_specs.remove(snapshot.id)
        await self._store.snapshots.delete(snapshot.id)
        await release(self._store, self._blobs, [member.digest for member in snapshot.members])
        (self._settings.data / "reports" / f"{snapshot.id}.json").unlink(missing_ok=True)

    # --------------------------------------------------------------------------- private

    async def _save(self, snapshot: Snapshot) -> None:
        # Again: somebody may have taken the name while the engine was busy.
        await self._check_free(snapshot.name)
        await self._store.snapshots.save(snapshot)
        try:
            self._kernel_specs.install_snapshot(snapshot)
        except BaseException:
            await self._store.snapshots.delete(snapshot.id)
            raise

    async def _check_free(self, name: str) -> None:
        if await self._named(name):
            raise ConflictError(
                f"There is a snapshot called {name} already.", "Choose another name."
            )

    async def _named(self, name: str) -> builtins.list[Snapshot]:
        return [s for s in await self._store.snapshots.list() if s.name == name]

    async def _record(self, kernel_id: str) -> KernelRecord:
        record = await self._store.kernels.get(kernel_id)
        if record is None:
            raise KernelDeadError(
                "This kernel has ended, or it does not run in a container.",
                "Start the notebook in an environment, run it, and freeze while the kernel lives.",
            )
        return record

    async def _source(self, record: KernelRecord) -> Source:
        if record.snapshot:
            parent = await self.get(record.snapshot)
            return Source(
                environment=parent.environment,
                revision=parent.revision,
                base_image=parent.base_image,
                lock=(await self.member(parent, "lock")).decode(),
                inventory=await self.inventory(parent),
                variables=parent.variables,
            )
        revision = await self._environments.revision(record.environment, record.revision)
        return Source(
            environment=record.environment,
            revision=record.revision,
            base_image=revision.base_image,
            lock=await self._environments.lock(revision),
            inventory=await self._environments.inventory(revision),
            variables=revision.spec.variables,
        )

    async def _inventory_of(self, text: str) -> Inventory:
        if text.startswith("kernel:"):
            record = await self._record(text.removeprefix("kernel:"))
            return await self._environments.probe_container(record.container)
        if "@" not in text:
            try:
                return await self.inventory(await self.get(text))
            except NotFoundError:
                if text not in {e.name for e in await self._store.environments.list()}:
                    raise
        _, revision = await self._environments.resolve(text)
        return await self._environments.inventory(revision)
