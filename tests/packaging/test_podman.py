"""The same package, check and local deployment on Podman."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from ..parts.projects import PREDICTION, package
from ..parts.services import Recorder, Tiny, open_services

pytestmark = [pytest.mark.docker, pytest.mark.podman]


async def test_podman(podman_config: Config, tiny_environment_podman: Tiny, tmp_path: Path) -> None:
    services: Any = open_services(podman_config)
    try:
        engine = await services.engines.engine()
        made = await package(services, tiny_environment_podman, tmp_path / "p", name="rates")
        found = await engine.image(made.image)
        assert found is not None and found.user == "" and found.command == ("serve",)
        report = await services.packaging.check(made.id, Recorder())
        assert report.passed, [check for check in report.checks if not check.passed]
        running = await services.deploying.deploy(made.id, "local", "rates", {}, Recorder())
        answer = await services.deploying.invoke(running.id)
        assert answer.status == 200 and json.loads(answer.body) == PREDICTION
        await services.deploying.delete(running.id, Recorder())
        await services.packaging.delete(made.id)
    finally:
        await services.close()
