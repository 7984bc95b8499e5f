"""Registries, and images in files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from ..image_ref import ImageRef
from .containers import Credentials


@dataclass(frozen=True)
class Descriptor:
    """OCI content descriptor."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    platform: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Manifest:
    """A manifest as the registry has it; ``content`` is byte for byte what its digest covers."""

    media_type: str
    digest: str
    content: bytes


class Registry(ABC):
    """One OCI registry. Raises RegistryUnavailableError, RegistryDeniedError, RegistryError."""

    @abstractmethod
    async def manifest(self, ref: ImageRef) -> Manifest | None:
        """The manifest, its digest verified; None when it is not there."""

    @abstractmethod
    async def put_manifest(self, ref: ImageRef, media_type: str, content: bytes) -> str:
        """Returns the digest, after reading it back from the answer's header."""

    @abstractmethod
    async def has_blob(self, ref: ImageRef, digest: str) -> bool: ...

    @abstractmethod
    async def put_blob(self, ref: ImageRef, digest: str, content: Path | bytes) -> None:
        """Streamed; nothing travels when the repository has it."""

    @abstractmethod
    async def blob(self, ref: ImageRef, digest: str, into: Path) -> None:
        """Streamed into a file, the digest verified before the file appears."""

    @abstractmethod
    async def read_blob(self, ref: ImageRef, digest: str, limit: int = 16 * 1024**2) -> bytes:
        """A small blob, verified; RegistryError where it is larger than ``limit`` bytes."""

    @abstractmethod
    async def mount_blob(self, ref: ImageRef, digest: str, source: ImageRef) -> bool:
        """Make a blob of another repository of this registry one of ``ref``'s, without copying.
        False where the registry does not do that: put the blob then."""

    @abstractmethod
    async def tags(self, ref: ImageRef) -> list[str]:
        """Sorted; empty for a repository that does not exist."""

    @abstractmethod
    async def credentials(self) -> Credentials | None:
        """What the engine needs for a push or pull."""

    @abstractmethod
    async def delete(self, ref: ImageRef) -> None:
        """By digest; raises UnsupportedError where the registry forbids deleting."""

    @abstractmethod
    async def close(self) -> None:
        """Close idle connections; the next call opens new ones."""


class SavedImage(Protocol):
    """An image in a file that an engine saved. Its methods block."""

    @property
    def config(self) -> bytes:
        """The image's configuration (JSON); its digest is the image id."""
        ...

    @property
    def diff_ids(self) -> tuple[str, ...]:
        """Digests of the uncompressed layers, lowest first."""
        ...

    def open_layer(self, index: int) -> BinaryIO:
        """The uncompressed tar of one layer, for reading from the start to the end or seeking."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class PackedImage:
    """An image as the blobs that a registry would hold."""

    manifest: bytes
    blobs: Mapping[str, Path | bytes]
    """Digest to content: the config and the compressed layers, not the manifest."""


class Layout(Protocol):
    """An OCI image layout in a tar file; everything read is verified."""

    @property
    def root(self) -> Descriptor:
        """What ``index.json`` lists first."""
        ...

    async def manifest(self, digest: str) -> Manifest: ...

    async def blob(self, digest: str, into: Path) -> None: ...

    async def close(self) -> None: ...


class ImageFiles(Protocol):
    """Images in files, for machines that share no network."""

    def saved(self, archive: Path) -> SavedImage:
        """Open what an engine saved (blocks); raises InvalidError."""
        ...

    async def pack(self, saved: SavedImage, folder: Path) -> PackedImage:
        """Compress the layers into ``folder``. Equal images give equal bytes."""
        ...

    async def write(
        self,
        file: Path,
        root: Manifest,
        tag: str,
        image: Manifest,
        image_ref: str,
        blobs: Mapping[str, Path | bytes],
    ) -> None:
        """Write a layout whose index lists ``root`` as ``tag``. ``docker load`` and
        ``podman load`` read the file too, and call ``image`` ``image_ref`` then. ``blobs`` are
        all further blobs. The file appears when it is complete."""
        ...

    async def read(self, file: Path) -> Layout:
        """Raises InvalidError where the file is no layout."""
        ...

    async def export(self, layout: Layout, image: Manifest, image_ref: str, archive: Path) -> None:
        """Write one image of a layout, verified, in the format of ``docker save``, which every
        engine reads; it has no name but ``image_ref``."""
        ...


class Registries(Protocol):
    """Finds the client of a registry by host, with configured or Docker's credentials."""

    @property
    def files(self) -> ImageFiles: ...

    def registry(self, host: str, credentials: Credentials | None = None) -> Registry: ...
