"""Images in the format of ``docker save``, which every engine writes.

The tar holds ``manifest.json``, the image's configuration and its layers; where the last two
are, and whether layers are compressed, differs between engines and versions.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

import anyio

from ..core import oci_shapes
from ..core.errors import DigestMismatchError, InvalidError
from ..core.ports import Descriptor, PackedImage, SavedImage

_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 1024**2
_LEVEL = 1
"""On libraries zlib's level 6 takes 2.6 times as long for a tenth less."""


class SavedArchive:
    """ports.SavedImage. Not for several threads at once."""

    def __init__(self, archive: Path) -> None:
        try:
            self._tar = tarfile.open(archive, "r:")  # noqa: SIM115 closed by close()
        except (OSError, tarfile.TarError) as error:
            raise InvalidError(f"{archive} is not a saved image: {error}.") from None
        try:
            entry = json.loads(self._file("manifest.json").read())[0]
            self._config = self._file(entry["Config"]).read()
            self._layers: list[str] = list(entry["Layers"])
            self._diff_ids = tuple(json.loads(self._config)["rootfs"]["diff_ids"])
        except (KeyError, IndexError, ValueError, TypeError, tarfile.TarError):
            self.close()
            raise InvalidError(f"{archive} is not a saved image.") from None
        if len(self._layers) != len(self._diff_ids):
            self.close()
            raise InvalidError(f"{archive} lacks some of the image's layers.")

    @property
    def config(self) -> bytes:
        return self._config

    @property
    def diff_ids(self) -> tuple[str, ...]:
        return self._diff_ids

    def open_layer(self, index: int) -> BinaryIO:
        layer = self._file(self._layers[index])
        magic = layer.read(2)
        layer.seek(0)
        if magic == _GZIP_MAGIC:
            return cast(BinaryIO, gzip.GzipFile(fileobj=layer, mode="rb"))
        return layer

    def close(self) -> None:
        self._tar.close()

    def _file(self, name: str) -> BinaryIO:
        # extractfile follows the links by which older engines share equal layers.
        file = self._tar.extractfile(name)
        if file is None:
            raise KeyError(name)
        return cast(BinaryIO, file)


async def pack(saved: SavedImage, folder: Path) -> PackedImage:
    """Compress every layer into ``folder``; the same image always gives the same bytes."""
    layers: list[Descriptor] = []
    blobs: dict[str, Path | bytes] = {}
    for index in range(len(saved.diff_ids)):
        layer, file = await anyio.to_thread.run_sync(partial(_compress, saved, index, folder))
        layers.append(layer)
        blobs[layer.digest] = file
    config = Descriptor(oci_shapes.OCI_CONFIG, oci_shapes.digest(saved.config), len(saved.config))
    blobs[config.digest] = saved.config
    return PackedImage(oci_shapes.image_manifest(config, tuple(layers)), blobs)


def _compress(saved: SavedImage, index: int, folder: Path) -> tuple[Descriptor, Path]:
    file = folder / f"layer-{index}.tar.gz"
    content = hashlib.sha256()
    # No name and no time in gzip's header: they would change the digest.
    with (
        saved.open_layer(index) as layer,
        file.open("wb") as out,
        gzip.GzipFile("", "wb", _LEVEL, out, mtime=0) as packed,
    ):
        while chunk := layer.read(_CHUNK):
            content.update(chunk)
            packed.write(chunk)
    if "sha256:" + content.hexdigest() != saved.diff_ids[index]:
        raise DigestMismatchError("The engine saved a layer with other bytes than it has.")
    with file.open("rb") as done:
        digest = hash_of(done)
    return Descriptor(oci_shapes.OCI_LAYER_GZIP, digest, file.stat().st_size), file


def hash_of(source: BinaryIO, copy: BinaryIO | None = None) -> str:
    """The digest of the rest of a stream, which is written into ``copy`` on the way."""
    hasher = hashlib.sha256()
    while chunk := source.read(_CHUNK):
        hasher.update(chunk)
        if copy is not None:
            copy.write(chunk)
    return "sha256:" + hasher.hexdigest()
