"""Ctrl-C at the command line's loops: a followed log, and many requests one after the other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from jupyter_mlops.core.deployment import Deployment
from jupyter_mlops.core.layout import LABEL_OWNER
from jupyter_mlops.wiring import Services
from tests.parts.engines import OWNER

from .conftest import Silent, make_package

pytestmark = [pytest.mark.docker, pytest.mark.aws, pytest.mark.registry]

ASKED = '"POST /invocations HTTP/1.1" 200'
SECONDS = 60.0
COMMAND = "import sys; from jupyter_mlops.cli.main import main; sys.exit(main(sys.argv[1:]))"


class Typed:
    """A command that somebody typed into a terminal: Ctrl-C reaches all that it started."""

    def __init__(self, services: Services, folder: Path, *arguments: str) -> None:
        settings = services.settings
        mlops = {
            "data_dir": str(settings.data),
            "runtime_dir": str(settings.runtime),
            "owner": OWNER,
            "engine": "docker",
        }
        config = folder / "config.json"
        config.write_text(json.dumps({"Mlops": mlops}))
        self._out, self._err = folder / "out", folder / "err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-c", COMMAND, *arguments, "--config", str(config)],
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert self._process.poll() is None and time.monotonic() < deadline, self.err
            time.sleep(0.02)

    def interrupt(self) -> int:
        """Ctrl-C; the exit code."""
        os.killpg(self._process.pid, signal.SIGINT)
        return self._process.wait(SECONDS)

    def kill(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


async def deploy(services: Services, image: str) -> Deployment:
    package = await make_package(services, image)
    return await services.deploying.deploy(package.id, "local", "here", {}, Silent())


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    found = docker.from_env()
    yield found
    found.close()


async def test_a_log_is_followed_until_an_interrupt(
    services: Services, model_image: str, tmp_path: Path
) -> None:
    made = await deploy(services, model_image)
    typed = Typed(services, tmp_path, "deployment", "logs", "here", "--follow")
    try:
        for count in (1, 2, 3):
            await services.deploying.invoke(made.id)
            typed.until(lambda count=count: typed.out.count(ASKED) >= count)  # type: ignore[misc]
        assert typed.interrupt() == 0
        assert typed.out.count(ASKED) == 3, "every line once"
        assert typed.err == ""
    finally:
        typed.kill()
        await services.deploying.delete(made.id, Silent())


async def test_many_requests_end_with_an_interrupt(
    services: Services, model_image: str, tmp_path: Path, client: docker.DockerClient
) -> None:
    """Also while one of them is not answered: the container is paused."""
    made = await deploy(services, model_image)
    (asked,) = client.containers.list(filters={"label": f"{LABEL_OWNER}={OWNER}"})
    typed = Typed(services, tmp_path, "deployment", "invoke", "here", "--times", "1000")
    try:
        typed.until(lambda: ASKED.encode() in asked.logs())
        asked.pause()
        assert typed.interrupt() == 1
        assert typed.out == ""
        assert typed.err.startswith("Cancelled.") and "Traceback" not in typed.err
    finally:
        typed.kill()
        asked.reload()
        if asked.status == "paused":
            asked.unpause()
        await services.deploying.delete(made.id, Silent())
