"""A right that is missing is named; the printed policies are the rights that are used."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from jupyter_mlops.core.deployment import Deployment, Policy, Resource
from jupyter_mlops.core.errors import PermissionMissingError, TargetError
from jupyter_mlops.targets.sagemaker.batch import LOG_GROUP
from jupyter_mlops.targets.sagemaker.rights import rights_of_call
from tests.parts import aws_gaps
from tests.parts.aws import Aws, Hosting
from tests.parts.policies import Recorder, actions, allowed, pushed_actions
from tests.parts.registry import start_registry
from tests.parts.sagemaker_bench import NOTHING, SAMPLE, Bench, left

pytestmark = [pytest.mark.aws, pytest.mark.docker, pytest.mark.registry]


@pytest.mark.parametrize(
    ("lacking", "named"),
    [
        ("ecr", "ecr:DescribeRepositories"),
        ("s3", "s3:ListBucket"),
        ("sagemaker", "sagemaker:DescribeEndpoint"),
    ],
)
async def test_a_missing_right_is_named(
    aws: Aws, bench: Bench, monkeypatch: pytest.MonkeyPatch, lacking: str, named: str
) -> None:
    services = {"iam", "ecr", "s3", "sagemaker", "logs"} - {lacking}
    key, secret = aws.user(*(f"{service}:*" for service in sorted(services)))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    aws.enforce()
    with pytest.raises(PermissionMissingError) as caught:
        await bench.deploy()
    assert named in caught.value.message
    aws.reset()


async def test_rights_that_end_in_the_middle_leave_nothing(
    aws: Aws, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, secret = aws.user(
        "iam:GetRole", "ecr:*", "s3:*", "sagemaker:Describe*", "sagemaker:CreateModel",
        "sagemaker:DeleteModel", "sagemaker:AddTags",
    )  # fmt: skip
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    aws.enforce()
    with pytest.raises(PermissionMissingError, match="sagemaker:CreateEndpointConfig"):
        await bench.deploy()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    aws_open(aws)
    assert left(aws) == NOTHING


def aws_open(aws: Aws) -> None:
    """moto asks nobody for rights any more, and forgets nothing."""
    httpx.post(f"{aws.url}/moto-api/reset-auth", content="inf").raise_for_status()


S3_ACTIONS = {
    "HeadBucket": "ListBucket",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "ListMultipartUploads": "ListBucketMultipartUploads",
}
"""Operations of S3 whose right has another name, as S3's documentation lists them."""


OTHERS = {
    "RegisterScalableTarget": {
        "iam:CreateServiceLinkedRole",
        "sagemaker:UpdateEndpointWeightsAndCapacities",
    },
    "PutScalingPolicy": {"cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm"},
    "DeregisterScalableTarget": {"cloudwatch:DeleteAlarms"},
}
"""What Application Auto Scaling does in the caller's name, as its documentation lists it."""


def expected(service: str, operation: str, given: dict[str, Any]) -> set[str]:
    """The actions that AWS wants for one call, worked out without the table."""
    if service == "sts":
        return set()
    if service == "s3":
        found = {f"s3:{S3_ACTIONS.get(operation, operation)}"}
        tagged = "Tagging" in given and "Key" in given
        return found | ({"s3:PutObjectTagging"} if tagged else set())
    prefix = {"sagemaker-runtime": "sagemaker"}.get(service, service)
    found = {f"{prefix}:{operation}"} | OTHERS.get(operation, set())
    if given.get("Tags") or given.get("tags"):
        found.add("ecr:TagResource" if service == "ecr" else "sagemaker:AddTags")
    return found | ({"iam:PassRole"} if "ExecutionRoleArn" in given else set())


def snake(operation: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).lower()


