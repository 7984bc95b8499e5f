"""Docker."""

from __future__ import annotations

from .docker_api import DockerApiEngine


class DockerEngine(DockerApiEngine):
    """Docker 20.10 or newer, rootful or rootless."""

    name = "docker"
    title = "Docker"
