"""One endpoint being made, step by step; each thing is recorded before it exists."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...core.deployment import Deployment, DeploymentState, Resource
from ...core.errors import MlopsError
from . import artifacts, checks
from .images import PushedImage
from .job import Job
from .names import object_name
from .options import Options

VARIANT = "main"


async def create(job: Job) -> Deployment:
    """Repository, image, model file, model, configuration and endpoint, in that order. On failure
    or cancellation everything made here is deleted, newest first."""
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
    await checks.name_free(job)
    progress.phase("push", "Pushing the image")
    pushed = await artifacts.push(job, account)
    progress.phase("upload", "Uploading the model files")
    model_url = await artifacts.upload(job)
    progress.phase("create", "Creating model and endpoint")
    await create_model(job, pushed, model_url)
    await create_config(job)
    await _create_endpoint(job)
    progress.phase("start", "Waiting for the endpoint to answer")
    await job.endpoints.wait_in_service(job.deployment.name, progress)
    return replace(
        job.deployment,
        state=DeploymentState.RUNNING,
        status="InService",
        endpoint=job.deployment.name,
        details={**job.deployment.details, **facts(job, account, pushed, model_url)},
    )


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
    name = object_name(job.deployment)
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
    name = object_name(job.deployment)
    await job.make(
        "endpoint-config",
        name,
        "sagemaker",
        "create_endpoint_config",
        EndpointConfigName=name,
        ProductionVariants=[_variant(job.options, name)],
        Tags=job.tags(),
    )


def _variant(options: Options, model: str) -> dict[str, Any]:
    variant: dict[str, Any] = {"VariantName": VARIANT, "ModelName": model}
    if options.kind == "serverless":
        variant["ServerlessConfig"] = {
            "MemorySizeInMB": options.memory,
            "MaxConcurrency": options.concurrency,
        }
    else:
        variant["InstanceType"] = options.instance_type
        variant["InitialInstanceCount"] = options.instance_count
    return variant


async def _create_endpoint(job: Job) -> None:
    await job.make(
        "endpoint",
        job.deployment.name,
        "sagemaker",
        "create_endpoint",
        EndpointName=job.deployment.name,
        EndpointConfigName=object_name(job.deployment),
        Tags=job.tags(),
    )


async def undo(job: Job, error: BaseException, before: tuple[Resource, ...] = ()) -> None:
    """Remove what was made after ``before``, newest first. Goes on when one cannot be deleted,
    which then stays in the record."""
    left: list[Resource] = []
    for resource in reversed(job.deployment.resources[len(before) :]):
        try:
            if resource.kind == "ecr-image" and job.place is not None:
                digest = resource.name.rpartition("@")[2]
                await job.images.withdraw(job.package, job.place, digest)
            else:
                await job.endpoints.remove(resource, job.progress)
        except MlopsError as second:
            job.progress.log(f"could not remove {resource.kind} {resource.name}: {second}\n")
            # Shared things that others have used meanwhile may stay.
            if not resource.kept:
                left.insert(0, resource)
    message = error.message if isinstance(error, MlopsError) else ""
    await job.record(state=DeploymentState.FAILED, message=message, resources=(*before, *left))
