"""Servers of the serving layer, each a process of its own as in a container."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

START = Path(__file__).resolve().parents[2] / "jupyter_mlops/guest/serve/start.py"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return str(self.json["error"])


@dataclass
class Server:
    process: subprocess.Popen[str]
    port: int
    log: Path

    def call(
        self, method: str, path: str, body: bytes = b"", timeout: float = 20, **headers: str
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body or None, names)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()

    def post(self, body: Any, content_type: str = "application/json", **headers: str) -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.call("POST", "/invocations", data, Content_Type=content_type, **headers)

    def raw(self, data: bytes, timeout: float = 5, half_close: bool = False) -> bytes:
        """Everything that comes back before the server closes, or falls silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as sock:
            # The server may close before it has read all.
            with contextlib.suppress(OSError):
                sock.sendall(data)
                if half_close:
                    sock.shutdown(socket.SHUT_WR)
            parts = []
            with contextlib.suppress(OSError):
                while part := sock.recv(65536):
                    parts.append(part)
            return b"".join(parts)

    def wait_ready(self, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if self.call("GET", "/ping").status == 200:
                    return
            assert self.process.poll() is None, self.text()
            time.sleep(0.01)
        raise AssertionError(self.text())

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(35)

    def text(self) -> str:
        return self.log.read_text()

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines() if line.startswith("{")]

    def wait_event(self, name: str, seconds: float = 30) -> dict[str, Any]:
        """The first line of the log about this event."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for event in self.events():
                if event["event"] == name:
                    return event
            time.sleep(0.01)
        raise AssertionError(self.text())

    def workers(self) -> list[int]:
        """Process ids of the front's children."""
        pids = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[1]) == self.process.pid and fields[0] != "Z":
                    pids.append(int(stat.parent.name))
        return pids


@dataclass
class Servers:
    folder: Path
    running: list[Server] = field(default_factory=list)

    def __call__(
        self,
        code: str = "",
        *,
        kind: str = "inference",
        function: str = "",
        files: dict[str, bytes] | None = None,
        sample: dict[str, str] | None = None,
        spec: dict[str, Any] | None = None,
        python: Path | str = sys.executable,
        wait: bool = True,
        descriptors: int = 0,
        **environment: str,
    ) -> Server:
        """Start one with this handler.

        ``spec`` is more of its serve.json, ``descriptors`` how many open files it may have if not
        0, and ``environment`` is added to the process's own.
        """
        number = len(self.running)
        root = self.folder / f"server{number}"
        (root / "model/code").mkdir(parents=True)
        (root / "model/code/inference.py").write_text(textwrap.dedent(code))
        for name, content in (files or {}).items():
            (root / "model" / name).write_bytes(content)
        content = {
            **(spec or {}),
            "handler": {"kind": kind, "path": "inference.py", "function": function},
            "sample": sample or {"content_type": "application/json"},
        }
        (root / "serve.json").write_text(json.dumps(content))
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(root),
            "MLOPS_SERVE_SPEC": str(root / "serve.json"),
            "MLOPS_MODEL_DIR": str(root / "model"),
            "MLOPS_BIND_HOST": "127.0.0.1",
            "SAGEMAKER_BIND_TO_PORT": str(free_port()),
            "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
            **environment,
        }
        log = root / "log"

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        process = subprocess.Popen(
            [str(python), "-I", str(START), "serve"],
            env={name: value for name, value in env.items() if value},
            stdout=log.open("w"),
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=limit if descriptors else None,
        )
        server = Server(process, 0, log)
        self.running.append(server)
        self._wait_listening(server)
        if wait:
            server.wait_ready()
        return server

    @staticmethod
    def _wait_listening(server: Server) -> None:
        for _ in range(1000):
            if '"listening"' in server.text():
                server.port = server.wait_event("listening")["port"]
                return
            if server.process.poll() is not None:
                return
            time.sleep(0.01)
        raise AssertionError(server.text())


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Servers]:
    servers = Servers(tmp_path)
    yield servers
    for server in servers.running:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Servers that all tests of a module use."""
    servers = Servers(tmp_path_factory.mktemp("serving"))
    yield servers
    for server in servers.running:
        assert server.process.poll() is None, f"the server ended:\n{server.text()}"
        server.process.kill()
        server.process.wait()


@pytest.fixture(scope="session")
def science(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with NumPy, pandas and scikit-learn."""
    folder = tmp_path_factory.mktemp("science") / "env"
    uv = find_uv_bin()
    subprocess.run([uv, "venv", "-q", "-p", sys.executable, folder], check=True)
    python = folder / "bin/python"
    packages = ["numpy", "pandas", "scikit-learn", "skops"]
    subprocess.run([uv, "pip", "install", "-q", "--python", python, *packages], check=True)
    return python


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with clients of other projects: their packages would not fit beside ours."""
    folder = tmp_path_factory.mktemp("clients") / "env"
    uv = find_uv_bin()
    subprocess.run([uv, "venv", "-q", "-p", sys.executable, folder], check=True)
    python = folder / "bin/python"
    packages = ["tritonclient[http]", "sagemaker-core", "mlflow-skinny<3.18", "pandas", "pyarrow"]
    subprocess.run([uv, "pip", "install", "-q", "--python", python, *packages], check=True)
    return python


@pytest.fixture(scope="session")
def trained(science: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A scikit-learn model that was fitted with names: twice ``a`` and ``b``."""
    file = tmp_path_factory.mktemp("model") / "model.joblib"
    train = f"""
import joblib, pandas
from sklearn.linear_model import LinearRegression
rows = pandas.DataFrame({{"a": [0, 1, 2, 3.0], "b": [1, 0, 5, 2.0]}})
joblib.dump(LinearRegression().fit(rows, rows["a"] * 2 + rows["b"]), {str(file)!r})
"""
    subprocess.run([science, "-c", train], check=True)
    return file.read_bytes()


def asked_by(python: Path, code: str, *arguments: object, **environment: str) -> Any:
    """What a client's code prints, as JSON, run by a Python that has the client."""
    done = subprocess.run(
        [python, "-c", textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1", **environment},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def status(answer: bytes) -> int:
    """Of the first response in what came back; 0 where none did."""
    match = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    return int(match.group(1)) if match else 0


Serve = Callable[..., Server]
