"""Bundles: written by the target, then used by people who have nothing of ours."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import tarfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from jupyter_mlops.core.deployment import Deployment, DeploymentState
from jupyter_mlops.core.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    UnsupportedError,
)
from jupyter_mlops.core.model_package import Check, ContractReport, ModelPackage
from jupyter_mlops.targets.bundle.target import BundleTarget
from tests.parts.aws import Aws, Hosting
from tests.parts.model_image import archive
from tests.parts.packages import SAMPLE, Shelf
from tests.parts.registry import RunningRegistry
from tests.parts.services import Recorder

pytestmark = [pytest.mark.docker]

SECRET = "hunter2-of-the-registry"
INDEX = "https://ann:index-pass@index.example.com/simple"


@pytest.fixture
def shelf(tmp_path: Path, jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[Shelf]:
    made = Shelf(tmp_path, secret=SECRET, index=INDEX)
    yield made
    jp_asyncio_loop.run_until_complete(made.close())


@pytest.fixture
def target(shelf: Shelf) -> BundleTarget:
    return shelf.target(BundleTarget)


def shell(folder: Path, *arguments: str) -> str:
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


def listed_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


OTHER = f"mlops/package/other-{uuid.uuid4().hex[:8]}:latest"


def load_other(layer: bytes) -> str:
    """Another image, with a layer that no other image has: what is removed is gone."""
    content = io.BytesIO(layer)
    with tarfile.open(fileobj=content, mode="a") as tar:
        entry = tarfile.TarInfo("own")
        entry.size = 3
        tar.addfile(entry, io.BytesIO(b"own"))
    client = docker.from_env()
    image = client.images.load(archive(OTHER, content.getvalue()))[0]
    client.close()
    return str(image.id)


async def write(
    shelf: Shelf, target: BundleTarget, package: ModelPackage, **options: Any
) -> Deployment:
    return await shelf.deploy(target, package, **options)


async def test_the_folder_is_whole_and_tells_nothing_of_this_machine(
    shelf: Shelf, target: BundleTarget, model_image: str, tmp_path: Path
) -> None:
    package = await shelf.package(model_image)
    folder = tmp_path / "out"
    plan = await target.plan(package, "doubler", target.options({"folder": str(folder)}))
    assert "image.tar" in plan.steps[0] and plan.resources[0].name == str(folder)
    assert not folder.exists()
    made = await write(shelf, target, package, folder=str(folder))
    assert made.state is DeploymentState.WRITTEN
    assert made.endpoint == str(folder) and "files" in made.status
    assert [(r.kind, r.name) for r in made.resources] == [("folder", str(folder))]
    assert listed_in(tmp_path) == ["data", "out"]
    found = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert found == {
        "README.md", "SHA256SUMS", "bundle.json", "cloudformation.json", "contract.json",
        "contract.md", "deploy.py", "image.tar", "model.tar.gz", "sample/answer.json",
        "sample/request.json", "sbom.cdx.json",
    }  # fmt: skip

    summed = shell(folder, "sha256sum", "-c", "SHA256SUMS")
    assert summed.count(": OK") == len(found) - 1
    listed = [name for name in found if name in (folder / "README.md").read_text()]
    assert len(listed) >= len(found) - 2, "the page says what each file is"

    sbom = (folder / "sbom.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(sbom) is None
    assert {c["name"] for c in json.loads(sbom)["components"]} >= {"cpython", "humanize"}
    report = json.loads((folder / "contract.json").read_text())
    assert report["checked"] and report["passed"] and report["image"] == package.image
    assert "**passed** Answers health probes" in (folder / "contract.md").read_text()
    facts = json.loads((folder / "bundle.json").read_text())
    assert (facts["package"], facts["snapshot"]) == (package.id, package.snapshot)

    for name in found - {"image.tar", "model.tar.gz"}:
        content = (folder / name).read_text()
        for told in (str(tmp_path), SECRET, "index-pass", str(Path.home())):
            assert told not in content, f"{told} is in {name}"
    with tarfile.open(folder / "image.tar") as tar:
        assert all(not m.name.startswith("/") and not m.uname for m in tar)
        layout = {m.name for m in tar}
    assert {"oci-layout", "index.json", "manifest.json"} <= layout

    again = await target.describe(made)
    assert again == made
    for ask in (target.invoke(made, b"", "", ""), target.logs(made)):
        with pytest.raises(UnsupportedError, match="folder of files"):
            await ask


def run(image: str, model: Path) -> tuple[Any, str]:
    client = docker.from_env()
    container = client.containers.run(
        image,
        "serve",
        detach=True,
        read_only=True,
        tmpfs={"/tmp": ""},
        ports={"8080/tcp": ("127.0.0.1", None)},
        mounts=[docker.types.Mount("/opt/ml/model", str(model), type="bind", read_only=True)],
    )
    container.reload()
    return container, container.attrs["NetworkSettings"]["Ports"]["8080/tcp"][0]["HostPort"]


def answered(url: str, body: bytes) -> httpx.Response:
    until = time.monotonic() + 60
    while True:
        try:
            return httpx.post(url, content=body, headers={"Content-Type": "application/json"})
        except httpx.HTTPError:
            assert time.monotonic() < until, f"{url} does not answer"
            time.sleep(0.05)


async def test_one_file_whose_image_plain_docker_loads_and_runs(
    shelf: Shelf, target: BundleTarget, model_layer: bytes, tmp_path: Path
) -> None:
    package = await shelf.package(load_other(model_layer))
    made = await write(shelf, target, package, folder=str(tmp_path / "out"), archive=True)
    shell(tmp_path, "docker", "rmi", OTHER)
    file = tmp_path / "out.tar"
    assert made.endpoint == str(file) and made.resources[0].kind == "file"
    assert listed_in(tmp_path) == ["data", "out.tar"]
    there = tmp_path / "there"
    with tarfile.open(file) as tar:
        tar.extractall(there, filter="data")
    folder = there / "out"
    assert os.access(folder / "deploy.py", os.X_OK)
    facts = json.loads((folder / "bundle.json").read_text())
    client = docker.from_env()
    ref = facts["image"]["ref"]
    assert client.images.list(ref) == []
    shell(folder, "docker", "load", "-i", "image.tar")
    try:
        assert client.images.get(ref).id == package.image
        model = there / "model"
        with tarfile.open(folder / "model.tar.gz") as tar:
            tar.extractall(model, filter="data")
        container, port = run(ref, model)
        try:
            request = (folder / "sample/request.json").read_bytes()
            answer = answered(f"http://127.0.0.1:{port}/invocations", request)
            assert answer.json()["predictions"] == [6, 14]
        finally:
            container.remove(force=True)
    finally:
        client.images.remove(ref)
        client.close()
    await target.delete(made, Recorder())
    assert not file.exists()


async def test_nothing_is_overwritten_and_nothing_half_made_stays(
    shelf: Shelf, target: BundleTarget, model_image: str, tmp_path: Path
) -> None:
    package = await shelf.package(model_image)
    room = tmp_path / "room"
    room.mkdir()
    (room / "mine.txt").write_text("mine")
    with pytest.raises(ConflictError, match=r"is not empty.*nothing is ever overwritten"):
        await write(shelf, target, package, folder=str(room))
    with pytest.raises(ConflictError, match="is not empty"):
        await target.plan(package, "doubler", target.options({"folder": str(room)}))
    with pytest.raises(NotFoundError, match="does not exist"):
        await write(shelf, target, package, folder=str(tmp_path / "no" / "way"))
    with pytest.raises(NotFoundError, match="Make the package again"):
        gone = replace(package, image="sha256:" + "0" * 64)
        await write(shelf, target, gone, folder=str(tmp_path / "x"))
    with pytest.raises(NotFoundError, match="no snapshot"):
        await write(shelf, target, replace(package, snapshot="s-0"), folder=str(tmp_path / "x"))

    for phase in ("image", "pack", "files", "finish"):
        work = asyncio.ensure_future(
            shelf.deploy(target, package, on_phase=lambda name, at=phase: stop(name, at),
                         folder=str(tmp_path / "x"))
        )  # fmt: skip

        def stop(name: str, at: str, work: asyncio.Future[Any] = work) -> None:
            if name == at:
                work.cancel()

        with pytest.raises(asyncio.CancelledError):
            await work
        assert listed_in(tmp_path) == ["data", "room"], phase
        assert listed_in(shelf.settings.data / "blobs" / "scratch") == [], phase
        assert shelf.saved[-1].resources == ()
    assert listed_in(room) == ["mine.txt"]


async def test_deleting_takes_what_was_written_and_nothing_else(
    shelf: Shelf, target: BundleTarget, model_image: str, tmp_path: Path
) -> None:
    package = await shelf.package(model_image)
    folder = tmp_path / "out"
    folder.mkdir()  # An empty one may be there already.
    made = await write(shelf, target, package, folder=str(folder))
    (folder / "README.md").write_text("with my own notes")
    (folder / "notes").mkdir()
    (folder / "notes" / "mine.txt").write_text("mine")
    watch = Recorder()
    await target.delete(made, watch)
    assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()) == [
        "README.md",
        "notes/mine.txt",
    ]
    assert "README.md, notes/mine.txt" in watch.text
    await target.delete(made, Recorder())
    assert (folder / "README.md").read_text() == "with my own notes"

    moved = await write(shelf, target, package, folder=str(tmp_path / "other"))
    (tmp_path / "other").rename(tmp_path / "elsewhere")
    seen = await target.describe(moved)
    assert seen.state is DeploymentState.STOPPED and "moved or removed" in seen.message
    await target.delete(moved, Recorder())
    assert (tmp_path / "elsewhere" / "image.tar").exists()
    (tmp_path / "elsewhere").rename(tmp_path / "other")
    assert (await target.describe(seen)).state is DeploymentState.WRITTEN
    await target.delete(moved, Recorder())
    assert not (tmp_path / "other").exists()


async def test_options_and_an_unchecked_package(
    shelf: Shelf, target: BundleTarget, model_image: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidError, match=r"'folder' \(Folder\) is missing"):
        target.options({"folder": ""})
    with pytest.raises(InvalidError, match="no option 'floder'"):
        target.options({"folder": "x", "floder": "x"})
    schema = target.options_schema()
    assert schema["required"] == ["folder"]
    assert all(p["title"] and p["description"] for p in schema["properties"].values())
    assert target.options({"folder": "~/x"})["folder"] == str(Path.home() / "x")
    failed = ContractReport(
        model_image,
        "2026-01-01T00:00:00+00:00",
        (Check("ping", "Pings", False, "x", "Do y."),),
        ("Mind z.",),
    )
    for report in (None, failed):
        package = replace(await shelf.package(model_image), report=report, trust="It is a pickle.")
        folder = tmp_path / f"out{report is None}"
        await write(shelf, target, package, folder=str(folder))
        assert json.loads((folder / "contract.json").read_text())["passed"] is False
        assert "trust its maker:** It is a pickle." in (folder / "README.md").read_text()
        text = (folder / "contract.md").read_text()
        assert ("has not been checked" if report is None else "Do y.") in text
        assert ("Mind z." in text) == (report is not None)


# ---------------------------------------------------------------------------- behind the gap


def program(folder: Path, *arguments: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the folder's deploy.py as the people there do: nothing of ours on the path."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH",)}
    done = subprocess.run(
        [sys.executable, "-P", str(folder / "deploy.py"), *arguments],
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert (done.returncode == 0) == ok, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def account(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """The environment of somebody whose AWS is moto's."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", aws.region)
    return aws


