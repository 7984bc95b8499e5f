"""What goes wrong is explained, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable

import pytest

from jupyter_mlops.core.errors import (
    CredentialsError,
    InvalidError,
    MlopsError,
    RegistryUnavailableError,
    TargetError,
    UnsupportedError,
)
from jupyter_mlops.targets.sagemaker import sizes
from tests.parts.aws import Aws
from tests.parts.registry import free_port
from tests.parts.sagemaker_bench import NOTHING, Bench, left

pytestmark = [pytest.mark.aws, pytest.mark.docker, pytest.mark.registry]


async def test_an_endpoint_that_fails_is_cleaned_up_and_explained(aws: Aws, bench: Bench) -> None:
    aws.front.statuses = ["Creating", "Failed"]
    aws.front.failure_reason = "The primary container did not pass the ping health check."
    logs = aws.client("logs")
    group = "/aws/sagemaker/Endpoints/doubler"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="main/i-1")
    lines = [f"line {i}" for i in range(20)] + ["ModuleNotFoundError: No module named 'sklearn'"]
    now = int(time.time() * 1000)
    logs.put_log_events(
        logGroupName=group,
        logStreamName="main/i-1",
        logEvents=[{"timestamp": now + i, "message": line} for i, line in enumerate(lines)],
    )
    with pytest.raises(TargetError) as caught:
        await bench.deploy()
    assert "did not pass the ping health check" in caught.value.message
    assert "No module named 'sklearn'" in caught.value.message
    assert "line 0\n" not in caught.value.message
    assert "line 0\n" in bench.watch.text
    assert left(aws) == NOTHING
    assert bench.saved[-1].resources == ()
    assert await bench.target.logs(bench.deployment()) == "".join(f"{x}\n" for x in lines)


async def test_cancelling_waits_until_aws_lets_go(aws: Aws, bench: Bench) -> None:
    """AWS refuses to delete an endpoint that is being created."""
    aws.front.statuses = ["Creating"] * 12 + ["InService"]
    work = asyncio.create_task(bench.deploy())
    while not any("Endpoint doubler: Creating" in m for m in bench.watch.messages):
        await asyncio.sleep(0.02)
        assert not work.done()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert left(aws) == NOTHING


async def test_what_was_there_before_stays_when_it_fails(aws: Aws, bench: Bench) -> None:
    await bench.deploy("first")
    aws.front.statuses = ["Failed"]
    aws.front.failure_reason = "no capacity"
    before = left(aws)
    with pytest.raises(TargetError, match="no capacity"):
        await bench.deploy("second")
    assert left(aws) == before


async def test_no_credentials(aws: Aws, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert "aws configure" in (await bench.target.check())[0]
    with pytest.raises(CredentialsError, match="no AWS credentials"):
        await bench.deploy()


async def test_wrong_credentials(aws: Aws, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.enforce()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAWRONGWRONGWRONG0")
    with pytest.raises(CredentialsError, match="does not know these credentials"):
        await bench.deploy()
    assert "does not know these credentials" in (await bench.target.check())[0]


@pytest.mark.parametrize(
    ("role", "said"),
    [
        ("arn:aws:iam::123456789012:role/none-such", "There is no role none-such"),
        ("arn:aws:iam::210987654321:role/runs", "belongs to the AWS account 210987654321"),
        ("arn:aws:iam::123456789012:role/for-lambda", "does not trust sagemaker.amazonaws.com"),
    ],
)
async def test_a_role_that_cannot_work(aws: Aws, bench: Bench, role: str, said: str) -> None:
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}]}
    aws.client("iam").create_role(
        RoleName="for-lambda",
        AssumeRolePolicyDocument=json.dumps({**trust, "Version": "2012-10-17"}),
    )
    with pytest.raises(InvalidError) as caught:
        await bench.deploy(role=role)
    assert said in caught.value.message
    assert "whoever manages IAM" in caught.value.hint or "your own account" in caught.value.hint
    assert left(aws) == NOTHING


async def test_a_missing_role_is_asked_for(
    aws: Aws, make_bench: Callable[..., Bench], model_image: str
) -> None:
    bench = make_bench(model_image, role="")
    with pytest.raises(InvalidError, match="Execution role"):
        await bench.deploy()


async def test_an_image_for_another_processor(
    aws: Aws, make_bench: Callable[..., Bench], arm_image: str
) -> None:
    with pytest.raises(UnsupportedError, match="made for arm64"):
        await make_bench(arm_image).deploy()
    assert left(aws) == NOTHING


async def test_an_image_too_large_for_serverless(
    aws: Aws, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizes, "SERVERLESS_IMAGE_BYTES", 1024**2)
    with pytest.raises(UnsupportedError, match="serverless endpoint takes"):
        await bench.deploy(kind="serverless")
    assert left(aws) == NOTHING


async def test_a_model_too_large_for_serverless(
    aws: Aws, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizes, "SERVERLESS_DISK_BYTES", 4)
    with pytest.raises(UnsupportedError, match="has a disk of"):
        await bench.deploy(kind="serverless")
    assert left(aws) == NOTHING


async def test_a_request_that_is_too_large_is_not_sent(aws: Aws, bench: Bench) -> None:
    made = await bench.deploy(kind="serverless")
    with pytest.raises(InvalidError, match=r"has 5.0 MB; serverless takes 4 MB") as caught:
        await bench.target.invoke(made, b" " * 5 * 1024**2, "text/csv", "text/csv")
    assert "real-time, async" in caught.value.hint


async def test_a_registry_that_does_not_answer(
    aws: Aws, make_bench: Callable[..., Bench], model_image: str
) -> None:
    bench = make_bench(model_image, host=f"127.0.0.1:{free_port()}")
    with pytest.raises(RegistryUnavailableError):
        await bench.deploy()
    assert left(aws) == NOTHING


async def test_aws_that_does_not_answer(
    aws: Aws, make_bench: Callable[..., Bench], model_image: str
) -> None:
    bench = make_bench(model_image, endpoint_url=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(TargetError, match="could not be reached"):
        await bench.deploy()


def test_a_setting_that_is_not_known(
    aws: Aws, make_bench: Callable[..., Bench], model_image: str
) -> None:
    with pytest.raises(MlopsError, match="regoin"):
        make_bench(model_image, regoin="eu-west-1")
