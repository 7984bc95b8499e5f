"""Pure parts: kernel specs, folders, users, and the variables a kernel gets."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from jupyter_client.kernelspec import KernelSpecManager

from jupyter_mlops.core.environment import Environment, EnvironmentSpec, Resources
from jupyter_mlops.core.errors import InvalidError
from jupyter_mlops.core.inventory import InventoryDiff
from jupyter_mlops.core.revision import Revision
from jupyter_mlops.core.settings import NetworkSettings
from jupyter_mlops.core.snapshot import Member, Snapshot, WorkspaceSummary
from jupyter_mlops.kernels.container import with_user
from jupyter_mlops.kernels.endpoint import Endpoint
from jupyter_mlops.kernels.specs import KernelSpecFolder
from jupyter_mlops.kernels.variables import kernel_environment
from jupyter_mlops.kernels.workspace import workspace

SPEC = EnvironmentSpec(
    name="diabetes",
    base="debian",
    network="none",
    variables={"A": "1"},
    resources=Resources(cpus=2, memory=1024**3),
)
FIRST = Revision(
    environment="diabetes",
    number=1,
    spec=SPEC,
    base_image="sha256:b",
    image="sha256:1",
    ref="mlops/env/diabetes:r1",
    lock="sha256:lock1",
    inventory="sha256:i",
    identity="sha256:id",
    created="2026-01-01T00:00:00+00:00",
    python="3.11.2",
)
SECOND = replace(FIRST, number=2, image="sha256:2", lock="sha256:lock2")
ENVIRONMENT = Environment("diabetes", "ada", SPEC, FIRST.created, active=2, latest=2)


def listed(folder: KernelSpecFolder) -> dict[str, dict]:
    manager = KernelSpecManager(kernel_dirs=[str(folder.path)], ensure_native_kernel=False)
    return {name: found["spec"] for name, found in manager.get_all_specs().items()}


def test_a_revision_with_r_is_two_kernels(tmp_path: Path):
    folder = KernelSpecFolder(tmp_path / "kernels")
    folder.install_environment(ENVIRONMENT, [replace(SECOND, r="4.2.2"), FIRST])
    specs = listed(folder)
    python, pinned = {"mlops-diabetes", "mlops-diabetes.r2"}, "mlops-diabetes.r2.ir"
    assert set(specs) == {*python, "mlops-diabetes.r1", "mlops-diabetes.ir", pinned}
    assert specs[pinned]["display_name"] == "diabetes (always r2, R 4.2)"
    assert specs["mlops-diabetes.ir"]["language"] == "R"
    # The one without R becomes the active one.
    folder.install_environment(replace(ENVIRONMENT, active=1), [replace(SECOND, r="4.2.2"), FIRST])
    assert set(listed(folder)) == {*python, "mlops-diabetes.r1", pinned}
    folder.remove("diabetes")
    assert not listed(folder)


def test_environments_and_revisions_are_kernels(tmp_path: Path):
    folder = KernelSpecFolder(tmp_path / "kernels")
    other = replace(ENVIRONMENT, name="diabetes-2")
    folder.install_environment(ENVIRONMENT, [SECOND, FIRST])
    folder.install_environment(other, [replace(SECOND, environment="diabetes-2")])
    specs = listed(folder)
    assert set(specs) == {
        "mlops-diabetes",
        "mlops-diabetes.r1",
        "mlops-diabetes.r2",
        "mlops-diabetes-2",
        "mlops-diabetes-2.r2",
    }
    active = specs["mlops-diabetes"]
    assert active["display_name"] == "diabetes (r2, Python 3.11)"
    # The launcher shows both: they must be told from each other.
    assert specs["mlops-diabetes.r2"]["display_name"] == "diabetes (always r2, Python 3.11)"
    assert active["interrupt_mode"] == "message" and active["language"] == "python"
    assert active["metadata"]["debugger"] is True
    assert active["metadata"]["jupyter_mlops"] == {
        "environment": "diabetes",
        "revision": 2,
        "digest": "sha256:2",
        "lock": "sha256:lock2",
    }
    config = active["metadata"]["kernel_provisioner"]["config"]
    assert config["image"] == "sha256:2" and config["network"] == "none"
    assert config["variables"] == {"A": "1"} and config["resources"]["memory"] == 1024**3

    # Limits, network and secrets are those of now, for all its revisions.
    now = replace(SPEC, network="outbound", secrets=("KEY",), resources=Resources(memory=1))
    folder.install_environment(replace(ENVIRONMENT, spec=now), [SECOND, FIRST])
    for name in ("mlops-diabetes", "mlops-diabetes.r1"):
        config = listed(folder)[name]["metadata"]["kernel_provisioner"]["config"]
        assert (config["network"], config["secrets"]) == ("outbound", ["KEY"])
        assert config["resources"]["memory"] == 1

    # A deleted revision's kernel goes, the other environment's stay.
    folder.install_environment(replace(ENVIRONMENT, active=1), [FIRST])
    specs = listed(folder)
    assert "mlops-diabetes.r2" not in specs and "mlops-diabetes-2.r2" in specs
    assert specs["mlops-diabetes"]["display_name"] == "diabetes (r1, Python 3.11)"
    folder.install_environment(replace(ENVIRONMENT, active=0), [])
    folder.remove("diabetes")
    folder.remove("never-there")
    assert set(listed(folder)) == {"mlops-diabetes-2", "mlops-diabetes-2.r2"}


def test_a_snapshot_is_a_kernel(tmp_path: Path):
    folder = KernelSpecFolder(tmp_path / "kernels")
    snapshot = Snapshot(
        id="s-0123456789abcdef",
        name="before review",
        owner="ada",
        created=FIRST.created,
        environment="diabetes",
        revision=2,
        image="sha256:s",
        ref="",
        base_image="",
        revision_image="sha256:2",
        drift=InventoryDiff(),
        workspace=WorkspaceSummary(0, 0),
        members=(Member("lock", "pylock.toml", "sha256:lock", 1),),
        variables={"A": "1"},
    )
    assert folder.install_snapshot(snapshot) == "mlops-s-0123456789abcdef"
    spec = listed(folder)["mlops-s-0123456789abcdef"]
    assert spec["display_name"] == "before review (snapshot 012345)"
    assert spec["metadata"]["jupyter_mlops"]["lock"] == "sha256:lock"
    assert spec["metadata"]["kernel_provisioner"]["config"]["snapshot"] == snapshot.id
    folder.remove(snapshot.id)
    assert listed(folder) == {}


def test_the_servers_root_is_the_workspace(tmp_path: Path):
    project = tmp_path / "root" / "project"
    project.mkdir(parents=True)
    found = workspace(project, tmp_path / "root")
    assert (found.folder, found.project) == (tmp_path / "root", project)
    assert [(m.source, m.target) for m in found.mounts] == [(str(tmp_path / "root"),) * 2]
    # Without a server, below another folder, or where the root is the whole machine.
    for root in (None, tmp_path / "other", Path("/")):
        assert workspace(project, root).folder == project
    for wrong in ("/", "/usr", "/etc", "/opt", "/run"):
        with pytest.raises(InvalidError, match="hide the container's own system"):
            workspace(Path(wrong), None)
    with pytest.raises(InvalidError, match="no such folder"):
        workspace(tmp_path / "missing", None)


def test_the_kernels_user_has_a_name_and_a_home():
    image = "root:x:0:0:root:/root:/bin/bash\nalice:x:7:7::/home/alice:/bin/sh\n"
    entry = "alice-1234:x:1234:5:alice-1234:/run/mlops/home:/bin/sh\n"
    assert with_user(image, 1234, 5, "alice") == entry + image
    rows = with_user(image, 0, 0, "ada").splitlines()
    assert rows[0] == "root:x:0:0:root:/run/mlops/home:/bin/sh" and len(rows) == 2


def test_a_kernel_gets_an_allow_list():
    server = {"AWS_SECRET_ACCESS_KEY": "x", "TZ": "Europe/Paris", "FROM_SPEC": "1", "HOME": "/root"}
    network = NetworkSettings(index_url="https://u:p@index/simple", ca_bundle="/ca.pem")
    found = kernel_environment(
        server,
        spec_names=["FROM_SPEC"],
        public={"A": "1"},
        network=network,
        home="/h",
        user="ada",
    )
    assert "AWS_SECRET_ACCESS_KEY" not in json.dumps(found)
    assert (found["TZ"], found["FROM_SPEC"], found["A"]) == ("Europe/Paris", "1", "1")
    assert (found["HOME"], found["USER"]) == ("/h", "ada")
    assert found["PIP_INDEX_URL"] == network.index_url
    cut_off = kernel_environment(
        server, spec_names=(), public={}, network=None, home="/h", user="ada"
    )
    assert "u:p@index" not in json.dumps(cut_off)


def test_a_folder_that_is_too_long_for_sockets_is_told(tmp_path: Path):
    with pytest.raises(InvalidError, match="too long") as error:
        Endpoint(tmp_path / ("x" * 100), "k").make(tcp=False)
    assert "Mlops.runtime_dir" in error.value.hint