@pytest.mark.aws
@pytest.mark.registry
async def test_deploy_py_and_cloudformation_make_endpoints_that_answer(
    shelf: Shelf,
    target: BundleTarget,
    model_image: str,
    account: Aws,
    hosting: Hosting,
    registry: RunningRegistry,
    tmp_path: Path,
) -> None:
    package = await shelf.package(model_image)
    folder = tmp_path / "out"
    await write(shelf, target, package, folder=str(folder))
    place = ["--registry", registry.host, "--repository", "behind/the-gap"]
    sagemaker = account.client("sagemaker")

    def run_program(*arguments: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
        return program(folder, *arguments, ok=ok)

    made = await asyncio.to_thread(
        run_program, "create", "--role", account.role, "--poll", "0.05", *place
    )
    assert "The endpoint doubler is in service" in made.stderr
    model = sagemaker.list_models()["Models"][0]["ModelName"]
    container = sagemaker.describe_model(ModelName=model)["PrimaryContainer"]
    assert container["Image"].startswith(f"{registry.host}/behind/the-gap@sha256:")
    tags = sagemaker.list_tags(
        ResourceArn=sagemaker.describe_endpoint(EndpointName="doubler")["EndpointArn"]
    )["Tags"]
    assert {"Key": "io.jupyter-mlops.package", "Value": package.id} in tags
    asked = await asyncio.to_thread(run_program, "ask")
    assert json.loads(asked.stdout)["predictions"] == [6, 14]
    second = await asyncio.to_thread(
        run_program, "create", "--role", account.role, *place, ok=False
    )
    assert "There is an endpoint doubler already" in second.stderr
    await asyncio.to_thread(run_program, "delete")
    assert sagemaker.list_endpoints()["Endpoints"] == []
    assert sagemaker.list_models()["Models"] == []

    account.front.statuses, account.front.failure_reason = ["Failed"], "no capacity"
    failed = await asyncio.to_thread(
        run_program, "create", "--name", "two", "--role", account.role, *place, ok=False
    )
    assert "no capacity" in failed.stderr and "Removing what was created" in failed.stderr
    assert sagemaker.list_models()["Models"] == []
    assert sagemaker.list_endpoint_configs()["EndpointConfigs"] == []
    account.front.statuses = ["InService"]

    parameters = tmp_path / "parameters.json"
    await asyncio.to_thread(
        run_program, "upload", "--role", account.role, "--parameters", str(parameters), *place
    )
    cloudformation = account.client("cloudformation")
    text = (folder / "cloudformation.json").read_text()
    cloudformation.validate_template(TemplateBody=text)
    cloudformation.create_stack(
        StackName="doubler", TemplateBody=text, Parameters=json.loads(parameters.read_text())
    )
    stack = cloudformation.describe_stacks(StackName="doubler")["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    given = {p["ParameterKey"]: p["ParameterValue"] for p in stack["Parameters"]}
    assert (given["EndpointName"], given["RoleArn"]) == ("doubler", account.role)
    # moto gives endpoints of a stack names of its own; AWS takes the parameter.
    endpoint = stack["Outputs"][0]["OutputValue"]
    answer = await asyncio.to_thread(
        hosting.ask, endpoint, SAMPLE, "application/json", "application/json"
    )
    assert answer.json()["predictions"] == [6, 14]
    cloudformation.delete_stack(StackName="doubler")
    assert sagemaker.list_endpoints()["Endpoints"] == []

    with (folder / "model.tar.gz").open("ab") as file:
        file.write(b"x")
    damaged = await asyncio.to_thread(run_program, "check", ok=False)
    assert "model.tar.gz has other bytes" in damaged.stderr


@pytest.mark.aws
async def test_deploy_py_speaks_to_ecr_by_its_own_name(
    shelf: Shelf, target: BundleTarget, model_image: str, account: Aws, tmp_path: Path
) -> None:
    """moto has ECR's API and no registry behind the address that it names: the program makes the
    repository, asks for the token, and says plainly that nobody answers there."""
    package = await shelf.package(model_image)
    await write(shelf, target, package, folder=str(tmp_path / "out"))
    done = await asyncio.to_thread(
        program, tmp_path / "out", "create", "--role", account.role, ok=False
    )
    host = f"{account.account}.dkr.ecr.{account.region}.amazonaws.com"
    assert f"{host}/sagemaker-mlops does not answer" in done.stderr
    repositories = account.client("ecr").describe_repositories()["repositories"]
    assert [r["repositoryName"] for r in repositories] == ["sagemaker-mlops"]
