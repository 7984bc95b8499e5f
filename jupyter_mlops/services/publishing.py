"""Sending a snapshot to a registry: image, bundle, index, in this order.

Whoever sees the index finds everything that it names; an interrupted publication leaves at most
parts that nobody refers to.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path

from ..core import oci_shapes
from ..core.bundle import bundle_config, config_id
from ..core.errors import (
    ConflictError,
    DigestMismatchError,
    EngineError,
    InvalidError,
    MlopsError,
    NotFoundError,
)
from ..core.image_ref import ImageRef
from ..core.layout import LABEL_PREFIX
from ..core.ports import Blobs, Descriptor, Engine, Image, Manifest, Progress, Registry
from ..core.snapshot import CONFIG_TYPE, Snapshot

_OCI = "org.opencontainers.image"

PutBlob = Callable[[str, Path | bytes], Awaitable[None]]


def image_tag(id: str) -> str:
    return f"{id}.image"


def bundle_tag(id: str) -> str:
    return f"{id}.bundle"


def local_ref(id: str) -> str:
    """The engine's tag for a snapshot's image."""
    return f"mlops/snapshot/{id}:latest"


async def local_image(engine: Engine, snapshot: Snapshot) -> Image:
    """The snapshot's image on this engine; NotFoundError."""
    image = await engine.image(snapshot.image)
    if image is None:
        raise NotFoundError(
            f"The image of the snapshot {snapshot.name} is not on this engine any more.",
            "Open the snapshot from where it was published."
            if snapshot.origin or snapshot.publications
            else "Freeze the kernel again.",
        )
    return image


async def push_image(
    engine: Engine, registry: Registry, snapshot: Snapshot, project: ImageRef, progress: Progress
) -> Descriptor:
    """Only layers that the registry lacks travel; what arrived is read back and checked."""
    image = await local_image(engine, snapshot)
    ref = project.with_tag(image_tag(snapshot.id))
    await engine.tag(image.id, str(ref))
    try:
        pushed = await engine.push(
            str(ref), await registry.credentials(), lambda line: progress.log(line + "\n")
        )
    finally:
        with suppress(MlopsError):
            await engine.remove_image(str(ref))
    manifest = await registry.manifest(ref)
    if manifest is None or (pushed and manifest.digest != pushed):
        raise ConflictError(
            f"{ref} is not what was just sent there: somebody else has published the same "
            "snapshot at this moment.",
            "Publish it again.",
        )
    check_image(snapshot, manifest)
    return Descriptor(
        manifest.media_type,
        manifest.digest,
        len(manifest.content),
        platform={"architecture": image.architecture or "amd64", "os": "linux"},
    )


def check_image(snapshot: Snapshot, manifest: Manifest) -> None:
    """An image id is the digest of the image's configuration, or, on engines that keep images
    as registries do, of its manifest. Raises DigestMismatchError."""
    config = oci_shapes.image(manifest.content).config.digest
    if snapshot.image not in (config, manifest.digest):
        raise DigestMismatchError(
            f"The registry's image is not the one of the snapshot {snapshot.name}: "
            f"{config[:19]}… instead of {snapshot.image[:19]}….",
            "Delete it there, and publish the snapshot again.",
        )


async def put_bundle(
    blobs: Blobs, snapshot: Snapshot, subject: Descriptor, put: PutBlob
) -> Manifest:
    """Hand every blob of the bundle to ``put``; returns the bundle's manifest."""
    config = bundle_config(snapshot)
    if config_id(config) != snapshot.id:
        raise EngineError(
            f"The record of the snapshot {snapshot.id} does not fit its id any more.",
            "It was changed after it was made, and cannot be shared.",
        )
    for member in snapshot.members:
        file = blobs.path(member.digest)
        if not file.is_file():
            raise NotFoundError(
                f"{member.title} of the snapshot {snapshot.name} is not on this machine any more."
            )
        await put(member.digest, file)
    digest = oci_shapes.digest(config)
    await put(digest, config)
    content = oci_shapes.bundle_manifest(
        Descriptor(CONFIG_TYPE, digest, len(config)), snapshot.members, subject
    )
    return Manifest(oci_shapes.OCI_MANIFEST, oci_shapes.digest(content), content)


def index(snapshot: Snapshot, image: Descriptor, bundle: Manifest, project: str) -> Manifest:
    """What the tag ``<id>`` names. ``project`` may be empty (in a file)."""
    content = oci_shapes.snapshot_index(
        image,
        Descriptor(bundle.media_type, bundle.digest, len(bundle.content)),
        index_annotations(snapshot, project),
    )
    return Manifest(oci_shapes.OCI_INDEX, oci_shapes.digest(content), content)


def index_annotations(snapshot: Snapshot, project: str) -> dict[str, str]:
    """What the catalogue shows, so that it need not read the bundle."""
    drift = snapshot.drift
    values = {
        f"{_OCI}.title": snapshot.name,
        f"{_OCI}.description": snapshot.note,
        f"{_OCI}.created": snapshot.created,
        f"{_OCI}.authors": snapshot.owner,
        f"{_OCI}.version": snapshot.id,
        f"{LABEL_PREFIX}.project": project,
        f"{LABEL_PREFIX}.environment": snapshot.environment,
        f"{LABEL_PREFIX}.revision": str(snapshot.revision),
        f"{LABEL_PREFIX}.base-image": snapshot.base_image,
        f"{LABEL_PREFIX}.parent": snapshot.revision_image,
        f"{LABEL_PREFIX}.language": snapshot.language,
        f"{LABEL_PREFIX}.packages-added": str(
            len(drift.added) + len(drift.changed) + len(drift.patched)
        ),
        f"{LABEL_PREFIX}.files": str(snapshot.workspace.files),
    }
    return {key: value for key, value in values.items() if value}


def title(values: Mapping[str, str], key: str) -> str:
    """One of the standard annotations."""
    return values.get(f"{_OCI}.{key}", "")


def number(values: Mapping[str, str], key: str) -> int:
    """One of our annotations as a number; 0 where somebody wrote something else."""
    try:
        return int(values.get(f"{LABEL_PREFIX}.{key}", "0"))
    except ValueError:
        return 0


def check_free(file: Path) -> None:
    """Raises ConflictError or NotFoundError unless a new file can be made there (blocks)."""
    if file.exists():
        raise ConflictError(f"There is a file {file} already.", "Choose another name.")
    if not file.absolute().parent.is_dir():
        raise NotFoundError(f"The folder {file.absolute().parent} does not exist.")


def file_problem(file: Path, error: OSError) -> InvalidError:
    return InvalidError(f"{file} cannot be written: {error.strerror or error}.")
