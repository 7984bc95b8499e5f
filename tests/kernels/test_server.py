"""Kernels in containers as a Jupyter server's own clients use them."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from pathlib import Path
from typing import Any

import anyio
import docker
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from tornado.httpclient import HTTPClientError
from traitlets.config import Config

from jupyter_mlops.core.layout import LABEL_KERNEL
from jupyter_mlops.server.events import KERNEL
from tests.parts.services import Tiny

pytestmark = pytest.mark.docker


@pytest.fixture
def jp_server_config(
    tiny_environment: Tiny, services_config: Config, monkeypatch: pytest.MonkeyPatch
) -> Config:
    monkeypatch.setenv("MY_SECRET_TOKEN", "hunter2-of-the-server")
    return Config(
        {
            "ServerApp": {"jpserver_extensions": {"jupyter_mlops": True}},
            "KernelManager": {"shutdown_wait_time": 5.0},
            **services_config,
        }
    )


@pytest.fixture(autouse=True)
def extension_started(jp_serverapp: Any, jp_asyncio_loop: asyncio.AbstractEventLoop) -> None:
    """As a server does when it runs; the fixture's only initializes."""
    jp_asyncio_loop.run_until_complete(jp_serverapp.extension_manager.start_all_extensions())


class Channels:
    """A browser's websocket to a kernel."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.session = uuid.uuid4().hex

    async def send(self, kind: str, content: dict[str, Any], channel: str = "shell") -> str:
        number = uuid.uuid4().hex
        header = {
            "msg_id": number,
            "msg_type": kind,
            "username": "",
            "session": self.session,
            "date": "",
            "version": "5.3",
        }
        await self.socket.write_message(
            json.dumps(
                {
                    "channel": channel,
                    "header": header,
                    "parent_header": {},
                    "metadata": {},
                    "content": content,
                }
            )
        )
        return number

    async def run(self, code: str, seconds: float = 60) -> str:
        """The text that the cell printed, and the name of its error."""
        content = {"code": code, "silent": False, "allow_stdin": False, "stop_on_error": True}
        number = await self.send("execute_request", content)
        text = ""
        while True:
            message = json.loads(await asyncio.wait_for(self.socket.read_message(), seconds))
            if message["parent_header"].get("msg_id") != number:
                continue
            found = message["content"]
            text += found.get("text", "") if message["msg_type"] == "stream" else ""
            text += found.get("ename", "") if message["msg_type"] == "error" else ""
            if message["msg_type"] == "status" and found["execution_state"] == "idle":
                return text.strip()

    async def wait_for_state(self, state: str, seconds: float = 30) -> None:
        while True:
            message = json.loads(await asyncio.wait_for(self.socket.read_message(), seconds))
            if message["content"].get("execution_state") == state:
                return


def containers(kernel_id: str) -> list[Any]:
    client = docker.from_env()
    try:
        return client.containers.list(all=True, filters={"label": f"{LABEL_KERNEL}={kernel_id}"})
    finally:
        client.close()


async def start(fetch: Any, path: str, kernel: str) -> dict[str, Any]:
    body = {"path": path, "name": Path(path).name, "type": "notebook", "kernel": {"name": kernel}}
    answer = await fetch(
        "api", "sessions", method="POST", body=json.dumps(body), request_timeout=120
    )
    return json.loads(answer.body)["kernel"]


async def test_a_notebooks_kernel(jp_fetch, jp_ws_fetch, jp_root_dir, jp_serverapp):
    events: list[dict[str, Any]] = []

    async def listen(logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        events.append(data)

    jp_serverapp.event_logger.add_listener(schema_id=KERNEL, listener=listen)
    specs = json.loads((await jp_fetch("api", "kernelspecs")).body)["kernelspecs"]
    assert specs["mlops-tiny"]["spec"]["display_name"].startswith("tiny (r1, Python 3.")
    assert "mlops-tiny.r1" in specs

    project = jp_root_dir / "project"
    project.mkdir()
    (jp_root_dir / "shared.txt").write_text("from the server's root")
    kernel = await start(jp_fetch, "project/a.ipynb", "mlops-tiny")
    assert len(containers(kernel["id"])) == 1
    status = json.loads((await jp_fetch("mlops", "kernels", kernel["id"])).body)
    assert status["alive"] and status["project"] == str(project)
    socket = await jp_ws_fetch("api", "kernels", kernel["id"], "channels")
    channels = Channels(socket)

    # The whole root folder is there, and the kernel starts beside its notebook.
    code = (
        "import os\n"
        "print(os.getcwd(), os.environ['JPY_SESSION_NAME'], open('../shared.txt').read())"
    )
    assert await channels.run(code) == f"{project} {project}/a.ipynb from the server's root"
    assert "hunter2" not in await channels.run("print(dict(os.environ))")

    await channels.run("x = 1")
    await jp_fetch("api", "kernels", kernel["id"], "restart", method="POST", body="{}")
    assert await channels.run("x") == "NameError"

    running = asyncio.ensure_future(channels.run("import time\nwhile True: time.sleep(0.1)"))
    await asyncio.sleep(0.5)
    await jp_fetch("api", "kernels", kernel["id"], "interrupt", method="POST", body="{}")
    assert await asyncio.wait_for(running, 5) == "KeyboardInterrupt"

    # A crash: told at once, and the same websocket goes on with the new process.
    await channels.send(
        "execute_request", {"code": "import os; os._exit(3)", "silent": False, "allow_stdin": False}
    )
    await channels.wait_for_state("restarting")
    assert [(e["kernel_id"], e["reason"]) for e in events] == [(kernel["id"], "crashed")]
    assert "exit code 3" in events[0]["message"]
    deadline = time.monotonic() + 20
    while not await jp_serverapp.kernel_manager.get_kernel(kernel["id"]).is_alive():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    assert await channels.run("print(1 + 1)") == "2"
    socket.close()

    await jp_fetch("api", "kernels", kernel["id"], method="DELETE")
    assert containers(kernel["id"]) == []


async def test_a_launch_failure_reaches_the_browser_as_a_sentence(jp_fetch, jp_serverapp):
    manager: KernelSpecManager = jp_serverapp.kernel_spec_manager
    folder = Path(manager.get_kernel_spec("mlops-tiny").resource_dir)
    spec = json.loads((folder / "kernel.json").read_text())
    spec["metadata"]["kernel_provisioner"]["config"]["image"] = "sha256:" + "0" * 64
    broken = folder.with_name("mlops-tiny.r77")
    broken.mkdir()
    (broken / "kernel.json").write_text(json.dumps(spec))
    try:
        with pytest.raises(HTTPClientError) as error:
            await start(jp_fetch, "a.ipynb", "mlops-tiny.r77")
    finally:
        (broken / "kernel.json").unlink()
        broken.rmdir()
    message = json.loads(error.value.response.body)["message"]
    assert message.startswith("The image of tiny, revision 1, is not in Docker")
    assert message.endswith("Build the environment again.")
    assert json.loads((await jp_fetch("api", "kernels")).body) == []


async def test_a_stopped_server_leaves_nothing(jp_fetch, jp_serverapp, services_config):
    runtime = anyio.Path(services_config.Mlops.runtime_dir)
    # Other tests of this session may have left their lock of freezes there.
    before = {path.name async for path in runtime.iterdir()}
    kernel = await start(jp_fetch, "a.ipynb", "mlops-tiny")
    assert len(containers(kernel["id"])) == 1
    assert {path.name async for path in runtime.iterdir()} > before
    await jp_serverapp._cleanup()
    assert containers(kernel["id"]) == []
    assert {path.name async for path in runtime.iterdir()} == before
