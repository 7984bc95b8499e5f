"""Fixtures: Debian's docker-registry, open, with passwords, and with a token server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from .token_server import TokenServer

USER, PASSWORD = "team", "correct horse"
_HTPASSWD = f"{USER}:$2y$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2\n"


@dataclass
class RunningRegistry:
    """A docker-registry process. ``host`` is what stands before the slash of a reference."""

    host: str
    folder: Path
    process: subprocess.Popen[bytes]
    user: str = ""
    password: str = ""

    def project(self, name: str) -> str:
        return f"{self.host}/team/{name}"

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_registry(
    folder: Path,
    auth: str = "",
    port: int = 0,
    data: Path | None = None,
    access_log: bool = False,
) -> RunningRegistry:
    """Start one; ``auth`` is a YAML section, ``data`` a folder that others may serve too (its own
    where there is none). ``access_log`` writes a line for
    each request to ``folder/log``. Deleting is allowed."""
    program = shutil.which("docker-registry")
    assert program, "docker-registry is missing: apt-get install docker-registry"
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    config = folder / "config.yml"
    config.write_text(
        "version: 0.1\n"
        "log: {level: info, accesslog: {disabled: "
        f"{str(not access_log).lower()}}}}}\n"
        "storage:\n"
        f"  filesystem: {{rootdirectory: {data or folder / 'data'}}}\n"
        "  delete: {enabled: true}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n" + auth
    )
    # It takes settings from variables too, and Podman's REGISTRY_AUTH_FILE is none of its own.
    env = {key: value for key, value in os.environ.items() if not key.startswith("REGISTRY_")}
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen([program, "serve", str(config)], stdout=log, stderr=log, env=env)
    running = RunningRegistry(f"127.0.0.1:{port}", folder, process)
    deadline = time.monotonic() + 30
    while True:
        assert process.poll() is None, (folder / "log").read_text()
        try:
            urllib.request.urlopen(f"http://{running.host}/v2/", timeout=5).close()
            return running
        except urllib.error.HTTPError as error:
            if error.code == 401:
                return running
        except OSError:
            pass
        assert time.monotonic() < deadline, "docker-registry does not answer"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    """Open to everybody, plain HTTP on loopback."""
    running = start_registry(tmp_path_factory.mktemp("registry"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def auth_registry(
    registry: RunningRegistry, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningRegistry]:
    """Another door to the same repositories, which wants USER and PASSWORD by HTTP Basic."""
    folder = tmp_path_factory.mktemp("auth-registry")
    (folder / "htpasswd").write_text(_HTPASSWD)
    running = start_registry(
        folder,
        f"auth: {{htpasswd: {{realm: team, path: {folder / 'htpasswd'}}}}}\n",
        data=registry.folder / "data",
    )
    running.user, running.password = USER, PASSWORD
    yield running
    running.stop()


@pytest.fixture(scope="session")
def token_registry(
    registry: RunningRegistry, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningRegistry]:
    """Another door, which wants tokens: its token server gives them to USER, and anybody may
    pull from ``public/…``."""
    folder = tmp_path_factory.mktemp("token-registry")
    server = TokenServer(folder / "issuer.pem", USER, PASSWORD)
    running = start_registry(
        folder,
        f"auth: {{token: {{realm: '{server.url}', service: {server.service}, "
        f"issuer: {server.issuer}, rootcertbundle: {folder / 'issuer.pem'}}}}}\n",
        data=registry.folder / "data",
    )
    running.user, running.password = USER, PASSWORD
    yield running
    running.stop()
    server.stop()
