"""The same package, check and local deployment on Podman."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ..parts.projects import PREDICTION, package
from ..parts.services import Recorder, Tiny, make_config, open_services, sweep

pytestmark = [pytest.mark.docker, pytest.mark.podman]


def _copy_to_podman(image: str, archive: Path) -> None:
    """Both engines know an image by the digest of its configuration."""
    subprocess.run(["docker", "save", "-o", archive, image], check=True)
    subprocess.run(["podman", "load", "-q", "-i", archive], check=True)
    archive.unlink()


async def test_podman(tiny_environment: Tiny, tmp_path: Path, short_folder: Path) -> None:
    config = make_config(tmp_path / "data", short_folder / "podman", "podman")
    services: Any = open_services(config)
    image = tiny_environment.revision.image
    try:
        engine = await services.engines.engine()
        _copy_to_podman(image, tmp_path / "image.tar")
        made = await package(services, tiny_environment, tmp_path / "p", name="rates")
        found = await engine.image(made.image)
        assert found is not None and found.user == "" and found.command == ("serve",)
        report = await services.packaging.check(made.id, Recorder())
        assert report.passed, [check for check in report.checks if not check.passed]
        running = await services.deploying.deploy(made.id, "local", "rates", {}, Recorder())
        answer = await services.deploying.invoke(running.id)
        assert answer.status == 200 and json.loads(answer.body) == PREDICTION
        await services.deploying.delete(running.id, Recorder())
        await services.packaging.delete(made.id)
        await engine.remove_image(image, force=True)
    finally:
        await sweep(services)
        await services.close()
