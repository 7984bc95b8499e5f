"""The whole path: real engines, a real registry in ECR's place, AWS's API as moto serves it."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from jupyter_mlops.core.deployment import Deployment, DeploymentState, Resource
from jupyter_mlops.core.errors import (
    ConflictError,
)
from jupyter_mlops.core.oci_shapes import DOCKER_MANIFEST
from tests.parts.aws import Aws, Hosting
from tests.parts.sagemaker_bench import NOTHING, SAMPLE, Bench, left, manifest_of

pytestmark = [pytest.mark.aws, pytest.mark.docker, pytest.mark.registry]


async def test_a_package_becomes_an_endpoint_that_answers(
    aws: Aws, hosting: Hosting, bench: Bench
) -> None:
    deployment = await bench.deploy(variables={"NOTE": "hello"})

    assert deployment.state is DeploymentState.RUNNING
    assert deployment.status == "InService"
    assert [r.kind for r in deployment.resources] == [
        "ecr-repository",
        "ecr-image",
        "s3-bucket",
        "s3-object",
        "model",
        "endpoint-config",
        "endpoint",
    ]
    assert bench.watch.phases == ["check", "push", "upload", "create", "start"]

    sagemaker = aws.client("sagemaker")
    model = sagemaker.describe_model(ModelName=f"doubler-{deployment.id[2:10]}")
    container = model["PrimaryContainer"]
    manifest = await manifest_of(bench, container["Image"])
    assert manifest.media_type == DOCKER_MANIFEST
    assert container["Image"].endswith(manifest.digest)
    assert model["ExecutionRoleArn"] == aws.role
    answer = await bench.target.invoke(deployment, SAMPLE, "application/json", "application/json")
    assert answer.status == 200
    assert json.loads(answer.body) == {"predictions": [6, 14], "note": "hello"}
    refused = await bench.target.invoke(deployment, b"{", "application/json", "application/json")
    assert refused.status == 400
    assert b"Expecting property name" in refused.body

    assert (await bench.target.describe(deployment)).state is DeploymentState.RUNNING
    await bench.target.delete(deployment, bench.watch)
    after = left(aws)
    assert after == {
        **NOTHING,
        "buckets": [f"sagemaker-{aws.region}-{aws.account}"],
        "repositories": [bench.repository],
    }
    deletes = [call for call in aws.front.calls if call.startswith("Delete")]
    assert deletes == ["DeleteEndpoint", "DeleteEndpointConfig", "DeleteModel"]
    # Gone already is no error.
    await bench.target.delete(deployment, bench.watch)
    gone = await bench.target.describe(deployment)
    assert gone.state is DeploymentState.STOPPED


async def test_everything_is_recorded_before_it_exists(aws: Aws, bench: Bench) -> None:
    await bench.deploy()
    counts = [len(saved.resources) for saved in bench.saved]
    assert counts == sorted(counts)
    assert bench.saved[-1].resources[-1] == Resource("endpoint", "doubler")


async def test_a_second_deployment_pushes_nothing_and_may_not_take_the_name(
    aws: Aws, bench: Bench
) -> None:
    first = await bench.deploy()
    second = await bench.deploy("other")
    assert "The registry has this image already." in bench.watch.messages
    assert second.details["image"] == first.details["image"]
    assert [r.kind for r in second.resources] == [
        "s3-object",
        "model",
        "endpoint-config",
        "endpoint",
    ]
    before = left(aws)
    with pytest.raises(ConflictError, match="endpoint named 'doubler'"):
        await bench.deploy()
    assert left(aws) == before


async def test_serverless(aws: Aws, bench: Bench) -> None:
    deployment = await bench.deploy(kind="serverless", memory=3072, concurrency=7)
    config = aws.client("sagemaker").describe_endpoint_config(
        EndpointConfigName=f"doubler-{deployment.id[2:10]}"
    )
    assert config["ProductionVariants"][0]["ServerlessConfig"] == {
        "MemorySizeInMB": 3072,
        "MaxConcurrency": 7,
    }


async def test_status_is_live_while_the_endpoint_is_made(aws: Aws, bench: Bench) -> None:
    aws.front.statuses = ["Creating", "Creating", "InService"]
    deployment = await bench.deploy()
    assert deployment.state is DeploymentState.RUNNING
    assert sum("Endpoint doubler: Creating" in m for m in bench.watch.messages) == 2


async def test_a_plan_names_everything_and_makes_nothing(aws: Aws, bench: Bench) -> None:
    plan = await bench.target.plan(await bench.package(), "doubler", bench.target.options({}))
    assert [r.kind for r in plan.resources if not r.kept] == [
        "s3-object",
        "model",
        "endpoint-config",
        "endpoint",
    ]
    assert "1 x ml.m5.large" in plan.cost
    assert left(aws) == NOTHING


async def test_a_big_model_travels_in_parts(aws: Aws, bench: Bench) -> None:
    package = await bench.package()
    package = replace(package, model=await bench.blobs.put(os.urandom(20 * 1024**2)))

    async def save(changed: Deployment) -> None:
        pass

    await bench.target.deploy(package, bench.deployment(), bench.watch, save)
    bucket = f"sagemaker-{aws.region}-{aws.account}"
    key = left(aws)["objects"][0]
    head = aws.client("s3").head_object(Bucket=bucket, Key=key)
    assert head["ContentLength"] == 20 * 1024**2
    assert head["ETag"].strip('"').endswith("-3")
    assert sum("of 21.0 MB" in m for m in bench.watch.messages) > 3


async def test_everything_says_whose_it_is(aws: Aws, bench: Bench) -> None:
    deployment = await bench.deploy()
    package = await bench.package()
    sagemaker, s3, ecr = aws.client("sagemaker"), aws.client("s3"), aws.client("ecr")
    own, bucket = f"doubler-{deployment.id[2:10]}", f"sagemaker-{aws.region}-{aws.account}"
    arns = {
        "model": sagemaker.describe_model(ModelName=own)["ModelArn"],
        "endpoint-config": sagemaker.describe_endpoint_config(EndpointConfigName=own)[
            "EndpointConfigArn"
        ],
        "endpoint": sagemaker.describe_endpoint(EndpointName="doubler")["EndpointArn"],
    }
    (repository,) = ecr.describe_repositories()["repositories"]
    key = left(aws)["objects"][0]
    tags = {
        **{kind: sagemaker.list_tags(ResourceArn=arn)["Tags"] for kind, arn in arns.items()},
        "s3-object": s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"],
        "s3-bucket": s3.get_bucket_tagging(Bucket=bucket)["TagSet"],
        "ecr-repository": ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])[
            "tags"
        ],
    }
    # An image has its labels instead; it is one of the repository's.
    assert {r.kind for r in deployment.resources} - {"ecr-image"} == set(tags)
    for kind, listed in tags.items():
        found = {tag["Key"].removeprefix("io.jupyter-mlops."): tag["Value"] for tag in listed}
        assert found.pop("tool").startswith("jupyter-mlops"), kind
        assert found.pop("owner") == "ann", kind
        if kind not in ("s3-bucket", "ecr-repository"):
            assert found == {
                "deployment": deployment.id,
                "package": package.id,
                "snapshot": "s-0123456789abcdef",
                "image": bench.image,
            }, kind
