"""The same on Podman, and an engine that stops in the middle of a build."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.core.errors import BuildFailedError, EngineUnavailableError
from jupyter_mlops.core.inventory import diff
from jupyter_mlops.engines.podman_service import PodmanService
from jupyter_mlops.wiring import Services
from tests.parts.engines import CACHE, OWNER, run_apart
from tests.parts.services import Recorder, make_config, open_services, swept, tiny_spec, with_base

from .test_build import containers, nothing_is_left
from .test_cancel import SLOW, until

pytestmark = pytest.mark.podman


@pytest.fixture(scope="module")
def service() -> Iterator[PodmanService]:
    """Podman's service, which a test may kill."""
    folder = Path(tempfile.mkdtemp(prefix="jm-", dir="/tmp"))
    service = PodmanService(folder, CACHE / "podman")
    service.ensure()
    yield service
    service.release()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def on_podman(
    tmp_path: Path, debian_base_podman: str, service: PodmanService, jp_asyncio_loop: Any
) -> Iterator[Services]:
    config = make_config(
        tmp_path / "data",
        service.folder,
        "podman",
        engine_url=service.url,
        # What it leaves is removed, in a store that others use.
        owner=f"{OWNER}-own",
    )
    run_apart(with_base(config, debian_base_podman))
    made = open_services(config)
    yield made
    jp_asyncio_loop.run_until_complete(made.close())
    service.ensure()
    run_apart(swept(config))


async def test_build_extend_probe_delete(on_podman: Services):
    environments = on_podman.environments
    first = await environments.build(tiny_spec(on_podman, name="pod"), Recorder())
    assert first.packages > 20
    probed = await environments.probe(first.image)
    assert diff(await environments.inventory(first), probed).empty
    engine = await on_podman.engines.engine()
    image = await engine.image(first.ref)
    assert image and image.command == ("/opt/env/bin/python",) and not image.entrypoint
    assert set(image.environment) - {"TERM", "container"} == {"PATH", "VIRTUAL_ENV", "TINY"}

    more = tiny_spec(on_podman, name="pod", python=("humanize", "six"))
    second = await environments.build(more, Recorder(), replace=True)
    assert second.size - first.size < 2_000_000
    changes = diff(await environments.inventory(first), await environments.inventory(second))
    assert [c.name for c in changes.added] == ["six"] and not changes.changed

    with pytest.raises(BuildFailedError, match="step setup"):
        await environments.build(tiny_spec(on_podman, name="fails", setup="false"), Recorder())
    await nothing_is_left(on_podman, "fails")
    assert await environments.delete("pod") > 1_000_000
    await nothing_is_left(on_podman, "pod")


async def test_engine_stops_in_the_middle(on_podman: Services, service: PodmanService):
    recorder = Recorder()
    spec = tiny_spec(on_podman, name="broken", setup=SLOW)
    task = asyncio.create_task(on_podman.environments.build(spec, recorder))
    await until(lambda: "started" in recorder.text, 120)
    os.kill(service.pid(), signal.SIGKILL)
    with pytest.raises(EngineUnavailableError) as caught:
        await task
    assert caught.value.message and caught.value.hint
    with pytest.raises(EngineUnavailableError):
        await on_podman.environments.build(tiny_spec(on_podman, name="later"), Recorder())
    assert (await on_podman.environments.get("broken")).active == 0

    await asyncio.to_thread(service.ensure)
    assert len(await containers(on_podman)) == 1
    # The next build finds the container that could not be removed.
    await on_podman.environments.build(tiny_spec(on_podman, name="later"), Recorder())
    assert await containers(on_podman) == []
    await on_podman.environments.delete("broken")
    await on_podman.environments.delete("later")
