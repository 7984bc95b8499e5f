"""Building an environment, against a Dockerfile with pip on the same engine and base image."""

from __future__ import annotations

import asyncio
import io
import statistics
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import docker
from traitlets.config import Config

from jupyter_mlops import wiring
from jupyter_mlops.core.container_network import CA_FILE, process_environment
from jupyter_mlops.core.environment import EnvironmentSpec
from jupyter_mlops.services.build_steps import container

from .rows import Row, ratio

ROUNDS = 5
PACKAGES = ("numpy", "pandas", "scikit-learn", "matplotlib")
CACHE = "jupyter-mlops-benchmark-cache"
"""A volume of its own: a user's cache is neither used nor emptied."""
OWNER = "benchmarks"


class _Silent:
    def phase(self, name: str, message: str = "") -> None: ...
    def update(self, message: str = "", fraction: float | None = None) -> None: ...
    def log(self, text: str) -> None: ...


def run() -> list[Row]:
    """Two rows: from nothing, and one package more. Needs Docker."""
    with tempfile.TemporaryDirectory(prefix="jm-") as folder:
        own = {"data_dir": f"{folder}/data", "runtime_dir": f"{folder}/run", "owner": OWNER}
        config = Config({"Mlops": {**own, "engine": "docker"}})
        with mock.patch.object(container, "CACHE_VOLUME", CACHE):
            return asyncio.run(_measure(wiring.build(config)))


async def _measure(services: wiring.Services) -> list[Row]:
    client = docker.from_env(timeout=600)
    whole: tuple[list[float], list[float]] = ([], [])
    more: tuple[list[float], list[float]] = ([], [])
    # Both make their images on a disk that has seen the base.
    base = await services.environments.create_base("debian", progress=_Silent())
    peer = Dockerfile(client, services, base.image)
    try:
        for number in range(ROUNDS):
            _forget_cache(client)
            name = f"round-{number}"
            whole[0].append(await _build(services, name, PACKAGES))
            whole[1].append(await asyncio.to_thread(peer.build, PACKAGES))
            more[0].append(await _build(services, name, (*PACKAGES, "humanize")))
            more[1].append(await asyncio.to_thread(peer.build, (*PACKAGES, "humanize")))
            await services.environments.delete(name)
    finally:
        peer.remove()
        for environment in await services.environments.list():
            await services.environments.delete(environment.name)
        await services.environments.delete_base(base.name)
        await services.close()
        _forget_cache(client)
        client.close()
    title = "docker build: venv and pip in a Dockerfile"
    packages = " ".join(PACKAGES)
    return [
        _row(f"build, empty cache ({packages})", whole, title, 0.6),
        _row("add one package to it", more, title, 0.15),
    ]


async def _build(services: wiring.Services, name: str, packages: Sequence[str]) -> float:
    spec = EnvironmentSpec(name=name, base="debian", python=tuple(packages))
    began = time.perf_counter()
    await services.environments.build(spec, _Silent(), replace=True)
    return time.perf_counter() - began


class Dockerfile:
    """What people write today; with the index and the certificates that ours has, too."""

    def __init__(self, client: Any, services: wiring.Services, base: str) -> None:
        self._client, self._images = client, list[str]()
        network = services.settings.network
        self._files = {}
        lines = [f"FROM {base}"]
        variables = process_environment(network)
        if network.ca_bundle:
            self._files["ca.crt"] = Path(network.ca_bundle).read_bytes()
            lines.append(f"COPY ca.crt {CA_FILE}")
        lines += [f'ENV {name}="{value}"' for name, value in variables.items()]
        self._head = lines

    def build(self, packages: Sequence[str]) -> float:
        """Seconds. Its layers up to pip may be cached, as on anybody's machine."""
        install = "python3 -m venv /opt/env && /opt/env/bin/pip install ipykernel"
        lines = [*self._head, f"RUN {install} {' '.join(packages)}"]
        files = {**self._files, "Dockerfile": "\n".join(lines).encode()}
        # Else the next round would find this round's packages in the engine's cache.
        files["Dockerfile"] += f" # {time.time()}".encode()
        began = time.perf_counter()
        image, _ = self._client.images.build(
            fileobj=_archive(files), custom_context=True, rm=True, labels={"benchmark": OWNER}
        )
        seconds = time.perf_counter() - began
        self._images.append(image.id)
        return seconds

    def remove(self) -> None:
        for image in self._images:
            self._client.images.remove(image, force=True)


def _archive(files: dict[str, bytes]) -> io.BytesIO:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    made.seek(0)
    return made


def _forget_cache(client: Any) -> None:
    for volume in client.volumes.list(filters={"name": CACHE}):
        volume.remove()


def _row(title: str, found: tuple[list[float], list[float]], peer: str, bar: float) -> Row:
    rounds = ratio(*found)
    ours, theirs = (f"{statistics.median(seconds):.1f} s" for seconds in found)
    return Row(title, ours, peer, theirs, str(rounds), f"≤ {bar}", rounds.median <= bar)
