"""A SageMaker target on a real engine, a real registry in ECR's place, and moto for the rest."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import tarfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.core.deployment import Deployment, DeploymentState
from jupyter_mlops.core.image_ref import ImageRef, parse
from jupyter_mlops.core.model_package import Handler, ModelPackage, Sample
from jupyter_mlops.core.settings import Settings
from jupyter_mlops.engines.discovery import EngineDiscovery
from jupyter_mlops.oci.registries import OciRegistries
from jupyter_mlops.store.blobs import FileBlobs
from jupyter_mlops.targets.sagemaker.target import SageMakerTarget
from tests.parts.aws import Aws

SAMPLE = b"[[1, 2], [3, 4]]"


@dataclass
class Watch:
    """A Progress that remembers."""

    phases: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    text: str = ""

    def phase(self, name: str, message: str = "") -> None:
        self.phases.append(name)

    def update(self, message: str = "", fraction: float | None = None) -> None:
        self.messages.append(message)

    def log(self, text: str) -> None:
        self.text += text


class Bench:
    """A target on one engine, and one package for it."""

    def __init__(self, settings: Settings, image: str) -> None:
        self.settings = settings
        self.engines = EngineDiscovery(settings)
        self.blobs = FileBlobs(settings.data / "blobs")
        self.registries = OciRegistries(settings)
        self.target = SageMakerTarget(settings, self.engines, self.blobs, self.registries)
        self.image = image
        self.host = settings.targets["sagemaker"]["registry_override"]
        self.repository = settings.targets["sagemaker"]["repository"]
        self.saved: list[Deployment] = []
        self.watch = Watch()

    async def package(self, weight: float = 2) -> ModelPackage:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            content = json.dumps({"weight": weight}).encode()
            entry = tarfile.TarInfo("model.json")
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
        name = "p-" + hashlib.sha256(self.image.encode()).hexdigest()[:16]
        return ModelPackage(
            id=name,
            name="doubler",
            owner="ann",
            created="2026-01-01T00:00:00+00:00",
            snapshot="s-0123456789abcdef",
            image=self.image,
            ref="mlops/package/by-hand:latest",
            model=await self.blobs.put(buffer.getvalue()),
            model_files=("model.json",),
            model_size=len(content),
            handler=Handler("inference", "inference.py"),
            sample=Sample("application/json", await self.blobs.put(SAMPLE)),
        )

    def deployment(self, name: str = "doubler", **options: Any) -> Deployment:
        return Deployment(
            id="d-" + hashlib.sha256(name.encode()).hexdigest()[:16],
            name=name,
            owner="ann",
            created="2026-01-01T00:00:00+00:00",
            package="p-x",
            target="sagemaker",
            options=self.target.options(options),
            state=DeploymentState.CREATING,
        )

    async def deploy(self, name: str = "doubler", **options: Any) -> Deployment:
        async def save(changed: Deployment) -> None:
            self.saved.append(changed)

        self.watch = Watch()
        package, deployment = await self.package(), self.deployment(name, **options)
        return await self.target.deploy(package, deployment, self.watch, save)


@pytest.fixture
def make_bench(
    tmp_path: Path, aws: Aws, registry: Any, jp_asyncio_loop: asyncio.AbstractEventLoop
) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []
    # The registry keeps what was pushed, and is shared: each test has a repository of its own.
    ours = {"repository": f"sagemaker-{uuid.uuid4().hex[:8]}"}

    def make(image: str, engine: str = "docker", host: str = "", **own: Any) -> Bench:
        settings = Settings(
            data=tmp_path / "data",
            runtime=tmp_path / "run",
            uv=Path("uv"),
            owner="ann",
            engine=engine,
            targets={"sagemaker": aws.settings(host or registry.host, **{**ours, **own})},
        )
        made.append(Bench(settings, image))
        return made[-1]

    yield make
    for bench in made:
        jp_asyncio_loop.run_until_complete(bench.engines.close())


@pytest.fixture
def bench(make_bench: Callable[..., Bench], model_image: str) -> Bench:
    return make_bench(model_image)


def left(aws: Aws) -> dict[str, list[str]]:
    """What is in the account."""
    sagemaker, s3 = aws.client("sagemaker"), aws.client("s3")
    buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    return {
        "endpoints": [e["EndpointName"] for e in sagemaker.list_endpoints()["Endpoints"]],
        "configs": [
            c["EndpointConfigName"] for c in sagemaker.list_endpoint_configs()["EndpointConfigs"]
        ],
        "models": [m["ModelName"] for m in sagemaker.list_models()["Models"]],
        "objects": [
            found["Key"]
            for bucket in buckets
            for found in s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        ],
        "buckets": buckets,
        "repositories": [
            r["repositoryName"] for r in aws.client("ecr").describe_repositories()["repositories"]
        ],
    }


KINDS = ("endpoints", "configs", "models", "objects", "buckets", "repositories")
NOTHING: dict[str, list[str]] = {kind: [] for kind in KINDS}


async def pushed_tags(bench: Bench) -> list[str]:
    registry = bench.registries.registry(bench.host)
    return await registry.tags(ImageRef(bench.repository, bench.host))


async def manifest_of(bench: Bench, image: str) -> Any:
    ref = parse(image)
    return await bench.registries.registry(ref.registry).manifest(ref)
