"""The client of one registry: OCI distribution API 1.1, as far as real registries hold it.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md. Bytes are streamed, so
memory does not grow with layers; nothing is believed whose digest does not fit.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO

import anyio
import httpx

from ..core import oci_shapes
from ..core.errors import (
    DigestMismatchError,
    ManifestRejectedError,
    NotFoundError,
    RegistryError,
    RegistryUnavailableError,
    UnsupportedError,
)
from ..core.image_ref import ImageRef
from ..core.ports import Credentials, Manifest, Registry
from .transport import ATTEMPTS, Transport, problem, unexpected

_CHUNK = 1024**2
_MANIFEST_LIMIT = 16 * 1024**2
_ACCEPT = {"Accept": ", ".join(oci_shapes.ACCEPT)}
_NEXT = re.compile(r'<([^>]+)>\s*;[^,]*rel="?next"?')


class RegistryClient(Registry):
    """See ports.Registry. Made by OciRegistries."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._host = transport.host

    async def credentials(self) -> Credentials | None:
        return await self._transport.credentials()

    async def close(self) -> None:
        await self._transport.close()

    # ------------------------------------------------------------------------ manifests

    async def manifest(self, ref: ImageRef) -> Manifest | None:
        url = f"{self._name(ref)}/manifests/{ref.reference}"
        answer = await self._transport.call("GET", url, self._scope(ref), headers=_ACCEPT)
        if answer.status_code == 404:
            return None
        if answer.status_code != 200 or len(answer.content) > _MANIFEST_LIMIT:
            raise unexpected(answer, self._host, f"reading {ref}")
        content = answer.content
        found = oci_shapes.digest(content)
        expected = ref.digest or answer.headers.get("docker-content-digest", found)
        if found != expected:
            raise DigestMismatchError(f"{ref} came from the registry with other bytes than it has.")
        kind = answer.headers.get("content-type", "").partition(";")[0].strip()
        if kind not in oci_shapes.ACCEPT:
            kind = oci_shapes.media_type(content)
        return Manifest(kind, found, content)

    async def put_manifest(self, ref: ImageRef, media_type: str, content: bytes) -> str:
        url = f"{self._name(ref)}/manifests/{ref.reference}"
        headers = {"Content-Type": media_type}
        answer = await self._transport.call(
            "PUT", url, self._scope(ref, "pull,push"), headers=headers, content=content
        )
        digest = oci_shapes.digest(content)
        if answer.status_code != 201:
            if answer.status_code in (400, 404, 406, 413, 415, 422):
                raise ManifestRejectedError(
                    f"The registry {self._host} does not take the description of {ref} "
                    f"({problem(answer)})."
                )
            raise unexpected(answer, self._host, f"writing {ref}")
        if answer.headers.get("docker-content-digest", digest) != digest:
            raise DigestMismatchError(f"{self._host} has stored other bytes for {ref} than sent.")
        return digest

    async def delete(self, ref: ImageRef) -> None:
        if not ref.digest:
            found = await self.manifest(ref)
            if found is None:
                return
            ref = ref.with_digest(found.digest)
        url = f"{self._name(ref)}/manifests/{ref.digest}"
        answer = await self._transport.call("DELETE", url, self._scope(ref, "delete"))
        if answer.status_code in (400, 405):
            raise UnsupportedError(
                f"The registry {self._host} does not allow deleting.",
                "Ask its operator to remove the image, or to allow it.",
            )
        if answer.status_code not in (200, 202, 404):
            raise unexpected(answer, self._host, f"deleting {ref}")

    async def tags(self, ref: ImageRef) -> list[str]:
        url: str | httpx.URL = f"{self._name(ref)}/tags/list?n=1000"
        found: set[str] = set()
        seen = set()
        while str(url) not in seen:
            seen.add(str(url))
            answer = await self._transport.call("GET", url, self._scope(ref))
            if answer.status_code == 404:
                break
            if answer.status_code != 200:
                raise unexpected(answer, self._host, f"listing {ref.name}")
            try:
                found.update(answer.json().get("tags") or ())
            except (ValueError, AttributeError, TypeError):
                raise unexpected(answer, self._host, f"listing {ref.name}") from None
            link = _NEXT.search(answer.headers.get("link", ""))
            if link is None:
                break
            url = answer.request.url.join(link[1])
        return sorted(found)

    # ---------------------------------------------------------------------- blobs, down

    async def has_blob(self, ref: ImageRef, digest: str) -> bool:
        return await self._has(ref, digest, self._scope(ref))

    async def _has(self, ref: ImageRef, digest: str, scope: str) -> bool:
        answer = await self._transport.call("HEAD", f"{self._name(ref)}/blobs/{digest}", scope)
        if answer.status_code not in (200, 404):
            raise unexpected(answer, self._host, f"looking for a part of {ref.name}")
        return answer.status_code == 200

    async def read_blob(self, ref: ImageRef, digest: str, limit: int = 16 * 1024**2) -> bytes:
        content = bytearray()
        url = f"{self._name(ref)}/blobs/{digest}"
        async with self._transport.stream("GET", url, self._scope(ref)) as answer:
            await self._expect(answer, ref, digest, (200,))
            async for chunk in answer.aiter_raw(_CHUNK):
                content += chunk
                if len(content) > limit:
                    raise RegistryError(
                        f"A part of {ref.name} is larger than the {limit} bytes allowed here."
                    )
        if oci_shapes.digest(bytes(content)) != digest:
            raise _mismatch(ref, digest)
        return bytes(content)

    async def blob(self, ref: ImageRef, digest: str, into: Path) -> None:
        part = into.with_name(into.name + ".part")
        try:
            with await anyio.to_thread.run_sync(part.open, "w+b") as file:
                await self._download(ref, digest, file)
            await anyio.to_thread.run_sync(part.replace, into)
        finally:
            part.unlink(missing_ok=True)

    async def _download(self, ref: ImageRef, digest: str, file: BinaryIO) -> None:
        """Goes on where a broken connection left off, if the registry can."""
        hasher = hashlib.sha256()
        url = f"{self._name(ref)}/blobs/{digest}"

        def write(chunk: bytes) -> None:
            file.write(chunk)
            hasher.update(chunk)

        for attempt in range(1, ATTEMPTS + 1):
            offset = file.tell()
            headers = {"Range": f"bytes={offset}-"} if offset else {}
            try:
                async with self._transport.stream(
                    "GET", url, self._scope(ref), headers=headers
                ) as answer:
                    await self._expect(answer, ref, digest, (200, 206))
                    if offset and answer.status_code == 200:
                        file.seek(0)
                        file.truncate()
                        hasher = hashlib.sha256()
                    async for chunk in answer.aiter_raw():
                        await anyio.to_thread.run_sync(write, chunk)
                break
            except RegistryUnavailableError:
                if attempt == ATTEMPTS:
                    raise
                await asyncio.sleep(0.2 * attempt)
        if "sha256:" + hasher.hexdigest() != digest:
            raise _mismatch(ref, digest)

    async def _expect(
        self, answer: httpx.Response, ref: ImageRef, digest: str, statuses: tuple[int, ...]
    ) -> None:
        if answer.status_code in statuses:
            return
        await answer.aread()
        if answer.status_code == 404:
            raise NotFoundError(
                f"The registry {self._host} has lost a part of {ref.name} ({digest[:19]}…).",
                "Publish it again, from where it was made.",
            )
        raise unexpected(answer, self._host, f"reading a part of {ref.name}")

    # ------------------------------------------------------------------------ blobs, up

    async def mount_blob(self, ref: ImageRef, digest: str, source: ImageRef) -> bool:
        scope = f"{self._scope(ref, 'pull,push')} {self._scope(source)}"
        query = httpx.QueryParams({"mount": digest, "from": self._name(source)})
        url = f"{self._name(ref)}/blobs/uploads/?{query}"
        answer = await self._transport.call("POST", url, scope)
        if answer.status_code == 202:
            # It began an upload instead; leave nothing half-made there.
            location = answer.request.url.join(answer.headers["location"])
            await self._transport.call("DELETE", location, self._scope(ref, "pull,push"))
        elif answer.status_code not in (201, 404):
            raise unexpected(answer, self._host, f"writing to {ref.name}")
        return answer.status_code == 201

    async def put_blob(self, ref: ImageRef, digest: str, content: Path | bytes) -> None:
        # In one request: registry 2.8 cancels an upload that broke within any request, so parts
        # would save nothing there; where a registry keeps what came, we go on from it.
        scope = self._scope(ref, "pull,push")
        if await self._has(ref, digest, scope):
            return
        size = await anyio.to_thread.run_sync(_size, content)
        location, offset = None, 0
        for attempt in range(1, ATTEMPTS + 1):
            if location is None:
                location, offset = await self._begin(ref, scope), 0
            try:
                await self._send(ref, location, digest, content, offset, size)
                return
            except RegistryUnavailableError:
                if attempt == ATTEMPTS:
                    raise
            await asyncio.sleep(0.2 * attempt)
            location, offset = await self._resume(location, scope)

    async def _begin(self, ref: ImageRef, scope: str) -> httpx.URL:
        answer = await self._transport.call("POST", f"{self._name(ref)}/blobs/uploads/", scope)
        if answer.status_code != 202 or "location" not in answer.headers:
            raise unexpected(answer, self._host, f"writing to {ref.name}")
        return answer.request.url.join(answer.headers["location"])

    async def _send(
        self,
        ref: ImageRef,
        location: httpx.URL,
        digest: str,
        content: Path | bytes,
        offset: int,
        size: int,
    ) -> None:
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(size - offset),
        }
        if offset:
            headers["Content-Range"] = f"{offset}-{size - 1}"
        answer = await self._transport.call(
            "PUT",
            location.copy_merge_params({"digest": digest}),
            self._scope(ref, "pull,push"),
            headers=headers,
            content=_reader(content, offset),
            attempts=1,
        )
        if answer.status_code == 201:
            return
        if "DIGEST_INVALID" in answer.text:
            raise DigestMismatchError(
                f"What was sent to {self._host} is not what its digest says ({digest[:19]}…).",
                "The file has changed while it was sent. Try again.",
            )
        if answer.status_code in (404, 416) or "BLOB_UPLOAD" in answer.text:
            raise RegistryUnavailableError(
                f"The registry {self._host} has dropped an upload ({problem(answer)})."
            )
        raise unexpected(answer, self._host, f"writing to {ref.name}")

    async def _resume(self, location: httpx.URL, scope: str) -> tuple[httpx.URL | None, int]:
        """Where an upload stands: its address and the bytes that arrived; None to start anew."""
        answer = await self._transport.call("GET", location, scope)
        received = answer.headers.get("range", "").removeprefix("bytes=").partition("-")[2]
        # 0-0 may be one byte or none.
        if answer.status_code != 204 or not received.isdigit() or received == "0":
            return None, 0
        where = answer.request.url.join(answer.headers.get("location", str(location)))
        return where, int(received) + 1

    # ----------------------------------------------------------------------------- names

    def _name(self, ref: ImageRef) -> str:
        if self._host == "docker.io" and "/" not in ref.repository:
            return f"library/{ref.repository}"
        return ref.repository

    def _scope(self, ref: ImageRef, actions: str = "pull") -> str:
        return f"repository:{self._name(ref)}:{actions}"


def _mismatch(ref: ImageRef, digest: str) -> DigestMismatchError:
    return DigestMismatchError(
        f"A part of {ref.name} came with other bytes than its digest says ({digest[:19]}…).",
        "Try again; if it stays so, the registry's storage is damaged.",
    )


def _size(content: Path | bytes) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _reader(content: Path | bytes, offset: int) -> Callable[[], AsyncIterator[bytes]]:
    """A fresh stream of the content from ``offset`` on, each time it is called."""

    async def read() -> AsyncIterator[bytes]:
        if isinstance(content, bytes):
            yield content[offset:]
            return
        async with await anyio.open_file(content, "rb") as file:
            await file.seek(offset)
            while chunk := await file.read(_CHUNK):
                yield chunk

    return read
