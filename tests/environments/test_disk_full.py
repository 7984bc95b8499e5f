"""Builds on an engine whose disk is too small: a real one, of the test's own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.core.errors import DiskFullError
from jupyter_mlops.engines.podman import PodmanEngine
from jupyter_mlops.engines.podman_service import PodmanService
from jupyter_mlops.wiring import Services
from tests.engines.own_engines import small_disk, sweep
from tests.parts.engines import ensure, make_debian_base, run_apart, settings
from tests.parts.services import Recorder, make_config, open_services, tiny_spec, with_base

from .test_build import nothing_is_left

pytestmark = pytest.mark.podman

# The base needs 180 MB, the environment `tiny` with its cached wheels 90 MB.
DISK = 450


@pytest.fixture(scope="module")
def store() -> Iterator[Path]:
    """A store with the base image on a disk of its own."""
    folder = Path(tempfile.mkdtemp(prefix="jm-", dir="/tmp"))
    ensure("ensure_podman")
    with small_disk(folder / "store", DISK):
        yield folder / "store"
    sweep(folder)
    ensure("remove_store", f"{folder}/store")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def on_small_disk(store: Path, tmp_path: Path, jp_asyncio_loop: Any) -> Iterator[Services]:
    runtime, url = store.parent, f"podman://{store}"
    service = PodmanService(runtime, store)
    service.ensure()
    config = make_config(tmp_path / "data", runtime, "podman", engine_url=url)
    run_apart(with_base(config, run_apart(base_on(runtime, url))))
    services = open_services(config)
    yield services
    jp_asyncio_loop.run_until_complete(services.close())
    service.release()


async def base_on(runtime: Path, url: str) -> str:
    engine = await PodmanEngine.start_service(
        settings(runtime, runtime, engine="podman", engine_url=url)
    )
    try:
        return await make_debian_base(engine)
    finally:
        await engine.close()


def images(store: Path) -> set[str]:
    """The layers of images and containers."""
    return {layer.name for layer in (store / "storage/overlay").iterdir()}


async def test_disk_is_full_when_the_image_is_made(on_small_disk: Services, store: Path):
    recorder = Recorder()
    # More than half of what is left: the container holds it, the image cannot have it as well.
    setup = (
        "free=$(df --block-size=1M --output=avail / | tail -n 1)\n"
        "head -c $((free * 6 / 10))M /dev/urandom > /opt/large\n"
    )
    before = images(store)
    with pytest.raises(DiskFullError, match=r"disk .*is full"):
        await on_small_disk.environments.build(
            tiny_spec(on_small_disk, name="frozen", setup=setup), recorder
        )
    assert recorder.phases[-1] == "freeze"
    await nothing_is_left(on_small_disk, "frozen")
    # Only the cache of wheels has grown: that is what is asked for again.
    assert images(store) == before


async def test_disk_is_full_while_packages_are_installed(on_small_disk: Services, store: Path):
    recorder = Recorder()
    spec = tiny_spec(on_small_disk, name="large", python=("scipy", "pandas", "scikit-learn"))
    with pytest.raises(DiskFullError, match=r"step python: .* disk is full") as caught:
        await on_small_disk.environments.build(spec, recorder)
    assert "Delete environments" in caught.value.hint
    assert recorder.phases[-1] == "python"
    await nothing_is_left(on_small_disk, "large")
