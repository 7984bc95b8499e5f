"""Batch transform: predictions for files in S3, once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...core.deployment import Deployment, DeploymentState
from ...core.ports import Progress
from .client import Aws
from .configs import prefix
from .images import PushedImage
from .plain_words import MissingError

if TYPE_CHECKING:
    from .job import Job

LOG_GROUP = "/aws/sagemaker/TransformJobs"
STATES = {
    "InProgress": DeploymentState.RUNNING,
    "Completed": DeploymentState.COMPLETED,
    "Failed": DeploymentState.FAILED,
    "Stopping": DeploymentState.RUNNING,
    "Stopped": DeploymentState.STOPPED,
}


async def start(job: Job, pushed: PushedImage, model_url: str) -> Deployment:
    """Returns as soon as AWS has taken the job; ``describe`` says how it goes."""
    options, name = job.options, job.object_name
    output = prefix(options, name, "output")
    split = {"SplitType": "Line"} if options.batch_lines else {}
    together = {"AssembleWith": "Line"} if options.batch_lines else {}
    content_type = options.batch_content_type or job.package.sample.content_type
    await job.made("s3-prefix", output, kept=True)
    await job.make(
        "transform-job",
        name,
        "sagemaker",
        "create_transform_job",
        TransformJobName=name,
        ModelName=name,
        TransformInput={
            "DataSource": {
                "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": options.batch_input}
            },
            "ContentType": content_type,
            **split,
        },
        TransformOutput={
            "S3OutputPath": output,
            "Accept": job.package.sample.accept,
            **together,
        },
        TransformResources={
            "InstanceType": options.instance_type,
            "InstanceCount": options.instance_count,
        },
        Tags=job.tags(),
    )
    return replace(
        job.deployment,
        state=DeploymentState.RUNNING,
        status="InProgress",
        endpoint=output,
        message=f"The results will be below {output}.",
    )


async def describe(aws: Aws, deployment: Deployment) -> Deployment:
    name = next(r.name for r in deployment.resources if r.kind == "transform-job")
    try:
        seen = await aws.call("sagemaker", "describe_transform_job", TransformJobName=name)
    except MissingError:
        return replace(
            deployment, state=DeploymentState.STOPPED, message="AWS does not know the job any more."
        )
    status = str(seen["TransformJobStatus"])
    state = STATES.get(status, deployment.state)
    message = f"The results will be below {deployment.endpoint}."
    if state is DeploymentState.COMPLETED:
        message = f"The results are below {deployment.endpoint}."
    if state is DeploymentState.FAILED:
        message = str(seen.get("FailureReason") or "SageMaker gave no reason.")
    return replace(deployment, state=state, status=status, message=message)


async def stop(aws: Aws, name: str, poll: float, progress: Progress) -> None:
    """Jobs cannot be deleted: AWS keeps them as a record. Raises MissingError for no such job."""
    while True:
        seen: dict[str, Any] = await aws.call(
            "sagemaker", "describe_transform_job", TransformJobName=name
        )
        status = str(seen["TransformJobStatus"])
        if status not in ("InProgress", "Stopping"):
            return
        if status == "InProgress":
            await aws.call("sagemaker", "stop_transform_job", TransformJobName=name)
        progress.update(f"Transform job {name}: {status}")
        await asyncio.sleep(poll)
