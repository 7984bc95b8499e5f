"""Finds the client of a registry by host."""

from __future__ import annotations

from ..core.ports import Credentials
from ..core.settings import Settings
from .client import RegistryClient
from .layout import OciFiles
from .transport import Transport


class OciRegistries:
    """ports.Registries on the OCI distribution API."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._files = OciFiles()
        self._clients: dict[tuple[str, Credentials | None], RegistryClient] = {}

    @property
    def files(self) -> OciFiles:
        return self._files

    def registry(self, host: str, credentials: Credentials | None = None) -> RegistryClient:
        """``host`` as in an image reference: ``registry.example.com:5000``."""
        key = (host, credentials)
        if key not in self._clients:
            self._clients[key] = RegistryClient(Transport(self._settings, host, credentials))
        return self._clients[key]
