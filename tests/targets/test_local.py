"""The local target on a real engine: options, deployment, invocation, failures, removal."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from jupyter_mlops.core.deployment import Deployment, DeploymentState
from jupyter_mlops.core.errors import ConflictError, InvalidError, NotFoundError, TargetError
from jupyter_mlops.core.layout import LABEL_KIND, LABEL_OWNER
from jupyter_mlops.core.model_package import ModelPackage
from jupyter_mlops.targets.local.target import LocalTarget

from ..parts.projects import PREDICTION, SAMPLE, package
from ..parts.services import Recorder, Tiny

pytestmark = pytest.mark.docker


@pytest.fixture
def target(services: Any) -> LocalTarget:
    return LocalTarget(services.settings, services.engines, services.blobs, None)  # type: ignore[arg-type]


def deployment(target: LocalTarget, package: ModelPackage, **options: Any) -> Deployment:
    return Deployment(
        id=f"d-{os.urandom(8).hex()}",
        name="rates",
        owner="x",
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        package=package.id,
        target="local",
        options=target.options(options),
        state=DeploymentState.CREATING,
    )


async def deploy(
    target: LocalTarget,
    package: ModelPackage,
    asked: Deployment,
    on_phase: Callable[[str], None] | None = None,
) -> tuple[Deployment, list[Deployment]]:
    """What came of it, and what was saved on the way."""
    saved: list[Deployment] = []

    async def save(changed: Deployment) -> None:
        saved.append(changed)

    return await target.deploy(package, asked, Recorder(on_phase=on_phase), save), saved


async def nothing_left(services: Any) -> bool:
    engine = await services.engines.engine()
    folder = services.settings.data / "deployments"
    containers = await engine.list({LABEL_OWNER: services.settings.owner})
    return not containers and not (folder.exists() and list(folder.iterdir()))


def served(statement: str) -> str:
    """A handler whose model does this only where it is served: before that, it is refused."""
    return f"""
        import os, time
        def model_fn(folder):
            if os.path.exists("/opt/mlops/serve"): {statement}
            return sum
        def input_fn(body, content_type): return []
    """


def test_options(target: LocalTarget) -> None:
    assert target.options({}) == {"port": 0, "memory": 4096, "workers": 0, "restart": False}
    schema = target.options_schema()
    assert schema["properties"]["memory"]["title"] == "Memory (MB)"
    assert all(field.get("description") for field in schema["properties"].values())
    with pytest.raises(InvalidError, match="'port' cannot be 70000"):
        target.options({"port": 70000})
    with pytest.raises(InvalidError, match="no option 'gpu'"):
        target.options({"gpu": 1})


def test_defaults_of_an_admin(services: Any) -> None:
    settings = replace(services.settings, targets={"local": {"memory": 512, "restart": True}})
    target = LocalTarget(settings, services.engines, services.blobs, None)  # type: ignore[arg-type]
    assert target.options({"workers": "2"})["memory"] == 512
    assert target.options_schema()["properties"]["memory"]["default"] == 512


async def test_a_package_answers_on_a_port(
    services: Any, target: LocalTarget, tiny_environment: Tiny, tmp_path: Path
) -> None:
    made = await package(services, tiny_environment, tmp_path / "p")
    asked = deployment(target, made, memory=512, workers=2)
    assert await target.check() == []
    plan = await target.plan(made, "rates", asked.options)
    assert "512 MB" in " ".join(plan.steps) and plan.resources
    running, saved = await deploy(target, made, asked)
    assert running.state is DeploymentState.RUNNING
    assert [len(entry.resources) for entry in saved] == [1, 2, 2]

    async with httpx.AsyncClient() as client:
        answer = await client.post(running.endpoint, json=SAMPLE)
    assert answer.json() == PREDICTION
    answered = await target.invoke(
        running, json.dumps(SAMPLE).encode(), "application/json", "application/json"
    )
    assert (answered.status, answered.content_type) == (200, "application/json")
    assert json.loads(answered.body) == PREDICTION and 0 < answered.seconds < 10
    refused = await target.invoke(running, b"{", "application/json", "application/json")
    assert refused.status == 400 and b"JSONDecodeError" in refused.body

    engine = await services.engines.engine()
    found = await engine.list({LABEL_OWNER: services.settings.owner, LABEL_KIND: "deployment"})
    assert len(found) == 1
    # What it listens on is this machine's alone.
    port = int(running.status.lstrip(":"))
    with socket.socket() as sock:
        sock.bind(("127.0.0.2", port))
    seen = await target.describe(running)
    assert seen == running
    assert '"worker_ready"' in await target.logs(running)
    with pytest.raises(ConflictError, match=f"Port {port} of this machine is in use"):
        await deploy(target, made, deployment(target, made, port=port))

    await engine.stop(found[0].id, 10)
    assert (await target.describe(running)).state is DeploymentState.STOPPED
    with pytest.raises(TargetError, match="does not run"):
        await target.invoke(running, b"{}", "application/json", "")
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", port))
        sock.listen()
        with pytest.raises(ConflictError, match=f"port :{port} that it had is in use"):
            await target.start(running, Recorder())
    back = await target.start(running, Recorder())
    assert back == running, "the same port after a restart"
    stopped = await target.stop(back, Recorder())
    assert (stopped.state, stopped.message) == (
        DeploymentState.STOPPED,
        "Its container is exited with code 0.",
    )
    assert await target.stop(back, Recorder()) == stopped, "it may be stopped twice"

    await target.delete(running, Recorder())
    assert await nothing_left(services)
    gone = await target.describe(running)
    assert gone.state is DeploymentState.FAILED and "removed" in gone.message
    await target.delete(running, Recorder())
    await services.packaging.delete(made.id)


async def test_a_model_that_does_not_load_leaves_nothing(
    services: Any, target: LocalTarget, tiny_environment: Tiny, tmp_path: Path
) -> None:
    made = await package(
        services,
        tiny_environment,
        tmp_path / "p",
        inference__py=served("raise ValueError('no such feature')"),
    )
    with pytest.raises(TargetError, match="ValueError: no such feature") as raised:
        await deploy(target, made, deployment(target, made))
    assert "inference.py" in raised.value.hint
    assert await nothing_left(services)
    await services.packaging.delete(made.id)


async def test_cancelling_leaves_nothing(
    services: Any, target: LocalTarget, tiny_environment: Tiny, tmp_path: Path
) -> None:
    made = await package(
        services,
        tiny_environment,
        tmp_path / "p",
        inference__py=served("time.sleep(60)"),
    )

    def stop(name: str) -> None:
        if name == "ready":
            scope.cancel()

    with anyio.CancelScope() as scope:
        await deploy(target, made, deployment(target, made), stop)
    assert scope.cancelled_caught
    assert await nothing_left(services)

    target.start_limit = 1.0
    with pytest.raises(TargetError, match="did not answer within 1 s: The model is being loaded"):
        await deploy(target, made, deployment(target, made))
    assert await nothing_left(services)
    await services.packaging.delete(made.id)
    with pytest.raises(NotFoundError):
        await deploy(target, made, deployment(target, made))


async def test_requests_have_the_limits_of_sagemaker(
    services: Any, target: LocalTarget, tiny_environment: Tiny, tmp_path: Path
) -> None:
    made = await package(
        services,
        tiny_environment,
        tmp_path / "p",
        inference__py="import time\n"
        "def model_fn(folder): return None\n"
        "def predict_fn(rows, model): time.sleep(rows[0])\n",
        sample__json="[0]",
        expected="",
    )
    assert target.request_limit == 60
    target.request_limit = 3
    running, _ = await deploy(target, made, deployment(target, made, workers=1))
    slow = await target.invoke(running, b"[30]", "application/json", "application/json")
    assert (slow.status, json.loads(slow.body)["error"]) == (
        504,
        "The model took longer than 3 s for a request.",
    )
    assert slow.seconds < 20
    large = b"[" + b"0," * (13 * 1024**2) + b"0]"
    refused = await target.invoke(running, large, "application/json", "application/json")
    assert refused.status == 413 and b"more than 26214400" in refused.body
    await target.delete(running, Recorder())
    await services.packaging.delete(made.id)
