"""Content-addressed files below one folder: ``sha256/ab/<64 hex digits>``."""

from __future__ import annotations

import errno
import hashlib
import re
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import anyio.to_thread

from ..core.errors import DigestMismatchError, DiskFullError, InvalidError, NotFoundError

T = TypeVar("T")

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class FileBlobs:
    """Implements the port ``Blobs``. A blob appears whole or not at all."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def put(self, content: bytes | Path) -> str:
        if isinstance(content, bytes):
            data = content
            return await self._in_thread(lambda: self._put_bytes(data))
        file = content
        return await self._in_thread(lambda: self._put_file(file))

    async def get(self, digest: str) -> bytes:
        return await self._in_thread(lambda: self._read(digest))

    def path(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise InvalidError(f"{digest!r} is not a sha256 digest.")
        hexadecimal = digest.removeprefix("sha256:")
        return self._directory / "sha256" / hexadecimal[:2] / hexadecimal

    def size(self, digest: str) -> int:
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            raise self._missing(digest) from None

    def scratch(self) -> Path:
        folder = self._directory / "scratch"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder / uuid.uuid4().hex

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            return await anyio.to_thread.run_sync(work)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFullError(
                    f"The disk that holds {self._directory} is full.",
                    "Delete snapshots or environments that are not needed, then try again.",
                ) from error
            raise

    def _put_bytes(self, data: bytes) -> str:
        target = self.path(digest := "sha256:" + hashlib.sha256(data).hexdigest())
        if not target.exists():
            scratch = self.scratch()
            try:
                scratch.write_bytes(data)
                self._settle(scratch, target)
            finally:
                scratch.unlink(missing_ok=True)
        return digest

    def _put_file(self, file: Path) -> str:
        hashed = hashlib.sha256()
        with file.open("rb") as stream:
            while chunk := stream.read(1024 * 1024):
                hashed.update(chunk)
        target = self.path(digest := "sha256:" + hashed.hexdigest())
        if target.exists():
            file.unlink()
        elif file.parent == self._directory / "scratch":
            self._settle(file, target)
        else:
            # Perhaps on another disk: a rename there would be a copy that a crash leaves half.
            scratch = self.scratch()
            try:
                shutil.move(file, scratch)
                self._settle(scratch, target)
            finally:
                scratch.unlink(missing_ok=True)
        return digest

    def _settle(self, scratch: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        scratch.chmod(0o400)
        scratch.replace(target)

    def _read(self, digest: str) -> bytes:
        try:
            data = self.path(digest).read_bytes()
        except FileNotFoundError:
            raise self._missing(digest) from None
        if "sha256:" + hashlib.sha256(data).hexdigest() != digest:
            raise DigestMismatchError(
                f"The stored file {digest} was changed or damaged on disk.",
                "Make the environment or snapshot that it belongs to again.",
            )
        return data

    def _missing(self, digest: str) -> NotFoundError:
        return NotFoundError(
            f"The stored file {digest} is missing from {self._directory}.",
            "The environment or snapshot that it belongs to has to be made again.",
        )
