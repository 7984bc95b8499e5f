"""Snapshots of real kernels."""

from __future__ import annotations

import json
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import pytest

from jupyter_mlops.core.layout import LABEL_KIND, LABEL_OWNER
from jupyter_mlops.wiring import Services
from tests.parts.live_notebook import LiveNotebook
from tests.parts.services import Tiny


@pytest.fixture
def open_notebook(
    services: Services, services_config: Any, tiny_environment: Tiny
) -> Callable[..., LiveNotebook]:
    """``open_notebook(file, kernel_name)``, on the small environment by default."""

    def open_(file: Path, kernel_name: str = "mlops-tiny") -> LiveNotebook:
        return LiveNotebook(services, services_config, file, kernel_name)

    return open_


class Traces:
    """What is on the engine and on disk, as the engine and the disk say it themselves."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._docker = docker.from_env()
        self._owner = services.settings.owner

    def images(self) -> set[str]:
        """Of snapshots, tagged or not."""
        labels = [f"{LABEL_KIND}=snapshot", f"{LABEL_OWNER}={self._owner}"]
        return {i.id for i in self._docker.images.list(all=True, filters={"label": labels})}

    def containers(self) -> dict[str, str]:
        """State by id."""
        found = self._docker.containers.list(
            all=True, filters={"label": [f"{LABEL_OWNER}={self._owner}"]}
        )
        return {container.id: container.status for container in found}

    def blobs(self) -> set[str]:
        folder = self._services.settings.data / "blobs"
        return {str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file()}

    def specs(self) -> set[str]:
        return {f.name for f in self._services.kernel_specs.path.iterdir()}

    def all(self) -> tuple[Any, ...]:
        return self.images(), self.containers(), self.blobs(), self.specs()

    def inspect(self, image: str) -> dict[str, Any]:
        return self._docker.images.get(image).attrs

    def container(self, id: str) -> Any:
        return self._docker.containers.get(id)

    def top_layer(self, image: str) -> dict[str, bytes]:
        """Path and content of all files in the newest layer."""
        with tempfile.TemporaryFile() as file:
            for chunk in self._docker.images.get(image).save():
                file.write(chunk)
            file.seek(0)
            with tarfile.open(fileobj=file) as saved:
                manifest = json.load(saved.extractfile("manifest.json"))
                with tarfile.open(fileobj=saved.extractfile(manifest[0]["Layers"][-1])) as layer:
                    return {
                        m.name: layer.extractfile(m).read() if m.isreg() else b"" for m in layer
                    }

    def run(self, image: str, *command: str, **more: Any) -> str:
        """What a command says in a container of the image."""
        return self._docker.containers.run(image, list(command), remove=True, **more).decode()


@pytest.fixture
def traces(services: Services) -> Traces:
    return Traces(services)
