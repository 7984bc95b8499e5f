"""Batch transform jobs, and versions in the Model Registry."""

from __future__ import annotations

import json

import pytest

from jupyter_mlops.core.deployment import DeploymentState
from jupyter_mlops.core.errors import UnsupportedError
from tests.parts import aws_gaps
from tests.parts.aws import Aws, Hosting
from tests.parts.sagemaker_bench import NOTHING, SAMPLE, Bench, left

pytestmark = [pytest.mark.aws, pytest.mark.docker, pytest.mark.registry]


@pytest.fixture
def data(aws: Aws) -> str:
    """Two files in a bucket of the user."""
    s3 = aws.client("s3")
    where = {"LocationConstraint": aws.region}
    s3.create_bucket(Bucket="team-data", CreateBucketConfiguration=where)
    for name, rows in (("a.json", [[1, 2]]), ("b.json", [[3, 4], [5, 6]])):
        s3.put_object(Bucket="team-data", Key=f"in/{name}", Body=json.dumps(rows).encode())
    return "s3://team-data/in/"


async def test_files_are_predicted_once(
    aws: Aws, hosting: Hosting, bench: Bench, data: str
) -> None:
    made = await bench.deploy(kind="batch", batch_input=data, batch_lines=True)
    name = f"doubler-{made.id[2:10]}"
    assert made.state is DeploymentState.RUNNING
    assert not made.can_update
    described = aws.client("sagemaker").describe_transform_job(TransformJobName=name)
    assert described["TransformInput"]["ContentType"] == "application/json"
    assert described["TransformInput"]["SplitType"] == "Line"
    assert described["TransformOutput"]["AssembleWith"] == "Line"

    aws_gaps.end_transform_job(name, "InProgress")
    seen = await bench.target.describe(made)
    assert (seen.state, seen.status) == (DeploymentState.RUNNING, "InProgress")
    hosting.transform(name)
    aws_gaps.end_transform_job(name, "Completed")
    seen = await bench.target.describe(seen)
    assert seen.state is DeploymentState.COMPLETED
    assert seen.message == f"The results are below {seen.endpoint}."
    bucket, _, folder = seen.endpoint.removeprefix("s3://").partition("/")
    answer = aws.client("s3").get_object(Bucket=bucket, Key=f"{folder}/b.json.out")["Body"].read()
    assert json.loads(answer)["predictions"] == [14, 22]
    with pytest.raises(UnsupportedError, match="answers no requests"):
        await bench.target.invoke(seen, SAMPLE, "application/json", "application/json")

    await bench.target.delete(seen, bench.watch)
    after = left(aws)
    assert after["models"] == []
    assert {key.rsplit("/", 1)[1] for key in after["objects"]} == {
        "a.json", "b.json", "a.json.out", "b.json.out"
    }  # fmt: skip


async def test_a_job_that_fails_says_why(aws: Aws, bench: Bench, data: str) -> None:
    made = await bench.deploy(kind="batch", batch_input=data)
    name = f"doubler-{made.id[2:10]}"
    aws_gaps.end_transform_job(name, "Failed", "ClientError: no such column")
    seen = await bench.target.describe(made)
    assert seen.state is DeploymentState.FAILED
    assert "no such column" in seen.message


async def test_deleting_stops_a_job(aws: Aws, bench: Bench, data: str) -> None:
    made = await bench.deploy(kind="batch", batch_input=data)
    name = f"doubler-{made.id[2:10]}"
    aws_gaps.end_transform_job(name, "InProgress")
    await bench.target.delete(made, bench.watch)
    described = aws.client("sagemaker").describe_transform_job(TransformJobName=name)
    assert described["TransformJobStatus"] == "Stopped"


async def test_a_version_is_registered_and_reviewed(aws: Aws, bench: Bench) -> None:
    made = await bench.deploy(kind="registry", group="churn")
    assert (made.state, made.status) == (DeploymentState.REGISTERED, "PendingManualApproval")
    sagemaker = aws.client("sagemaker")
    described = sagemaker.describe_model_package(ModelPackageName=made.endpoint)
    (container,) = described["InferenceSpecification"]["Containers"]
    assert container["Image"] == made.details["image"]
    assert container["Image"].endswith(container["ImageDigest"])
    assert container["ModelDataUrl"] == made.details["model_data"]
    assert described["CustomerMetadataProperties"]["snapshot"] == "s-0123456789abcdef"
    assert left(aws)["models"] == []

    approved = await bench.target.review(made, True, "fine on the holdout set")
    assert (approved.status, approved.message) == ("Approved", "fine on the holdout set")
    assert (await bench.target.describe(made)).status == "Approved"
    assert (await bench.target.review(made, False, "")).status == "Rejected"

    second = await bench.deploy("again", kind="registry", group="churn")
    assert second.endpoint.endswith("/2")
    for deployment in (second, made):
        await bench.target.delete(deployment, bench.watch)
    assert (await bench.target.describe(made)).state is DeploymentState.STOPPED
    bucket = f"sagemaker-{aws.region}-{aws.account}"
    assert left(aws) == {**NOTHING, "buckets": [bucket], "repositories": [bench.repository]}


async def test_an_endpoint_cannot_be_reviewed(aws: Aws, bench: Bench) -> None:
    with pytest.raises(UnsupportedError, match="cannot approve or reject"):
        await bench.target.review(await bench.deploy(), True, "")


async def test_plans_of_all_kinds(aws: Aws, bench: Bench) -> None:
    package = await bench.package()
    kinds = {
        "registry": {"model-package-group", "model-package"},
        "batch": {"model", "s3-prefix", "transform-job"},
        "async": {"model", "endpoint-config", "endpoint"},
    }
    for kind, things in kinds.items():
        chosen = {"kind": kind, **({"batch_input": "s3://x1y/z"} if kind == "batch" else {})}
        plan = await bench.target.plan(package, "doubler", bench.target.options(chosen))
        shared = {"ecr-repository", "ecr-image", "s3-object"}
        assert {r.kind for r in plan.resources} == shared | things
    assert left(aws) == NOTHING
