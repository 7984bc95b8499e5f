"""What lists tell of a deployment while it lives: its price, its planned end, its log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from jupyter_mlops.core.deployment import Deployment
from jupyter_mlops.core.errors import InvalidError
from tests.parts.aws import Aws
from tests.parts.sagemaker_bench import Bench

pytestmark = [pytest.mark.aws, pytest.mark.docker, pytest.mark.registry]


async def test_a_price_is_what_the_admin_says_or_unknown(
    aws: Aws, make_bench: Callable[..., Bench], model_image: str
) -> None:
    plain = make_bench(model_image)
    made = await plain.deploy()
    assert made.cost == (await plain.target.describe(made)).cost == "unknown"
    await plain.target.delete(made, plain.watch)

    priced = make_bench(model_image, prices={"ml.m5.large": 0.128}, price_unit="EUR")
    plan = await priced.target.plan(await priced.package(), "x", priced.target.options({}))
    assert plan.cost.endswith("That is 0.128 EUR an hour.")
    made = await priced.deploy(instance_count=2)
    assert made.cost == (await priced.target.describe(made)).cost == "0.256 EUR an hour"
    aws.client("sagemaker").delete_endpoint(EndpointName="doubler")
    assert (await priced.target.describe(made)).cost == ""
    assert (await priced.deploy("by-use", kind="serverless")).cost == "by use"
    with pytest.raises(InvalidError, match="no dictionary of numbers"):
        make_bench(model_image, prices={"ml.m5.large": "cheap"})


async def test_a_planned_end_is_moved_without_touching_the_endpoint(aws: Aws, bench: Bench) -> None:
    made = await bench.deploy(lifetime_hours=2)
    hour = timedelta(hours=1)
    end = datetime.fromisoformat(made.planned_end)
    assert hour < end - datetime.now(timezone.utc) <= 2 * hour

    async def save(changed: Deployment) -> None:
        pass

    options = bench.target.options({**made.options, "lifetime_hours": 48})
    package = await bench.package()
    same = package.id
    made = await bench.target.update(
        package, Deployment(**{**vars(made), "package": same}), options, bench.watch, save
    )
    assert datetime.fromisoformat(made.planned_end) - end > 40 * hour
    assert "UpdateEndpoint" not in aws.front.calls
    assert made.options["lifetime_hours"] == 48


async def test_a_log_is_followed_over_containers(aws: Aws, bench: Bench) -> None:
    made = await bench.deploy()
    logs, group = aws.client("logs"), "/aws/sagemaker/Endpoints/doubler"
    now = int(time.time() * 1000)

    def write(stream: str, *lines: str, at: int = 0) -> None:
        events: list[Any] = [{"timestamp": now + at, "message": line} for line in lines]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

    log = bench.target.follow_logs(made)

    async def lines(count: int) -> list[str]:
        seen: list[str] = []
        while len(seen) < count:
            seen += (await asyncio.wait_for(anext(log), 30)).splitlines()
        return seen

    first = asyncio.create_task(lines(2))
    # The group comes with the first line.
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="main/i-1")
    write("main/i-1", "one", "two")
    assert await first == ["one", "two"]
    logs.create_log_stream(logGroupName=group, logStreamName="main/i-2")
    write("main/i-2", "other", at=1)
    write("main/i-1", "three", at=2)
    assert sorted(await lines(2)) == ["other", "three"]
