"""The serving layer in a container, and an image for it that no index is needed for."""

from __future__ import annotations

import contextlib
import json
import subprocess
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
import pytest

from jupyter_mlops.core.layout import SERVE_DIR, SERVE_SPEC
from jupyter_mlops.services.assembling import ENTRYPOINT, GUEST, serving_layer

from ..serving.conftest import Server, free_port
from .model_image import archive, layer

IMPORTS = f"""
import sys, encodings.idna, encodings.utf_8_sig, encodings.latin_1, encodings.ascii
sys.path.insert(0, {str(GUEST / "serve")!r})
import start
for name in ("front", "worker", "handlers"):
    start.load(name)
"""
SPEC = {"name": "sums", "handler": {"kind": "inference", "path": "inference.py"}}


@pytest.fixture(scope="session")
def serving_image() -> Iterator[str]:
    """Its id: this machine's Python and the serving layer, for a handler ``inference.py``."""
    client = docker.from_env()
    content = layer(serving_layer(json.dumps(SPEC).encode()), IMPORTS)
    loaded = archive("mlops/test/serving:latest", content, script=(f"{SERVE_DIR}/start.py",))
    image = client.images.load(loaded)[0]
    yield image.id
    client.images.remove(image.id, force=True)
    client.close()


@contextlib.contextmanager
def container(image: str, folder: Path, code: str, *options: str) -> Iterator[Server]:
    """A container of ``serving_image`` with this handler."""
    root = _model(folder, {"inference.py": code})
    with _running([*options, "-v", f"{root}:/opt/ml/model:ro"], [image, "serve"], folder) as server:
        yield server


@contextlib.contextmanager
def r_container(
    image: str, folder: Path, code: str, function: str = "", model: bytes | None = None
) -> Iterator[Server]:
    """The serving layer in an environment's image, with a handler ``predict.R``."""
    root = _model(folder, {"predict.R": code})
    if model is not None:
        (root / "model.rds").write_bytes(model)
    spec: dict[str, Any] = {"kind": "r", "path": "predict.R", "function": function}
    (folder / "serve.json").write_text(json.dumps({"name": "cars", "handler": spec}))
    options = [
        "-e", "SAGEMAKER_MODEL_SERVER_WORKERS=1",
        "-v", f"{root}:/opt/ml/model:ro",
        "-v", f"{GUEST / 'serve'}:{SERVE_DIR}:ro",
        "-v", f"{folder / 'serve.json'}:{SERVE_SPEC}:ro",
        "--entrypoint", ENTRYPOINT[0],
    ]  # fmt: skip
    with _running(options, [image, *ENTRYPOINT[1:], "serve"], folder) as server:
        yield server


def _model(folder: Path, code: Mapping[str, str]) -> Path:
    root = folder / "model"
    (root / "code").mkdir(parents=True)
    for name, text in code.items():
        (root / "code" / name).write_text(textwrap.dedent(text))
    return root


@contextlib.contextmanager
def _running(options: list[str], command: list[str], folder: Path) -> Iterator[Server]:
    port, log = free_port(), folder / "log"
    name = f"test-serving-{port}"
    given = ["--read-only", "--tmpfs", "/tmp", "-p", f"127.0.0.1:{port}:8080", *options]
    process = subprocess.Popen(
        ["docker", "run", "--rm", "--name", name, *given, *command],
        stdout=log.open("w"), stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        yield Server(process, port, log)
    finally:
        subprocess.run(["docker", "rm", "-f", name], check=False, capture_output=True)
        process.wait(30)
