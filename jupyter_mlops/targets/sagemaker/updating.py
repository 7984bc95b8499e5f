"""An endpoint gets another package or other options, or its former ones back, while it answers.

Each update is a generation with a model and a configuration of its own. The one before stays, so
that it can be gone back to; older ones are deleted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...core.deployment import Deployment, Resource
from ...core.errors import ConflictError, MlopsError, UnsupportedError
from . import artifacts, checks, scaling
from .configs import rollout
from .creation import create_config, create_model, facts, withdraw
from .job import Job
from .names import object_name
from .options import Options

_OF_A_GENERATION = ("s3-object", "model", "endpoint-config")


async def update(job: Job, given: dict[str, Any]) -> Deployment:
    """Returns the record with ``job``'s package and options (``given`` is those as they are
    recorded). On failure the endpoint is, or is put back, as it was, and what was made is
    deleted."""
    before = job.deployment
    now = Options.model_validate(before.options)
    _require_possible(now, job.options)
    end = before.planned_end
    if now.lifetime_hours != job.options.lifetime_hours:
        end = job.options.planned_end()
    if before.package == job.package.id and _same_but_lifetime(now, job.options):
        return replace(before, options=given, planned_end=end)
    job.progress.phase("check", "Checking credentials, role and image")
    account = await checks.account(job)
    await checks.role(job)
    await checks.image(job)
    await settle(job)
    before = job.deployment
    job.generation = int(before.details.get("newest", before.details.get("generation", 1))) + 1
    # At once, so that no other update, after a crash, gives the same names.
    await job.record(details={**before.details, "newest": job.generation})
    try:
        job.progress.phase("push", "Pushing the image")
        pushed = await artifacts.push(job, account)
        job.progress.phase("upload", "Uploading the model files")
        url = await artifacts.upload(job)
        job.progress.phase("create", "Creating model and configuration")
        await create_model(job, pushed, url)
        await create_config(job)
        job.progress.phase("update", "Waiting until the endpoint has moved over")
        await _move(job, job.object_name, now)
        await scaling.apply(job)
    except BaseException:
        job.progress.phase("clean up", "Putting the endpoint back")
        await _restore(job, before)
        raise
    old = _generation(before)
    await _drop_older(job, keep={job.generation, int(before.details.get("generation", 1))})
    details = {
        **job.deployment.details,
        **facts(job, account, pushed, url),
        "generation": job.generation,
        "newest": job.generation,
        "previous": old,
    }
    return replace(
        job.deployment,
        package=job.package.id,
        options=given,
        details=details,
        status="InService",
        message="",
        planned_end=end,
        can_roll_back=True,
    )


async def roll_back(job: Job) -> Deployment:
    """To the generation before; which can be gone back from in the same way. ``job`` has that
    one's options."""
    before = job.deployment
    previous = before.details.get("previous")
    if not previous:
        raise ConflictError(
            f"The deployment {before.name!r} has not been updated: there is nothing to go back to."
        )
    await settle(job)
    job.generation = int(previous["generation"])
    job.progress.phase("update", "Waiting until the endpoint has moved back")
    await _move(job, job.object_name, Options.model_validate(before.options))
    await scaling.apply(job)
    details = {
        **job.deployment.details,
        **previous["facts"],
        "generation": job.generation,
        "previous": _generation(before),
    }
    return replace(
        job.deployment,
        package=previous["package"],
        options=previous["options"],
        details=details,
        status="InService",
        message="",
    )


async def settle(job: Job) -> None:
    """Put right what an update left whose process was killed: the endpoint goes on with the
    generation that is on record, and what belongs to none is deleted."""
    details = job.deployment.details
    current = int(details.get("generation", 1))
    previous = int((details.get("previous") or {}).get("generation", current))
    await job.endpoints.wait_settled(job.deployment.name, job.progress)
    seen = await job.endpoints.describe(job.deployment.name)
    ours = object_name(job.deployment)
    if seen is not None and seen["EndpointConfigName"] != ours:
        await _move(job, ours, job.options)
    await _drop_older(job, keep={current, previous})


def _require_possible(now: Options, wanted: Options) -> None:
    for field in ("region", "kind"):
        old, new = getattr(now, field), getattr(wanted, field)
        if old != new and (old, new) != ("serverless", "real-time"):
            raise UnsupportedError(
                f"An endpoint cannot be updated from {old} to {new}.",
                "Deploy the package under another name, and delete this deployment.",
            )
    if now.account != wanted.account:
        raise UnsupportedError("An endpoint cannot move to another AWS account.")


def _same_but_lifetime(now: Options, wanted: Options) -> bool:
    lifetime = {"lifetime_hours": wanted.lifetime_hours}
    return now.model_copy(update=lifetime) == wanted


def _generation(deployment: Deployment) -> dict[str, Any]:
    """What it takes to go back to it."""
    known = ("region", "account", "image", "manifest_converted", "model_data")
    return {
        "generation": int(deployment.details.get("generation", 1)),
        "package": deployment.package,
        "options": dict(deployment.options),
        "facts": {key: deployment.details[key] for key in known if key in deployment.details},
    }


async def _move(job: Job, config: str, now: Options) -> None:
    """UpdateEndpoint, waited for."""
    retained: dict[str, Any] = {}
    if job.options.max_instances and now.max_instances:
        # Else as many instances as at the beginning, in the middle of a rush.
        retained = {
            "RetainAllVariantProperties": True,
            "ExcludeRetainedVariantProperties": [{"VariantPropertyType": "DataCaptureConfig"}],
        }
    await job.eventually(
        lambda: job.aws.call(
            "sagemaker",
            "update_endpoint",
            EndpointName=job.deployment.name,
            EndpointConfigName=config,
            **rollout(job.options),
            **retained,
        )
    )
    await job.endpoints.wait_updated(job.deployment.name, config, job.progress)


async def _restore(job: Job, before: Deployment) -> None:
    """As it was before an update that failed or was cancelled."""
    try:
        await job.endpoints.wait_settled(before.name, job.progress)
        seen = await job.endpoints.describe(before.name)
        ours = object_name(before)
        if seen is not None and seen["EndpointConfigName"] != ours:
            await _move(job, ours, Options.model_validate(before.options))
        left = await withdraw(job, before.resources)
    except MlopsError as error:
        job.progress.log(f"could not put everything back: {error}\n")
        left = job.deployment.resources[len(before.resources) :]
    await job.record(resources=(*before.resources, *left))


async def _drop_older(job: Job, keep: set[int]) -> None:
    kept = {object_name(job.deployment, generation) for generation in keep}
    stay: list[Resource] = []
    for resource in reversed(job.deployment.resources):
        if resource.kind not in _OF_A_GENERATION or _object_of(resource) in kept:
            stay.insert(0, resource)
            continue
        try:
            await job.endpoints.remove(resource, job.progress)
        except MlopsError as error:
            job.progress.log(f"could not remove {resource.kind} {resource.name}: {error}\n")
            stay.insert(0, resource)
    if len(stay) < len(job.deployment.resources):
        await job.record(resources=tuple(stay))


def _object_of(resource: Resource) -> str:
    """The name that everything of one generation has."""
    return resource.name.split("/")[-2] if resource.kind == "s3-object" else resource.name
