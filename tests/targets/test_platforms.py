"""Files for KServe, Vertex AI and Azure ML: the image is pushed and runs, the platforms' own
clients read the files, and every file says where it is from."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest
import yaml

from jupyter_mlops.core.deployment import Deployment, DeploymentState
from jupyter_mlops.core.errors import InvalidError, RegistryUnavailableError
from jupyter_mlops.core.model_package import ModelPackage
from jupyter_mlops.oci.registries import OciRegistries
from jupyter_mlops.services.package_records import PackageRecords
from jupyter_mlops.targets.azureml.target import AzureMlTarget
from jupyter_mlops.targets.kserve.target import KServeTarget
from jupyter_mlops.targets.vertex.target import VertexTarget
from tests.parts.packages import SAMPLE, Shelf
from tests.parts.platforms import Judge
from tests.parts.projects import PREDICTION
from tests.parts.projects import package as real_package
from tests.parts.registry import RunningRegistry, free_port
from tests.parts.services import Recorder, Tiny

pytestmark = [pytest.mark.docker, pytest.mark.registry]

OPTIONS: dict[Any, dict[str, Any]] = {
    KServeTarget: {"namespace": "models", "pull_secret": "registry-login", "memory": "512Mi"},
    VertexTarget: {"project": "research-123456", "region": "europe-west4"},
    AzureMlTarget: {"resource_group": "research", "workspace": "lab", "instance_count": 2},
}


@pytest.fixture
def shelf(tmp_path: Path, jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[Shelf]:
    made = Shelf(tmp_path, secret="hunter2-of-the-registry")
    yield made
    jp_asyncio_loop.run_until_complete(made.close())


@pytest.fixture
def repository(registry: RunningRegistry) -> str:
    return f"{registry.host}/team/doubler-{uuid.uuid4().hex[:8]}"


async def write(
    shelf: Shelf, kind: Any, package: ModelPackage, folder: Path, repository: str, **more: Any
) -> Deployment:
    options = {**OPTIONS[kind], "folder": str(folder), "repository": repository, **more}
    return await shelf.deploy(shelf.target(kind), package, **options)


@contextmanager
def running(image: str, variables: dict[str, str]) -> Iterator[str]:
    """The pushed image, run with nothing else; the local copy is gone before and after."""
    client = docker.from_env()
    client.images.pull(image)
    container = client.containers.run(
        image, detach=True, read_only=True, tmpfs={"/tmp": ""}, cap_drop=["ALL"],
        security_opt=["no-new-privileges"], ports={"8080/tcp": ("127.0.0.1", None)},
        environment=variables,
    )  # fmt: skip
    try:
        container.reload()
        port = container.attrs["NetworkSettings"]["Ports"]["8080/tcp"][0]["HostPort"]
        url = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 60
        while not ready(url):
            assert time.monotonic() < until, container.logs().decode()
            time.sleep(0.05)
        yield url
    finally:
        container.remove(force=True)
        client.images.remove(image, force=True)
        client.close()


def ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ping").status_code == 200
    except httpx.HTTPError:
        return False


def answer(image: str) -> Any:
    with running(image, {}) as url:
        return httpx.post(f"{url}/invocations", content=SAMPLE).json()


def answers(image: str, variables: dict[str, str], body: bytes, paths: tuple[str, ...]) -> Any:
    """What it says at each path, and at those of the probes."""
    kind = {"Content-Type": "application/json"}
    with running(image, variables) as url:
        found = {path: httpx.post(url + path, content=body, headers=kind).json() for path in paths}
        probes = {path: httpx.get(url + path).status_code for path in ("/ping", "/healthz")}
        return {**found, **probes}


def check_marks(folder: Path, package: ModelPackage) -> None:
    """Each file but the sample says what made it, and from what; the scripts are valid bash."""
    for file in folder.rglob("*"):
        if not file.is_file() or file.name == "SHA256SUMS" or file.parent != folder:
            continue
        text = file.read_text()
        for mark in ("enerated by jupyter-mlops", package.id, package.snapshot, package.image):
            assert mark in text, f"{mark} is not in {file.name}"
        for told in (str(folder.parent), "hunter2"):
            assert told not in text
        if file.suffix == ".sh":
            subprocess.run(["bash", "-n", str(file)], check=True)
            assert file.stat().st_mode & 0o111
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=folder, check=True)


async def test_kserve(
    shelf: Shelf, model_image: str, repository: str, tmp_path: Path, judge: Judge
) -> None:
    package = await shelf.package(model_image)
    folder = tmp_path / "out"
    target = shelf.target(KServeTarget)
    chosen = target.options(
        {**OPTIONS[KServeTarget], "folder": str(folder), "repository": repository}
    )
    plan = await target.plan(package, "doubler", chosen)
    assert [r.kept for r in plan.resources] == [True, False]
    made = await write(shelf, KServeTarget, package, folder, repository)
    assert made.state is DeploymentState.WRITTEN
    image = made.details["image"]
    assert image.startswith(f"{repository}@sha256:")
    assert [(r.kind, r.kept) for r in made.resources] == [("image", True), ("folder", False)]
    check_marks(folder, package)

    file = folder / "inferenceservice.yaml"
    assert judge("kserve", file, "V1beta1InferenceService") == {
        "same": True,
        "type": "V1beta1InferenceServiceSpec",
    }
    service = yaml.safe_load(file.read_text())
    predictor = service["spec"]["predictor"]
    (container,) = predictor["containers"]
    assert container["image"] == image
    assert predictor["imagePullSecrets"] == [{"name": "registry-login"}]
    space = yaml.safe_load((folder / "namespace.yaml").read_text())
    assert space["metadata"]["name"] == service["metadata"]["namespace"] == "models"
    assert "--docker-password=PASSWORD" in (folder / "README.md").read_text()

    assert (await asyncio.to_thread(answer, image))["predictions"] == [6, 14]
    engine = await shelf.engines.engine()
    assert await engine.list({"io.jupyter-mlops.owner": "ann"}) == []
    assert await engine.image(f"{repository}:{package.id}") is None

    await target.delete(made, Recorder())
    assert not folder.exists()
    plain = await write(
        shelf, KServeTarget, package, folder, repository, namespace="default", pull_secret="",
        mode="Knative", min_replicas=0, max_replicas=3,
    )  # fmt: skip
    # The same parts make the same image: nothing is pushed twice under another digest.
    assert plain.details["image"].startswith(f"{repository}@sha256:")
    assert not (folder / "namespace.yaml").exists()
    assert judge("kserve", file, "V1beta1InferenceService")["same"]
    assert "imagePullSecrets" not in file.read_text()


async def test_a_judge_that_refuses(judge: Judge, tmp_path: Path) -> None:
    """A field that KServe does not know is noticed."""
    file = tmp_path / "wrong.yaml"
    spec = {"predictor": {"minReplica": 1, "containers": [{"name": "x", "image": "y"}]}}
    kind = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"}
    file.write_text(yaml.safe_dump({**kind, "metadata": {"name": "x"}, "spec": spec}))
    assert judge("kserve", file, "V1beta1InferenceService")["same"] is False


async def test_vertex(
    shelf: Shelf, model_image: str, repository: str, tmp_path: Path, judge: Judge
) -> None:
    package = await shelf.package(model_image)
    folder = tmp_path / "out"
    made = await write(shelf, VertexTarget, package, folder, repository)
    check_marks(folder, package)
    assert judge("vertex", folder / "model.json") == {
        "image": made.details["image"],
        "port": 8080,
        "routes": ["/ping", "/predict"],
        "id": "doubler",
    }
    script = (folder / "deploy.sh").read_text()
    asked = json.loads((folder / "model.json").read_text())["model"]["containerSpec"]
    assert f"--container-image-uri={asked['imageUri']}" in script
    for command in ("models upload", "endpoints create", "endpoints deploy-model"):
        assert f"gcloud ai {command}" in script
    assert script.count("--project=research-123456 --region=europe-west4") == 3


async def test_azureml(
    shelf: Shelf, model_image: str, repository: str, tmp_path: Path, judge: Judge
) -> None:
    package = await shelf.package(model_image)
    folder = tmp_path / "out"
    made = await write(shelf, AzureMlTarget, package, folder, repository)
    check_marks(folder, package)
    assert judge("azure", folder) == {
        "image": made.details["image"],
        "scoring": {"path": "/score", "port": 8080},
        "auth": "key",
        "environment": f"doubler:{package.id}",
        "endpoint": ["doubler", "doubler"],
        "instances": ["Standard_DS3_v2", 2],
        "classes": ["ManagedOnlineEndpoint", "ManagedOnlineDeployment"],
    }
    script = (folder / "deploy.sh").read_text()
    for file in ("environment.yml", "endpoint.yml", "deployment.yml"):
        assert f"--file {file}" in script and (folder / file).exists()
    csv = replace(package, sample=replace(package.sample, content_type="text/csv; header=absent"))
    await shelf.target(AzureMlTarget).delete(made, Recorder())
    await write(shelf, AzureMlTarget, csv, folder, repository)
    ask = (folder / "ask.sh").read_text()
    assert "-H 'Content-Type: text/csv; header=absent'" in ask
    check_marks(folder, package)


async def test_a_registry_that_is_not_there_leaves_nothing(
    shelf: Shelf, model_image: str, tmp_path: Path
) -> None:
    package = await shelf.package(model_image)
    with pytest.raises(RegistryUnavailableError):
        await write(
            shelf, KServeTarget, package, tmp_path / "out", f"127.0.0.1:{free_port()}/team/x"
        )
    assert not (tmp_path / "out").exists()
    assert shelf.saved[-1].resources == ()


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        (KServeTarget, {"repository": "churn"}, "must name registry and repository"),
        (KServeTarget, {"repository": "r.example.com/x:1"}, "without a tag"),
        (KServeTarget, {"min_replicas": 0}, "only the mode Knative"),
        (KServeTarget, {"min_replicas": 5}, "replicas at least are more"),
        (KServeTarget, {"memory": "lots"}, r"'memory' \(Memory\)"),
        (VertexTarget, {"project": ""}, r"'project' \(Project\) is missing"),
        (VertexTarget, {"region": "mars; rm -rf /"}, r"'region' \(Region\)"),
        (VertexTarget, {"min_replicas": 3}, "fewer than machines at least"),
        (AzureMlTarget, {"workspace": "a'b"}, r"'workspace' \(Workspace\)"),
        (AzureMlTarget, {"auth": "none"}, r"'auth' \(Callers show\)"),
    ],
)
def test_options(shelf: Shelf, kind: Any, given: dict[str, Any], said: str) -> None:
    target = shelf.target(kind)
    schema = target.options_schema()
    assert all(p["title"] and p["description"] for p in schema["properties"].values())
    good = {**OPTIONS[kind], "folder": "x", "repository": "r.example.com/team/x"}
    assert target.options(good)["repository"] == "r.example.com/team/x"
    with pytest.raises(InvalidError, match=said):
        target.options({**good, **given})


async def test_names_that_a_platform_does_not_take(shelf: Shelf, model_image: str) -> None:
    package = await shelf.package(model_image)
    for kind, name in ((VertexTarget, "1x"), (AzureMlTarget, "x" * 33), (AzureMlTarget, "ab")):
        target = shelf.target(kind)
        options = target.options(
            {**OPTIONS[kind], "folder": "x", "repository": "r.example.com/team/x"}
        )
        with pytest.raises(InvalidError, match=r"takes no (model|endpoint) named"):
            await target.plan(package, name, options)


async def test_the_serving_layer_answers_where_each_file_says(
    services: Any, tiny_environment: Tiny, repository: str, tmp_path: Path
) -> None:
    """The image of a real package, as each platform starts it: no model is mounted."""
    made = await real_package(services, tiny_environment, tmp_path / "p")
    records = PackageRecords(services.snapshots)
    registries = OciRegistries(services.settings)
    target = KServeTarget(services.settings, services.engines, services.blobs, registries, records)
    folder = tmp_path / "out"
    chosen = {**OPTIONS[KServeTarget], "folder": str(folder), "repository": repository}
    asked = Deployment(
        id="d-0123456789abcdef", name="rates", owner="x", created=made.created, package=made.id,
        target="kserve", options=target.options(chosen), state=DeploymentState.CREATING,
    )  # fmt: skip

    async def save(changed: Deployment) -> None:
        pass

    written = await target.deploy(made, asked, Recorder(), save)
    service = yaml.safe_load((folder / "inferenceservice.yaml").read_text())
    (container,) = service["spec"]["predictor"]["containers"]
    variables = {entry["name"]: entry["value"] for entry in container["env"]}
    variables |= {"AIP_HEALTH_ROUTE": "/ping", "AIP_PREDICT_ROUTE": "/predict"}
    body = (folder / "sample" / "request.json").read_bytes()
    found = await asyncio.to_thread(
        answers,
        written.details["image"],
        variables,
        body,
        ("/invocations", "/v1/models/rates:predict", "/predict", "/score"),
    )
    assert found == {
        "/invocations": PREDICTION,
        "/v1/models/rates:predict": {"predictions": PREDICTION},
        "/predict": {"predictions": PREDICTION},
        "/score": PREDICTION,
        "/ping": 200,
        "/healthz": 200,
    }
    await services.packaging.delete(made.id)
