"""Podman, through the socket on which it speaks Docker's API."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio.to_thread
from docker.api.client import APIClient

from ..core.errors import InvalidError
from ..core.ports import ImageConfig
from ..core.settings import Settings
from .cdi import STANDARD
from .container_config import Host
from .docker_api import DockerApiEngine
from .image_config import changes
from .images import Report
from .podman_service import PodmanService
from .stream import Stream

_LOOPBACK = ("127.", "localhost", "[::1]")


class PodmanEngine(DockerApiEngine):
    """Podman 4 or newer, rootful or rootless."""

    name = "podman"
    title = "Podman"

    def __init__(self, url: str, tls: Any = None, insecure: Sequence[str] = ()) -> None:
        super().__init__(url, tls)
        self._insecure = tuple(insecure)
        self._service: PodmanService | None = None
        self._libpod = "/v4.0.0/libpod"

    def _build_options(self) -> dict[str, str]:
        # Else every step leaves an image, which nobody would remove.
        return {"layers": "false"}

    @property
    def service(self) -> PodmanService | None:
        """The service that we started, or joined; None for somebody else's."""
        return self._service

    @classmethod
    async def start_service(cls, settings: Settings) -> PodmanEngine:
        """Start Podman's service for this user, or join the one that runs.

        ``engine_url = podman:///FOLDER`` keeps images and containers in FOLDER. Raises
        EngineUnavailableError.
        """
        root = None
        if settings.engine_url.startswith("podman://"):
            root = Path(settings.engine_url.removeprefix("podman://"))
            if not root.is_absolute() or len(root.parts) < 2:
                raise InvalidError(
                    f"engine_url = {settings.engine_url!r} names no folder.",
                    "Write podman:///folder/for/containers.",
                )
        service = PodmanService(settings.runtime / "podman", root)
        await anyio.to_thread.run_sync(service.ensure)
        engine = cls(service.url, insecure=settings.insecure_registries)
        engine._service = service
        # It ends by itself when nobody has asked anything for long: the next call starts it.
        engine.connection.prepare = service.ensure
        return engine

    async def close(self) -> None:
        await super().close()
        if self._service is not None:
            await asyncio.to_thread(self._service.release)

    def _cdi_folders(self, info: Mapping[str, Any], version: dict[str, Any]) -> Sequence[str]:
        # Older ones leave device requests out of a container, and say nothing.
        return STANDARD if _at_least(str(version.get("Version", "")), (5, 4)) else ()

    def _ask(self, client: APIClient) -> Host:
        host = super()._ask(client)
        answer = client.get(f"{client.base_url}{self._libpod}/info", timeout=60)
        if answer.status_code != 200:
            return host
        info = answer.json()
        machine = info["host"]
        capabilities = host.capabilities
        # Docker's API does not tell it, and names limits that the machine has, not this user.
        if machine.get("security", {}).get("rootless"):
            version2 = machine.get("cgroupVersion") == "v2"
            given = machine.get("cgroupControllers") or ()
            capabilities = replace(
                capabilities,
                rootless=True,
                pause=version2,
                limits=version2 and "memory" in given and "pids" in given,
            )
        if info.get("store", {}).get("graphDriverName") == "vfs":
            capabilities = replace(
                capabilities,
                note="Podman copies every image for every container here (storage driver vfs), "
                "which makes starts slow; `podman system reset` removes its images, and it "
                "then chooses a better one.",
            )
        return replace(host, capabilities=capabilities)

    def _changes(self, config: ImageConfig, current: Mapping[str, Any]) -> list[str]:
        # Podman takes the outer quotes off and leaves the rest as it is; Docker parses it.
        return changes(config, current, lambda text: f'"{text}"')

    def _plain_http(self, ref: str) -> bool:
        """Podman has no rule for loopback registries as Docker has, so the call says it."""
        host = ref.partition("/")[0]
        return host.startswith(_LOOPBACK) or host in self._insecure

    def _push_options(self, ref: str) -> dict[str, str]:
        return {"tlsVerify": "false"} if self._plain_http(ref) else {}

    def _pull(self, stream: Stream, ref: str, headers: dict[str, str], report: Report) -> None:
        if not self._plain_http(ref):
            super()._pull(stream, ref, headers, report)
            return
        # In Docker's API Podman ignores tlsVerify for pulls; in its own it does not.
        response = stream.request(
            f"{self._libpod}/images/pull",
            params={"reference": ref, "tlsVerify": "false"},
            headers=headers,
            versioned=False,
        )
        self._follow(stream, response, ref, report, pushing=False)


def _at_least(version: str, wanted: tuple[int, int]) -> bool:
    """Of ``5.4.0-dev``, and of what is no version."""
    parts = [int(part) for part in version.split(".")[:2] if part.isdigit()]
    return len(parts) == 2 and (parts[0], parts[1]) >= wanted
