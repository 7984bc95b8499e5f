"""Base images: made from distribution packages, and pulled from a real registry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from jupyter_mlops.core.errors import (
    ConflictError,
    MlopsError,
    NotFoundError,
    RegistryUnavailableError,
)
from jupyter_mlops.core.layout import LABEL_KIND, LABEL_OWNER
from jupyter_mlops.wiring import Services
from tests.parts.engines import BASE_REF, OWNER, run_apart
from tests.parts.registry import RunningRegistry, free_port
from tests.parts.services import Recorder, make_config, open_services, tiny_spec

pytestmark = pytest.mark.docker


@pytest.fixture
def own(tmp_path: Path, short_folder: Path, jp_asyncio_loop: Any) -> Iterator[Services]:
    """Services with nothing in their store."""
    config = make_config(tmp_path / "data", short_folder / "run", "docker")
    made = open_services(config)
    yield made
    jp_asyncio_loop.run_until_complete(made.close())


async def test_made_from_distribution_packages(own: Services, docker_engine: Any):
    recorder = Recorder()
    base = await own.environments.create_base("fresh", packages=("tree",), progress=recorder)
    try:
        assert base.origin == "debian bookworm" and base.size > 50_000_000
        assert "import" in recorder.phases
        assert await own.environments.bases() == [base]
        engine = await own.engines.engine()
        image = await engine.image(base.ref)
        assert image and image.id == base.image
        assert (image.labels[LABEL_KIND], image.labels[LABEL_OWNER]) == ("base", OWNER)
        inventory = await own.environments.probe(base.image)
        assert {"tree", "python3"} <= inventory.of("deb").keys()
        with pytest.raises(ConflictError, match="fresh"):
            await own.environments.create_base("fresh", progress=Recorder())
    finally:
        await own.environments.delete_base("fresh")
    assert await own.environments.bases() == []
    assert await engine.image(base.ref) is None


async def test_suite_that_does_not_exist(own: Services, docker_engine: Any):
    with pytest.raises(MlopsError, match="nosuchsuite") as caught:
        await own.environments.create_base("none", suite="nosuchsuite", progress=Recorder())
    assert caught.value.hint
    assert await own.environments.bases() == []
    scratch = own.settings.data / "blobs" / "scratch"
    assert not scratch.exists() or not list(scratch.iterdir())


@pytest.mark.registry
async def test_pulled_from_a_registry(
    own: Services, docker_engine: Any, debian_base: str, registry: RunningRegistry
):
    ref = f"{registry.project('bases')}:1"
    await docker_engine.tag(BASE_REF, ref)
    await docker_engine.push(ref, None, lambda _: None)
    await docker_engine.remove_image(ref)
    recorder = Recorder()
    base = await own.environments.pull_base(ref, "pulled", recorder)
    assert (base.image, base.origin) == (debian_base, ref)
    assert recorder.phases == ["pull"]
    revision = await own.environments.build(
        tiny_spec(own, name="onpulled", base="pulled"), Recorder()
    )
    assert revision.base_image == debian_base
    await own.environments.delete("onpulled")
    await own.environments.delete_base("pulled")
    engine = await own.engines.engine()
    assert await engine.image(base.ref) is None
    await engine.remove_image(ref)
    # The image itself stays: another base has it too.
    assert await engine.image(debian_base)


@pytest.mark.registry
async def test_pull_that_fails(own: Services, docker_engine: Any, registry: RunningRegistry):
    with pytest.raises(MlopsError) as caught:
        await own.environments.pull_base(f"{registry.project('none')}:1", "none", Recorder())
    assert caught.value.message and caught.value.code != "failed"
    with pytest.raises(RegistryUnavailableError):
        await own.environments.pull_base(f"127.0.0.1:{free_port()}/team/none:1", "none", Recorder())
    assert await own.environments.bases() == []
    with pytest.raises(NotFoundError):
        await own.environments.delete_base("none")


def test_other_data_of_the_same_name(
    tmp_path: Path, short_folder: Path, services_config: Config, tiny_environment: Any
):
    """Two users of one engine may give the same name: neither takes the other's image."""
    config = make_config(tmp_path / "data", short_folder / "run", "docker")

    async def build() -> None:
        services = open_services(config)
        try:
            first = await open_base(services, services_config)
            spec = tiny_spec(services, base="debian", variables={"OTHER": "1"})
            revision = await services.environments.build(spec, Recorder())
            engine = await services.engines.engine()
            assert (revision.number, first) == (1, "debian")
            assert revision.ref != tiny_environment.revision.ref
            theirs = await engine.image(tiny_environment.revision.ref)
            assert theirs and theirs.id == tiny_environment.revision.image
            await services.environments.delete("tiny")
            assert await engine.image(tiny_environment.revision.ref) == theirs
        finally:
            await services.close()

    run_apart(build())


async def open_base(services: Services, other: Config) -> str:
    """Give these services the base of others."""
    from jupyter_mlops.store.store import SqlStore

    store = SqlStore(Path(other.Mlops.data_dir) / "mlops.sqlite")
    base = await store.bases.get("debian")
    await store.close()
    assert base
    await services.store.bases.save(base)
    return base.name
