"""What is looked at before anything is made."""

from __future__ import annotations

import json

from ...core.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    PermissionMissingError,
    UnsupportedError,
)
from ...core.ports import Image
from . import sizes
from .job import Job
from .options import Options
from .plain_words import MissingError
from .policies import SERVICE


def check_image(image: Image, options: Options) -> None:
    """Raise UnsupportedError for an image that this deployment could never start."""
    if image.architecture != options.architecture:
        raise UnsupportedError(
            f"The image is made for {image.architecture} processors, and this endpoint runs on "
            f"{options.architecture}.",
            "Build the environment on an amd64 (Intel or AMD) machine."
            if options.architecture == "amd64"
            else "Choose an instance type without a `g` in its family, such as ml.m5.large.",
        )
    sizes.check_image(image.size, options)


async def account(job: Job) -> str:
    """The AWS account of the credentials; raises InvalidError where the role is of another."""
    identity = await job.aws.call("sts", "get_caller_identity")
    found, who = str(identity["Account"]), str(identity["Arn"])
    job.progress.log(f"AWS account {found} as {who}\n")
    if found != job.options.account:
        raise InvalidError(
            f"The role belongs to the AWS account {job.options.account}, and your "
            f"credentials to {found}.",
            "Choose a role of your own account, or another profile.",
        )
    job.aws.account = found
    return found


async def role(job: Job) -> None:
    """Raise InvalidError where SageMaker may not use the role."""
    name = job.options.role.rsplit("/", 1)[-1]
    try:
        found = (await job.aws.call("iam", "get_role", RoleName=name))["Role"]
    except MissingError as error:
        raise InvalidError(
            f"There is no role {name} in the AWS account {job.options.account}.",
            "Ask whoever manages IAM for the ARN of a role that SageMaker may use.",
        ) from error
    except PermissionMissingError:
        # Many users may not read roles. SageMaker says the same later, only less clearly.
        job.progress.log("role not checked: iam:GetRole is not allowed\n")
        return
    trust = found.get("AssumeRolePolicyDocument", {})
    if SERVICE not in json.dumps(trust):
        raise InvalidError(
            f"SageMaker may not use the role {name}: it does not trust {SERVICE}.",
            f"Ask whoever manages IAM to add {SERVICE} to the role's trust policy.",
        )


async def image(job: Job) -> None:
    """Raise where the image is gone, or could never start there."""
    found = await job.engine.image(job.package.image)
    if found is None:
        raise NotFoundError(
            f"The image of the package {job.package.name!r} is not on this machine any more.",
            "Make the package again.",
        )
    check_image(found, job.options)
    sizes.check_model(job.package.model_size, job.options)


async def name_free(job: Job) -> None:
    """Raise ConflictError where AWS has an endpoint of that name."""
    if await job.endpoints.describe(job.deployment.name) is not None:
        raise ConflictError(
            f"AWS has an endpoint named {job.deployment.name!r} in {job.options.region} already.",
            "Choose another name for the deployment.",
        )
