"""gateway_provisioners (PyPI), another way to run kernels in containers, on the same packages."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker

from .turns import cache

VERSION = "0.5.0"
NAME = "gateway_provisioners"
_IMAGE = "mlops-benchmark-gateway:latest"
_LAUNCHERS = "/usr/local/bin/kernel-launchers"
# Without what the server has already: a second jupyter_client would take the place of its own.
_PACKAGES = (
    f"gateway_provisioners=={VERSION}",
    *("overrides", "pexpect", "ptyprocess", "pycryptodomex"),
    *("paramiko", "bcrypt", "cryptography", "pynacl", "cffi", "pycparser", "invoke"),
)


@contextmanager
def installed(folder: Path, image: str) -> Iterator[dict[str, str]]:
    """A kernel spec below ``folder``, an entry of JUPYTER_PATH, on what is in ``image``. Yields
    variables that the Jupyter server needs for it."""
    packages = _packages()
    launchers = packages / "gateway_provisioners" / "kernel-launchers"
    client = docker.from_env()
    try:
        _build(client, image, packages, launchers)
        launcher = str(launchers / "docker" / "scripts" / "launch_docker.py")
        words = ("kernel-id", "port-range", "response-address", "public-key")
        # What `jupyter docker-spec install` writes.
        spec = {
            "argv": [
                *(sys.executable, launcher),
                *(part for w in words for part in (f"--{w}", f"{{{w.replace('-', '_')}}}")),
            ],
            "env": {"KERNEL_LANGUAGE": "python", "HOME": "/tmp"},
            "display_name": NAME,
            "language": "python",
            "metadata": {
                "kernel_provisioner": {
                    "provisioner_name": "docker-provisioner",
                    "config": {"image_name": _IMAGE},
                }
            },
        }
        kernel = folder / "kernels" / NAME
        kernel.mkdir(parents=True)
        (kernel / "kernel.json").write_text(json.dumps(spec))
        # Where containers reach this machine, which the launcher in them reports to.
        gateway = client.networks.get("bridge").attrs["IPAM"]["Config"][0]["Gateway"]
        path = os.pathsep.join(filter(None, (str(packages), os.environ.get("PYTHONPATH"))))
        # It starts nothing for root.
        yield {"PYTHONPATH": path, "GP_RESPONSE_IP": gateway, "KERNEL_USERNAME": "benchmark"}
    finally:
        for container in client.containers.list(all=True, filters={"ancestor": _IMAGE}):
            container.remove(force=True)
        client.images.remove(_IMAGE, force=True)
        client.close()


def _packages() -> Path:
    """A folder for PYTHONPATH; kept for the next run."""
    from uv import find_uv_bin

    folder = cache() / f"gateway-{VERSION}-{sys.version_info[0]}{sys.version_info[1]}"
    if not folder.exists():
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        command = [find_uv_bin(), "pip", "install", "-q", "--no-deps", "--target", partial]
        subprocess.run([*command, *_PACKAGES], check=True)
        partial.rename(folder)
    return folder


def _build(client: docker.DockerClient, image: str, packages: Path, launchers: Path) -> None:
    """What `jupyter image-bootstrap install` adds to an image, and the library that it needs."""
    with tempfile.TemporaryDirectory() as name:
        context = Path(name)
        shutil.copytree(launchers, context / "kernel-launchers")
        python = context / "kernel-launchers" / "python" / "scripts"
        shutil.copytree(launchers / "shared" / "scripts", python, dirs_exist_ok=True)
        shutil.copytree(packages / "Cryptodome", python / "Cryptodome")
        bootstrap = f"{_LAUNCHERS}/bootstrap/bootstrap-kernel.sh"
        (context / "Dockerfile").write_text(
            f"FROM {image}\n"
            f"COPY kernel-launchers {_LAUNCHERS}\n"
            f"ENV KERNEL_LAUNCHERS_DIR={_LAUNCHERS}\n"
            # Its images have an init process: kernels take process 1 for a parent that has gone.
            f'CMD ["sh", "-c", "bash {bootstrap}; exit"]\n'
        )
        client.images.build(path=name, tag=_IMAGE)
