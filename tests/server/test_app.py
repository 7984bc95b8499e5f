"""The extension's configuration, start and end."""

from __future__ import annotations

import json
import signal
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.core.kernel import KernelRecord
from tests.parts.waiting import wait_until

PROJECT = "registry.example.com/team/churn"


@pytest.fixture(params=["jupyter_server_config", "jupyter_mlops_config"])
def config_file(request: pytest.FixtureRequest, jp_environ: Any, jp_config_dir: Path) -> None:
    content = {"Mlops": {"project": PROJECT, "workspace_cap": 1234}}
    (jp_config_dir / f"{request.param}.json").write_text(json.dumps(content))


async def test_settings_of_both_files_reach_services_and_kernels(
    config_file, jp_serverapp, api, running
):
    assert (await api("get", "settings")).json["project"] == PROJECT
    assert (await running.services()).settings.workspace_cap == 1234
    # Kernels read the same settings, from their manager.
    assert jp_serverapp.kernel_manager.config.Mlops.project == PROJECT


async def test_the_services_are_made_soon_after_the_start(running):
    assert running._making is None
    await wait_until(lambda: running._making is not None and running._started.done())


async def test_an_interrupted_server_stops_in_order(jp_serverapp, running):
    """Without a terminal, where Jupyter Server leaves SIGINT to Python."""
    assert signal.getsignal(signal.SIGINT) == jp_serverapp._signal_stop
    await jp_serverapp.web_app.settings["jupyter_mlops"].stop_extension()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.fixture
def dead_process() -> int:
    """The number of a process that was."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@pytest.mark.docker
async def test_kernels_of_a_killed_server_are_removed_at_the_start(running, tmp_path, dead_process):
    services = await running.services()
    record = KernelRecord(
        id="k-left",
        container="no-such-container",
        owner="ada",
        environment="churn",
        revision=1,
        snapshot="",
        image="sha256:0",
        project=str(tmp_path),
        workspace=str(tmp_path),
        home=str(tmp_path / "home"),
        started="2020-01-01T00:00:00+00:00",
    )
    await services.store.kernels.save(replace(record, pid=dead_process))
    await wait_until(lambda: running._started.done())
    assert await services.store.kernels.list() == []


async def test_a_server_that_is_stopped_at_once_stops(running):
    await running.close()
    assert running._making is None
