"""The extension costs Jupyter Server's start next to nothing: heavy libraries come later."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

HEAVY = (
    "alembic",
    "boto3",
    "botocore",
    "docker",
    "httpx",
    "jupyter_mlops.wiring",
    "pydantic",
    "sagemaker",
    "sqlalchemy",
)

# What a server's start has to know of services: whether kernels wait for it. No more than the
# standard library is behind it.
LIGHT_SERVICES = {
    "jupyter_mlops.services",
    "jupyter_mlops.services.handover",
    "jupyter_mlops.services.processes",
}


def services(modules: set[str]) -> set[str]:
    return {name for name in modules if name.startswith("jupyter_mlops.services")}


def imported(code: str, *arguments: str, **environment: str) -> set[str]:
    """Names of all modules that a new interpreter has after ``code``."""
    code += "\nimport json, sys\nprint('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_extension_imports_nothing_heavy():
    modules = imported("import jupyter_mlops.server.app")
    assert modules.isdisjoint(HEAVY)
    assert services(modules) <= LIGHT_SERVICES


SERVER = """
import asyncio, sys, time
from jupyter_server.serverapp import ServerApp

async def main():
    began = time.perf_counter()
    app = ServerApp(port=0, port_retries=0, open_browser=False, allow_root=True)
    app.init_signal = lambda: None
    app.initialize(argv=[f"--ServerApp.jpserver_extensions={sys.argv[1]}"], new_httpserver=False)
    print(f"{sys.argv[1]}: {(time.perf_counter() - began) * 1000:.0f} ms", file=sys.stderr)
    enabled = app.extension_manager.extension_apps.get("jupyter_mlops")
    assert bool(enabled) == ("True" in sys.argv[1])

asyncio.run(main())
"""


def test_a_server_that_starts_with_it_imports_nothing_heavy(tmp_path: Path):
    folders = {
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_DATA_DIR": str(tmp_path / "data"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "JUPYTER_NO_CONFIG": "1",
    }
    with_us = imported(SERVER, "jupyter_mlops=True", **folders)
    without = imported(SERVER, "jupyter_mlops=False", **folders)
    assert "jupyter_mlops.server.app" in with_us
    assert (with_us - without).isdisjoint(HEAVY)
    assert services(with_us) <= LIGHT_SERVICES
