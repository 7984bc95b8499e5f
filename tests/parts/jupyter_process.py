"""A Jupyter server in a process of its own, that can be killed and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import websocket

TOKEN = "token-of-the-tests"


class JupyterProcess:
    """``folder`` keeps configuration and logs; ``root`` holds the notebooks. A second one on other
    folders and ports may share the settings ``mlops``."""

    def __init__(self, folder: Path, root: Path, port: int, mlops: dict[str, Any]) -> None:
        self.folder = folder
        self.port = port
        self.mlops = mlops
        self._root = root
        self._process: subprocess.Popen[bytes] | None = None
        self._http = httpx.Client(
            base_url=f"http://127.0.0.1:{port}/",
            headers={"Authorization": f"token {TOKEN}"},
            timeout=120,
            trust_env=False,
        )

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, **mlops: Any) -> None:
        """Returns as soon as the server takes connections. ``mlops`` changes settings."""
        self.folder.mkdir(parents=True, exist_ok=True)
        config = {
            "ServerApp": {
                "jpserver_extensions": {"jupyter_mlops": True},
                "port": self.port,
                "port_retries": 0,
                "open_browser": False,
                "allow_root": True,
                "root_dir": str(self._root),
            },
            "IdentityProvider": {"token": TOKEN},
            "KernelManager": {"shutdown_wait_time": 5.0},
            "Mlops": {**self.mlops, **mlops},
        }
        (self.folder / "jupyter_server_config.json").write_text(json.dumps(config))
        environment = {
            **os.environ,
            "JUPYTER_CONFIG_DIR": str(self.folder),
            "JUPYTER_DATA_DIR": str(self.folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(self.folder / "runtime"),
            "JUPYTER_NO_CONFIG": "",
            "MY_SECRET_TOKEN": "hunter2-of-the-server",
        }
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jupyter_server"],
                env=environment,
                cwd=self._root,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + 120
        while time.monotonic() < end:
            assert self._process.poll() is None, self.log
            try:
                self._http.get("api").raise_for_status()
                return
            except httpx.TransportError:
                time.sleep(0.02)
        raise AssertionError(f"the server did not start: {self.log}")

    def kill(self) -> None:
        """SIGKILL: nothing is put in order."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(30)
        self._process = None

    def stop(self) -> int:
        """Stop in order; returns the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(120)
        self._process = None
        return code

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
        self._http.close()

    # -------------------------------------------------------------------------- REST

    def get(self, path: str) -> Any:
        return self.ask("GET", path)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._http.request(method, path, json=body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def open_session(self, path: str, kernel: str, type: str = "notebook") -> dict[str, Any]:
        kernel_name = {"name": kernel}
        body = {"path": path, "name": Path(path).name, "type": type, "kernel": kernel_name}
        found: dict[str, Any] = self.ask("POST", "api/sessions", body)
        return found

    def kernels(self) -> dict[str, dict[str, Any]]:
        return {kernel["id"]: kernel for kernel in self.get("api/kernels")}

    def sessions(self) -> list[tuple[str, ...]]:
        """Id, path, name, type and kernel id of each."""
        return sorted(
            (s["id"], s["path"], s["name"], s["type"], s["kernel"]["id"])
            for s in self.get("api/sessions")
        )

    def wait_for_state(self, kernel_id: str, state: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while (found := self.kernels()[kernel_id]["execution_state"]) != state:
            assert time.monotonic() < end, f"it is still {found}"
            time.sleep(0.05)

    def tab(self, kernel_id: str) -> Tab:
        url = f"ws://127.0.0.1:{self.port}/api/kernels/{kernel_id}/channels?token={TOKEN}"
        return Tab(websocket.create_connection(url, timeout=90, http_no_proxy=["127.0.0.1"]))


class Tab:
    """A browser tab's websocket to a kernel."""

    def __init__(self, socket: websocket.WebSocket) -> None:
        self.socket = socket
        self._session = uuid.uuid4().hex

    def send(self, code: str) -> str:
        """Start a cell; returns the message's id."""
        number = uuid.uuid4().hex
        header = {
            "msg_id": number,
            "msg_type": "execute_request",
            "username": "",
            "session": self._session,
            "date": "",
            "version": "5.3",
        }
        content = {"code": code, "silent": False, "allow_stdin": False, "stop_on_error": True}
        message = {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}}
        self.socket.send(json.dumps({**message, "content": content}))
        return number

    def wait_for(self, number: str, state: str = "idle") -> str:
        """What the cell printed, and the name of its error, until the kernel is in ``state``."""
        text = ""
        while True:
            message = json.loads(self.socket.recv())
            if message["parent_header"].get("msg_id") != number:
                continue
            found = message["content"]
            text += found.get("text", "") if message["msg_type"] == "stream" else ""
            text += found.get("ename", "") if message["msg_type"] == "error" else ""
            if message["msg_type"] == "status" and found["execution_state"] == state:
                return text.strip()

    def wait_for_restart(self) -> None:
        """Until the server tells that it starts the kernel again."""
        while True:
            message = json.loads(self.socket.recv())
            if message["content"].get("execution_state") == "restarting":
                return

    def run(self, code: str) -> str:
        return self.wait_for(self.send(code))

    def close(self) -> None:
        self.socket.close()
