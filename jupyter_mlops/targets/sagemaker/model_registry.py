"""SageMaker's Model Registry: a package as a version in a group, with its approval."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...core.deployment import Deployment, DeploymentState, Resource
from ...core.errors import MlopsError
from .client import Aws
from .images import PushedImage
from .names import as_list, shared_tags
from .plain_words import MissingError

if TYPE_CHECKING:
    from .job import Job

_MAKER = "deployment"
"""Among the properties of a version: the deployment that made it."""
_INSTANCES = ["ml.m5.large", "ml.m5.xlarge", "ml.c5.large", "ml.c5.xlarge"]


async def register(job: Job, pushed: PushedImage, model_url: str) -> Deployment:
    """A new version, which waits for somebody's approval."""
    group = job.options.group or job.deployment.name
    await _find_group(job, group)
    sample, package = job.package.sample, job.package
    facts = {
        "snapshot": package.snapshot,
        "package": package.id,
        _MAKER: job.deployment.id,
        "owner": job.deployment.owner,
        **_report(job),
    }
    types = sorted({job.options.instance_type, *_INSTANCES})
    # AWS chooses the version's number: until it has, what stands for it is who asked.
    await job.made("model-package", f"{group}/{job.deployment.id}")
    try:
        made = await job.eventually(
            lambda: job.aws.call(
                "sagemaker",
                "create_model_package",
                ModelPackageGroupName=group,
                ModelPackageDescription=f"{package.name} from snapshot {package.snapshot}",
                ModelApprovalStatus="PendingManualApproval",
                # The same request twice, after an answer that was lost, makes one version.
                ClientToken=job.deployment.id.replace("-", ""),
                InferenceSpecification={
                    "Containers": [
                        {
                            "Image": pushed.uri,
                            "ImageDigest": pushed.digest,
                            "ModelDataUrl": model_url,
                            "Environment": dict(job.options.variables),
                        }
                    ],
                    "SupportedContentTypes": [sample.content_type],
                    "SupportedResponseMIMETypes": [sample.accept],
                    "SupportedRealtimeInferenceInstanceTypes": types,
                    "SupportedTransformInstanceTypes": types,
                },
                CustomerMetadataProperties={k: v for k, v in facts.items() if v},
            )
        )
    except MlopsError:
        await job.not_made()
        raise
    arn = str(made["ModelPackageArn"])
    await job.record(resources=(*job.deployment.resources[:-1], Resource("model-package", arn)))
    job.progress.log(f"made model-package {arn}\n")
    return replace(
        job.deployment,
        state=DeploymentState.REGISTERED,
        status="PendingManualApproval",
        endpoint=arn,
        can_review=True,
    )


def _report(job: Job) -> dict[str, str]:
    report = job.package.report
    if report is None:
        return {}
    return {"contract_check": "passed" if report.passed else "failed"}


async def _find_group(job: Job, group: str) -> None:
    try:
        await job.aws.call("sagemaker", "describe_model_package_group", ModelPackageGroupName=group)
    except MissingError:
        await job.aws.call(
            "sagemaker",
            "create_model_package_group",
            ModelPackageGroupName=group,
            Tags=as_list(shared_tags(job.deployment.owner)),
        )
        await job.made("model-package-group", group, kept=True)


async def remove(aws: Aws, name: str) -> None:
    """One version, by its ARN; or, by ``group/deployment``, all that this deployment made."""
    versions = [name] if name.startswith("arn:") else [v async for v in _made_by(aws, name)]
    for arn in versions:
        await aws.call("sagemaker", "delete_model_package", ModelPackageName=arn)


async def _made_by(aws: Aws, name: str) -> AsyncIterator[str]:
    group, _, deployment_id = name.rpartition("/")
    page: dict[str, Any] = {"NextToken": ""}
    while "NextToken" in page:
        more = {"NextToken": page["NextToken"]} if page["NextToken"] else {}
        page = await aws.call(
            "sagemaker", "list_model_packages", ModelPackageGroupName=group, **more
        )
        for summary in page["ModelPackageSummaryList"]:
            arn = str(summary["ModelPackageArn"])
            seen = await aws.call("sagemaker", "describe_model_package", ModelPackageName=arn)
            if (seen.get("CustomerMetadataProperties") or {}).get(_MAKER) == deployment_id:
                yield arn


async def describe(aws: Aws, deployment: Deployment) -> Deployment:
    if not deployment.endpoint:
        return deployment
    try:
        seen = await aws.call(
            "sagemaker", "describe_model_package", ModelPackageName=deployment.endpoint
        )
    except MissingError:
        return replace(
            deployment,
            state=DeploymentState.STOPPED,
            status="",
            message="The registry does not have it any more.",
            can_review=False,
        )
    return replace(
        deployment,
        state=DeploymentState.REGISTERED,
        status=str(seen.get("ModelApprovalStatus", "")),
        message=str(seen.get("ApprovalDescription") or ""),
    )


async def review(aws: Aws, deployment: Deployment, approved: bool, note: str) -> Deployment:
    """Only an approved version may be deployed from the registry."""
    parameters: dict[str, Any] = {"ApprovalDescription": note} if note else {}
    await aws.call(
        "sagemaker",
        "update_model_package",
        ModelPackageArn=deployment.endpoint,
        ModelApprovalStatus="Approved" if approved else "Rejected",
        **parameters,
    )
    return await describe(aws, deployment)
