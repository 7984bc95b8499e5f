"""OCI image layouts in a tar file: what travels where no network does.

https://github.com/opencontainers/image-spec/blob/main/image-layout.md. The file also holds a
``manifest.json``, so ``docker load`` and ``podman load`` of any version take the image out of it.
"""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

import anyio

from ..core import oci_shapes
from ..core.errors import DigestMismatchError, InvalidError, NotFoundError
from ..core.ports import Descriptor, Layout, Manifest, PackedImage, SavedImage
from .saved import SavedArchive, hash_of, pack

_REF_NAME = "org.opencontainers.image.ref.name"
_CONTAINERD_NAME = "io.containerd.image.name"
_MANIFEST_LIMIT = 16 * 1024**2


class OciFiles:
    """ports.ImageFiles."""

    def saved(self, archive: Path) -> SavedArchive:
        return SavedArchive(archive)

    async def pack(self, saved: SavedImage, folder: Path) -> PackedImage:
        return await pack(saved, folder)

    async def write(
        self,
        file: Path,
        root: Manifest,
        tag: str,
        image: Manifest,
        image_ref: str,
        blobs: Mapping[str, Path | bytes],
    ) -> None:
        contents = {image.digest: image.content, root.digest: root.content, **blobs}
        entries: dict[str, Path | bytes] = {
            "oci-layout": oci_shapes.encode({"imageLayoutVersion": "1.0.0"}),
            "index.json": _index(root, tag, image_ref),
            "manifest.json": _docker_manifest(image.content, image_ref),
        }
        entries |= {_blob_name(digest): content for digest, content in contents.items()}
        part = file.with_name(f".{file.name}.part")
        try:
            await anyio.to_thread.run_sync(partial(_write_tar, part, entries))
            await anyio.to_thread.run_sync(part.replace, file)
        finally:
            part.unlink(missing_ok=True)

    async def read(self, file: Path) -> TarLayout:
        return await anyio.to_thread.run_sync(TarLayout, file)

    async def export(self, layout: Layout, image: Manifest, image_ref: str, archive: Path) -> None:
        shape = oci_shapes.image(image.content)
        folder = archive.with_name(archive.name + ".parts")
        folder.mkdir()
        try:
            entries: dict[str, Path | bytes] = {
                "manifest.json": _docker_manifest(image.content, image_ref)
            }
            for part in (shape.config, *shape.layers):
                file = folder / part.digest.removeprefix("sha256:")
                await layout.blob(part.digest, file)
                entries[_blob_name(part.digest)] = file
            await anyio.to_thread.run_sync(_write_tar, archive, entries)
        finally:
            await anyio.to_thread.run_sync(shutil.rmtree, folder, True)


class TarLayout:
    """ports.Layout."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._limiter = anyio.CapacityLimiter(1)  # tarfile has one position for all readers
        try:
            self._tar = tarfile.open(file, "r:*")  # noqa: SIM115 closed by close()
        except FileNotFoundError:
            raise NotFoundError(f"There is no file {file}.") from None
        except (OSError, EOFError, tarfile.TarError) as error:
            raise InvalidError(f"{file} is not a snapshot file: {error}.") from None
        try:
            self._blobs = {
                m.name.removeprefix("./"): m for m in self._tar.getmembers() if m.isfile()
            }
            index = json.loads(self._open("index.json").read(_MANIFEST_LIMIT))
            self.root: Descriptor = oci_shapes.descriptor(index["manifests"][0])
        except (KeyError, IndexError, ValueError, TypeError, EOFError, OSError, tarfile.TarError):
            self._tar.close()
            raise InvalidError(
                f"{file} is not a snapshot file.",
                "Make one with `jupyter mlops snapshot save`; it may be damaged, or incomplete.",
            ) from None

    async def manifest(self, digest: str) -> Manifest:
        content = await anyio.to_thread.run_sync(self._manifest, digest, limiter=self._limiter)
        return Manifest(oci_shapes.media_type(content), digest, content)

    async def blob(self, digest: str, into: Path) -> None:
        def copy() -> None:
            part = into.with_name(into.name + ".part")
            try:
                with part.open("wb") as out:
                    self._check(digest, out)
                part.replace(into)
            finally:
                part.unlink(missing_ok=True)

        await anyio.to_thread.run_sync(copy, limiter=self._limiter)

    async def close(self) -> None:
        await anyio.to_thread.run_sync(self._tar.close, limiter=self._limiter)

    def _manifest(self, digest: str) -> bytes:
        content = io.BytesIO()
        self._check(digest, content)
        return content.getvalue()

    def _check(self, digest: str, copy: BinaryIO | None = None) -> None:
        try:
            found = hash_of(self._open(_blob_name(digest)), copy)
        except KeyError:
            raise NotFoundError(
                f"{self._file} lacks a part of the snapshot ({digest[:19]}…).",
                "The file is incomplete; copy it again.",
            ) from None
        except (EOFError, tarfile.TarError):
            found = ""
        if found != digest:
            raise DigestMismatchError(
                f"A part of {self._file} has other bytes than its digest says ({digest[:19]}…).",
                "The file is damaged; copy it again.",
            )

    def _open(self, name: str) -> BinaryIO:
        return cast(BinaryIO, self._tar.extractfile(self._blobs[name]))


def _blob_name(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/", 1)


def _index(root: Manifest, tag: str, image_ref: str) -> bytes:
    # containerd, and so newer Docker, takes the image's name from its own annotation.
    names = {_REF_NAME: tag, _CONTAINERD_NAME: f"docker.io/{image_ref}"}
    entry = Descriptor(root.media_type, root.digest, len(root.content), names)
    return oci_shapes.encode(
        {
            "schemaVersion": 2,
            "mediaType": oci_shapes.OCI_INDEX,
            "manifests": [oci_shapes.describe(entry)],
        }
    )


def _docker_manifest(image: bytes, image_ref: str) -> bytes:
    shape = oci_shapes.image(image)
    entry = {
        "Config": _blob_name(shape.config.digest),
        "RepoTags": [image_ref],
        "Layers": [_blob_name(layer.digest) for layer in shape.layers],
    }
    return json.dumps([entry], separators=(",", ":")).encode()


def _write_tar(file: Path, entries: Mapping[str, Path | bytes]) -> None:
    """Files without owner and time, so that equal snapshots make equal files."""
    folders: set[str] = set()
    with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in entries.items():
            for parent in reversed(Path(name).parents[:-1]):
                if str(parent) not in folders:
                    folders.add(str(parent))
                    folder = tarfile.TarInfo(str(parent))
                    folder.type, folder.mode = tarfile.DIRTYPE, 0o755
                    tar.addfile(folder)
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            else:
                info.size = content.stat().st_size
                with content.open("rb") as source:
                    tar.addfile(info, source)
