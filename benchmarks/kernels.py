"""Kernels in containers against ipykernel on this machine, through one Jupyter server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect
from traitlets.config import Config

from jupyter_mlops import wiring

from . import dockernel, gateway
from .rows import Row, ratio
from .turns import ROUNDS, cache, free_port

SPEC = """
name: bench
base: debian
python: [ipykernel]
"""
OURS, LOCAL = "mlops-bench", "python3"
TOKEN = uuid.uuid4().hex
PEERS = {
    LOCAL: "local ipykernel, same server",
    dockernel.NAME: f"dockernel {dockernel.VERSION}, same server and packages",
    gateway.NAME: f"gateway_provisioners {gateway.VERSION}, same server and packages",
}

SETTLE = 1.5
"""Seconds after each turn: containers of a peer end after their kernel is gone."""

Found = dict[str, list[tuple[float, float]]]
"""By kernel spec: seconds of each round's start and restart; 0 where there was no restart."""


def run() -> list[Row]:
    config = _config()
    image = asyncio.run(_environment(config))
    with tempfile.TemporaryDirectory() as name:
        # One server after the other: any process of one owner takes a warm container.
        with (
            dockernel.installed(Path(name), image),
            _server(_with(config, warm_kernels=0), name) as port,
        ):
            cold = asyncio.run(_turns(port, (OURS, LOCAL, dockernel.NAME)))
        # A server of its own: what it needs on PYTHONPATH slows every kernel down.
        with (
            gateway.installed(Path(name), image) as variables,
            _server(_with(config, warm_kernels=0), name, variables) as port,
        ):
            beside = asyncio.run(_turns(port, (OURS, gateway.NAME)))
        with _server(_with(config, warm_kernels=1)) as port:
            warm = asyncio.run(_turns(port, (OURS, LOCAL), config))
    return [
        _row("start of a kernel → first cell done, warm container", warm, 0, LOCAL, 0.3),
        _row("the same, cold container", cold, 0, LOCAL, 1.3),
        _row("the same, cold container", cold, 0, dockernel.NAME, 1),
        _row("the same, cold container", beside, 0, gateway.NAME, 1),
        _row("restart → first cell done", cold, 1, LOCAL, 0.5),
    ]


def _with(config: Config, **settings: Any) -> Config:
    return Config({"Mlops": {**config["Mlops"], **settings}})


async def _turns(port: int, names: Sequence[str], warm: Config | None = None) -> Found:
    """``warm`` is the configuration whose warm container each of our turns waits for."""
    found: Found = {name: [] for name in names}
    headers = {"Authorization": f"token {TOKEN}"}
    url = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=120) as http:
        server = Server(port, http)
        for number in range(ROUNDS + 1):
            for name in names:
                if warm is not None and number and name == OURS:
                    await _warm(warm)
                turn = await server.turn(name)
                await asyncio.sleep(SETTLE)
                if number:  # The first round warms up and does not count.
                    found[name].append(turn)
    return found


async def _warm(config: Config) -> None:
    """Until a container is ready, and the zygote in it."""
    store = wiring.provisioner_parts(config).store
    deadline = time.monotonic() + 30
    while not any(record.warm not in ("", "begun") for record in await store.kernels.list()):
        if time.monotonic() > deadline:
            raise SystemExit("no container was made ready within 30 seconds")
        await asyncio.sleep(0.1)
    await asyncio.sleep(1)


def _row(name: str, found: Found, part: int, peer: str, bar: float) -> Row:
    ours, theirs = ([turn[part] for turn in found[who]] for who in (OURS, peer))
    compared = ratio(ours, theirs)
    return Row(
        name, f"{statistics.median(ours):.2f} s", PEERS[peer],
        f"{statistics.median(theirs):.2f} s", str(compared), f"≤ {bar}", compared.median <= bar,
    )  # fmt: skip


def _config() -> Config:
    """A data folder that is kept: making the base image takes half a minute."""
    runtime = Path(tempfile.gettempdir()) / f"mlops-benchmarks-{os.getuid()}"
    return Config(
        {
            "Mlops": {
                "data_dir": str(cache() / "kernels"),
                "runtime_dir": str(runtime),
                "owner": "benchmarks",
            }
        }
    )


