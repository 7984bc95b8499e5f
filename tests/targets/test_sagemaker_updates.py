"""An endpoint is updated, goes back, and scales; AWS's part of it is on moto's own records."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from jupyter_mlops.core.deployment import Deployment, DeploymentState
from jupyter_mlops.core.errors import PermissionMissingError, TargetError, UnsupportedError
from tests.parts.aws import Aws, Hosting
from tests.parts.sagemaker_bench import SAMPLE, Bench, left

pytestmark = [pytest.mark.aws, pytest.mark.docker, pytest.mark.registry]


class Updates:
    """One deployment of a bench, changed again and again; ``record`` is the newest saved."""

    def __init__(self, bench: Bench, record: Deployment) -> None:
        self.bench = bench
        self.record = record

    async def _save(self, changed: Deployment) -> None:
        self.record = changed

    async def update(self, weight: float = 2, **options: Any) -> Deployment:
        package = await self.bench.package(weight)
        package = replace(package, id=f"p-{int(weight):016x}")
        valid = self.bench.target.options({**self.record.options, **options})
        self.record = await self.bench.target.update(
            package, self.record, valid, self.bench.watch, self._save
        )
        return self.record

    async def roll_back(self) -> Deployment:
        package = await self.bench.package()
        self.record = await self.bench.target.roll_back(
            package, self.record, self.bench.watch, self._save
        )
        return self.record

    async def predictions(self) -> list[float]:
        answer = await self.bench.target.invoke(
            self.record, SAMPLE, "application/json", "application/json"
        )
        found: list[float] = json.loads(answer.body)["predictions"]
        return found


def updates(aws: Aws) -> list[dict[str, Any]]:
    return [asked for action, asked in aws.front.requests if action == "UpdateEndpoint"]


async def test_forth_and_back_and_what_stays(aws: Aws, hosting: Hosting, bench: Bench) -> None:
    made = Updates(bench, await bench.deploy())
    own = f"doubler-{made.record.id[2:10]}"
    assert made.record.can_update and not made.record.can_roll_back
    assert await made.predictions() == [6, 14]

    second = await made.update(weight=3, variables={"NOTE": "new"})
    assert second.state is DeploymentState.RUNNING and second.can_roll_back
    assert second.package == f"p-{3:016x}"
    assert await made.predictions() == [9, 21]
    assert sorted(left(aws)["configs"]) == [own, f"{own}-2"]

    back = await made.roll_back()
    assert await made.predictions() == [6, 14]
    assert back.options["variables"] == {}
    assert back.details["model_data"].endswith(f"{own}/model.tar.gz")
    await made.roll_back()
    assert await made.predictions() == [9, 21]

    # The third generation takes the place of the first, which nobody can go back to any more.
    await made.update(weight=4)
    present = left(aws)
    assert sorted(present["configs"]) == sorted(present["models"]) == [f"{own}-2", f"{own}-3"]
    assert len(present["objects"]) == 2
    await bench.target.delete(made.record, bench.watch)
    assert left(aws)["configs"] == left(aws)["models"] == left(aws)["objects"] == []


@pytest.mark.parametrize(
    ("chosen", "policy"),
    [
        (
            {"rollout": "all-at-once", "rollout_wait": 5},
            {
                "BlueGreenUpdatePolicy": {
                    "TrafficRoutingConfiguration": {
                        "Type": "ALL_AT_ONCE",
                        "WaitIntervalInSeconds": 5,
                    }
                }
            },
        ),
        (
            {"rollout": "canary", "rollout_percent": 20, "rollback_alarms": ["errors"]},
            {
                "BlueGreenUpdatePolicy": {
                    "TrafficRoutingConfiguration": {
                        "Type": "CANARY",
                        "WaitIntervalInSeconds": 60,
                        "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 20},
                    }
                },
                "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]},
            },
        ),
        (
            {"rollout": "rolling", "rollout_wait": 0},
            {
                "RollingUpdatePolicy": {
                    "MaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": 50},
                    "WaitIntervalInSeconds": 0,
                }
            },
        ),
    ],
)
async def test_sagemaker_is_told_how_to_move_over(
    aws: Aws, bench: Bench, chosen: dict[str, Any], policy: dict[str, Any]
) -> None:
    made = Updates(bench, await bench.deploy())
    await made.update(instance_count=2, **chosen)
    (asked,) = updates(aws)
    assert asked["DeploymentConfig"] == policy
    config = aws.client("sagemaker").describe_endpoint_config(
        EndpointConfigName=asked["EndpointConfigName"]
    )
    assert config["ProductionVariants"][0]["InitialInstanceCount"] == 2


async def test_an_update_that_aws_undoes_leaves_everything_as_it_was(
    aws: Aws, hosting: Hosting, bench: Bench
) -> None:
    made = Updates(bench, await bench.deploy())
    before, present = made.record, left(aws)
    aws.front.update_fails = "An alarm went off: errors."
    with pytest.raises(TargetError, match=r"could not update .*An alarm went off"):
        await made.update(weight=3)
    assert left(aws) == present
    assert made.record.resources == before.resources
    assert (made.record.package, made.record.options) == (before.package, before.options)
    assert await made.predictions() == [6, 14]


async def test_a_right_missing_in_the_middle_of_an_update(aws: Aws, bench: Bench) -> None:
    made = Updates(bench, await bench.deploy())
    present = left(aws)
    aws.front.forbidden = {"UpdateEndpoint"}
    with pytest.raises(PermissionMissingError, match=r"UpdateEndpoint on arn:aws:\S+doubler"):
        await made.update(weight=3)
    assert left(aws) == present


async def test_what_a_killed_update_left_is_put_right_by_the_next(
    aws: Aws, hosting: Hosting, bench: Bench
) -> None:
    made = Updates(bench, await bench.deploy())
    half: list[Deployment] = []

    async def save(changed: Deployment) -> None:
        half.append(changed)

    package, options = await bench.package(3), made.record.options
    await bench.target.update(package, made.record, options, bench.watch, save)
    # As if the process had been killed before it recorded the end: AWS has moved over already.
    made.record = half[-1]
    assert await made.predictions() == [9, 21]
    await made.update(weight=4)
    assert await made.predictions() == [12, 28]
    own = f"doubler-{made.record.id[2:10]}"
    assert sorted(left(aws)["configs"]) == sorted(left(aws)["models"]) == [own, f"{own}-3"]


async def test_scaling_capture_and_their_end(aws: Aws, bench: Bench) -> None:
    made = Updates(bench, await bench.deploy(max_instances=4, requests_per_instance=50))
    scaling = aws.client("application-autoscaling")
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert target["ResourceId"] == "endpoint/doubler/variant/main"
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 4)
    (policy,) = scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    tracked = policy["TargetTrackingScalingPolicyConfiguration"]
    assert tracked["TargetValue"] == 50
    assert tracked["PredefinedMetricSpecification"] == {
        "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"
    }

    await made.update(capture=25, max_instances=8)
    (asked,) = updates(aws)
    assert asked["RetainAllVariantProperties"] is True
    config = aws.client("sagemaker").describe_endpoint_config(
        EndpointConfigName=asked["EndpointConfigName"]
    )
    captured = config["DataCaptureConfig"]
    assert (captured["EnableCapture"], captured["InitialSamplingPercentage"]) == (True, 25)
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert target["MaxCapacity"] == 8

    await made.update(capture=0, max_instances=0)
    assert scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"] == []
    assert "autoscaling" not in {r.kind for r in made.record.resources}
    config = aws.client("sagemaker").describe_endpoint_config(
        EndpointConfigName=updates(aws)[-1]["EndpointConfigName"]
    )
    assert not config.get("DataCaptureConfig")


async def test_deleting_ends_scaling(aws: Aws, bench: Bench) -> None:
    made = await bench.deploy(max_instances=2)
    await bench.target.delete(made, bench.watch)
    scaling = aws.client("application-autoscaling")
    assert scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"] == []


async def test_what_aws_cannot_change(aws: Aws, bench: Bench) -> None:
    made = Updates(bench, await bench.deploy())
    with pytest.raises(UnsupportedError, match="from real-time to serverless"):
        await made.update(kind="serverless")
    assert updates(aws) == []


async def test_asynchronous_requests_go_by_way_of_s3(
    aws: Aws, hosting: Hosting, make_bench: Callable[..., Bench], model_image: str
) -> None:
    bench = make_bench(model_image)
    deployment = await bench.deploy(kind="async")
    answer = await bench.target.invoke(deployment, SAMPLE, "application/json", "application/json")
    assert answer.status == 200
    assert json.loads(answer.body)["predictions"] == [6, 14]
    failed = await bench.target.invoke(deployment, b"{", "application/json", "application/json")
    assert failed.status == 500
    assert b"Expecting property name" in failed.body
    # Requests are taken away again; answers are the user's.
    kinds = {key.split("/")[2] for key in left(aws)["objects"]}
    assert kinds == {"model.tar.gz", "answers", "failures"}
