"""The contract, part five: push and pull, with Debian's docker-registry."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import urllib.request

import pytest

from jupyter_mlops.core.errors import (
    BaseMissingError,
    NotFoundError,
    RegistryDeniedError,
    RegistryUnavailableError,
)
from jupyter_mlops.core.ports import Credentials, Engine
from tests.parts.registry import RunningRegistry

pytestmark = pytest.mark.registry


def manifest_digest(host: str, name: str, tag: str) -> str:
    request = urllib.request.Request(
        f"http://{host}/v2/{name}/manifests/{tag}",
        headers={
            "Accept": "application/vnd.docker.distribution.manifest.v2+json, "
            "application/vnd.oci.image.manifest.v1+json"
        },
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return "sha256:" + hashlib.sha256(answer.read()).hexdigest()


@pytest.mark.registry
class RegistryContract:
    async def test_push_and_pull(
        self, engine: Engine, tiny: str, registry: RunningRegistry
    ) -> None:
        ref = f"{registry.host}/team/pushed-by-{(await engine.info()).name}:r1"
        with pytest.raises(NotFoundError):
            await engine.push(ref, None, lambda _line: None)
        await engine.tag(tiny, ref)
        lines: list[str] = []
        digest = await engine.push(ref, None, lines.append)
        await asyncio.sleep(0)
        name = ref.split("/", 1)[1].rpartition(":")[0]
        assert digest == manifest_digest(registry.host, name, "r1")
        assert lines
        await engine.remove_image(ref)
        assert await engine.image(ref) is None
        assert await engine.pull(ref, None, lines.append) == tiny
        found = await engine.image(ref)
        assert found is not None and found.id == tiny
        await engine.remove_image(ref)
        by_digest = f"{ref.rpartition(':')[0]}@{digest}"
        assert await engine.pull(by_digest, None, lines.append) == tiny
        await engine.remove_image(by_digest)

    async def test_passwords(
        self, engine: Engine, tiny: str, auth_registry: RunningRegistry
    ) -> None:
        ref = f"{auth_registry.host}/team/private:r1"
        await engine.tag(tiny, ref)
        right = Credentials(auth_registry.user, auth_registry.password)
        for wrong in (None, Credentials("team", "wrong")):
            with pytest.raises(RegistryDeniedError, match="does not let you write"):
                await engine.push(ref, wrong, lambda _line: None)
        assert (await engine.push(ref, right, lambda _line: None)).startswith("sha256:")
        await engine.remove_image(ref)
        with pytest.raises(RegistryDeniedError, match="does not let you read"):
            await engine.pull(ref, Credentials("team", "wrong"), lambda _line: None)
        assert await engine.pull(ref, right, lambda _line: None) == tiny
        await engine.remove_image(ref)

    async def test_tokens(self, engine: Engine, tiny: str, token_registry: RunningRegistry) -> None:
        ref = f"{token_registry.host}/team/token:r1"
        await engine.tag(tiny, ref)
        right = Credentials(token_registry.user, token_registry.password)
        with pytest.raises(RegistryDeniedError):
            await engine.push(ref, Credentials("team", "wrong"), lambda _line: None)
        await engine.push(ref, right, lambda _line: None)
        await engine.remove_image(ref)
        # Docker cannot tell one that may not be seen from one that is not there.
        with pytest.raises((RegistryDeniedError, BaseMissingError), match="log"):
            await engine.pull(ref, None, lambda _line: None)
        assert await engine.pull(ref, right, lambda _line: None) == tiny
        await engine.remove_image(ref)

    async def test_what_is_not_there(
        self, engine: Engine, tiny: str, registry: RunningRegistry
    ) -> None:
        with pytest.raises(BaseMissingError, match="nothing"):
            await engine.pull(f"{registry.host}/team/nothing:1", None, lambda _line: None)
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))  # Bound and not listening: refused for sure.
            ref = f"127.0.0.1:{unused.getsockname()[1]}/team/x:1"
            with pytest.raises(RegistryUnavailableError):
                await engine.pull(ref, None, lambda _line: None)
            await engine.tag(tiny, ref)
            with pytest.raises(RegistryUnavailableError):
                await engine.push(ref, None, lambda _line: None)
        await engine.remove_image(ref)

    async def test_a_pull_can_be_cancelled(self, engine: Engine) -> None:
        """A registry that takes the connection and then says nothing."""
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            ref = f"127.0.0.1:{silent.getsockname()[1]}/team/x:1"
            task = asyncio.ensure_future(engine.pull(ref, None, lambda _line: None))
            await asyncio.sleep(0.5)
            assert not task.done()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(task, 10)
