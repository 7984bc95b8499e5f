"""Services on an empty data folder, with Docker, a registry and moto."""

from __future__ import annotations

import asyncio
import io
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from traitlets.config import Config

from jupyter_mlops import wiring
from jupyter_mlops.core.model_package import (
    Check,
    ContractReport,
    Handler,
    ModelPackage,
    Sample,
)
from jupyter_mlops.wiring import Services
from tests.parts.aws import Aws
from tests.parts.engines import OWNER
from tests.parts.registry import RunningRegistry, free_port


class Silent:
    text = ""

    def phase(self, name: str, message: str = "") -> None:
        pass

    def update(self, message: str = "", fraction: float | None = None) -> None:
        pass

    def log(self, text: str) -> None:
        self.text += text


@pytest.fixture
def services(
    tmp_path: Path,
    aws: Aws,
    registry: RunningRegistry,
    jp_asyncio_loop: asyncio.AbstractEventLoop,
) -> Iterator[Services]:
    runtime = tempfile.mkdtemp(prefix="jm-", dir="/tmp")
    settings = aws.settings(registry.host, repository=f"sagemaker-{free_port()}")
    mlops = {
        "data_dir": str(tmp_path / "data"),
        "runtime_dir": runtime,
        "owner": OWNER,
        "engine": "docker",
        "targets": {"sagemaker": settings},
    }
    built = wiring.build(Config({"Mlops": mlops}))
    yield built
    jp_asyncio_loop.run_until_complete(built.close())
    shutil.rmtree(runtime, ignore_errors=True)


async def make_package(services: Services, image: str, checked: bool | None = True) -> ModelPackage:
    """A record as packaging makes it; ``checked`` None has no report."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        content = b'{"weight": 2}'
        entry = tarfile.TarInfo("model.json")
        entry.size, entry.mode = len(content), 0o644
        tar.addfile(entry, io.BytesIO(content))
    report = None
    if checked is not None:
        check = Check("ping", "Answers health probes", checked)
        report = ContractReport(image, "2026-01-01T00:00:00+00:00", (check,))
    package = ModelPackage(
        id="p-0123456789abcdef",
        name="doubler",
        owner=OWNER,
        created="2026-01-01T00:00:00+00:00",
        snapshot="s-0123456789abcdef",
        image=image,
        ref="mlops/package/by-hand:latest",
        model=await services.blobs.put(buffer.getvalue()),
        model_files=("model.json",),
        model_size=len(content),
        handler=Handler("inference", "inference.py"),
        sample=Sample("application/json", await services.blobs.put(b"[[1, 2]]")),
        report=report,
    )
    await services.store.packages.save(package)
    return package
