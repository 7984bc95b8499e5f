"""Autoscaling of an endpoint's instances, by requests a minute and instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .client import Aws
from .configs import VARIANT
from .options import Options

if TYPE_CHECKING:
    from .job import Job

_DIMENSION = "sagemaker:variant:DesiredInstanceCount"
POLICY = "requests-per-instance"


def resource_id(endpoint: str) -> str:
    """As Application Auto Scaling names it."""
    return f"endpoint/{endpoint}/variant/{VARIANT}"


async def apply(job: Job) -> None:
    """Make the endpoint scale as the options say; the record has it as ``autoscaling``."""
    name = job.deployment.name
    present = any(r.kind == "autoscaling" for r in job.deployment.resources)
    if not job.options.max_instances:
        if present:
            await remove(job.aws, name)
            kept = tuple(r for r in job.deployment.resources if r.kind != "autoscaling")
            await job.record(resources=kept)
        return
    if not present:
        await job.made("autoscaling", resource_id(name))
    await job.eventually(lambda: _put(job.aws, name, job.options))
    job.progress.log(
        f"autoscaling from {job.options.instance_count} to {job.options.max_instances} instances\n"
    )


async def _put(aws: Aws, endpoint: str, options: Options) -> None:
    """Both calls replace what is there."""
    await aws.call(
        "application-autoscaling",
        "register_scalable_target",
        **_target(endpoint),
        MinCapacity=options.instance_count,
        MaxCapacity=options.max_instances,
    )
    await aws.call(
        "application-autoscaling",
        "put_scaling_policy",
        **_target(endpoint),
        PolicyName=POLICY,
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": float(options.requests_per_instance),
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"
            },
        },
    )


async def remove(aws: Aws, endpoint: str) -> None:
    """With its policies. Raises MissingError where there is none."""
    await aws.call("application-autoscaling", "deregister_scalable_target", **_target(endpoint))


def _target(endpoint: str) -> dict[str, Any]:
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": resource_id(endpoint),
        "ScalableDimension": _DIMENSION,
    }
