"""The whole path: real engines, a real registry in ECR's place, AWS's API as moto serves it."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import subprocess
import tarfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from jupyter_mlops.core.deployment import Deployment, DeploymentState, Resource
from jupyter_mlops.core.errors import (
    ConflictError,
    CredentialsError,
    InvalidError,
    ManifestRejectedError,
    MlopsError,
    PermissionMissingError,
    RegistryUnavailableError,
    TargetError,
    UnsupportedError,
)
from jupyter_mlops.core.image_ref import ImageRef, parse
from jupyter_mlops.core.model_package import Handler, ModelPackage, Sample
from jupyter_mlops.core.oci_shapes import DOCKER_MANIFEST, OCI_MANIFEST
from jupyter_mlops.core.settings import Settings
from jupyter_mlops.engines.discovery import EngineDiscovery
from jupyter_mlops.oci.registries import OciRegistries
from jupyter_mlops.store.blobs import FileBlobs
from jupyter_mlops.targets.sagemaker import creation
from jupyter_mlops.targets.sagemaker.target import SageMakerTarget
from tests.parts.aws import Aws, Hosting
from tests.parts.model_image import archive
from tests.parts.registry import free_port

pytestmark = [pytest.mark.aws, pytest.mark.docker, pytest.mark.registry]

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


async def test_a_package_becomes_an_endpoint_that_answers(
    aws: Aws, hosting: Hosting, bench: Bench
) -> None:
    deployment = await bench.deploy(variables={"NOTE": "hello"})

    assert deployment.state is DeploymentState.RUNNING
    assert deployment.status == "InService"
    assert [r.kind for r in deployment.resources] == [
        "ecr-repository",
        "ecr-image",
        "s3-bucket",
        "s3-object",
        "model",
        "endpoint-config",
        "endpoint",
    ]
    assert bench.watch.phases == ["check", "push", "upload", "create", "start"]

    sagemaker = aws.client("sagemaker")
    model = sagemaker.describe_model(ModelName=f"doubler-{deployment.id[2:10]}")
    container = model["PrimaryContainer"]
    manifest = await manifest_of(bench, container["Image"])
    assert manifest.media_type == DOCKER_MANIFEST
    assert container["Image"].endswith(manifest.digest)
    assert model["ExecutionRoleArn"] == aws.role
    tags = {
        t["Key"]: t["Value"] for t in sagemaker.list_tags(ResourceArn=model["ModelArn"])["Tags"]
    }
    assert tags["io.jupyter-mlops.image"] == bench.image
    assert tags["io.jupyter-mlops.snapshot"] == "s-0123456789abcdef"
    assert tags["io.jupyter-mlops.owner"] == "ann"

    answer = await bench.target.invoke(deployment, SAMPLE, "application/json", "application/json")
    assert answer.status == 200
    assert json.loads(answer.body) == {"predictions": [6, 14], "note": "hello"}
    refused = await bench.target.invoke(deployment, b"{", "application/json", "application/json")
    assert refused.status == 400
    assert b"Expecting property name" in refused.body

    assert (await bench.target.describe(deployment)).state is DeploymentState.RUNNING
    await bench.target.delete(deployment, bench.watch)
    after = left(aws)
    assert after == {
        **NOTHING,
        "buckets": [f"sagemaker-{aws.region}-{aws.account}"],
        "repositories": [bench.repository],
    }
    deletes = [call for call in aws.front.calls if call.startswith("Delete")]
    assert deletes == ["DeleteEndpoint", "DeleteEndpointConfig", "DeleteModel"]
    # Gone already is no error.
    await bench.target.delete(deployment, bench.watch)
    gone = await bench.target.describe(deployment)
    assert gone.state is DeploymentState.STOPPED


async def test_everything_is_recorded_before_it_exists(aws: Aws, bench: Bench) -> None:
    await bench.deploy()
    counts = [len(saved.resources) for saved in bench.saved]
    assert counts == sorted(counts)
    assert bench.saved[-1].resources[-1] == Resource("endpoint", "doubler")


async def test_a_second_deployment_pushes_nothing_and_may_not_take_the_name(
    aws: Aws, bench: Bench
) -> None:
    first = await bench.deploy()
    second = await bench.deploy("other")
    assert "The registry has this image already." in bench.watch.messages
    assert second.details["image"] == first.details["image"]
    assert [r.kind for r in second.resources] == [
        "s3-object",
        "model",
        "endpoint-config",
        "endpoint",
    ]
    before = left(aws)
    with pytest.raises(ConflictError, match="endpoint named 'doubler'"):
        await bench.deploy()
    assert left(aws) == before


async def test_serverless(aws: Aws, bench: Bench) -> None:
    deployment = await bench.deploy(kind="serverless", memory=3072, concurrency=7)
    config = aws.client("sagemaker").describe_endpoint_config(
        EndpointConfigName=f"doubler-{deployment.id[2:10]}"
    )
    assert config["ProductionVariants"][0]["ServerlessConfig"] == {
        "MemorySizeInMB": 3072,
        "MaxConcurrency": 7,
    }


async def test_status_is_live_while_the_endpoint_is_made(aws: Aws, bench: Bench) -> None:
    aws.front.statuses = ["Creating", "Creating", "InService"]
    deployment = await bench.deploy()
    assert deployment.state is DeploymentState.RUNNING
    assert sum("Endpoint doubler: Creating" in m for m in bench.watch.messages) == 2


async def test_a_plan_names_everything_and_makes_nothing(aws: Aws, bench: Bench) -> None:
    plan = await bench.target.plan(await bench.package(), "doubler", bench.target.options({}))
    assert [r.kind for r in plan.resources if not r.kept] == [
        "s3-object",
        "model",
        "endpoint-config",
        "endpoint",
    ]
    assert "1 x ml.m5.large" in plan.cost
    assert left(aws) == NOTHING


# ------------------------------------------------------------------------------ manifests


@contextmanager
def committed_by_podman(layer: bytes, folder: Path) -> Iterator[str]:
    """An image that Podman committed itself: it pushes such ones as OCI."""
    file = folder / "image.tar"
    loaded = f"localhost/mlops/loaded-{uuid.uuid4().hex[:8]}:latest"
    ref = loaded.replace("loaded", "committed")
    file.write_bytes(archive(loaded, layer))

    def podman(*arguments: str) -> str:
        done = subprocess.run(["podman", *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    podman("load", "-q", "-i", str(file))
    container = podman("create", loaded, "serve")
    podman("commit", "-q", "--format", "oci", container, ref)
    podman("rm", container)
    yield "sha256:" + podman("inspect", "-t", "image", "-f", "{{.Id}}", ref)
    podman("rmi", "-f", ref, loaded)


@pytest.fixture
def podman_image(model_layer: bytes, tmp_path: Path) -> Iterator[str]:
    with committed_by_podman(model_layer, tmp_path) as image:
        yield image


@pytest.fixture
def fresh_podman_image(tmp_path: Path) -> Iterator[str]:
    """One that Podman has not compressed yet: it reuses what it knows of older ones."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo("random")
        entry.size = 4096
        tar.addfile(entry, io.BytesIO(os.urandom(entry.size)))
    with committed_by_podman(buffer.getvalue(), tmp_path) as image:
        yield image


