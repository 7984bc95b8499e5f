"""One deployment being made, step by step; each thing is recorded before it exists."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from ...core.deployment import Deployment, DeploymentState, Resource
from ...core.errors import MlopsError
from . import artifacts, batch, checks, configs, model_registry, scaling
from .images import PushedImage
from .job import Job

Rest = Callable[[Job, PushedImage, str], Awaitable[Deployment]]


async def create(job: Job) -> Deployment:
    """Repository, image and model file, then what the chosen kind is made of, in that order. On
    failure or cancellation everything made here is deleted, newest first."""
    try:
        return await _create(job)
    except BaseException as error:
        if job.deployment.resources:
            job.progress.phase("clean up", "Removing what was made")
            await undo(job, error)
        raise


async def _create(job: Job) -> Deployment:
    progress = job.progress
    progress.phase("check", "Checking credentials, role, names and image")
    account = await checks.account(job)
    await checks.role(job)
    await checks.image(job)
    if job.options.is_endpoint:
        await checks.name_free(job)
    progress.phase("push", "Pushing the image")
    pushed = await artifacts.push(job, account)
    progress.phase("upload", "Uploading the model files")
    url = await artifacts.upload(job)
    progress.phase("create", f"Creating the {job.options.thing}")
    made = await _REST.get(job.options.kind, _endpoint)(job, pushed, url)
    details = {**made.details, **facts(job, account, pushed, url)}
    return replace(made, details=details, planned_end=job.options.planned_end())


async def _endpoint(job: Job, pushed: PushedImage, model_url: str) -> Deployment:
    await create_model(job, pushed, model_url)
    await create_config(job)
    await _create_endpoint(job)
    job.progress.phase("start", "Waiting for the endpoint to answer")
    await job.endpoints.wait_in_service(job.deployment.name, job.progress)
    await scaling.apply(job)
    return replace(
        job.deployment,
        state=DeploymentState.RUNNING,
        status="InService",
        endpoint=job.deployment.name,
        can_update=True,
    )


async def _batch(job: Job, pushed: PushedImage, model_url: str) -> Deployment:
    await create_model(job, pushed, model_url)
    return await batch.start(job, pushed, model_url)


_REST: dict[str, Rest] = {"batch": _batch, "registry": model_registry.register}


def facts(job: Job, account: str, pushed: PushedImage, model_url: str) -> dict[str, Any]:
    """What is worth knowing of what was made."""
    return {
        "region": job.options.region,
        "account": account,
        "image": pushed.uri,
        "manifest_converted": pushed.converted,
        "model_data": model_url,
    }


async def create_model(job: Job, image: PushedImage, model_url: str) -> None:
    name = job.object_name
    await job.make(
        "model",
        name,
        "sagemaker",
        "create_model",
        ModelName=name,
        ExecutionRoleArn=job.options.role,
        PrimaryContainer={
            "Image": image.uri,
            "ModelDataUrl": model_url,
            "Environment": dict(job.options.variables),
        },
        Tags=job.tags(),
    )


async def create_config(job: Job) -> None:
    await job.make(
        "endpoint-config",
        job.object_name,
        "sagemaker",
        "create_endpoint_config",
        **configs.config(job.options, job.object_name),
        Tags=job.tags(),
    )


async def _create_endpoint(job: Job) -> None:
    await job.make(
        "endpoint",
        job.deployment.name,
        "sagemaker",
        "create_endpoint",
        EndpointName=job.deployment.name,
        EndpointConfigName=job.object_name,
        Tags=job.tags(),
    )


async def undo(job: Job, error: BaseException) -> None:
    """Remove everything, and record that it failed."""
    left = await withdraw(job, ())
    message = error.message if isinstance(error, MlopsError) else ""
    await job.record(state=DeploymentState.FAILED, message=message, resources=left)


async def withdraw(job: Job, before: tuple[Resource, ...]) -> tuple[Resource, ...]:
    """Remove what was made after ``before``, newest first. Goes on when one cannot be deleted;
    returns those."""
    left: list[Resource] = []
    for resource in reversed(job.deployment.resources[len(before) :]):
        try:
            if resource.kind == "ecr-image" and job.place is not None:
                await job.images.withdraw(job.package, job.place)
            else:
                await job.endpoints.remove(resource, job.progress)
        except MlopsError as second:
            job.progress.log(f"could not remove {resource.kind} {resource.name}: {second}\n")
            # Shared things that others have used meanwhile may stay.
            if not resource.kept:
                left.insert(0, resource)
    return tuple(left)
