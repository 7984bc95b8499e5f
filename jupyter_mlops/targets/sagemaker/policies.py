"""IAM policies with the least rights that the chosen options need, out of the one table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...core.deployment import Policy
from . import batch
from .endpoints import LOG_GROUP
from .names import FOLDER, bucket_name, partition
from .options import Options
from .rights import CALLS, EXECUTION, arn

SERVICE = "sagemaker.amazonaws.com"
_CONDITIONS = {
    "PassRole": {"StringEquals": {"iam:PassedToService": SERVICE}},
    "ScalingRole": {
        "StringLike": {"iam:AWSServiceName": "sagemaker.application-autoscaling.amazonaws.com"}
    },
}


def policies(options: Options, name: str) -> tuple[Policy, ...]:
    """For whoever deploys, and for the role that SageMaker runs the model with. ``name`` is the
    deployment's; empty means any."""
    features = options.features
    wanted = [right for call in CALLS.values() if call.made_by(features) for right in call.rights]
    run = [
        (right.action, right.on) for right in EXECUTION if not right.kinds or right.kinds & features
    ]
    role = options.role.rsplit("/", 1)[-1]
    return (
        Policy(
            "caller",
            "For the user or role that deploys",
            _document(wanted, _fields(options, name)),
        ),
        Policy(
            "execution-role",
            f"For the execution role {role}, with which SageMaker runs the model",
            _document(run, {**_fields(options, name), "logGroupName": "/aws/sagemaker/*"}),
        ),
        Policy(
            "trust",
            f"Trust policy of the execution role {role}",
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": SERVICE},
                        "Action": "sts:AssumeRole",
                        "Condition": {"StringEquals": {"aws:SourceAccount": options.account}},
                    }
                ],
            },
        ),
    )


def _fields(options: Options, name: str) -> dict[str, str]:
    objects = f"{name}-*" if name else "*"
    logs = batch.LOG_GROUP if options.kind == "batch" else f"{LOG_GROUP}/{name or '*'}"
    return {
        "partition": partition(options.region),
        "region": options.region,
        "account": options.account,
        "RolePath": options.role.partition(":role/")[2],
        "repositoryName": options.repository,
        "Bucket": bucket_name(options),
        "Key": f"{FOLDER}/{objects}",
        "ModelName": objects,
        "EndpointConfigName": objects,
        "EndpointName": name or "*",
        "TransformJobName": objects,
        "ModelPackageGroupName": options.group or name or "*",
        "InputBucket": options.batch_input.removeprefix("s3://").partition("/")[0],
        "InputKey": options.batch_input.removeprefix("s3://").partition("/")[2],
        "logGroupName": logs,
    }


def _document(rights: Iterable[tuple[str, str]], fields: dict[str, str]) -> dict[str, Any]:
    """One statement for all actions on the same thing."""
    actions: dict[str, set[str]] = {}
    for action, on in rights:
        actions.setdefault(on, set()).add(action)
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": on,
                "Effect": "Allow",
                "Action": sorted(found),
                "Resource": arn(on, fields),
                **({"Condition": _CONDITIONS[on]} if on in _CONDITIONS else {}),
            }
            for on, found in actions.items()
        ],
    }
