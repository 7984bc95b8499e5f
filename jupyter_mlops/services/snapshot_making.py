"""Making one snapshot: freeze, inventory, files, bundle; all of it or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread

from ..core import pylock
from ..core.bundle import identified
from ..core.environment import check_name
from ..core.errors import MlopsError
from ..core.inventory import Inventory, diff
from ..core.kernel import KernelRecord
from ..core.layout import (
    ENV_PREFIX,
    LABEL_ENVIRONMENT,
    LABEL_KIND,
    LABEL_OWNER,
    LABEL_REVISION,
    PATH,
)
from ..core.ports import Blobs, Engine, ImageConfig, Progress
from ..core.settings import Settings
from ..core.snapshot import Member, Snapshot, WorkspaceSummary
from . import bundles, workspaces
from .ending import to_the_end
from .freezing import check_alive, freeze
from .git_state import git_state
from .package_index import lock_entries
from .reproducing_text import reproducing_text

if TYPE_CHECKING:
    from .environments import Environments


@dataclass(frozen=True)
class Source:
    """What the kernel's container was made from: a revision, or another snapshot."""

    environment: str
    revision: int
    base_image: str
    lock: str
    """The text of its pylock.toml."""
    inventory: Inventory
    variables: Mapping[str, str]


async def make(
    *,
    settings: Settings,
    engine: Engine,
    blobs: Blobs,
    environments: Environments,
    record: KernelRecord,
    source: Source,
    name: str,
    note: str,
    exclude: Sequence[str],
    progress: Progress,
    save: Callable[[Snapshot], Awaitable[None]],
    release: Callable[[Sequence[str]], Awaitable[None]],
) -> Snapshot:
    """``save`` makes it known; ``release`` removes blobs that nothing refers to."""
    check_name(name, "snapshot")
    started = _now()
    progress.phase("freeze", "Looking at the project's files")
    # First what may be refused: nobody waits for an engine to learn of a file that is too large.
    await check_alive(engine, record.container)
    project = Path(record.project)
    workspace = await anyio.to_thread.run_sync(workspaces.walk, project, exclude)
    workspace.check(settings.workspace_cap)
    bundle = _Bundle(blobs)
    image = ref = ""
    try:
        progress.update("Copying what changed in the kernel's container")
        image = await freeze(
            engine,
            record.container,
            datetime.fromisoformat(record.started).timestamp(),
            _config(settings, source),
            progress,
            settings.runtime,
        )
        progress.phase("inventory", "Listing what is installed")
        inventory = await environments.probe(image)
        drift = diff(source.inventory, inventory)
        progress.update(drift.summary())
        await bundle.add("inventory", bundles.inventory_json(inventory))
        wanted = pylock.outdated(source.lock, inventory)
        asking = asyncio.create_task(lock_entries(settings, inventory, wanted))
        try:
            progress.phase(
                "files", f"{len(workspace.taken)} files, {workspaces.megabytes(workspace.size)}"
            )
            archive = await bundle.pack(workspace)
            git = await anyio.to_thread.run_sync(git_state, project)
            outputs = await anyio.to_thread.run_sync(
                bundles.outputs_json, archive, workspace.notebooks
            )
            progress.phase("bundle", "Writing lock, bill of materials and provenance")
            bill = await anyio.to_thread.run_sync(
                bundles.sbom, inventory, name, image, started, _version()
            )
            entries = await asking
        finally:
            asking.cancel()
        lock = pylock.updated(source.lock, inventory, entries) if not drift.empty else source.lock
        lock = pylock.with_r(lock, inventory)
        for missing in pylock.unresolved(lock):
            progress.log(f"The lock cannot bring back {missing}; the image has it.\n")
        await bundle.add("outputs", outputs)
        await bundle.add("lock", lock.encode())
        made = await engine.image(image)
        below = await engine.image(record.image)
        snapshot = Snapshot(
            id="",
            name=name,
            owner=settings.owner,
            created=started,
            environment=source.environment,
            revision=source.revision,
            image=image,
            ref="",
            base_image=source.base_image,
            revision_image=record.image,
            drift=drift,
            workspace=WorkspaceSummary(
                files=len(workspace.taken),
                size=workspace.size,
                notebooks=workspace.notebooks,
                skipped=workspace.skipped,
                git=git,
            ),
            members=(),
            note=note,
            language=record.language,
            variables=dict(source.variables),
            size=max(0, made.size - below.size) if made and below else 0,
        )
        capabilities = await engine.info()
        await bundle.add("sbom", bill)
        await bundle.add("readme", reproducing_text(snapshot, inventory))
        await bundle.add(
            "provenance",
            bundles.provenance(snapshot, bundle.members, capabilities.title, _now(), _version()),
        )
        snapshot = identified(replace(snapshot, members=bundle.members))
        ref = f"mlops/snapshot/{snapshot.id}:latest"
        snapshot = replace(snapshot, ref=ref)
        await engine.tag(image, ref)
        await save(snapshot)
    except BaseException:
        await to_the_end(_undo(engine, image, ref, bundle, release))
        raise
    progress.update(f"{snapshot.name}: {drift.summary()}, {len(workspace.taken)} files", 1.0)
    return snapshot


class _Bundle:
    """The members put so far."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._members: dict[str, Member] = {}

    @property
    def members(self) -> tuple[Member, ...]:
        """In the order of ``bundles.TITLES``."""
        return tuple(self._members[role] for role in bundles.TITLES if role in self._members)

    async def add(self, role: str, content: bytes) -> None:
        digest = await self._blobs.put(content)
        self._members[role] = bundles.member(role, digest, len(content))

    async def pack(self, workspace: workspaces.Workspace) -> Path:
        """The project's files; returns where the archive is now."""
        scratch = self._blobs.scratch()
        try:
            await anyio.to_thread.run_sync(workspaces.pack, workspace, scratch)
            digest = await self._blobs.put(scratch)
        finally:
            scratch.unlink(missing_ok=True)
        self._members["workspace"] = bundles.member("workspace", digest, self._blobs.size(digest))
        return self._blobs.path(digest)


def _config(settings: Settings, source: Source) -> ImageConfig:
    labels = {
        LABEL_KIND: "snapshot",
        LABEL_OWNER: settings.owner,
        LABEL_ENVIRONMENT: source.environment,
        LABEL_REVISION: str(source.revision) if source.revision else "",
    }
    return ImageConfig(
        labels={name: value for name, value in labels.items() if value},
        environment={**source.variables, "PATH": PATH, "VIRTUAL_ENV": ENV_PREFIX},
        # As the revision below. Left empty, Docker keeps the uid of whoever ran the kernel.
        user="0:0",
    )


async def _undo(
    engine: Engine,
    image: str,
    ref: str,
    bundle: _Bundle,
    release: Callable[[Sequence[str]], Awaitable[None]],
) -> None:
    await release([member.digest for member in bundle.members])
    for name in (ref, image):
        if name:
            # The engine stopped in the middle? What led here says so.
            with suppress(MlopsError):
                await engine.remove_image(name, force=True)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _version() -> str:
    try:
        return version("jupyter_mlops")
    except PackageNotFoundError:  # A source tree that was never installed.
        return "dev"
