"""Updates, rollback and review as use cases: one at a time, and only where they can be."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace

import pytest

from jupyter_mlops.core.deployment import DeploymentState
from jupyter_mlops.core.errors import (
    ConflictError,
    ContractFailedError,
    TargetError,
    UnsupportedError,
)
from jupyter_mlops.wiring import Services
from tests.parts.aws import Aws

from .conftest import Silent, make_package

pytestmark = [pytest.mark.docker, pytest.mark.aws, pytest.mark.registry]


async def test_update_roll_back_and_the_same_again(
    services: Services, aws: Aws, model_image: str
) -> None:
    deploying = services.deploying
    package = await make_package(services, model_image)
    made = await deploying.deploy(package.id, "sagemaker", "one", {}, Silent())
    with pytest.raises(ConflictError, match="no former version"):
        await deploying.roll_back("one", Silent())

    assert await deploying.update("one", "", {}, Silent()) == made
    assert "UpdateEndpoint" not in aws.front.calls

    second = replace(package, id="p-2222222222222222", name="second")
    await services.store.packages.save(second)
    changed = await deploying.update("one", "second", {"instance_count": 2}, Silent())
    assert changed.package == second.id
    assert changed.options == {**made.options, "instance_count": 2}
    assert "changing" not in changed.details
    assert await deploying.list() == [changed]
    with pytest.raises(ConflictError, match="another package or other options") as caught:
        await deploying.deploy(package.id, "sagemaker", "one", {}, Silent())
    assert "deployment update one" in caught.value.hint

    # Asked to update, the same command deploys and updates.
    options = {"instance_count": 3}
    again = await deploying.deploy(second.id, "sagemaker", "one", options, Silent(), update=True)
    assert (again.id, again.options["instance_count"]) == (changed.id, 3)
    assert (
        await deploying.deploy(second.id, "sagemaker", "one", options, Silent(), update=True)
        == again
    )
    again = await deploying.roll_back("one", Silent())
    assert again.options == changed.options
    again = await deploying.deploy(package.id, "sagemaker", "one", {}, Silent(), update=True)
    again = await deploying.update("one", "second", {"instance_count": 2}, Silent())
    assert again.details["previous"]["package"] == package.id

    await services.store.packages.delete(package.id)
    back = await deploying.roll_back("one", Silent())
    assert (back.package, back.options) == (package.id, made.options)
    assert await deploying.get("one") == back


async def test_a_failed_update_is_told_and_changes_nothing(
    services: Services, aws: Aws, model_image: str
) -> None:
    package = await make_package(services, model_image)
    await services.deploying.deploy(package.id, "sagemaker", "one", {}, Silent())
    aws.front.update_fails = "An alarm went off."
    with pytest.raises(TargetError, match="An alarm went off"):
        await services.deploying.update("one", "", {"instance_count": 2}, Silent())
    (kept,) = await services.store.deployments.list()
    assert kept.options["instance_count"] == 1
    assert "changing" not in kept.details
    assert kept.state is DeploymentState.RUNNING
    unchecked = replace(package, id="p-2222222222222222", report=None)
    await services.store.packages.save(unchecked)
    with pytest.raises(ContractFailedError):
        await services.deploying.update("one", unchecked.id, {}, Silent())


async def test_one_change_at_a_time(services: Services, aws: Aws, model_image: str) -> None:
    package = await make_package(services, model_image)
    made = await services.deploying.deploy(package.id, "sagemaker", "one", {}, Silent())
    aws.front.update_statuses = ["Updating"] * 40
    work = asyncio.create_task(
        services.deploying.update("one", "", {"instance_count": 2}, Silent())
    )
    while "UpdateEndpoint" not in aws.front.calls:
        await asyncio.sleep(0.02)
        assert not work.done()
    for attempt in (
        services.deploying.update("one", "", {"instance_count": 3}, Silent()),
        services.deploying.roll_back("one", Silent()),
        services.deploying.delete("one", Silent()),
    ):
        with pytest.raises(ConflictError, match="is being updated"):
            await attempt
    assert (await services.deploying.get("one")).status == "Updating"
    await work
    # A mark of a process that is no more keeps nobody out.
    stale = {"pid": os.getpid(), "since": "2000-01-01T00:00:00+00:00"}
    left = replace(await services.deploying.get("one"), details={**made.details, "changing": stale})
    await services.store.deployments.save(left)
    await services.deploying.delete("one", Silent())


async def test_what_cannot_be_changed_says_so(services: Services, model_image: str) -> None:
    package = await make_package(services, model_image)
    await services.deploying.deploy(package.id, "local", "here", {}, Silent())
    with pytest.raises(UnsupportedError, match="cannot be updated"):
        await services.deploying.update("here", "", {"memory": 512}, Silent())
    with pytest.raises(ConflictError, match="nothing to approve"):
        await services.deploying.review("here", True)
    await services.deploying.delete("here", Silent())


async def test_a_registered_version_is_approved_once_and_is_not_made_twice(
    services: Services, aws: Aws, model_image: str
) -> None:
    package = await make_package(services, model_image)
    chosen = {"kind": "registry"}
    made = await services.deploying.deploy(package.id, "sagemaker", "one", chosen, Silent())
    assert await services.deploying.deploy(package.id, "sagemaker", "one", chosen, Silent()) == made
    reviewed = await services.deploying.review("one", True, "fine")
    assert (reviewed.status, reviewed.message) == ("Approved", "fine")
    assert await services.deploying.get("one") == reviewed
    with pytest.raises(ConflictError, match="does not answer requests"):
        await services.deploying.invoke("one")
