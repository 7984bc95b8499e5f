"""Every call of AWS's API that this target makes, and the rights it needs: the one table.

``Aws.call`` refuses a call that is not here; the printed policies, and the sentence about a right
that is missing, are made from it. So they cannot say anything else than what is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .names import partition

ENDPOINTS = frozenset({"real-time", "serverless", "async"})
"""Kinds of deployment that are an endpoint."""
BATCH, REGISTRY = frozenset({"batch"}), frozenset({"registry"})
ASYNC, SCALING = frozenset({"async"}), frozenset({"scaling"})
WRITING = frozenset({"async", "batch", "capture"})
"""Where AWS itself writes files for a deployment."""
ALL: frozenset[str] = frozenset()

ARNS: Mapping[str, str] = {
    "Everything": "*",
    "Role": "arn:{partition}:iam::{account}:role/{RolePath}",
    "PassRole": "arn:{partition}:iam::{account}:role/{RolePath}",
    "Repository": "arn:{partition}:ecr:{region}:{account}:repository/{repositoryName}",
    "Bucket": "arn:{partition}:s3:::{Bucket}",
    "Objects": "arn:{partition}:s3:::{Bucket}/{Key}",
    "Model": "arn:{partition}:sagemaker:{region}:{account}:model/{ModelName}",
    "Configuration": (
        "arn:{partition}:sagemaker:{region}:{account}:endpoint-config/{EndpointConfigName}"
    ),
    "Endpoint": "arn:{partition}:sagemaker:{region}:{account}:endpoint/{EndpointName}",
    "TransformJob": (
        "arn:{partition}:sagemaker:{region}:{account}:transform-job/{TransformJobName}"
    ),
    "ModelPackageGroup": (
        "arn:{partition}:sagemaker:{region}:{account}:model-package-group/{ModelPackageGroupName}"
    ),
    "ModelPackage": (
        "arn:{partition}:sagemaker:{region}:{account}:model-package/{ModelPackageGroupName}/*"
    ),
    "Scaling": "arn:{partition}:application-autoscaling:{region}:{account}:scalable-target/*",
    "ScalingAlarms": "arn:{partition}:cloudwatch:{region}:{account}:alarm:TargetTracking-*",
    "ScalingRole": (
        "arn:{partition}:iam::{account}:role/aws-service-role/"
        "sagemaker.application-autoscaling.amazonaws.com/"
        "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
    ),
    "BatchInput": "arn:{partition}:s3:::{InputBucket}",
    "BatchInputObjects": "arn:{partition}:s3:::{InputBucket}/{InputKey}*",
    "Logs": "arn:{partition}:logs:{region}:{account}:log-group:{logGroupName}:*",
}
"""What rights are on, by the name of their statement; the fields are parameters of the calls."""


@dataclass(frozen=True)
class Call:
    """One operation: its rights, each as action and name of what it is on, and which kinds of
    deployment make it (``ALL``: every kind)."""

    rights: tuple[tuple[str, str], ...]
    kinds: frozenset[str] = ALL

    def made_by(self, features: frozenset[str]) -> bool:
        return not self.kinds or bool(self.kinds & features)


def _one(action: str, on: str, kinds: frozenset[str] = ALL) -> Call:
    return Call(((action, on),), kinds)


_PUT = _one("s3:PutObject", "Objects")

CALLS: Mapping[tuple[str, str], Call] = {
    # AWS lets everybody ask who they are.
    ("sts", "get_caller_identity"): Call(()),
    ("iam", "get_role"): _one("iam:GetRole", "Role"),
    ("ecr", "describe_repositories"): _one("ecr:DescribeRepositories", "Repository"),
    ("ecr", "create_repository"): Call(
        (("ecr:CreateRepository", "Repository"), ("ecr:TagResource", "Repository"))
    ),
    ("ecr", "delete_repository"): _one("ecr:DeleteRepository", "Repository"),
    ("ecr", "get_authorization_token"): _one("ecr:GetAuthorizationToken", "Everything"),
    ("ecr", "batch_delete_image"): _one("ecr:BatchDeleteImage", "Repository"),
    # Not calls of boto3: what the registry's own protocol wants for a push that is read back.
    ("registry", "push"): Call(
        tuple(
            (f"ecr:{action}", "Repository")
            for action in (
                "BatchCheckLayerAvailability",
                "InitiateLayerUpload",
                "UploadLayerPart",
                "CompleteLayerUpload",
                "PutImage",
                "BatchGetImage",
            )
        )
    ),
    ("s3", "head_bucket"): _one("s3:ListBucket", "Bucket"),
    ("s3", "create_bucket"): _one("s3:CreateBucket", "Bucket"),
    ("s3", "put_bucket_tagging"): _one("s3:PutBucketTagging", "Bucket"),
    ("s3", "delete_bucket"): _one("s3:DeleteBucket", "Bucket"),
    ("s3", "put_object"): Call((("s3:PutObject", "Objects"), ("s3:PutObjectTagging", "Objects"))),
    ("s3", "create_multipart_upload"): Call(
        (("s3:PutObject", "Objects"), ("s3:PutObjectTagging", "Objects"))
    ),
    ("s3", "upload_part"): _PUT,
    ("s3", "complete_multipart_upload"): _PUT,
    ("s3", "abort_multipart_upload"): _one("s3:AbortMultipartUpload", "Objects"),
    ("s3", "list_multipart_uploads"): _one("s3:ListBucketMultipartUploads", "Bucket"),
    ("s3", "delete_object"): _one("s3:DeleteObject", "Objects"),
    ("sagemaker", "create_model"): Call(
        (
            ("sagemaker:CreateModel", "Model"),
            ("sagemaker:AddTags", "Model"),
            ("iam:PassRole", "PassRole"),
        ),
        ENDPOINTS | BATCH,
    ),
    ("sagemaker", "delete_model"): _one("sagemaker:DeleteModel", "Model", ENDPOINTS | BATCH),
    ("sagemaker", "create_endpoint_config"): Call(
        (
            ("sagemaker:CreateEndpointConfig", "Configuration"),
            ("sagemaker:AddTags", "Configuration"),
        ),
        ENDPOINTS,
    ),
    ("sagemaker", "delete_endpoint_config"): _one(
        "sagemaker:DeleteEndpointConfig", "Configuration", ENDPOINTS
    ),
    ("sagemaker", "create_endpoint"): Call(
        (
            ("sagemaker:CreateEndpoint", "Endpoint"),
            ("sagemaker:CreateEndpoint", "Configuration"),
            ("sagemaker:AddTags", "Endpoint"),
        ),
        ENDPOINTS,
    ),
    ("sagemaker", "describe_endpoint"): _one("sagemaker:DescribeEndpoint", "Endpoint", ENDPOINTS),
    ("sagemaker", "delete_endpoint"): _one("sagemaker:DeleteEndpoint", "Endpoint", ENDPOINTS),
    ("sagemaker", "update_endpoint"): Call(
        (
            ("sagemaker:UpdateEndpoint", "Endpoint"),
            ("sagemaker:UpdateEndpoint", "Configuration"),
        ),
        ENDPOINTS,
    ),
    ("sagemaker-runtime", "invoke_endpoint"): _one(
        "sagemaker:InvokeEndpoint", "Endpoint", ENDPOINTS - ASYNC
    ),
    ("sagemaker-runtime", "invoke_endpoint_async"): _one(
        "sagemaker:InvokeEndpointAsync", "Endpoint", ASYNC
    ),
    ("s3", "get_object"): _one("s3:GetObject", "Objects", ASYNC),
    # AWS acts in the caller's name where it asks for more than the call's own right.
    ("application-autoscaling", "register_scalable_target"): Call(
        (
            ("application-autoscaling:RegisterScalableTarget", "Scaling"),
            ("iam:CreateServiceLinkedRole", "ScalingRole"),
            ("sagemaker:UpdateEndpointWeightsAndCapacities", "Endpoint"),
        ),
        SCALING,
    ),
    ("application-autoscaling", "put_scaling_policy"): Call(
        (
            ("application-autoscaling:PutScalingPolicy", "Scaling"),
            ("cloudwatch:DescribeAlarms", "ScalingAlarms"),
            ("cloudwatch:PutMetricAlarm", "ScalingAlarms"),
        ),
        SCALING,
    ),
    ("application-autoscaling", "deregister_scalable_target"): Call(
        (
            ("application-autoscaling:DeregisterScalableTarget", "Scaling"),
            ("cloudwatch:DeleteAlarms", "ScalingAlarms"),
        ),
        SCALING,
    ),
    ("sagemaker", "create_transform_job"): Call(
        (
            ("sagemaker:CreateTransformJob", "TransformJob"),
            ("sagemaker:AddTags", "TransformJob"),
        ),
        BATCH,
    ),
    ("sagemaker", "describe_transform_job"): _one(
        "sagemaker:DescribeTransformJob", "TransformJob", BATCH
    ),
    ("sagemaker", "stop_transform_job"): _one("sagemaker:StopTransformJob", "TransformJob", BATCH),
    ("sagemaker", "describe_model_package_group"): _one(
        "sagemaker:DescribeModelPackageGroup", "ModelPackageGroup", REGISTRY
    ),
    ("sagemaker", "create_model_package_group"): Call(
        (
            ("sagemaker:CreateModelPackageGroup", "ModelPackageGroup"),
            ("sagemaker:AddTags", "ModelPackageGroup"),
        ),
        REGISTRY,
    ),
    ("sagemaker", "delete_model_package_group"): _one(
        "sagemaker:DeleteModelPackageGroup", "ModelPackageGroup", REGISTRY
    ),
    ("sagemaker", "create_model_package"): Call(
        (
            ("sagemaker:CreateModelPackage", "ModelPackage"),
            ("sagemaker:CreateModelPackage", "ModelPackageGroup"),
        ),
        REGISTRY,
    ),
    ("sagemaker", "list_model_packages"): _one(
        "sagemaker:ListModelPackages", "ModelPackage", REGISTRY
    ),
    ("sagemaker", "describe_model_package"): _one(
        "sagemaker:DescribeModelPackage", "ModelPackage", REGISTRY
    ),
    ("sagemaker", "update_model_package"): _one(
        "sagemaker:UpdateModelPackage", "ModelPackage", REGISTRY
    ),
    ("sagemaker", "delete_model_package"): _one(
        "sagemaker:DeleteModelPackage", "ModelPackage", REGISTRY
    ),
    ("logs", "describe_log_streams"): _one("logs:DescribeLogStreams", "Logs", ENDPOINTS | BATCH),
    ("logs", "get_log_events"): _one("logs:GetLogEvents", "Logs", ENDPOINTS | BATCH),
}


@dataclass(frozen=True)
class Execution:
    """A right of the role that SageMaker runs the model with."""

    action: str
    on: str
    kinds: frozenset[str] = ALL


EXECUTION = (
    Execution("ecr:GetAuthorizationToken", "Everything"),
    Execution("ecr:BatchCheckLayerAvailability", "Repository"),
    Execution("ecr:BatchGetImage", "Repository"),
    Execution("ecr:GetDownloadUrlForLayer", "Repository"),
    Execution("s3:ListBucket", "Bucket"),
    Execution("s3:GetObject", "Objects"),
    Execution("s3:PutObject", "Objects", WRITING),
    Execution("s3:ListBucket", "BatchInput", BATCH),
    Execution("s3:GetObject", "BatchInputObjects", BATCH),
    Execution("logs:CreateLogGroup", "Logs"),
    Execution("logs:CreateLogStream", "Logs"),
    Execution("logs:DescribeLogStreams", "Logs"),
    Execution("logs:PutLogEvents", "Logs"),
    Execution("cloudwatch:PutMetricData", "Everything"),
)
"""As AWS documents them for an execution role that serves a model."""


def arn(on: str, fields: Mapping[str, str]) -> str:
    """The ARN of what a right is on; a field that is not known is any."""
    return ARNS[on].format_map(_Any(fields))


def rights_of_call(
    service: str, operation: str, parameters: Mapping[str, Any], region: str, account: str
) -> tuple[tuple[str, str], ...]:
    """Each action that one call needs, with the ARN that it needs it on; the main one first."""
    given = {key: value for key, value in parameters.items() if isinstance(value, str)}
    if parameters.get("repositoryNames"):
        given["repositoryName"] = parameters["repositoryNames"][0]
    package = given.get("ModelPackageName") or given.get("ModelPackageArn") or ""
    if package:
        given["ModelPackageGroupName"] = package.rpartition("model-package/")[2].split("/")[0]
    if given.get("ResourceId"):
        given["EndpointName"] = given["ResourceId"].split("/")[1]
    role = given.get("ExecutionRoleArn") or given.get("RoleArn") or ""
    if role:
        given["RolePath"] = role.partition(":role/")[2]
    if given.get("RoleName"):
        given["RolePath"] = given["RoleName"]
    place = {"partition": partition(region), "region": region or "*", "account": account or "*"}
    fields = {**place, **given}
    return tuple((action, arn(on, fields)) for action, on in CALLS[service, operation].rights)


class _Any(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "*"
