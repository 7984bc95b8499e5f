"""The use case on real targets: Docker on this machine, and AWS as moto serves it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import replace

import docker
import pytest

from jupyter_mlops import wiring
from jupyter_mlops.core.deployment import Deployment, DeploymentState, Resource
from jupyter_mlops.core.errors import (
    ConflictError,
    ContractFailedError,
    InvalidError,
    NotFoundError,
    TargetError,
)
from jupyter_mlops.core.layout import LABEL_OWNER
from jupyter_mlops.wiring import Services
from tests.parts.aws import Aws, Hosting
from tests.parts.engines import OWNER

from .conftest import Silent, make_package

pytestmark = [pytest.mark.docker, pytest.mark.aws, pytest.mark.registry]


def dead_process() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        process.wait()
    return process.pid


def containers() -> list[str]:
    client = docker.from_env()
    found = client.containers.list(all=True, filters={"label": f"{LABEL_OWNER}={OWNER}"})
    client.close()
    return [container.name for container in found]


async def test_all_targets_are_listed_with_their_forms(services: Services) -> None:
    found = await services.deploying.targets()
    assert [target.name for target in found] == [*wiring.TARGETS, *wiring.FILE_TARGETS]
    for target in found:
        assert target.problems == ()
        assert target.title
        assert target.description
        assert target.options["properties"]


async def test_a_target_that_cannot_be_used_says_why(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    sagemaker = {t.name: t for t in await services.deploying.targets()}["sagemaker"]
    assert "no AWS credentials" in sagemaker.problems[0]
    assert sagemaker.options["properties"]


@pytest.mark.parametrize("target", ["local", "sagemaker"])
async def test_from_package_to_prediction_and_away(
    services: Services, hosting: Hosting, model_image: str, target: str
) -> None:
    deploying = services.deploying
    package = await make_package(services, model_image)
    plan = await deploying.plan(package.name, target, "", {})
    assert plan.steps
    assert await deploying.list() == []

    made = await deploying.deploy(package.id, target, "one", {}, Silent())
    assert made.state is DeploymentState.RUNNING
    assert made.owner == OWNER
    assert "pid" not in made.details
    assert await deploying.get("one") == made
    assert await deploying.list() == [made]

    sample = await deploying.invoke("one")
    assert json.loads(sample.body)["predictions"] == [6]
    asked = await deploying.invoke(made.id, b"[[5, 5]]", "application/json")
    assert json.loads(asked.body)["predictions"] == [20]
    assert asked.seconds > 0
    with pytest.raises(InvalidError, match="content type"):
        await deploying.invoke(made.id, b"[[5, 5]]")

    # The same again changes nothing.
    assert await deploying.deploy(package.id, target, "one", {}, Silent()) == made
    assert await deploying.list() == [made]
    other = {"variables": {"A": "b"}} if target == "sagemaker" else {"memory": 512}
    with pytest.raises(ConflictError, match="another package or other options"):
        await deploying.deploy(package.id, target, "one", other, Silent())

    await deploying.delete("one", Silent())
    assert await deploying.list() == []
    assert containers() == []
    with pytest.raises(NotFoundError):
        await deploying.get("one")


@pytest.mark.parametrize(
    ("checked", "said"),
    [(None, "has not been checked"), (False, "failed its check: Answers health probes")],
)
async def test_an_unchecked_package_stays_here(
    services: Services, model_image: str, checked: bool | None, said: str
) -> None:
    package = await make_package(services, model_image, checked)
    with pytest.raises(ContractFailedError, match=said):
        await services.deploying.deploy(package.id, "local", "", {}, Silent())
    assert await services.deploying.list() == []
    made = await services.deploying.deploy(
        package.id, "local", "", {}, Silent(), require_check=False
    )
    assert made.name == "doubler"
    await services.deploying.delete(made.id, Silent())


async def test_a_check_of_another_image_does_not_count(
    services: Services, model_image: str
) -> None:
    package = await make_package(services, model_image)
    assert package.report is not None
    stale = replace(package, report=replace(package.report, image="sha256:" + "0" * 64))
    await services.store.packages.save(stale)
    with pytest.raises(ContractFailedError, match="has not been checked"):
        await services.deploying.deploy(package.id, "local", "", {}, Silent())


@pytest.mark.parametrize("name", ["Upper", "two words", "-a", "x" * 41])
async def test_names_are_narrow(services: Services, model_image: str, name: str) -> None:
    package = await make_package(services, model_image)
    with pytest.raises(InvalidError, match="deployment"):
        await services.deploying.deploy(package.id, "local", name, {}, Silent())


async def test_a_failure_leaves_neither_record_nor_resource(
    services: Services, aws: Aws, model_image: str
) -> None:
    package = await make_package(services, model_image)
    aws.front.statuses = ["Failed"]
    aws.front.failure_reason = "no capacity"
    with pytest.raises(TargetError, match="no capacity"):
        await services.deploying.deploy(package.id, "sagemaker", "one", {}, Silent())
    assert await services.deploying.list() == []
    assert aws.client("sagemaker").list_models()["Models"] == []
    aws.front.statuses = ["InService"]
    made = await services.deploying.deploy(package.id, "sagemaker", "one", {}, Silent())
    assert made.state is DeploymentState.RUNNING


async def test_what_cannot_be_removed_stays_on_record(
    services: Services, aws: Aws, model_image: str
) -> None:
    """The endpoint fails, and the right to delete the model is missing."""
    package = await make_package(services, model_image)
    aws.front.statuses = ["Failed"]
    aws.front.failure_reason = "no capacity"
    aws.front.forbidden = {"DeleteModel"}
    with pytest.raises(TargetError):
        await services.deploying.deploy(package.id, "sagemaker", "one", {}, Silent())
    (failed,) = await services.store.deployments.list()
    assert failed.state is DeploymentState.FAILED
    assert "no capacity" in failed.message
    assert "sagemaker:DeleteModel" in failed.message
    assert [r.kind for r in failed.resources] == ["model"]
    aws.front.forbidden = set()
    await services.deploying.delete("one", Silent())
    assert aws.client("sagemaker").list_models()["Models"] == []
    assert await services.store.deployments.list() == []


async def test_a_cancelled_operation_cleans_up(
    services: Services, aws: Aws, model_image: str
) -> None:
    package = await make_package(services, model_image)
    aws.front.statuses = ["Creating"] * 8 + ["InService"]

    async def work(progress: Silent) -> dict[str, str]:
        made = await services.deploying.deploy(package.id, "sagemaker", "one", {}, progress)
        return {"deployment": made.id}

    operation = await services.operations.start("deploy", "one", work)
    while operation.phase != "start":
        await asyncio.sleep(0.05)
        operation = await services.operations.get(operation.id)
    with pytest.raises(ConflictError, match="still being made"):
        await services.deploying.delete("one", Silent())
    ended = await services.operations.cancel(operation.id)
    while not ended.state.ended:
        await asyncio.sleep(0.05)
        ended = await services.operations.get(operation.id)
    assert ended.state.value == "cancelled"
    assert await services.store.deployments.list() == []
    assert aws.client("sagemaker").list_endpoints()["Endpoints"] == []


async def test_a_maker_that_died_is_noticed(services: Services, model_image: str) -> None:
    package = await make_package(services, model_image)
    half = Deployment(
        id="d-0123456789abcdef",
        name="half",
        owner=OWNER,
        created="2026-01-01T00:00:00+00:00",
        package=package.id,
        target="sagemaker",
        options=(await services.deploying._targets.get("sagemaker")).options({}),
        state=DeploymentState.CREATING,
        resources=(Resource("model", "half-01234567"), Resource("endpoint", "half")),
        details={"pid": dead_process()},
    )
    await services.store.deployments.save(half)
    (seen,) = await services.deploying.list()
    assert seen.state is DeploymentState.FAILED
    assert "ended first" in seen.message
    await services.deploying.delete("half", Silent())
    assert await services.deploying.list() == []


async def test_a_deployment_that_was_removed_elsewhere(
    services: Services, aws: Aws, model_image: str
) -> None:
    package = await make_package(services, model_image)
    await services.deploying.deploy(package.id, "sagemaker", "one", {}, Silent())
    aws.client("sagemaker").delete_endpoint(EndpointName="one")
    (seen,) = await services.deploying.list()
    assert seen.state is DeploymentState.STOPPED
    with pytest.raises(ConflictError, match="does not exist in AWS any more"):
        await services.deploying.invoke("one")
    await services.deploying.delete("one", Silent())


async def test_a_target_that_does_not_answer_keeps_the_last_state(
    services: Services, aws: Aws, model_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = await make_package(services, model_image)
    await services.deploying.deploy(package.id, "sagemaker", "one", {}, Silent())
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAWRONGWRONGWRONG0")
    services.deploying._targets._made.clear()  # Sessions remember their credentials.
    aws.enforce()
    (seen,) = await services.deploying.list()
    assert seen.state is DeploymentState.RUNNING
    assert "may be old" in seen.message
    (kept,) = await services.store.deployments.list()
    assert kept.message == ""


async def test_an_unknown_target_names_those_there_are(services: Services) -> None:
    with pytest.raises(NotFoundError, match="local, sagemaker"):
        await services.deploying.plan("p", "moon", "", {})
