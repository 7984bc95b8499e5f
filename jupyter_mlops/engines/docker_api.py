"""The engine port on Docker's API: what Docker and Podman have in common."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from docker.api.client import APIClient

from ..core.errors import UnsupportedError
from ..core.ports import Capabilities, ImageConfig
from .cdi import graphics_processors
from .connection import Connection
from .container_config import Host
from .containers import ContainerCalls
from .events import EventCalls
from .failures import translated
from .image_build import ImageBuildCalls
from .image_config import changes
from .image_files import ImageFileCalls
from .images import ImageCalls
from .processes import ProcessCalls


class DockerApiEngine(
    ContainerCalls, ImageCalls, ImageBuildCalls, ImageFileCalls, ProcessCalls, EventCalls
):
    """One engine at one address. Not bound to an event loop; nothing is asked before a call."""

    name: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, url: str, tls: Any = None) -> None:
        self.connection = Connection(url, self.title, tls)
        self._known: Host | None = None
        self._failures_known = 0

    async def info(self) -> Capabilities:
        return (await self._host()).capabilities

    async def pause(self, container: str) -> None:
        try:
            await super().pause(container)
        except UnsupportedError:
            # Found out, whatever the engine says of itself.
            if self._known is not None:
                capabilities = replace(self._known.capabilities, pause=False)
                self._known = replace(self._known, capabilities=capabilities)
            raise

    async def ping(self) -> None:
        """Raises EngineUnavailableError when the engine does not answer."""
        await self.connection.call(lambda client: client.ping())

    async def close(self) -> None:
        await asyncio.to_thread(self.connection.close)

    async def _host(self) -> Host:
        """Asked once, and again when the engine was gone: an update may have replaced it."""
        failures = self.connection.failures
        if self._known is None or failures != self._failures_known:
            self._known = await self.connection.call(self._ask)
            self._failures_known = failures
        return self._known

    def _changes(self, config: ImageConfig, current: Mapping[str, Any]) -> list[str]:
        return changes(config, current)

    def _cdi_folders(self, info: Mapping[str, Any], version: dict[str, Any]) -> Sequence[str]:
        """Where the engine reads device specifications; none where it cannot give devices.
        Docker 25 and newer says them, where the feature is on."""
        return [str(folder) for folder in info.get("CDISpecDirs") or ()]

    def _ask(self, client: APIClient) -> Host:
        """Blocking."""
        info, version = client.info(), client.version()
        security = [str(option) for option in info.get("SecurityOptions") or ()]
        rootless = any("rootless" in option for option in security)
        # Limits and pause of rootless containers need cgroup v2, whatever the engine says.
        controls = not rootless or str(info.get("CgroupVersion", "")) == "2"
        # A socket in a mount reaches only containers of the very same kernel: not those of
        # a remote engine, nor of a virtual machine as on a Mac. Nor are its files ours.
        local = (
            self.connection.url.startswith("unix://")
            and info.get("KernelVersion") == platform.release()
        )
        capabilities = Capabilities(
            name=self.name,
            title=f"{self.title} {_engine_version(version)}",
            rootless=rootless,
            ipc=local,
            pause=controls,
            limits=controls and bool(info.get("MemoryLimit", True)),
            cpus=int(info.get("NCPU") or 0),
            memory=int(info.get("MemTotal") or 0),
            gpus=graphics_processors(self._cdi_folders(info, version)) if local else (),
            socket=self.connection.url,
        )
        return Host(
            capabilities=capabilities,
            selinux=any("selinux" in option for option in security),
            log_driver=str(info.get("LoggingDriver") or ""),
        )


def _engine_version(version: dict[str, Any]) -> str:
    """``20.10.24``, without the distribution's additions."""
    for component in version.get("Components") or ():
        if "Engine" in component.get("Name", ""):
            return str(component.get("Version", "")).partition("+")[0]
    return str(version.get("Version", "")).partition("+")[0]


def version_of(url: str, tls: Any, seconds: float) -> dict[str, Any]:
    """What ``GET /version`` says at an address, asked once. Blocking; raises domain errors."""
    with translated("The container engine"):
        client = APIClient(
            base_url=url,
            version="auto",
            timeout=seconds,
            tls=tls or False,
            use_ssh_client=url.startswith("ssh://"),
        )
        try:
            answer: dict[str, Any] = client.version()
            return answer
        finally:
            client.close()


def is_podman(version: dict[str, Any]) -> bool:
    """Whether Podman answers in Docker's place."""
    return any(
        "podman" in str(component.get("Name", "")).lower()
        for component in version.get("Components") or ()
    )
