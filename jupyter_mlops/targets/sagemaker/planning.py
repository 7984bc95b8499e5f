"""What a deployment would make, before it does."""

from __future__ import annotations

from ...core.deployment import Plan, Resource
from ...core.model_package import ModelPackage
from .images import Place
from .names import FOLDER, bucket_name
from .options import Options
from .prices import UNKNOWN, Prices
from .scaling import resource_id

_PRICES = "Prices: https://aws.amazon.com/sagemaker/pricing/"


def plan(
    package: ModelPackage, name: str, options: Options, place: Place, size: int, prices: Prices
) -> Plan:
    """``size`` is that of the model files in bytes."""
    bucket = bucket_name(options)
    role = options.role.rsplit("/", 1)[-1]
    steps = [
        f"Push the image of {package.name} to {place.host}/{place.repository}",
        "Make sure its manifest is in the format that SageMaker takes",
        f"Upload model.tar.gz ({size / 1e6:.1f} MB) to the bucket {bucket}",
    ]
    resources = [
        Resource("ecr-repository", options.repository, kept=True),
        Resource("ecr-image", str(place.ref(tag=package.id)), kept=True),
        Resource("s3-object", f"s3://{bucket}/{FOLDER}/{name}-…/model.tar.gz"),
    ]
    model = Resource("model", f"{name}-…")
    if options.kind == "registry":
        group = options.group or name
        steps.append(f"Make a version in the model package group {group}, for approval")
        resources += [
            Resource("model-package-group", group, kept=True),
            Resource("model-package", f"{group}/…"),
        ]
    elif options.kind == "batch":
        steps += [
            f"Create the model with the role {role}",
            f"Start a transform job of {options.batch_input} on {machines(options)}",
        ]
        output = Resource("s3-prefix", f"s3://{bucket}/{FOLDER}/{name}-…/output", kept=True)
        resources += [model, output, Resource("transform-job", f"{name}-…")]
    else:
        steps += [
            f"Create the model with the role {role}",
            f"Create the endpoint {name}: {machines(options)}",
            "Wait until it answers",
        ]
        resources += [model, Resource("endpoint-config", f"{name}-…"), Resource("endpoint", name)]
        if options.max_instances:
            steps.append(f"Scale it to {options.max_instances} instances at most")
            resources.append(Resource("autoscaling", resource_id(name)))
    return Plan(tuple(steps), tuple(resources), _cost(options, prices))


def machines(options: Options) -> str:
    """What it runs on, for people."""
    if options.kind == "serverless":
        return f"serverless, {options.memory} MB, at most {options.concurrency} at once"
    return f"{options.instance_count} x {options.instance_type}"


def _cost(options: Options, prices: Prices) -> str:
    if options.kind == "registry":
        return "Only storage is billed."
    if options.kind == "serverless":
        return f"Billed by use. {_PRICES}"
    batch = options.kind == "batch"
    until = "until the job ends" if batch else "for as long as the endpoint exists"
    hourly = prices.hourly(options)
    known = _PRICES if hourly == UNKNOWN else f"That is {hourly}."
    return f"AWS bills {machines(options)} {until}. {known}"