@pytest.mark.podman
async def test_podmans_oci_manifest_is_converted(
    aws: Aws, hosting: Hosting, make_bench: Callable[..., Bench], podman_image: str
) -> None:
    bench = make_bench(podman_image, "podman")
    deployment = await bench.deploy()
    assert deployment.details["manifest_converted"] is True

    package = await bench.package()
    pushed = await manifest_of(bench, f"{bench.host}/{bench.repository}:{package.id}")
    assert pushed.media_type == OCI_MANIFEST
    named = await manifest_of(bench, deployment.details["image"])
    assert named.media_type == DOCKER_MANIFEST
    before, after = json.loads(pushed.content), json.loads(named.content)
    assert [x["digest"] for x in before["layers"]] == [x["digest"] for x in after["layers"]]

    # Docker pulls the converted manifest by digest, and what it runs answers.
    answer = await bench.target.invoke(deployment, SAMPLE, "application/json", "application/json")
    assert json.loads(answer.body)["predictions"] == [6, 14]

    again = await bench.deploy("again")
    assert "The registry has this image already." in bench.watch.messages
    assert again.details["image"] == deployment.details["image"]


@pytest.mark.podman
async def test_layers_that_docker_cannot_read_are_refused(
    aws: Aws, make_bench: Callable[..., Bench], fresh_podman_image: str
) -> None:
    """Podman compressed with zstd: such a push is accepted by every registry, and never runs."""
    bench = make_bench(fresh_podman_image, "podman")
    package = await bench.package()
    seed = f"{bench.host}/{bench.repository}:seed"
    zstd = ("--tls-verify=false", "--compression-format", "zstd")
    await anyio.run_process(["podman", "push", "-q", *zstd, fresh_podman_image, seed])
    # The engine's own push finds zstd layers there and reuses them.
    with pytest.raises(ManifestRejectedError, match="gzip"):
        await bench.deploy()
    assert package.id not in await pushed_tags(bench)
    assert left(aws) == NOTHING


