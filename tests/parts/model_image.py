"""A small image that serves a model by SageMaker's rules, made of this machine's Python.

No registry and no package index is needed, so tests of targets do not depend on builds.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import docker
import pytest

from jupyter_mlops.core.layout import LABEL_KIND

_RUN = uuid.uuid4().hex
REF = f"mlops/package/by-hand-{_RUN[:8]}:latest"
SERVE = """
import json, os, signal, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

weight = json.load(open("/opt/ml/model/model.json"))["weight"]

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(200, b"")

    def do_POST(self):
        try:
            rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            result = [weight * sum(row) for row in rows]
        except (ValueError, TypeError) as error:
            self.answer(400, str(error).encode())
            return
        answer = {"predictions": result, "note": os.environ.get("NOTE")}
        self.answer(200, json.dumps(answer).encode())

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
assert sys.argv[1] == "serve", sys.argv
ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""


IMPORTS = "import http.server, json, signal, encodings.idna"


def _needed(imports: str) -> list[Path]:
    """The interpreter, what is imported, and the shared libraries of both."""
    code = imports + (
        "\nimport sys\n"
        "print(*(f for m in list(sys.modules.values()) if (f := getattr(m, '__file__', None))),"
        "sep='\\n')"
    )
    python = Path(sys._base_executable).resolve()
    run = subprocess.run(
        [python, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    files = {python, *(Path(line) for line in run.stdout.split())}
    binaries = [f for f in files if f == python or f.suffix == ".so"]
    for binary in binaries:
        listed = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
        files |= {Path(word) for word in listed.split() if word.startswith("/")}
    return sorted(files)


def layer(
    files: Mapping[str, bytes] = {"/serve.py": SERVE.encode()},
    imports: str = IMPORTS,
) -> bytes:
    """A root file system tar: Python with what ``imports`` needs, and ``files``."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", dereference=True) as tar:
        for file in _needed(imports):
            tar.add(file, arcname=str(file).lstrip("/"), recursive=False)
        for folder in ("tmp", "opt/ml/model", "proc", "sys", "dev", "etc"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for path, content in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def archive(
    ref: str, content: bytes, architecture: str = "amd64", script: Sequence[str] = ("/serve.py",)
) -> bytes:
    """What ``docker load`` and ``podman load`` read: one image of one layer, and this process's
    own: no other test run that ends takes it away."""
    config = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {
                "Entrypoint": [str(Path(sys._base_executable).resolve()), "-S", *script],
                "Labels": {LABEL_KIND: "package", "test-run": _RUN},
            },
            "rootfs": {
                "type": "layers",
                "diff_ids": [f"sha256:{hashlib.sha256(content).hexdigest()}"],
            },
        }
    ).encode()
    name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": name, "RepoTags": [ref], "Layers": ["layer.tar"]}]).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, data in ((name, config), ("layer.tar", content), ("manifest.json", manifest)):
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture(scope="session")
def model_layer() -> bytes:
    return layer()


@pytest.fixture(scope="session")
def model_image(model_layer: bytes) -> Iterator[str]:
    """Its id, on the Docker of this machine."""
    client = docker.from_env()
    image = client.images.load(archive(REF, model_layer))[0]
    yield image.id
    client.images.remove(image.id, force=True)
    client.close()


@pytest.fixture(scope="session")
def arm_image() -> Iterator[str]:
    """An image for another processor: empty, nobody can start it here."""
    buffer = io.BytesIO()
    tarfile.open(fileobj=buffer, mode="w").close()
    client = docker.from_env()
    image = client.images.load(archive("mlops/package/arm:latest", buffer.getvalue(), "arm64"))[0]
    yield image.id
    client.images.remove(image.id, force=True)
    client.close()