async def _environment(config: Config) -> str:
    """Returns the image of its revision."""
    services = wiring.build(config)
    try:
        bases = {base.name: base for base in await services.environments.bases()}
        engine = await services.engines.engine()
        if "debian" not in bases or await engine.image(bases["debian"].image) is None:
            if "debian" in bases:
                for environment in await services.environments.list():
                    await services.environments.delete(environment.name)
                await services.environments.delete_base("debian")
            await services.environments.create_base("debian", progress=_Silent())
        spec = services.environments.parse_spec(SPEC)
        revision = await services.environments.build(spec, _Silent(), replace=True)
        return revision.image
    finally:
        await services.close()


class _Silent:
    def phase(self, name: str, message: str = "") -> None: ...
    def update(self, message: str = "", fraction: float | None = None) -> None: ...
    def log(self, text: str) -> None: ...


class Server:
    """A Jupyter server, spoken to as a browser does."""

    def __init__(self, port: int, http: httpx.AsyncClient) -> None:
        self._port = port
        self._http = http

    async def turn(self, name: str) -> tuple[float, float]:
        """Seconds of a start and of a restart, each until the first cell is done."""
        began = time.perf_counter()
        kernel = await self._post("api/kernels", {"name": name})
        try:
            await self._cell(kernel["id"])
            started = time.perf_counter() - began
            if name in (dockernel.NAME, gateway.NAME):
                return started, 0
            began = time.perf_counter()
            await self._post(f"api/kernels/{kernel['id']}/restart", {})
            await self._cell(kernel["id"])
            return started, time.perf_counter() - began
        finally:
            (await self._http.delete(f"api/kernels/{kernel['id']}")).raise_for_status()

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self._http.post(path, json=body)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    async def _cell(self, kernel_id: str) -> None:
        """Connect, ask who it is as every front end does, and run one cell."""
        url = f"ws://127.0.0.1:{self._port}/api/kernels/{kernel_id}/channels"
        session = uuid.uuid4().hex
        headers = {"Authorization": f"token {TOKEN}"}
        socket = await websocket_connect(
            HTTPRequest(f"{url}?session_id={session}", headers=headers)
        )
        try:
            await socket.write_message(_message("kernel_info_request", session, {}))
            cell = {"code": "print(1 + 1)", "silent": False, "allow_stdin": False}
            asked = _message("execute_request", session, cell)
            await socket.write_message(asked)
            number, text = json.loads(asked)["header"]["msg_id"], ""
            while True:
                said = await asyncio.wait_for(socket.read_message(), 60)
                if said is None:
                    raise SystemExit("the server closed the connection to the kernel")
                message = json.loads(said)
                if message["parent_header"].get("msg_id") != number:
                    continue
                text += message["content"].get("text", "")
                if message["content"].get("execution_state") == "idle":
                    break
            if text != "2\n":
                raise SystemExit(f"the cell printed {text!r}")
        finally:
            socket.close()


def _message(kind: str, session: str, content: dict[str, Any]) -> str:
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": kind,
        "username": "",
        "session": session,
        "date": "",
        "version": "5.3",
    }
    return json.dumps(
        {
            "channel": "shell",
            "header": header,
            "parent_header": {},
            "metadata": {},
            "content": content,
        }
    )


@contextmanager
def _server(
    config: Config, path: str = "", variables: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Gives its port. ``path`` has further kernel specs, which need ``variables``."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="mlops-") as name:
        folder = Path(name)
        settings = {
            **config,
            "ServerApp": {
                "ip": "127.0.0.1",
                "port": port,
                "open_browser": False,
                "allow_root": True,
                "root_dir": name,
                "jpserver_extensions": {"jupyter_mlops": True},
            },
            "IdentityProvider": {"token": TOKEN},
        }
        file, log = folder / "jupyter_server_config.json", folder / "server.log"
        file.write_text(json.dumps(settings))
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyter_server", "--config", str(file)],
            env={
                **os.environ,
                "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
                "JUPYTER_PATH": path,
                **(variables or {}),
            },
            cwd=folder,
            stdout=log.open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _up(port, process, log)
            yield port
        except httpx.HTTPError as error:
            raise SystemExit(f"{error}\n{log.read_text()[-2000:]}") from error
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def _up(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    url, headers = f"http://127.0.0.1:{port}/api/kernelspecs", {"Authorization": f"token {TOKEN}"}
    for _ in range(600):
        if process.poll() is not None:
            break
        with contextlib.suppress(httpx.TransportError):
            if {OURS, LOCAL} <= set(httpx.get(url, headers=headers).json()["kernelspecs"]):
                return
        time.sleep(0.1)
    raise SystemExit(f"the Jupyter server is not up:\n{log.read_text()[-2000:]}")
