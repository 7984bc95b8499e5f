"""Deployments that are files, through the use case."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_mlops import wiring
from jupyter_mlops.core.deployment import DeploymentState
from jupyter_mlops.core.errors import NotFoundError, UnsupportedError
from jupyter_mlops.core.inventory import Inventory, InventoryDiff
from jupyter_mlops.core.snapshot import Snapshot, WorkspaceSummary
from jupyter_mlops.services import bundles
from jupyter_mlops.wiring import Services
from tests.parts.engines import OWNER

from .conftest import Silent, make_package

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

pytestmark = [pytest.mark.docker, pytest.mark.aws, pytest.mark.registry]


def test_our_targets_are_entry_points_too() -> None:
    """Others may look for ours there; we find them without."""
    project = Path(__file__).parents[2] / "pyproject.toml"
    points = tomllib.loads(project.read_text())["project"]["entry-points"]
    assert points[wiring.TARGETS_GROUP] == {**wiring.TARGETS, **wiring.FILE_TARGETS}


async def test_files_are_a_deployment_too(
    services: Services, model_image: str, tmp_path: Path
) -> None:
    package = await make_package(services, model_image)
    folder = {"folder": str(tmp_path / "out")}
    with pytest.raises(NotFoundError, match="no snapshot"):
        await services.deploying.deploy(package.id, "bundle", "files", folder, Silent())
    assert await services.deploying.list() == []
    assert not (tmp_path / "out").exists()

    inventory = bundles.inventory_json(Inventory("3.11.2", "CPython", "Debian", "glibc", "x86_64"))
    digest = await services.blobs.put(inventory)
    members = (bundles.member("inventory", digest, len(inventory)),)
    snapshot = Snapshot(
        id=package.snapshot, name="first", owner=OWNER, created=package.created,
        environment="churn", revision=1, image=model_image, ref="", base_image="",
        revision_image="", drift=InventoryDiff(), workspace=WorkspaceSummary(0, 0),
        members=members,
    )  # fmt: skip
    await services.store.snapshots.save(snapshot)
    made = await services.deploying.deploy(package.id, "bundle", "files", folder, Silent())
    assert made.state is DeploymentState.WRITTEN
    again = await services.deploying.deploy(package.id, "bundle", "files", folder, Silent())
    assert again == made
    plan = await services.deploying.plan(package.id, "bundle", "files", folder)
    assert (len(plan.steps), plan.resources) == (1, ())
    assert "written already, just so" in plan.steps[0]
    # A record of a version of ours that knew fewer options.
    assert set(made.options) > {"folder"}
    await services.store.deployments.save(replace(made, options=folder))
    again = await services.deploying.deploy(package.id, "bundle", "files", folder, Silent())
    assert again.id == made.id
    await services.store.deployments.save(made)
    assert await services.deploying.get("files") == made
    with pytest.raises(UnsupportedError, match="files answer no requests"):
        await services.deploying.invoke("files")
    with pytest.raises(UnsupportedError, match="no log"):
        await services.deploying.logs("files")
    await services.deploying.delete("files", Silent())
    assert not (tmp_path / "out").exists()
    assert await services.deploying.list() == []
