"""Every call of AWS's API that this target makes, and the rights it needs: the one table.

``Aws.call`` refuses a call that is not here; the printed policies, and the sentence about a right
that is missing, are made from it. So they cannot say anything else than what is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .names import partition

ENDPOINTS = frozenset({"real-time", "serverless"})
"""Kinds of deployment that are an endpoint."""
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
        )
    ),
    ("sagemaker", "delete_model"): _one("sagemaker:DeleteModel", "Model"),
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
    ("sagemaker-runtime", "invoke_endpoint"): _one(
        "sagemaker:InvokeEndpoint", "Endpoint", ENDPOINTS
    ),
    ("logs", "describe_log_streams"): _one("logs:DescribeLogStreams", "Logs"),
    ("logs", "get_log_events"): _one("logs:GetLogEvents", "Logs"),
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
