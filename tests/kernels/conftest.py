"""Kernels on real engines, and what tests say to them."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.ioloop.manager import AsyncIOLoopKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from traitlets.config import Config

from jupyter_mlops.core.environment import Environment, EnvironmentSpec
from jupyter_mlops.core.kernel import KernelEvent, kernel_name
from jupyter_mlops.core.revision import Revision
from jupyter_mlops.kernels.parts import ProvisionerParts
from jupyter_mlops.kernels.specs import KernelSpecFolder
from tests.parts.services import Tiny, make_config, open_services, run_apart

from .machine import Machine, remove_containers

MIB = 1024**2


@dataclass
class Outcome:
    """What one cell did."""

    text: str = ""
    error: str = ""
    mime: set[str] = field(default_factory=set)


class Kernel:
    """A kernel and a client of it."""

    def __init__(self, manager: AsyncIOLoopKernelManager) -> None:
        self.manager = manager
        self.client: Any = None

    @property
    def provisioner(self) -> Any:
        return self.manager.provisioner

    async def start(self, cwd: Path, **arguments: Any) -> None:
        await self.manager.start_kernel(cwd=str(cwd), **arguments)
        await self.connect()

    async def connect(self) -> None:
        self.client = self.manager.client()
        self.client.start_channels()
        await self.client.wait_for_ready(timeout=60)

    async def back(self, seconds: float = 20) -> None:
        """Wait until Jupyter's restarter has brought it back."""
        deadline = time.monotonic() + seconds
        while not await self.manager.is_alive():
            assert time.monotonic() < deadline, "the kernel was not restarted"
            await asyncio.sleep(0.05)
        await self.client.wait_for_ready(timeout=30)

    async def run(self, code: str, timeout: float = 60, **arguments: Any) -> Outcome:
        outcome = Outcome()

        def output(message: dict[str, Any]) -> None:
            content = message["content"]
            outcome.text += content.get("text", "")
            outcome.text += content.get("data", {}).get("text/plain", "")
            outcome.mime |= set(content.get("data", {}))
            if "ename" in content:
                outcome.error = f"{content['ename']}: {content['evalue']}"

        await self.client.execute_interactive(
            code, output_hook=output, timeout=timeout, **arguments
        )
        outcome.text = outcome.text.strip()
        return outcome

    async def value(self, code: str, timeout: float = 60) -> str:
        outcome = await self.run(code, timeout)
        assert not outcome.error, outcome.error
        return outcome.text

    async def close(self) -> None:
        if self.client is not None:
            self.client.stop_channels()
            self.client = None
        if self.manager.has_kernel:
            await self.manager.shutdown_kernel(now=True)
        await self.manager.cleanup_resources()


def install(
    specs: KernelSpecFolder, image: str, name: str = "tiny", *, r: str = "", **fields: Any
) -> str:
    """A kernel spec on the test image; returns its name."""
    spec = EnvironmentSpec(name=name, base="debian", **fields)
    revision = Revision(
        environment=name,
        number=1,
        spec=spec,
        base_image="",
        image=image,
        ref="",
        lock="sha256:0",
        inventory="",
        identity="",
        created="2026-01-01T00:00:00+00:00",
        python="3.11.2",
        r=r,
    )
    environment = Environment(name, "tests", spec, revision.created, active=1, latest=1)
    specs.install_environment(environment, [revision])
    return kernel_name(name, language="R" if r else "python")


@dataclass
class Place:
    """One engine, one data folder, one workspace."""

    engine_name: str
    config: Config
    parts: ProvisionerParts
    specs: KernelSpecFolder
    workspace: Path
    image: str
    events: list[KernelEvent]
    r: str = ""
    """Version of R in the image: then kernels are those of R."""
    kernels: list[Kernel] = field(default_factory=list)

    def install(self, name: str = "tiny", **fields: Any) -> str:
        return install(self.specs, self.image, name, r=self.r, **fields)

    def kernel(self, name: str = "tiny", **fields: Any) -> Kernel:
        manager = AsyncIOLoopKernelManager(
            kernel_name=self.install(name, **fields),
            kernel_spec_manager=KernelSpecManager(
                kernel_dirs=[str(self.specs.path)], ensure_native_kernel=False
            ),
            config=self.config,
        )
        kernel = Kernel(manager)
        self.kernels.append(kernel)
        return kernel

    async def started(self, name: str = "tiny", **fields: Any) -> Kernel:
        kernel = self.kernel(name, **fields)
        await kernel.start(self.workspace)
        return kernel

    async def containers(self) -> list[Any]:
        engine = await self.parts.engines.engine()
        owner = self.parts.settings.owner
        return await engine.list({"io.jupyter-mlops.owner": owner})

    async def event(self, seconds: float = 10) -> KernelEvent:
        """The next event."""
        for _ in range(int(seconds * 20)):
            if self.events:
                return self.events.pop(0)
            await asyncio.sleep(0.05)
        raise AssertionError("no event came")


