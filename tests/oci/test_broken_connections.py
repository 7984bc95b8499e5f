"""Uploads and downloads whose connection breaks, on the real registry behind a bad line."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_mlops.core import image_ref
from jupyter_mlops.core.errors import RegistryUnavailableError
from jupyter_mlops.core.ports import Manifest
from jupyter_mlops.oci.registries import OciRegistries
from tests.parts.registry import RunningRegistry, start_registry

pytestmark = pytest.mark.registry


class BadLine:
    """Forwards TCP connections to a registry and cuts them: each entry of ``cuts`` is the
    direction and the bytes after which one connection ends."""

    def __init__(self, registry: RunningRegistry) -> None:
        name, _, port = registry.host.partition(":")
        self._target = (name, int(port))
        self._server = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._server.getsockname()[1]}"
        self.cuts: list[tuple[str, int]] = []
        self.sent = 0
        self.received = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            far = socket.create_connection(self._target)
            threading.Thread(target=self._connect, args=(near, far), daemon=True).start()

    def _connect(self, near: socket.socket, far: socket.socket) -> None:
        up = threading.Thread(target=self._copy, args=("up", near, far), daemon=True)
        up.start()
        self._copy("down", far, near)
        up.join()
        # A socket that is only shut down, with its buffer full, leaves the sender waiting for room.
        near.close()
        far.close()

    def _copy(self, direction: str, source: socket.socket, target: socket.socket) -> None:
        passed = 0
        try:
            while data := source.recv(65536):
                passed += len(data)
                if direction == "up":
                    self.sent += len(data)
                else:
                    self.received += len(data)
                target.sendall(data)
                if self.cuts and self.cuts[0][0] == direction and passed > self.cuts[0][1]:
                    self.cuts.pop(0)
                    break
        except OSError:
            pass
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def line(registry: RunningRegistry) -> Iterator[BadLine]:
    made = BadLine(registry)
    yield made
    made.close()


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


async def test_an_upload_survives_broken_connections(
    line: BadLine, registries: OciRegistries, tmp_path: Path
) -> None:
    content = os.urandom(12_000_000)
    file, digest = tmp_path / "layer", digest_of(content)
    file.write_bytes(content)
    client, ref = registries.registry(line.host), image_ref.parse(f"{line.host}/team/bad-up")
    line.cuts = [("up", 8_000_000), ("up", 2_000_000)]
    await client.put_blob(ref, digest, file)
    assert line.cuts == []
    await client.blob(ref, digest, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == content
    await client.close()


async def test_an_upload_goes_on_where_the_registry_says(
    registry: RunningRegistry, registries: OciRegistries
) -> None:
    """Registry 2.8 forgets an upload that broke within a request, so this one is left half done
    between two: as far as the client can tell, that is the same."""
    content = os.urandom(3_000_000)
    client, ref = registries.registry(registry.host), image_ref.parse(f"{registry.host}/team/half")
    scope = "repository:team/half:pull,push"
    location = await client._begin(ref, scope)
    answer = await client._transport.call("PATCH", location, scope, content=content[:1_000_000])
    location = answer.request.url.join(answer.headers["location"])
    where, offset = await client._resume(location, scope)
    assert where is not None and offset == 1_000_000
    await client._send(ref, where, digest_of(content), content, offset, len(content))
    assert await client.read_blob(ref, digest_of(content)) == content
    await client.close()


async def test_a_download_goes_on_where_it_broke(
    line: BadLine, registries: OciRegistries, tmp_path: Path
) -> None:
    content = os.urandom(12_000_000)
    digest = digest_of(content)
    client, ref = registries.registry(line.host), image_ref.parse(f"{line.host}/team/bad-down")
    await client.put_blob(ref, digest, content)
    await client.close()
    line.received = 0
    line.cuts = [("down", 5_000_000), ("down", 4_000_000)]
    await client.blob(ref, digest, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == content
    assert line.cuts == [] and line.received < 13_000_000
    await client.close()


async def test_a_line_that_never_holds_is_given_up(
    line: BadLine, registries: OciRegistries, tmp_path: Path
) -> None:
    content = os.urandom(8_000_000)
    client, ref = registries.registry(line.host), image_ref.parse(f"{line.host}/team/bad")
    line.cuts = [("up", 1_000_000)] * 20
    with pytest.raises(RegistryUnavailableError, match="broke"):
        await client.put_blob(ref, digest_of(content), content)
    line.cuts = []
    await client.put_blob(ref, digest_of(content), content)
    line.cuts = [("down", 1_000_000)] * 20
    with pytest.raises(RegistryUnavailableError, match="broke"):
        await client.blob(ref, digest_of(content), tmp_path / "copy")
    assert not (tmp_path / "copy").exists() and not (tmp_path / "copy.part").exists()
    await client.close()


async def test_a_registry_that_comes_back_is_waited_for(
    registries: OciRegistries, tmp_path: Path
) -> None:
    first = start_registry(tmp_path / "registry")
    client, ref = registries.registry(first.host), image_ref.parse(f"{first.host}/team/back:x")
    assert await client.manifest(ref) is None
    first.stop()
    asking = asyncio.create_task(client.manifest(ref))
    await asyncio.sleep(0.3)
    port = int(first.host.rpartition(":")[2])
    second = await asyncio.to_thread(start_registry, tmp_path / "registry", "", port)
    answer: Manifest | None = await asking
    assert answer is None
    await client.close()
    second.stop()
