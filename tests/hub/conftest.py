"""A real JupyterHub with its proxy; every user gets a Jupyter server with the extension."""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.parts.registry import free_port

PASSWORD = "open-sesame"
ALICE = f"alice-{os.getpid()}"
BOB = f"bob-{os.getpid()}"
PROXY = "configurable-http-proxy@5.3.0"

CONFIG = """
import json, os
facts = json.loads(os.environ["HUB_TEST"])
c = get_config()
c.JupyterHub.bind_url = facts["url"]
c.JupyterHub.hub_bind_url = facts["hub"]
c.ConfigurableHTTPProxy.api_url = facts["proxy_api"]
c.ConfigurableHTTPProxy.command = [facts["proxy"]]
c.ConfigurableHTTPProxy.pid_file = facts["folder"] + "/proxy.pid"
c.JupyterHub.db_url = "sqlite:///" + facts["folder"] + "/hub.sqlite"
c.JupyterHub.cookie_secret_file = facts["folder"] + "/cookie_secret"
c.JupyterHub.cleanup_servers = True
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = facts["password"]
c.Authenticator.allowed_users = set(facts["users"])
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = facts["folder"] + "/home/{username}"
c.Spawner.cmd = [facts["singleuser"]]
# What an administrator of a Hub would set: no more than where the data is. The owner of
# everything is left to us to find out.
c.Spawner.args = ["--allow-root", "--Mlops.engine=docker", "--Mlops.runtime_dir=" + facts["run"]]
c.Spawner.environment = {"JUPYTER_PLATFORM_DIRS": "1"}
c.Spawner.start_timeout = 120
"""


@dataclass
class Hub:
    url: str
    folder: Path

    def data(self, user: str) -> Path:
        """Where the user's environments and snapshots are recorded."""
        return self.folder / "home" / user / ".local/share/jupyter/mlops"


def proxy_command() -> Path:
    """Installed once, outside the project, by npm."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jupyter-mlops"
    folder = cache / PROXY.replace("@", "-")
    command = folder / "node_modules/.bin/configurable-http-proxy"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not command.exists():
            subprocess.run(
                ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), PROXY],
                check=True,
                capture_output=True,
                text=True,
                timeout=240,
            )
    return command


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()[-4000:]
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"{url} does not answer:\n{log.read_text()[-4000:]}")


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory, short_folder: Path) -> Iterator[Hub]:
    import json

    folder = tmp_path_factory.mktemp("hub")
    scripts = Path(sys.executable).parent
    url = f"http://127.0.0.1:{free_port()}"
    facts = {
        "url": url,
        "hub": f"http://127.0.0.1:{free_port()}",
        "proxy_api": f"http://127.0.0.1:{free_port()}",
        "proxy": str(proxy_command()),
        "folder": str(folder),
        "run": str(short_folder / "hub"),
        "password": PASSWORD,
        "users": [ALICE, BOB],
        "singleuser": str(scripts / "jupyterhub-singleuser"),
    }
    (folder / "jupyterhub_config.py").write_text(CONFIG)
    environment = {
        **os.environ,
        "HUB_TEST": json.dumps(facts),
        "CONFIGPROXY_AUTH_TOKEN": secrets.token_hex(16),
        "PATH": f"{scripts}:{os.environ['PATH']}",
    }
    log = folder / "hub.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(scripts / "jupyterhub"), "-f", str(folder / "jupyterhub_config.py")],
            env=environment,
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Not ended by Ctrl-C at the terminal: it ends its servers itself, below.
            start_new_session=True,
        )
    try:
        wait_for(f"{url}/hub/api/", process, log)
        yield Hub(url, folder)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        print(log.read_text()[-20_000:])
