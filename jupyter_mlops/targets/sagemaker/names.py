"""What things are named in AWS, and the tags that say whose they are."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version

from ...core.deployment import Deployment
from ...core.layout import LABEL_PREFIX
from ...core.model_package import ModelPackage
from .options import Options

FOLDER = "jupyter-mlops"
"""Below which everything of ours is in a bucket."""


def object_name(deployment: Deployment, generation: int = 0) -> str:
    """Of the model and the endpoint configuration: at most 63 characters, never used twice.
    ``generation`` counts the updates; 0 is the one in force."""
    generation = generation or int(deployment.details.get("generation", 1))
    suffix = f"-{generation}" if generation > 1 else ""
    return f"{deployment.name}-{deployment.id.removeprefix('d-')[:8]}{suffix}"


def bucket_name(options: Options) -> str:
    """The bucket that AWS's managed policy for SageMaker users allows."""
    return options.bucket or f"sagemaker-{options.region}-{options.account}"


def partition(region: str) -> str:
    """The second part of every ARN."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def tags(deployment: Deployment, package: ModelPackage) -> dict[str, str]:
    """Who made this out of what, for whoever reads the bill."""
    values = {
        **_shared(deployment.owner),
        "deployment": deployment.id,
        "package": package.id,
        "snapshot": package.snapshot,
        "image": package.image,
    }
    return _labelled(values)


def shared_tags(owner: str) -> dict[str, str]:
    """Of a repository or a bucket, which later deployments use too."""
    return _labelled(_shared(owner))


def _shared(owner: str) -> dict[str, str]:
    return {"tool": f"jupyter-mlops {_version()}".strip(), "owner": owner}


def _labelled(values: dict[str, str]) -> dict[str, str]:
    # AWS's alphabet for tags, at most 256 characters.
    return {
        f"{LABEL_PREFIX}.{key}": re.sub(r"[^\w .:/=+@-]", "_", value)[:256]
        for key, value in values.items()
        if value
    }


def _version() -> str:
    try:
        return version("jupyter_mlops")
    except PackageNotFoundError:
        return ""


def as_list(tags: dict[str, str]) -> list[dict[str, str]]:
    """As SageMaker and ECR take them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