async def test_a_manifest_that_sagemaker_rejects(aws: Aws, bench: Bench) -> None:
    aws.front.refuse_manifests = True
    with pytest.raises(ManifestRejectedError) as caught:
        await bench.deploy()
    assert "Unsupported manifest media type" in caught.value.message
    assert "schema 2" in caught.value.hint
    assert left(aws) == NOTHING
    assert await pushed_tags(bench) == []


# ------------------------------------------------------------------------------- failures


async def test_an_endpoint_that_fails_is_cleaned_up_and_explained(aws: Aws, bench: Bench) -> None:
    aws.front.statuses = ["Creating", "Failed"]
    aws.front.failure_reason = "The primary container did not pass the ping health check."
    logs = aws.client("logs")
    group = "/aws/sagemaker/Endpoints/doubler"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="main/i-1")
    lines = [f"line {i}" for i in range(20)] + ["ModuleNotFoundError: No module named 'sklearn'"]
    now = int(time.time() * 1000)
    logs.put_log_events(
        logGroupName=group,
        logStreamName="main/i-1",
        logEvents=[{"timestamp": now + i, "message": line} for i, line in enumerate(lines)],
    )
    with pytest.raises(TargetError) as caught:
        await bench.deploy()
    assert "did not pass the ping health check" in caught.value.message
    assert "No module named 'sklearn'" in caught.value.message
    assert "line 0\n" not in caught.value.message
    assert "line 0\n" in bench.watch.text
    assert left(aws) == NOTHING
    assert bench.saved[-1].resources == ()
    assert await bench.target.logs(bench.deployment()) == "".join(f"{x}\n" for x in lines)


async def test_cancelling_waits_until_aws_lets_go(aws: Aws, bench: Bench) -> None:
    """AWS refuses to delete an endpoint that is being created."""
    aws.front.statuses = ["Creating"] * 12 + ["InService"]
    work = asyncio.create_task(bench.deploy())
    while not any("Endpoint doubler: Creating" in m for m in bench.watch.messages):
        await asyncio.sleep(0.02)
        assert not work.done()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert left(aws) == NOTHING


async def test_what_was_there_before_stays_when_it_fails(aws: Aws, bench: Bench) -> None:
    await bench.deploy("first")
    aws.front.statuses = ["Failed"]
    aws.front.failure_reason = "no capacity"
    before = left(aws)
    with pytest.raises(TargetError, match="no capacity"):
        await bench.deploy("second")
    assert left(aws) == before


