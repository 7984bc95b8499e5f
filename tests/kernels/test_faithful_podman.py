"""The same on Podman, for what an engine could make different."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from traitlets.config import Config

from jupyter_mlops.kernels.specs import KernelSpecFolder
from tests.parts.services import make_config

from .conftest import install
from .test_faithful import (
    TestPublicSuite,
    TestWelcome,
    jupyter,
    kernel,
    test_comms_of_both_sides,
    test_history_outlives_a_kernel,
    test_input_and_passwords_are_asked,
    test_interrupt_in_a_c_call,
    test_jupyter_execute_runs_a_notebook,
    test_large_output,
    test_nbclient_runs_a_notebook,
    test_nbclient_runs_two_notebooks_at_once,
    test_packages_installed_by_a_cell_are_there_at_once_and_widgets_work,
    test_the_debugger_stops_at_a_breakpoint,
    test_what_subprocesses_and_libraries_print_arrives,
)

# Its image comes from Docker, where it was built.
pytestmark = [pytest.mark.docker, pytest.mark.podman]


@pytest.fixture(scope="module")
def config(
    kernel_images: Callable[[str], str],
    short_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Config:
    data = tmp_path_factory.mktemp("data")
    install(KernelSpecFolder(data / "kernels"), kernel_images("podman"))
    return make_config(data, short_folder / "podman", "podman")


__all__ = [
    "TestPublicSuite",
    "TestWelcome",
    "jupyter",
    "kernel",
    "test_comms_of_both_sides",
    "test_history_outlives_a_kernel",
    "test_input_and_passwords_are_asked",
    "test_interrupt_in_a_c_call",
    "test_jupyter_execute_runs_a_notebook",
    "test_large_output",
    "test_nbclient_runs_a_notebook",
    "test_nbclient_runs_two_notebooks_at_once",
    "test_packages_installed_by_a_cell_are_there_at_once_and_widgets_work",
    "test_the_debugger_stops_at_a_breakpoint",
    "test_what_subprocesses_and_libraries_print_arrives",
]
