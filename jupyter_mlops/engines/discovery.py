"""Finds the engine: it may be installed, started or replaced while we run."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from ..core.errors import EngineUnavailableError, InvalidError, MlopsError
from ..core.settings import Settings
from .install_hints import no_engine

if TYPE_CHECKING:
    from .docker_api import DockerApiEngine

PROBE_SECONDS = 5.0
"""How long an address may take to answer before the next one is tried."""


@dataclass(frozen=True)
class Address:
    """A place where an engine may be, and who said so."""

    url: str
    origin: str
    tls: Any = None


class EngineDiscovery:
    """Implements ``ports.EngineProvider``. docker-py is imported at the first question."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engine: DockerApiEngine | None = None
        self._lock: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None

    async def engine(self) -> DockerApiEngine:
        """The engine found before, as long as it answers; else the first that answers now."""
        engine = self._engine
        if engine is not None and not engine.connection.failed:
            return engine
        async with self._one_at_a_time():
            if self._engine is not None:
                with contextlib.suppress(EngineUnavailableError):
                    await self._engine.ping()
                    return self._engine
                await self._forget()
            self._engine = await self._find()
            return self._engine

    async def close(self) -> None:
        await self._forget()

    async def _forget(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.close()

    def _one_at_a_time(self) -> asyncio.Lock:
        loop = asyncio.get_running_loop()
        if self._lock is None or self._lock[0] is not loop:
            self._lock = (loop, asyncio.Lock())
        return self._lock[1]

    async def _find(self) -> DockerApiEngine:
        wanted, url = self._settings.engine, self._settings.engine_url
        if wanted not in ("auto", "docker", "podman"):
            raise InvalidError(
                f"engine = {wanted!r} is not known.", "Write auto, docker or podman."
            )
        problems: list[MlopsError] = []
        tries: list[Callable[[], Awaitable[DockerApiEngine]]] = []
        if url.startswith("podman://"):
            tries.append(self._own_podman)
        elif url:
            tries.append(partial(self._at, Address(url, "the setting engine_url")))
        else:
            if wanted in ("auto", "docker"):
                addresses = await anyio.to_thread.run_sync(lambda: list(docker_addresses()))
                tries += [partial(self._at, address) for address in addresses]
            if wanted in ("auto", "podman"):
                tries += [partial(self._at, address) for address in podman_addresses()]
                tries.append(self._own_podman)
        for attempt in tries:
            try:
                return await attempt()
            except EngineUnavailableError as error:
                problems.append(error)
        raise await anyio.to_thread.run_sync(no_engine, self._settings, problems)

    async def _at(self, address: Address) -> DockerApiEngine:
        """The engine at this address, whoever it turns out to be."""
        from .docker import DockerEngine
        from .docker_api import is_podman, version_of
        from .podman import PodmanEngine

        try:
            version = await anyio.to_thread.run_sync(
                version_of, address.url, address.tls, PROBE_SECONDS
            )
        except MlopsError as error:
            raise EngineUnavailableError(
                f"{error.message} ({address.url}, from {address.origin})", error.hint
            ) from error
        engine: DockerApiEngine = DockerEngine(address.url, address.tls)
        if is_podman(version):
            engine = PodmanEngine(
                address.url, address.tls, insecure=self._settings.insecure_registries
            )
        if self._settings.engine not in ("auto", engine.name):
            await engine.close()
            raise EngineUnavailableError(
                f"{engine.title} answers at {address.url} ({address.origin}), "
                f"but the setting engine wants {self._settings.engine}."
            )
        return engine

    async def _own_podman(self) -> DockerApiEngine:
        from .podman import PodmanEngine

        return await PodmanEngine.start_service(self._settings)


def docker_addresses() -> Iterator[Address]:
    """In the order of design section 5. Blocking: reads Docker's configuration."""
    from docker.context.api import ContextAPI
    from docker.utils.utils import kwargs_from_env

    seen = set()
    if os.environ.get("DOCKER_HOST"):
        found = kwargs_from_env()
        seen.add(found["base_url"])
        yield Address(_unix(found["base_url"]), "DOCKER_HOST", found.get("tls"))
    with contextlib.suppress(Exception):  # A broken configuration of Docker's is not ours.
        context = ContextAPI.get_current_context()
        if context is not None and context.Name != "default" and context.Host not in seen:
            seen.add(context.Host)
            yield Address(context.Host, f"Docker's context {context.Name}", context.TLSConfig)
    for path in _sockets("docker.sock"):
        if f"unix://{path}" not in seen and path.exists():
            yield Address(f"unix://{path}", "Docker's usual socket")


def podman_addresses() -> Iterator[Address]:
    """Sockets on which Podman may listen already."""
    if os.environ.get("CONTAINER_HOST", "").startswith(("unix://", "tcp://")):
        yield Address(os.environ["CONTAINER_HOST"], "CONTAINER_HOST")
    for path in _sockets("podman/podman.sock"):
        if path.exists():
            yield Address(f"unix://{path}", "Podman's usual socket")


def _sockets(name: str) -> Iterator[Path]:
    """System-wide first for Docker's sake: that is where it usually is."""
    if name == "docker.sock" or os.getuid() == 0:
        yield Path("/var/run" if name == "docker.sock" else "/run") / name
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        yield Path(runtime) / name
    if name == "docker.sock":
        yield Path.home() / ".docker/run/docker.sock"  # Docker Desktop on a Mac


def _unix(url: str) -> str:
    return url.replace("http+unix://", "unix://")
