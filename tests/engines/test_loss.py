"""An engine that stops in the middle, comes back, or runs out of disk: with real ones."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_mlops.core.errors import DiskFullError, EngineUnavailableError
from jupyter_mlops.core.ports import Engine, ImageConfig
from jupyter_mlops.engines.discovery import EngineDiscovery
from jupyter_mlops.engines.podman import PodmanEngine
from tests.parts.engines import ensure, settings, tiny_image

from .conftest import LABELS, spec
from .own_engines import OwnDocker, alive, end, small_disk, sweep


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short: sockets have 107 bytes for their path."""
    made = Path(tempfile.mkdtemp(prefix="jm-", dir="/tmp"))
    yield made
    sweep(made)
    ensure("remove_store", f"{made}/store")


@pytest.fixture
def own_docker(folder: Path) -> Iterator[OwnDocker]:
    ensure("ensure_docker")
    docker = OwnDocker(folder)
    docker.start()
    yield docker
    docker.stop()


async def work_of_all_kinds(engine: Engine) -> list[asyncio.Future[object]]:
    """An exec, a wait and an event stream that are under way."""
    container = await engine.create(spec(await tiny_image(engine)))
    await engine.start(container)
    begun = asyncio.Event()

    async def watch() -> None:
        async for _event in engine.events({"nobody": "has this"}):
            pass

    tasks: list[asyncio.Future[object]] = [
        asyncio.ensure_future(
            engine.exec(
                container,
                ["sh", "-c", "echo begun; sleep 1000"],
                on_output=lambda _text: begun.set(),
            )
        ),
        asyncio.ensure_future(engine.wait(container)),
        asyncio.ensure_future(watch()),
    ]
    await asyncio.wait_for(begun.wait(), 20)
    await asyncio.sleep(0.5)
    assert not any(task.done() for task in tasks)
    return tasks


async def all_tell_it(tasks: list[asyncio.Future[object]]) -> None:
    for task in tasks:
        with pytest.raises(EngineUnavailableError, match="stopped in the middle"):
            await asyncio.wait_for(task, 20)


@pytest.mark.docker
async def test_docker_stops_in_the_middle_and_comes_back(own_docker: OwnDocker) -> None:
    wanted = replace(settings(own_docker.folder, own_docker.folder), engine_url=own_docker.url)
    discovery = EngineDiscovery(wanted)
    engine = await discovery.engine()
    assert await discovery.engine() is engine
    tasks = await work_of_all_kinds(engine)
    own_docker.kill()
    await all_tell_it(tasks)
    with pytest.raises(EngineUnavailableError):
        await engine.list(LABELS)
    with pytest.raises(EngineUnavailableError) as raised:
        await discovery.engine()
    assert own_docker.url in raised.value.message and raised.value.hint
    own_docker.start()
    found = await discovery.engine()
    for container in await found.list(LABELS):
        await found.remove(container.id)
    await discovery.close()


@pytest.mark.podman
async def test_podman_stops_in_the_middle_and_is_started_again(folder: Path) -> None:
    ensure("ensure_podman")
    wanted = settings(folder, folder, engine="podman", engine_url=f"podman://{folder}/store")
    engine = await PodmanEngine.start_service(wanted)
    assert engine.service is not None
    tasks = await work_of_all_kinds(engine)
    first = engine.service.pid()
    end(first)
    await all_tell_it(tasks)
    # The next call starts the service again; containers have lived on.
    containers = await engine.list(LABELS)
    assert [c.running for c in containers] == [True]
    assert engine.service.pid() not in (0, first)
    await engine.remove(containers[0].id)
    last = engine.service.pid()
    await engine.close()
    assert not alive(last)


@pytest.mark.podman
async def test_several_users_of_podmans_service(folder: Path) -> None:
    ensure("ensure_podman")
    wanted = settings(folder, folder, engine="podman", engine_url=f"podman://{folder}/store")
    first, second = [EngineDiscovery(wanted) for _ in range(2)]
    one, two = await asyncio.gather(first.engine(), second.engine())
    assert isinstance(one, PodmanEngine) and isinstance(two, PodmanEngine)
    assert one.service and two.service and one.service.pid() == two.service.pid() != 0
    pid = one.service.pid()
    await first.close()
    assert (await two.info()).name == "podman" and two.service.pid() == pid
    await second.close()
    assert not alive(pid)


async def fill(engine: Engine) -> None:
    """Work until the disk is full; what fails must say so, and leave nothing."""
    tiny = await tiny_image(engine)
    container = await engine.create(spec(tiny))
    await engine.start(container)
    code, _ = await engine.exec(
        container, ["dd", "if=/dev/urandom", "of=/data/x", "bs=1M", "count=40"]
    )
    assert code == 0
    before = {image.id for image in await engine.images({})}
    with pytest.raises(DiskFullError, match="full"):
        await engine.commit(container, ImageConfig(labels=LABELS, tag="mlops/test/full:1"))
    assert await engine.image("mlops/test/full:1") is None
    assert {image.id for image in await engine.images({})} == before
    assert (await engine.exec(container, ["echo", "alive"]))[1] == "alive\n"
    await engine.remove(container)


@pytest.mark.docker
async def test_dockers_disk_is_full(folder: Path) -> None:
    ensure("ensure_docker")
    with small_disk(folder / "data", 64):
        docker = OwnDocker(folder)
        docker.start()
        engine = docker.engine()
        try:
            await fill(engine)
        finally:
            await engine.close()
            docker.stop()


@pytest.mark.podman
async def test_podmans_disk_is_full(folder: Path) -> None:
    ensure("ensure_podman")
    with small_disk(folder / "store", 64):
        engine = await PodmanEngine.start_service(
            settings(folder, folder, engine="podman", engine_url=f"podman://{folder}/store")
        )
        try:
            await fill(engine)
        finally:
            await engine.close()
