"""Layers in gzip instead of what an engine compressed them with.

Docker's schema 2 has no name for zstd. The bytes come from the engine once more, which has them
uncompressed: so nothing here needs to read zstd.
"""

from __future__ import annotations

import shutil

import anyio.to_thread

from ...core.errors import ManifestRejectedError
from ...core.image_ref import ImageRef
from ...core.oci_shapes import image
from ...core.ports import Blobs, Engine, ImageFiles, Registry


async def push_gzip(
    engine: Engine,
    files: ImageFiles,
    blobs: Blobs,
    registry: Registry,
    ref: ImageRef,
    image_id: str,
) -> bytes:
    """Put the image's layers into the registry as gzip; returns an OCI manifest of them, which is
    not put. Raises ManifestRejectedError if the engine's image has another configuration by now,
    and so would be another image."""
    folder = blobs.scratch()
    folder.mkdir()
    try:
        archive = folder / "image.tar"
        await engine.save_image(image_id, archive)
        saved = files.saved(archive)
        try:
            packed = await files.pack(saved, folder)
        finally:
            saved.close()
        if image(packed.manifest).config.digest != image_id:
            raise ManifestRejectedError(
                "The engine gives the image with another configuration than it pushed.",
                'Set compression_format = "gzip" in containers.conf, then deploy again.',
            )
        for digest, content in packed.blobs.items():
            await registry.put_blob(ref, digest, content)
        return packed.manifest
    finally:
        await anyio.to_thread.run_sync(shutil.rmtree, folder, True)
