"""From a snapshot to a checked model package, against ``mlflow models build-docker``."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import docker
import nbformat
from traitlets.config import Config

from jupyter_mlops import wiring
from jupyter_mlops.core.container_network import CA_FILE, process_environment
from jupyter_mlops.core.environment import EnvironmentSpec
from jupyter_mlops.core.model_package import Handler

from .rows import Row, ratio
from .turns import environment

ROUNDS = 5
OWNER = "benchmarks"
PEER = "steps of mlflow models build-docker"
MODEL = ("scikit-learn", "joblib", "numpy", "pandas")
TRAIN = """
import json, joblib, numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
rng = np.random.default_rng(0)
X = rng.normal(size=(1000, 10))
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, (X[:, 0] > 0.5).astype(int))
joblib.dump(model, "model.joblib")
json.dump(X[:10].tolist(), open("sample.json", "w"))
json.dump(model.predict(X[:10]).tolist(), open("expected.json", "w"))
open("inference.py", "w").write("def predict_fn(rows, model):\\n    return model.predict(rows)\\n")
"""
SAVE = """
import mlflow.sklearn
mlflow.sklearn.save_model(model, "mlflow-model", serialization_format="cloudpickle")
"""


class _Silent:
    def phase(self, name: str, message: str = "") -> None: ...
    def update(self, message: str = "", fraction: float | None = None) -> None: ...
    def log(self, text: str) -> None: ...


def run() -> list[Row]:
    """One row. Needs Docker."""
    with tempfile.TemporaryDirectory(prefix="jm-") as folder:
        own = {"data_dir": f"{folder}/data", "runtime_dir": f"{folder}/run", "owner": OWNER}
        config = Config({"Mlops": {**own, "engine": "docker", "warm_kernels": 0}})
        ours, theirs = asyncio.run(_measure(wiring.build(config), Path(folder)))
    rounds = ratio(ours, theirs)
    ours_s, theirs_s = (f"{statistics.median(seconds):.1f} s" for seconds in (ours, theirs))
    title = "snapshot → checked model package (scikit-learn)"
    return [Row(title, ours_s, PEER, theirs_s, str(rounds), "≤ 0.2", rounds.median <= 0.2)]


async def _measure(services: wiring.Services, folder: Path) -> tuple[list[float], list[float]]:
    ours, theirs = list[float](), list[float]()
    base = await services.environments.create_base("debian", progress=_Silent())
    peer = MlflowImage(services, base.image, folder)
    try:
        snapshot = await _snapshot(services, folder)
        for number in range(ROUNDS):
            ours.append(await _package(services, snapshot, f"round-{number}"))
            theirs.append(await asyncio.to_thread(peer.build))
    finally:
        peer.remove()
        for package in await services.packaging.list():
            await services.packaging.delete(package.id)
        for frozen in await services.snapshots.list():
            await services.snapshots.delete(frozen.id)
        for made in await services.environments.list():
            await services.environments.delete(made.name)
        await services.environments.delete_base(base.name)
        await services.close()
    return ours, theirs


async def _snapshot(services: wiring.Services, folder: Path) -> str:
    """Train in a notebook, and freeze it; returns the id."""
    spec = EnvironmentSpec(name="packages", base="debian", python=MODEL)
    await services.environments.build(spec, _Silent())
    notebook = folder / "project" / "train.ipynb"
    notebook.parent.mkdir()
    cells = [nbformat.v4.new_code_cell(TRAIN)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), notebook)
    made: list[str] = []

    async def keep(kernel: str) -> None:
        frozen = await services.snapshots.create(kernel, "packages", "", _Silent())
        made.append(frozen.id)

    await services.kernels.run(notebook, "packages", _Silent(), keep=keep)
    return made[0]


async def _package(services: wiring.Services, snapshot: str, name: str) -> float:
    """Seconds until it has passed every check."""
    began = time.perf_counter()
    made = await services.packaging.create(
        snapshot,
        name,
        ("model.joblib",),
        Handler("inference", "inference.py"),
        "sample.json",
        _Silent(),
        "expected.json",
    )
    report = await services.packaging.check(made.id, _Silent())
    seconds = time.perf_counter() - began
    if not report.passed:
        failed = [f"{c.title}: {c.detail}" for c in report.checks if not c.passed]
        raise SystemExit(f"the package did not pass: {failed}")
    return seconds


class MlflowImage:
    """What ``build-docker`` does: write a Dockerfile, build it. Its base image comes from Docker
    Hub; this has ours in its place, with Python's tools, certificates and index."""

    def __init__(self, services: wiring.Services, base: str, folder: Path) -> None:
        # Later ones do not run on these versions of FastAPI.
        self._python = environment("mlflow", "mlflow<3.18", "fastapi", "uvicorn", *MODEL)
        self._client = docker.from_env(timeout=600)
        self._folder, self._images = folder, list[Any]()
        subprocess.run([self._python, "-c", TRAIN + SAVE], cwd=folder, check=True)
        self._base = self._prepare(services, base)

    def _prepare(self, services: wiring.Services, base: str) -> str:
        context = self._folder / "base"
        context.mkdir()
        network = services.settings.network
        lines = [f"FROM {base}", "RUN python3 -m venv /opt/python"]
        lines.append("ENV PATH=/opt/python/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        if network.ca_bundle:
            shutil.copy(network.ca_bundle, context / "ca.crt")
            lines.append(f"COPY ca.crt {CA_FILE}")
        lines += [f'ENV {name}="{value}"' for name, value in process_environment(network).items()]
        (context / "Dockerfile").write_text("\n".join(lines))
        image, _ = self._client.images.build(path=str(context), rm=True)
        self._images.append(image)
        return str(image.id)

    def build(self) -> float:
        context = self._folder / "mlflow-image"
        shutil.rmtree(context, ignore_errors=True)
        began = time.perf_counter()
        command = [self._python, "-m", "mlflow", "models", "generate-dockerfile"]
        command += ["-m", str(self._folder / "mlflow-model"), "-d", str(context)]
        subprocess.run(command, check=True, capture_output=True)
        file = context / "Dockerfile"
        text, found = re.subn(r"(?m)^FROM .*$", f"FROM {self._base}", file.read_text())
        if found != 1:
            raise SystemExit(f"MLflow's Dockerfile has another form now:\n{file.read_text()}")
        file.write_text(text)
        # Else a round would find the packages of the last one.
        image, _ = self._client.images.build(path=str(context), rm=True, nocache=True)
        seconds = time.perf_counter() - began
        self._images.append(image)
        return seconds

    def remove(self) -> None:
        for image in reversed(self._images):
            # The last image made of the base takes it along.
            with contextlib.suppress(docker.errors.ImageNotFound):
                self._client.images.remove(image.id, force=True)
        self._client.close()
