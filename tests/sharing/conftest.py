"""A snapshot frozen from a real kernel on Docker, and a teammate on Podman."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from traitlets.config import Config

from jupyter_mlops.core.snapshot import Snapshot
from tests.engines.own_engines import sweep
from tests.parts.engines import ensure
from tests.parts.registry import RunningRegistry
from tests.parts.services import Recorder, Tiny, make_config, open_services, run_apart, swept

if TYPE_CHECKING:
    from jupyter_mlops.wiring import Services

CELL = """
import os, humanize
os.makedirs("/opt/env/notes", exist_ok=True)
open("/opt/env/notes/hello.txt", "w").write("frozen with the kernel")
print(humanize.intcomma(1234567))
"""


def notebook(*cells: str) -> str:
    """An nbformat 4 notebook of code cells, not run yet."""
    return json.dumps(
        {
            "cells": [
                {
                    "cell_type": "code",
                    "id": f"cell{number}",
                    "metadata": {},
                    "execution_count": None,
                    "outputs": [],
                    "source": cell,
                }
                for number, cell in enumerate(cells)
            ],
            "metadata": {},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )


async def freeze(services: Services, folder: Path, name: str, *cells: str) -> Snapshot:
    """Run a notebook of these cells in ``tiny`` and freeze its kernel."""
    (folder / "train.ipynb").write_text(notebook(*cells))
    made: list[Snapshot] = []

    async def keep(kernel_id: str) -> None:
        made.append(await services.snapshots.create(kernel_id, name, "a note", Recorder()))

    await services.kernels.run(
        folder / "train.ipynb",
        "tiny",
        Recorder(),
        output=folder / "train.ipynb",
        keep=keep,
    )
    return made[0]


def command(*argv: str) -> str:
    """Run a program to its end; returns what it prints."""
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def shared_snapshot(
    services_config: Config, tiny_environment: Tiny, tmp_path_factory: pytest.TempPathFactory
) -> Snapshot:
    """Without secrets; made on Docker. Tests may publish it and must not delete it."""

    async def make() -> Snapshot:
        services = open_services(services_config)
        try:
            folder = tmp_path_factory.mktemp("project")
            return await freeze(services, folder, "shared", CELL)
        finally:
            await services.close()

    snapshot: Snapshot = run_apart(make())
    return snapshot


@pytest.fixture(scope="session")
def teammate_config(
    tmp_path_factory: pytest.TempPathFactory, short_folder: Path
) -> Iterator[Config]:
    """Somebody else, on Podman with a store of its own."""
    store = short_folder / "podman"
    config = make_config(
        tmp_path_factory.mktemp("teammate"),
        short_folder / "mate",
        "podman",
        engine_url=f"podman://{store}",
    )
    yield config
    run_apart(swept(config))
    # Podman watches over each exec for five minutes more, and then makes the store anew.
    sweep(store)
    ensure("remove_store", str(store))


@pytest.fixture(scope="session")
def teammate_has_layers(
    services_config: Config,
    teammate_config: Config,
    tiny_environment: Tiny,
    registry: RunningRegistry,
) -> None:
    """The teammate has the environment's layers already, so that each test fetches only what
    a snapshot adds."""
    ref = f"{registry.project('environments')}:tiny"

    async def copy() -> None:
        services, teammate = open_services(services_config), open_services(teammate_config)
        try:
            engine = await services.engines.engine()
            await engine.tag(tiny_environment.revision.image, ref)
            await engine.push(ref, None, print)
            await engine.remove_image(ref)
            await (await teammate.engines.engine()).pull(ref, None, print)
        finally:
            await services.close()
            await teammate.close()

    run_apart(copy())


@pytest.fixture
def teammate(
    teammate_config: Config, teammate_has_layers: None, jp_asyncio_loop: Any
) -> Iterator[Services]:
    made = open_services(teammate_config)
    yield made
    jp_asyncio_loop.run_until_complete(made.close())


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()
