"""Sharing snapshots: through a registry, or as a file."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from ..core import image_ref, oci_shapes
from ..core.errors import ConflictError, DigestMismatchError, InvalidError, NotFoundError
from ..core.image_ref import ImageRef
from ..core.ports import (
    Blobs,
    Descriptor,
    EngineProvider,
    KernelSpecs,
    Manifest,
    Progress,
    Registries,
    Store,
)
from ..core.settings import Settings
from ..core.snapshot import CatalogueEntry, Finding, Publication, Snapshot
from . import catalogues, publishing, receiving
from .leak_check import LeakCheck

if TYPE_CHECKING:
    from .snapshots import Snapshots


class Sharing:
    def __init__(
        self,
        *,
        settings: Settings,
        store: Store,
        engines: EngineProvider,
        blobs: Blobs,
        snapshots: Snapshots,
        registries: Registries,
        kernel_specs: KernelSpecs,
    ) -> None:
        self._settings = settings
        self._store = store
        self._engines = engines
        self._blobs = blobs
        self._snapshots = snapshots
        self._registries = registries
        self._leaks = LeakCheck(settings, store, blobs, registries)
        self._receiver = receiving.Receiver(store, blobs, kernel_specs)

    # ----------------------------------------------------------------------- publishing

    async def findings(self, snapshot_id: str) -> list[Finding]:
        """What in this snapshot looks like a secret. The first time an image is looked at takes
        seconds; afterwards the answer is remembered."""
        snapshot = await self._snapshots.get(snapshot_id)
        return await self._leaks.findings(await self._engines.engine(), snapshot)

    async def publish(
        self, snapshot_id: str, project: str, progress: Progress, allow: Sequence[str] = ()
    ) -> Snapshot:
        """Send a snapshot to a project, ``registry/team/name``; empty is the configured one.

        Nothing travels before the search for secrets has ended. Raises SecretsFoundError for
        findings in files that are not in ``allow``, Registry* errors, EngineError.
        """
        snapshot = await self._snapshots.get(snapshot_id)
        target = self.project(project)
        registry = self._registries.registry(target.registry)
        engine = await self._engines.engine()
        await publishing.local_image(engine, snapshot)
        try:
            progress.phase("check", "Searching for secrets")
            await registry.tags(target)  # Nobody waits for the search to hear of a wrong address.
            findings = await self._leaks.findings(engine, snapshot)
            self._leaks.require(findings, allow)

            progress.phase("image", f"Sending the image to {target.registry}")
            image = await publishing.push_image(engine, registry, snapshot, target, progress)

            progress.phase("bundle", "Sending files, lock and inventory")

            async def put(digest: str, content: Path | bytes) -> None:
                await registry.put_blob(target, digest, content)

            bundle = await publishing.put_bundle(self._blobs, snapshot, image, put)
            index = publishing.index(snapshot, image, bundle, target.name)
            for tag, manifest in (
                (publishing.bundle_tag(snapshot.id), bundle),
                (snapshot.id, index),
            ):
                await registry.put_manifest(
                    target.with_tag(tag), manifest.media_type, manifest.content
                )
            progress.phase("verify", "Reading back what arrived")
            found = await registry.manifest(target.with_tag(snapshot.id))
            if found is None or found.digest != index.digest:
                raise DigestMismatchError(
                    f"{target.with_tag(snapshot.id)} is not what was just sent there.",
                    "Publish it again.",
                )
        finally:
            await registry.close()
        published = Publication(target.name, index.digest, _now())
        # Read again: it may have been published elsewhere meanwhile.
        snapshot = await self._snapshots.get(snapshot.id)
        others = tuple(p for p in snapshot.publications if p.project != target.name)
        snapshot = replace(snapshot, publications=(*others, published))
        await self._store.snapshots.save(snapshot)
        return snapshot

    async def catalogue(self, project: str = "") -> list[CatalogueEntry]:
        """The snapshots that a project has, newest first. Raises Registry* errors."""
        source = self.project(project)
        registry = self._registries.registry(source.registry)
        try:
            entries = await catalogues.read(registry, source, self._settings.data / "catalogues")
        finally:
            await registry.close()
        here = {snapshot.id for snapshot in await self._store.snapshots.list()}
        return [replace(entry, local=entry.id in here) for entry in entries]

    # -------------------------------------------------------------------------- opening

    async def open(
        self,
        project: str,
        snapshot_id: str,
        progress: Progress,
        directory: Path | None = None,
    ) -> Snapshot:
        """Bring a published snapshot here: image, files, kernel.

        The project's files go into ``directory``, which must be empty or not exist; None leaves
        them packed. Nothing stays behind when this fails or is cancelled.
        """
        source = self.project(project)
        if directory is not None:
            await anyio.to_thread.run_sync(_check_empty, directory)
        registry = self._registries.registry(source.registry)
        engine = await self._engines.engine()
        try:
            progress.phase("find", f"Looking in {source.name}")
            index = await registry.manifest(source.with_tag(snapshot_id))
            if not catalogues.is_id(snapshot_id) or index is None:
                raise NotFoundError(
                    f"There is no snapshot {snapshot_id} in {source.name}.",
                    f"`jupyter mlops share list --project {source.name}` shows those there are.",
                )
            parts = receiving.RegistrySource(registry, source)
            received = await receiving.read(parts, index, self._blobs)
            if received.snapshot.id != snapshot_id:
                raise DigestMismatchError(
                    f"{source.with_tag(snapshot_id)} holds another snapshot, "
                    f"{received.snapshot.id}.",
                    "Somebody has moved the tag; ask who published it.",
                )

            async def fetch() -> str:
                ref = str(source.with_digest(received.image.digest))
                login = await registry.credentials()
                try:
                    await engine.pull(ref, login, lambda line: progress.log(line + "\n"))
                except BaseException:
                    await engine.remove_image(ref)
                    raise
                return ref

            async def unpack(snapshot: Snapshot) -> None:
                if directory is not None:
                    await self._snapshots.unpack(snapshot, directory)

            origin = str(source.with_tag(snapshot_id))
            return await self._receiver.keep(
                engine, parts, received, origin, fetch, unpack, progress
            )
        finally:
            await registry.close()

    # ---------------------------------------------------------------------------- files

    async def save(
        self, snapshot_id: str, file: Path, progress: Progress, allow: Sequence[str] = ()
    ) -> None:
        """Write a snapshot into one file, an OCI image layout (tar), which skopeo, Podman and
        Docker read too. A file travels as well: secrets are searched for as in ``publish``."""
        snapshot = await self._snapshots.get(snapshot_id)
        await anyio.to_thread.run_sync(publishing.check_free, file)
        engine = await self._engines.engine()
        image = await publishing.local_image(engine, snapshot)
        folder = self._blobs.scratch()
        folder.mkdir()
        try:
            progress.phase("image", "Taking the image from the engine")
            archive = folder / "image.tar"
            await engine.save_image(snapshot.image, archive)
            progress.phase("check", "Searching for secrets")
            self._leaks.require(await self._leaks.findings(engine, snapshot, archive), allow)
            progress.phase("pack", "Compressing the image")
            saved = self._registries.files.saved(archive)
            try:
                packed = await self._registries.files.pack(saved, folder)
            finally:
                saved.close()
            archive.unlink()
            progress.phase("write", f"Writing {file.name}")
            await self._write(
                file, snapshot, packed.manifest, dict(packed.blobs), image.architecture
            )
        except OSError as error:
            raise publishing.file_problem(file, error) from error
        finally:
            await anyio.to_thread.run_sync(shutil.rmtree, folder, True)

    async def _write(
        self,
        file: Path,
        snapshot: Snapshot,
        manifest: bytes,
        blobs: dict[str, Path | bytes],
        architecture: str,
    ) -> None:
        image = Manifest(oci_shapes.OCI_MANIFEST, oci_shapes.digest(manifest), manifest)
        platform = {"architecture": architecture or "amd64", "os": "linux"}
        subject = Descriptor(image.media_type, image.digest, len(manifest), platform=platform)

        async def put(digest: str, content: Path | bytes) -> None:
            blobs[digest] = content

        bundle = await publishing.put_bundle(self._blobs, snapshot, subject, put)
        blobs[bundle.digest] = bundle.content
        index = publishing.index(snapshot, subject, bundle, "")
        await self._registries.files.write(
            file, index, snapshot.id, image, publishing.local_ref(snapshot.id), blobs
        )

    async def load(self, file: Path, progress: Progress) -> Snapshot:
        """Read a snapshot from a file; its project's files stay packed. Nothing stays behind
        when this fails or is cancelled. Raises InvalidError, DigestMismatchError."""
        engine = await self._engines.engine()
        progress.phase("find", f"Reading {file.name}")
        layout = await self._registries.files.read(file)
        try:
            index = await layout.manifest(layout.root.digest)
            received = await receiving.read(layout, index, self._blobs)

            async def fetch() -> str:
                ref = publishing.local_ref(received.snapshot.id)
                archive = self._blobs.scratch()
                try:
                    await self._registries.files.export(layout, received.image, ref, archive)
                    await engine.load_image(archive)
                finally:
                    archive.unlink(missing_ok=True)
                return ref

            async def unpack(snapshot: Snapshot) -> None:
                pass

            origin = f"file:{file.name}"
            return await self._receiver.keep(
                engine, layout, received, origin, fetch, unpack, progress
            )
        finally:
            await layout.close()

    # -------------------------------------------------------------------------- private

    def project(self, text: str) -> ImageRef:
        """A project's repository; empty is the configured one. Raises InvalidError."""
        written = text or self._settings.project
        example = "Write it as registry/team/name, for example registry.example.com/lab/churn."
        if not written:
            raise InvalidError("No project is named, and none is configured.", example)
        ref = image_ref.parse(written)
        if not ref.registry or ref.tag or ref.digest:
            raise InvalidError(f"{written!r} is not a project.", example)
        return ref


def _check_empty(directory: Path) -> None:
    """Blocks; unpacking checks again, but nobody should wait for an image until then."""
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ConflictError(
            f"{directory} is not empty.", "Name a new folder, so that nothing is overwritten."
        )


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