@pytest.fixture
def folder() -> Iterator[Path]:
    """pytest's own folders are too long for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="mlops-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(
    params=[
        pytest.param("docker", marks=pytest.mark.docker),
        # Its image comes from Docker, where it was built.
        pytest.param("podman", marks=[pytest.mark.docker, pytest.mark.podman]),
    ]
)
def engine_name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def config(engine_name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("MY_SECRET_TOKEN", "hunter2-of-the-server")
    return Config(
        {
            "Mlops": {
                "data_dir": str(folder / "data"),
                "runtime_dir": str(folder / "r"),
                "owner": f"tests-{folder.name}",
                "engine": engine_name,
                "warm_kernels": 0,
            }
        }
    )


@pytest.fixture
def place(
    engine_name: str,
    config: Config,
    folder: Path,
    kernel_images: Callable[[str], str],
    jp_asyncio_loop: asyncio.AbstractEventLoop,
) -> Iterator[Place]:
    from jupyter_mlops.wiring import provisioner_parts

    events: list[KernelEvent] = []
    parts = provisioner_parts(config)
    parts.on_event = events.append
    workspace = folder / "work"
    workspace.mkdir()
    place = Place(
        engine_name,
        config,
        parts,
        KernelSpecFolder(parts.settings.data / "kernels"),
        workspace,
        kernel_images(engine_name),
        events,
    )
    yield place

    async def close() -> None:
        for kernel in place.kernels:
            await kernel.close()
        left = await place.containers()
        for container in left:
            await (await parts.engines.engine()).remove(container.id)
        await parts.engines.close()
        await parts.store.close()
        assert not left, f"containers were left: {left}"

    jp_asyncio_loop.run_until_complete(close())


@pytest.fixture
def machine(
    engine_name: str, folder: Path, kernel_images: Callable[[str], str]
) -> Iterator[Machine]:
    mlops = {
        "data_dir": str(folder / "data"),
        "runtime_dir": str(folder / "r"),
        "owner": f"tests-{folder.name}",
        "engine": engine_name,
        "warm_kernels": 0,
    }
    root = folder / "work"
    root.mkdir()
    kernel = install(KernelSpecFolder(folder / "data" / "kernels"), kernel_images(engine_name))
    machine = Machine(folder, mlops, root, kernel)
    yield machine
    for server in machine.servers:
        server.close()
    machine.ask(remove_containers)


@pytest.fixture(scope="session")
def kernel_images(
    tiny_environment: Tiny, services_config: Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], str]]:
    """The id of the small environment's image on an engine; brought to Podman when asked for."""
    with images_of(tiny_environment, services_config, tmp_path_factory.mktemp("images")) as image:
        yield image


@contextmanager
def images_of(
    environment: Tiny, services_config: Config, folder: Path
) -> Iterator[Callable[[str], str]]:
    """From an engine's name to the id of the environment's image there."""
    podman = make_config(folder / "data", folder / "run", "podman")
    found = {"docker": environment.revision.image}

    async def bring() -> str:
        source, target = open_services(services_config), open_services(podman)
        try:
            archive = folder / "tiny.tar"
            await (await source.engines.engine()).save_image(environment.revision.ref, archive)
            engine = await target.engines.engine()
            await engine.load_image(archive)
            archive.unlink()
            image = await engine.image(environment.revision.image)
            assert image is not None, "an image has the same id on every engine"
            return image.id
        finally:
            await source.close()
            await target.close()

    def image(engine: str) -> str:
        if engine not in found:
            found[engine] = run_apart(bring())
        return found[engine]

    async def take_away() -> None:
        services = open_services(podman)
        try:
            # This image alone: other tests of the session have theirs there.
            await (await services.engines.engine()).remove_image(environment.revision.ref)
        finally:
            await services.close()

    yield image
    if "podman" in found:
        run_apart(take_away())


__all__ = ["MIB", "Kernel", "Place"]
