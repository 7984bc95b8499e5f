"""The services on a data folder of the session's own, and one small environment that all share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from traitlets.config import Config

from jupyter_mlops.core.environment import Base, Environment, EnvironmentSpec
from jupyter_mlops.core.errors import EngineUnavailableError
from jupyter_mlops.core.layout import LABEL_OWNER
from jupyter_mlops.core.revision import Revision

from .engines import BASE_REF, CACHE, OWNER, run_apart

if TYPE_CHECKING:
    from jupyter_mlops.wiring import Services

TINY = """
name: tiny
description: Small enough to be built in a few seconds
base: debian
python: [humanize]
variables: {TINY: "yes"}
"""


@dataclass
class Recorder:
    """Keeps what a use case tells of its progress."""

    phases: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    text: str = ""
    on_phase: Callable[[str], None] | None = None

    def phase(self, name: str, message: str = "") -> None:
        self.phases.append(name)
        self.update(message)
        if self.on_phase:
            self.on_phase(name)

    def update(self, message: str = "", fraction: float | None = None) -> None:
        if message:
            self.messages.append(message)

    def log(self, text: str) -> None:
        self.text += text


@dataclass(frozen=True)
class Tiny:
    """An environment that many tests share, such as ``tiny``: Python, ipykernel and one more
    package."""

    environment: Environment
    revision: Revision
    recorder: Recorder
    """Of its build."""


def make_config(data: Path, runtime: Path, engine: str, **more: Any) -> Config:
    """``more`` are traits of ``Mlops``. The owner is this test run's, so that what it makes can
    be told from everybody else's, and containers are made when something asks for one."""
    return Config(
        {
            "Mlops": {
                "data_dir": str(data),
                "runtime_dir": str(runtime),
                "engine": engine,
                "owner": OWNER,
                "warm_kernels": 0,
                **more,
            }
        }
    )


def open_services(config: Config) -> Services:
    """Services of their own: nothing is shared with those made of an equal configuration."""
    # Imported here: most tests need none of the adapters that it imports.
    from jupyter_mlops import wiring

    wiring._parts.pop(str(config.Mlops.data_dir), None)
    return wiring.build(config)


async def sweep(services: Services) -> None:
    """Remove every container and image of this owner, on this engine."""
    owner = {LABEL_OWNER: services.settings.owner}
    try:
        engine = await services.engines.engine()
    except EngineUnavailableError:
        return
    for container in await engine.list(owner):
        await engine.remove(container.id)
    images = await engine.images(owner)
    # Those made last first: an image is removed only after what was made of it.
    for image in sorted(images, key=lambda i: (len(i.layers), i.created), reverse=True):
        for ref in image.tags or (image.id,):
            await engine.remove_image(ref, force=True)


async def swept(config: Config) -> None:
    services = open_services(config)
    try:
        await sweep(services)
    finally:
        await services.close()


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """A folder with a short path: sockets have 107 bytes for theirs."""
    folder = Path(tempfile.mkdtemp(prefix="jm-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def services_config(
    tmp_path_factory: pytest.TempPathFactory, short_folder: Path, debian_base: str
) -> Iterator[Config]:
    """Configuration of the session's services, on Docker, with the base image ``debian``."""
    config = make_config(tmp_path_factory.mktemp("mlops"), short_folder / "run", "docker")
    run_apart(with_base(config, debian_base))
    yield config
    run_apart(swept(config))


async def with_base(config: Config, image: str) -> None:
    """Make an image known as the base ``debian``: making one anew takes half a minute, and has a
    test of its own."""
    services = open_services(config)
    try:
        base = Base("debian", image, BASE_REF, "debian bookworm", "2026-01-01T00:00:00+00:00")
        await services.store.bases.save(base)
    finally:
        await services.close()


@pytest.fixture
def services(services_config: Config, jp_asyncio_loop: Any) -> Iterator[Services]:
    """The services on the session's data: what one test builds, the next one sees."""
    made = open_services(services_config)
    yield made
    jp_asyncio_loop.run_until_complete(made.close())


@pytest.fixture(scope="session")
def tiny_environment(services_config: Config) -> Tiny:
    """Built once a session. Tests may start kernels of it and add revisions to others; they must
    not change or delete it."""
    return run_apart(built(services_config, TINY))


@pytest.fixture(scope="session")
def podman_config(
    tmp_path_factory: pytest.TempPathFactory, short_folder: Path, debian_base_podman: str
) -> Iterator[Config]:
    """As ``services_config``, on Podman, apart from this machine's other Podman."""
    config = make_config(
        tmp_path_factory.mktemp("mlops-podman"),
        short_folder / "podman",
        "podman",
        engine_url=f"podman://{CACHE / 'podman'}",
    )
    run_apart(with_base(config, debian_base_podman))
    yield config
    run_apart(swept(config))


@pytest.fixture(scope="session")
def tiny_environment_podman(podman_config: Config) -> Tiny:
    """As ``tiny_environment``."""
    return run_apart(built(podman_config, TINY))


async def built(config: Config, spec: str) -> Tiny:
    """The environment of a specification in YAML, built in services of its own."""
    services = open_services(config)
    recorder = Recorder()
    try:
        parsed = services.environments.parse_spec(spec)
        revision = await services.environments.build(parsed, recorder)
        return Tiny(await services.environments.get(parsed.name), revision, recorder)
    finally:
        await services.close()


def tiny_spec(services: Services, **changes: Any) -> EnvironmentSpec:
    """The specification of ``tiny`` with some fields changed."""
    from dataclasses import replace

    return replace(services.environments.parse_spec(TINY), **changes)
