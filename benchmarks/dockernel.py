"""dockernel (PyPI), another way to run kernels in containers, on the same packages as ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker

from .turns import environment

VERSION = "1.0.2"
NAME = "dockernel"
_IMAGE = "mlops-benchmark-dockernel:latest"
_COMMAND = "exec /opt/env/bin/python -m ipykernel_launcher -f $DOCKERNEL_CONNECTION_FILE"


@contextmanager
def installed(folder: Path, image: str) -> Iterator[None]:
    """A kernel spec below ``folder``, an entry of JUPYTER_PATH, on what is in ``image``."""
    python = environment("dockernel", f"dockernel=={VERSION}")
    client = docker.from_env()
    container = client.containers.create(image)
    try:
        command = json.dumps(["sh", "-c", _COMMAND])
        container.commit(*_IMAGE.split(":"), changes=["ENTRYPOINT []", f"CMD {command}"])
    finally:
        container.remove()
    # What `dockernel install` writes, with the Python that has it.
    spec = {
        "argv": [str(python), "-m", "dockernel", "start", _IMAGE, "{connection_file}"],
        "display_name": NAME,
        "language": "python",
        "interrupt_mode": "message",
    }
    kernel = folder / "kernels" / NAME
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(json.dumps(spec))
    try:
        yield
    finally:
        client.images.remove(_IMAGE)
        client.close()
