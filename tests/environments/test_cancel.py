"""Cancelled builds, and engines that go away in the middle: nothing is left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from traitlets.config import Config

from jupyter_mlops.core.errors import BuildFailedError, ConflictError, NotFoundError
from jupyter_mlops.core.layout import LABEL_KIND, LABEL_OWNER
from jupyter_mlops.wiring import Services
from tests.parts.services import Recorder, Tiny, tiny_spec

from .test_build import containers, nothing_is_left

pytestmark = pytest.mark.docker

SLOW = "echo started\nsleep 300\n"


async def until(condition, seconds: float = 30) -> None:
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen in time")


@pytest.mark.parametrize("phase", ["resolve", "python", "setup", "freeze"])
async def test_cancel_leaves_nothing(services: Services, tiny_environment: Tiny, phase: str):
    recorder = Recorder()
    setup = SLOW if phase == "setup" else ""
    spec = tiny_spec(services, name="stopped", setup=setup)
    task = asyncio.create_task(services.environments.build(spec, recorder))
    await until(lambda: phase in recorder.phases)
    if phase == "setup":
        await until(lambda: "started" in recorder.text)
    await asyncio.sleep(0.15)
    began = asyncio.get_running_loop().time()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # Much less than the script would have taken; a busy machine needs some seconds.
    assert asyncio.get_running_loop().time() - began < 60
    await nothing_is_left(services, "stopped")
    with pytest.raises(NotFoundError):
        await services.environments.get("stopped")


async def test_cancel_keeps_what_was_there(services: Services, tiny_environment: Tiny):
    before = await services.environments.get("tiny")
    recorder = Recorder()
    task = asyncio.create_task(
        services.environments.build(tiny_spec(services, setup=SLOW), recorder, replace=True)
    )
    await until(lambda: "started" in recorder.text)
    with pytest.raises(ConflictError, match="being built"):
        await services.environments.build(tiny_spec(services), Recorder(), replace=True)
    with pytest.raises(ConflictError, match="being built"):
        await services.environments.delete("tiny")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await services.environments.get("tiny") == before
    assert await containers(services) == []


async def test_container_removed_by_someone(services: Services, tiny_environment: Tiny):
    recorder = Recorder()
    spec = tiny_spec(services, name="ended", setup=SLOW)
    task = asyncio.create_task(services.environments.build(spec, recorder))
    await until(lambda: "started" in recorder.text)
    engine = await services.engines.engine()
    (container,) = await engine.list({LABEL_KIND: "build", LABEL_OWNER: services.settings.owner})
    await engine.remove(container.id)
    with pytest.raises(BuildFailedError, match="ended from outside in the step setup"):
        await task
    await nothing_is_left(services, "ended")
    await services.environments.delete("ended")


def killed_when_started(script: str, config: Config) -> None:
    """Run a script in a process of its own, and kill that once it has printed ``started``."""
    child = subprocess.Popen(
        [sys.executable, "-c", script, json.dumps(config)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert child.stdout
    for line in child.stdout:
        if line.strip() == "started":
            break
    child.send_signal(signal.SIGKILL)
    child.wait()


async def test_next_build_removes_what_a_dead_process_left(
    services: Services, services_config: Config, tiny_environment: Tiny, tmp_path: Path
):
    script = textwrap.dedent(
        """
        import asyncio, json, sys
        from traitlets.config import Config
        from jupyter_mlops import wiring
        from tests.parts.services import Recorder, tiny_spec

        class Loud(Recorder):
            def log(self, text):
                print(text, flush=True)

        async def main():
            services = wiring.build(Config(json.loads(sys.argv[1])))
            spec = tiny_spec(services, name="dies", setup="echo started\\nsleep 300")
            await services.environments.build(spec, Loud())

        asyncio.run(main())
        """
    )
    killed_when_started(script, services_config)
    assert len(await containers(services)) == 1
    with pytest.raises(BuildFailedError):
        await services.environments.build(
            tiny_spec(services, name="next", setup="exit 3"), Recorder()
        )
    assert await containers(services) == []
    for name in ("dies", "next"):
        await services.environments.delete(name)
