"""Taking a snapshot in, from a registry or a file: read, verify, keep.

The id is the digest of the description, which holds the digests of image and files: so whoever
knows the id gets these bytes or an error, wherever they come from.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from ..core import oci_shapes
from ..core.bundle import snapshot_from_config
from ..core.errors import DigestMismatchError, MlopsError, NotFoundError, UnsupportedError
from ..core.image_ref import ImageRef
from ..core.ports import Blobs, Engine, KernelSpecs, Manifest, Progress, Registry, Store
from ..core.snapshot import Snapshot
from .publishing import check_image, local_ref


class Source(Protocol):
    """Where a snapshot's parts come from; every answer is verified against its digest."""

    async def manifest(self, digest: str) -> Manifest: ...

    async def blob(self, digest: str, into: Path) -> None: ...


class RegistrySource:
    """The parts of a snapshot in a project's repository."""

    def __init__(self, registry: Registry, project: ImageRef) -> None:
        self._registry = registry
        self._project = project

    async def manifest(self, digest: str) -> Manifest:
        found = await self._registry.manifest(self._project.with_digest(digest))
        if found is None:
            raise NotFoundError(
                f"A part of the snapshot is missing in {self._project} ({digest[:19]}…).",
                "Somebody has deleted it; publish the snapshot again from where it was made.",
            )
        return found

    async def blob(self, digest: str, into: Path) -> None:
        await self._registry.blob(self._project, digest, into)


@dataclass(frozen=True)
class Received:
    """A snapshot as it was found, verified, nothing of it kept yet."""

    snapshot: Snapshot
    image: Manifest


async def read(source: Source, index: Manifest, blobs: Blobs) -> Received:
    """Follow the index to the snapshot's description; raises InvalidError, NotFoundError and
    DigestMismatchError."""
    shape = oci_shapes.read_snapshot_index(index.content)
    bundle = oci_shapes.read_bundle((await source.manifest(shape.bundle.digest)).content)
    scratch = blobs.scratch()
    try:
        await source.blob(bundle.config.digest, scratch)
        config = scratch.read_bytes()
    finally:
        scratch.unlink(missing_ok=True)
    snapshot = snapshot_from_config(config)
    image = await source.manifest(shape.image.digest)
    check_image(snapshot, image)
    if bundle.subject.digest != shape.image.digest:
        raise DigestMismatchError("The snapshot's files and image do not belong together.")
    return Received(snapshot, image)


class Receiver:
    """Keeps what was found: image, blobs, record and kernel; all of them or none."""

    def __init__(self, store: Store, blobs: Blobs, kernel_specs: KernelSpecs) -> None:
        self._store = store
        self._blobs = blobs
        self._kernel_specs = kernel_specs

    async def keep(
        self,
        engine: Engine,
        source: Source,
        received: Received,
        origin: str,
        fetch: Callable[[], Awaitable[str]],
        unpack: Callable[[Snapshot], Awaitable[None]],
        progress: Progress,
    ) -> Snapshot:
        """``fetch`` brings the image to the engine and returns the name it has there then, which
        is taken away again; ``unpack`` puts the files where the user wants them."""
        snapshot = received.snapshot
        known = await self._store.snapshots.get(snapshot.id)
        ref = local_ref(snapshot.id)
        async with AsyncExitStack() as undo:
            progress.phase("image", "Fetching the image")
            if await engine.image(snapshot.image) is None:
                undo.push_async_callback(_without_image, engine, ref)
                name = await fetch()
                await self._name(engine, snapshot, name, ref)
            elif known is None or not known.ref:
                await engine.tag(snapshot.image, ref)
                undo.push_async_callback(_without_image, engine, ref)
            progress.phase("files", "Fetching files, lock and inventory")
            await self._members(source, snapshot, progress, undo)
            if known is None:
                snapshot = replace(snapshot, ref=ref, origin=origin)
                undo.push_async_callback(self._store.snapshots.delete, snapshot.id)
                undo.callback(self._kernel_specs.remove, snapshot.id)
            else:
                snapshot = replace(known, ref=ref)
            await unpack(snapshot)
            self._kernel_specs.install_snapshot(snapshot)
            await self._store.snapshots.save(snapshot)
            undo.pop_all()
        return snapshot

    async def _name(self, engine: Engine, snapshot: Snapshot, name: str, ref: str) -> None:
        image = await engine.image(snapshot.image)
        if image is None:
            await _without_image(engine, name)
            raise UnsupportedError(
                "The engine gives the image another id than it had where it was made.",
                "Docker does so when it keeps images in containerd: set "
                '"features": {"containerd-snapshotter": false} in its daemon.json.',
            )
        await engine.tag(image.id, ref)
        if name != ref:
            with suppress(MlopsError):
                await engine.remove_image(name)

    async def _members(
        self, source: Source, snapshot: Snapshot, progress: Progress, undo: AsyncExitStack
    ) -> None:
        new: list[str] = []
        undo.callback(self._forget, new)
        for member in snapshot.members:
            if self._blobs.path(member.digest).is_file():
                continue
            progress.update(f"{member.title}, {member.size / 1e6:.1f} MB")
            scratch = self._blobs.scratch()
            try:
                await source.blob(member.digest, scratch)
                new.append(member.digest)
                await self._blobs.put(scratch)
            finally:
                scratch.unlink(missing_ok=True)

    def _forget(self, digests: Sequence[str]) -> None:
        for digest in digests:
            with suppress(OSError):
                self._blobs.path(digest).unlink(missing_ok=True)


async def _without_image(engine: Engine, name: str) -> None:
    with suppress(MlopsError):
        await engine.remove_image(name)
