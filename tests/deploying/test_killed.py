"""A process that is killed in the middle of a deployment leaves nothing that the next does not
take away; what AWS forgets or refuses for a moment is asked again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import anyio.to_thread
import pytest

from jupyter_mlops.core.deployment import DeploymentState
from jupyter_mlops.core.errors import ConflictError
from jupyter_mlops.wiring import Services
from tests.parts.aws import Aws
from tests.parts.aws_troubles import Hold
from tests.parts.engines import OWNER
from tests.parts.sagemaker_bench import left

from .conftest import Silent, make_package

pytestmark = [pytest.mark.docker, pytest.mark.aws, pytest.mark.registry]


def start(services: Services, folder: Path, *options: str) -> subprocess.Popen[bytes]:
    """The command line, on the same data folder, registry and account."""
    settings = services.settings
    config = {
        "Mlops": {
            "data_dir": str(settings.data),
            "runtime_dir": str(settings.runtime),
            "owner": OWNER,
            "engine": "docker",
            "targets": settings.targets,
        }
    }
    file = folder / "config.json"
    file.write_text(json.dumps(config))
    command = "import sys; from jupyter_mlops.cli.main import main; sys.exit(main(sys.argv[1:]))"
    arguments = ["deploy", "doubler", "--target", "sagemaker", "--name", "one", *options]
    with (folder / "output").open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-c", command, *arguments, "--config", str(file)],
            stdout=output,
            stderr=output,
        )


@pytest.mark.parametrize(
    ("action", "after"),
    [
        ("CreateBucket", True),
        ("PutObject", False),
        ("CreateModel", True),
        ("CreateEndpointConfig", True),
        ("CreateEndpoint", False),
        ("CreateEndpoint", True),
    ],
)
async def test_the_next_deployment_takes_away_what_a_killed_one_left(
    services: Services, aws: Aws, model_image: str, tmp_path: Path, action: str, after: bool
) -> None:
    package = await make_package(services, model_image)
    hold = aws.front.troubles.hold = Hold(action, after)
    process = start(services, tmp_path)
    reached = await anyio.to_thread.run_sync(hold.reached.wait, 60)
    assert reached, (tmp_path / "output").read_text()
    with pytest.raises(ConflictError, match="creating"):
        await services.deploying.deploy(package.id, "sagemaker", "one", {}, Silent())
    process.send_signal(signal.SIGKILL)
    await anyio.to_thread.run_sync(process.wait)
    aws.front.troubles.hold = None
    hold.released.set()

    (half,) = await services.deploying.list()
    assert half.state is DeploymentState.FAILED
    made = await services.deploying.deploy(package.id, "sagemaker", "one", {}, Silent())
    assert made.state is DeploymentState.RUNNING
    assert await services.deploying.list() == [made]
    present = left(aws)
    ours = f"one-{made.id[2:10]}"
    assert present["endpoints"] == ["one"]
    assert present["models"] == present["configs"] == [ours]
    assert present["objects"] == [f"jupyter-mlops/{ours}/model.tar.gz"]


@pytest.mark.parametrize("after", [False, True])
async def test_a_version_that_nobody_wrote_down_is_taken_away(
    services: Services, aws: Aws, model_image: str, tmp_path: Path, after: bool
) -> None:
    package = await make_package(services, model_image)
    other = await services.deploying.deploy(
        package.id, "sagemaker", "other", {"kind": "registry", "group": "one"}, Silent()
    )
    hold = aws.front.troubles.hold = Hold("CreateModelPackage", after)
    process = start(services, tmp_path, "--option", "kind=registry")
    reached = await anyio.to_thread.run_sync(hold.reached.wait, 60)
    assert reached, (tmp_path / "output").read_text()
    process.send_signal(signal.SIGKILL)
    await anyio.to_thread.run_sync(process.wait)
    aws.front.troubles.hold = None
    hold.released.set()

    made = await services.deploying.deploy(
        package.id, "sagemaker", "one", {"kind": "registry"}, Silent()
    )
    assert made.state is DeploymentState.REGISTERED
    versions = aws.client("sagemaker").list_model_packages(ModelPackageGroupName="one")
    found = {version["ModelPackageArn"] for version in versions["ModelPackageSummaryList"]}
    assert found == {other.endpoint, made.endpoint}


async def test_throttling_and_forgetfulness_are_waited_out(
    services: Services, aws: Aws, model_image: str
) -> None:
    package = await make_package(services, model_image)
    troubles = aws.front.troubles
    troubles.throttled = {"CreateModel": 1, "CreateEndpoint": 2, "DescribeRepositories": 1}
    troubles.unaware = {"CreateEndpointConfig": 2, "PutObject": 1}
    made = await services.deploying.deploy(package.id, "sagemaker", "one", {}, Silent())
    assert made.state is DeploymentState.RUNNING
    seen = Counter(troubles.seen)
    assert seen["CreateModel"] == 2
    assert seen["CreateEndpoint"] == seen["CreateEndpointConfig"] == 3
    assert seen["PutObject"] == 2
    assert len(left(aws)["models"]) == 1
