"""Docker against the engine contract."""

from __future__ import annotations

import pytest

from jupyter_mlops.core.ports import Engine

from .contract import EngineContract


@pytest.mark.docker
class TestDocker(EngineContract):
    @pytest.fixture
    def engine(self, docker_engine: Engine) -> Engine:
        return docker_engine
