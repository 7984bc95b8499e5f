"""An image with its model in it, for platforms that run an image and nothing else."""

from __future__ import annotations

import tarfile
from pathlib import Path
from uuid import uuid4

import anyio
import anyio.to_thread

from ...core.errors import RegistryError
from ...core.image_ref import ImageRef
from ...core.layout import LABEL_KIND, LABEL_OWNER, MODEL_DIR
from ...core.model_package import ModelPackage
from ...core.ports import Blobs, ContainerSpec, Engine, Image, ImageConfig, Progress, Registries
from . import folder


async def push(
    engine: Engine,
    registries: Registries,
    blobs: Blobs,
    package: ModelPackage,
    image: Image,
    place: ImageRef,
    owner: str,
    progress: Progress,
) -> str:
    """Put the model into a copy of the image and push that to ``place``; returns it by digest.

    The copy leaves this machine's engine again. Raises Registry* errors.
    """
    ref = str(place.with_tag(package.id))
    registry = registries.registry(place.registry)
    try:
        progress.phase("check", f"Asking {place.registry}")
        await registry.tags(place)  # Nobody waits for an image to hear of a wrong address.
        credentials = await registry.credentials()
        progress.phase("image", "Putting the model into the image")
        await _assemble(engine, blobs, package, image, ref, owner)
        try:
            progress.phase("push", f"Pushing the image to {place.name}")
            digest = await engine.push(ref, credentials, progress.log)
        finally:
            with anyio.CancelScope(shield=True):
                await engine.remove_image(ref)
        pushed = place.with_digest(digest)
        if await registry.manifest(pushed) is None:
            raise RegistryError(
                f"The image was pushed to {place.name}, but it is not there.",
                "Try again; if it happens again, look at the registry's log.",
            )
        return str(pushed)
    finally:
        await registry.close()


async def _assemble(
    engine: Engine, blobs: Blobs, package: ModelPackage, image: Image, ref: str, owner: str
) -> None:
    scratch = blobs.scratch()
    name = f"mlops-build-{uuid4().hex[:12]}"
    spec = ContainerSpec(
        image=image.id,
        name=name,
        labels={LABEL_KIND: "build", LABEL_OWNER: owner},
        network="none",
    )
    try:
        await anyio.to_thread.run_sync(_below_model_dir, blobs.path(package.model), scratch)
        container = await engine.create(spec)
        await engine.put_archive(container, "/", scratch)
        config = ImageConfig(
            labels={**image.labels, LABEL_KIND: "package"},
            environment=image.environment,
            user=image.user,
            command=image.command or ("serve",),
            entrypoint=image.entrypoint,
            tag=ref,
        )
        await engine.commit(container, config)
    finally:
        with anyio.CancelScope(shield=True):
            await engine.remove(name)
            await anyio.to_thread.run_sync(folder.discard, scratch)


def _below_model_dir(archive: Path, into: Path) -> None:
    """model.tar.gz as a tar of files below /opt/ml/model, which everybody may read (blocks)."""
    top = MODEL_DIR.lstrip("/")
    with tarfile.open(archive, "r:gz") as source, tarfile.open(into, "w") as out:
        for parent in ("opt/ml", top):
            entry = tarfile.TarInfo(parent)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            out.addfile(entry)
        for member in source:
            if not (member.isreg() or member.isdir()):
                continue
            entry = tarfile.TarInfo(f"{top}/{member.name.removeprefix('./')}")
            entry.type, entry.size = member.type, member.size
            entry.mode = 0o755 if member.isdir() else 0o644
            out.addfile(entry, source.extractfile(member) if member.isreg() else None)
