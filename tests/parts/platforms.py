"""The platforms' own Python clients as judges of files that we write for them.

Each has an environment of its own: together they are larger than all else that the tests need, and
some pin what we use. A judge is a small program; what it prints as JSON is its verdict.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

from jupyter_mlops.config import Mlops

KSERVE = """
import json, sys, types, yaml

# The package's own __init__ imports a model server; only its models of the API are wanted.
site = next(path for path in sys.path if path.endswith("site-packages"))
package = types.ModuleType("kserve")
package.__path__ = [site + "/kserve"]
sys.modules["kserve"] = package
import kserve.models
import kubernetes.client.models
from kserve.api_client import ApiClient

for name in dir(kubernetes.client.models):
    if name.startswith("V1") and not hasattr(kserve.models, name):
        setattr(kserve.models, name, getattr(kubernetes.client.models, name))
package.models = kserve.models
client = ApiClient()


class Answer:
    def __init__(self, document):
        self.data = json.dumps(document)


document = yaml.safe_load(open(sys.argv[1]))
read = client.deserialize(Answer(document), sys.argv[2])
print(json.dumps({"same": client.sanitize_for_serialization(read) == document,
                  "type": type(read.spec).__name__}))
"""
AZURE = """
import json, sys
from azure.ai.ml import load_environment, load_online_deployment, load_online_endpoint

folder = sys.argv[1]
environment = load_environment(folder + "/environment.yml")
endpoint = load_online_endpoint(folder + "/endpoint.yml")
deployment = load_online_deployment(folder + "/deployment.yml")
print(json.dumps({
    "image": environment.image,
    "scoring": dict(environment.inference_config["scoringRoute"].items()),
    "auth": endpoint.auth_mode,
    "environment": deployment.environment,
    "endpoint": [endpoint.name, deployment.endpoint_name],
    "instances": [deployment.instance_type, deployment.instance_count],
    "classes": [type(endpoint).__name__, type(deployment).__name__],
}))
"""
VERTEX = """
import json, sys
from google.cloud.aiplatform_v1.types import UploadModelRequest

asked = UploadModelRequest.from_json(open(sys.argv[1]).read())
spec = asked.model.container_spec
print(json.dumps({"image": spec.image_uri, "port": spec.ports[0].container_port,
                  "routes": [spec.health_route, spec.predict_route], "id": asked.model_id}))
"""
WANTED: dict[str, tuple[str, list[list[str]]]] = {
    # `--no-deps`: what the models do not import is hundreds of megabytes.
    "kserve": (KSERVE, [["--no-deps", "kserve==0.21.*"], ["kubernetes==31.*", "six"]]),
    "azure": (AZURE, [["azure-ai-ml==1.35.*"]]),
    "vertex": (
        VERTEX,
        [
            ["--no-deps", "google-cloud-aiplatform>=1.100"],
            ["google-api-core[grpc]", "proto-plus", "google-auth", "grpc-google-iam-v1"],
        ],
    ),
}
Judge = Callable[..., Any]


@pytest.fixture(scope="session")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """``judge("kserve", file, …)`` returns the verdict; a client that refuses fails the test."""
    ready: dict[str, Path] = {}

    def ask(platform: str, *arguments: str | Path) -> Any:
        script, packages = WANTED[platform]
        if platform not in ready:
            ready[platform] = _environment(tmp_path_factory.mktemp(platform), packages)
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        done = subprocess.run(
            [str(ready[platform]), "-c", script, *map(str, arguments)],
            capture_output=True,
            text=True,
            env=environment,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return ask


def _environment(folder: Path, packages: list[list[str]]) -> Path:
    uv = find_uv_bin()
    python = folder / "env" / "bin" / "python"
    index = Mlops().index_url
    where = ["--index-url", index] if index else []
    commands = [[uv, "venv", "-q", "--python", sys.executable, str(folder / "env")]]
    commands += [
        [uv, "pip", "install", "-q", "--python", str(python), *where, *some] for some in packages
    ]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
    return python
