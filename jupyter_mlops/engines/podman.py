"""Podman, through the socket on which it speaks Docker's API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core.errors import EngineUnavailableError
from ..core.settings import Settings
from .docker_api import DockerApiEngine


class PodmanEngine(DockerApiEngine):
    """Podman 4 or newer, rootful or rootless."""

    name = "podman"
    title = "Podman"

    def __init__(self, url: str, tls: Any = None, insecure: Sequence[str] = ()) -> None:
        super().__init__(url, tls)
        self._insecure = tuple(insecure)

    @classmethod
    async def start_service(cls, settings: Settings) -> PodmanEngine:
        """Start Podman's service for this user; raises EngineUnavailableError."""
        raise EngineUnavailableError("Podman is not installed.")
