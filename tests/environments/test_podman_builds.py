"""The ways to an environment once more, on Podman; how engines fail is in ``test_podman.py``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from jupyter_mlops.wiring import Services
from tests.parts.services import Recorder, Tiny, open_services

from .test_additions import after_running, command_line
from .test_apt_mirror import mirror, test_password_of_the_mirror_is_nowhere
from .test_date import DAY
from .test_index import index, test_password_of_the_index_is_nowhere
from .test_many_builds import test_ten_at_once
from .test_r import (
    test_a_dependency_comes_from_the_distribution,
    test_r_comes_with_the_first_package,
)
from .test_smoke import GOOD, nothing_runs, with_smoke

pytestmark = [pytest.mark.docker, pytest.mark.podman]


@pytest.fixture(scope="session")
def services_config(podman_config: Config) -> Config:
    return podman_config


@pytest.fixture
def services(services_config: Config, jp_asyncio_loop: Any) -> Iterator[Services]:
    made = open_services(services_config)
    yield made
    jp_asyncio_loop.run_until_complete(made.close())


@pytest.fixture(scope="session")
def r_environment(r_environment_podman: Tiny) -> Tiny:
    return r_environment_podman


@pytest.fixture(scope="session")
def tiny_environment(tiny_environment_podman: Tiny) -> Tiny:
    return tiny_environment_podman


@pytest.mark.timeout(300)
async def test_imported_of_a_day_grown_and_followed(
    services: Services, services_config: Config, tmp_path: Path
):
    """One after the other, since builds are what takes the time."""
    environments = services.environments
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("humanize\n-e ./own\n")
    create = ("env", "create", "taken", "--from", str(requirements), "--base", "debian")
    made = await command_line(services_config, *create, "--date", DAY)
    assert made["spec"]["python"] == ["humanize"]
    assert [left["name"] for left in made["left_out"]] == ["./own"]
    revision = await environments.revision("taken")
    assert (await environments.inventory(revision)).of("pypi")["humanize"].version == "4.9.0"

    child = await with_smoke(
        services, tmp_path, *GOOD, name="follower", base="taken@active", python=(), variables={}
    )
    recorder = Recorder()
    followed = await environments.build(child, recorder)
    assert recorder.phases[-2:] == ["freeze", "smoke"]
    assert "files: ['smoke.ipynb'] 5.0 kB" in recorder.text
    assert followed.smoke and followed.smoke.passed
    await nothing_runs(services, "follower")

    async def add(kernel_id: str) -> None:
        found = await services.kernels.additions(kernel_id)
        assert found.requirements == ("toolz==0.12.0",)
        grown = await command_line(
            services_config, "env", "build", "taken", "--from-kernel", kernel_id
        )
        assert grown["number"] == 2 and grown["spec"]["python"] == ["humanize", "toolz==0.12.0"]
        (after,) = grown["followers"]
        assert (after["environment"], after["previous"], after["active"]) == ("follower", 1, 2)
        assert [line.split()[:2] for line in after["changes"]] == [["+", "toolz"]]

    await after_running(services, tmp_path, "taken", "%pip install -q toolz==0.12.0", add)
    again = await environments.revision("follower")
    assert (again.number, again.parent) == (2, "taken@2") and again.smoke and again.smoke.passed
    assert "toolz" in (await environments.inventory(again)).of("pypi")
    await environments.delete("follower")
    assert await environments.delete("taken") > 0


__all__ = [
    "index",
    "mirror",
    "test_a_dependency_comes_from_the_distribution",
    "test_imported_of_a_day_grown_and_followed",
    "test_password_of_the_index_is_nowhere",
    "test_password_of_the_mirror_is_nowhere",
    "test_r_comes_with_the_first_package",
    "test_ten_at_once",
]
