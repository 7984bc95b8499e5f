"""Files made with Podman's images, for people with Docker."""

from __future__ import annotations

import asyncio
import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from jupyter_mlops.targets.bundle.target import BundleTarget
from jupyter_mlops.targets.kserve.target import KServeTarget
from tests.parts.model_image import archive
from tests.parts.packages import Shelf
from tests.parts.registry import RunningRegistry
from tests.targets.test_platforms import answer

pytestmark = [pytest.mark.podman, pytest.mark.docker, pytest.mark.registry]


def podman(*arguments: str) -> str:
    done = subprocess.run(["podman", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def loaded(model_layer: bytes, tmp_path: Path) -> Iterator[str]:
    """The id of an image that Podman has."""
    ref = f"localhost/mlops/loaded-{uuid.uuid4().hex[:8]}:latest"
    file = tmp_path / "image.tar"
    file.write_bytes(archive(ref, model_layer))
    podman("load", "-q", "-i", str(file))
    file.unlink()
    yield "sha256:" + podman("inspect", "-t", "image", "-f", "{{.Id}}", ref)
    podman("rmi", "-f", ref)


@pytest.fixture
def shelf(tmp_path: Path, jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[Shelf]:
    made = Shelf(tmp_path, engine="podman")
    yield made
    jp_asyncio_loop.run_until_complete(made.close())


def load(file: Path, ref: str) -> str:
    """By plain ``docker load``; returns the id of what is called ``ref`` then."""
    subprocess.run(["docker", "load", "-q", "-i", str(file)], check=True)
    client = docker.from_env()
    try:
        return str(client.images.get(ref).id)
    finally:
        client.images.remove(ref, force=True)
        client.close()


async def test_docker_takes_what_podman_had(
    shelf: Shelf, loaded: str, registry: RunningRegistry, tmp_path: Path
) -> None:
    package = await shelf.package(loaded)
    bundle = shelf.target(BundleTarget)
    await shelf.deploy(bundle, package, folder=str(tmp_path / "bundle"))
    facts = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
    found = await asyncio.to_thread(load, tmp_path / "bundle" / "image.tar", facts["image"]["ref"])
    assert found == package.image

    made = await shelf.deploy(
        shelf.target(KServeTarget),
        package,
        folder=str(tmp_path / "kserve"),
        repository=f"{registry.host}/team/podman-{uuid.uuid4().hex[:8]}",
    )
    image = made.details["image"]
    assert (await asyncio.to_thread(answer, image))["predictions"] == [6, 14]
    engine = await shelf.engines.engine()
    assert await engine.list({"io.jupyter-mlops.owner": "ann"}) == []