async def test_no_credentials(aws: Aws, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert "aws configure" in (await bench.target.check())[0]
    with pytest.raises(CredentialsError, match="no AWS credentials"):
        await bench.deploy()


async def test_wrong_credentials(aws: Aws, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.enforce()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAWRONGWRONGWRONG0")
    with pytest.raises(CredentialsError, match="does not know these credentials"):
        await bench.deploy()
    assert "does not know these credentials" in (await bench.target.check())[0]


@pytest.mark.parametrize(
    ("lacking", "named"),
    [
        ("ecr", "ecr:DescribeRepositories"),
        ("s3", "s3:ListBucket"),
        ("sagemaker", "sagemaker:DescribeEndpoint"),
    ],
)
async def test_a_missing_right_is_named(
    aws: Aws, bench: Bench, monkeypatch: pytest.MonkeyPatch, lacking: str, named: str
) -> None:
    services = {"iam", "ecr", "s3", "sagemaker", "logs"} - {lacking}
    key, secret = aws.user(*(f"{service}:*" for service in sorted(services)))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    aws.enforce()
    with pytest.raises(PermissionMissingError) as caught:
        await bench.deploy()
    assert named in caught.value.message
    aws.reset()


async def test_rights_that_end_in_the_middle_leave_nothing(
    aws: Aws, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, secret = aws.user(
        "iam:GetRole", "ecr:*", "s3:*", "sagemaker:Describe*", "sagemaker:CreateModel",
        "sagemaker:DeleteModel", "sagemaker:AddTags",
    )  # fmt: skip
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    aws.enforce()
    with pytest.raises(PermissionMissingError, match="sagemaker:CreateEndpointConfig"):
        await bench.deploy()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    aws_open(aws)
    assert left(aws) == NOTHING


def aws_open(aws: Aws) -> None:
    """moto asks nobody for rights any more, and forgets nothing."""
    httpx.post(f"{aws.url}/moto-api/reset-auth", content="inf").raise_for_status()


@pytest.mark.parametrize(
    ("role", "said"),
    [
        ("arn:aws:iam::123456789012:role/none-such", "There is no role none-such"),
        ("arn:aws:iam::210987654321:role/runs", "belongs to the AWS account 210987654321"),
        ("arn:aws:iam::123456789012:role/for-lambda", "does not trust sagemaker.amazonaws.com"),
    ],
)
async def test_a_role_that_cannot_work(aws: Aws, bench: Bench, role: str, said: str) -> None:
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}]}
    aws.client("iam").create_role(
        RoleName="for-lambda",
        AssumeRolePolicyDocument=json.dumps({**trust, "Version": "2012-10-17"}),
    )
    with pytest.raises(InvalidError) as caught:
        await bench.deploy(role=role)
    assert said in caught.value.message
    assert "whoever manages IAM" in caught.value.hint or "your own account" in caught.value.hint
    assert left(aws) == NOTHING


async def test_a_missing_role_is_asked_for(
    aws: Aws, make_bench: Callable[..., Bench], model_image: str
) -> None:
    bench = make_bench(model_image, role="")
    with pytest.raises(InvalidError, match="Execution role"):
        await bench.deploy()


async def test_an_image_for_another_processor(
    aws: Aws, make_bench: Callable[..., Bench], arm_image: str
) -> None:
    with pytest.raises(UnsupportedError, match="made for arm64"):
        await make_bench(arm_image).deploy()
    assert left(aws) == NOTHING


async def test_an_image_too_large_for_serverless(
    aws: Aws, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(creation, "SERVERLESS_IMAGE_BYTES", 1024**2)
    with pytest.raises(UnsupportedError, match="serverless endpoint takes"):
        await bench.deploy(kind="serverless")
    assert left(aws) == NOTHING


async def test_a_registry_that_does_not_answer(
    aws: Aws, make_bench: Callable[..., Bench], model_image: str
) -> None:
    bench = make_bench(model_image, host=f"127.0.0.1:{free_port()}")
    with pytest.raises(RegistryUnavailableError):
        await bench.deploy()
    assert left(aws) == NOTHING


async def test_aws_that_does_not_answer(
    aws: Aws, make_bench: Callable[..., Bench], model_image: str
) -> None:
    bench = make_bench(model_image, endpoint_url=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(TargetError, match="could not be reached"):
        await bench.deploy()


def test_a_setting_that_is_not_known(
    aws: Aws, make_bench: Callable[..., Bench], model_image: str
) -> None:
    with pytest.raises(MlopsError, match="regoin"):
        make_bench(model_image, regoin="eu-west-1")


async def test_a_big_model_travels_in_parts(aws: Aws, bench: Bench) -> None:
    package = await bench.package()
    package = replace(package, model=await bench.blobs.put(os.urandom(20 * 1024**2)))

    async def save(changed: Deployment) -> None:
        pass

    await bench.target.deploy(package, bench.deployment(), bench.watch, save)
    bucket = f"sagemaker-{aws.region}-{aws.account}"
    key = left(aws)["objects"][0]
    head = aws.client("s3").head_object(Bucket=bucket, Key=key)
    assert head["ContentLength"] == 20 * 1024**2
    assert head["ETag"].strip('"').endswith("-3")
    assert sum("of 21.0 MB" in m for m in bench.watch.messages) > 3