class Life:
    """Everything that can happen to a deployment, on an empty account, recorded."""

    def __init__(self, aws: Aws, bench: Bench) -> None:
        self.aws, self.bench = aws, bench
        self.recorder = Recorder(aws.region)
        bench.target._aws(aws.region)._session = self.recorder.session

    async def live(self, **options: Any) -> Policy:
        """Returns what is printed for the caller, before anything is done."""
        target, kind = self.bench.target, options["kind"]
        policy = target.policies("doubler", target.options(options))[0]
        await self._refused(kind, options)
        made = await self.bench.deploy(**options)
        await target.describe(made)
        if kind in ("real-time", "serverless", "async"):
            await target.invoke(made, SAMPLE, "application/json", "application/json")
            made = await self._updated(made)
        if kind == "registry":
            await target.review(made, True, "")
        else:
            group, stream = f"/aws/sagemaker/Endpoints/{made.name}", "main/i-1"
            if kind == "batch":
                group, stream = LOG_GROUP, f"doubler-{made.id[2:10]}/i-1"
                aws_gaps.end_transform_job(f"doubler-{made.id[2:10]}", "InProgress")
            self._write_log(group, stream)
            assert "hello" in await target.logs(made)
        await self._big(made)
        self._leave_parts(made)
        await target.delete(made, self.bench.watch)
        # Where its version's number was not written down before its process was killed.
        unknown = Resource("model-package", f"{made.name}/{made.id}")
        if kind == "registry":
            await self.bench.deploy(**options)
            await target.delete(replace(made, resources=(unknown,)), self.bench.watch)
        return policy

    async def _refused(self, kind: str, options: dict[str, Any]) -> None:
        """Fails at the end, and takes everything away again."""
        last = {"batch": "CreateTransformJob", "registry": "CreateModelPackage"}.get(kind)
        if last:
            self.aws.front.forbidden = {last}
        else:
            self.aws.front.statuses = ["Failed"]
        with pytest.raises((TargetError, PermissionMissingError)):
            await self.bench.deploy(**options)
        self.aws.front.statuses, self.aws.front.forbidden = ["InService"], set()

    async def _updated(self, made: Deployment) -> Deployment:
        async def save(changed: Deployment) -> None:
            pass

        options = self.bench.target.options({**made.options, "variables": {"A": "b"}})
        package = await self.bench.package()
        return await self.bench.target.update(package, made, options, self.bench.watch, save)

    async def _big(self, made: Deployment) -> None:
        """A model of several parts."""
        package = await self.bench.package()
        package = replace(package, model=await self.bench.blobs.put(os.urandom(17 * 1024**2)))
        bucket = f"sagemaker-{self.aws.region}-{self.aws.account}"
        url = next(r.name for r in made.resources if r.kind == "s3-object")
        key = url.partition(f"{bucket}/")[2]
        path = self.bench.blobs.path(package.model)
        ours = self.bench.target._aws(self.aws.region)
        await ours.upload(path, bucket, key, lambda _: None, {"a": "b"})

    def _write_log(self, group: str, stream: str) -> None:
        logs = self.aws.client("logs")
        logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        event = {"timestamp": int(time.time() * 1000), "message": "hello"}
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])

    def _leave_parts(self, made: Deployment) -> None:
        """As an upload leaves them whose process was killed."""
        url = next(r.name for r in made.resources if r.kind == "s3-object")
        bucket, _, key = url.removeprefix("s3://").partition("/")
        self.aws.client("s3").create_multipart_upload(Bucket=bucket, Key=key)


@pytest.mark.parametrize(
    "chosen",
    [
        {"kind": "real-time", "max_instances": 2, "capture": 10},
        {"kind": "serverless"},
        {"kind": "async"},
        {"kind": "batch", "batch_input": "s3://data/in/"},
        {"kind": "registry"},
    ],
    ids=lambda chosen: chosen["kind"],
)
async def test_the_printed_policy_is_what_is_used(
    aws: Aws,
    hosting: Hosting,
    make_bench: Callable[..., Bench],
    model_image: str,
    tmp_path: Path,
    chosen: dict[str, Any],
) -> None:
    registry = start_registry(tmp_path / "registry", access_log=True)
    try:
        life = Life(aws, make_bench(model_image, host=registry.host))
        policy = await life.live(**chosen)
    finally:
        registry.stop()
    used = pushed_actions(tmp_path / "registry/log")
    for service, operation, given in life.recorder.calls:
        rights = rights_of_call(service, snake(operation), given, aws.region, aws.account)
        assert {action for action, _ in rights} == expected(service, operation, given), operation
        for action, arn in rights:
            assert allowed(policy.document, action, arn), (action, arn)
            used.add(action)
    assert used == actions(policy.document)
    uploads = aws.client("s3").list_multipart_uploads(Bucket=left(aws)["buckets"][0])
    assert "Uploads" not in uploads


async def test_nobody_needs_more_than_is_printed(
    aws: Aws, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """moto's IAM knows actions, and not what most of them are on."""
    policy = bench.target.policies("doubler", bench.target.options({}))[0]
    # moto still calls s3:ListBucket of HeadBucket by a name that AWS does not have.
    key, secret = aws.user(*sorted(actions(policy.document)), "s3:HeadBucket")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    aws.enforce()
    made = await bench.deploy()
    assert (await bench.target.describe(made)).status == "InService"
    await bench.target.delete(made, bench.watch)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    aws_open(aws)
    assert left(aws)["endpoints"] == left(aws)["models"] == left(aws)["objects"] == []


def test_policies_are_documents_of_iam(aws: Aws, bench: Bench) -> None:
    """moto checks them as IAM does when they are attached."""
    caller, execution, trust = bench.target.policies("", bench.target.options({}))
    iam = aws.client("iam")
    iam.create_role(RoleName="runs", AssumeRolePolicyDocument=json.dumps(trust.document))
    iam.create_user(UserName="ann")
    for policy in (caller, execution):
        iam.create_policy(PolicyName=policy.name, PolicyDocument=json.dumps(policy.document))
        for statement in policy.document["Statement"]:
            everything = statement["Resource"] == "*"
            assert everything == (statement["Sid"] == "Everything")
    assert trust.document["Statement"][0]["Condition"]["StringEquals"] == {
        "aws:SourceAccount": aws.account
    }
    passed = next(s for s in caller.document["Statement"] if s["Sid"] == "PassRole")
    assert passed["Resource"] == aws.role
    assert allowed(
        execution.document,
        "s3:GetObject",
        f"arn:aws:s3:::sagemaker-{aws.region}-{aws.account}/jupyter-mlops/x-1/model.tar.gz",
    )
