"""Kernels of R on Podman."""

from __future__ import annotations

import pytest
from traitlets.config import Config

from tests.parts.services import Tiny

from .test_r import (
    TestPublicSuite,
    jupyter,
    kernel,
    test_a_restart_keeps_the_container,
    test_input_is_asked,
    test_interrupt,
    test_nbclient_runs_a_notebook,
)

pytestmark = pytest.mark.podman


@pytest.fixture(scope="module")
def known(r_environment_podman: Tiny, podman_config: Config) -> Config:
    return podman_config


__all__ = [
    "TestPublicSuite",
    "jupyter",
    "kernel",
    "test_a_restart_keeps_the_container",
    "test_input_is_asked",
    "test_interrupt",
    "test_nbclient_runs_a_notebook",
]
