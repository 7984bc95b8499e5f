"""Podman against the engine contract."""

from __future__ import annotations

import pytest

from jupyter_mlops.core.ports import Engine

from .contract import EngineContract


@pytest.mark.podman
class TestPodman(EngineContract):
    @pytest.fixture
    def engine(self, podman_engine: Engine) -> Engine:
        return podman_engine
